-- A company whose systems disagree, and by how much is known.
--
-- Deals as the CRM, the ERP (two tables: orders and their amounts) and marketing
-- see them; accounts as the CRM, the ERP (its legal entities) and field service (sites,
-- several to an account) see them. Most deals are the same everywhere. On each kind of
-- planted row one thing differs; what that is worth is kept in company.planted, worked
-- out from the numbers drawn here and from nothing that ssot computes: what a bridge
-- must find, and what Shapley's method must.
--
-- Usage: psql -v seed=1 -v deals=300 -f test/data/company/generate.sql
-- The clock is that of the sources: the first load tells of October 2026, the second
-- (company.november()) of November.

CREATE SCHEMA company;
CREATE TABLE company.crm_account (id text, name text, country text, parent text, employees integer, modified timestamptz);
CREATE TABLE company.erp_account (no text, crm_id text, name text, parent text, employees integer, modified timestamptz);
CREATE TABLE company.site (no text, crm_id text, name text, employees integer, modified timestamptz);
CREATE TABLE company.crm_deal (id text, ext text, account text, stage text, qualified boolean, renewal boolean,
    amount numeric(12,2), signed_on text, modified timestamptz);
CREATE TABLE company.erp_order (no text, crm_id text, status text, qualified boolean, renewal boolean, signed_on text, modified timestamptz);
CREATE TABLE company.erp_amount (no text, amount text, modified timestamptz);
CREATE TABLE company.mkt_deal (id text, crm_id text, stage text, amount numeric(12,2), modified timestamptz);

-- What a cause is worth: the left minus what the right has instead, so right - left.
-- entities: how many are behind it in a bridge.
CREATE TABLE company.planted (
    metric text, l text, r text, r_variant text, axis text, cause text, worth numeric, entities bigint, shapley numeric);

