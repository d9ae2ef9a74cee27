#!/usr/bin/env bash
# read: reading a canonical table against a plain table with the same columns
# and rows. Target of each line: at most 1.02.
set -euo pipefail
. test/bench/lib.sh

rows=${ROWS:-1000000}
make_sources $((rows * 2))
declare_entity
run_sql <<'SQL'
SELECT ssot.drop_source('golden.customer', 'erp_customer');
SELECT * FROM ssot.reconcile('golden.customer');
DROP TABLE IF EXISTS plain;
CREATE TABLE plain AS SELECT * FROM golden.customer AS g ORDER BY g.customer_id;
ALTER TABLE plain ADD PRIMARY KEY (customer_id);
SQL
settle_down

statements()
{
	echo "SELECT count(*) FROM $1 AS t WHERE t.phone = 'none';"
	echo "SELECT t.country, count(*), sum(t.revenue), max(t.name) FROM $1 AS t GROUP BY t.country;"
}

repeat=$((REPEAT * 3))
all=$({
	statements plain
	statements golden.customer
	echo '\timing on'
	for _ in $(seq "$repeat"); do
		statements plain
		statements golden.customer
	done
} | times)
place()
{
	median $(echo "$all" | every 4 "$1")
}

plain=() ours=()
for _ in $(seq "$((REPEAT + 2))"); do
	plain+=("$(latency 'SELECT * FROM plain AS t WHERE t.customer_id = :id;' "$rows")")
	ours+=("$(latency 'SELECT * FROM golden.customer AS t WHERE t.customer_id = :id;' "$rows")")
done

table_head
table_row 'read: scan' "$rows" "$(place 1)" "$(place 3)" '≤ 1.02' ms
table_row 'read: aggregate' "$rows" "$(place 2)" "$(place 4)" '≤ 1.02' ms
table_row 'read: point lookup' "$rows" "$(median "${plain[@]}")" "$(median "${ours[@]}")" '≤ 1.02' ms
