--
-- is_email and normalize_email
--
\pset null '(null)'
CREATE SCHEMA t_email;
SET search_path = t_email;

CREATE TABLE form (no int, value text, want boolean);
INSERT INTO form VALUES
  (1,  'a@b.cd',                      true),
  (2,  'jon.yang+news@example.co.uk', true),
  (3,  'o''hara!#$%&*/=?^_`{|}~-@example.com', true),
  (4,  'JON@EXAMPLE.COM',             true),
  (5,  'müller@bücher.example',       true),
  (6,  '用户@例子.公司',                 true),
  (7,  'अजय@डाटा.भारत',                  true),
  (8,  'a@xn--bcher-kva.example',     true),
  (9,  'a@1.example',                 true),
  (10, repeat('a', 64) || '@example.com', true),
  (11, 'a@' || repeat('b', 63) || '.com', true),
  (20, '',                            false),
  (21, ' ',                           false),
  (22, 'plain',                       false),
  (23, '@example.com',                false),
  (24, 'a@',                          false),
  (25, 'a@localhost',                 false),
  (26, 'a@b.c',                       false),
  (27, 'a@@example.com',              false),
  (28, 'a@b@example.com',             false),
  (29, '.a@example.com',              false),
  (30, 'a.@example.com',              false),
  (31, 'a..b@example.com',            false),
  (32, 'a b@example.com',             false),
  (33, ' a@example.com',              false),
  (34, E'a@example.com\r',            false),
  (35, E'a@example.com\n',            false),
  (36, 'a@example..com',              false),
  (37, 'a@.example.com',              false),
  (38, 'a@example.com.',              false),
  (39, 'a@-example.com',              false),
  (40, 'a@example-.com',              false),
  (41, 'a@exa_mple.com',              false),
  (42, 'a@192.0.2.1',                 false),
  (43, 'a@[192.0.2.1]',               false),
  (44, '"a b"@example.com',           false),
  (45, 'Ann <a@example.com>',         false),
  (46, 'a,b@example.com',             false),
  (47, repeat('a', 65) || '@example.com', false),
  (48, 'a@' || repeat('b', 64) || '.com', false),
  (49, 'a@' || repeat('b.', 130) || 'com', false),
  (50, U&'a\200Bb@example.com',       false),
  (51, U&'a\00A0b@example.com',       false),
  (52, U&'a\202Eb@example.com',       false),
  (53, U&'a@ex\FEFFample.com',        false),
  (54, U&'a\FFFEb@example.com',       false),
  (55, U&'a@example\3002com',         false),
  (56, U&'a@b.\00AD\00AD',            false),
  (57, NULL,                          NULL);
SELECT f.no, left(f.value, 40) AS value, ssot.is_email(f.value) AS got,
       ssot.is_email(f.value) IS NOT DISTINCT FROM f.want AS ok
  FROM form AS f
 ORDER BY f.no;

SELECT ssot.is_email(repeat('a', 1000000) || '@example.com') AS one_megabyte,
       ssot.is_email(repeat('é', 500000)) AS one_megabyte_of_accents,
       ssot.is_email(repeat('@', 1000000)) AS one_megabyte_of_ats;

CREATE TABLE contact (email text CHECK (ssot.is_email(email)));
INSERT INTO contact VALUES ('a@example.com'), (NULL);
INSERT INTO contact VALUES ('a@example'); -- ERROR

CREATE TABLE address (no int, value text, plus boolean, dots boolean, want text);
INSERT INTO address VALUES
  (1,  ' Jon.Yang@Example.COM ',      false, false, 'jon.yang@example.com'),
  (2,  'jon.yang+news@example.com',   false, false, 'jon.yang+news@example.com'),
  (3,  'jon.yang+news@example.com',   true,  false, 'jon.yang@example.com'),
  (4,  'jon.yang+news@example.com',   false, true,  'jonyang+news@example.com'),
  (5,  'jon.yang+news+x@example.com', true,  true,  'jonyang@example.com'),
  (6,  '+news@example.com',           true,  false, '+news@example.com'),
  (7,  'mailto:jon@example.com',      false, false, 'jon@example.com'),
  (8,  'Jon Yang <Jon@Example.com>',  false, false, 'jon@example.com'),
  (9,  'jon@XN--BCHER-KVA.example',   false, false, 'jon@bücher.example'),
  (10, 'MÜLLER@BÜCHER.example',       false, false, 'müller@bücher.example'),
  (11, 'ｊｏｎ＠ｅｘａｍｐｌｅ．ｃｏｍ',         false, false, 'jon@example.com'),
  (12, 'jon@straße.example',          false, false, 'jon@straße.example'),
  (13, 'jon@example.com.',            false, false, 'jon@example.com'),
  (14, E'jon@example.com\r',          false, false, 'jon@example.com'),
  (15, U&'\200Bjon@example.com',      false, false, 'jon@example.com'),
  (16, 'jon at example.com',          false, false, NULL),
  (17, 'jon@example',                 false, false, NULL),
  (18, 'n/a',                         false, false, NULL),
  (19, 'a@b.cd; c@d.ef',              false, false, NULL),
  (20, 'jon@xn--\.example',           false, false, NULL),
  (21, '<>',                          false, false, NULL),
  (22, '@',                           true,  true,  NULL),
  (23, '',                            false, false, NULL),
  (24, NULL,                          false, false, NULL);
SELECT a.no, a.value, ssot.normalize_email(a.value, a.plus, a.dots) AS got,
       ssot.normalize_email(a.value, a.plus, a.dots) IS NOT DISTINCT FROM a.want AS ok
  FROM address AS a
 ORDER BY a.no;
SELECT ssot.normalize_email('A.b+c@X.org') AS by_default,
       ssot.normalize_email('A.b+c@X.org', strip_dots => true) AS dots,
       ssot.normalize_email(repeat('a', 1000000) || '@x.org') AS too_long;

SET client_min_messages = warning;
DROP SCHEMA t_email CASCADE;
