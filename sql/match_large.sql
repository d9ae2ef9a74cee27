-- Matching thousands of rows: the same clusters in any order and with any memory; rows that are
-- all alike, that say nothing, and that are enormous end soon and say what was passed over.
CREATE SCHEMA ml;
CREATE TABLE ml.person (id integer PRIMARY KEY, given text, family text, born text, email text, city text);

-- Sixteen thousand people, and four thousand of them again: with a slip in the family name, without a day of
-- birth, in capitals, or under a new e-mail address.
CREATE FUNCTION ml.drawn(what text, i integer, n integer) RETURNS integer
LANGUAGE sql AS $$ SELECT ('x' || substr(md5(what || i), 1, 7))::bit(28)::integer % n $$;
CREATE FUNCTION ml.word(what text, n integer) RETURNS text
LANGUAGE sql AS $$ SELECT initcap(translate(substr(md5(what || n), 1, 8), '0123456789', 'ghijklmnop')) $$;
INSERT INTO ml.person
SELECT i, ml.word('given', ml.drawn('given', i, 400)), ml.word('family', ml.drawn('family', i, 3000)),
       (date '1940-01-01' + ml.drawn('born', i, 20000))::text,
       lower(ml.word('mail', i)) || '@mail' || ml.drawn('domain', i, 50) || '.com',
       ml.word('city', ml.drawn('city', i, 300))
  FROM generate_series(1, 16000) AS i;
INSERT INTO ml.person
SELECT 100000 + p.id, CASE p.id % 4 WHEN 2 THEN upper(p.given) ELSE p.given END,
       CASE p.id % 4 WHEN 0 THEN overlay(p.family placing 'x' from 4 for 1) WHEN 2 THEN upper(p.family) ELSE p.family END,
       CASE WHEN p.id % 4 <> 1 THEN p.born END,
       CASE WHEN p.id % 4 = 3 THEN 'new' || p.id || '@mail.com' ELSE p.email END, p.city
  FROM ml.person AS p
 WHERE p.id % 16 < 4;
CREATE TABLE ml.outcome AS
SELECT m.record_key, m.cluster
  FROM ssot.match('ml.person', '{id}', '{"name": {"kind": "person_name", "fields": ["given", "family"]}, "born": "date", "email": "email", "city": "text"}') AS m;
SELECT count(*) AS rows, count(DISTINCT o.cluster) AS clusters,
       count(*) FILTER (WHERE o.cluster::integer % 100000 <> o.record_key::integer % 100000) AS wrong
  FROM ml.outcome AS o;

-- In three orders, and with as little memory as can be set.
CREATE TABLE ml.shuffled AS SELECT p.* FROM ml.person AS p ORDER BY p.id DESC;
CREATE VIEW ml.again AS
SELECT m.record_key, m.cluster
  FROM ssot.match('ml.shuffled', '{id}', '{"name": {"kind": "person_name", "fields": ["given", "family"]}, "born": "date", "email": "email", "city": "text"}') AS m;
SELECT count(*) AS differ FROM (SELECT * FROM ml.outcome EXCEPT SELECT * FROM ml.again) AS d;
TRUNCATE ml.shuffled;
INSERT INTO ml.shuffled SELECT p.* FROM ml.person AS p ORDER BY md5(p.id::text);
SELECT count(*) AS differ FROM (SELECT * FROM ml.outcome EXCEPT SELECT * FROM ml.again) AS d;
TRUNCATE ml.shuffled;
INSERT INTO ml.shuffled SELECT p.* FROM ml.person AS p ORDER BY p.email COLLATE "C", p.id;
SET maintenance_work_mem = '1MB';
SET work_mem = '64kB';
SELECT count(*) AS differ FROM (SELECT * FROM ml.outcome EXCEPT SELECT * FROM ml.again) AS d;
RESET work_mem;
RESET maintenance_work_mem;

-- Everybody has one name and was born on one day.
CREATE TABLE ml.odd (id integer, name text, born text);
INSERT INTO ml.odd SELECT i, 'John Smith', '1970-01-01' FROM generate_series(1, 20000) AS i;
SELECT count(*) AS rows, count(DISTINCT m.cluster) AS clusters
  FROM ssot.match('ml.odd', '{id}', '{"name": "person_name", "born": "date"}') AS m;

-- Everybody has one name, and every fifth row is there twice.
UPDATE ml.odd AS o SET born = (date '1950-01-01' + CASE WHEN o.id % 5 = 0 THEN o.id - 1 ELSE o.id END)::text;
SELECT count(*) AS rows, count(DISTINCT m.cluster) >= 16000 AS apart
  FROM ssot.match('ml.odd', '{id}', '{"name": "person_name", "born": "date"}') AS m;

-- Rows that say nothing.
UPDATE ml.odd SET name = NULL, born = NULL;
SELECT count(*) AS rows, count(DISTINCT m.cluster) AS clusters
  FROM ssot.match('ml.odd', '{id}', '{"name": "person_name", "born": "date"}') AS m;
UPDATE ml.odd SET name = '', born = '  ';
SELECT count(*) AS rows, count(DISTINCT m.cluster) AS clusters
  FROM ssot.match('ml.odd', '{id}', '{"name": "person_name", "born": "date"}') AS m;

-- Texts of ten thousand bytes are compared by their beginning, but only wholly equal ones are equal.
TRUNCATE ml.odd;
INSERT INTO ml.odd
SELECT i, repeat(md5((i % 1500)::text) || ' ', 300) || CASE WHEN i > 3000 THEN 'other end' ELSE '' END, NULL
  FROM generate_series(1, 4500) AS i;
SELECT count(*) AS rows, count(DISTINCT m.cluster) >= 1500 AS apart
  FROM ssot.match('ml.odd', '{id}', '{"name": "text"}') AS m;
SELECT p.evidence, count(*) > 0 AS met
  FROM ssot.match_pairs('ml.odd', '{id}', '{"name": "text"}', review => 0.000001) AS p
 WHERE abs(p.left_key::integer - p.right_key::integer) IN (1500, 3000)
 GROUP BY p.evidence, greatest(p.left_key::integer, p.right_key::integer) > 3000
 ORDER BY p.evidence::text COLLATE "C";
SET client_min_messages = warning;
DROP SCHEMA ml CASCADE;
