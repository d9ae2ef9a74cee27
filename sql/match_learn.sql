-- What is learnt where strangers have much in common: many companies at one address; and in lists that have each thing
-- once.
CREATE SCHEMA ml;
SET search_path = ml;

-- Words that look like names; the same for the same numbers.
CREATE FUNCTION ml.word(n integer, salt text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
SELECT initcap(translate(substr(md5(salt || n), 1, 8), '0123456789', 'aeiouaeiou'))
$$;
CREATE TABLE ml.company (id integer PRIMARY KEY, thing integer, name text, street text, city text, country text);
-- 3,000 companies, of which 1,200 live at thirty addresses in two towns, with their lawyers and trustees.
INSERT INTO ml.company
SELECT i, i, ml.word(i, 'n') || ' ' || ml.word(i * i % 41, 'kind') || ' Ltd',
       CASE WHEN i <= 1200 THEN 10 + i % 30 || ' ' || ml.word(i % 30, 'street') || ' Street'
            ELSE i % 90 + 1 || ' ' || ml.word(i % 700, 'street') || ' Street' END,
       ml.word(CASE WHEN i <= 1200 THEN i % 2 ELSE i % 67 END, 'city'),
       CASE WHEN i <= 1200 THEN 'Jersey' ELSE 'Country ' || i % 67 / 10 END
  FROM generate_series(1, 3000) AS i;
-- Every second one is known to another system as well: another legal form or a slip in the name; a third of these has
-- moved, and may be missed.
INSERT INTO ml.company
SELECT c.id + 5000, c.thing,
       CASE c.id % 4 WHEN 0 THEN replace(c.name, ' Ltd', ' Limited') ELSE overlay(c.name PLACING 'x' FROM 4 FOR 1) END,
       CASE c.id % 3 WHEN 0 THEN c.id % 70 + 1 || ' ' || ml.word(c.id % 200, 'elsewhere') || ' Road' ELSE c.street END,
       CASE c.id % 3 WHEN 0 THEN ml.word(c.id % 60, 'city') ELSE c.city END, c.country
  FROM ml.company AS c
 WHERE c.id % 2 = 0;
CREATE TABLE ml.found AS
SELECT m.* FROM ssot.match('ml.company', '{id}', '{"name": "company", "street": "address", "city": "text", "country": "exact"}') AS m;
WITH hit AS (
    SELECT count(*) AS pairs, count(*) FILTER (WHERE x.thing = y.thing) AS hits
      FROM ml.found AS f
      JOIN ml.found AS g ON f.cluster = g.cluster AND f.record_key::integer < g.record_key::integer
      JOIN ml.company AS x ON x.id = f.record_key::integer
      JOIN ml.company AS y ON y.id = g.record_key::integer)
SELECT h.hits::numeric / h.pairs >= 0.99 AS precise, h.hits / 1000.0 >= 0.98 AS complete,
       CASE WHEN h.hits::numeric / h.pairs < 0.99 OR h.hits / 1000.0 < 0.98 THEN format('%s of %s', h.hits, h.pairs) END AS but
  FROM hit AS h;
-- The name says who is who, not the address.
SELECT m.m < 0.1 AS names_seldom_differ
  FROM ssot.match_model('ml.company', '{id}', '{"name": "company", "street": "address", "city": "text", "country": "exact"}') AS m
 WHERE m.field = 'name' AND m.level = 'different';

-- Two lists that have each thing once: a pair of one list cannot match, and is no chance to match.
CREATE TABLE ml.listed (id text PRIMARY KEY, list text, name text, city text);
INSERT INTO ml.listed
SELECT l.list || i, l.list, ml.word(i, 'n') || ' ' || ml.word(i * i % 41, 'kind'), ml.word(i % 23, 'city')
  FROM generate_series(1, 200) AS i, (VALUES ('a'), ('b')) AS l (list);
SELECT round(m.m::numeric, 4) AS prior, round(200 / (200.0 * 200), 4) AS true_share
  FROM ssot.match_model('ml.listed', '{id}', '{"name": "company", "city": "text"}', one_per => 'list') AS m
 WHERE m.field IS NULL;

-- One comparison alone: nothing can be learnt, and equal values are taken for one thing, as far as they tell things apart:
-- a name does, though not one that a hundred have; a town, a year or a birthday do not.
CREATE TABLE ml.person (id integer PRIMARY KEY, thing integer, name text, mail text, town text, year integer, born date);
INSERT INTO ml.person
SELECT i, i, CASE WHEN i <= 100 THEN 'Info Desk' ELSE ml.word(i, 'given') || ' ' || ml.word(i, 'family') END,
       CASE WHEN i > 300 THEN ml.word(i, 'm') || '@example.org' END, ml.word(i % 30, 'city'), 1950 + i % 50, DATE '1950-01-01' + i % 1200
  FROM generate_series(1, 2500) AS i;
INSERT INTO ml.person
SELECT p.id + 5000, p.thing, p.name, p.mail, p.town, p.year, p.born FROM ml.person AS p WHERE p.id % 5 = 0;
CREATE FUNCTION ml.pairs(compare jsonb, OUT of_one bigint, OUT of_two bigint) LANGUAGE sql AS $$
WITH found AS MATERIALIZED (SELECT m.* FROM ssot.match('ml.person', '{id}', compare) AS m)
SELECT count(*) FILTER (WHERE x.thing = y.thing), count(*) FILTER (WHERE x.thing <> y.thing)
  FROM found AS f
  JOIN found AS g ON f.cluster = g.cluster AND f.record_key::integer < g.record_key::integer
  JOIN ml.person AS x ON x.id = f.record_key::integer
  JOIN ml.person AS y ON y.id = g.record_key::integer
$$;
SET client_min_messages = warning;
SELECT c.compare, p.of_one, p.of_two
  FROM (VALUES ('{"name": "person_name"}'::jsonb), ('{"name": "company"}'), ('{"name": "text"}'), ('{"mail": "email"}'),
               ('{"town": "text"}'), ('{"year": "exact"}'), ('{"born": "date"}'), ('{"year": "number"}')) AS c (compare)
 CROSS JOIN LATERAL ml.pairs(c.compare) AS p
 ORDER BY c.compare::text COLLATE "C";
-- The same of few rows, of which all pairs are compared, and with a prior that is given.
DELETE FROM ml.person WHERE id NOT BETWEEN 301 AND 700 AND id NOT BETWEEN 5301 AND 5700;
SELECT p.of_one, p.of_two FROM ml.pairs('{"name": "person_name"}') AS p;
SELECT count(DISTINCT m.cluster) = count(*) AS all_apart FROM ssot.match('ml.person', '{id}', '{"name": "person_name"}', prior => 1e-12) AS m;

DROP SCHEMA ml CASCADE;
RESET client_min_messages;
