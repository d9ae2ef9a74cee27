#!/usr/bin/env bash
# survivorship: merging all stored records again against one SQL statement that
# does the same for ten fields by authority, source time and key. Both read the
# stored records; ours is the whole settling pass, which besides decides by the
# full order, tests every row against the table's constraints and brings golden
# records, held records and drift up to date (nothing differs, nothing is written).
set -euo pipefail
. test/bench/lib.sh

pick()
{
	local field

	for field in ${fields//,/ }; do
		printf '%s\n' "(array_agg(r.$field ORDER BY s.rank, r.ssot_updated_at DESC NULLS LAST, r.ssot_key)
		FILTER (WHERE r.$field IS NOT NULL))[1] AS $field,"
	done
}

table_head
for rows in $SIZES; do
	load_entity "$rows"
	plain=() ours=()
	for _ in $(seq "$REPEAT"); do
		plain+=("$(elapsed <<SQL
\timing on
SELECT $(echo "$fields" | sed 's/\([a-z]\+\)/count(m.\1)/g')
  FROM (SELECT $(pick) r.customer_id
          FROM golden_ssot.customer_source AS r
          JOIN ssot.source AS s ON s.source_id = r.ssot_source
         GROUP BY r.customer_id
        OFFSET 0) AS m;
SQL
)")
		ours+=("$(elapsed <<'SQL'
\timing on
SELECT ssot.settle('golden.customer');
SQL
)")
	done
	table_row 'survivorship' "$rows" "$(median "${plain[@]}")" "$(median "${ours[@]}")" '≤ 0.2'
done
