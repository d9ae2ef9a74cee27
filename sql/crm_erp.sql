-- crm_erp: what must come out of the real sample. The numbers in the comments
-- were counted in the files themselves, without this extension.
\getenv source PG_ABS_SRCDIR
\set data :source '/test/data/crm_erp'
\set load :data '/load.sql'
\set declare :data '/declare.sql'
\set marketing :data '/marketing.sql'
\set home :DBNAME
CREATE DATABASE regress_crm_erp;
\c regress_crm_erp
SET client_min_messages = warning;
CREATE EXTENSION ssot;
\set ECHO none
\o /dev/null
\i :load
\i :declare
\o
\set ECHO all
CALL ssot.reconcile_all();

-- One golden customer for each of the 18,484 people that the three files share.
SELECT count(*) AS golden, count(crm_number) AS with_number, count(DISTINCT crm_number) AS numbers
  FROM golden.customer;
SELECT parts, systems, sources, count(*) AS customers
  FROM (SELECT customer_id, count(*) AS parts, count(DISTINCT y.system) AS systems,
               string_agg(y.source, ', ' ORDER BY y.rank) AS sources
          FROM golden_ssot.customer_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source
         WHERE s.ssot_copy = 0
         GROUP BY customer_id) AS t
 GROUP BY 1, 2, 3;

-- The three key formats name one person: every ERP record carries the CRM's key.
SELECT count(*) AS erp_records, count(*) FILTER (WHERE c.ssot_key = s.ssot_key) AS meet_their_crm_record
  FROM golden_ssot.customer_source AS s
  JOIN ssot.source AS y ON y.source_id = s.ssot_source AND y.system = 'erp'
  JOIN golden_ssot.customer_source AS c ON c.customer_id = s.customer_id AND c.ssot_copy = 0
  JOIN ssot.source AS z ON z.source_id = c.ssot_source AND z.system = 'crm';

-- Every row of every source is a record, superseded, or in quarantine (law 3).
SELECT y.source, st.rows_read,
       (SELECT count(*) FROM golden_ssot.customer_source AS s WHERE s.ssot_source = y.source_id AND s.ssot_copy = 0) AS in_force,
       (SELECT count(*) FROM golden_ssot.customer_source AS s WHERE s.ssot_source = y.source_id AND s.ssot_copy > 0) AS superseded,
       (SELECT coalesce(sum(q.copies), 0) FROM golden_ssot.customer_quarantine AS q WHERE q.ssot_source = y.source_id) AS quarantined
  FROM ssot.source AS y JOIN ssot.source_state AS st USING (source_id)
 WHERE y.entity = 'golden.customer' AND y.relation IS NOT NULL ORDER BY y.rank;

-- The four stray rows of the CRM, whole, with the reason.
SELECT key, reason, row_data FROM ssot.quarantine ORDER BY key COLLATE "C";

-- The latest of each duplicated CRM row is in force (29433: Thomas King of the 27th).
SELECT s.ssot_key, s.ssot_copy, (s.ssot_updated_at AT TIME ZONE 'UTC')::date AS updated_at, s.first_name, s.last_name, s.gender, s.marital_status
  FROM golden_ssot.customer_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source
 WHERE y.source = 'crm_cust_info'
   AND s.ssot_key IN (SELECT d.ssot_key FROM golden_ssot.customer_source AS d WHERE d.ssot_copy > 0)
 ORDER BY 1, 2;

-- Gender: the CRM first, the ERP as fallback. 9,341 male, 9,128 female, 15 unknown to both.
SELECT gender, count(*) FROM golden.customer GROUP BY 1 ORDER BY 1;
-- 57 mismatches; blank in the CRM and filled from the ERP 4,554 times, the other way 1,461 times.
SELECT system, kind, count(*) FROM ssot.drift('golden.customer', field => 'gender') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) AS decided_against_crm
  FROM golden.customer AS g
  JOIN golden_ssot.customer_source AS s USING (customer_id)
  JOIN ssot.source AS y ON y.source_id = s.ssot_source AND y.source = 'crm_cust_info'
 WHERE s.ssot_copy = 0 AND s.gender IS NOT NULL AND s.gender <> g.gender;
