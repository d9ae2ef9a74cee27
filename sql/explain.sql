--
-- Why two numbers differ: the generated company, whose disagreements are known.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv source PG_ABS_SRCDIR
\set generate :source '/test/data/company/generate.sql'
\set declare :source '/test/data/company/declare.sql'
\set seed 1
\set deals 300
\set ECHO none
\o /dev/null
\i :generate
\i :declare
\o
\set ECHO all
SELECT count(*) FROM ssot.reconcile('golden.account');
SELECT source, rows_new, quarantined FROM ssot.reconcile('golden.deal') ORDER BY 1;
SELECT company.november();
SELECT count(*) FROM ssot.reconcile('golden.deal');
SELECT ssot.create_metric('pipeline', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost')$$, dimensions => '{"country": "account.country"}');
SELECT ssot.create_metric('pipeline', variant => 'finance', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost') AND NOT renewal$$, dimensions => '{"country": "account.country"}');
SELECT ssot.create_metric('any deal', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD');
SELECT ssot.create_metric('people', from_entity => 'golden.account', measure => 'sum(employees)', unit => 'people');
SELECT ssot.create_metric('accounts', from_entity => 'golden.account', measure => 'count(*)', unit => 'accounts');
SELECT ssot.create_metric('heads', from_entity => 'golden.account', measure => 'count(*)', filter => 'parent_id IS NULL', unit => 'accounts');
SELECT ssot.create_metric('average deal', from_entity => 'golden.deal', measure => 'avg(amount)', filter => 'qualified', unit => 'USD');

-- Each planted cause comes out as it was planted, and nothing else does
CREATE TABLE company.found AS
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance');
SELECT p.axis, p.cause, p.worth, f.contribution = p.worth AS found, f.entities
FROM company.planted AS p LEFT JOIN company.found AS f USING (axis, cause) ORDER BY 1, 2;
SELECT f.axis, f.cause, f.contribution FROM company.found AS f
WHERE NOT EXISTS (SELECT FROM company.planted AS p WHERE (p.axis, p.cause) = (f.axis, f.cause));
SELECT sum(f.contribution) AS total,
       sum(f.contribution) = (SELECT value FROM ssot.metric('pipeline', system => 'erp', variant => 'finance'))
                           - (SELECT value FROM ssot.metric('pipeline', system => 'crm')) AS exact
FROM company.found AS f;
SELECT f.sentence FROM company.found AS f ORDER BY f.axis, f.cause;

-- Shapley: causes on rows of their own that no other cause touches have the same
-- share in every order. What the CRM did in November touches what only it has.
CREATE TABLE company.shapley AS
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'shapley', right_variant => 'finance');
SELECT s.axis, s.cause, s.contribution, s.minimum, s.maximum, s.contribution = f.contribution AS as_bridge
FROM company.shapley AS s JOIN company.found AS f USING (axis, cause) ORDER BY 1, 2;
-- the arithmetic: half of the orders take timing first, half quality
SELECT s.cause, 0.01 > abs(s.contribution -
       CASE s.cause WHEN 'timing' THEN -(n.grown + n.new) / 2
                          WHEN 'amount changed' THEN p.worth - n.grown / 2
                          WHEN 'only in crm' THEN p.worth - n.new / 2 END) AS as_worked_out
FROM company.shapley AS s
LEFT JOIN company.planted AS p USING (axis, cause)
CROSS JOIN (SELECT sum(change) FILTER (WHERE kind = 8) AS grown, sum(amount) FILTER (WHERE kind = 9) AS new FROM company.deal) AS n
WHERE s.cause IN ('timing', 'amount changed', 'only in crm') ORDER BY 1;
SELECT sum(s.contribution) = (SELECT sum(contribution) FROM company.found) AS exact FROM company.shapley AS s;

-- Marketing maps neither qualified nor renewal: it borrows them. Five leads belong to
-- no golden record and cannot answer.
SELECT axis, cause, contribution, entities, borrowed FROM ssot.explain_difference('pipeline', 'crm', 'mkt');
-- A definition that asks for no borrowed field can be answered by the leads
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('any deal', 'golden', 'mkt');

-- Hierarchy: the ERP books four accounts on their parents. What moves inside a family
-- is hierarchy; one person more is quality.
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('people', 'crm', 'erp');
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('accounts', 'crm', 'erp');
-- Different trees under one definition
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('heads', 'crm', 'erp');

-- No sum: divided by evaluation
SELECT axis, cause, round(contribution, 4) AS contribution, entities FROM ssot.explain_difference('average deal', 'crm', 'erp');

-- One slice of it
SELECT sum(contribution) = (SELECT value FROM ssot.metric('pipeline', system => 'erp', slice => '{"country": "DE"}'))
                         - (SELECT value FROM ssot.metric('pipeline', system => 'crm', slice => '{"country": "DE"}')) AS exact
FROM ssot.explain_difference('pipeline', 'crm', 'erp', slice => '{"country": "DE"}');

-- Left is right: no rows
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'crm');
SELECT * FROM ssot.explain_difference('pipeline', 'golden', 'golden', 'shapley');
-- The same system at two times, by two definitions
SELECT axis, cause, contribution FROM ssot.explain_difference('pipeline', 'crm', 'crm', right_as_of => '2026-10-31 00:00+00');
SELECT axis, cause, contribution FROM ssot.explain_difference('pipeline', 'crm', 'crm', right_variant => 'finance');

-- Properties, for all pairs, metrics, methods and orders: contributions add up
-- exactly; swapping the sides negates every row of Shapley, and of a bridge whose
-- order is reversed
CREATE TABLE company.pair AS
SELECT m.name AS metric, l.system AS l, r.system AS r
FROM (VALUES ('pipeline'), ('any deal'), ('people'), ('accounts'), ('heads')) AS m (name),
     (VALUES ('crm'), ('erp'), ('mkt'), ('golden')) AS l (system), (VALUES ('crm'), ('erp'), ('mkt'), ('golden')) AS r (system)
WHERE l.system <> r.system AND (m.name IN ('pipeline', 'any deal') OR 'mkt' NOT IN (l.system, r.system));
CREATE TABLE company.orders AS
SELECT ARRAY[a, b, c, d] AS o, ARRAY[d, c, b, a] AS back
FROM unnest('{definition,timing,hierarchy,quality}'::text[]) AS a, unnest('{definition,timing,hierarchy,quality}'::text[]) AS b,
     unnest('{definition,timing,hierarchy,quality}'::text[]) AS c, unnest('{definition,timing,hierarchy,quality}'::text[]) AS d
WHERE a <> b AND a <> c AND a <> d AND b <> c AND b <> d AND c <> d;
SELECT count(*) AS pairs, count(*) FILTER (WHERE e.total = v.r - v.l) AS exact
FROM company.pair AS p,
     LATERAL (SELECT coalesce(sum(x.contribution), 0) AS total FROM ssot.explain_difference(p.metric, p.l, p.r, 'shapley') AS x) AS e,
     LATERAL (SELECT (SELECT value FROM ssot.metric(p.metric, system => p.l)) AS l, (SELECT value FROM ssot.metric(p.metric, system => p.r)) AS r) AS v;
SELECT p.metric, p.l, p.r, a.axis, a.cause, a.contribution, b.contribution AS swapped
FROM company.pair AS p
CROSS JOIN LATERAL ssot.explain_difference(p.metric, p.l, p.r, 'shapley') AS a
FULL JOIN (company.pair AS q CROSS JOIN LATERAL ssot.explain_difference(q.metric, q.l, q.r, 'shapley') AS b)
    ON (q.metric, q.l, q.r, b.axis, b.cause) = (p.metric, p.r, p.l, a.axis, a.cause)
WHERE a.contribution IS DISTINCT FROM -b.contribution;
SELECT count(*) AS bridges, count(*) FILTER (WHERE a.total = v.r - v.l AND a.total = -b.total) AS exact,
       count(*) FILTER (WHERE a.rows IS NOT DISTINCT FROM b.rows) AS swapped
FROM (SELECT o.*, row_number() OVER (ORDER BY o.o) AS n FROM company.orders AS o) AS o, (SELECT *, row_number() OVER (ORDER BY metric, l, r) AS n FROM company.pair WHERE l < r) AS p,
     LATERAL (SELECT coalesce(sum(x.contribution), 0) AS total, array_agg((x.axis, x.cause, x.contribution)::text ORDER BY x.axis, x.cause) AS rows
              FROM ssot.explain_difference(p.metric, p.l, p.r, 'bridge', o.o) AS x) AS a,
     LATERAL (SELECT coalesce(sum(x.contribution), 0) AS total, array_agg((x.axis, x.cause, -x.contribution)::text ORDER BY x.axis, x.cause) AS rows
              FROM ssot.explain_difference(p.metric, p.r, p.l, 'bridge', o.back) AS x) AS b,
     LATERAL (SELECT (SELECT value FROM ssot.metric(p.metric, system => p.l)) AS l, (SELECT value FROM ssot.metric(p.metric, system => p.r)) AS r) AS v
WHERE (o.n + p.n) % 4 = 0;

-- Refused
SELECT * FROM ssot.explain_difference('people', 'crm', 'mkt'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'nobody'); -- ERROR
SELECT * FROM ssot.explain_difference('nothing', 'crm', 'erp'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'guess'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', in_order => '{quality,timing}'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', in_order => '{quality,timing,timing,definition}'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'shapley', '{quality,timing,hierarchy,definition}'); -- ERROR
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', left_as_of => '2020-01-01'); -- ERROR

-- A second seed, whose records also differ in several ways at once
DROP SCHEMA metrics CASCADE;
DROP SCHEMA metrics_as_of CASCADE;
SELECT ssot.unregister_entity('golden.deal', true), ssot.unregister_entity('golden.account', true);
DROP SCHEMA golden CASCADE;
DROP SCHEMA company CASCADE;
SELECT ssot.drop_system('mkt'), ssot.drop_system('erp'), ssot.drop_system('crm');
DELETE FROM ssot.definition_version;
\set seed 2
\set deals 150
\set ECHO none
\o /dev/null
\i :generate
\i :declare
\o
\set ECHO all
SELECT count(*) FROM ssot.reconcile('golden.account');
SELECT count(*) FROM ssot.reconcile('golden.deal');
SELECT company.november();
SELECT count(*) FROM ssot.reconcile('golden.deal');
SELECT ssot.create_metric('pipeline', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost')$$);
SELECT ssot.create_metric('pipeline', variant => 'finance', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost') AND NOT renewal$$);
SELECT count(*), count(*) FILTER (WHERE f.contribution = p.worth) AS found
FROM company.planted AS p
FULL JOIN ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance') AS f USING (axis, cause);
-- One deal both lost and of another amount: the bridge takes the filter's field first,
-- so losing it is worth all that the left has; Shapley takes the mean of both orders
UPDATE company.erp_amount SET amount = '1' WHERE no = 'E2';
SELECT count(*) FROM ssot.reconcile('golden.deal');
SELECT cause, contribution - worth AS moved
FROM company.planted JOIN ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance') USING (axis, cause)
WHERE cause IN ('stage changed', 'amount changed') ORDER BY 1;
SELECT cause, abs(contribution - b.bridge - CASE cause WHEN 'stage changed' THEN 1 ELSE -1 END * (d.amount - 1) / 2) < 0.02 AS mean
FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'shapley', right_variant => 'finance', left_as_of => '2026-10-31 00:00+00') AS s
JOIN (SELECT cause, contribution AS bridge FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance',
      left_as_of => '2026-10-31 00:00+00')) AS b USING (cause), company.deal AS d
WHERE d.n = 2 AND cause IN ('stage changed', 'amount changed') ORDER BY 1;

-- C3 is only in the CRM, E4 only in the ERP, and they may be one: their net waits for
-- a decision, and neither is missing
INSERT INTO ssot.match_pair (entity, record_a, record_b, weight, reason, levels, first_seen)
VALUES ('golden.deal', 'crm:C3', 'erp:E4', 1, 'undecided', '{}', now());
SELECT e.cause, e.entities, e.contribution - coalesce(p.worth, 0) =
       CASE e.cause WHEN 'undecided match' THEN d4.amount - d3.amount WHEN 'only in crm' THEN d3.amount
                    WHEN 'only in erp' THEN -d4.amount END AS as_worked_out
FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance') AS e
LEFT JOIN company.planted AS p USING (axis, cause), company.deal AS d3, company.deal AS d4
WHERE d3.n = 3 AND d4.n = 4 AND (e.cause LIKE 'only in%' OR e.cause = 'undecided match') ORDER BY 1;
DELETE FROM ssot.match_pair;

DROP SCHEMA metrics CASCADE;
DROP SCHEMA metrics_as_of CASCADE;
DELETE FROM ssot.definition_version;
SELECT ssot.unregister_entity('golden.deal', true), ssot.unregister_entity('golden.account', true);
DROP SCHEMA golden CASCADE;
DROP SCHEMA company CASCADE;
SELECT ssot.drop_system('mkt'), ssot.drop_system('erp'), ssot.drop_system('crm');
