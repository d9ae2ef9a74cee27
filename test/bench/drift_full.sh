#!/usr/bin/env bash
# drift_full: finding every difference between two tables of ten million rows,
# and recomputing the drift of an entity.
#
# F is one serial read of both tables with a cheap hash of the key; J is the best
# plain SQL, a FULL JOIN. Both are those of drift/yardsticks.sql. The copy "b"
# lacks 0.1 % of the rows, has as many that "a" lacks, and differs in one field of
# 0.1 % or 1 % of the rows; "shuffled" lies in another order than "a" and has no
# declared key, as an export would.
#
#   SIZES="1000000 10000000"   rows of each table
#   VERIFY_SIZES="1000000"     source rows of the entity
#   MEMORY=512MB               maintenance_work_mem
set -euo pipefail
SIZES=${SIZES:-"1000000 10000000"}
export PGOPTIONS="-c maintenance_work_mem=${MEMORY:-512MB} ${PGOPTIONS:-}"
. test/bench/lib.sh

generate()
{
	psql -X -q -v ON_ERROR_STOP=1 -v n="$1" -v s=bench \
		-f test/bench/drift/01_base.sql -f test/bench/drift/02_tables.sql >/dev/null
	run_sql <<'SQL'
DROP TABLE b_bench_c01, b_bench_few;
DROP TABLE IF EXISTS shuffled;
CREATE TABLE shuffled AS SELECT * FROM b_bench_p01 AS b ORDER BY hashint8extended(b.id, 15);
SQL
	settle_down
}

# floor TABLE: F over a_bench and the table, in milliseconds.
floor()
{
	elapsed <<SQL
SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off;
\\timing on
SELECT count(*), sum(hashint8(a.id)) FROM a_bench AS a;
SELECT count(*), sum(hashint8(b.id)) FROM $1 AS b;
SQL
}

# full_join TABLE: J.
full_join()
{
	psql -X -q -v ON_ERROR_STOP=1 -v a=a_bench -v b="$1" -f test/bench/drift/yardsticks.sql |
		sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | tail -n 1
}

ours()
{
	elapsed <<SQL
\\timing on
SELECT count(*) FROM ssot.compare('a_bench', '$1', key => '{id}');
SQL
}

table_head
for rows in $SIZES; do
	generate "$rows"
	for case in 'b_bench_p01 0.1 %' 'b_bench_p10 1 %' 'shuffled 0.1 %, other order'; do
		table=${case%% *}
		f=() j=() o=()
		floor "$table" >/dev/null
		for _ in $(seq "$REPEAT"); do
			f+=("$(floor "$table")")
			o+=("$(ours "$table")")
			j+=("$(full_join "$table")")
		done
		table_row "drift, full: ${case#* }, against F" "$rows" "$(median "${f[@]}")" "$(median "${o[@]}")" '≤ 1.5'
		table_row "drift, full: ${case#* }, against J" "$rows" "$(median "${j[@]}")" "$(median "${o[@]}")" '≤ 0.4'
	done
done
run_sql <<'SQL'
DROP TABLE a_bench, b_bench_p01, b_bench_p10, shuffled;
SQL

for rows in ${VERIFY_SIZES:-1000000}; do
	load_entity "$rows"
	f=() o=()
	for _ in $(seq "$REPEAT"); do
		f+=("$(elapsed <<'SQL'
SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off;
\timing on
SELECT count(*), sum(hashint8(g.customer_id)) FROM golden.customer AS g;
SELECT count(*), sum(hashtext(s.ssot_key)) FROM golden_ssot.customer_source AS s;
SQL
)")
		o+=("$(elapsed <<'SQL'
\timing on
SELECT count(*) FROM ssot.verify_drift('golden.customer');
SQL
)")
	done
	table_row 'drift, full: verify_drift, against F' "$rows" "$(median "${f[@]}")" "$(median "${o[@]}")" '≤ 1.5'
	echo "$(value 'SELECT count(*) FROM golden_ssot.customer_drift') differences," \
		"$(value "SELECT count(*) FROM ssot.verify_drift('golden.customer')") of them kept wrongly"
done
