#!/usr/bin/env bash
# nothing_changed: a reconcile of sources of which every row is known, against
# F: one serial read of the source tables and the stored records, with a cheap
# hash of each key.
set -euo pipefail
. test/bench/lib.sh

table_head
for rows in $SIZES; do
	load_entity "$rows"
	floor=() ours=()
	for _ in $(seq "$REPEAT"); do
		floor+=("$(elapsed <<'SQL'
\timing on
SELECT sum(hashtext(s.id)) FROM bronze.crm_account AS s;
SELECT sum(hashtext(s.customer)) FROM bronze.erp_customer AS s;
SELECT sum(hashtext(s.ssot_key)) FROM golden_ssot.customer_source AS s;
SQL
)")
		ours+=("$(elapsed <<'SQL'
\timing on
SELECT * FROM ssot.reconcile('golden.customer');
SQL
)")
	done
	table_row 'nothing changed' "$rows" "$(median "${floor[@]}")" "$(median "${ours[@]}")" '≤ 3 F'
done