-- Draws: the same for the same seed, whatever the machine.
CREATE FUNCTION company.draw(seed integer, what text, n integer, below integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT (('x' || substr(md5(seed || what || n), 1, 7))::bit(28)::integer) % below
$$;

-- The first third of the deals is planted, each with one kind of disagreement.
CREATE TABLE company.deal AS
SELECT n, (1000 + company.draw(:seed, 'amount', n, 900000) / 100.0)::numeric(12,2) AS amount,
       CASE WHEN n <= :deals / 3 THEN n % 12 ELSE 0 END AS kind,
       1 + company.draw(:seed, 'account', n, 20) AS account,
       (10 + company.draw(:seed, 'change', n, 90000) / 100.0)::numeric(12,2) AS change
  FROM generate_series(1, :deals) AS n;

-- kinds: 0 the same everywhere; 1 amount differs; 2 stage differs (a filter flip);
-- 3 only in the CRM; 4 only in the ERP; 5 twice in the ERP; 6 in the CRM's
-- quarantine and nowhere else; 7 a renewal (definition); 8 changed in the CRM in November (timing);
-- 9 new in the CRM in November; 10 twice in the CRM; 11 won everywhere
INSERT INTO company.crm_deal
SELECT 'C' || n, 'X' || n, 'A' || account, CASE kind WHEN 11 THEN 'won' ELSE 'open' END, true, kind = 7, amount,
       CASE kind WHEN 6 THEN 'soon' ELSE '2026-09-01' END, timestamptz '2026-10-30 12:00+00'
  FROM company.deal WHERE kind NOT IN (4, 9)
UNION ALL
SELECT 'C' || n || 'b', 'X' || n, 'A' || account, 'open', true, false, change, '2026-09-01', timestamptz '2026-10-01 12:00+00'
  FROM company.deal WHERE kind = 10;
INSERT INTO company.erp_order
SELECT 'E' || n, CASE WHEN kind <> 4 THEN 'C' || n END,
       CASE kind WHEN 11 THEN 'won' WHEN 2 THEN 'lost' ELSE 'open' END, true, kind = 7,
       '2026-09-01', timestamptz '2026-10-30 12:00+00'
  FROM company.deal WHERE kind NOT IN (3, 6, 9)
UNION ALL
SELECT 'E' || n || 'b', 'C' || n, 'open', true, false, '2026-09-01', timestamptz '2026-10-01 12:00+00'
  FROM company.deal WHERE kind = 5;
INSERT INTO company.erp_amount
SELECT 'E' || n, (CASE kind WHEN 1 THEN amount - change ELSE amount END)::text, timestamptz '2026-10-30 12:00+00'
  FROM company.deal WHERE kind NOT IN (3, 6, 9)
UNION ALL
SELECT 'E' || n || 'b', change::text, timestamptz '2026-10-01 12:00+00'
  FROM company.deal WHERE kind = 5;
-- Marketing knows neither whether a deal is qualified nor whether it is a renewal;
-- it holds three of four deals, some at 90 %, and leads that sales has not accepted
INSERT INTO company.mkt_deal
SELECT 'M' || n, 'C' || n, CASE kind WHEN 11 THEN 'won' ELSE 'open' END,
       CASE WHEN n % 4 IN (1, 2) THEN round(amount * 0.9, 2) ELSE amount END, timestamptz '2026-10-30 12:00+00'
  FROM company.deal WHERE kind NOT IN (4, 6, 9) AND n % 4 <> 0
UNION ALL
SELECT 'L' || n, NULL, 'open', 5000, timestamptz '2026-10-30 12:00+00' FROM generate_series(1, 5) AS n;

INSERT INTO company.crm_account
SELECT 'A' || n, 'Account ' || n, (ARRAY['DE', 'US', 'FR', 'AT'])[1 + n % 4], CASE WHEN n > 12 THEN 'A' || n - 12 END,
       10 + company.draw(:seed, 'employees', n, 500), timestamptz '2026-10-30 12:00+00'
  FROM generate_series(1, 20) AS n;
-- The ERP books the people of A13 .. A16 on their parents, has one more at A2, and
-- takes A20 for independent
INSERT INTO company.erp_account
SELECT 'F' || n, 'A' || n, 'Account ' || n, CASE WHEN n BETWEEN 17 AND 19 THEN 'F' || n - 12 END,
       c.employees + coalesce((SELECT k.employees FROM company.crm_account AS k WHERE k.id = 'A' || n + 12 AND n <= 4), 0)
           + CASE n WHEN 2 THEN 1 ELSE 0 END,
       timestamptz '2026-10-30 12:00+00'
  FROM generate_series(1, 20) AS n
  JOIN company.crm_account AS c ON c.id = 'A' || n
 WHERE n NOT BETWEEN 13 AND 16;

-- Field service: of each account one to three sites, which have its people. A5 has two
-- more there, A11 has no site
INSERT INTO company.site
SELECT 'S' || n || chr(96 + k), 'A' || n, 'Account ' || n || ' site ' || k,
       CASE k WHEN 1 THEN c.employees - (sites - 1) + CASE n WHEN 5 THEN 2 ELSE 0 END ELSE 1 END,
       timestamptz '2026-10-30 12:00+00'
  FROM generate_series(1, 20) AS n
  JOIN company.crm_account AS c ON c.id = 'A' || n
 CROSS JOIN LATERAL (SELECT 1 + company.draw(:seed, 'sites', n, 3) AS sites) AS s
 CROSS JOIN LATERAL generate_series(1, sites) AS k
 WHERE n <> 11;

CREATE FUNCTION company.november() RETURNS void LANGUAGE sql AS $$
    UPDATE company.crm_deal AS c SET amount = c.amount + d.change, modified = '2026-11-03 12:00+00'
      FROM company.deal AS d WHERE c.id = 'C' || d.n AND d.kind = 8;
    INSERT INTO company.crm_deal
    SELECT 'C' || n, 'X' || n, 'A' || account, 'open', true, false, amount, '2026-11-03', timestamptz '2026-11-03 12:00+00'
      FROM company.deal WHERE kind = 9
$$;

-- CRM against ERP, by the definitions of sales and finance. C3 and E4 may be one deal:
-- an open review pair. What the CRM did in November is timing as long as its records are
-- looked at; in the half of all orders that take quality first, the ERP's records have
-- replaced them, and it is quality.
INSERT INTO company.planted
SELECT 'pipeline', 'crm', 'erp', 'finance', x.axis, x.cause, x.worth, x.entities, coalesce(x.shapley, x.worth)
  FROM (SELECT sum(amount) FILTER (WHERE kind = 7) AS renewals, count(*) FILTER (WHERE kind = 7) AS n_renewals,
               sum(change) FILTER (WHERE kind = 8) AS grown, sum(amount) FILTER (WHERE kind = 9) AS new,
               count(*) FILTER (WHERE kind IN (8, 9)) AS n_november,
               sum(change) FILTER (WHERE kind = 1) AS other_amount, count(*) FILTER (WHERE kind = 1) AS n_amount,
               sum(amount) FILTER (WHERE kind = 2) AS lost, count(*) FILTER (WHERE kind = 2) AS n_lost,
               sum(amount) FILTER (WHERE kind = 3 AND n <> 3) AS in_crm, count(*) FILTER (WHERE kind = 3 AND n <> 3) AS n_crm,
               sum(amount) FILTER (WHERE kind = 4 AND n <> 4) AS in_erp, count(*) FILTER (WHERE kind = 4 AND n <> 4) AS n_erp,
               sum(CASE n WHEN 3 THEN -amount WHEN 4 THEN amount END) AS undecided,
               sum(change) FILTER (WHERE kind = 5) AS twice_erp, count(*) FILTER (WHERE kind = 5) AS n_twice_erp,
               sum(amount) FILTER (WHERE kind = 6) AS quarantined, count(*) FILTER (WHERE kind = 6) AS n_quarantined,
               sum(change) FILTER (WHERE kind = 10) AS twice_crm, count(*) FILTER (WHERE kind = 10) AS n_twice_crm
          FROM company.deal) AS d,
       LATERAL (VALUES ('definition', 'definition', -renewals, n_renewals, NULL),
           ('timing', 'timing', -grown - new, n_november, -(grown + new) / 2),
           ('quality', 'amount changed', -other_amount, n_amount, -other_amount - grown / 2),
           ('quality', 'stage changed', -lost, n_lost, NULL),
           ('quality', 'only in crm', -in_crm, n_crm, -in_crm - new / 2),
           ('quality', 'only in erp', in_erp, n_erp, NULL),
           ('quality', 'undecided match', undecided, 2, NULL),
           ('quality', 'duplicates in erp', twice_erp, n_twice_erp, NULL),
           ('quality', 'quarantined in crm', -quarantined, n_quarantined, NULL),
           ('quality', 'duplicates in crm', -twice_crm, n_twice_crm, NULL)) AS x (axis, cause, worth, entities, shapley);

-- CRM against marketing, which does not map whether a deal is qualified and borrows it;
-- its five leads cannot
INSERT INTO company.planted
SELECT 'pipeline', 'crm', 'mkt', NULL, x.axis, x.cause, x.worth, x.entities, coalesce(x.shapley, x.worth)
  FROM (SELECT sum(change) FILTER (WHERE kind = 8) AS grown, sum(amount) FILTER (WHERE kind = 9) AS new,
               sum(change) FILTER (WHERE kind = 8 AND n % 4 <> 0) AS grown_both, sum(change) FILTER (WHERE kind = 8 AND n % 4 = 0) AS grown_crm,
               count(*) FILTER (WHERE kind IN (8, 9)) AS n_november,
               sum(round(amount * 0.9, 2) - amount) FILTER (WHERE kind NOT IN (4, 6, 9, 11) AND n % 4 IN (1, 2)) AS less,
               count(*) FILTER (WHERE kind NOT IN (4, 6, 9, 11) AND n % 4 IN (1, 2)) AS n_less,
               sum(amount) FILTER (WHERE kind NOT IN (4, 6, 9, 11) AND n % 4 = 0) AS in_crm,
               count(*) FILTER (WHERE kind NOT IN (4, 6, 9, 11) AND n % 4 = 0) AS n_crm,
               sum(amount) FILTER (WHERE kind = 6) AS quarantined, count(*) FILTER (WHERE kind = 6) AS n_quarantined,
               sum(change) FILTER (WHERE kind = 10) AS twice_crm, count(*) FILTER (WHERE kind = 10) AS n_twice_crm
          FROM company.deal) AS d,
       LATERAL (VALUES ('timing', 'timing', -grown - new, n_november, -(grown + new) / 2),
           ('quality', 'amount changed', less, n_less, less - coalesce(grown_both, 0) / 2),
           ('quality', 'only in crm', -in_crm, n_crm, -in_crm - (coalesce(grown_crm, 0) + new) / 2),
           ('quality', 'quarantined in crm', -quarantined, n_quarantined, NULL),
           ('quality', 'duplicates in crm', -twice_crm, n_twice_crm, NULL),
           ('quality', 'not answerable in mkt', 0, 5, NULL)) AS x (axis, cause, worth, entities, shapley);

-- Accounts and their people. The ERP books four accounts on their parents, with one
-- person more, and takes A20 for independent; field service counts sites.
INSERT INTO company.planted
SELECT x.metric, 'crm', x.r, x.r_variant, x.axis, x.cause, x.worth, x.entities, coalesce(x.shapley, x.worth)
  FROM (SELECT count(*) AS sites, sum(employees) AS people,
               (SELECT -employees FROM company.crm_account WHERE id = 'A11') AS a11
          FROM company.site) AS s,
       LATERAL (VALUES ('people', 'erp', NULL, 'hierarchy', 'hierarchy', 0, 4, NULL::numeric), ('people', 'erp', NULL, 'quality', 'family net', 1, 1, NULL),
           ('accounts', 'erp', NULL, 'hierarchy', 'hierarchy', -4, 4, NULL),
           ('heads', 'erp', NULL, 'hierarchy', 'hierarchy', 1, 5, NULL),
           ('people', 'fld', NULL, 'hierarchy', 'hierarchy', 0, 19, NULL), ('people', 'fld', NULL, 'quality', 'family net', 2, 1, NULL),
           ('people', 'fld', NULL, 'quality', 'only in crm', a11, 1, NULL),
           ('accounts', 'fld', NULL, 'hierarchy', 'hierarchy', sites - 19, 19, NULL),
           ('accounts', 'fld', NULL, 'quality', 'only in crm', -1, 1, NULL),
           -- at another level by another definition, of one tree
           ('accounts', 'crm', 'independent', 'definition', 'definition', -8, 8, NULL),
           -- and both at once: of the CRM's 20 accounts 12 are independent, of the ERP's
           -- 16 13 are. In half of the orders the tree is the ERP's already
           ('accounts', 'erp', 'independent', 'definition', 'definition', -8, 8, (-8 - 3) / 2.0),
           ('accounts', 'erp', 'independent', 'hierarchy', 'hierarchy', 1, 5, (1 - 4) / 2.0)) AS x (metric, r, r_variant, axis, cause, worth, entities, shapley);
