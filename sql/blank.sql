--
-- is_blank and the list of words behind it
--
\pset null '(null)'
CREATE SCHEMA t_blank;
SET search_path = t_blank;

CREATE TABLE blank (no int, value text, want boolean);
INSERT INTO blank VALUES
  (1,  NULL,                     true),
  (2,  '',                       true),
  (3,  '   ',                    true),
  (4,  E'\r',                    true),
  (5,  E' \t\r\n ',              true),
  (6,  U&'\00A0\3000\2003',      true),
  (7,  U&'\FEFF',                true),
  (8,  U&'\200B\200D',           true),
  (9,  U&'\3164',                true),
  (10, 'n/a',                    true),
  (11, 'N/A',                    true),
  (12, E' N/A\r',                true),
  (13, 'N / A',                  true),
  (14, 'N  /  A',                true),
  (15, 'Ｎ／Ａ',                   true),
  (16, 'null',                   true),
  (17, 'NULL',                   true),
  (18, '(Null)',                 true),
  (19, '\N',                     true),
  (20, 'None',                   true),
  (21, '-',                      true),
  (22, '--',                     true),
  (23, '–',                      true),
  (24, '—',                      true),
  (25, '?',                      true),
  (26, '…',                      true),
  (27, 'not applicable',         true),
  (28, E'Not\tApplicable',       true),
  (29, U&'n\200B/a',             true),
  (40, 'na',                     false),
  (41, 'NaN',                    false),
  (42, 'unknown',                false),
  (43, '0',                      false),
  (44, 'x',                      false),
  (45, 'n',                      false),
  (46, 'n/a/b',                  false),
  (47, '-1',                     false),
  (48, 'Nullarbor',              false),
  (49, 'null null',              false),
  (50, 'Müller',                 false),
  (51, 'ñ/a',                    false),
  (52, U&'n\0303/a',             false),
  (53, '日本',                    false),
  (54, 'Ω',                      false),
  (55, U&'\0301',                false);
SELECT b.no, b.value, ssot.is_blank(b.value) AS got,
       ssot.is_blank(b.value) IS NOT DISTINCT FROM b.want AS ok
  FROM blank AS b
 ORDER BY b.no;
SELECT ssot.is_blank(repeat(' ', 1000000)) AS spaces,
       ssot.is_blank(repeat(U&'\3000', 300000)) AS wide_spaces,
       ssot.is_blank(repeat(' ', 1000000) || 'n/a') AS behind_spaces,
       ssot.is_blank(repeat(' ', 1000000) || 'x') AS not_behind_spaces,
       ssot.is_blank(repeat('n/a', 400000)) AS no_word,
       ssot.is_blank(repeat('-', 1000000)) AS dashes;

-- the list in force
SELECT count(*) > 30 AS many, bool_and(w.built_in) AS all_built_in,
       bool_and(ssot.is_blank(w.word)) AS all_blank,
       bool_and(ssot.is_blank(upper(w.word))) AS in_capitals,
       bool_and(ssot.blank_word_form(w.word) = w.word) AS in_form
  FROM ssot.blank_words() AS w;

-- adding a word: it counts in any case, width and spacing
SELECT ssot.is_blank('TBD') AS before;
SELECT ssot.add_blank_word(' Tbd ') AS is_new;
SELECT ssot.add_blank_word('tbd') AS is_new;
SELECT ssot.is_blank('TBD') AS ascii, ssot.is_blank('ｔｂｄ') AS wide, ssot.is_blank(E'tbd\r') AS cr,
       ssot.is_blank('tbda') AS longer;
SELECT ssot.add_blank_word('Неизвестно') AS cyrillic, ssot.add_blank_word('K. A.') AS german,
       ssot.add_blank_word('n/a') AS built_in_already;
SELECT ssot.is_blank('НЕИЗВЕСТНО') AS cyrillic, ssot.is_blank('k. a.') AS german, ssot.is_blank('Невский') AS other;
-- an accent of its own behind a first letter with which no word begins
SELECT ssot.add_blank_word(U&'\017Dadny') AS accented;
SELECT ssot.is_blank(U&'z\030Cadny') AS decomposed, ssot.is_blank(U&'Z\030CADNY') AS capitals,
       ssot.is_blank(U&'z\200B\030Cadny') AS zero_width, ssot.is_blank('zadny') AS without;
SELECT w.word, w.built_in
  FROM ssot.blank_words() AS w
 WHERE NOT w.built_in
 ORDER BY w.word COLLATE "C";

-- dropping one, built-in or added
SELECT ssot.drop_blank_word('NULL') AS built_in, ssot.drop_blank_word('TBD') AS added,
       ssot.drop_blank_word('no such word') AS unheard_of;
SELECT ssot.is_blank('null') AS null_word, ssot.is_blank('tbd') AS tbd, ssot.is_blank('(null)') AS bracketed,
       ssot.is_blank('') AS empty;
SELECT b.word, b.is_blank FROM ssot.blank_word AS b ORDER BY b.word COLLATE "C";
SELECT ssot.add_blank_word('null') AS back;
SELECT ssot.is_blank('Null') AS null_word;

-- a word added between two calls of one function is seen, one rolled back is not
CREATE FUNCTION added_meanwhile() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answers text := '';
BEGIN
    FOR i IN 1 .. 4 LOOP
        answers := answers || ssot.is_blank('zzz')::text || ' ';
        IF i = 2 THEN
            PERFORM ssot.add_blank_word('zzz');
        ELSIF i = 3 THEN
            PERFORM ssot.drop_blank_word('zzz');
        END IF;
    END LOOP;
    RETURN answers;
END
$$;
SELECT added_meanwhile();
BEGIN;
SELECT ssot.add_blank_word('zzz') AS added;
SELECT ssot.is_blank('zzz') AS inside;
ROLLBACK;
SELECT ssot.is_blank('zzz') AS after;

SELECT ssot.add_blank_word(''); -- ERROR
SELECT ssot.add_blank_word(E' \t'); -- ERROR
SELECT ssot.add_blank_word(repeat('x', 65)); -- ERROR
SELECT ssot.add_blank_word(repeat('x', 64)) AS longest;
SELECT ssot.is_blank(repeat('X', 64)) AS longest, ssot.is_blank(repeat('X', 65)) AS longer;
SELECT ssot.add_blank_word(NULL) AS nothing;

-- whom the list is open to
CREATE ROLE regress_ssot_reader;
GRANT USAGE ON SCHEMA ssot TO regress_ssot_reader;
SET ROLE regress_ssot_reader;
SELECT ssot.is_blank('n/a') AS may_ask;
SELECT ssot.add_blank_word('mine'); -- ERROR
SELECT ssot.drop_blank_word('n/a'); -- ERROR
RESET ROLE;
REVOKE USAGE ON SCHEMA ssot FROM regress_ssot_reader;
DROP ROLE regress_ssot_reader;

DELETE FROM ssot.blank_word;
SET client_min_messages = warning;
DROP SCHEMA t_blank CASCADE;
