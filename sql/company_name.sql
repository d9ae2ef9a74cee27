--
-- normalize_company: the legal form goes, the name stays
--
\pset null '(null)'
CREATE SCHEMA t_company;
SET search_path = t_company;

CREATE TABLE company (country text, value text, want text);
INSERT INTO company VALUES
  ('AE', 'Gulf Traders FZ-LLC',                  'gulf traders'),
  ('AL', 'Tirana Energji Sh.p.k.',               'tirana energji'),
  ('AR', 'Arcor S.A.I.C.',                       'arcor'),
  ('AT', 'Spitz Ges.m.b.H.',                     'spitz'),
  ('AU', 'Atlassian Pty Ltd',                    'atlassian'),
  ('AU', 'Atlassian Pty. Limited',               'atlassian'),
  ('BE', 'Delhaize NV/SA',                       'delhaize'),
  ('BG', '„Ромашка“ ЕООД',                       'romaska'),
  ('BR', 'Padaria Central Ltda.',                'padaria central'),
  ('BR', 'Petróleo Brasileiro S/A',              'petroleo brasileiro'),
  ('CA', 'Boulangerie Québec Ltée',              'boulangerie quebec'),
  ('CH', 'Läderach (Schweiz) AG',                'laderach schweiz'),
  ('CN', '华为技术有限公司',                         'hua wei ji shu'),
  ('CZ', 'Škoda Auto a.s.',                      'skoda auto'),
  ('CZ', 'Alza, spol. s r. o.',                  'alza'),
  ('DE', 'Müller & Söhne GmbH & Co. KG',         'muller and sohne'),
  ('DE', 'Bäckerei Weiß e.K.',                   'backerei weiss'),
  ('DE', 'Start UG (haftungsbeschränkt)',        'start'),
  ('DE', 'Siemens Aktiengesellschaft',           'siemens'),
  ('DK', 'LEGO A/S',                             'lego'),
  ('DK', 'Butik ApS',                            'butik'),
  ('EE', 'OÜ Kalev',                             'kalev'),
  ('ES', 'Zara España, S.L.U.',                  'zara espana'),
  ('FI', 'Nokia Oyj',                            'nokia'),
  ('FR', 'L’Oréal S.A.',                         'loreal'),
  ('FR', 'SARL Dupont',                          'dupont'),
  ('GB', 'The Body Shop PLC',                    'body shop'),
  ('GB', 'J. P. Morgan & Co. Ltd',               'jp morgan'),
  ('GR', 'ΟΤΕ Α.Ε.',                             'ote'),
  ('HR', 'Kraš d.o.o.',                          'kras'),
  ('HU', 'Magyar Telekom Nyrt.',                 'magyar telekom'),
  ('HU', 'Kovács és Társa Kft.',                 'kovacs es tarsa'),
  ('ID', 'PT Bank Central Asia Tbk',             'bank central asia'),
  ('IE', 'Ryanair D.A.C.',                       'ryanair'),
  ('IN', 'Infosys Pvt. Ltd.',                    'infosys'),
  ('IS', 'Össur hf.',                            'ossur'),
  ('IT', 'Ferrari S.p.A.',                       'ferrari'),
  ('IT', 'Rossi S.r.l.',                         'rossi'),
  ('JP', '株式会社トヨタ',                           'toyota'),
  ('JP', 'トヨタ（株）',                             'toyota'),
  ('JP', '㈱トヨタ',                                'toyota'),
  ('JP', 'Toyota K.K.',                          'toyota'),
  ('JP', 'TOYOTA CO., LTD.',                     'toyota'),
  ('KR', '주식회사 카카오',                          'kakao'),
  ('KZ', 'ТОО "Казах"',                          'kazah'),
  ('LT', 'UAB „Maxima“',                         'maxima'),
  ('LV', 'SIA Rimi',                             'rimi'),
  ('MX', 'Cemex S.A.B. de C.V.',                 'cemex'),
  ('MX', 'Tacos S. de R.L. de C.V.',             'tacos'),
  ('MX', 'Tacos S de RL de CV',                  'tacos'),
  ('MY', 'Petronas Sdn. Bhd.',                   'petronas'),
  ('NL', 'Philips N.V.',                         'philips'),
  ('NL', 'Bakker & Zn. B.V.',                    'bakker and zn'),
  ('NO', 'Equinor ASA',                          'equinor'),
  ('PL', 'Żabka sp. z o.o.',                     'zabka'),
  ('PL', 'Żabka Sp. z o. o.',                    'zabka'),
  ('PL', 'Żabka SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ', 'zabka'),
  ('PT', 'Pão Unipessoal, Lda.',                 'pao'),
  ('RO', 'Dacia S.R.L.',                         'dacia'),
  ('RS', 'Jugo d. o. o.',                        'jugo'),
  ('RU', 'ООО «Ромашка»',                        'romaska'),
  ('RU', 'OOO Romaška',                          'romaska'),
  ('SE', 'Volvo AB (publ)',                      'volvo'),
  ('SG', 'Grab Pte. Ltd.',                       'grab'),
  ('SK', 'Tatra, s.r.o.',                        'tatra'),
  ('TR', 'Arçelik A.Ş.',                         'arcelik'),
  ('TR', 'Yıldız Ltd. Şti.',                     'yildiz'),
  ('UA', 'ТОВ "Зоря"',                           'zora'),
  ('US', 'Apple Inc.',                           'apple'),
  ('US', 'AT&T, Inc.',                           'at and t'),
  ('US', 'Johnson & Johnson',                    'johnson and johnson'),
  ('US', 'Johnson and Johnson, Incorporated',    'johnson and johnson'),
  ('US', 'The Coca-Cola Company',                'coca cola'),
  ('VN', 'Công ty TNHH Samsung',                 'samsung'),
  ('ZA', 'Shoprite (Pty) Ltd',                   'shoprite');