-- Nothing but what is in the code lists got through, and nothing was unknown to them.
SELECT count(*) AS unmapped FROM ssot.drift('golden.customer', kind => 'invalid') AS d WHERE d.field <> 'birth_date';

-- Countries: USA, US and United States are 7,482; DE and Germany 1,780; 337 are blank.
SELECT country, count(*) FROM golden.customer GROUP BY 1 ORDER BY 1;

-- 16 birth dates in the future: the rows are kept, the dates are findings.
SELECT count(*) AS without_birth_date FROM golden.customer WHERE birth_date IS NULL;
SELECT kind, count(*) FROM ssot.drift('golden.customer', field => 'birth_date') GROUP BY 1;

-- 397 versions of 295 products, 77 of which have several; none is a duplicate.
SELECT count(*) AS versions, count(DISTINCT product_id) AS products FROM golden.product_version;
SELECT count(*) AS with_several
  FROM (SELECT product_id FROM golden.product_version GROUP BY 1 HAVING count(*) > 1) AS t;
SELECT (SELECT count(*) FROM ssot.drift('golden.product', kind => 'duplicate')) AS product_duplicates,
       (SELECT count(*) FROM ssot.drift('golden.product_version', kind => 'duplicate')) AS version_duplicates;

-- 60,398 order lines, linked by the CRM's other key (cst_id) and the product number.
SELECT count(*) AS lines, count(customer_id) AS with_customer, count(product_id) AS with_product
  FROM golden.order_line;
SELECT count(*) AS right_customer
  FROM golden.order_line AS l
  JOIN golden.customer AS c USING (customer_id)
  JOIN golden_ssot.order_line_source AS s USING (order_line_id)
 WHERE s.ssot_refs ->> 'customer_id' = 'crm.id:' || c.crm_number;
-- 19 impossible dates: the lines stay, with 4,922 in amounts.
SELECT count(*) AS lines, sum(amount) AS amount FROM golden.order_line WHERE order_date IS NULL;
SELECT system_value, count(*) FROM ssot.drift('golden.order_line', field => 'order_date') GROUP BY 1 ORDER BY 1;
SELECT sum(amount) AS amount, count(*) FILTER (WHERE amount IS NULL) AS blank FROM golden.order_line;

-- 7 products name a category that does not exist.
SELECT record, system_value, kind FROM ssot.drift('golden.product') ORDER BY 1;

-- Marital status, only in the CRM: 10,011 married, 8,473 single.
SELECT marital_status, count(*) FROM golden.customer GROUP BY 1 ORDER BY 1;
-- 29 people had blanks around a name; none has now.
SELECT count(*) AS blanks_around
  FROM golden.customer
 WHERE first_name <> btrim(first_name) OR last_name <> btrim(last_name);
-- 27,659 orders with 60,423 pieces; 8 amounts and 7 prices are blank, 3 and 5 are below zero: kept as they are.
SELECT count(DISTINCT order_number) AS orders, sum(quantity) AS pieces,
       count(*) FILTER (WHERE amount IS NULL) AS amount_blank, count(*) FILTER (WHERE price IS NULL) AS price_blank,
       count(*) FILTER (WHERE amount < 0) AS amount_below, count(*) FILTER (WHERE price < 0) AS price_below
  FROM golden.order_line;

