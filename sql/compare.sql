-- Comparing two relations: what is reported, equality by type, forms of relations, and memory.
SET client_min_messages = warning;
CREATE SCHEMA cmp;
SET search_path = cmp;
CREATE COLLATION cmp.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE cmp.a (id integer, name text, amount numeric, born date, detail json, tags text[]);
CREATE TABLE cmp.b (born date, id bigint, name text, amount numeric, detail json, tags text[], more text);
INSERT INTO cmp.a VALUES
    (1, 'same', 1.0, '2026-01-01', '{"a": 1}', '{x,y}'),
    (2, 'other', 1, NULL, '{"a": 1}', '{x,y}'),
    (3, NULL, NULL, NULL, NULL, NULL),
    (4, 'only left', NULL, NULL, NULL, NULL),
    (6, 'twice left', NULL, NULL, NULL, NULL),
    (6, 'twice left', NULL, NULL, NULL, NULL),
    (7, 'twice right', NULL, NULL, NULL, NULL),
    (NULL, 'no key', NULL, NULL, NULL, NULL);
INSERT INTO cmp.b (id, name, amount, born, detail, tags) VALUES
    (1, 'same', 1.00, '2026-01-01', '{"a": 1}', '{x,y}'),
    (2, 'another', 2, '2026-01-01', '{"a": 2}', '{y,x}'),
    (3, NULL, NULL, NULL, NULL, NULL),
    (5, 'only right', NULL, NULL, NULL, NULL),
    (6, 'twice left', NULL, NULL, NULL, NULL),
    (7, 'twice right', NULL, NULL, NULL, NULL),
    (7, 'twice right', NULL, NULL, NULL, NULL),
    (7, 'and again', NULL, NULL, NULL, NULL),
    (NULL, 'no key', NULL, NULL, NULL, NULL);
SELECT * FROM ssot.compare('a', 'b', key => '{id}') ORDER BY record_key, kind COLLATE "C", field COLLATE "C";
SELECT * FROM ssot.compare('a', 'b', key => '{id}', columns => '{amount}') AS c WHERE c.kind = 'mismatch' ORDER BY record_key;
SELECT * FROM ssot.compare('a', 'b', key => '{id}', columns => '{}') AS c ORDER BY record_key, kind COLLATE "C";

-- Keys of several columns are printed as keys of records are; equality of keys is the type's.
CREATE TABLE cmp.c (x text COLLATE cmp.any_case, y numeric, v text);
CREATE TABLE cmp.d (x text COLLATE cmp.any_case, y numeric, v text);
INSERT INTO cmp.c VALUES ('one', 1.0, 'v'), ('two|', 2, 'v'), ('back\slash', 3, NULL);
INSERT INTO cmp.d VALUES ('ONE', 1, 'v'), ('two|', 2, 'w'), ('back\slash', 4, NULL);
SELECT * FROM ssot.compare('c', 'd', key => '{x,y}') ORDER BY record_key COLLATE "C", kind COLLATE "C";

ALTER TABLE cmp.d ALTER x TYPE text COLLATE "C";
SELECT * FROM ssot.compare('c', 'd', key => '{x,y}') ORDER BY record_key COLLATE "C", kind COLLATE "C";

-- Keys that differ by little are not mistaken for each other.
CREATE TABLE cmp.short_left AS SELECT 'k' || g AS key, g % 10 AS digit FROM generate_series(1, 5000) AS g;
CREATE TABLE cmp.short_right AS SELECT 'k' || g AS key, g % 10 AS digit FROM generate_series(0, 4999) AS g;
SELECT * FROM ssot.compare('short_left', 'short_right', key => '{key}') ORDER BY record_key;
SELECT count(*) AS differ FROM ssot.compare('short_left', 'short_right', key => '{key,digit}');

