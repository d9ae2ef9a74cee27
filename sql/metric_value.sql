-- metric_value.sql: ssot.metric_value, a number that knows what it is.
SET TimeZone = 'America/New_York';
SET IntervalStyle = 'sql_standard';
SET DateStyle = 'German, DMY';

-- The text form means the same in every session, and reads back to the same value.
SELECT '1250000.00 USD pipeline:finance v3 @ 2026-11-04T17:59:00.5+01:00'::ssot.metric_value;
SELECT ssot.metric_value(1.50, 'EUR "x"', 'my def', E'v a\\r', 2, '2026-01-01 00:00+00') AS odd,
       ssot.metric_value(NULL, NULL, 'average', NULL, 1, '0044-03-15 12:00+00 BC') AS none;
SELECT count(*) AS tried, count(*) FILTER (WHERE m::text::ssot.metric_value = m) AS same
  FROM (SELECT ssot.metric_value(v, u, 'd' || chr(32 + i), CASE WHEN i % 3 = 0 THEN 'v ' || chr(160 + i) END, 1 + i,
                                 timestamptz '1999-12-31 23:59:59.999999+00' + i * interval '17 days 3.000001 seconds') AS m
          FROM generate_series(0, 90) AS i
         CROSS JOIN (VALUES (NULL::numeric), (0), (-1.5e30), ('NaN'), (0.000100)) AS n (v)
         CROSS JOIN (VALUES (NULL), ('USD'), ('% of "all"'), ('\')) AS w (u)
         WHERE chr(32 + i) <> ':') AS t;

SELECT ssot.metric_value(1, 'USD', 'p', NULL, 2147483647, '2026-01-01')::text::ssot.metric_value;

-- As a person would say it, in the session's time zone
SELECT ssot.label('1250000.00 USD pipeline v3 @ 2026-11-04T16:59:00+00:00');

-- One definition, variant, version, unit and as-of
SELECT sum(m), max(m), count(DISTINCT m) FROM (VALUES
    ('1.5 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value), ('1.50 USD p v1 @ 2026-11-04T16:59:00Z'),
    ('2 USD p v1 @ 2026-11-04T16:59:00Z')) AS t (m);
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value - '1.5 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value AS difference;
SELECT ('3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value)::numeric AS bare;
SELECT ('null USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value)::numeric IS NULL AS none,
       '1 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value + 'null USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value AS unknown;

-- Everything else is refused, and what differs is said.
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value - '1 USD q v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '3 USD p:a v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value - '1 USD p:b v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value - '1 USD p v2 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value + '1 EUR p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value + '1 USD p v1 @ 2026-11-04T16:59:00.000001Z'::ssot.metric_value; -- ERROR
SELECT sum(m) FROM (VALUES ('3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value), ('1 USD p v2 @ 2026-11-04T16:59:00Z')) AS t (m); -- ERROR
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value + 1; -- ERROR
SELECT round('3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value); -- ERROR

-- A planted operator is not met.
CREATE SCHEMA mv_bad;
CREATE FUNCTION mv_bad.zero(ssot.metric_value, ssot.metric_value) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT 0.0';
CREATE OPERATOR mv_bad.- (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = mv_bad.zero);
SET search_path = mv_bad;
SELECT '3 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value - '1 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value AS difference;
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA mv_bad CASCADE;
\set VERBOSITY default

-- Texts that are none
SELECT ''::ssot.metric_value; -- ERROR
SELECT '12'::ssot.metric_value; -- ERROR
SELECT 'x USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1,250 USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 USD p v0 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 USD p v1 @ 2026-11-04T16:59:00'::ssot.metric_value; -- ERROR
SELECT '1 USD p v1 @ 2026-02-30T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 USD p v1 @ 999999-02-20T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 "USD p v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 USD "p:q" v1 @ 2026-11-04T16:59:00Z'::ssot.metric_value; -- ERROR
SELECT '1 USD p v1 @ 2026-11-04T16:59:00Z and more'::ssot.metric_value; -- ERROR
SELECT ('1 ' || repeat('x', 1001) || ' p v1 @ 2026-11-04T16:59:00Z')::ssot.metric_value; -- ERROR
SELECT ssot.metric_value(1, 'USD', NULL, NULL, 1, now()); -- ERROR
SELECT ssot.metric_value(1, 'USD', 'p', NULL, 1, 'infinity'); -- ERROR

-- The binary form gives the same value back.
CREATE TABLE mv_binary AS SELECT ssot.metric_value(v, u, 'd', w, 7, '2026-11-04 16:59:00.123456+00') AS m
  FROM (VALUES (1.50, 'USD', NULL), (NULL, NULL, 'sales'), ('NaN', '"', E'\\')) AS t (v, u, w);
CREATE TABLE mv_back (m ssot.metric_value);
DO $$
DECLARE file text := format('%s/mv_binary_%s', current_setting('data_directory'), pg_backend_pid());
BEGIN
    EXECUTE format('COPY mv_binary TO %L (FORMAT binary)', file);
    EXECUTE format('COPY mv_back FROM %L (FORMAT binary)', file);
END
$$;
SELECT count(*) AS same FROM mv_binary JOIN mv_back USING (m);
SELECT p.* FROM mv_back CROSS JOIN LATERAL ssot.metric_parts(m) AS p ORDER BY m;
DROP TABLE mv_binary, mv_back;
