-- Matching the rows of any relation: what is found, what is refused, and what does not matter.
CREATE SCHEMA mt;
SET search_path = mt;
CREATE TABLE mt.contact (id integer PRIMARY KEY, system text, name text, city text, born date, tax text);

-- Two hundred people, of whom every fourth is there twice, the second time with a slip.
INSERT INTO mt.contact
SELECT i, 'crm', initcap(substr(md5(i::text), 1, 7)) || ' ' || initcap(translate(substr(md5((i % 90)::text), 1, 9), '0123456789', 'ghijklmnop')),
       'City ' || i % 17, date '1950-01-01' + i * 97, 'T' || (7919 * i + 100000)
  FROM generate_series(1, 200) AS i;
INSERT INTO mt.contact
SELECT 1000 + c.id, 'erp', overlay(c.name placing 'x' from 4 for 1), c.city,
       CASE WHEN c.id % 8 = 0 THEN c.born END, c.tax
  FROM mt.contact AS c
 WHERE c.id % 4 = 0;
CREATE VIEW mt.outcome AS
SELECT m.record_key, m.cluster
  FROM ssot.match('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}') AS m;
SELECT count(*) AS rows, count(DISTINCT o.cluster) AS clusters FROM mt.outcome AS o;
SELECT count(*) AS wrong
  FROM mt.outcome AS a
  JOIN mt.outcome AS b ON a.cluster = b.cluster AND a.record_key::integer < b.record_key::integer
 WHERE a.record_key::integer <> b.record_key::integer - 1000;
SELECT count(*) AS found
  FROM mt.outcome AS a
  JOIN mt.outcome AS b ON a.cluster = b.cluster AND a.record_key::integer = b.record_key::integer - 1000;

-- The evidence of a pair, and what was learnt.
SELECT p.left_key, p.right_key, round(p.weight::numeric) AS weight, p.probability > 0.99 AS sure, p.evidence, p.joined
  FROM ssot.match_pairs('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}') AS p
 WHERE p.left_key IN ('1004', '1008')
 ORDER BY p.left_key COLLATE "C";
SELECT m.field, m.level, m.m > m.u AS speaks_for
  FROM ssot.match_model('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}') AS m
 WHERE m.field IS NULL OR m.level IN ('different', 'equal')
 ORDER BY m.field COLLATE "C" NULLS FIRST, m.level COLLATE "C";
SELECT * FROM ssot.match_blocking('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}');
SELECT k.kind, array_length(k.levels, 1) > 1 AS graded FROM ssot.match_kinds() AS k
 WHERE k.kind IN ('date', 'exact', 'identifier', 'number', 'postcode', 'text') ORDER BY k.kind COLLATE "C";

-- The order of the rows does not matter.
CREATE TABLE mt.shuffled AS SELECT c.* FROM mt.contact AS c ORDER BY md5(c.id::text || 'x');
SELECT count(*) AS differ
  FROM (SELECT o.record_key, o.cluster FROM mt.outcome AS o
        EXCEPT
        SELECT m.record_key, m.cluster
          FROM ssot.match('mt.shuffled', '{id}', '{"name": "text", "city": "text", "born": "date"}') AS m) AS d;

-- No two rows of one system: duplicates inside the CRM stay apart, those of the ERP are found.
INSERT INTO mt.contact SELECT 2000 + c.id, 'crm', c.name, c.city, c.born, c.tax FROM mt.contact AS c WHERE c.id IN (1, 2, 3);
SELECT count(*) AS in_one_system
  FROM ssot.match('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}', one_per => 'system') AS m
  JOIN mt.contact AS c ON c.id = m.record_key::integer
 GROUP BY m.cluster, c.system
HAVING count(*) > 1;
SELECT count(*) > 0 AS in_one_system
  FROM (SELECT m.cluster
          FROM ssot.match('mt.contact', '{id}', '{"name": "text", "city": "text", "born": "date"}') AS m
          JOIN mt.contact AS c ON c.id = m.record_key::integer
         GROUP BY m.cluster, c.system
        HAVING count(*) > 1) AS s;

-- A different identifier forbids what all else says; one character off does not.
CREATE TABLE mt.twin (id text PRIMARY KEY, name text, born date, tax text);
INSERT INTO mt.twin SELECT c.id::text, c.name, c.born, c.tax FROM mt.contact AS c WHERE c.id < 1000;
INSERT INTO mt.twin SELECT 'other' || c.id, c.name, c.born, 'X' || c.id * 31337 FROM mt.contact AS c WHERE c.id BETWEEN 1 AND 50;
INSERT INTO mt.twin SELECT 'slip' || c.id, c.name, c.born, c.tax || '9' FROM mt.contact AS c WHERE c.id BETWEEN 51 AND 100;
INSERT INTO mt.twin SELECT 'none' || c.id, c.name, c.born, NULL FROM mt.contact AS c WHERE c.id BETWEEN 101 AND 150;
SELECT translate(m.record_key, '0123456789', '') AS copy, count(*) FILTER (WHERE m.cluster <> m.record_key) AS joined
  FROM ssot.match('mt.twin', '{id}', '{"name": "text", "born": "date", "tax": "identifier"}') AS m
 GROUP BY 1 ORDER BY 1;

