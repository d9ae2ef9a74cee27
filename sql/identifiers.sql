--
-- is_iban, is_lei, is_vat, is_currency
--
-- The numbers are published examples (registries, documentation of the
-- authorities). Each good one is also tried with every one of its digits
-- changed to every other.
--
\pset null '(null)'
CREATE SCHEMA t_identifiers;
SET search_path = t_identifiers;

-- every spelling of value with one digit replaced
CREATE FUNCTION one_digit_off(value text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT overlay(value PLACING d::text FROM i FOR 1)
      FROM generate_series(1, length(value)) AS i, generate_series(0, 9) AS d
     WHERE substr(value, i, 1) ~ '[0-9]' AND substr(value, i, 1) <> d::text
$$;

CREATE TABLE iban (value text);
INSERT INTO iban VALUES
  ('AT611904300234573201'), ('BE68539007547034'), ('BR1800360305000010009795493C1'),
  ('CH9300762011623852957'), ('DE89370400440532013000'), ('ES9121000418450200051332'),
  ('FR1420041010050500013M02606'), ('GB29NWBK60161331926819'), ('IT60X0542811101000000123456'),
  ('MT84MALT011000012345MTLCAST001S'), ('NL91ABNA0417164300'), ('NO9386011117947'),
  ('PL61109010140000071219812874'), ('SA0380000000608010167519'), ('TR330006100519786457841326'),
  ('UA213223130000026007233566001');
SELECT i.value, ssot.is_iban(i.value) AS valid,
       (SELECT count(*) FROM one_digit_off(i.value) AS w WHERE ssot.is_iban(w)) AS valid_with_a_digit_off
  FROM iban AS i
 ORDER BY i.value COLLATE "C";
SELECT w.no, w.why, ssot.is_iban(w.value) AS valid
  FROM (VALUES (1, 'lower case', 'de89370400440532013000'), (2, 'spaces', 'DE89 3704 0044 0532 0130 00'),
               (3, 'too short', 'DE8937040044053201300'), (4, 'too long', 'DE893704004405320130000'),
               (5, 'no such country', 'XX89370400440532013000'), (6, 'letters for check digits', 'DEAB370400440532013000'),
               (7, 'empty', ''), (8, 'only the country', 'DE'), (9, 'full-width', 'ＤＥ８９３７０４００４４０５３２０１３０００'),
               (10, 'line end', E'NO9386011117947\n'), (11, 'accent', 'DE8937040044053201300é'),
               (12, 'null', NULL), (13, 'one megabyte', repeat('DE89', 250000))) AS w (no, why, value)
 ORDER BY w.no;

CREATE TABLE lei (value text);
INSERT INTO lei VALUES ('5493001KJTIIGC8Y1R12'), ('213800WSGIIZCXF1P572'), ('529900T8BM49AURSDO55');
SELECT l.value, ssot.is_lei(l.value) AS valid,
       (SELECT count(*) FROM one_digit_off(l.value) AS w WHERE ssot.is_lei(w)) AS valid_with_a_digit_off
  FROM lei AS l
 ORDER BY l.value COLLATE "C";
SELECT ssot.is_lei('5493001kjtiigc8y1r12') AS lower_case, ssot.is_lei('5493001KJTIIGC8Y1R1') AS short,
       ssot.is_lei('5493001KJTIIGC8Y1R1A') AS letter_last, ssot.is_lei('') AS empty,
       ssot.is_lei('5493001KJTIIGC8Y1R12 ') AS space, ssot.is_lei(repeat('0', 20)) AS zeros,
       ssot.is_lei(repeat('5', 1000000)) AS one_megabyte, ssot.is_lei(NULL) AS nothing;

-- good numbers; with a checksum, few or none are good with one digit off
CREATE TABLE vat (value text, has_checksum boolean);
INSERT INTO vat VALUES
  ('ATU13585627', true), ('BE0428759497', true), ('CHE107787577IVA', true), ('CZ25123891', true),
  ('DE136695976', true), ('DK13585628', true), ('EE100931558', true), ('EL094259216', true),
  ('ES54362315K', true), ('ESB58378431', true), ('ESX2482300W', true), ('FI20774740', true),
  ('FR40303265045', true), ('FR23334175221', true), ('GB980780684', true), ('HR33392005961', true),
  ('HU12892312', true), ('IT00743110157', true), ('LU15027442', true), ('MT11679112', true),
  ('NL004495445B01', true), ('NO995525828MVA', true), ('PL8567346215', true), ('PT501964843', true),
  ('SE123456789701', true), ('SI50223054', true), ('SK2022749619', true), ('XI980780684', true),
  ('BG175074752', false), ('CY10259033P', false), ('CZ7103192745', false), ('FRK7399859412', false),
  ('GBGD001', false), ('GBHA500', false), ('IE6433435F', false), ('IE8D79739I', false),
  ('IE1234567FA', false), ('LT119511515', false), ('LV40003521600', false), ('RO18547290', false);
SELECT v.value, ssot.is_vat(v.value) AS valid, v.has_checksum,
       (SELECT count(*) FROM one_digit_off(v.value) AS w WHERE ssot.is_vat(w)) AS valid_with_a_digit_off
  FROM vat AS v
 ORDER BY v.value COLLATE "C";
SELECT w.no, w.why, ssot.is_vat(w.value) AS valid
  FROM (VALUES (1, 'lower case', 'de136695976'), (2, 'space', 'DE 136695976'), (3, 'dots', 'CHE-107.787.577'),
               (4, 'prefix missing', '136695976'), (5, 'Greece has EL', 'GR094259216'), (6, 'no such country', 'US136695976'),
               (7, 'too long', 'DE1366959760'), (8, 'too short', 'DE13669597'), (9, 'letters', 'DE13669597A'),
               (10, 'only a prefix', 'DE'), (11, 'empty', ''), (12, 'wrong suffix', 'CHE107787577XYZ'),
               (13, 'suffix is exact', 'NO995525828MVB'), (14, 'department out of range', 'GBGD500'),
               (15, 'authority out of range', 'GBHA499'), (16, 'neither of both', 'GBHB500'),
               (17, 'full-width', 'ＤＥ１３６６９５９７６'), (18, 'key with O', 'FRO7399859412'), (19, 'null', NULL),
               (20, 'one megabyte', 'DE' || repeat('1', 1000000)), (21, 'no kind of company', 'ESI58378431')) AS w (no, why, value)
 ORDER BY w.no;

SELECT ssot.is_currency('EUR') AS eur, ssot.is_currency('USD') AS usd, ssot.is_currency('XAU') AS gold,
       ssot.is_currency('eur') AS lower_case, ssot.is_currency('DEM') AS withdrawn, ssot.is_currency('HRK') AS withdrawn_2023,
       ssot.is_currency('XXX') AS none, ssot.is_currency('EURO') AS long, ssot.is_currency('EU') AS short,
       ssot.is_currency('') AS empty, ssot.is_currency('URF') AS across_two, ssot.is_currency('€') AS sign,
       ssot.is_currency(repeat('EUR', 300000)) AS one_megabyte, ssot.is_currency(NULL) AS nothing;
SELECT count(*) AS currencies
  FROM (SELECT chr(a) || chr(b) || chr(c) AS code
          FROM generate_series(65, 90) AS a, generate_series(65, 90) AS b, generate_series(65, 90) AS c) AS x
 WHERE ssot.is_currency(x.code);

-- fixed rules are IMMUTABLE and fit for a CHECK; nothing else says so
SELECT p.proname, p.provolatile
  FROM pg_catalog.pg_proc AS p
 WHERE p.pronamespace = 'ssot'::regnamespace
   AND p.proname IN ('country_name', 'is_blank', 'is_country', 'is_currency', 'is_email', 'is_iban', 'is_lei',
                     'is_phone', 'is_vat', 'normalize_company', 'normalize_country', 'normalize_email',
                     'normalize_key', 'normalize_person', 'normalize_phone', 'normalize_text')
 ORDER BY p.proname COLLATE "C";
CREATE TABLE partner (iban text CHECK (ssot.is_iban(iban)), vat text CHECK (ssot.is_vat(vat)), lei text CHECK (ssot.is_lei(lei)));
INSERT INTO partner VALUES ('NO9386011117947', 'DE136695976', NULL);
INSERT INTO partner (iban) VALUES ('NO9386011117948'); -- ERROR

SET client_min_messages = warning;
DROP SCHEMA t_identifiers CASCADE;