-- Row by row: what plain SQL makes of the landed files, by the rules in words,
-- is what the golden tables hold. No row on either side is without its equal.
CREATE VIEW plain_customer AS
SELECT c.cst_id::bigint AS crm_number, nullif(btrim(c.cst_firstname), '') AS first_name, nullif(btrim(c.cst_lastname), '') AS last_name,
       CASE WHEN btrim(c.cst_gndr) <> '' THEN CASE btrim(c.cst_gndr) WHEN 'M' THEN 'Male' WHEN 'F' THEN 'Female' END
            WHEN btrim(a.gen) IN ('M', 'Male') THEN 'Male'
            WHEN btrim(a.gen) IN ('F', 'Female') THEN 'Female' END AS gender,
       CASE btrim(c.cst_marital_status) WHEN 'M' THEN 'Married' WHEN 'S' THEN 'Single' END AS marital_status,
       CASE WHEN a.bdate < '2026-01-02' THEN a.bdate::date END AS birth_date,
       CASE WHEN btrim(l.cntry) IN ('US', 'USA', 'United States') THEN 'US' WHEN btrim(l.cntry) IN ('DE', 'Germany') THEN 'DE'
            WHEN l.cntry = 'Australia' THEN 'AU' WHEN l.cntry = 'United Kingdom' THEN 'GB'
            WHEN l.cntry = 'France' THEN 'FR' WHEN l.cntry = 'Canada' THEN 'CA' END AS country
  FROM (SELECT DISTINCT ON (i.cst_key) i.* FROM bronze.crm_cust_info AS i WHERE i.cst_id <> ''
         ORDER BY i.cst_key, i.cst_create_date DESC) AS c
  JOIN bronze.erp_cust_az12 AS a ON right(a.cid, 10) = c.cst_key
  JOIN bronze.erp_loc_a101 AS l ON 'AW' || split_part(l.cid, '-', 2) = c.cst_key;
CREATE VIEW plain_product AS
SELECT DISTINCT ON (v.prd_key) substr(v.prd_key, 7) AS number, v.prd_nm AS name, nullif(v.prd_cost, '')::numeric(12, 2) AS cost,
       CASE btrim(v.prd_line) WHEN 'R' THEN 'Road' WHEN 'M' THEN 'Mountain' WHEN 'T' THEN 'Touring' WHEN 'S' THEN 'Other sales' END AS line,
       g.id AS category
  FROM bronze.crm_prd_info AS v
  LEFT JOIN bronze.erp_px_cat_g1v2 AS g ON g.id = translate(left(v.prd_key, 5), '-', '_')
 ORDER BY v.prd_key, v.prd_start_dt DESC;
CREATE VIEW plain_line AS
SELECT s.sls_ord_num AS order_number, s.sls_cust_id::bigint AS customer, s.sls_prd_key AS product,
       CASE WHEN length(s.sls_order_dt) = 8 THEN to_date(s.sls_order_dt, 'YYYYMMDD') END AS order_date,
       to_date(s.sls_ship_dt, 'YYYYMMDD') AS ship_date, to_date(s.sls_due_dt, 'YYYYMMDD') AS due_date,
       nullif(s.sls_sales, '')::numeric(12, 2) AS amount, nullif(s.sls_quantity, '')::integer AS quantity,
       nullif(s.sls_price, '')::numeric(12, 2) AS price
  FROM bronze.crm_sales_details AS s;
CREATE VIEW golden_customer AS
SELECT crm_number, first_name, last_name, gender, marital_status, birth_date, country FROM golden.customer;
CREATE VIEW golden_product AS
SELECT p.number, p.name, p.cost, p.line, c.code AS category
  FROM golden.product AS p LEFT JOIN golden.category AS c USING (category_id);
CREATE VIEW golden_line AS
SELECT o.order_number, c.crm_number, p.number, o.order_date, o.ship_date, o.due_date, o.amount, o.quantity, o.price
  FROM golden.order_line AS o LEFT JOIN golden.customer AS c USING (customer_id) LEFT JOIN golden.product AS p USING (product_id);
SELECT (SELECT count(*) FROM plain_customer) AS customers, (SELECT count(*) FROM plain_product) AS products,
       (SELECT count(*) FROM plain_line) AS lines;
(TABLE plain_customer EXCEPT ALL TABLE golden_customer) UNION ALL (TABLE golden_customer EXCEPT ALL TABLE plain_customer);
(TABLE plain_product EXCEPT ALL TABLE golden_product) UNION ALL (TABLE golden_product EXCEPT ALL TABLE plain_product);
(TABLE plain_line EXCEPT ALL TABLE golden_line) UNION ALL (TABLE golden_line EXCEPT ALL TABLE plain_line);
SELECT count(*) AS versions,
       count(*) FILTER (WHERE p.number = substr(v.prd_key, 7) AND g.name = v.prd_nm AND g.started_on = v.prd_start_dt::date
                          AND g.cost IS NOT DISTINCT FROM nullif(v.prd_cost, '')::numeric) AS equal
  FROM bronze.crm_prd_info AS v
  JOIN golden_ssot.product_version_source AS s ON s.ssot_key = v.prd_key || '|' || v.prd_start_dt
  JOIN golden.product_version AS g USING (product_version_id)
  JOIN golden.product AS p ON p.product_id = g.product_id;
