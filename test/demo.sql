-- demo.sql: the story that `make demo` tells. Needs a database with ssot in it.
-- It prints no time and no generated id that could differ from run to run, so
-- that sql/demo.sql can test every number in it.
--
-- Variable data: the folder with the sample (default: test/data/crm_erp, seen
-- from the folder of the checkout).

\set QUIET on
\pset pager off
\pset footer off
\if :{?data}
\else
\set data test/data/crm_erp
\endif
\set load :data '/load.sql'
\set declare :data '/declare.sql'
\set marketing :data '/marketing.sql'
SET client_min_messages = warning;

\echo 'TWO SYSTEMS, ONE TRUTH'
\echo '======================'
\echo 'A CRM and an ERP know the same customers under three key formats. Their exports'
\echo 'are landed as they are: every column is text, nothing is cleaned.'
\echo

\i :load

SELECT t.system, t.file, to_char(t.rows, 'FM999,999') AS rows, t.example AS "a key in it"
  FROM (VALUES ('crm', 'cust_info', (SELECT count(*) FROM bronze.crm_cust_info), 'AW00011000'),
               ('crm', 'prd_info', (SELECT count(*) FROM bronze.crm_prd_info), 'CO-RF-FR-R92B-58'),
               ('crm', 'sales_details', (SELECT count(*) FROM bronze.crm_sales_details), 'SO43697, BK-R93R-62'),
               ('erp', 'CUST_AZ12', (SELECT count(*) FROM bronze.erp_cust_az12), 'NASAW00011000'),
               ('erp', 'LOC_A101', (SELECT count(*) FROM bronze.erp_loc_a101), 'AW-00011000'),
               ('erp', 'PX_CAT_G1V2', (SELECT count(*) FROM bronze.erp_px_cat_g1v2), 'AC_BR'))
       AS t (system, file, rows, example)
 ORDER BY 1, 2;

\echo 'Five canonical tables are made with ordinary DDL, and each file is mapped onto one'
\echo '(test/data/crm_erp/declare.sql). Then:   CALL ssot.reconcile_all();'
\echo

\o /dev/null
\i :declare
CALL ssot.reconcile_all();
\o

SELECT r.entity, f ->> 'source' AS source, (f ->> 'rows_read')::bigint AS read,
       (f ->> 'rows_new')::bigint AS records, (f ->> 'quarantined')::bigint AS quarantined,
       (f ->> 'linked')::bigint AS linked, (f ->> 'drift_opened')::bigint AS differences
  FROM ssot.reconcile_run AS r CROSS JOIN jsonb_array_elements(r.figures) AS f
 WHERE f ? 'rows_read'
 ORDER BY r.entity, 2;

\echo 'WHAT COULD NOT BE TAKEN, AND WHY'
\echo 'Four rows of the CRM have no customer number. They are kept whole, in quarantine, and'
\echo 'leave it by themselves once the CRM''s export has a number for them:'
\echo

SELECT q.source, q.key, q.reason FROM ssot.quarantine AS q ORDER BY q.key COLLATE "C";

\echo 'Five customers stand several times in the CRM. The latest row is in force, the'
\echo 'older ones are kept as superseded:'
\echo

