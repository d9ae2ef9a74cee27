--
-- What is said about matching instead of being derived or learnt: levels, thresholds,
-- weights, blocking, the prior; for any relation and for an entity
--
\pset null '(null)'
CREATE SCHEMA t_over;
SET search_path = t_over;

-- Four hundred people; every fourth is there again, with a slip or another day of birth.
CREATE TABLE person (id integer PRIMARY KEY, name text, born date, city text, salary numeric, tax text);
INSERT INTO person
SELECT i, initcap(translate(substr(md5(i::text), 1, 8), '0123456789', 'ghijklmnop')) || ' ' || initcap(translate(substr(md5((i % 90)::text), 1, 9), '0123456789', 'ghijklmnop')),
       date '1950-01-01' + i * 47, 'City ' || i % 17, 20000 + i * 13, 'T' || (7919 * i + 100000)
  FROM generate_series(1, 400) AS i;
INSERT INTO person
SELECT 1000 + p.id, CASE WHEN p.id % 8 = 0 THEN overlay(p.name PLACING 'x' FROM 4 FOR 1) ELSE p.name END,
       CASE WHEN p.id % 12 = 0 THEN p.born + 3 ELSE p.born END, p.city, p.salary * 1.004, CASE WHEN p.id % 20 = 0 THEN 'X1' ELSE p.tax END
  FROM person AS p WHERE p.id % 4 = 0;
CREATE FUNCTION quality(compare jsonb, blocking jsonb DEFAULT NULL, prior float8 DEFAULT NULL, OUT found bigint, OUT wrong bigint)
LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE a.record_key::int + 1000 = b.record_key::int), count(*) FILTER (WHERE a.record_key::int + 1000 <> b.record_key::int)
      FROM ssot.match('t_over.person', '{id}', compare, blocking => blocking, prior => prior) AS a
      JOIN ssot.match('t_over.person', '{id}', compare, blocking => blocking, prior => prior) AS b
        ON a.cluster = b.cluster AND a.record_key::int < b.record_key::int
$$;

-- Levels by name, by the beginning of a name, none; by thresholds of what a kind measures
SELECT k.kind, k.thresholds FROM ssot.match_kinds() AS k WHERE k.thresholds IS NOT NULL ORDER BY k.kind;
CREATE VIEW said AS
SELECT m.field, m.level_number, m.level, m.m > m.u AS speaks_for
  FROM ssot.match_model('t_over.person', '{id}', '{"name": {"kind": "text", "levels": [0.8, 0.95]},
       "born": {"kind": "date", "levels": ["one digit off", "equal"]}, "city": {"kind": "text", "levels": []},
       "salary": {"kind": "number", "levels": [0.99]}, "tax": {"kind": "text", "levels": ["very close"]}}') AS m;
SELECT * FROM said AS s WHERE s.field IS NOT NULL ORDER BY s.field, s.level_number;
SELECT * FROM quality('{"name": {"kind": "text", "levels": [0.95, 0.8]}, "born": {"kind": "date", "levels": [7, 366]}, "city": "text"}');
-- the measure decides: three days apart are "7 or less", a name with a slip "0.9 or more"
SELECT p.right_key, p.evidence
  FROM ssot.match_pairs('person', '{id}', '{"name": {"kind": "text", "levels": [0.9]}, "born": {"kind": "date", "levels": [7]}, "city": "exact"}') AS p
 WHERE p.right_key IN ('4', '8', '12', '24') AND p.left_key::int = p.right_key::int + 1000
 ORDER BY p.right_key::int;
-- people and companies measure likeness of the whole
SELECT m.field, m.level FROM ssot.match_model('person', '{id}', '{"name": {"kind": "person_name", "levels": [0.9, 0.8]}, "city": {"kind": "company", "levels": [0.5]}}') AS m
 WHERE m.field IS NOT NULL ORDER BY m.field, m.level_number;
-- Levels of the kind, all listed, are the kind itself
SELECT count(*) AS differ
  FROM ssot.match_model('person', '{id}', '{"name": "text", "born": "date"}') AS a
  JOIN ssot.match_model('person', '{id}', '{"name": {"kind": "text", "levels": ["alike", "close", "very close"]}, "born": "date"}') AS b
       ON b.field IS NOT DISTINCT FROM a.field AND b.level IS NOT DISTINCT FROM a.level
 WHERE (a.m, a.u, a.weight) IS DISTINCT FROM (b.m, b.u, b.weight);

