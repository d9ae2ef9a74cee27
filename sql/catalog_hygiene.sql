--
-- What every object of the extension owes its users. Each query prints the
-- objects that fail it, so every answer but the first is empty. All that the
-- test makes is temporary.
--
SET search_path = '';

-- All that the extension made, its schema included: a schema that the control
-- file names is made before the extension and is no member of it.
CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid,
           pg_describe_object(d.classid, d.objid, 0) AS name
    FROM pg_depend AS d
    JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass
      AND d.deptype = 'e'
      AND e.extname = 'ssot'
    UNION
    SELECT 'pg_namespace'::regclass, e.extnamespace,
           pg_describe_object('pg_namespace'::regclass, e.extnamespace, 0)
    FROM pg_extension AS e
    WHERE e.extname = 'ssot';

CREATE TEMP VIEW routine AS
    SELECT m.name, l.lanname, p.*
    FROM pg_temp.member AS m
    JOIN pg_proc AS p ON p.oid = m.objid
    JOIN pg_language AS l ON l.oid = p.prolang
    WHERE m.classid = 'pg_proc'::regclass;

-- What its validator says against an SQL function, under the search path in
-- force.
CREATE FUNCTION pg_temp.complaint(routine oid) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fmgr_sql_validator(routine);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END
$$;

-- The text of a function without what could be mistaken for a name or for an
-- operator: comments, literals, and operators that are qualified.
CREATE FUNCTION pg_temp.bare(body text) RETURNS text
LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
               body,
               '--[^\n]*', ' ', 'g'),
               '\(\s*\*\s*\)', '()', 'g'),
               '/\*.*?\*/', ' ', 'g'),
               '''([^'']|'''')*''', '''''', 'g'),
               'operator\s*\(\s*"?pg_catalog"?\s*\.[^)]*\)|=>|::|\.\s*\*', ' ', 'gi');
$$;

-- There is something to look at.
SELECT count(*) > 0 AS found FROM pg_temp.member;

-- Every object has a comment. A sequence behind a column is explained there.
SELECT m.name
FROM pg_temp.member AS m
WHERE obj_description(m.objid, (SELECT c.relname FROM pg_class AS c
                                WHERE c.oid = m.classid)) IS NULL
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_class'::regclass
                    AND d.objid = m.objid
                    AND m.classid = 'pg_class'::regclass
                    AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjsubid > 0
                    AND d.deptype IN ('a', 'i'))
ORDER BY 1;

-- Every column of a table that holds state has a comment.
SELECT m.name, a.attname
FROM pg_temp.member AS m
JOIN pg_class AS c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p')
  AND a.attnum > 0
  AND NOT a.attisdropped
  AND col_description(c.oid, a.attnum) IS NULL
ORDER BY c.relname, a.attnum;

-- No function runs with another's rights, and none is PL/pgSQL.
SELECT r.name FROM pg_temp.routine AS r WHERE r.prosecdef ORDER BY 1;
SELECT r.name, r.lanname
FROM pg_temp.routine AS r
WHERE r.lanname NOT IN ('c', 'sql', 'internal')
ORDER BY 1;

-- Every C function is in a library of ours. (That the library has its symbol
-- CREATE EXTENSION has made sure of, or this test would not run.)
SELECT r.name, r.probin
FROM pg_temp.routine AS r
WHERE r.lanname = 'c'
  AND r.probin !~ '^\$libdir/ssot(_[a-z]+)?$'
ORDER BY 1;

-- Every SQL function is valid when the search path is empty, so that no path
-- of a caller can break it. CREATE EXTENSION does not look at bodies.
SELECT r.name, pg_temp.complaint(r.oid) AS complaint
FROM pg_temp.routine AS r
WHERE r.lanname = 'sql'
  AND pg_temp.complaint(r.oid) IS NOT NULL
ORDER BY 1;

-- One whose body is kept as text and that sets no search path of its own must
-- not let a caller's path choose for it: functions and operators of pg_catalog
-- are qualified too. (Read from the text, so an approximation.)
CREATE TEMP VIEW unpinned AS
    SELECT r.name, pg_temp.bare(r.prosrc) AS body
    FROM pg_temp.routine AS r
    WHERE r.lanname = 'sql'
      AND r.prosqlbody IS NULL
      AND NOT EXISTS (SELECT FROM unnest(r.proconfig) AS s (setting)
                      WHERE s.setting LIKE 'search_path=%');
SELECT DISTINCT u.name, lower(f.call[1]) AS unqualified
FROM pg_temp.unpinned AS u
CROSS JOIN regexp_matches(u.body, '(?<![.\w"])([a-z_]\w*)\s*\(', 'gi') AS f (call)
WHERE EXISTS (SELECT FROM pg_proc AS p
              WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname = lower(f.call[1]))
  AND NOT EXISTS (SELECT FROM pg_get_keywords() AS k
                  WHERE k.word = lower(f.call[1]) AND k.catcode <> 'U')
ORDER BY 1, 2;
SELECT DISTINCT u.name, o.operator[1] AS unqualified
FROM pg_temp.unpinned AS u
CROSS JOIN regexp_matches(u.body, '([-+*/<>=~!@#%^&|`?]+)', 'g') AS o (operator)
ORDER BY 1, 2;

