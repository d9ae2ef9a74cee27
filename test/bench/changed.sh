#!/usr/bin/env bash
# changed: runs that read only what changed, and what noting it costs the writer.
#
#   1 % changed     a reconcile after one row in a hundred of each source has changed,
#                   with change capture, and with a watermark on indexed source times,
#                   against a run that reads and evaluates everything ("full")
#                   after the same change, and against one that reads everything and
#                   evaluates what is not stored ("scan")
#   drift, nightly  the same after one row in a thousand, which brings drift up
#                   to date, against F: one serial read of golden and source records
#                   with a cheap hash of each key
#   capture         UPDATE of 100,000 rows of a source with capture triggers, against
#                   the same without them
set -euo pipefail
. test/bench/lib.sh

round=0

# change_rows EVERY: of each source one row in EVERY gets another name and a later
# time, others each time.
change_rows()
{
	round=$((round + 1))
	run_sql <<SQL
UPDATE bronze.crm_account SET name = name || ' $round', modified = '2027-01-01 00:00+00'::timestamptz + $round * interval '1 hour'
 WHERE substr(id, 2)::integer % $1 = $round % $1;
UPDATE bronze.erp_customer SET city = city || ' $round', changed_on = '2027-01-01 00:00+00'::timestamptz + $round * interval '1 hour'
 WHERE substr(customer, 2)::integer % $1 = ($round + 1) % $1;
SQL
}

# set_reading READING: of both sources, with the full run that follows it.
set_reading()
{
	run_sql <<SQL
SELECT ssot.set_reading('golden.customer', 'crm_account', '$1', overlap => '1 minute');
SELECT ssot.set_reading('golden.customer', 'erp_customer', '$1', overlap => '1 minute');
SELECT * FROM ssot.reconcile('golden.customer');
SQL
	settle_down
}

# run_after EVERY [ARGUMENTS]: milliseconds of a run after such a change.
run_after()
{
	change_rows "$1"
	elapsed <<SQL
\\timing on
SELECT * FROM ssot.reconcile('golden.customer'${2:-});
SQL
}

floor()
{
	elapsed <<'SQL'
SET enable_indexonlyscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off;
\timing on
SELECT count(*), sum(hashint8(g.customer_id)) FROM golden.customer AS g;
SELECT count(*), sum(hashtext(s.ssot_key)) FROM golden_ssot.customer_source AS s;
SQL
}

table_head
for rows in $SIZES; do
	load_entity "$rows"
	run_sql <<'SQL'
CREATE UNIQUE INDEX ON bronze.crm_account (id);
CREATE UNIQUE INDEX ON bronze.erp_customer (customer);
CREATE INDEX ON bronze.crm_account (modified);
CREATE INDEX ON bronze.erp_customer (changed_on);
SQL
	full=() scan=() captured=() late=() f=() nightly=()
	settle_down
	for _ in $(seq "$REPEAT"); do
		scan+=("$(run_after 100)")
		full+=("$(run_after 100 ', "full" => true')")
	done
	set_reading capture
	for _ in $(seq "$REPEAT"); do
		captured+=("$(run_after 100)")
	done
	settle_down
	floor >/dev/null
	for _ in $(seq "$REPEAT"); do
		f+=("$(floor)")
		nightly+=("$(run_after 1000)")
	done
	set_reading watermark
	for _ in $(seq "$REPEAT"); do
		late+=("$(run_after 100)")
	done
	echo "$(value "SELECT count(*) FROM ssot.verify_drift('golden.customer')") differences kept wrongly"
	table_row '1 % changed: capture, against full' "$rows" "$(median "${full[@]}")" "$(median "${captured[@]}")" '≤ 0.03'
	table_row '1 % changed: capture, against scan' "$rows" "$(median "${scan[@]}")" "$(median "${captured[@]}")" ''
	table_row '1 % changed: watermark, against full' "$rows" "$(median "${full[@]}")" "$(median "${late[@]}")" '≤ 0.03'
	table_row 'drift, nightly' "$rows" "$(median "${f[@]}")" "$(median "${nightly[@]}")" '≤ 0.2'
done

# update_all TABLE: milliseconds of an UPDATE of its 100,000 rows.
update_all()
{
	elapsed <<SQL
\\timing on
UPDATE $1 SET name = name || '.', modified = modified + interval '1 hour';
\\timing off
VACUUM $1;
SQL
}

make_sources 200000
declare_entity
run_sql <<'SQL'
ALTER TABLE bronze.crm_account ADD PRIMARY KEY (id);
CREATE TABLE bronze.untracked (LIKE bronze.crm_account INCLUDING ALL);
INSERT INTO bronze.untracked SELECT * FROM bronze.crm_account;
SELECT ssot.set_reading('golden.customer', 'crm_account', 'capture');
SQL
settle_down
plain=() tracked=()
update_all bronze.untracked >/dev/null
update_all bronze.crm_account >/dev/null
for _ in $(seq "$REPEAT"); do
	plain+=("$(update_all bronze.untracked)")
	tracked+=("$(update_all bronze.crm_account)")
done
table_row 'capture' 100000 "$(median "${plain[@]}")" "$(median "${tracked[@]}")" '≤ 1.4'
