#!/usr/bin/env bash
# drift_remote: comparing a table with one on another server, over postgres_fdw:
# the bytes that pass, counted between the two, and the seconds.
#
# The tables are those of drift_full: "scattered" lacks 0.1 % of the rows, has as
# many that the local one lacks, and differs in one field of 0.1 %; "clustered"
# differs in one field of 0.1 %, one row beside the other. The yardstick fetches
# every row as postgres_fdw does it.
#
#   SIZES="1000000"   rows of each table
set -euo pipefail
SIZES=${SIZES:-1000000}
. test/bench/lib.sh

count=$SSOT_CLUSTER/bytes
test/count_bytes "$SSOT_CLUSTER/.s.PGSQL.5433" "$SSOT_CLUSTER/.s.PGSQL.5432" "$count" &
counter=$!
trap 'kill "$counter"' EXIT

generate()
{
	psql -X -q -v ON_ERROR_STOP=1 -v n="$1" -v s=bench \
		-f test/bench/drift/01_base.sql -f test/bench/drift/02_tables.sql >/dev/null
	run_sql <<SQL
DROP TABLE b_bench_p10, b_bench_few;
DROP EXTENSION IF EXISTS postgres_fdw CASCADE;
CREATE EXTENSION postgres_fdw;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '$SSOT_CLUSTER', port '5433', dbname '$PGDATABASE', fetch_size '10000');
CREATE USER MAPPING FOR CURRENT_USER SERVER far;
CREATE SCHEMA IF NOT EXISTS far;
IMPORT FOREIGN SCHEMA public LIMIT TO (b_bench_p01, b_bench_c01) FROM SERVER far INTO far;
SQL
	sync
}

# passes SQL: how many bytes pass while it runs, and the milliseconds.
passes()
{
	local before after
	sleep 0.2
	before=$(cat "$count")
	elapsed <<SQL
\\timing on
$1;
SQL
	sleep 0.2
	after=$(cat "$count")
	echo $((after - before))
}

echo '| line | rows | every row | ours | target | every row, s | ours, s |'
echo '| --- | ---: | ---: | ---: | ---: | ---: | ---: |'
for rows in $SIZES; do
	generate "$rows"
	for case in 'p01 12 scattered' 'c01 0.6 clustered'; do
		read -r table target name <<<"$case"
		all=()
		all_ms=()
		ours=()
		ours_ms=()
		for _ in $(seq "$REPEAT"); do
			mapfile -t got < <(passes "SELECT count(f::text) FROM far.b_bench_$table AS f")
			all_ms+=("${got[0]}")
			all+=("${got[1]}")
			mapfile -t got < <(passes "SELECT count(*) FROM ssot.compare('a_bench', 'far.b_bench_$table', key => '{id}')")
			ours_ms+=("${got[0]}")
			ours+=("${got[1]}")
		done
		awk -v name="drift, remote, $name" -v rows="$rows" -v all="$(median "${all[@]}")" -v ours="$(median "${ours[@]}")" \
			-v target="$target" -v all_ms="$(median "${all_ms[@]}")" -v ours_ms="$(median "${ours_ms[@]}")" 'BEGIN {
				printf "| %s | %d | %.2f MB | %.2f MB | %s MB | %.2f | %.2f |\n", name, rows,
					all / 1e6, ours / 1e6, rows == 1000000 ? target : "-", all_ms / 1000, ours_ms / 1000 }'
	done
done