-- What changes state is not for everyone: PUBLIC may run no volatile routine
-- that is not on this list, and the list names nothing else. (A trigger function
-- cannot be called; owners of tables need the right to make triggers of it.)
CREATE TEMP TABLE public_may_run (routine text, because text);
INSERT INTO public_may_run VALUES
    (NULL, NULL);
CREATE TEMP VIEW public_runs AS
    SELECT r.oid::regprocedure::text AS routine
    FROM pg_temp.routine AS r
    WHERE r.provolatile = 'v'
      AND r.prokind IN ('f', 'p')
      AND r.prorettype <> 'pg_catalog.trigger'::regtype
      AND EXISTS (SELECT
                  FROM aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) AS a
                  WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE');
SELECT p.routine FROM pg_temp.public_runs AS p
EXCEPT SELECT m.routine FROM pg_temp.public_may_run AS m
ORDER BY 1;
SELECT m.routine FROM pg_temp.public_may_run AS m WHERE m.routine IS NOT NULL
EXCEPT SELECT p.routine FROM pg_temp.public_runs AS p
ORDER BY 1;

-- Nobody but the owner writes to a table of the extension.
SELECT m.name, string_agg(DISTINCT a.privilege_type, ', ') AS granted_to_public
FROM pg_temp.member AS m
JOIN pg_class AS c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
CROSS JOIN aclexplode(c.relacl) AS a
WHERE a.grantee = 0
  AND a.privilege_type NOT IN ('SELECT')
GROUP BY m.name
ORDER BY 1;

-- Every table and sequence of the extension is dumped with its content, but
-- for these, whose content belongs to the running database.
CREATE TEMP TABLE not_dumped (relation text, because text);
INSERT INTO not_dumped VALUES
    (NULL, NULL);
CREATE TEMP VIEW undumped AS
    SELECT c.oid::regclass::text AS relation
    FROM pg_temp.member AS m
    JOIN pg_class AS c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
    WHERE c.relkind IN ('r', 'p', 'S')
      AND NOT EXISTS (SELECT FROM pg_extension AS e WHERE c.oid = ANY (e.extconfig));
SELECT u.relation FROM pg_temp.undumped AS u
EXCEPT SELECT n.relation FROM pg_temp.not_dumped AS n
ORDER BY 1;
SELECT n.relation FROM pg_temp.not_dumped AS n WHERE n.relation IS NOT NULL
EXCEPT SELECT u.relation FROM pg_temp.undumped AS u
ORDER BY 1;

-- No parameter and no column of a result or view is a reserved word.
SELECT r.name, n.name AS parameter
FROM pg_temp.routine AS r
CROSS JOIN unnest(r.proargnames) AS n (name)
JOIN pg_get_keywords() AS k ON k.word = lower(n.name) AND k.catcode = 'R'
ORDER BY 1, 2;
SELECT m.name, a.attname
FROM pg_temp.member AS m
JOIN pg_attribute AS a ON a.attrelid = m.objid
                      AND m.classid = 'pg_class'::regclass
                      AND a.attnum > 0
JOIN pg_get_keywords() AS k ON k.word = lower(a.attname) AND k.catcode = 'R'
ORDER BY 1, 2;

-- pg_restore -j loads tables in any order, and what it loads must neither be
-- refused nor be rewritten: no foreign key leaves or meets a table of the
-- extension, and no trigger on one fires on INSERT.
SELECT c.conname, c.conrelid::regclass, c.confrelid::regclass
FROM pg_constraint AS c
WHERE c.contype = 'f'
  AND EXISTS (SELECT FROM pg_temp.member AS m
              WHERE m.classid = 'pg_class'::regclass
                AND m.objid IN (c.conrelid, c.confrelid))
ORDER BY 1;
SELECT m.name, t.tgname
FROM pg_temp.member AS m
JOIN pg_trigger AS t ON t.tgrelid = m.objid AND m.classid = 'pg_class'::regclass
WHERE t.tgtype::int & 4 <> 0
ORDER BY 1, 2;

-- So what names an entity or a source follows it by a trigger (see
-- ssot.follow_name), but for these, which outlive what they name.
CREATE TEMP TABLE not_followed (relation text, because text);
INSERT INTO not_followed VALUES
    ('ssot.kept_registration', 'it is about a table that is no entity'),
    ('ssot.reconcile_run', 'the log of runs stays; a rename is followed by entity/ddl_map.c');
SELECT c.oid::regclass AS relation, a.attname
FROM pg_temp.member AS m
JOIN pg_class AS c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind = 'r'
  AND (a.attname, c.oid) NOT IN (('entity', 'ssot.entity'::regclass), ('source_id', 'ssot.source'::regclass))
  AND a.attname IN ('entity', 'source_id')
  AND NOT EXISTS (SELECT FROM pg_temp.not_followed AS n WHERE n.relation::regclass = c.oid)
  AND NOT EXISTS (SELECT
                  FROM pg_trigger AS t
                  WHERE t.tgrelid = CASE a.attname WHEN 'entity' THEN 'ssot.entity' ELSE 'ssot.source' END::regclass
                    AND t.tgfoid = 'ssot.follow_name()'::regprocedure
                    AND t.tgargs = convert_to(c.relname, 'UTF8') || '\x00'::bytea
                                   || convert_to(a.attname, 'UTF8') || '\x00'::bytea)
ORDER BY 1, 2;
