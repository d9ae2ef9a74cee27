--
-- Whatever type golden ids have, people and runs get the same: what is retired, merged,
-- split, pinned and held, and how many versions that makes, is as with bigint.
--
SET client_min_messages = warning;
SET datestyle = 'SQL, DMY';
CREATE SCHEMA it;
SELECT ssot.create_system(s, owner => 'tests') FROM unnest('{it_crm,it_erp}'::text[]) AS s;
CREATE DOMAIN it.code AS text CHECK (value <> '');
CREATE TABLE it.crm AS SELECT i AS id, 'n' || i AS name, nullif(i / 2, 0) AS parent FROM generate_series(1, 12) AS i;
CREATE TABLE it.erp AS SELECT 'E' || i AS no, i AS crm, 'n' || i AS name FROM generate_series(1, 6) AS i;
CREATE TABLE it.type (n int GENERATED ALWAYS AS IDENTITY, type text, made text);
INSERT INTO it.type (type, made) VALUES ('bigint', '%s'), ('int2', '%s'), ('text', '''id-'' || lpad((%s)::text, 3, ''0'')'), ('varchar(40)', '''id-'' || lpad((%s)::text, 3, ''0'')'),
    ('numeric', '%s'), ('numeric(10,2)', '%s'), ('text', '%s'), ('varchar(4)', '%s'), ('uuid', 'lpad((%s)::text, 32, ''0'')::uuid'),
    ('it.code', '''id-'' || lpad((%s)::text, 3, ''0'') || repeat(''x'', 200)'), ('bytea', 'decode(lpad((%s)::text, 6, ''0''), ''hex'')'), ('date', 'date ''2020-01-01'' + (%s)::int'), ('float8', '%s');
CREATE FUNCTION it.make(n int, type text, made text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t text := 'it.e' || n;
BEGIN
    EXECUTE format('CREATE SEQUENCE %s_seq', t);
    EXECUTE format('CREATE TABLE %s (id %s PRIMARY KEY DEFAULT (%s), name text, parent %2$s REFERENCES %1$s, code text DEFAULT 4711)', t, type, format(made, format('nextval(''%s_seq'')', t)));
    PERFORM ssot.register_entity(t::regclass, owner => 'tests', max_retire => 1);
    PERFORM ssot.create_source(t::regclass, 'it_crm', 'it.crm', key => 'id', fields => '{"name": "name", "parent": {"system": "it_crm", "value": "parent"}}');
    PERFORM ssot.create_source(t::regclass, 'it_erp', 'it.erp', key => 'no', links => '{"it_crm": "crm"}', fields => '{"name": "name"}');
END $$;
SELECT count(it.make(n, type, made)) FROM it.type;

-- All of an entity, with ids as the numbers that they were made of
CREATE FUNCTION it.look(n int, type text, made text) RETURNS jsonb LANGUAGE plpgsql SET datestyle = 'ISO, YMD' AS $$
DECLARE answer jsonb;
BEGIN
    EXECUTE format($q$
        WITH id AS (SELECT i AS number, ((%2$s)::%3$s)::text AS id FROM generate_series(1, 40) AS i)
        SELECT jsonb_build_object(
            'golden', (SELECT jsonb_agg(concat_ws(' ', a.number, g.name, p.number, CASE WHEN g.retired_at IS NOT NULL THEN 'retired' END) ORDER BY a.number)
                       FROM it.e%1$s AS g LEFT JOIN id AS a ON a.id = g.id::text LEFT JOIN id AS p ON p.id = g.parent::text),
            'source', (SELECT jsonb_agg(concat_ws(' ', y.system, s.ssot_key, a.number, s.name) ORDER BY y.system, s.ssot_key)
                       FROM it_ssot.e%1$s_source AS s JOIN ssot.source AS y ON y.source_id = s.ssot_source LEFT JOIN id AS a ON a.id = s.id::text
                       WHERE y.system NOT IN ('steward', 'manual')),
            'versions', (SELECT count(*) FROM it_ssot.e%1$s_history), 'records', (SELECT count(*) FROM it_ssot.e%1$s_source_history),
            'merged', (SELECT jsonb_agg(concat_ws(' ', l.number, k.number) ORDER BY l.number) FROM ssot.merged_id AS m JOIN id AS l ON l.id = m.lost_id JOIN id AS k ON k.id = m.kept_id WHERE m.entity = 'it.e%1$s'),
            'retired', (SELECT jsonb_agg(a.number ORDER BY a.number) FROM ssot.retirement AS r JOIN id AS a ON a.id = r.id WHERE r.entity = 'it.e%1$s'),
            'drift', (SELECT jsonb_agg(concat_ws(' ', d.system, d.key, d.field, d.kind) ORDER BY d.system, d.key, d.field, d.kind) FROM it_ssot.e%1$s_drift AS d))
        $q$, n, format(made, 'i'), type) INTO answer;
    RETURN answer;
END $$;
-- Do the same to all; "%1$s" is the entity, "<7>" the id made of 7
CREATE FUNCTION it.each(statement text) RETURNS TABLE (type text, differs jsonb) LANGUAGE plpgsql AS $$
DECLARE t record; i int; said text; id text; first jsonb; answer jsonb;
BEGIN
    FOR t IN SELECT * FROM it.type AS y ORDER BY y.n LOOP
        said := replace(statement, 'ENTITY', format('it.e%s', t.n));
        FOR i IN 1 .. 30 LOOP
            IF position(format('<%s>', i) IN said) > 0 THEN
                EXECUTE format('SELECT ((%s)::%s)::text', format(t.made, i), t.type) INTO id;
                said := replace(said, format('<%s>', i), quote_literal(id));
            END IF;
        END LOOP;
        EXECUTE said;
        answer := it.look(t.n, t.type, t.made);
        first := coalesce(first, answer);
        IF answer IS DISTINCT FROM first THEN
            type := t.type;
            SELECT jsonb_object_agg(x.key, jsonb_build_array(first -> x.key, x.value)) INTO differs FROM jsonb_each(answer) AS x WHERE x.value IS DISTINCT FROM first -> x.key;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY')$$);
SELECT * FROM it.each($$SELECT ssot.retire('ENTITY', <9>, 'closed')$$);
SELECT count(*) FROM it.e1 WHERE retired_at IS NOT NULL;
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY', full => true)$$);
SELECT * FROM it.each($$SELECT ssot.merge('ENTITY', <10>, <11>, 'one')$$);
SELECT * FROM it.each($$SELECT ssot.split('ENTITY', <5>, '{it_erp:E2}', 'two')$$);
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY', full => true)$$);
SELECT * FROM it.each($$UPDATE ENTITY SET name = 'by hand' WHERE id = <3>$$);
SELECT * FROM it.each($$SELECT ssot.pin('ENTITY', <5>, 'parent', <12>, 'moved')$$);
UPDATE it.crm SET name = name || '!' WHERE id % 2 = 1;
UPDATE it.erp SET crm = 9 WHERE no = 'E6';
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY')$$);
-- an id that is gone is named as ssot.merged_id shows it
SET datestyle = 'ISO, YMD';
SELECT * FROM it.each($$SELECT ssot.unmerge('ENTITY', <11>, 'two after all')$$);
SET datestyle = 'SQL, DMY';
SELECT * FROM it.each($$SELECT ssot.restore('ENTITY', <9>, 'open again')$$);
SELECT * FROM it.each($$SELECT count(ssot.unpin('ENTITY', <5>))$$);
UPDATE it.crm SET parent = NULL WHERE id = 8;
DELETE FROM it.crm WHERE id = 12;
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY')$$);
SELECT * FROM it.each($$SELECT count(*) FROM ssot.reconcile('ENTITY', full => true)$$);
SELECT jsonb_pretty(it.look(1, 'bigint', '%s'));

SELECT count(ssot.unregister_entity(format('it.e%s', n)::regclass, drop_companions => true)) FROM it.type;
DROP SCHEMA it, it_ssot, it_as_of CASCADE;
SELECT ssot.drop_system(s) FROM unnest('{it_crm,it_erp}'::text[]) AS s;