SELECT 'crm:' || s.ssot_key AS record, count(*) AS rows, to_char(max(s.ssot_updated_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "latest, in force"
  FROM golden_ssot.customer_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source
 WHERE y.source = 'crm_cust_info'
 GROUP BY s.ssot_key HAVING count(*) > 1
 ORDER BY 1;

\echo 'THE GOLDEN RECORDS'
\echo 'One row per person; the three key formats met in it:'
\echo

SELECT (SELECT count(*) FROM golden.customer) AS "golden customers",
       count(*) FILTER (WHERE n = 3) AS "known to all three files",
       (SELECT count(*) FROM golden.customer WHERE gender IS NOT NULL) AS "with gender",
       (SELECT count(*) FROM golden.customer WHERE country IS NOT NULL) AS "with country"
  FROM (SELECT customer_id, count(DISTINCT ssot_source) AS n FROM golden_ssot.customer_source
         WHERE ssot_copy = 0 GROUP BY customer_id) AS t;

SELECT coalesce(c.country, '') AS country, count(*) AS customers,
       coalesce(string_agg(DISTINCT nullif(btrim(l.cntry), ''), ', '), '(the ERP says nothing)') AS "as the ERP writes it"
  FROM golden.customer AS c
  JOIN golden_ssot.customer_source AS s USING (customer_id)
  JOIN ssot.source AS y ON y.source_id = s.ssot_source AND y.source = 'erp_loc_a101'
  JOIN bronze.erp_loc_a101 AS l ON replace(l.cid, '-', '') = s.ssot_key
 GROUP BY c.country ORDER BY 2 DESC;

SELECT count(*) AS "order lines", count(customer_id) AS "with customer", count(product_id) AS "with product",
       count(*) FILTER (WHERE order_date IS NULL) AS "impossible date",
       sum(amount) FILTER (WHERE order_date IS NULL) AS "their amounts, kept",
       sum(amount) AS "all amounts"
  FROM golden.order_line;

SELECT (SELECT count(*) FROM golden.product) AS products,
       (SELECT count(*) FROM golden.product_version) AS "product versions",
       (SELECT count(*) FROM (SELECT product_id FROM golden.product_version
                               GROUP BY product_id HAVING count(*) > 1) AS t) AS "products with several",
       (SELECT count(*) FROM ssot.drift('golden.product', kind => 'duplicate')) AS "of them duplicates";

\echo 'WHO DISAGREES, WHERE'
\echo 'Each line is a list of records for the owner of that system to mend. Meanwhile the'
\echo 'golden record has the other system''s value, or none where nobody has a possible one:'
\echo

SELECT e.entity, d.system, coalesce(nullif(d.field, ''), '(record)') AS field, d.kind, d.differences,
       CASE d.kind WHEN 'mismatch' THEN 'says something else'
                   WHEN 'empty' THEN 'says nothing; another system does'
                   WHEN 'invalid' THEN 'says what cannot be'
                   WHEN 'orphan' THEN 'names one that does not exist'
                   WHEN 'duplicate' THEN 'has it more than once' END AS "what the system does"
  FROM ssot.entity AS e CROSS JOIN LATERAL ssot.drift_summary(e.entity::regclass) AS d
 ORDER BY e.entity, d.system, d.field, d.kind;

\echo 'The impossible dates, as the systems have them:'
\echo

SELECT 'birth date' AS date, count(*) AS records, min(d.system_value) || ' to ' || max(d.system_value) AS "as the system has it"
  FROM ssot.drift('golden.customer', field => 'birth_date') AS d
 UNION ALL
SELECT 'order date', count(*), string_agg(DISTINCT d.system_value, ', ')
  FROM ssot.drift('golden.order_line', field => 'order_date') AS d;

\echo 'Seven products name a category that the ERP does not have. It has one that no product'
\echo 'names; whether that one is meant is for people to say:'
\echo

SELECT d.system_value AS "named, not there", count(*) AS products,
       string_agg(p.number, ' ' ORDER BY p.number) AS numbers,
       (SELECT string_agg('erp:' || c.code || ' ' || c.subcategory, ', ') FROM golden.category AS c
         WHERE NOT EXISTS (SELECT FROM golden.product AS o WHERE o.category_id = c.category_id)) AS "there, not named"
  FROM ssot.drift('golden.product', kind => 'orphan') AS d
  JOIN golden.product AS p ON p.product_id::text = d.id
 GROUP BY d.system_value;

\echo 'WHY ETHAN ZHANG IS MALE: both systems speak; the CRM is believed first'
\echo

SELECT c.customer_id AS ethan FROM golden.customer AS c WHERE c.crm_number = 11022 \gset
SELECT l.system || ':' || l.key AS record, l.candidate_value AS says, l.rule, l.reason
  FROM ssot.lineage('golden.customer', :'ethan') AS l WHERE l.field = 'gender' ORDER BY l.rank;

\echo 'A STEWARD CORRECTS IT'
\echo 'BEGIN; SET LOCAL ssot.reason = ''asked on the phone'';'
\echo 'UPDATE golden.customer SET gender = ''Female'' WHERE crm_number = 11022; COMMIT;'
\echo 'The next run does not undo it, and the table as of before still says what it said:'
\echo

SELECT ssot.stable_until('golden.customer') AS before \gset
BEGIN;
SET LOCAL ssot.reason = 'asked on the phone';
UPDATE golden.customer SET gender = 'Female' WHERE crm_number = 11022;
COMMIT;
CALL ssot.reconcile_all();

SELECT now.first_name, now.last_name, before.gender AS "as of before", now.gender AS "now",
       pin.reason AS "why", (SELECT string_agg(d.record || ' says ' || d.system_value, ', ')
                               FROM ssot.drift('golden.customer', field => 'gender') AS d
                              WHERE d.id = :'ethan') AS "who disagrees now"
  FROM golden.customer AS now
  JOIN golden.customer_at(:'before') AS before USING (customer_id)
  LEFT JOIN ssot.pins AS pin ON pin.entity = 'golden.customer' AND pin.id = now.customer_id::text
 WHERE now.crm_number = 11022;

\echo 'AND AGAIN: the same files, another run. It finds nothing to do and only notes that it ran:'
\echo

CALL ssot.reconcile_all();
SELECT r.entity, r.status, (SELECT sum((f ->> 'rows_read')::bigint) FROM jsonb_array_elements(r.figures) AS f) AS "rows read",
       (SELECT count(*) FROM ssot.verify_drift(r.entity::regclass)) AS "kept differences that are wrong"
  FROM ssot.reconcile_run AS r
 WHERE r.run_id IN (SELECT max(l.run_id) FROM ssot.reconcile_run AS l GROUP BY l.entity)
 ORDER BY r.entity;

\echo 'THE ENTITY MAP: what it is, who is believed, how it gets here, where it belongs, what a'
\echo 'good one is, when it was reconciled. (Customers and categories belong to nothing here.)'
\echo

SELECT m.entity, m.canonical_system AS "believed first", m.definition,
       (SELECT string_agg(b.value, ', ' ORDER BY b.value) FROM jsonb_each_text(m.hierarchy -> 'belongs_to') AS b) AS "belongs to",
       m.answered || ' of 6' AS answered
  FROM ssot.entity_map AS m ORDER BY m.entity;

\echo 'A LIST WITHOUT A KEY'
\echo 'Marketing has 3,000 entries as people typed them: slips, short names, swapped dates, and'
\echo '200 strangers. No key leads to a customer; name, birth date and country do. 200 people are'
\echo 'on it twice; as no two records of one system are joined, their second entry waits:'
\echo

\o /dev/null
\i :marketing
SELECT ssot.reconcile('golden.customer');
\o
CREATE TEMPORARY VIEW entry AS
SELECT t.entry, m.customer_id AS linked, c.customer_id AS really
  FROM bronze.marketing_truth AS t
  JOIN golden_ssot.customer_source AS m ON m.ssot_key = t.entry
  JOIN ssot.source AS s ON s.source_id = m.ssot_source AND s.source = 'marketing_list'
  LEFT JOIN (golden_ssot.customer_source AS c JOIN ssot.source AS y ON y.source_id = c.ssot_source AND y.source = 'crm_cust_info')
    ON c.ssot_key = t.cst_key AND c.ssot_copy = 0;
SELECT count(*) AS entries, count(really) AS "of customers", count(*) FILTER (WHERE linked = really) AS "linked",
       count(*) FILTER (WHERE linked <> really) AS "with another", count(*) FILTER (WHERE really IS NULL AND linked IS NOT NULL) AS "strangers taken in",
       count(DISTINCT really) AS "these are", count(DISTINCT really) FILTER (WHERE linked = really) AS "of them found",
       (SELECT count(*) FROM ssot.match_review) AS "pairs left to people"
  FROM entry;
\echo 'One of the pairs left to people. Any two records are hardly ever one person (prior); each thing'
\echo 'compared adds its weight. In the end it is too little to join them, and too much to forget:'
\echo

SELECT e.comparison, e.value_a AS "the CRM and the ERP", e.value_b AS "the list", e.level, round(e.weight::numeric, 1) AS weight,
       round(e.probability::numeric, 4) AS probability
  FROM ssot.explain_match('golden.customer', 'crm:AW00016109', 'marketing:1') AS e ORDER BY e.step;

\echo 'THREE PIPELINES'
\echo 'The files hold no deals, so ten are made up. Sales says 1,000,000; marketing says 15 % less,'
\echo 'finance 30 % less. Each reads its own system; finance leaves renewals out. Why they differ, to'
\echo 'the cent: what is counted (definition), until when (timing), what the records say (quality).'
\echo

\o /dev/null
SET timezone = 'UTC';
CREATE SCHEMA sales;
CREATE TABLE sales.deal (
    deal_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    stage text, qualified boolean, renewal boolean, amount numeric(12,2));
CREATE TABLE bronze.crm_deal AS
SELECT 'D' || n AS id, 'open' AS stage, true AS qualified, n = 9 AS renewal,
       CASE n WHEN 6 THEN 160000 WHEN 7 THEN 40000 ELSE 100000 END AS amount, timestamptz '2026-10-31 12:00+00' AS modified
  FROM generate_series(1, 9) AS n;
CREATE TABLE bronze.erp_deal AS
SELECT 'E' || n AS no, id AS crm_deal, CASE n WHEN 7 THEN 'lost' ELSE stage END AS status, qualified, renewal,
       CASE n WHEN 8 THEN 40000 ELSE amount END AS amount, modified
  FROM bronze.crm_deal, LATERAL (SELECT substr(id, 2)::integer AS n) AS s;
CREATE TABLE bronze.marketing_deal AS
SELECT 'M' || n AS id, id AS crm_deal, stage, CASE n WHEN 8 THEN 50000 ELSE amount END AS amount, modified
  FROM bronze.crm_deal, LATERAL (SELECT substr(id, 2)::integer AS n) AS s;
SELECT ssot.register_entity('sales.deal', canonical_system => 'crm', owner => 'revops');
SELECT ssot.create_source('sales.deal', 'crm', 'bronze.crm_deal', key => 'id', updated_at => 'modified',
    fields => '{"stage": "stage", "qualified": "qualified", "renewal": "renewal", "amount": "amount"}');
SELECT ssot.create_source('sales.deal', 'erp', 'bronze.erp_deal', key => 'no', updated_at => 'modified', links => '{"crm": "crm_deal"}',
    fields => '{"stage": "status", "qualified": "qualified", "renewal": "renewal", "amount": "amount"}');
SELECT ssot.create_source('sales.deal', 'marketing', 'bronze.marketing_deal', key => 'id', updated_at => 'modified',
    links => '{"crm": "crm_deal"}', fields => '{"stage": "stage", "amount": "amount"}');
SELECT ssot.reconcile('sales.deal');
INSERT INTO bronze.crm_deal VALUES ('D10', 'open', true, false, 100000, '2026-11-03 12:00+00');
SELECT ssot.reconcile('sales.deal');
SELECT ssot.create_metric('pipeline', from_entity => 'sales.deal', measure => 'sum(amount)', unit => 'USD',
    owner => 'revops', filter => $$qualified AND stage NOT IN ('won', 'lost')$$,
    description => 'Open, qualified contract value of the first year; renewals and reopened deals, too');
SELECT ssot.create_metric('pipeline', variant => 'finance', from_entity => 'sales.deal', measure => 'sum(amount)', unit => 'USD',
    owner => 'finance', filter => $$qualified AND stage NOT IN ('won', 'lost') AND NOT renewal$$, description => 'The same without renewals');
\o

SELECT x.who, to_char(m.value, 'FM9,999,999') || ' ' || m.unit AS pipeline,
       to_char(m.value / 10000 - 100, 'FM990') || ' %' AS "to sales", to_char(m.as_of, 'Mon DD') AS "data through",
       array_to_string(m.borrowed, ', ') AS "taken from golden records"
  FROM (VALUES ('sales', 'crm', NULL), ('marketing', 'marketing', NULL), ('finance', 'erp', 'finance')) AS x (who, system, variant),
       ssot.metric('pipeline', system => x.system, variant => x.variant) AS m
 ORDER BY m.value DESC;
SELECT x.who, e.axis, to_char(e.contribution, 'FM9,999,999') AS usd, regexp_replace(e.sentence, '^[^:]*: ', '') AS why
  FROM (VALUES ('marketing', 'marketing', NULL), ('finance', 'erp', 'finance')) AS x (who, system, variant),
       ssot.explain_difference('pipeline', 'crm', x.system, right_variant => x.variant) AS e
 ORDER BY x.who DESC, e.contribution;

\echo 'WHAT A WORD MEANS'
\echo 'The dictionary has every word once: its variants (the one that is meant where none is named'
\echo 'stands first), whose it is, who must sign it. Ann of sales and Bob of finance sign "customer":'
\echo

\o /dev/null
CREATE ROLE sales;
CREATE ROLE finance;
CREATE ROLE ann LOGIN IN ROLE sales;
CREATE ROLE bob LOGIN IN ROLE finance;
GRANT EXECUTE ON FUNCTION ssot.sign TO sales, finance;
SELECT ssot.create_definition('customer', variant => 'account', owner => 'sales', signers => '{sales,finance}',
    description => 'Who has an account in the CRM and has placed an order'),
       ssot.create_definition('customer', variant => 'billing entity', owner => 'finance', description => 'Whom an invoice is made out to'),
       ssot.create_definition('customer', variant => 'parent', owner => 'finance', description => 'A group of companies, counted once');
SELECT ssot.create_metric('revenue', variant => 'booked', from_entity => 'golden.order_line', measure => 'sum(amount)', unit => 'USD',
    date => 'order_date', dimensions => '["year"]', owner => 'sales', description => 'What was ordered, by the day of the order'),
       ssot.create_metric('revenue', variant => 'recognized', from_entity => 'golden.order_line', measure => 'sum(amount)', unit => 'USD',
    date => 'ship_date', dimensions => '["year"]', owner => 'finance', description => 'What was shipped, by the day of shipping'),
       ssot.create_definition('billed', owner => 'finance', description => 'Invoiced revenue, by the day of the invoice; no file has invoices'),
       ssot.create_definition('collected', owner => 'finance', description => 'Paid revenue, by the day of payment; no file has payments');
SET SESSION AUTHORIZATION ann;
SELECT ssot.sign('customer', 1);
SET SESSION AUTHORIZATION bob;
SELECT ssot.sign('customer', 1);
RESET SESSION AUTHORIZATION;
\o

SELECT concat_ws(':', d.definition, nullif(d.variant, '')) AS word, d.description AS means, d.owner,
       coalesce((SELECT string_agg(s.signer, ', ' ORDER BY s.signed_at) FROM ssot.signature AS s
                  WHERE (s.definition, s.variant, s.version) = (d.definition, d.variant, d.version)), '') AS "signed by"
  FROM ssot.dictionary AS d WHERE d.in_force ORDER BY d.definition, NOT d.canonical, d.variant;

\echo 'Two variants of revenue over the same orders, by year; 19 orders have no possible date:'
\echo

SELECT coalesce(extract(year FROM year)::text, 'no date') AS year, to_char(b.value, 'FM99,999,999') AS booked,
       to_char(r.value, 'FM99,999,999') AS recognized, to_char(coalesce(r.value, 0) - coalesce(b.value, 0), 'FM99,999,999') AS difference
  FROM metrics.revenue_by_year AS b FULL JOIN metrics."revenue:recognized_by_year" AS r USING (year) ORDER BY year;

\echo 'Sales gives way: pipeline counts no renewals any more. What a new version says otherwise, and'
\echo 'what is then left between sales and finance:'
\echo

\o /dev/null
SELECT ssot.create_metric('pipeline', from_entity => 'sales.deal', measure => 'sum(amount)', unit => 'USD',
    owner => 'revops', filter => $$qualified AND stage NOT IN ('won', 'lost') AND NOT renewal$$,
    description => 'Open, qualified contract value of the first year; reopened deals, too');
\o
SELECT d.part, d.before, d.after FROM ssot.diff_definition('pipeline', 1, 2) AS d;
SELECT e.axis, to_char(sum(e.contribution), 'FM9,999,999') AS usd
  FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance') AS e GROUP BY 1 ORDER BY 1 DESC;

\echo 'Where was that again?   SELECT ... FROM ssot.search_dictionary(''reopened'');'
\echo

SELECT s.definition, s.version, s.state, s.owner FROM ssot.search_dictionary('reopened') AS s;
RESET timezone;
