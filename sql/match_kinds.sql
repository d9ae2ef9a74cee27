--
-- match_kinds: how well two values of a kind agree, and which keys bring them together
--
\pset null '(null)'
CREATE SCHEMA t_kinds;
SET search_path = t_kinds;

SELECT k.kind, k.description, k.levels
  FROM ssot.match_kinds() AS k
 ORDER BY k.kind;

-- Do they share a key of a class?
CREATE FUNCTION meet(kind text, a text[], b text[]) RETURNS text
LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT x.class, '; ' ORDER BY x.class)
      FROM ssot.match_keys(kind, a) AS x
      JOIN ssot.match_keys(kind, b) AS y ON y.class = x.class AND y.key = x.key
$$;

-- people, in two columns
CREATE TABLE pair (no int GENERATED ALWAYS AS IDENTITY, kind text, a text[], b text[], why text);
INSERT INTO pair (kind, a, b, why) VALUES
  ('person_name', '{Hans,Müller}',        '{hans,MUELLER}',        'another spelling of ü'),
  ('person_name', '{Hans,Müller}',        '{HANS,Muller}',         'accents and case'),
  ('person_name', '{Robert,Smith}',       '{Bob,Smith}',           'nickname'),
  ('person_name', '{Katarzyna,Nowak}',    '{Kasia,Nowak}',         'Polish nickname'),
  ('person_name', '{Francisco,Garcia}',   '{Paco,García}',         'Spanish nickname'),
  ('person_name', '{Giuseppe,Rossi}',     '{Beppe,Rossi}',         'Italian nickname'),
  ('person_name', '{Dmitri,Ivanov}',      '{Dima,Ivanov}',         'Russian nickname'),
  ('person_name', '{Wolfgang,Koch}',      '{Wolfi,Koch}',          'German nickname'),
  ('person_name', '{Smith,James}',        '{James,Smith}',         'exchanged'),
  ('person_name', '{Smith,Jim}',          '{James,Smith}',         'exchanged, with a nickname'),
  ('person_name', '{J.,Smith}',           '{James,Smith}',         'initial'),
  ('person_name', '{NULL,Smith}',         '{James,Smith}',         'given name missing'),
  ('person_name', '{James,Smith}',        '{James,Smyth}',         'a slip in one'),
  ('person_name', '{Jmaes,Smith}',        '{James,Smiht}',         'slips in both'),
  ('person_name', '{James,Smith}',        '{James T.,Smith}',      'middle name'),
  ('person_name', '{Maria,Garcia Lopez}', '{Maria,Lopez}',         'one of two family names'),
  ('person_name', '{Anna,van der Berg}',  '{Anna,Vanderberg}',     'parts of a name joined'),
  ('person_name', '{Mary,Smith}',         '{Mary,Jones}',          'married, or another'),
  ('person_name', '{Mary,Smith}',         '{Peter,Smith}',         'relatives, or strangers'),
  ('person_name', '{Mary,Smith}',         '{Peter,Jones}',         'nothing'),
  ('person_name', '{"Dr. Hans Müller"}',  '{"Müller, Hans"}',      'one column, two orders'),
  ('person_name', '{Ana,Ruiz,NULL}',      '{Ana,Ruiz,Vega}',       'second family name missing'),
  ('person_name', '{Bob,Smith,NULL}',     '{Robert,Smith,Jr}',     'suffix in a column of its own'),
  ('person_name', '{NULL,Smith,NULL}',    '{Robert,Smith,NULL}',   'of three columns only the family name'),
  ('person_name', '{Li}',                 '{Li}',                  'one word'),
  ('person_name', '{"",""}',              '{James,Smith}',         'no name'),

  ('people', '{"M. Stonebraker, J. Hellerstein"}', '{"Michael Stonebraker and Joe Hellerstein"}', 'initials'),
  ('people', '{"Hellerstein, J.M.; Stonebraker, M."}', '{"Michael Stonebraker, Joseph M. Hellerstein"}', 'order'),
  ('people', '{"Freund, Y. and Schapire, R.E."}',   '{"yoav freund, robert e. shapire."}', 'a slip'),
  ('people', '{"Michael Stonebraker et al."}', '{"Michael Stonebraker, Joe Hellerstein, Jim Gray"}', 'a cut list'),
  ('people', '{"J. Gray, A. Reuter"}',    '{"J. Gray, M. Stonebraker"}', 'one of two'),
  ('people', '{"R. Agrawal"}',            '{"S. Agrawal"}',         'another initial'),
  ('people', '{"Jim Gray"}',              '{"Michael Stonebraker"}', 'nothing'),
  ('people', '{"et al."}',                '{"Jim Gray"}',           'nobody'),
  ('people', '{"Jim Gray et al."}',       '{"Gray, Jim and others"}', 'cut in two ways'),
  ('people', '{"Jim Gray & Andreas Reuter"}', '{"GRAY, JIM; REUTER, ANDREAS (eds.)"}', 'separators'),
  ('people', '{"Gray J, Reuter A"}',      '{"J. Gray / A. Reuter"}', 'initials without points'),
  ('people', '{"Gray, Jim and Reuter, Andreas"}', '{"Andreas Reuter, Jim Gray"}', 'last names first'),
  ('people', '{"Al Gore, Ed Harris"}',    '{"A. Gore, E. Harris"}',  'names that look like other words'),
  ('people', '{"Knuth, D.E. (ed.)"}',     '{"Donald E. Knuth"}',     'an editor'),
  ('people', '{"Jean-Pierre Serre"}',     '{"J.-P. Serre"}',         'a hyphen'),
  ('people', '{"Conor O''Neil"}',         '{"C. O’Neil"}',           'an apostrophe'),
  ('people', '{"Лев Толстой, Антон Чехов"}', '{"Толстой Л.; Чехов А."}', 'Cyrillic initials'),
  ('people', '{"Лев Толстой"}',           '{"К. Толстой"}',          'another Cyrillic initial'),
  ('people', '{"Νίκος Καζαντζάκης"}',     '{"Ν. Καζαντζακης"}',      'Greek initial, accents'),
  ('people', '{山田太郎、鈴木一郎}',      '{"鈴木一郎, 山田太郎"}',  'ideographic comma'),
  ('people', '{"王 小明"}',               '{"王 大山"}',             'a Chinese family name is no initial'),
  ('people', '{"نجيب محفوظ، طه حسين"}',   '{"طه حسين; نجيب محفوظ"}', 'Arabic comma'),
  ('people', '{"Jim Gray"}',              '{}',                      'no list'),
  ('people', '{" ; , "}',                 '{"Jim Gray"}',            'an empty list'),

  ('number', '{"(1995),"}',               '{1995}',                 'brackets and a comma'),
  ('number', '{"$ 1,250.00"}',            '{1250}',                 'currency and thousands'),
  ('number', '{8.10 %}',                  '{8.1}',                  'per cent'),
  ('number', '{-5}',                      '{5}',                    'sign'),
  ('number', '{1996a}',                   '{1996}',                 'no number'),
  ('number', '{"€ 1,250,000"}',           '{1250000}',              'millions'),
  ('number', '{"1,5"}',                   '{1.5}',                  'a decimal comma'),

  ('company', '{Acme Intl.}',             '{ACME International GmbH}', 'abbreviation and legal form'),
  ('company', '{First National Bank}',    '{Second National Bank}',    'two banks'),
  ('company', '{Miller Logistics Ltd}',   '{Logistics Miller}',        'order'),
  ('company', '{Miller Logistics}',       '{Miler Logistics Inc.}',    'a slip'),
  ('company', '{Coca Cola}',              '{CocaCola Company}',        'a blank'),
  ('company', '{Nordic Foods Services}',  '{Nordic Food Svcs}',        'shortened and plural'),
  ('company', '{Schmidt & Söhne GmbH}',   '{Schmidt und Sohn}',        'and sons'),
  ('company', '{Acme}',                   '{Acme Holding}',            'one contains the other'),
  ('company', '{International Business Machines}', '{IBM}',            'acronym'),
  ('company', '{Area 51 Labs}',           '{Area 52 Labs}',            'another number'),
  ('company', '{1st City Bank}',          '{First City Bank}',         'ordinal'),
  ('company', '{Alpha Systems}',          '{Omega Metals}',            'nothing'),
  ('company', '{GmbH}',                   '{AG}',                      'legal forms only'),

  ('email', '{Ann.Smith@Example.com}',    '{ann.smith@example.com}',   'case'),
  ('email', '{ann.smith@example.com}',    '{annsmith+news@example.com}', 'dots and tag'),
  ('email', '{ann.smith@example.com}',    '{ann.smiht@example.com}',   'a slip'),
  ('email', '{ann.smith@gmail.com}',      '{ann.smith@web.de}',        'another provider'),
  ('email', '{ann.smith@acme.com}',       '{info@acme.com}',           'the same company'),
  ('email', '{tom@acme.com}',             '{tim@acme.com}',            'colleagues, not a slip'),
  ('email', '{info@acme.com}',            '{info@bolt.com}',           'two offices'),
  ('email', '{ann@gmail.com}',            '{bob.jones@gmail.com}',     'one provider'),
  ('email', '{ann.smith at example}',     '{ann.smith@example.com}',   'no address'),

  ('phone', '{+49 30 1234567}',           '{0049-30-1234567}',         'two ways to dial'),
  ('phone', '{+49 30 1234567}',           '{(030) 1234567}',           'national'),
  ('phone', '{+49 (0) 30 1234567}',       '{+49 30 1234567}',          'trunk zero in brackets'),
  ('phone', '{+1 212 555 0123 ext. 9}',   '{212-555-0123}',            'extension'),
  ('phone', '{030 1234567}',              '{030 1234568}',             'one digit'),
  ('phone', '{030 1234567}',              '{030 1234657}',             'two digits exchanged'),
  ('phone', '{+49 30 1234567}',           '{+44 20 1234567}',          'the same ending'),
  ('phone', '{+49 30 1234567}',           '{+49 89 7654321}',          'nothing'),
  ('phone', '{n/a}',                      '{030 1234567}',             'no number'),

  ('date', '{1949-05-42}',                '{1949-05-24}',          'impossible day, two digits exchanged'),
  ('date', '{1982-17-30}',                '{1982-12-30}',          'impossible month, one digit'),
  ('date', '{19820032}',                  '{19820132}',            'impossible both, eight digits'),
  ('date', '{31021985}',                  '{1985-02-31}',          'impossible, year last'),
  ('date', '{1949-05-42}',                '{1949-05-03}',          'impossible day, another one'),
  ('date', '{1949-05-42}',                '{1971-11-03}',          'impossible day, another date'),
  ('date', '{1949}',                      '{1949-05-42}',          'year only, and an impossible day'),

  ('code', '{AB-1234567}',                '{ab 1234567}',          'case and signs'),
  ('code', '{AB-1234567}',                '{AB-1234576}',          'a slip'),
  ('code', '{AB-1234567}',                '{CD-7654321}',          'nothing'),

  ('address', '{12 Main Street}',         '{12 Main St.}',             'street type'),
  ('address', '{12 Main Street}',         '{Main St,12}',              'number in a column of its own'),
  ('address', '{Hauptstr. 5}',            '{Haupt Straße 5}',          'glued street type'),
  ('address', '{Hauptstraße 5a}',         '{Hauptstr. 5 a}',           'letter apart'),
  ('address', '{Hauptstraße 5a}',         '{Hauptstr. 5}',             'letter missing'),
  ('address', '{12 Main Street}',         '{Main Street}',             'number missing'),
  ('address', '{12 Main Street}',         '{14 Main Street}',          'another number'),
  ('address', '{12 Washington Street}',   '{12 Washingtn Street}',     'a slip'),
  ('address', '{5 N. Elm Avenue}',        '{5 North Elm Ave}',         'direction'),
  ('address', '{3 St. James Road}',       '{3 Saint James Rd}',        'saint, not street'),
  ('address', '{12 Main Street}',         '{12 Park Avenue}',          'another street');