-- Weights by hand: learning leaves them alone, the others stay between them
SELECT m.field, m.level, m.weight, round(m.m::numeric, 3) AS m, round(m.u::numeric, 3) AS u
  FROM ssot.match_model('person', '{id}', '{"name": {"kind": "text", "weights": {"different": -3, "close": 4.5, "very close": 4.5}},
       "city": {"kind": "exact", "weights": {"equal": {"m": 0.8, "u": 0.1}, "different": {"m": 0.2, "u": 0.9}}},
       "born": {"kind": "date", "levels": [10], "weights": {"10": 2.5}}}') AS m
 WHERE (m.field, m.level) IN (('name', 'different'), ('name', 'close'), ('name', 'very close'), ('city', 'equal'), ('city', 'different'), ('born', '10 or less'))
   AND (m.field = 'city' OR m.weight IN (-3, 4.5, 2.5))
 ORDER BY m.field, m.level_number;
SELECT bool_and(m.weight >= m.before) AS rising, min(m.weight) FILTER (WHERE m.level = 'alike') BETWEEN -3 AND 4.5 AS between
  FROM (SELECT x.*, lag(x.weight, 1, x.weight) OVER (ORDER BY x.level_number) AS before
          FROM ssot.match_model('person', '{id}', '{"name": {"kind": "text", "weights": {"different": -3, "close": 4.5}}, "born": "date"}') AS x WHERE x.field = 'name') AS m;
-- ... also those of equal values, which no rarity moves; and of what would forbid
SELECT DISTINCT p.evidence ->> 'city' AS city, round(p.weight::numeric, 6) AS weight
  FROM ssot.match_pairs('person', '{id}', '{"city": {"kind": "exact", "weights": {"equal": 30e-1, "different": -8}}}', prior => 0.2, review => 0.6) AS p;
SELECT count(*) FILTER (WHERE q.tax = 'different') AS forbidden,
       (SELECT count(*) > 0 FROM ssot.match_pairs('person', '{id}', '{"name": "text", "born": "date", "tax": {"kind": "identifier", "weights": {"different": -4}}}') AS p
         WHERE p.evidence ->> 'tax' = 'different') AS weighed
  FROM (SELECT p.evidence ->> 'tax' AS tax FROM ssot.match_pairs('person', '{id}', '{"name": "text", "born": "date", "tax": "identifier"}') AS p) AS q;

-- The prior
SELECT m.level, m.m AS prior, round(m.weight::numeric, 6) AS weight FROM ssot.match_model('person', '{id}', '{"name": "text", "born": "date"}', prior => 0.0001) AS m WHERE m.field IS NULL;
SELECT m.level, m.m > 0 AS estimated FROM ssot.match_model('person', '{id}', '{"name": "text", "born": "date"}') AS m WHERE m.field IS NULL;

-- Blocking: by whole values, by one of a comparison's keys, by several; besides what is derived
SELECT b.rule, b.pairs > 0 AS pairs FROM ssot.match_blocking('person', '{id}', '{"name": "text", "born": "date", "city": "text"}',
       blocking => '[["name"], ["born:year", "city"], ["name:beginning", "born:month and day", "city"], ["name:rare word"]]') AS b;
SELECT count(*) FILTER (WHERE b.rule = 'tax identifier') AS given, count(*) > 1 AS others
  FROM ssot.match_blocking('person', '{id}', '{"name": "text", "born": "date", "tax": "identifier"}', blocking => '["+", ["tax"]]') AS b;
SELECT b.rule, b.pairs FROM ssot.match_blocking('person', '{id}', '{"name": "text", "born": "date"}', blocking => '[]') AS b;
SELECT * FROM quality('{"name": "text", "born": "date", "city": "text"}', '[["name"]]');
SELECT * FROM quality('{"name": "text", "born": "date", "city": "text"}', '[["name"], ["born:year and month", "city"]]');
-- a key that too many share brings nobody together, a finer one does, and that is said
CREATE TABLE many AS SELECT p.id * 10 + i AS id, p.name || ' ' || i AS name, 'DE' AS country FROM person AS p, generate_series(1, 5) AS i;
SELECT b.rule, b.oversized, b.oversized_records FROM ssot.match_blocking('many', '{id}', '{"name": "text", "country": "exact"}', blocking => '[["country"]]') AS b;
SELECT count(*) > 0 AS ran FROM ssot.match('many', '{id}', '{"name": "text", "country": "exact"}', blocking => '[["country"]]') AS m;

