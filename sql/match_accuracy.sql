-- How well rows are matched, unsupervised and at the default threshold, on public data with known truth
-- (test/data/matching). F1 is that of all pairs inside clusters against all true pairs.
\getenv source PG_ABS_SRCDIR
\set data :source '/test/data/matching'
\cd :data
CREATE SCHEMA ma;
SET search_path = ma;
CREATE TABLE ma.found (record_key text, cluster text);
CREATE TABLE ma.truth (a text, b text);
CREATE VIEW ma.score AS
SELECT round(2.0 * t.hits / (t.pairs + t.truths), 4) AS f1
  FROM (SELECT count(x.a) AS hits, count(*) AS pairs, (SELECT count(*) FROM ma.truth) AS truths
          FROM ma.found AS f
          JOIN ma.found AS g ON f.cluster = g.cluster AND f.record_key COLLATE "C" < g.record_key
          LEFT JOIN ma.truth AS x ON x.a = f.record_key AND x.b = g.record_key) AS t;

-- Two lists of the same 5,000 people (FEBRL 4).
CREATE TABLE ma.people (id text, given_name text, surname text, street_number text, address_1 text, address_2 text,
    suburb text, postcode text, state text, date_of_birth text, soc_sec_id text);
\copy ma.people FROM 'febrl4/a.csv' (FORMAT csv, HEADER)
\copy ma.people FROM 'febrl4/b.csv' (FORMAT csv, HEADER)
\copy ma.truth FROM 'febrl4/truth.csv' (FORMAT csv, HEADER)
UPDATE ma.truth SET a = least(a COLLATE "C", b), b = greatest(a COLLATE "C", b);
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.people', '{id}', '{"name": {"kind": "person_name", "fields": ["given_name", "surname"]},
    "address": {"kind": "address", "fields": ["street_number", "address_1"]}, "suburb": "text", "postcode": "postcode",
    "state": "exact", "date_of_birth": "date", "soc_sec_id": "text"}') AS m;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.998 AS good, CASE WHEN s.f1 < 0.998 THEN s.f1 END AS but FROM ma.score AS s;

-- A thousand made-up people, two to ten rows each, with heavy errors and missing values.
TRUNCATE ma.found, ma.truth;
CREATE TABLE ma.fake (id text, first_name text, surname text, dob text, city text, email text);
\copy ma.fake FROM 'fake_1000/a.csv' (FORMAT csv, HEADER)
\copy ma.truth FROM 'fake_1000/truth.csv' (FORMAT csv, HEADER)
UPDATE ma.truth SET a = least(a COLLATE "C", b), b = greatest(a COLLATE "C", b);
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.fake', '{id}', '{"name": {"kind": "person_name", "fields": ["first_name", "surname"]}, "dob": "date",
    "city": "text", "email": "email"}') AS m;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.94 AS good, CASE WHEN s.f1 < 0.94 THEN s.f1 END AS but FROM ma.score AS s;

-- Restaurants of two guides, each of which names a restaurant once.
TRUNCATE ma.found, ma.truth;
CREATE TABLE ma.zagats (id text, name text, addr text, city text, phone text, type text);
CREATE TABLE ma.restaurant (id text, name text, addr text, city text, phone text, type text, guide text DEFAULT 'fodors');
\copy ma.restaurant (id, name, addr, city, phone, type) FROM 'fodors_zagats/a.csv' (FORMAT csv, HEADER)
\copy ma.zagats FROM 'fodors_zagats/b.csv' (FORMAT csv, HEADER)
\copy ma.truth FROM 'fodors_zagats/truth.csv' (FORMAT csv, HEADER)
UPDATE ma.restaurant SET id = 'f' || id;
INSERT INTO ma.restaurant SELECT 'z' || z.id, z.name, z.addr, z.city, z.phone, z.type, 'zagats' FROM ma.zagats AS z;
UPDATE ma.truth SET a = 'f' || a, b = 'z' || b;
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.restaurant', '{id}', '{"name": "text", "addr": "address", "city": "text", "phone": "phone",
    "type": "text"}', one_per => 'guide') AS m;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.97 AS good, CASE WHEN s.f1 < 0.97 THEN s.f1 END AS but FROM ma.score AS s;

