-- Every function takes nonsense without crashing and without failing by accident
-- (XX000): a regclass that is no relation, NULL for any one argument, for all, and
-- inside arrays. Whatever a call does is undone.
CREATE TEMP TABLE answer (call text, sqlstate text, message text);

-- An argument of the type.
CREATE FUNCTION pg_temp.argument(type regtype, relation text, name text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
               WHEN name IS NULL THEN 'NULL::' || type
               WHEN type = 'regclass'::regtype THEN relation || '::regclass'
               WHEN type = 'regclass[]'::regtype THEN 'ARRAY[' || relation || '::regclass]'
               WHEN type IN ('text'::regtype, 'name'::regtype, 'varchar'::regtype) THEN quote_literal(name) || '::' || type
               WHEN type = 'text[]'::regtype THEN quote_literal('{' || name || '}') || '::text[]'
               WHEN type = 'jsonb'::regtype THEN quote_literal('{"x": "x"}') || '::jsonb'
               WHEN type = 'boolean'::regtype THEN 'false'
               WHEN type IN ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype, 'float8'::regtype) THEN '1::' || type
               WHEN type = 'interval'::regtype THEN '''1 day''::interval'
               WHEN type IN ('timestamptz'::regtype, 'date'::regtype) THEN '''2026-01-01''::' || type
               ELSE 'NULL::' || type
           END
$$;

DO $$
DECLARE
    f record;
    variant text;
    call text;
BEGIN
    FOR f IN
        SELECT p.oid::regproc AS name, p.prokind, p.proargtypes::oid[] AS types, p.pronargs
        FROM pg_proc AS p
        WHERE p.pronamespace = 'ssot'::regnamespace
          AND p.prokind IN ('f', 'p')
          AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        ORDER BY p.oid::regprocedure::text
    LOOP
        FOR variant IN
            SELECT unnest(ARRAY['0', '1', '4294967295', 'all', 'inside'])
            UNION ALL SELECT 'null ' || i FROM generate_series(1, f.pronargs) AS i
        LOOP
            SELECT format(CASE f.prokind WHEN 'p' THEN 'CALL %s(%s)' ELSE 'SELECT count(r::text) FROM %s(%s) AS r' END, f.name,
                       string_agg(pg_temp.argument(t, CASE WHEN variant ~ '^\d+$' THEN variant || '::oid' ELSE '''pg_class''' END,
                           CASE WHEN variant IN ('all', 'null ' || n) THEN NULL WHEN variant = 'inside' THEN 'NULL' ELSE 'x' END), ', ' ORDER BY n))
            INTO call
            FROM unnest(f.types) WITH ORDINALITY AS a (t, n);
            BEGIN
                EXECUTE call;
                RAISE EXCEPTION 'undo';
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO answer VALUES (call, SQLSTATE, SQLERRM);
            END;
        END LOOP;
    END LOOP;
END $$;
SELECT count(*) > 500 AS many_were_asked FROM answer;
SELECT a.call, a.sqlstate, a.message FROM answer AS a WHERE a.sqlstate LIKE 'XX%' ORDER BY 1;

SELECT ssot.stable_until(0::oid::regclass); -- ERROR
SELECT * FROM ssot.compare(0::oid::regclass, 'pg_class', key => '{oid}'); -- ERROR
SELECT ssot.metric_label(NULL, '', 1, 'USD', 1, '2026-01-01');
SELECT ssot.metric_stamp('x', '{NULL}', true); -- ERROR