-- Refused, with what there is
SELECT * FROM ssot.match('person', '{id}', '{"born": {"kind": "date", "levels": ["within a day"]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"born": {"kind": "date", "levels": ["within a"]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"born": {"kind": "date", "levels": "equal"}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"born": {"kind": "date", "levels": [-1]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "levels": [0.9, "close"]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "levels": [90]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "levels": [0.9, 0.9]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "email", "levels": [0.9]}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": {"different": 5, "equal": 3}}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": {"equal": 100}}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": {"equal": {"m": 1.5}}}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": {"equal": {"m": 0.9}, "close": {"m": 0.2}}}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": {"best": 3}}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": {"kind": "text", "weights": 3}}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', prior => 1); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', prior => 'NaN'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '[["nam"]]'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '[["name:sound"]]'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '["name"]'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '{"name": 1}'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '[[]]'); -- ERROR
SELECT * FROM ssot.match('person', '{id}', '{"name": "text"}', blocking => '[["name", "name:beginning"]]'); -- ERROR

-- The order of rows changes nothing, whatever is said.
CREATE TABLE shuffled AS SELECT p.* FROM person AS p ORDER BY md5(p.id::text || 'x');
SELECT count(*) AS differ
  FROM (SELECT p.left_key, p.right_key, p.weight, p.joined
          FROM ssot.match_pairs('person', '{id}', '{"name": {"kind": "text", "levels": [0.95, 0.8], "weights": {"0.95": 7}}, "born": {"kind": "date", "levels": [31]}, "city": "text"}',
               blocking => '[["name:beginning"], ["born:year", "city"]]', prior => 0.001) AS p
        EXCEPT
        SELECT p.left_key, p.right_key, p.weight, p.joined
          FROM ssot.match_pairs('shuffled', '{id}', '{"name": {"kind": "text", "levels": [0.95, 0.8], "weights": {"0.95": 7}}, "born": {"kind": "date", "levels": [31]}, "city": "text"}',
               blocking => '[["name:beginning"], ["born:year", "city"]]', prior => 0.001) AS p) AS d;

-- An entity: declared, kept, shown, obeyed by runs that match what changed and by look-ups
CREATE TABLE crm (id text PRIMARY KEY, name text, born date, city text);
INSERT INTO crm SELECT 'K' || p.id, p.name, p.born, p.city FROM person AS p WHERE p.id < 1000;
CREATE TABLE list (id text PRIMARY KEY, name text, born date, city text);
INSERT INTO list SELECT 'L' || p.id, p.name, p.born, p.city FROM person AS p WHERE p.id BETWEEN 1000 AND 1200;
CREATE TABLE who (who_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text, born date, city text);
SELECT ssot.create_system(s.name, owner => 'ops') FROM (VALUES ('crm'), ('list')) AS s (name);
SELECT ssot.register_entity('who', owner => 'ops', max_retire => 1);
SELECT count(ssot.create_source('who', s.name, s.name, key => 'id', fields => '{"name": "name", "born": "born", "city": "city"}')) AS sources FROM (VALUES ('crm'), ('list')) AS s (name);
SELECT ssot.set_matching('who', compare => '{"name": {"kind": "text", "levels": [0.95, 0.85], "weights": {"different": -6}}, "born": {"kind": "date", "levels": ["one digit", "within a month"]}, "city": "text"}',
       blocking => '[["born:year", "city"]]', prior => 0.002);
SELECT m.compare, m.blocking, m.prior FROM ssot.matching AS m WHERE m.entity = 't_over.who';
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who');
CREATE FUNCTION golden(record text) RETURNS bigint LANGUAGE sql AS $$
    SELECT s.who_id FROM t_over_ssot.who_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source WHERE y.system || ':' || s.ssot_key = record
