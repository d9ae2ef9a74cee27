-- Two loads of the company, its metrics, and a pair that waits for a decision.
SELECT ssot.reconcile('golden.account');
SELECT ssot.reconcile('golden.deal');
SELECT company.november();
SELECT ssot.reconcile('golden.deal');
SELECT ssot.create_metric('pipeline', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost')$$, dimensions => '{"country": "account.country"}');
SELECT ssot.create_metric('pipeline', variant => 'finance', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD',
    filter => $$qualified AND stage NOT IN ('won', 'lost') AND NOT renewal$$, dimensions => '{"country": "account.country"}');
SELECT ssot.create_metric('any deal', from_entity => 'golden.deal', measure => 'sum(amount)', unit => 'USD');
SELECT ssot.create_metric('people', from_entity => 'golden.account', measure => 'sum(employees)', unit => 'people');
SELECT ssot.create_metric('accounts', from_entity => 'golden.account', measure => 'count(*)', unit => 'accounts');
SELECT ssot.create_metric('accounts', variant => 'independent', from_entity => 'golden.account', measure => 'count(*)',
    filter => 'parent_id IS NULL', unit => 'accounts');
SELECT ssot.create_metric('heads', from_entity => 'golden.account', measure => 'count(*)', filter => 'parent_id IS NULL', unit => 'accounts');
SELECT ssot.create_metric('average deal', from_entity => 'golden.deal', measure => 'avg(amount)', filter => 'qualified', unit => 'USD');
INSERT INTO ssot.match_pair (entity, record_a, record_b, weight, reason, levels, first_seen)
VALUES ('golden.deal', 'crm:C3', 'erp:E4', 1, 'undecided', '{}', now());

-- What was planted and is not found, or was found and is not planted. A share that has
-- more decimals than the number is found to the last of its digits.
CREATE VIEW company.missed AS
SELECT coalesce(p.metric, e.metric) AS metric, coalesce(p.l, e.l) AS l, coalesce(p.r, e.r) AS r, coalesce(p.method, e.method) AS method,
       coalesce(p.axis, e.axis) AS axis, coalesce(p.cause, e.cause) AS cause, p.must, e.contribution, p.entities, e.entities AS found
  FROM (SELECT p.*, m.method, CASE m.method WHEN 'bridge' THEN p.worth ELSE p.shapley END AS must
          FROM company.planted AS p, (VALUES ('bridge'), ('shapley')) AS m (method)) AS p
  FULL JOIN (SELECT c.*, m.method, e.*
               FROM (SELECT DISTINCT metric, l, r, r_variant FROM company.planted) AS c, (VALUES ('bridge'), ('shapley')) AS m (method),
                    ssot.explain_difference(c.metric, c.l, c.r, m.method, right_variant => c.r_variant) AS e) AS e
    ON (p.metric, p.l, p.r, p.method, p.axis, p.cause) = (e.metric, e.l, e.r, e.method, e.axis, e.cause) AND p.r_variant IS NOT DISTINCT FROM e.r_variant
 WHERE p.cause IS NULL OR e.cause IS NULL OR (p.method = 'bridge' AND p.entities <> e.entities)
    OR (e.contribution <> p.must AND (scale(trim_scale(p.must)) <= scale(e.contribution) OR abs(e.contribution - p.must) >= 10.0 ^ -scale(e.contribution)));
