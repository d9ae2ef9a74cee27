--
-- normalize_person: titles off, given name first
--
\pset null '(null)'
CREATE SCHEMA t_person;
SET search_path = t_person;

CREATE TABLE person (no int, value text, want text);
INSERT INTO person VALUES
  (1,  'Jon Yang',                        'jon yang'),
  (2,  '  JON   yang ',                   'jon yang'),
  (3,  'Müller, Hans-Peter',              'hans peter muller'),
  (4,  'Prof. Dr. Hans-Peter Müller',     'hans peter muller'),
  (5,  'Müller, Prof. Dr. Hans-Peter',    'hans peter muller'),
  (6,  'Dr. Müller, Hans-Peter',          'hans peter muller'),
  (7,  'John Smith, Jr.',                 'john smith'),
  (8,  'Smith, John, Jr.',                'john smith'),
  (9,  'Smith, Jr., John',                'john smith'),
  (10, 'John Smith Jr., Ph.D., MBA',      'john smith'),
  (11, 'John Smith, M.D.',                'john smith'),
  (12, 'Smith, M. D.',                    'm d smith'),
  (13, 'Smith, J. D.',                    'j d smith'),
  (14, 'J.P. Morgan',                     'j p morgan'),
  (15, 'Sinéad O’Connor',                 'sinead oconnor'),
  (16, 'Sinead O''Connor',                'sinead oconnor'),
  (17, 'Sr. José García',                 'jose garcia'),
  (18, 'Mme Élodie Noël',                 'elodie noel'),
  (19, 'Henry VIII, III',                 'henry viii'),
  (20, 'Dr.',                             'dr'),
  (21, 'Mr. Dr.',                         'dr'),
  (22, 'Don Johnson',                     'don johnson'),
  (23, 'Yo-Yo Ma',                        'yo yo ma'),
  (24, 'İbrahim Işık',                    'ibrahim isik'),
  (25, 'Иванов, Иван',                    'ivan ivanov'),
  (26, 'ＹＡＮＧ，　Ｊｏｎ',                    'jon yang'),
  (27, ', John',                          'john'),
  (28, 'Smith,',                          'smith'),
  (29, ',',                               ','),
  (30, U&'\202BYang\202C,\00A0Jon',       'jon yang'),
  (31, '',                                NULL),
  (32, NULL,                              NULL);
SELECT p.no, p.value, ssot.normalize_person(p.value) AS got,
       ssot.normalize_person(p.value) IS NOT DISTINCT FROM p.want AS ok
  FROM person AS p
 ORDER BY p.no;

SELECT ssot.normalize_person(repeat('Dr. ', 5000) || 'Who') AS many_titles,
       length(ssot.normalize_person(repeat('Anna, ', 5000))) AS many_commas;

SET client_min_messages = warning;
DROP SCHEMA t_person CASCADE;