$$;
SELECT count(*) FILTER (WHERE golden('list:' || l.id) = golden('crm:K' || substr(l.id, 2)::int - 1000)) AS found, count(*) AS asked FROM list AS l;
SELECT e.step, e.comparison, e.level, CASE WHEN e.step = 0 OR e.level = 'different' THEN round(e.weight::numeric, 4) END AS weight
  FROM ssot.explain_match('who', 'crm:K8', 'list:L1012') AS e ORDER BY e.step;
SELECT cardinality(m.keys) AS keys, count(*) > 0 AS some FROM t_over_ssot.who_match AS m GROUP BY 1;
-- a new record meets others under the rules that were given, and under no others
INSERT INTO list SELECT 'L1300', p.name, p.born, p.city FROM person AS p WHERE p.id = 300;
INSERT INTO list SELECT 'L1301', p.name, p.born, 'Elsewhere' FROM person AS p WHERE p.id = 301;
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who');
SELECT golden('list:L1300') = golden('crm:K300') AS found, golden('list:L1301') = golden('crm:K301') AS without_its_key;
SELECT count(*) FILTER (WHERE f.record = 'crm:K302') AS with_key FROM ssot.find_matches('who', (SELECT jsonb_build_object('name', p.name, 'born', p.born, 'city', p.city) FROM person AS p WHERE p.id = 302)) AS f;
SELECT count(*) AS without_key FROM ssot.find_matches('who', (SELECT jsonb_build_object('name', p.name, 'born', p.born) FROM person AS p WHERE p.id = 302)) AS f;
SELECT m.model_id AS model FROM ssot.matching AS m WHERE m.entity = 't_over.who' \gset
-- full = incremental
CREATE TABLE step AS SELECT s.ssot_key, min(s.ssot_key) OVER (PARTITION BY s.who_id) AS cluster FROM t_over_ssot.who_source AS s;
SELECT ssot.set_matching('who', match => 0.8) IS NOT NULL AS declared;
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who', full => true);
SELECT count(*) AS differ FROM (TABLE step EXCEPT SELECT s.ssot_key, min(s.ssot_key) OVER (PARTITION BY s.who_id) FROM t_over_ssot.who_source AS s) AS d;
SELECT m.model_id = :model AS kept, m.blocking, m.prior FROM ssot.matching AS m WHERE m.entity = 't_over.who';
-- a key that too many records share is capped in runs too, and that is said
SELECT ssot.set_matching('who', blocking => '[["city:beginning"]]') IS NOT NULL AS declared;
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who');
-- back to what is derived and estimated: a new model is learnt
SELECT ssot.set_matching('who', blocking => '[]', prior => 0) IS NOT NULL AS declared;
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who');
SELECT m.model_id > :model AS new, m.blocking, m.prior FROM ssot.matching AS m WHERE m.entity = 't_over.who';
SELECT golden('list:L1301') = golden('crm:K301') AS found;
SELECT e.level FROM ssot.explain_match('who', 'crm:K8', 'list:L1012') AS e WHERE e.step = 0;
-- refused, and nothing changed
SELECT ssot.set_matching('who', compare => '{"name": {"kind": "text", "levels": ["closest"]}}'); -- ERROR
SELECT ssot.set_matching('who', blocking => '[["salary"]]'); -- ERROR
SELECT ssot.set_matching('who', compare => '{"name": "text"}', blocking => '[["born"]]'); -- ERROR
SELECT ssot.set_matching('who', prior => -0.1); -- ERROR
-- a column that is dropped takes the rules that name it along
SELECT ssot.set_matching('who', blocking => '[["name:rare word", "born"], ["born:year", "city"], ["name"]]') IS NOT NULL AS declared;
SET client_min_messages = warning;
ALTER TABLE who DROP COLUMN city;
RESET client_min_messages;
SELECT m.compare, m.blocking FROM ssot.matching AS m WHERE m.entity = 't_over.who';
SELECT count(*) > 0 AS ran FROM ssot.reconcile('who');

SET client_min_messages = warning;
SELECT ssot.unregister_entity('who', drop_companions => true);
SELECT ssot.drop_system(s.name) FROM (VALUES ('crm'), ('list')) AS s (name);
DROP SCHEMA t_over CASCADE;
DROP SCHEMA t_over_ssot CASCADE;
DROP SCHEMA t_over_as_of CASCADE;