SELECT code, category, subcategory, CASE WHEN maintenance THEN 'Yes' ELSE 'No' END FROM golden.category
EXCEPT ALL SELECT id, cat, subcat, btrim(maintenance) FROM bronze.erp_px_cat_g1v2;
-- One category, CO_PD, is named by no product.
SELECT code, subcategory FROM golden.category AS c
 WHERE NOT EXISTS (SELECT FROM golden.product AS p WHERE p.category_id = c.category_id);
-- The impossible birth dates lie between 2038-10-17 and 9999-11-20.
SELECT count(*), min(system_value), max(system_value) FROM ssot.drift('golden.customer', field => 'birth_date');
-- Of six questions, three entities have all answered; a customer and a category belong to nothing.
SELECT entity, answered FROM ssot.entity_map ORDER BY 1;

-- The differences that are kept are those that a computation from scratch finds.
SELECT e.entity, (SELECT count(*) FROM ssot.verify_drift(e.entity::regclass)) AS wrong FROM ssot.entity AS e ORDER BY 1;

-- A second run writes nothing: no row version anywhere, no insert, update or
-- delete in the statistics, no timestamp. (Runs themselves are recorded, and the
-- run's lock leaves its mark in xmax of ssot.entity.)
CREATE FUNCTION versions() RETURNS TABLE (relation text, image text)
LANGUAGE sql AS $$
SELECT c.oid::regclass::text,
       (xpath('/row/image/text()', query_to_xml(format(
            'SELECT md5(string_agg(t.ctid::text || t.xmin::text, '','' ORDER BY t.ctid)) AS image FROM %s AS t',
            c.oid::regclass), false, true, '')))[1]::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname IN ('golden', 'golden_ssot', 'ssot')
   AND c.relname <> 'reconcile_run'
$$;
CREATE FUNCTION writes() RETURNS bigint
LANGUAGE sql AS $$
SELECT sum(pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))::bigint
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname IN ('golden', 'golden_ssot', 'ssot')
   AND c.relname <> 'reconcile_run'
$$;
CREATE TABLE before AS SELECT * FROM versions();
SELECT pg_stat_force_next_flush();
SELECT pg_stat_clear_snapshot();
SELECT writes() AS writes_before \gset
SELECT max(last_write) AS clock_before FROM ssot.clock \gset
CALL ssot.reconcile_all();
SELECT pg_stat_force_next_flush();
SELECT pg_stat_clear_snapshot();
SELECT count(*) > 50 AS tables_compared FROM before;
SELECT b.relation FROM before AS b JOIN versions() AS v USING (relation) WHERE b.image IS DISTINCT FROM v.image;
SELECT writes() - :writes_before AS writes, max(last_write) = :'clock_before' AS same_clock FROM ssot.clock;
SELECT entity, status FROM ssot.reconcile_run ORDER BY run_id DESC LIMIT 5;

-- A row leaves quarantine by itself when the source is mended.
UPDATE bronze.crm_cust_info SET cst_id = '90566' WHERE cst_key = 'SF566';
SELECT source, rows_new, quarantined, linked FROM ssot.reconcile('golden.customer') WHERE source = 'crm_cust_info';
SELECT count(*) AS golden FROM golden.customer;

-- A steward's correction holds, is explained, and does not change what was believed before.
SELECT ssot.stable_until('golden.customer') AS before \gset
BEGIN;
SET LOCAL ssot.reason = 'asked on the phone';
UPDATE golden.customer SET gender = 'Female' WHERE crm_number = 11022;
COMMIT;
SELECT source, rows_changed, drift_opened FROM ssot.reconcile('golden.customer') WHERE system IS NOT NULL;
SELECT b.gender AS before, n.gender AS now
  FROM golden.customer AS n JOIN golden.customer_at(:'before') AS b USING (customer_id)
 WHERE n.crm_number = 11022;
