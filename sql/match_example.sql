-- The worked example of src/identity/README: its numbers are these.
CREATE SCHEMA me;
SET search_path = me;
CREATE TABLE me.person (id integer PRIMARY KEY, name text, born date);
INSERT INTO me.person
SELECT i, translate(md5(i::text), '0123456789', 'ghijklmnop'), date '1950-01-01' + i * 41
  FROM generate_series(1, 400) AS i;
UPDATE me.person SET name = substr(name, 1, 7) || ' ' || substr(name, 9, 9);
-- A quarter is there twice: the name with a slip, every second time the day of birth too.
INSERT INTO me.person
SELECT p.id + 1000, overlay(p.name placing 'z' from 5 for 1),
       CASE WHEN p.id % 8 = 0 THEN p.born ELSE p.born + CASE WHEN extract(day FROM p.born) IN (9, 19, 29, 31, 30, 28) THEN -1 ELSE 1 END END
  FROM me.person AS p
 WHERE p.id % 4 = 0;

-- What was learnt: the prior, and the two levels of the pair.
SELECT coalesce(m.field || ': ' || m.level, 'prior') AS what, round(m.m::numeric, 4) AS m, round(m.u::numeric, 6) AS u,
       round(m.weight::numeric, 2) AS weight
  FROM ssot.match_model('me.person', '{id}', '{"name": "text", "born": "date"}') AS m
 WHERE m.field IS NULL OR m.level IN ('very close', 'one digit off or day and month exchanged')
 ORDER BY m.field DESC NULLS FIRST;
-- The pair.
SELECT p.left_key, p.right_key, round(p.weight::numeric, 2) AS weight, round(p.probability::numeric, 6) AS probability, p.evidence, p.joined
  FROM ssot.match_pairs('me.person', '{id}', '{"name": "text", "born": "date"}') AS p
 WHERE p.left_key = '1004';
-- Weights add up, and are logarithms.
SELECT abs(p.weight - (SELECT sum(m.weight)
                         FROM ssot.match_model('me.person', '{id}', '{"name": "text", "born": "date"}') AS m
                        WHERE m.field IS NULL OR m.level IN ('very close', 'one digit off or day and month exchanged'))) < 0.001 AS adds_up,
       abs(p.probability - 1 / (1 + 2 ^ -p.weight)) < 1e-9 AS is_probability
  FROM ssot.match_pairs('me.person', '{id}', '{"name": "text", "born": "date"}') AS p
 WHERE p.left_key = '1004';
SELECT bool_and(abs(m.weight - log(2, (CASE WHEN m.field IS NULL THEN m.m / (1 - m.m) ELSE m.m / m.u END)::numeric)::double precision) < 0.001)
           AS logarithms
  FROM ssot.match_model('me.person', '{id}', '{"name": "text", "born": "date"}') AS m
 WHERE m.field IS NULL OR m.level = 'one digit off or day and month exchanged';
-- All hundred are found, and nothing else.
SELECT count(*) AS rows, count(DISTINCT m.cluster) AS clusters
  FROM ssot.match('me.person', '{id}', '{"name": "text", "born": "date"}') AS m;

DROP SCHEMA me CASCADE;
