#!/usr/bin/env bash
# matching: people and companies made by gen_matching.py, of whom a quarter are
# there again with errors: ssot.match, from the table to all of its rows with their
# clusters, which are counted. The yardstick is a scan that reads the same columns.
# Accuracy is that of all pairs inside clusters against truth; blocking recall is
# the share of true pairs that were compared. Memory is the peak of the backend,
# with the shared buffers and the temporary files that it has looked at.
#
#   SIZES="100000 1000000"   SEED=7   REPEAT=3
set -euo pipefail
. test/bench/lib.sh

seed=${SEED:-7}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

address='"address": {"kind": "address", "fields": ["street", "house_no"]}, "city": "text", "postcode": "postcode"'
person='{"name": {"kind": "person_name", "fields": ["first_name", "last_name"]}, "dob": "date", "email": "email", "phone": "phone", '$address'}'
company='{"company": "company", "contact": "person_name", "email": "email", "phone": "phone", "website": "text", "tax_id": "identifier", '$address'}'

# make_records KIND ROWS: bench.records and bench.truth.
make_records()
{
	python3 test/bench/gen_matching.py --kind "$1" --n "$2" --seed "$seed" --dup 0.25 --out "$dir" >/dev/null
	run_sql <<SQL
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.records ($(head -1 "$dir/records.csv" | tr -d '\r' | sed 's/,/ text, /g') text);
\copy bench.records FROM '$dir/records.csv' (FORMAT csv, HEADER)
CREATE TABLE bench.truth (id text, entity integer);
\copy bench.truth FROM '$dir/truth.csv' (FORMAT csv, HEADER)
CREATE TABLE bench.pair AS
SELECT a.id AS a, b.id AS b FROM bench.truth AS a JOIN bench.truth AS b ON a.entity = b.entity AND a.id COLLATE "C" < b.id;
VACUUM (FREEZE, ANALYZE);
SQL
}

table_head
for kind in person company; do
	for rows in $SIZES; do
		make_records "$kind" "$rows"
		compare=${!kind}
		scan=() ours=()
		for _ in $(seq "$REPEAT"); do
			scan+=("$(elapsed <<SQL
\timing on
SELECT count(r::text) FROM bench.records AS r;
SQL
)")
			ours+=("$(elapsed <<SQL
\timing on
SELECT count(m.cluster) FROM ssot.match('bench.records', '{id}', '$compare') AS m;
SQL
)")
		done
		table_row "matching, $kind" "$rows" "$(median "${scan[@]}")" "$(median "${ours[@]}")" 'none'
		run_sql <<SQL
CREATE TABLE bench.found AS SELECT * FROM ssot.match('bench.records', '{id}', '$compare');
CREATE TABLE bench.compared AS
SELECT p.left_key, p.right_key FROM ssot.match_pairs('bench.records', '{id}', '$compare', review => 1e-15) AS p;
SQL
		memory=$(psql -X -A -t -q -c "SELECT count(*) FROM ssot.match('bench.records', '{id}', '$compare')" \
			-c "SELECT (regexp_match(pg_read_file('/proc/self/status', 0, 4000), 'VmHWM:\s+(\d+)'))[1]::integer / 1024" 2>/dev/null | tail -1)
		value "
WITH hits AS (
    SELECT count(p.a) AS hits, count(*) AS pairs
      FROM bench.found AS f
      JOIN bench.found AS g ON f.cluster = g.cluster AND f.record_key COLLATE \"C\" < g.record_key
      LEFT JOIN bench.pair AS p ON p.a = f.record_key AND p.b = g.record_key)
SELECT '| $kind: ' || v.name || ' | $rows | | ' || v.number || ' | | | |'
  FROM hits AS h, (SELECT count(*) AS truths FROM bench.pair) AS t,
       LATERAL (VALUES ('true pairs compared',
                        round((SELECT count(*) FROM bench.pair AS p JOIN bench.compared AS c ON c.left_key = p.a AND c.right_key = p.b)::numeric / t.truths, 4)::text),
                       ('precision', round(h.hits::numeric / h.pairs, 4)::text),
                       ('recall', round(h.hits::numeric / t.truths, 4)::text),
                       ('F1', round(2.0 * h.hits / (h.pairs + t.truths), 4)::text),
                       ('peak memory', '$memory MB')) AS v (name, number)"
	done
done