-- Two lists that have nothing in common are never linked.
CREATE TABLE mt.apart AS
SELECT 'a' || i AS id, 'Person' || i * 7 AS name, 'town' || i % 7 AS city, 1900 + i % 90 AS year FROM generate_series(1, 3000) AS i
UNION ALL
SELECT 'b' || i, substr(md5(i::text), 1, 12), 'place' || i % 9, 1900 + i % 88 FROM generate_series(1, 3000) AS i;
SELECT count(*) AS linked
  FROM ssot.match('mt.apart', '{id}', '{"name": "text", "city": "text", "year": "number"}') AS m
 GROUP BY m.cluster
HAVING count(DISTINCT left(m.record_key, 1)) > 1;

-- Rows that say nothing; nothing but one value; empty and enormous texts; no rows, one row.
CREATE TABLE mt.odd (id integer, a text, b text);
SELECT count(*) AS clusters FROM ssot.match('mt.odd', '{id}', '{"a": "text", "b": "exact"}') AS m;
INSERT INTO mt.odd VALUES (1, 'x', 'y');
SELECT m.* FROM ssot.match('mt.odd', '{id}', '{"a": "text", "b": "exact"}') AS m;
TRUNCATE mt.odd;
INSERT INTO mt.odd SELECT i, NULL, CASE WHEN i % 2 = 0 THEN '' ELSE '  ' END FROM generate_series(1, 5000) AS i;
SELECT count(DISTINCT m.cluster) AS clusters FROM ssot.match('mt.odd', '{id}', '{"a": "text", "b": "exact"}') AS m;
UPDATE mt.odd SET a = 'Smith';
SELECT count(DISTINCT m.cluster) > 1000 AS apart FROM ssot.match('mt.odd', '{id}', '{"a": "text", "b": "exact"}') AS m;
TRUNCATE mt.odd;
INSERT INTO mt.odd SELECT i, repeat(md5((i % 100)::text) || ' ', 300) || i, 'v' || i % 100 FROM generate_series(1, 200) AS i;
SELECT count(DISTINCT m.cluster) > 0 AS done FROM ssot.match('mt.odd', '{id}', '{"a": "text", "b": "exact"}') AS m;

-- A key of several columns; a comparison of several columns.
SELECT m.record_key, m.cluster
  FROM ssot.match('mt.contact', '{system,id}', '{"who": {"kind": "text", "fields": ["name", "born"]}, "city": "text"}') AS m
 WHERE m.record_key LIKE '%|_' ORDER BY m.record_key;
SELECT count(*) FROM ssot.match('mt.twin', '{tax,id}', '{"name": "text"}') AS m;  -- ERROR

-- What is not said: the key is the primary key, comparisons go by the names of the other columns, and are told.
CREATE TABLE mt.person (list text, no integer, first_name text, surname text, "birthDate" date, email text, remark text,
    PRIMARY KEY (no, list));
INSERT INTO mt.person
SELECT l.list, i, initcap(substr(md5(i::text), 1, 7)), initcap(substr(md5((i % 90)::text || 'x'), 1, 9)), date '1950-01-01' + i * 97,
       md5(i::text) || '@example.com', l.list || i
  FROM generate_series(1, 100) AS i, (VALUES ('a'), ('b')) AS l (list);
SELECT count(*) AS rows, count(DISTINCT m.cluster) AS clusters, min(m.record_key COLLATE "C") AS least FROM ssot.match('mt.person') AS m;
SELECT count(*) AS joined FROM ssot.match_pairs('mt.person', one_per => 'list') AS p WHERE p.joined;
SELECT m.field, m.kind FROM ssot.match_model('mt.person', '{no,list}') AS m WHERE m.level = 'equal' ORDER BY m.field COLLATE "C";
SELECT m.rule, m.pairs FROM ssot.match_blocking('mt.person', one_per => 'list') AS m;
CREATE VIEW mt.persons AS SELECT p.no, p.first_name, p.remark FROM mt.person AS p;
SELECT * FROM ssot.match('mt.persons');  -- ERROR
SELECT * FROM ssot.match('mt.persons', '{no,first_name}');  -- ERROR
SELECT * FROM ssot.match('mt.person', match => NULL);  -- ERROR

-- What is refused.
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": "txt"}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"nome": "text"}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": {"sort": "text"}}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": {"fields": ["name"]}}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{nr}', '{"name": "text"}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{}', '{"name": "text"}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{name}', '{"name": "text"}');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": "text"}', one_per => 'id');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": "text"}', one_per => 'nr');  -- ERROR
SELECT * FROM ssot.match('mt.twin', '{id}', '{"name": "text"}', match => 1.5);  -- ERROR
SELECT * FROM ssot.match(NULL, '{id}', '{"name": "text"}');  -- ERROR

DROP SCHEMA mt CASCADE;
