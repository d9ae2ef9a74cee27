#!/usr/bin/env bash
# metric: a metric's view and its past against the plain aggregate over the
# canonical table; and explain_difference between two systems, whose records of
# one entity differ in one of a hundred, against the same aggregate; with the
# entities behind each cause too. Both systems are complete through one time: where the
# past of one is not known, nothing is compared and it costs half.
set -euo pipefail
. test/bench/lib.sh

rows=${ROWS:-1000000}
load_entity $((rows * 2))
run_sql <<'SQL'
SELECT ssot.create_metric('revenue', from_entity => 'golden.customer', measure => 'sum(revenue)', unit => 'USD',
    filter => $$country <> 'PL' AND employees > 100$$, dimensions => '["country"]');
SQL
t=$(value "SELECT ssot.stable_until('golden.customer')")
run_sql <<'SQL'
UPDATE bronze.crm_account AS a
   SET revenue = a.revenue + 1, modified = (SELECT max(e.changed_on) FROM bronze.erp_customer AS e)
 WHERE substr(a.id, 2)::integer % 100 = 1;
SELECT * FROM ssot.reconcile('golden.customer');
SQL
settle_down

plain="SELECT coalesce(sum(c.revenue), 0) FROM golden.customer AS c WHERE c.retired_at IS NULL AND c.country <> 'PL' AND c.employees > 100;"
statements()
{
	echo "$plain"
	echo "SELECT * FROM metrics.revenue;"
	echo "$plain"
	echo "SELECT * FROM ssot.metric('revenue', as_of => '$t');"
}
all=$({
	statements
	echo '\timing on'
	for _ in $(seq $((REPEAT * 3))); do
		statements
	done
} | times)
place()
{
	median $(echo "$all" | every 4 "$1")
}

# explain LINE TARGET ARGUMENTS: measured in turn with the plain aggregate.
explain()
{
	local all

	all=$({
		echo '\timing on'
		for _ in $(seq "$REPEAT"); do
			echo "$plain"
			echo "SELECT * FROM ssot.explain_difference('revenue', 'crm', 'erp', $3);"
		done
	} | times)
	table_row "$1" "$rows" "$(median $(echo "$all" | every 2 1))" "$(median $(echo "$all" | every 2 2))" "$2" ms
}

table_head
table_row 'metric read' "$rows" "$(place 1)" "$(place 2)" '≤ 1.05' ms
table_row 'metric as-of' "$rows" "$(place 3)" "$(place 4)" '≤ 1.4' ms
explain 'explain: bridge' '≤ 8' "'bridge'"
explain 'explain: Shapley' '≤ 16' "'shapley'"
explain 'explain: bridge, detail' '—' "'bridge', detail => true"
explain 'explain: Shapley, detail' '—' "'shapley', detail => true"
explain 'explain: bridge, paired by name' '—' "'bridge', pair_by => 'name'"
