--
-- Why two numbers differ: the generated company, whose disagreements are known.
--
SET client_min_messages = warning;
SET timezone = 'UTC';
\getenv source PG_ABS_SRCDIR
\set company :source '/test/data/company'
\set generate :company '/generate.sql'
\set declare :company '/declare.sql'
\set load :company '/load.sql'
\set remove :company '/remove.sql'
\set seed 1
\set deals 300
\set ECHO none
\o /dev/null
\i :generate
\i :declare
\i :load
\o
\set ECHO all
-- Each planted cause comes out as it was planted, by both methods, and nothing else does:
-- definition, timing, a field, a filter's field, one-sided entities, an undecided pair,
-- duplicates, quarantined rows, parts (the ERP's amounts), fields that a system does not
-- map (marketing), another tree (the ERP's), records below the entity (field service)
SELECT * FROM company.missed;
SELECT metric, l, r, r_variant, axis, cause, round(worth, 2) AS worth, round(shapley, 3) AS shapley, entities
FROM company.planted ORDER BY 1, 2, 3, 4, 5, 6;

CREATE TABLE company.found AS
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance');
SELECT sum(f.contribution) AS total,
       sum(f.contribution) = (SELECT value FROM ssot.metric('pipeline', system => 'erp', variant => 'finance'))
                           - (SELECT value FROM ssot.metric('pipeline', system => 'crm')) AS exact
FROM company.found AS f;
SELECT f.sentence FROM company.found AS f;
CREATE TABLE company.shapley AS
SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'shapley', right_variant => 'finance');
SELECT s.axis, s.cause, s.contribution, s.minimum, s.maximum, s.contribution = f.contribution AS as_bridge
FROM company.shapley AS s JOIN company.found AS f USING (axis, cause) ORDER BY 1, 2;
SELECT sum(s.contribution) = (SELECT sum(contribution) FROM company.found) AS exact FROM company.shapley AS s;

-- All of it in one sentence
SELECT ssot.tell_difference('pipeline', 'crm', 'erp', right_variant => 'finance');
SELECT ssot.tell_difference('people', 'erp', 'crm');
SELECT ssot.tell_difference('accounts', 'crm', 'fld');
SELECT ssot.tell_difference('pipeline', 'crm', 'crm');

-- Marketing maps neither qualified nor renewal: it borrows them. Five leads belong to
-- no golden record and cannot answer.
SELECT axis, cause, contribution, entities, borrowed FROM ssot.explain_difference('pipeline', 'crm', 'mkt');
SELECT ssot.tell_difference('pipeline', 'crm', 'mkt');
-- A definition that asks for no borrowed field can be answered by the leads
SELECT axis, cause, contribution, entities FROM ssot.explain_difference('any deal', 'golden', 'mkt');

-- No sum: divided by evaluation
SELECT axis, cause, round(contribution, 4) AS contribution, entities FROM ssot.explain_difference('average deal', 'crm', 'erp');

-- One slice of it
SELECT sum(contribution) = (SELECT value FROM ssot.metric('pipeline', system => 'erp', slice => '{"country": "DE"}'))
                         - (SELECT value FROM ssot.metric('pipeline', system => 'crm', slice => '{"country": "DE"}')) AS exact
FROM ssot.explain_difference('pipeline', 'crm', 'erp', slice => '{"country": "DE"}');

-- Left is right: no rows
SELECT axis, cause FROM ssot.explain_difference('pipeline', 'crm', 'crm');
SELECT axis, cause FROM ssot.explain_difference('pipeline', 'golden', 'golden', 'shapley');
-- The same system at two times, by two definitions
SELECT axis, cause, contribution, entities, sentence FROM ssot.explain_difference('pipeline', 'crm', 'crm', right_as_of => '2026-10-31 00:00+00');
SELECT axis, cause, contribution, entities, sentence FROM ssot.explain_difference('pipeline', 'crm', 'crm', right_variant => 'finance');

-- Properties, for all pairs, metrics, methods and orders: contributions add up
-- exactly; swapping the sides negates every row of Shapley, and of a bridge whose
-- order is reversed
CREATE TABLE company.pair AS
SELECT m.name AS metric, l.system AS l, r.system AS r
FROM (VALUES ('pipeline'), ('any deal'), ('people'), ('accounts'), ('heads')) AS m (name),
     unnest('{crm,erp,mkt,fld,golden}'::text[]) AS l (system), unnest('{crm,erp,mkt,fld,golden}'::text[]) AS r (system)
WHERE l.system <> r.system
  AND CASE WHEN m.name IN ('pipeline', 'any deal') THEN 'fld' ELSE 'mkt' END NOT IN (l.system, r.system);
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
SELECT ssot.tell_difference(NULL, 'crm', 'erp'); -- ERROR

-- A second seed
\set ECHO none
\o /dev/null
\i :remove
\set seed 2
\set deals 150
\i :generate
\i :declare
\i :load
\o
\set ECHO all
SELECT * FROM company.missed;
SELECT count(*) FROM company.planted;
-- One deal both lost and of another amount: the bridge takes the filter's field first,
-- so losing it is worth all that the left has; Shapley takes the mean of both orders
UPDATE company.erp_amount SET amount = '1' WHERE no = 'E2';
SELECT count(*) FROM ssot.reconcile('golden.deal');
SELECT cause, contribution - worth AS moved
FROM company.planted JOIN ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance') USING (axis, cause)
WHERE metric = 'pipeline' AND r = 'erp' AND cause IN ('stage changed', 'amount changed') ORDER BY 1;
SELECT cause, abs(contribution - b.bridge - CASE cause WHEN 'stage changed' THEN 1 ELSE -1 END * (d.amount - 1) / 2) <= 0.01 AS mean
FROM ssot.explain_difference('pipeline', 'crm', 'erp', 'shapley', right_variant => 'finance', left_as_of => '2026-10-31 00:00+00') AS s
JOIN (SELECT cause, contribution AS bridge FROM ssot.explain_difference('pipeline', 'crm', 'erp', right_variant => 'finance',
      left_as_of => '2026-10-31 00:00+00')) AS b USING (cause), company.deal AS d
WHERE d.n = 2 AND cause IN ('stage changed', 'amount changed') ORDER BY 1;

\set ECHO none
\o /dev/null
\i :remove
\o
\set ECHO all