SELECT p.kind, p.a, p.b, p.why, ssot.match_level(p.kind, p.a, p.b) AS level, meet(p.kind, p.a, p.b) AS keys
  FROM pair AS p
 ORDER BY p.no;

-- the same in one column
SELECT ssot.match_level('company', 'Acme Intl.', 'ACME International GmbH') AS company,
       ssot.match_level('person_name', 'Bob Smith', 'Robert Smith') AS person,
       (SELECT count(*) FROM ssot.match_keys('company', 'Acme Intl.')) > 3 AS keys;

-- symmetric, and equal to themselves: every pair of all values above
SELECT p.kind, p.a, q.b
  FROM pair AS p
  JOIN pair AS q ON q.kind = p.kind
 WHERE ssot.match_level(p.kind, p.a, q.b) IS DISTINCT FROM ssot.match_level(p.kind, q.b, p.a)
    OR ssot.match_level(p.kind, p.a, p.a) <> (SELECT k.levels[cardinality(k.levels)] FROM ssot.match_kinds() AS k WHERE k.kind = p.kind);

-- anything may come: nothing fails, nothing takes long
CREATE TABLE odd (no int, value text);
INSERT INTO odd VALUES
  (1, ''), (2, ' '), (3, '???'), (4, repeat('a', 10000)), (5, repeat('ab ', 4000)), (6, repeat('1', 5000)),
  (7, repeat('ä日 ', 3000)), (8, E'a\x1fb'), (9, '@'), (10, '@@x'), (11, repeat('x@', 500)), (12, E'\x1f\x1f\x1f'), (13, 'null'),
  (14, '株式会社トヨタ'), (15, '😀'), (16, '0'), (17, '00000000'), (18, '-'), (19, repeat('Smith ', 300));