SELECT c.country, c.value, ssot.normalize_company(c.value) AS got,
       ssot.normalize_company(c.value) IS NOT DISTINCT FROM c.want AS ok
  FROM company AS c
 ORDER BY c.country, c.value COLLATE "C";

-- scripts whose transliteration is nobody's spelling: with and without the form
SELECT f.no, ssot.normalize_company(f.full_name) = ssot.normalize_company(f.name) AS same
  FROM (VALUES (1, 'บริษัท ปตท จำกัด (มหาชน)', 'ปตท'),
               (2, U&'\05D8\05D1\05E2 \05D1\05E2"\05DE', U&'\05D8\05D1\05E2'),
               (3, U&'\05D8\05D1\05E2 \05D1\05E2\05F4\05DE', U&'\05D8\05D1\05E2'),
               (4, 'شركة النور ذ.م.م', 'النور'),
               (5, '台灣積體電路製造股份有限公司', '台灣積體電路製造')) AS f (no, full_name, name)
 ORDER BY f.no;

-- never empty for a name that is only a legal form, or only punctuation
CREATE TABLE bare (no int, value text, want text);
INSERT INTO bare VALUES
  (1, 'Limited',        'limited'),
  (2, 'Limited Ltd.',   'limited'),
  (3, 'GmbH & Co. KG',  'gmbh'),
  (4, 'GmbH',           'gmbh'),
  (5, 'S.A.',           'sa'),
  (6, '株式会社',         'zhu shi hui she'),
  (7, '(株)',            'zhu'),
  (8, 'The Company',    'the'),
  (9, '???',            '???'),
  (10, '& Co.',         'and'),
  (11, '&',             'and'),
  (12, 'The',           'the'),
  (13, E' \t ',         NULL),
  (14, '',              NULL),
  (15, NULL,            NULL);
SELECT b.no, b.value, ssot.normalize_company(b.value) AS got,
       ssot.normalize_company(b.value) IS NOT DISTINCT FROM b.want AS ok
  FROM bare AS b
 ORDER BY b.no;

-- a form is a whole word
SELECT ssot.normalize_company('Texaco') AS co_inside,
       ssot.normalize_company('Visa') AS sa_inside,
       ssot.normalize_company('Colorado Cafe') AS co_in_front;
SELECT ssot.normalize_company(repeat('Ltd ', 5000)) AS one_form_stays,
       length(ssot.normalize_company(repeat('Müller ', 5000) || 'GmbH')) AS long_name;

SET client_min_messages = warning;
DROP SCHEMA t_company CASCADE;