-- Views, partitioned tables, dropped and added columns, inheritance, values out of line.
CREATE VIEW cmp.a_view AS SELECT a.id, a.name, a.amount FROM cmp.a;
CREATE TABLE cmp.b_parts (id integer, name text, amount numeric) PARTITION BY RANGE (id);
CREATE TABLE cmp.b_low PARTITION OF cmp.b_parts FOR VALUES FROM (MINVALUE) TO (3);
CREATE TABLE cmp.b_high PARTITION OF cmp.b_parts FOR VALUES FROM (3) TO (MAXVALUE);
INSERT INTO cmp.b_parts SELECT b.id, b.name, b.amount FROM cmp.b WHERE b.id IS NOT NULL;
SELECT * FROM ssot.compare('a_view', 'b_parts', key => '{id}') ORDER BY record_key, kind COLLATE "C", field COLLATE "C";
CREATE TABLE cmp.e (gone text, id integer PRIMARY KEY, name text);
INSERT INTO cmp.e SELECT 'gone', g, 'name ' || g FROM generate_series(1, 300) AS g;
ALTER TABLE cmp.e DROP COLUMN gone;
ALTER TABLE cmp.e ADD COLUMN added text DEFAULT 'default';
CREATE TABLE cmp.f AS SELECT id, name, added FROM cmp.e;
UPDATE cmp.f SET added = NULL WHERE id = 17;
UPDATE cmp.f SET name = name || '!' WHERE id = 18;
SELECT * FROM ssot.compare('e', 'f', key => '{id}') ORDER BY record_key;
CREATE TABLE cmp.e_child () INHERITS (cmp.e);
INSERT INTO cmp.e_child VALUES (301, 'name 301', 'default');
SELECT * FROM ssot.compare('e', 'f', key => '{id}') ORDER BY record_key;
CREATE TABLE cmp.g AS SELECT g AS id, repeat('long ' || g, 2000) AS body FROM generate_series(1, 20) AS g;
CREATE TABLE cmp.h (id integer, body text);
ALTER TABLE cmp.h ALTER body SET STORAGE EXTERNAL;
INSERT INTO cmp.h SELECT g.id, g.body FROM cmp.g AS g;
UPDATE cmp.h SET body = body || '.' WHERE id = 7;
SELECT record_key, kind, field, right(left_value, 7), right(right_value, 7) FROM ssot.compare('g', 'h', key => '{id}');

-- Many rows, with little memory and with much, in any order: the same answer as SQL's.
CREATE TABLE cmp.big AS
SELECT g AS id, 'name ' || g % 1000 AS name, g::numeric / 100 AS amount, CASE WHEN g % 7 > 0 THEN g % 7 END AS small
FROM generate_series(1, 60000) AS g;
CREATE TABLE cmp.copied AS
SELECT small, CASE WHEN id % 500 = 3 THEN 'changed' ELSE name END AS name, CASE WHEN id % 777 = 5 THEN NULL ELSE amount END AS amount, id
FROM cmp.big
WHERE id % 900 <> 1
ORDER BY hashint4(id);
INSERT INTO cmp.copied SELECT g % 7, 'new', g, 60000 + g FROM generate_series(1, 30) AS g;
CREATE VIEW cmp.expected AS
SELECT coalesce(l.id, r.id)::text AS record_key, CASE WHEN r.id IS NULL THEN 'missing_right' WHEN l.id IS NULL THEN 'missing_left' ELSE 'mismatch' END AS kind,
       f.field, f.l AS left_value, f.r AS right_value
FROM cmp.big AS l
FULL JOIN cmp.copied AS r ON r.id = l.id
LEFT JOIN LATERAL (VALUES ('name', l.name, r.name), ('amount', l.amount::text, r.amount::text), ('small', l.small::text, r.small::text)) AS f (field, l, r)
    ON l.id IS NOT NULL AND r.id IS NOT NULL AND f.l IS DISTINCT FROM f.r
WHERE l.id IS NULL OR r.id IS NULL OR f.field IS NOT NULL;
SET maintenance_work_mem = '1MB';
CREATE TABLE cmp.found AS SELECT * FROM ssot.compare('big', 'copied', key => '{id}');
SELECT kind, field, count(*) FROM cmp.found GROUP BY kind, field ORDER BY kind, field;
SELECT count(*) AS unlike FROM ((TABLE cmp.found EXCEPT ALL TABLE cmp.expected) UNION ALL (TABLE cmp.expected EXCEPT ALL TABLE cmp.found)) AS u;
RESET maintenance_work_mem;
TRUNCATE cmp.found;
INSERT INTO cmp.found SELECT * FROM ssot.compare('big', 'copied', key => '{id}');
SELECT count(*) AS unlike FROM ((TABLE cmp.found EXCEPT ALL TABLE cmp.expected) UNION ALL (TABLE cmp.expected EXCEPT ALL TABLE cmp.found)) AS u;

