--
-- normalize_country, country_name, is_country
--
\pset null '(null)'
CREATE SCHEMA t_country;
SET search_path = t_country;

CREATE TABLE country (no int, value text, want text);
INSERT INTO country VALUES
  (1,  'DE', 'DE'), (2, 'de', 'DE'), (3, 'DEU', 'DE'), (4, '276', 'DE'),
  (5,  '036', 'AU'), (6, '36', 'AU'), (7, 'Germany', 'DE'),
  (8,  'Deutschland', 'DE'), (9, 'Allemagne', 'DE'), (10, 'ドイツ', 'DE'),
  (11, 'US', 'US'), (12, 'USA', 'US'), (13, 'U.S.A.', 'US'), (14, 'U. S.', 'US'),
  (15, 'United States', 'US'), (16, E'United States\r', 'US'), (17, 'UNITED  STATES OF AMERICA', 'US'),
  (18, 'Vereinigte Staaten', 'US'), (19, 'États-Unis', 'US'), (20, 'ＵＳＡ', 'US'),
  (21, 'UK', 'GB'), (22, 'United Kingdom', 'GB'), (23, 'England', 'GB'), (24, 'Great Britain', 'GB'),
  (25, 'The Netherlands', 'NL'), (26, 'Holland', 'NL'), (27, 'Nederland', 'NL'),
  (28, 'Österreich', 'AT'), (29, 'Osterreich', 'AT'),
  (30, 'España', 'ES'), (31, 'Espana', 'ES'), (32, U&'Espan\0303a', 'ES'),
  (33, 'Türkiye', 'TR'), (34, 'Turkey', 'TR'), (35, 'TÜRKİYE', 'TR'),
  (36, 'Россия', 'RU'), (37, 'Российская Федерация', 'RU'), (38, 'Russian Federation', 'RU'),
  (39, '日本', 'JP'), (40, '中国', 'CN'), (41, '대한민국', 'KR'), (42, 'Ελλάδα', 'GR'), (43, 'EL', 'GR'),
  (44, 'ישראל', 'IL'),
  (45, 'مصر', 'EG'),	-- "msr" in Latin letters, but not Montserrat
  (46, 'Côte d’Ivoire', 'CI'), (47, 'Ivory Coast', 'CI'),
  (48, 'Bosnia and Herzegovina', 'BA'), (49, 'Bosnia & Herzegovina', 'BA'),
  (50, 'St. Lucia', 'LC'), (51, 'Korea, Republic of', 'KR'), (52, 'South Korea', 'KR'), (53, 'North Korea', 'KP'),
  (54, 'Iran, Islamic Republic of', 'IR'), (55, 'Viet Nam', 'VN'), (56, 'Czech Republic', 'CZ'), (57, 'Česko', 'CZ'),
  (58, 'Canada', 'CA'), (59, 'France', 'FR'), (60, 'Australia', 'AU'),
  (61, 'Guinea', 'GN'), (62, 'Guinea-Bissau', 'GW'), (63, 'Equatorial Guinea', 'GQ'),
  (64, 'Georgia', 'GE'), (65, 'Niger', 'NE'), (66, 'Nigeria', 'NG'),
  (67, 'Dominica', 'DM'), (68, 'Dominican Republic', 'DO'),
  (80, 'CNTRY', NULL), (81, 'XK', NULL), (82, 'ZZ', NULL), (83, '999', NULL), (84, '0', NULL),
  (85, '0276', NULL), (86, 'n/a', NULL), (87, 'Atlantis', NULL), (88, '', NULL), (89, ' ', NULL), (90, NULL, NULL);
SELECT c.no, c.value, ssot.normalize_country(c.value) AS got,
       ssot.normalize_country(c.value) IS NOT DISTINCT FROM c.want AS ok
  FROM country AS c
 ORDER BY c.no;

-- every code is its own country, by each of its names
CREATE TABLE code AS
SELECT a || b AS code
  FROM (SELECT chr(i) AS a FROM generate_series(65, 90) AS i) AS x,
       (SELECT chr(i) AS b FROM generate_series(65, 90) AS i) AS y
 WHERE ssot.is_country(a || b);
SELECT count(*) AS countries,
       count(*) FILTER (WHERE ssot.normalize_country(c.code) = c.code) AS by_code,
       count(*) FILTER (WHERE ssot.normalize_country(ssot.country_name(c.code)) = c.code) AS by_english_name,
       count(DISTINCT ssot.country_name(c.code)) AS english_names
  FROM code AS c;
-- names in other languages: of nobody where two countries share one, never of another
SELECT l.locale,
       count(*) FILTER (WHERE ssot.normalize_country(ssot.country_name(c.code, l.locale)) <> c.code) AS wrong,
       count(*) FILTER (WHERE ssot.normalize_country(ssot.country_name(c.code, l.locale)) IS NULL) < 10 AS few_unknown
  FROM code AS c, unnest('{de,es,fr,it,ja,pl,ru,zh}'::text[]) AS l (locale)
 GROUP BY l.locale
 ORDER BY l.locale COLLATE "C";
SELECT ssot.normalize_country(repeat('Germany', 100000)) AS long,
       ssot.normalize_country(repeat('é', 150)) AS too_long_a_name;

SELECT ssot.country_name('DE') AS en, ssot.country_name('DE', 'de') AS de,
       ssot.country_name('DE', 'fr_CA') AS fr, ssot.country_name('JP', 'ja') AS ja,
       ssot.country_name('de') AS lower_case, ssot.country_name('XX') AS unknown,
       ssot.country_name(NULL) AS nothing;
SELECT ssot.country_name('DE', 'xx'); -- ERROR
SELECT ssot.country_name('DE', ''); -- ERROR
SELECT ssot.country_name('DE', repeat('x', 70)); -- ERROR

SELECT ssot.is_country('GB') AS gb, ssot.is_country('UK') AS uk, ssot.is_country('gb') AS lower_case,
       ssot.is_country('GBR') AS alpha3, ssot.is_country('') AS empty, ssot.is_country('ÄÖ') AS accents,
       ssot.is_country(repeat('GB', 500000)) AS one_megabyte, ssot.is_country(NULL) AS nothing;

SET client_min_messages = warning;
DROP SCHEMA t_country CASCADE;
