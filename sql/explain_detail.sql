--
-- The entities behind each cause, and pairs made by a key: on the generated company,
-- and on invoices small enough to be seen whole.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv source PG_ABS_SRCDIR
\set company :source '/test/data/company'
\set generate :company '/generate.sql'
\set declare :company '/declare.sql'
\set load :company '/load.sql'
\set remove :company '/remove.sql'
\set seed 3
\set deals 120
\set ECHO none
\o /dev/null
\i :generate
\i :declare
\i :load
\o
\set ECHO all
SELECT ssot.create_metric('any deal', variant => 'qualified', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD', filter => 'qualified');
CREATE TABLE company.asked AS
SELECT DISTINCT metric, l, r, r_variant FROM company.planted
UNION ALL VALUES ('any deal', 'golden', 'mkt', NULL), ('any deal', 'mkt', 'mkt', 'qualified'), ('pipeline', 'golden', 'erp', 'finance');

-- Under each cause its entities: in a bridge as many as it says, and by both methods
-- exactly its contribution, the largest first
CREATE TABLE company.cause AS
SELECT a.metric, a.l, a.r, a.r_variant, m.method, e.*
FROM company.asked AS a, (VALUES ('bridge'), ('shapley')) AS m (method), ssot.explain_difference(a.metric, a.l, a.r, m.method, right_variant => a.r_variant) AS e;
CREATE TABLE company.entity AS
SELECT a.metric, a.l, a.r, a.r_variant, m.method, e.*
FROM company.asked AS a, (VALUES ('bridge'), ('shapley')) AS m (method),
     ssot.explain_difference(a.metric, a.l, a.r, m.method, right_variant => a.r_variant, detail => true) WITH ORDINALITY AS e;
SELECT c.method, count(*) AS causes, count(*) FILTER (WHERE e.contribution = c.contribution) AS exact,
       count(*) FILTER (WHERE e.entities = c.entities) AS counted, sum(e.n) AS rows, count(*) FILTER (WHERE e.in_order) AS in_order
FROM company.cause AS c
FULL JOIN (SELECT metric, l, r, r_variant, method, axis, cause, sum(contribution) AS contribution, sum(entities) AS entities, count(*) AS n,
                  array_agg(abs(contribution) ORDER BY ordinality) = array_agg(abs(contribution) ORDER BY abs(contribution) DESC) AS in_order
             FROM company.entity GROUP BY 1, 2, 3, 4, 5, 6, 7) AS e
       ON (e.metric, e.l, e.r, e.method, e.axis, e.cause) = (c.metric, c.l, c.r, c.method, c.axis, c.cause) AND e.r_variant IS NOT DISTINCT FROM c.r_variant
GROUP BY c.method ORDER BY c.method;
-- Swapped, every row of Shapley is negated, and left is right
CREATE TABLE company.swapped AS
SELECT a.metric, a.l, a.r, a.r_variant, e.*
FROM company.asked AS a, ssot.explain_difference(a.metric, a.r, a.l, 'shapley', left_variant => a.r_variant, detail => true) AS e;
SELECT count(*) AS entities, count(*) FILTER (WHERE b.contribution = -a.contribution AND b.minimum = -a.maximum
       AND b.left_counts IS NOT DISTINCT FROM a.right_counts AND b.right_value IS NOT DISTINCT FROM a.left_value) AS negated
FROM (SELECT * FROM company.entity WHERE method = 'shapley') AS a
FULL JOIN company.swapped AS b
       ON (a.metric, a.l, a.r, coalesce(a.r_variant, ''), a.axis, a.cause, coalesce(a.id, ''), coalesce(a.left_records, '{}'), coalesce(a.right_records, '{}')) =
          (b.metric, b.l, b.r, coalesce(b.r_variant, ''), b.axis, b.cause, coalesce(b.id, ''), coalesce(b.right_records, '{}'), coalesce(b.left_records, '{}'));

-- They are those that were planted, each with what it is worth
SELECT x.cause, count(*) AS planted, count(*) FILTER (WHERE e.contribution = x.worth AND e.left_counts IS NOT DISTINCT FROM x.l AND e.right_counts IS NOT DISTINCT FROM x.r
       AND e.left_records IS NOT DISTINCT FROM x.left_records AND e.right_records IS NOT DISTINCT FROM x.right_records) AS found
FROM (SELECT k.cause, k.l, k.r, coalesce(k.r, 0) - coalesce(k.l, 0) AS worth, k.left_records, k.right_records
        FROM company.deal AS d,
             LATERAL (VALUES (1, 'amount changed', amount, amount - change, ARRAY['crm:C' || n], ARRAY['erp:E' || n]),
                             (2, 'stage changed', amount, 0, ARRAY['crm:C' || n], ARRAY['erp:E' || n]),
                             (3, CASE n WHEN 3 THEN 'undecided match' ELSE 'only in crm' END, amount, NULL, ARRAY['crm:C' || n], NULL),
                             (4, CASE n WHEN 4 THEN 'undecided match' ELSE 'only in erp' END, NULL, amount, NULL, ARRAY['erp:E' || n]),
                             (5, 'duplicates in erp', NULL, change, NULL, ARRAY['erp:E' || n || 'b']),
                             (6, 'quarantined in crm', amount, NULL, ARRAY['crm:C' || n], NULL),
                             (7, 'definition', amount, 0, ARRAY['crm:C' || n], NULL),
                             (8, 'timing', amount + change, amount, ARRAY['crm:C' || n], NULL),
                             (9, 'timing', amount, 0, ARRAY['crm:C' || n], NULL),
                             (10, 'duplicates in crm', change, NULL, ARRAY['crm:C' || n || 'b'], NULL)) AS k (kind, cause, l, r, left_records, right_records)
       WHERE k.kind = d.kind) AS x
FULL JOIN (SELECT * FROM company.entity WHERE (metric, l, r, method) = ('pipeline', 'crm', 'erp', 'bridge')) AS e
       ON e.cause = x.cause AND e.left_records IS NOT DISTINCT FROM x.left_records AND e.right_records IS NOT DISTINCT FROM x.right_records
GROUP BY 1 ORDER BY 1;
SELECT cause, (SELECT count(*) FROM golden.deal AS g WHERE g.deal_id::text = e.id) AS golden, left_value, right_value, sentence
FROM (SELECT e.*, row_number() OVER (PARTITION BY axis, cause ORDER BY ordinality) AS place FROM company.entity AS e
       WHERE (metric, l, r, method) = ('pipeline', 'crm', 'erp', 'bridge')) AS e WHERE place = 1 OR cause = 'undecided match' ORDER BY ordinality;
-- What November did is half timing, half quality
SELECT cause, left_records, right_records, contribution = -change / 2 AS half, minimum, maximum
FROM company.entity AS e, company.deal AS d
WHERE (metric, l, r, method) = ('pipeline', 'crm', 'erp', 'shapley') AND d.n = 8 AND left_records = '{crm:C8}' ORDER BY 1;
-- Families, by number the ERP's and field service's; who lacks a site
SELECT r, cause, e.left_records, e.right_records, left_counts, right_counts, contribution FROM company.entity AS e
WHERE (metric, l, method) = ('people', 'crm', 'bridge') AND (r = 'erp' OR contribution <> 0) ORDER BY r, ordinality;
SELECT e.cause, e.left_records, e.right_records, left_counts, right_counts, contribution, sentence FROM company.entity AS e
WHERE (metric, l, r, method) = ('accounts', 'crm', 'fld', 'bridge') AND left_records && '{crm:A5,crm:A11}' ORDER BY ordinality;
-- Leads that one definition can ask and another cannot; marketing's own number
SELECT axis, cause, right_records, left_records, left_counts, right_counts, contribution FROM company.entity
WHERE (metric, l, r, method) = ('any deal', 'mkt', 'mkt', 'bridge') ORDER BY ordinality;
SELECT axis, cause, right_records, right_counts, contribution, sentence FROM company.entity
WHERE (metric, r, method) = ('any deal', 'mkt', 'bridge') AND l = 'golden' AND cause LIKE 'unlinked%' ORDER BY ordinality LIMIT 1;

-- A metric that is no sum
SELECT ssot.create_metric('mean', kind => 'ratio', numerator => 'any deal', denominator => 'pipeline', unit => 'x');
SELECT * FROM ssot.explain_difference('average deal', 'crm', 'erp', detail => true); -- ERROR
SELECT * FROM ssot.explain_difference('mean', 'crm', 'erp', detail => true); -- ERROR
SELECT * FROM ssot.explain_difference('average deal', 'crm', 'erp', pair_by => 'stage'); -- ERROR
-- Paired by name, a parent is nobody's family
SELECT axis, cause, contribution, entities, sentence FROM ssot.explain_difference('people', 'crm', 'erp', pair_by => 'name');

\set ECHO none
\o /dev/null
\i :remove
\o
\set ECHO all

-- Invoices. The shop does not say which of the bank's payments is which invoice; both
-- write a number and a line.
CREATE SCHEMA ed;
CREATE TABLE ed.shop (id text, no text, line integer, paid boolean, amount numeric(8,2), at timestamptz, currency text DEFAULT 'EUR');
CREATE TABLE ed.bank (id text, ref text, line integer, paid boolean, amount numeric(8,2), at timestamptz, currency text DEFAULT 'EUR');
CREATE TABLE ed.invoice (invoice_id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, no text, line integer, paid boolean, amount numeric(8,2), currency text);
INSERT INTO ed.shop VALUES ('s1', 'A', 1, true, 100, '2026-11-02'), ('s2', 'A', 2, true, 50, '2026-11-02'), ('s3', 'B', 1, true, 30, '2026-11-02'),
    ('s4', 'B', 1, true, 3, '2026-11-01'), ('s5', NULL, 1, true, 7, '2026-11-02'), ('s6', 'C', 1, true, 20, '2026-11-02');
INSERT INTO ed.bank VALUES ('b1', 'a', 1, true, 100, '2026-11-01'), ('b2', 'a', 2, true, 45, '2026-11-01'), ('b3', 'b', 1, false, 30, '2026-11-01'),
    ('b5', NULL, 9, true, 1, '2026-11-01'), ('b7', 'd', 1, true, 11, '2026-11-01');
SELECT ssot.create_system('ed_shop', owner => 'o'), ssot.create_system('ed_bank', owner => 'o');
SELECT ssot.register_entity('ed.invoice', canonical_system => 'ed_shop', owner => 'o');
SELECT ssot.create_source('ed.invoice', 'ed_shop', 'ed.shop', key => 'id', updated_at => 'at',
    fields => '{"no": "no", "line": "line", "paid": "paid", "amount": "amount", "currency": "currency"}') > 0 AS created;
SELECT ssot.create_source('ed.invoice', 'ed_bank', 'ed.bank', key => 'id', updated_at => 'at', creates => false,
    fields => '{"no": "upper(ref)", "line": "line", "paid": "paid", "amount": "amount", "currency": "currency"}') > 0 AS created;
SELECT count(*) FROM ssot.reconcile('ed.invoice');
SELECT ssot.create_metric('ed paid', from_entity => 'ed.invoice', measure => 'sum(amount)', filter => 'paid', unit => 'EUR');

-- What the shop held at the bank's time is before its history: timing and quality are
-- one, entity by entity. Quality first needs the bank's records at the shop's time,
-- which are known.
SELECT axis, contribution, entities, sentence FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank');
SELECT id, left_records, right_records, left_counts, right_counts, contribution, sentence FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', detail => true);
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', in_order => '{definition,quality,hierarchy,timing}');
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('ed paid', 'ed_bank', 'ed_shop', in_order => '{timing,hierarchy,quality,definition}');
-- From here on both are complete through one time
UPDATE ed.bank SET at = '2026-11-02';
SELECT count(*) FROM ssot.reconcile('ed.invoice');
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank');
SELECT axis, cause, contribution, entities, sentence FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '{no,line}');
SELECT axis, cause, id, pair_key, left_records, right_records, left_counts AS l, right_counts AS r, left_value, right_value, contribution, sentence
FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '{no,line}', detail => true);
-- One expression, and its own type's equality
SELECT cause, contribution, entities FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => $$no || '/' || line$$);
SELECT cause, contribution, entities FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => 'line');
-- Golden records have several of one key too
SELECT cause, contribution, entities FROM ssot.explain_difference('ed paid', 'golden', 'ed_bank', pair_by => '{no,line}');
SELECT id, pair_key, left_records, left_counts, contribution FROM ssot.explain_difference('ed paid', 'golden', 'ed_bank', pair_by => '{no,line}', detail => true) WHERE cause LIKE 'dup%';
-- Also where timing and quality are one
SELECT x.axis, x.cause, x.pair_key, x.left_records, x.right_records, x.contribution FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', 'shapley', pair_by => '{no,line}', detail => true) AS x;
-- In all orders, and swapped
SELECT count(*) FILTER (WHERE a.total = v.r - v.l AND d.total = a.total) AS exact, count(*) FILTER (WHERE a.rows = b.rows AND d.rows = s.rows) AS swapped
FROM (VALUES ('{definition,timing,hierarchy,quality}'::text[], '{quality,hierarchy,timing,definition}'::text[]), ('{quality,definition,timing,hierarchy}', '{hierarchy,timing,definition,quality}')) AS o (o, back),
     (VALUES ('{no,line}'), ('line'), ('no')) AS k (pair_by), (VALUES ('ed_shop', 'ed_bank'), ('ed_shop', 'golden'), ('ed_bank', 'golden')) AS p (l, r),
     LATERAL (SELECT (SELECT value FROM ssot.metric('ed paid', system => p.l)) AS l, (SELECT value FROM ssot.metric('ed paid', system => p.r)) AS r) AS v,
     LATERAL (SELECT sum(x.contribution) AS total, array_agg((x.cause, x.contribution)::text ORDER BY x.cause) AS rows FROM ssot.explain_difference('ed paid', p.l, p.r, in_order => o.o, pair_by => k.pair_by) AS x) AS a,
     LATERAL (SELECT array_agg((x.cause, -x.contribution)::text ORDER BY x.cause) AS rows FROM ssot.explain_difference('ed paid', p.r, p.l, in_order => o.back, pair_by => k.pair_by) AS x) AS b,
     LATERAL (SELECT sum(x.contribution) AS total, array_agg((x.cause, x.id, x.pair_key, x.left_records, x.contribution)::text ORDER BY x.cause, x.pair_key, x.id, x.left_records, x.right_records) AS rows
              FROM ssot.explain_difference('ed paid', p.l, p.r, in_order => o.o, pair_by => k.pair_by, detail => true) AS x) AS d,
     LATERAL (SELECT array_agg((x.cause, x.id, x.pair_key, x.right_records, -x.contribution)::text ORDER BY x.cause, x.pair_key, x.id, x.right_records, x.left_records) AS rows
              FROM ssot.explain_difference('ed paid', p.r, p.l, in_order => o.back, pair_by => k.pair_by, detail => true) AS x) AS s;
