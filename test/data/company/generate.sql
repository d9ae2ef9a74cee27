-- A company whose systems disagree, and by how much is known.
--
-- Deals as the CRM, the ERP (two tables: orders and their amounts) and marketing
-- see them; accounts as the CRM (its sites) and the ERP (its legal entities) see
-- them. Most deals are the same everywhere. On each kind of planted row one thing
-- differs; what that is worth in the pipeline is kept in company.planted, worked out
-- from the numbers drawn here and from nothing that ssot computes.
--
-- Usage: psql -v seed=1 -v deals=300 -f test/data/company/generate.sql
-- The clock is that of the sources: the first load tells of October 2026, the second
-- (company.november()) of November.

CREATE SCHEMA company;
CREATE TABLE company.crm_account (id text, name text, country text, parent text, employees integer, modified timestamptz);
CREATE TABLE company.erp_account (no text, crm_id text, name text, parent text, employees integer, modified timestamptz);
CREATE TABLE company.crm_deal (id text, ext text, account text, stage text, qualified boolean, renewal boolean,
    amount numeric(12,2), signed_on text, modified timestamptz);
CREATE TABLE company.erp_order (no text, crm_id text, status text, qualified boolean, renewal boolean, signed_on text, modified timestamptz);
CREATE TABLE company.erp_amount (no text, amount text, modified timestamptz);
CREATE TABLE company.mkt_deal (id text, crm_id text, stage text, amount numeric(12,2), modified timestamptz);

-- What a cause is worth: the left minus what the right has instead, so right - left.
CREATE TABLE company.planted (comparison text, axis text, cause text, worth numeric);

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

CREATE FUNCTION company.november() RETURNS void LANGUAGE sql AS $$
    UPDATE company.crm_deal AS c SET amount = c.amount + d.change, modified = '2026-11-03 12:00+00'
      FROM company.deal AS d WHERE c.id = 'C' || d.n AND d.kind = 8;
    INSERT INTO company.crm_deal
    SELECT 'C' || n, 'X' || n, 'A' || account, 'open', true, false, amount, '2026-11-03', timestamptz '2026-11-03 12:00+00'
      FROM company.deal WHERE kind = 9
$$;

INSERT INTO company.planted
SELECT 'crm to erp', 'quality', 'amount changed', -sum(change) FROM company.deal WHERE kind = 1
UNION ALL SELECT 'crm to erp', 'quality', 'stage changed', -sum(amount) FROM company.deal WHERE kind = 2
UNION ALL SELECT 'crm to erp', 'quality', 'only in crm', -sum(amount) FROM company.deal WHERE kind = 3
UNION ALL SELECT 'crm to erp', 'quality', 'only in erp', sum(amount) FROM company.deal WHERE kind = 4
UNION ALL SELECT 'crm to erp', 'quality', 'duplicates in erp', sum(change) FROM company.deal WHERE kind = 5
UNION ALL SELECT 'crm to erp', 'quality', 'quarantined in crm', -sum(amount) FROM company.deal WHERE kind = 6
UNION ALL SELECT 'crm to erp', 'definition', 'definition', -sum(amount) FROM company.deal WHERE kind = 7
UNION ALL SELECT 'crm to erp', 'timing', 'timing', -sum(CASE kind WHEN 8 THEN change ELSE amount END)
            FROM company.deal WHERE kind IN (8, 9)
UNION ALL SELECT 'crm to erp', 'quality', 'duplicates in crm', -sum(change) FROM company.deal WHERE kind = 10;