SELECT k.kind, count(ssot.match_level(k.kind, x.value, y.value)) AS compared,
       count(*) FILTER (WHERE ssot.match_level(k.kind, x.value, y.value) IS DISTINCT FROM ssot.match_level(k.kind, y.value, x.value)) AS asymmetric,
       max((SELECT count(*) FROM ssot.match_keys(k.kind, x.value))) <= 16 AS few_keys
  FROM ssot.match_kinds() AS k
 CROSS JOIN odd AS x
 CROSS JOIN odd AS y
 GROUP BY k.kind
 ORDER BY k.kind;

-- A long list: what comes late counts for equality only.
SELECT ssot.match_level('people', x.names, x.names) AS same, ssot.match_level('people', x.names, x.names || ', Jim Gray') AS one_more,
       ssot.match_level('people', x.names, y.names) AS in_reverse
  FROM (SELECT string_agg(translate(left(md5(i::text), 6), '0123456789', 'ghijklmnop'), ', ' ORDER BY i) FROM generate_series(1, 60) AS i) AS x (names)
 CROSS JOIN (SELECT string_agg(translate(left(md5(i::text), 6), '0123456789', 'ghijklmnop'), ' and ' ORDER BY i DESC) FROM generate_series(1, 60) AS i) AS y (names);

SELECT ssot.match_level('company', NULL, 'a') AS none;
SELECT ssot.match_level('colour', 'red', 'rouge'); -- ERROR
SELECT * FROM ssot.match_keys('colour', 'red'); -- ERROR

SET client_min_messages = warning;
DROP SCHEMA t_kinds CASCADE;