-- Sites of early childhood programmes, as ten lists have them, up to 20 times.
TRUNCATE ma.found, ma.truth;
CREATE TABLE ma.site (id text, true_id text, site_name text, address text, zip text, phone text);
\copy ma.site FROM 'early_childhood/a.csv' (FORMAT csv, HEADER)
INSERT INTO ma.truth
SELECT x.id, y.id FROM ma.site AS x JOIN ma.site AS y ON x.true_id = y.true_id AND x.id COLLATE "C" < y.id;
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.site', '{id}', '{"site_name": "company", "address": "address", "zip": "postcode", "phone": "phone"}') AS m;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.92 AS good, CASE WHEN s.f1 < 0.92 THEN s.f1 END AS but FROM ma.score AS s;

-- References to 112 papers, as those who cite them typed them: authors in any form, venues shortened, years in brackets.
-- What is compared is chosen by the names of columns.
TRUNCATE ma.found, ma.truth;
CREATE TABLE ma.reference (id text, title text, author text, venue text, year text, pages text, volume text, publisher text, address text);
CREATE TABLE ma.paper (id text, paper text);
\copy ma.reference FROM 'cora/a.csv' (FORMAT csv, HEADER)
\copy ma.paper FROM 'cora/truth.csv' (FORMAT csv, HEADER)
INSERT INTO ma.truth
SELECT a.id, b.id FROM ma.paper AS a JOIN ma.paper AS b ON a.paper = b.paper AND a.id COLLATE "C" < b.id;
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.reference', '{id}') AS m;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.86 AS good, CASE WHEN s.f1 < 0.86 THEN s.f1 END AS but FROM ma.score AS s;

-- Made: six papers of each of 400 teams, most of them in one journal; half of them are there again with a slip, fewer
-- authors and gaps. Papers of one team, journal and year are not one paper.
CREATE FUNCTION ma.word(seed text) RETURNS text
LANGUAGE sql AS $$ SELECT translate(left(md5(seed), 7), '0123456789', 'ghijklmnop') $$;
CREATE TABLE ma.written AS
SELECT p.n, (SELECT string_agg(ma.word('t' || (p.n * 7919 + w * 104729 + p.n * w) % 3000), ' ' ORDER BY w)
               FROM generate_series(1, 5) AS w) AS title,
       ma.word('a' || t.team % 431) || ', ' || ma.word('b' || t.team % 397) || ', ' || ma.word('c' || t.team % 283) AS authors,
       'journal of ' || ma.word('v' || (CASE WHEN p.n * 7 % 10 < 8 THEN t.team ELSE p.n END) % 12) AS venue,
       1990 + (CASE WHEN p.n * 3 % 10 < 1 THEN t.team ELSE p.n * 7 END) % 15 AS year
  FROM generate_series(1, 2400) AS p (n)
 CROSS JOIN LATERAL (SELECT p.n / 6 AS team) AS t;
CREATE TABLE ma.listed AS
SELECT 'a' || p.n AS id, p.title, p.authors, p.venue, p.year FROM ma.written AS p
UNION ALL
SELECT 'b' || p.n, overlay(p.title PLACING 'x' FROM 3 + p.n % 9 FOR 1),
       split_part(p.authors, ', ', 1) || ', ' || split_part(p.authors, ', ', 2),
       CASE WHEN p.n % 4 > 0 THEN p.venue END, CASE WHEN p.n % 3 > 0 THEN p.year END
  FROM ma.written AS p WHERE p.n % 2 = 0;
TRUNCATE ma.found, ma.truth;
INSERT INTO ma.truth SELECT 'a' || p.n, 'b' || p.n FROM ma.written AS p WHERE p.n % 2 = 0;
SET client_min_messages = warning;
INSERT INTO ma.found
SELECT m.* FROM ssot.match('ma.listed', '{id}', '{"title": "text", "authors": "people", "venue": "text", "year": "number"}') AS m;
RESET client_min_messages;
SELECT count(*) AS rows FROM ma.found;
SELECT s.f1 >= 0.99 AS good, CASE WHEN s.f1 < 0.99 THEN s.f1 END AS but FROM ma.score AS s;

DROP SCHEMA ma CASCADE;
