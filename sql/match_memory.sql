-- Matching within maintenance_work_mem: what does not fit lies in temporary files, and the outcome is the same.
CREATE SCHEMA mm;
SET search_path = mm;
CREATE TABLE mm.person AS
SELECT 'p' || i AS id,
       (array['anna','bernd','clara','dirk','eva','frank','gerda','hans','ida','jan'])[1 + i * 7 % 10] AS given,
       initcap(translate(substr(md5('f' || i), 1, 6), '0123456789', 'aeioulnrst')) || (array['mann','berg','sen','ski','ova'])[1 + i % 5] AS family,
       to_char(date '1950-01-01' + ('x' || substr(md5('d' || i), 1, 6))::bit(24)::int % 20000, 'YYYY-MM-DD') AS born,
       CASE WHEN i % 3 > 0 THEN substr(md5('e' || i), 1, 9) || '@example.com' END AS email
FROM generate_series(1, 32000) AS i;
INSERT INTO mm.person
SELECT 'q' || p.id, p.given, overlay(p.family PLACING 'x' FROM 3 FOR 1), p.born, p.email
FROM mm.person AS p WHERE substr(p.id, 2)::int % 6 = 0;
ANALYZE mm.person;
CREATE VIEW mm.answer AS
SELECT count(*) AS pairs, md5(string_agg(p.left_key || p.right_key || p.weight, ',' ORDER BY p.left_key COLLATE "C", p.right_key COLLATE "C")) AS sum
FROM ssot.match_pairs('mm.person', '{id}', '{"name": {"kind": "person_name", "fields": ["given", "family"]}, "born": "date", "email": "email"}') AS p;

-- How much went to temporary files since it was asked last, as far as matching is concerned (work_mem is large)
SET work_mem = '256MB';
CREATE TABLE mm.files (asked int GENERATED ALWAYS AS IDENTITY, bytes bigint);
CREATE FUNCTION mm.ask() RETURNS bigint LANGUAGE sql AS $$
    INSERT INTO mm.files (bytes) SELECT d.temp_bytes FROM pg_stat_database AS d WHERE d.datname = current_database();
    SELECT a.bytes - coalesce((SELECT b.bytes FROM mm.files AS b WHERE b.asked = a.asked - 1), a.bytes)
    FROM mm.files AS a ORDER BY a.asked DESC LIMIT 1;
$$;
SELECT pg_stat_force_next_flush();
SELECT mm.ask() AS before;

-- Alone
SET max_parallel_maintenance_workers = 0;
SET maintenance_work_mem = '1GB';
CREATE TABLE mm.roomy AS SELECT a.pairs, a.sum FROM mm.answer AS a;
SELECT r.pairs > 5000 AS found FROM mm.roomy AS r;
SELECT pg_stat_force_next_flush();
SELECT mm.ask() AS in_files;
SET maintenance_work_mem = '1MB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
SELECT pg_stat_force_next_flush();
SELECT mm.ask() > 5000000 AS in_files;
SET maintenance_work_mem = '8MB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;

-- With workers, which share it: in memory, in files, and some of both
SET max_parallel_maintenance_workers = 2;
SET client_min_messages = debug1;
SET maintenance_work_mem = '1GB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
SET maintenance_work_mem = '2MB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
SET maintenance_work_mem = '12MB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
-- Too little for a worker
SET maintenance_work_mem = '1MB';
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
RESET client_min_messages;

-- A limit for temporary files is kept, alone and by each worker, and nothing stays behind
SET temp_file_limit = '2MB';
SELECT a.pairs FROM mm.answer AS a; -- ERROR
SET maintenance_work_mem = '2MB';
\set VERBOSITY terse
SELECT a.pairs FROM mm.answer AS a; -- ERROR
\set VERBOSITY default
RESET temp_file_limit;
SELECT a = r AS same FROM mm.answer AS a, mm.roomy AS r;
SELECT count(*) AS left_behind FROM pg_ls_tmpdir();

DROP SCHEMA mm CASCADE;
