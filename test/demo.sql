-- demo.sql: the story that `make demo` tells. Needs a database with ssot in it
-- and the folder of the checkout as the working folder.

\set QUIET on
\pset pager off
\pset footer off
\set data test/data/crm_erp

\echo
\echo 'Two systems, one truth'
\echo '======================'
\echo
\echo 'A CRM and an ERP know the same customers under three key formats. Their'
\echo 'exports are landed as they are, every column text:'
\echo

\i test/data/crm_erp/load.sql

SELECT t.system, t.relation, to_char(t.rows, 'FM999,999') AS rows
FROM (VALUES ('crm', 'bronze.crm_cust_info', (SELECT count(*) FROM bronze.crm_cust_info)),
             ('crm', 'bronze.crm_prd_info', (SELECT count(*) FROM bronze.crm_prd_info)),
             ('crm', 'bronze.crm_sales_details', (SELECT count(*) FROM bronze.crm_sales_details)),
             ('erp', 'bronze.erp_cust_az12', (SELECT count(*) FROM bronze.erp_cust_az12)),
             ('erp', 'bronze.erp_loc_a101', (SELECT count(*) FROM bronze.erp_loc_a101)),
             ('erp', 'bronze.erp_px_cat_g1v2', (SELECT count(*) FROM bronze.erp_px_cat_g1v2)))
     AS t (system, relation, rows)
ORDER BY 1, 2;