SELECT count(*) FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_shop', pair_by => 'no', detail => true);

-- Amounts that would be refused without their currency: half of a record has none
SELECT ssot.create_metric('ed in euros', from_entity => 'ed.invoice', measure => 'sum(amount)', currency => 'currency', unit => 'EUR');
SELECT method, count(*) AS entities, sum(contribution) FROM (VALUES ('bridge'), ('shapley')) AS m (method),
       ssot.explain_difference('ed in euros', 'ed_shop', 'ed_bank', method, pair_by => '{no,line}', detail => true) GROUP BY 1 ORDER BY 1;

-- A reported number: what no record gives stands behind no entity
SELECT ssot.report_figure('ed paid', 'ed_shop', 999, '2026-11-02') AS figure \gset
SELECT axis, cause, id, entities, left_counts, right_counts, contribution FROM ssot.explain_difference('ed paid', 'figure:' || :figure, 'ed_bank', pair_by => '{no,line}', detail => true) WHERE axis = 'reported';
SELECT sum(contribution) FROM ssot.explain_difference('ed paid', 'figure:' || :figure, 'ed_bank', pair_by => '{no,line}', detail => true);
SELECT ssot.tell_difference('ed paid', 'figure:' || :figure, 'ed_shop');

-- Refused
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => 'number'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '{no,number}'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '{}'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '{no,NULL}'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => ''); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '1'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => 'sum(line)'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => 'no || random()'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => 'point(line, line)'); -- ERROR
SELECT * FROM ssot.explain_difference('ed paid', 'ed_shop', 'ed_bank', pair_by => '(SELECT 1)'); -- ERROR

DELETE FROM ssot.reported_figure WHERE metric = 'ed paid';
ALTER SEQUENCE ssot.figure_id_seq RESTART;
DROP SCHEMA metrics CASCADE;
DROP SCHEMA metrics_as_of CASCADE;
DELETE FROM ssot.definition_version WHERE definition LIKE 'ed %';
SELECT ssot.unregister_entity('ed.invoice', true);
DROP SCHEMA ed CASCADE;
SELECT ssot.drop_system('ed_bank'), ssot.drop_system('ed_shop');
