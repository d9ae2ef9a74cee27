-- A regclass may be any number: every function that takes one says so when there
-- is no such relation, and does not fail by accident (XX000) or crash.
CREATE TEMP TABLE answer (call text, sqlstate text, message text);
DO $$
DECLARE
    f record;
    given text;
    call text;
BEGIN
    FOR f IN
        SELECT p.oid::regproc AS name, p.prokind = 'p' AS is_procedure, p.proargtypes::oid[] AS types
        FROM pg_proc AS p
        WHERE p.pronamespace = 'ssot'::regnamespace
          AND p.proargtypes::oid[] && ARRAY['regclass'::regtype::oid, 'regclass[]'::regtype]
        ORDER BY p.oid::regprocedure::text
    LOOP
        FOREACH given IN ARRAY ARRAY['0', '1', '4294967295'] LOOP
            call := CASE WHEN f.is_procedure THEN 'CALL %s(%s)' ELSE 'SELECT count(r::text) FROM %s(%s) AS r' END;
            BEGIN
                EXECUTE format(call, f.name, (SELECT string_agg(
                         CASE t WHEN 'regclass'::regtype THEN given || '::oid::regclass'
                                WHEN 'regclass[]'::regtype THEN 'ARRAY[' || given || '::oid::regclass]'
                                WHEN 'text'::regtype THEN $q$'x'::text$q$
                                WHEN 'text[]'::regtype THEN $q$'{x}'::text[]$q$
                                WHEN 'jsonb'::regtype THEN $q$'{"x": "x"}'::jsonb$q$
                                WHEN 'boolean'::regtype THEN 'false'
                                ELSE format('NULL::%s', t::regtype) END, ', ' ORDER BY n)
                     FROM unnest(f.types) WITH ORDINALITY AS a (t, n)));
                INSERT INTO answer VALUES (f.name || ' ' || given, NULL, NULL);
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO answer VALUES (f.name || ' ' || given, SQLSTATE, SQLERRM);
            END;
        END LOOP;
    END LOOP;
END $$;
SELECT count(*) > 90 AS many_were_asked FROM answer;
SELECT a.call, a.sqlstate, a.message FROM answer AS a WHERE a.sqlstate LIKE 'XX%' ORDER BY 1;
SELECT ssot.stable_until(0::oid::regclass); -- ERROR
SELECT * FROM ssot.compare(0::oid::regclass, 'pg_class', key => '{oid}'); -- ERROR