SELECT system, golden_value, system_value, kind, category
  FROM ssot.drift('golden.customer', field => 'gender') WHERE key = 'AW00011022';
SELECT count(*) AS wrong FROM ssot.verify_drift('golden.customer');

-- A list without any key: 2,800 entries are customers, with mistakes, 200 of them for
-- the second time, and 200 are strangers. Names, birth dates and countries find them.
SELECT count(*) AS golden FROM golden.customer \gset before_
\set ECHO none
\o /dev/null
\i :marketing
\o
\set ECHO all
SELECT source, rows_read, rows_new, quarantined FROM ssot.reconcile('golden.customer') WHERE source = 'marketing_list';
CREATE VIEW member AS
SELECT y.source, s.ssot_key AS key, s.customer_id
  FROM golden_ssot.customer_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source
 WHERE s.ssot_copy = 0;
CREATE VIEW entry AS
SELECT t.entry, m.customer_id AS linked_to, c.customer_id AS is_really
  FROM bronze.marketing_truth AS t
  JOIN member AS m ON m.source = 'marketing_list' AND m.key = t.entry
  LEFT JOIN member AS c ON c.source = 'crm_cust_info' AND c.key = t.cst_key;
SELECT count(*) AS entries, count(is_really) AS of_customers, count(DISTINCT is_really) AS customers,
       count(*) FILTER (WHERE linked_to = is_really) / count(linked_to)::numeric > 0.999 AS precise,
       count(DISTINCT is_really) FILTER (WHERE linked_to = is_really) / count(DISTINCT is_really)::numeric > 0.95 AS complete,
       count(*) FILTER (WHERE is_really IS NULL AND linked_to IS NOT NULL) <= 1 AS strangers_stay_outside
  FROM entry;
CREATE VIEW label AS
SELECT 'crm:' || cst_key AS record_a, 'marketing:' || entry AS record_b FROM bronze.marketing_truth WHERE cst_key <> '';
SELECT unit, true_positives + false_negatives AS matches, recall_share > 0.88 AS complete, false_positives AS wrong
  FROM ssot.match_quality('golden.customer', 'label') WHERE unit = 'pair';
-- The list makes nobody a customer, and two customers of the CRM stay two however alike.
SELECT count(*) - :before_golden AS more_golden, count(*) FILTER (WHERE m.crm <> 1) AS not_of_one_crm_record
  FROM golden.customer AS g
  LEFT JOIN (SELECT customer_id, count(*) FILTER (WHERE source = 'crm_cust_info') AS crm FROM member GROUP BY 1) AS m USING (customer_id);
-- Who signed up twice waits with the second entry; so do pairs that are not probable enough.
SELECT reason, count(*) > 50 AS wait FROM ssot.match_review WHERE entity = 'golden.customer' GROUP BY 1 ORDER BY 1;
-- An entry that is corrected finds its customer, and one that is not like him any more leaves him.
SELECT entry FROM entry WHERE linked_to IS NULL AND is_really IS NULL ORDER BY entry::int LIMIT 1 \gset stranger_
SELECT entry, is_really AS id FROM entry WHERE linked_to = is_really ORDER BY entry::int LIMIT 1 \gset friend_
UPDATE bronze.marketing_list AS l SET first_name = f.first_name, last_name = f.last_name, born = f.born, country = f.country
  FROM bronze.marketing_list AS f WHERE l.entry = :'stranger_entry' AND f.entry = :'friend_entry';
UPDATE bronze.marketing_list SET first_name = 'Zoltan', last_name = 'Kovacs', born = '1933-12-30' WHERE entry = :'friend_entry';
SELECT source, rows_changed FROM ssot.reconcile('golden.customer') WHERE source = 'marketing_list';
SELECT entry = :'stranger_entry' AS the_other, linked_to = :friend_id AS linked FROM entry
 WHERE entry IN (:'stranger_entry', :'friend_entry') ORDER BY 1;
SELECT count(*) AS wrong FROM ssot.verify_drift('golden.customer');
\c :home
DROP DATABASE regress_crm_erp;
