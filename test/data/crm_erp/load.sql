-- load.sql: lands the files in schema bronze as an ETL tool would: every
-- column text, every value as it is in the file, no keys, no constraints.
--
--   psql -v data=test/data/crm_erp -f test/data/crm_erp/load.sql
--
-- An empty field stays the empty string. The files end their lines with CR LF:
-- COPY takes the CR as part of the line end, so none stays in the last column.
-- The counts are checked; if one is wrong, nothing is loaded.

\if :{?data}
\else
\set data test/data/crm_erp
\endif
\set folder_before_load `pwd`

BEGIN;

CREATE SCHEMA IF NOT EXISTS bronze;

CREATE TABLE bronze.crm_cust_info (
    cst_id             text,
    cst_key            text,
    cst_firstname      text,
    cst_lastname       text,
    cst_marital_status text,
    cst_gndr           text,
    cst_create_date    text
);

CREATE TABLE bronze.crm_prd_info (
    prd_id       text,
    prd_key      text,
    prd_nm       text,
    prd_cost     text,
    prd_line     text,
    prd_start_dt text,
    prd_end_dt   text
);

CREATE TABLE bronze.crm_sales_details (
    sls_ord_num  text,
    sls_prd_key  text,
    sls_cust_id  text,
    sls_order_dt text,
    sls_ship_dt  text,
    sls_due_dt   text,
    sls_sales    text,
    sls_quantity text,
    sls_price    text
);

CREATE TABLE bronze.erp_cust_az12 (
    cid   text,
    bdate text,
    gen   text
);

CREATE TABLE bronze.erp_loc_a101 (
    cid   text,
    cntry text
);

CREATE TABLE bronze.erp_px_cat_g1v2 (
    id          text,
    cat         text,
    subcat      text,
    maintenance text
);

-- The list of a marketing tool: made from the people above, see README.md here.
CREATE TABLE bronze.marketing_list (
    entry      text,
    first_name text,
    last_name  text,
    born       text,
    country    text,
    signed_up  text
);

-- Which customer each entry was made from: to measure by; no source reads it.
CREATE TABLE bronze.marketing_truth (
    entry   text,
    cst_key text
);

-- \copy takes no variables: go to the files instead.
\cd :data
\copy bronze.crm_cust_info FROM 'cust_info.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.crm_prd_info FROM 'prd_info.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.crm_sales_details FROM 'sales_details.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.erp_cust_az12 FROM 'CUST_AZ12.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.erp_loc_a101 FROM 'LOC_A101.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.erp_px_cat_g1v2 FROM 'PX_CAT_G1V2.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.marketing_list FROM 'marketing_list.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\copy bronze.marketing_truth FROM 'marketing_truth.csv' (FORMAT csv, HEADER, NULL '\N', ENCODING 'UTF8')
\cd :folder_before_load

DO $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT t.name, t.want, t.got, t.cr
        FROM (
            SELECT 'crm_cust_info' AS name, 18494 AS want, count(*) AS got,
                   count(*) FILTER (WHERE c::text LIKE E'%\r%') AS cr
            FROM bronze.crm_cust_info AS c
            UNION ALL
            SELECT 'crm_prd_info', 397, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.crm_prd_info AS c
            UNION ALL
            SELECT 'crm_sales_details', 60398, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.crm_sales_details AS c
            UNION ALL
            SELECT 'erp_cust_az12', 18484, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.erp_cust_az12 AS c
            UNION ALL
            SELECT 'erp_loc_a101', 18484, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.erp_loc_a101 AS c
            UNION ALL
            SELECT 'erp_px_cat_g1v2', 37, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.erp_px_cat_g1v2 AS c
            UNION ALL
            SELECT 'marketing_list', 3000, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.marketing_list AS c
            UNION ALL
            SELECT 'marketing_truth', 3000, count(*),
                   count(*) FILTER (WHERE c::text LIKE E'%\r%')
            FROM bronze.marketing_truth AS c
        ) AS t
    LOOP
        IF r.got <> r.want OR r.cr > 0 THEN
            RAISE EXCEPTION 'bronze.% has % rows, % of them with a carriage return; expected % and none',
                r.name, r.got, r.cr, r.want;
        END IF;
    END LOOP;
END
$$;

ANALYZE bronze.crm_cust_info, bronze.crm_prd_info, bronze.crm_sales_details,
    bronze.erp_cust_az12, bronze.erp_loc_a101, bronze.erp_px_cat_g1v2, bronze.marketing_list, bronze.marketing_truth;

COMMIT;
