--
-- normalize_text and normalize_key: each row says what it wants
--
\pset null '(null)'
CREATE SCHEMA t_normalize;
SET search_path = t_normalize;

CREATE TABLE text_case (no int, why text, value text, want text);
INSERT INTO text_case VALUES
  (1,  'already normal',            'Acme Ltd.',                    'Acme Ltd.'),
  (2,  'ends trimmed',              '  Acme  ',                     'Acme'),
  (3,  'inner space collapsed',     E'Acme \t\r\n Ltd.',            'Acme Ltd.'),
  (4,  'carriage return at end',    E'Germany\r',                   'Germany'),
  (5,  'control character',         E'A\x01B\x7FC',                 'A B C'),
  (6,  'no-break, narrow, ideographic space', U&'A\00A0B\202FC\3000D', 'A B C D'),
  (7,  'byte order mark first',     U&'\FEFFAcme',                  'Acme'),
  (8,  'zero width space inside',   U&'Ac\200Bme',                  'Acme'),
  (9,  'soft hyphen inside',        U&'Ac\00ADme',                  'Acme'),
  (10, 'right-to-left marks',       U&'\202E\200FAcme\202C',        'Acme'),
  (11, 'accent composed',           U&'Cafe\0301',                  'Café'),
  (12, 'accent behind zero width',  U&'Cafe\200B\0301',             'Café'),
  (13, 'full-width',                'ＡＣＭＥ　１２',                   'ACME 12'),
  (14, 'ligature',                  U&'\FB01rm',                    'firm'),
  (15, 'half-width katakana',       'ｶﾞ',                            'ガ'),
  (16, 'case and accents stay',     'ÀÉÎõü ß İı',                   'ÀÉÎõü ß İı'),
  (17, 'Arabic stays',              ' شركة  النور ',                 'شركة النور'),
  (18, 'joiner in Persian stays',   U&'\0645\06CC\200C\062E\0648',  U&'\0645\06CC\200C\062E\0648'),
  (19, 'joiner beside ASCII goes',  U&'a\200Db\200C',               'ab'),
  (20, 'nothing is left',           U&'\FEFF \00A0\200B',           NULL),
  (21, 'empty',                     '',                             NULL),
  (22, 'one space',                 ' ',                            NULL),
  (23, 'null',                      NULL,                           NULL),
  (24, 'blank words stay',          'n/a',                          'n/a'),
  (25, 'unassigned, private use',   U&'\0378\E000\+10FFFD',         U&'\0378\E000\+10FFFD'),
  (26, 'non-characters',            U&'\FFFE\FDD0',                 U&'\FFFE\FDD0'),
  (27, 'emoji with joiner',         U&'\+01F468\200D\+01F469',      U&'\+01F468\200D\+01F469'),
  (28, 'joiner that NFKC leaves beside ASCII', U&'\00AA\200D\0301x', 'áx');
SELECT c.no, c.why, ssot.normalize_text(c.value) AS got,
       ssot.normalize_text(c.value) IS NOT DISTINCT FROM c.want AS ok
  FROM text_case AS c
 ORDER BY c.no;

CREATE TABLE key_case (no int, why text, value text, want text);
INSERT INTO key_case VALUES
  (1,  'case',                 'Acme LTD.',            'acme ltd.'),
  (2,  'accents',              'ÀÉÎõü Čapek',          'aeiou capek'),
  (3,  'sharp s, both cases',  'Straße STRAẞE',        'strasse strasse'),
  (4,  'Turkish dotted I',     'İSTANBUL',             'istanbul'),
  (5,  'Turkish dotless i',    'ılık',                 'ilik'),
  (6,  'letters with strokes', 'Łódź Ørsted Đuro',     'lodz orsted duro'),
  (7,  'ligatures',            'Æsir œuvre ﬁ',         'aesir oeuvre fi'),
  (8,  'decomposed',           U&'Zoe\0308',           'zoe'),
  (9,  'stacked marks',        U&'Z\0300\0301\0302o',  'zo'),
  (10, 'Cyrillic',             'Ромашка',              'romaska'),
  (11, 'Greek, final sigma',   'ΟΔΟΣ',                 'odos'),
  (12, 'katakana, voiced',     'ガス',                  'gasu'),
  (13, 'full-width',           'ＡＢＣ１２',              'abc12'),
  (14, 'Arabic digits',        '١٢٣',                  '123'),
  (15, 'joiners go',           U&'a\200Db\00E9\200C\00E9', 'abee'),
  (16, 'curly quotes, dashes', '“L’Oréal” – Paris',    '"l''oreal" - paris'),
  (17, 'emoji stays',          'Acme 🚀',               'acme 🚀'),
  (18, 'only a mark',          U&'\0301',              NULL),
  (19, 'empty',                '',                     NULL),
  (20, 'null',                 NULL,                   NULL);
SELECT c.no, c.why, ssot.normalize_key(c.value) AS got,
       ssot.normalize_key(c.value) IS NOT DISTINCT FROM c.want AS ok
  FROM key_case AS c
 ORDER BY c.no;

-- Doing it twice changes nothing, for every character up to the kana (all
-- planes were tried: it takes half a minute).
SELECT count(*) AS characters,
       count(*) FILTER (WHERE n.k IS DISTINCT FROM ssot.normalize_key(n.k)) AS keys_differ,
       count(*) FILTER (WHERE n.t IS DISTINCT FROM ssot.normalize_text(n.t)) AS texts_differ,
       count(*) FILTER (WHERE n.t IS NOT NFKC NORMALIZED) AS not_nfkc
  FROM (SELECT ssot.normalize_key('a' || chr(i) || 'b') AS k,
               ssot.normalize_text('a' || chr(i) || 'b') AS t
          FROM generate_series(1, 13000) AS i) AS n;

-- long values
SELECT ssot.normalize_text(repeat('é ', 10000)) = btrim(repeat('é ', 10000)) AS as_it_was,
       length(ssot.normalize_key(repeat('ﷺ', 10000))) > 10000 AS expands,
       ssot.normalize_key(repeat(U&'e\0301', 100000)) = repeat('e', 100000) AS accents_off,
       ssot.normalize_text(repeat(' ', 1000000)) IS NULL AS nothing,
       length(ssot.normalize_text(repeat('x', 20000000))) AS ascii_has_no_limit;
SELECT ssot.normalize_text(repeat('é', 10000000)); -- ERROR

SET client_min_messages = warning;
DROP SCHEMA t_normalize CASCADE;
