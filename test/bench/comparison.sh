#!/usr/bin/env bash
# comparison: the similarity kernels, nanoseconds per pair, and the SQL functions
# against those of fuzzystrmatch, pg_trgm and (where its package
# postgresql-15-similarity is installed) pg_similarity.
#
#   PAIRS=200000    pairs of names of each length; half of them are slips of one
#                   name, half are strangers
#
# Targets: kernels at most 60 ns at 15 characters; SQL at most 0.4 of the others'
# time, the time of the bare query taken off both. Both query times are the best
# of REPEAT runs in turn.
set -euo pipefail
. test/bench/lib.sh

pairs=${PAIRS:-200000}
pg_config=${PG_CONFIG:-/usr/lib/postgresql/15/bin/pg_config}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
chmod 755 "$build"
gcc -O2 -fPIC -shared -Isrc -I"$("$pg_config" --includedir-server)" -o "$build/comparison.so" test/bench/comparison.c
chmod 644 "$build/comparison.so"

run_sql <<SQL
DROP TABLE IF EXISTS pair;
CREATE TABLE pair AS
SELECT p.length, p.no, left(n.name, p.length) AS a,
       CASE WHEN p.no % 2 = 0 THEN left(o.name, p.length)
            ELSE overlay(left(n.name, p.length) PLACING substr(o.name, 1, 1) FROM 2 + (p.no % (p.length - 2))::int FOR 1) END AS b
  FROM (SELECT l.length, i AS no FROM (VALUES (8), (15)) AS l (length), generate_series(1, $pairs) AS i) AS p,
       LATERAL (SELECT translate(md5(p.no::text), '0123456789', 'ghijklmnop') AS name) AS n,
       LATERAL (SELECT translate(md5((p.no * 7 + 1)::text), '0123456789', 'ghijklmnop') AS name) AS o;
VACUUM (FREEZE, ANALYZE) pair;
CREATE FUNCTION bench_kernel(kernel text, a text[], b text[], rounds int) RETURNS float8
LANGUAGE c STRICT AS '$build/comparison';
CREATE SCHEMA other;
CREATE EXTENSION fuzzystrmatch SCHEMA other;
CREATE EXTENSION pg_trgm SCHEMA other;
SQL
others="levenshtein|other.levenshtein|ssot.levenshtein|
levenshtein, at most 2|other.levenshtein_less_equal|ssot.levenshtein|, 2
trigram|other.similarity|ssot.trigram|"
if [ "$(value "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_similarity'")" = 1 ]; then
	run_sql <<<'CREATE EXTENSION pg_similarity SCHEMA other;'
	others+="
jaro_winkler, pg_similarity|other.jarowinkler|ssot.jaro_winkler|
levenshtein, pg_similarity|other.lev|ssot.levenshtein|"
fi

echo '| kernel | characters | ns per pair | target |'
echo '| --- | ---: | ---: | ---: |'
for kernel in jaro_winkler levenshtein 'levenshtein 2' damerau; do
	for length in 8 15; do
		# short runs, the best of many: what else the machine does is left out
		best=$(value "SELECT min(bench_kernel('$kernel', p.a, p.b, 1))
		                FROM (SELECT array_agg(q.a) AS a, array_agg(q.b) AS b
		                        FROM (SELECT * FROM pair AS r WHERE r.length = $length LIMIT 5000) AS q) AS p,
		                     generate_series(1, 100 * $REPEAT)")
		awk -v k="$kernel" -v l="$length" -v b="$best" 'BEGIN {printf "| %s | %d | %.0f | %s |\n", k, l, b, l == 15 ? "≤ 60" : ""}'
	done
done
echo
echo '| SQL function | characters | theirs, ns | ours, ns | ratio | target |'
echo '| --- | ---: | ---: | ---: | ---: | ---: |'
echo "$others" | while IFS='|' read -r name theirs ours more; do
	for length in 8 15; do
		all=$({
			echo '\timing on'
			for _ in $(seq "$REPEAT"); do
				echo "SELECT count(p.a), max(p.b) FROM pair AS p WHERE p.length = $length;"
				echo "SELECT count(p.a), max(p.b), sum($theirs(p.a, p.b$more)) FROM pair AS p WHERE p.length = $length;"
				echo "SELECT count(p.a), max(p.b), sum($ours(p.a, p.b$more)) FROM pair AS p WHERE p.length = $length;"
			done
		} | times)
		best()
		{
			echo "$all" | every 3 "$1" | sort -n | head -n 1
		}
		awk -v n="$name" -v l="$length" -v base="$(best 1)" -v t="$(best 2)" -v o="$(best 3)" -v p="$pairs" 'BEGIN {
			theirs = (t - base) * 1e6 / p; ours = (o - base) * 1e6 / p
			printf "| %s | %d | %.0f | %.0f | %.2f | ≤ 0.4 |\n", n, l, theirs, ours, ours / theirs}'
	done
done
