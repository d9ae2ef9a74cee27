#!/usr/bin/env bash
# as_of: golden.customer_at(t) against the plain table of current rows. One row
# of a hundred has changed ten times, the last time after t: ten older versions
# of it are in history, of which one is right. Real runs make the versions.
set -euo pipefail
. test/bench/lib.sh

rows=${ROWS:-1000000}
versions=10
make_sources $((rows * 2))
declare_entity
run_sql <<'SQL'
SELECT ssot.drop_source('golden.customer', 'erp_customer');
SELECT * FROM ssot.reconcile('golden.customer');
VACUUM (ANALYZE);
SQL
for version in $(seq "$versions"); do
	[ "$version" -lt "$versions" ] || t=$(value "SELECT ssot.stable_until('golden.customer')")
	run_sql <<SQL
UPDATE bronze.crm_account AS a
   SET revenue = a.revenue + 1, modified = a.modified + interval '1 day'
 WHERE substr(a.id, 2)::integer % 100 = 1;
SELECT * FROM ssot.reconcile('golden.customer');
VACUUM golden.customer, golden_ssot.customer_source, bronze.crm_account;
SQL
done
run_sql <<'SQL'
DROP TABLE IF EXISTS plain;
CREATE TABLE plain AS SELECT * FROM golden.customer AS g ORDER BY g.customer_id;
ALTER TABLE plain ADD PRIMARY KEY (customer_id);
SQL
settle_down
echo "versions in history: $(value 'SELECT count(*) FROM golden_ssot.customer_history')"

statement()
{
	echo "SELECT t.country, count(*), sum(t.revenue), max(t.name) FROM $1 AS t GROUP BY t.country;"
}

at="golden.customer_at('$t')"
view="golden_as_of.customer"
repeat=$((REPEAT * 3))
all=$({
	echo "SET ssot.as_of = '$t';"
	statement plain
	statement "$at"
	echo '\timing on'
	for _ in $(seq "$repeat"); do
		statement plain
		statement "$at"
		statement "$view"
	done
} | times)
place()
{
	median $(echo "$all" | every 3 "$1")
}

plain=() ours=()
for _ in $(seq "$REPEAT"); do
	plain+=("$(latency 'SELECT * FROM plain AS t WHERE t.customer_id = :id;' "$rows")")
	ours+=("$(latency "SELECT * FROM $at AS t WHERE t.customer_id = :id;" "$rows")")
done

table_head
table_row 'as-of: aggregate' "$rows" "$(place 1)" "$(place 2)" '≤ 1.3' ms
table_row 'as-of: aggregate of the view' "$rows" "$(place 1)" "$(place 3)" '≤ 1.3' ms
table_row 'as-of: point lookup' "$rows" "$(median "${plain[@]}")" "$(median "${ours[@]}")" '≤ 2' ms
