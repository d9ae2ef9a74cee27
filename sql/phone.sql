--
-- normalize_phone and is_phone
--
\pset null '(null)'
CREATE SCHEMA t_phone;
SET search_path = t_phone;

CREATE TABLE phone (no int, value text, country text, want text);
INSERT INTO phone VALUES
  (1,  '(202) 555-0147',           'US',          '+12025550147'),
  (2,  '202.555.0147',             'USA',         '+12025550147'),
  (3,  '+1 202 555 0147',          NULL,          '+12025550147'),
  (4,  '+49 (0)30 901820',         NULL,          '+4930901820'),
  (5,  '030 / 90 18 20',           'Deutschland', '+4930901820'),
  (6,  '0049 30 901820',           'FR',          '+4930901820'),
  (7,  '020 7946 0958',            'UK',          '+442079460958'),
  (8,  '+39 06 6982',              NULL,          '+39066982'),
  (9,  '０３−１２３４−５６７８',         'JP',          '+81312345678'),
  (10, '٠٢ ٢٣٤٥٦٧٨٩',              'EG',          '+20223456789'),
  (11, '+1 202 555 0147 ext. 12',  NULL,          '+12025550147'),
  (12, 'tel:+1-202-555-0147',      NULL,          '+12025550147'),
  (13, U&'\202A+1 202\00A0555\200B0147\202C', NULL, '+12025550147'),
  (14, E'+1 202 555 0147\r',       NULL,          '+12025550147'),
  (15, '+12025550147',             'DE',          '+12025550147'),
  (16, '202 555 0147',             NULL,          NULL),
  (17, '202 555 0147',             'Atlantis',    NULL),
  (18, '12',                       'DE',          NULL),
  (19, '+999 123456789',           NULL,          NULL),
  (20, '+1 202 555 0147 0147 0147', NULL,         NULL),
  (21, 'n/a',                      'US',          NULL),
  (22, 'call me',                  'US',          NULL),
  (23, '電話番号',                   'JP',          NULL),
  (24, '',                         'US',          NULL),
  (25, NULL,                       'US',          NULL);
SELECT p.no, p.value, p.country, ssot.normalize_phone(p.value, p.country) AS got,
       ssot.normalize_phone(p.value, p.country) IS NOT DISTINCT FROM p.want AS ok
  FROM phone AS p
 ORDER BY p.no;
-- what comes out has the form, and comes out of itself
SELECT count(*) AS numbers,
       bool_and(ssot.is_phone(n.e164)) AS e164,
       bool_and(ssot.normalize_phone(n.e164) = n.e164) AS same_again
  FROM (SELECT ssot.normalize_phone(p.value, p.country) AS e164 FROM phone AS p) AS n
 WHERE n.e164 IS NOT NULL;
SELECT ssot.normalize_phone(repeat('1', 1000000), 'US') AS one_megabyte,
       ssot.normalize_phone(repeat('5', 250), 'US') AS many_digits,
       ssot.normalize_phone(repeat('é', 400), 'US') AS no_digits,
       ssot.normalize_phone('+12025550147', repeat('x', 100000)) AS long_country;

CREATE TABLE form (no int, value text, want boolean);
INSERT INTO form VALUES
  (1,  '+12025550147',      true),
  (2,  '+2902222',          true),
  (3,  '+123456789012345',  true),
  (4,  '+1234567890123456', false),
  (5,  '+123456',           false),
  (6,  '+02025550147',      false),
  (7,  '12025550147',       false),
  (8,  '+1 2025550147',     false),
  (9,  E'+12025550147\n',   false),
  (10, '+１２０２５５５０１４７', false),
  (11, '+',                 false),
  (12, '',                  false),
  (13, NULL,                NULL);
SELECT f.no, f.value, ssot.is_phone(f.value) AS got,
       ssot.is_phone(f.value) IS NOT DISTINCT FROM f.want AS ok
  FROM form AS f
 ORDER BY f.no;
SELECT ssot.is_phone('+' || repeat('1', 1000000)) AS one_megabyte;

SET client_min_messages = warning;
DROP SCHEMA t_phone CASCADE;