-- Keys that are declared unique: side by side, in another order and in the same.
ALTER TABLE cmp.big ADD PRIMARY KEY (id);
ALTER TABLE cmp.copied ADD UNIQUE (id);
TRUNCATE cmp.found;
INSERT INTO cmp.found SELECT * FROM ssot.compare('big', 'copied', key => '{id}');
SELECT count(*) AS unlike FROM ((TABLE cmp.found EXCEPT ALL TABLE cmp.expected) UNION ALL (TABLE cmp.expected EXCEPT ALL TABLE cmp.found)) AS u;
CREATE TABLE cmp.sorted AS SELECT * FROM cmp.copied ORDER BY id;
DROP TABLE cmp.copied CASCADE;
ALTER TABLE cmp.sorted RENAME TO copied;
ALTER TABLE cmp.copied ADD UNIQUE (id);
CREATE VIEW cmp.expected AS
SELECT coalesce(l.id, r.id)::text AS record_key, CASE WHEN r.id IS NULL THEN 'missing_right' WHEN l.id IS NULL THEN 'missing_left' ELSE 'mismatch' END AS kind,
       f.field, f.l AS left_value, f.r AS right_value
FROM cmp.big AS l
FULL JOIN cmp.copied AS r ON r.id = l.id
LEFT JOIN LATERAL (VALUES ('name', l.name, r.name), ('amount', l.amount::text, r.amount::text), ('small', l.small::text, r.small::text)) AS f (field, l, r)
    ON l.id IS NOT NULL AND r.id IS NOT NULL AND f.l IS DISTINCT FROM f.r
WHERE l.id IS NULL OR r.id IS NULL OR f.field IS NOT NULL;
TRUNCATE cmp.found;
INSERT INTO cmp.found SELECT * FROM ssot.compare('big', 'copied', key => '{id}');
SELECT count(*) AS unlike FROM ((TABLE cmp.found EXCEPT ALL TABLE cmp.expected) UNION ALL (TABLE cmp.expected EXCEPT ALL TABLE cmp.found)) AS u;
INSERT INTO cmp.copied (id, name) VALUES (NULL, 'no key'), (NULL, 'nor this');
SELECT * FROM ssot.compare('big', 'copied', key => '{id}', columns => '{}') AS c WHERE c.record_key IS NULL;
DELETE FROM cmp.copied WHERE id IS NULL;

-- Everything differs.
UPDATE cmp.copied SET small = coalesce(small, 0) + 1;
TRUNCATE cmp.found;
INSERT INTO cmp.found SELECT * FROM ssot.compare('big', 'copied', key => '{id}');
SELECT count(*) > 60000 AS many FROM cmp.found;
SELECT count(*) AS unlike FROM ((TABLE cmp.found EXCEPT ALL TABLE cmp.expected) UNION ALL (TABLE cmp.expected EXCEPT ALL TABLE cmp.found)) AS u;

-- Nothing to compare, and what cannot be compared.
CREATE TABLE cmp.empty (id integer, name text);
SELECT count(*) FROM ssot.compare('empty', 'empty', key => '{id}');
SELECT count(*), min(kind) FROM ssot.compare('empty', 'f', key => '{id}');
CREATE SEQUENCE cmp.numbers;
SELECT * FROM ssot.compare('a', 'b', key => '{}'); -- ERROR
SELECT * FROM ssot.compare('a', 'b', key => '{id,NULL}'); -- ERROR
SELECT * FROM ssot.compare('a', 'b', key => NULL); -- ERROR
SELECT * FROM ssot.compare('a', 'b', key => '{no}'); -- ERROR
SELECT * FROM ssot.compare('a', 'b', key => '{id}', columns => '{more}'); -- ERROR
SELECT * FROM ssot.compare('a', 'numbers', key => '{id}'); -- ERROR
SELECT * FROM ssot.compare('a', 'b', key => '{detail}'); -- ERROR
ALTER TABLE cmp.empty ALTER name TYPE integer USING 0;
\set VERBOSITY terse
SELECT * FROM ssot.compare('a', 'empty', key => '{id}'); -- ERROR
\set VERBOSITY default

-- Under the caller's rights and policies.
CREATE ROLE regress_cmp_reader;
GRANT USAGE ON SCHEMA cmp TO regress_cmp_reader;
GRANT SELECT (id, name) ON cmp.f TO regress_cmp_reader;
GRANT SELECT ON cmp.e, cmp.e_child TO regress_cmp_reader;
ALTER TABLE cmp.e ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON cmp.e USING (id <= 299);
SET ROLE regress_cmp_reader;
\set VERBOSITY terse
SELECT * FROM ssot.compare('e', 'f', key => '{id}'); -- ERROR
\set VERBOSITY default
SELECT * FROM ssot.compare('e', 'f', key => '{id}', columns => '{name}') ORDER BY record_key;
RESET ROLE;
RESET search_path;
DROP OWNED BY regress_cmp_reader;
DROP ROLE regress_cmp_reader;
DROP SCHEMA cmp CASCADE;
