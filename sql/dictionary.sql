-- dictionary.sql: what words and numbers mean; who agreed to it; since when.
SET TimeZone = 'UTC';
CREATE ROLE regress_dict_sales;
CREATE ROLE regress_dict_finance;
CREATE ROLE regress_dict_ann LOGIN IN ROLE regress_dict_sales;
CREATE ROLE regress_dict_bob LOGIN IN ROLE regress_dict_finance;
CREATE ROLE regress_dict_cat LOGIN IN ROLE regress_dict_sales, regress_dict_finance;
CREATE ROLE regress_dict_dan LOGIN;
CREATE ROLE regress_dict_root LOGIN SUPERUSER;
GRANT EXECUTE ON FUNCTION ssot.sign, ssot.withdraw, ssot.propose, ssot.create_definition, ssot.deprecate
    TO regress_dict_sales, regress_dict_finance, regress_dict_dan;

-- A term that nobody has to sign is approved at once, for all of the past.
SELECT ssot.create_definition('customer', description => 'Who has signed at least one contract', owner => 'finance');
SELECT d.definition, d.version, d.kind, d.state, d.canonical, d.in_force, d.effective_from, d.effective_to, d.certified
  FROM ssot.dictionary AS d;

-- Refused
SELECT ssot.create_definition('a:b', description => 'x'); -- ERROR
SELECT ssot.create_definition('word'); -- ERROR
SELECT ssot.create_definition('word', 'rule', 'x'); -- ERROR
SELECT ssot.create_definition('word', 'entity', 'x'); -- ERROR
SELECT ssot.create_definition('word', description => 'x', signers => '{nobody_there}'); -- ERROR
SELECT ssot.create_definition('word', description => 'x', canonical_system => 'no system'); -- ERROR

-- Every team must sign, and the author alone never suffices.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('pipeline rule', description => 'Open contract value', signers => '{regress_dict_sales}');
SELECT ssot.sign('pipeline rule', 1);
SELECT d.state, d.waits_for FROM ssot.dictionary AS d WHERE d.definition = 'pipeline rule';
SELECT ssot.sign('pipeline rule', 1); -- ERROR
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('pipeline rule', 1); -- ERROR
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.withdraw('pipeline rule', 1);
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('pipeline rule', 1);
SELECT d.state, d.waits_for FROM ssot.dictionary AS d WHERE d.definition = 'pipeline rule';

-- Two teams; who is a member of neither does not sign, superuser or not; one person signs once.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('pipeline rule', description => 'Open, qualified contract value',
    signers => '{regress_dict_sales,regress_dict_finance}', draft => true);
SELECT ssot.sign('pipeline rule', 2); -- ERROR
SELECT ssot.propose('pipeline rule', 2);
SET SESSION AUTHORIZATION regress_dict_dan;
SELECT ssot.sign('pipeline rule', 2); -- ERROR
SELECT ssot.create_definition('pipeline rule', description => 'Mine'); -- ERROR
SET SESSION AUTHORIZATION regress_dict_root;
SELECT ssot.sign('pipeline rule', 2); -- ERROR
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('pipeline rule', 2, team => 'regress_dict_finance');
SELECT ssot.sign('pipeline rule', 2); -- ERROR
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.sign('pipeline rule', 2);
SELECT ssot.sign('pipeline rule', 2); -- ERROR
RESET SESSION AUTHORIZATION;
SELECT d.version, d.state, d.in_force, d.successor, upper(v.effective) = (SELECT lower(n.effective) FROM ssot.definition_version AS n
           WHERE n.definition = d.definition AND n.version = 2) AS "ends where the next begins"
  FROM ssot.dictionary AS d JOIN ssot.definition_version AS v USING (definition, variant, version)
 WHERE d.definition = 'pipeline rule' ORDER BY d.version;
SELECT s.version, s.team, s.signer, s.withdrawn_at IS NOT NULL AS withdrawn FROM ssot.signature AS s ORDER BY s.signed_at;

-- A role that is renamed is the same person still: it signs once, and its own alone never suffices.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('renamed', description => 'One', signers => '{regress_dict_sales,regress_dict_finance}');
SELECT ssot.create_definition('alone', description => 'One', signers => '{regress_dict_sales}');
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('renamed', 1);
RESET SESSION AUTHORIZATION;
ALTER ROLE regress_dict_ann RENAME TO regress_dict_anna;
ALTER ROLE regress_dict_cat RENAME TO regress_dict_kate;
SET SESSION AUTHORIZATION regress_dict_anna;
SELECT ssot.sign('alone', 1);
SET SESSION AUTHORIZATION regress_dict_kate;
SELECT ssot.sign('renamed', 1); -- ERROR
SELECT ssot.withdraw('renamed', 1);
SELECT ssot.sign('renamed', 1, team => 'regress_dict_finance');
-- Who takes a name that was given up is not its author, but no other person either
RESET SESSION AUTHORIZATION;
CREATE ROLE regress_dict_ann LOGIN IN ROLE regress_dict_sales;
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.withdraw('alone', 1); -- ERROR
SELECT ssot.create_definition('alone', description => 'Two'); -- ERROR
SET SESSION AUTHORIZATION regress_dict_anna;
SELECT ssot.withdraw('alone', 1);
SELECT ssot.withdraw('alone', 1);
SELECT ssot.propose('alone', 1);
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.sign('alone', 1);
RESET SESSION AUTHORIZATION;
SELECT d.definition, d.state, d.waits_for FROM ssot.dictionary AS d WHERE d.definition IN ('alone', 'renamed') ORDER BY 1;
DROP ROLE regress_dict_ann;
ALTER ROLE regress_dict_anna RENAME TO regress_dict_ann;
ALTER ROLE regress_dict_kate RENAME TO regress_dict_cat;
-- In another cluster the OID says nothing, and the name decides.
BEGIN;
UPDATE ssot.definition_version SET created_in = created_in + 1, created_role = 'regress_dict_cat'::regrole WHERE definition = 'alone';
DELETE FROM ssot.signature WHERE definition = 'alone';
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('alone', 1);
RESET SESSION AUTHORIZATION;
ROLLBACK;
DELETE FROM ssot.signature WHERE definition IN ('alone', 'renamed');
DELETE FROM ssot.definition_version WHERE definition IN ('alone', 'renamed');

-- A team that is asked no longer signs for the last time; signers are kept where none are named.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('pipeline rule', description => 'Open, qualified, first-year value', signers => '{regress_dict_sales}');
RESET SESSION AUTHORIZATION;
SELECT d.signers, d.waits_for FROM ssot.dictionary AS d WHERE d.definition = 'pipeline rule' AND d.version = 3;
SELECT * FROM ssot.diff_definition('pipeline rule', 2, 3);
SELECT * FROM ssot.diff_definition('pipeline rule', 2, 2);

-- What is approved is changed by nobody, and by force not unseen.
SET SESSION AUTHORIZATION regress_dict_ann;
UPDATE ssot.definition_version SET description = 'x'; -- ERROR
DELETE FROM ssot.signature; -- ERROR
RESET SESSION AUTHORIZATION;
SELECT * FROM ssot.verify_dictionary();
BEGIN;
UPDATE ssot.definition_version SET description = 'All contract value' WHERE definition = 'pipeline rule' AND version = 2;
DELETE FROM ssot.signature WHERE version = 2 AND signer = 'regress_dict_cat';
SELECT * FROM ssot.verify_dictionary();
ROLLBACK;

-- What was in force in the past was so: only the first version of a variant begins there.
SELECT ssot.create_definition('year', description => 'Calendar year', effective_from => '2020-01-01');
SELECT ssot.create_definition('year', description => 'Fiscal year', effective_from => '2021-01-01'); -- ERROR
SELECT ssot.create_definition('year', description => 'Fiscal year', effective_from => '2021-01-01', draft => true); -- ERROR
SELECT ssot.create_definition('year', description => 'Fiscal year', effective_from => '-infinity'); -- ERROR
SELECT ssot.deprecate('year', 1, at => '2022-01-01'); -- ERROR
SELECT ssot.deprecate('year', 1, at => '-infinity'); -- ERROR
SELECT d.version, d.state, d.effective_from, d.effective_to FROM ssot.dictionary AS d WHERE d.definition = 'year';
-- now() is no past, although it has passed
SELECT ssot.create_definition('year', description => 'Fiscal year', effective_from => now());
SELECT ssot.deprecate('year', 2, at => now());
SELECT d.version, d.state, d.in_force, d.successor FROM ssot.dictionary AS d WHERE d.definition = 'year' ORDER BY 1;
-- A date that passes before the last signature comes is the moment of that signature.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('day', description => 'One', signers => '{regress_dict_sales}');
SELECT ssot.create_definition('day', description => 'Two', effective_from => '2021-01-01');
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('day', 1), ssot.sign('day', 2);
RESET SESSION AUTHORIZATION;
SELECT d.version, d.in_force, d.effective_from > '2021-01-01' AS "from its approval" FROM ssot.dictionary AS d WHERE d.definition = 'day' ORDER BY 1;
DELETE FROM ssot.signature WHERE definition = 'day';
DELETE FROM ssot.definition_version WHERE definition IN ('year', 'day');

-- Later, and never two at once
SELECT ssot.create_definition('customer', description => 'Who pays', effective_from => '2999-01-01');
SELECT d.version, d.state, d.in_force, d.effective_from, d.effective_to FROM ssot.dictionary AS d WHERE d.definition = 'customer' ORDER BY 1;
-- It is whose it was, where nobody else is named.
SELECT d.version, d.owner FROM ssot.dictionary AS d WHERE d.definition = 'customer' ORDER BY 1;
SELECT ssot.create_definition('customer', description => 'Who pays soon'); -- ERROR
SELECT ssot.create_definition('customer', description => 'Who pays later', effective_from => '2999-01-01'); -- ERROR
\set VERBOSITY terse
INSERT INTO ssot.definition_version (definition, version, variant_id, kind, state, canonical, effective, owner, created_by, created_at)
SELECT definition, 9, variant_id, 'term', 'approved', true, '[2020-01-01,2021-01-01)', 'x', 'x', now()
  FROM ssot.definition_version WHERE definition = 'customer' AND version = 1; -- ERROR
\set VERBOSITY default
SELECT ssot.deprecate('customer', 2, at => '2998-01-01'); -- ERROR
SELECT ssot.deprecate('customer', 2, at => '3000-01-01');
SELECT ssot.retire_definition('customer', 1);
SELECT d.version, d.state, d.in_force, d.effective_to IS NOT NULL AS ends FROM ssot.dictionary AS d WHERE d.definition = 'customer' ORDER BY 1;

-- Variants
SELECT ssot.create_system('dict crm', owner => 'sales');
SELECT ssot.create_definition('customer', description => 'An account in the CRM', variant => 'sales');
SELECT ssot.use_definition('dict crm', 'customer', 'sales');
SELECT ssot.use_definition('dict crm', 'customer', 'marketing'); -- ERROR
SELECT ssot.use_definition('no system', 'customer', 'sales'); -- ERROR
SELECT d.variant, d.version, d.canonical, d.used_by FROM ssot.dictionary AS d WHERE d.definition = 'customer' ORDER BY 1, 2;
SELECT ssot.set_canonical_variant('customer', 'sales');
SELECT d.variant, d.version, d.canonical FROM ssot.dictionary AS d WHERE d.definition = 'customer' ORDER BY 1, 2;

-- No row of versions leads around those who sign, approved or not.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('row', description => 'One', signers => '{regress_dict_sales,regress_dict_finance}');
SELECT ssot.create_definition('row', description => 'Two', signers => '{}');
SELECT ssot.create_definition('row', description => 'Three', signers => '{}');
SELECT ssot.create_definition('row', description => 'Four');
SELECT d.version, d.state, d.waits_for FROM ssot.dictionary AS d WHERE d.definition = 'row' ORDER BY 1;
SET SESSION AUTHORIZATION regress_dict_cat;
SELECT ssot.sign('row', 4, team => 'regress_dict_sales');
SET SESSION AUTHORIZATION regress_dict_bob;
SELECT ssot.sign('row', 4, team => 'regress_dict_finance');
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('row', description => 'Five');
RESET SESSION AUTHORIZATION;
SELECT d.version, d.state, d.signers FROM ssot.dictionary AS d WHERE d.definition = 'row' AND d.version > 3 ORDER BY 1;
-- A team that is no role any more cannot sign, and keeps nobody from naming another.
BEGIN;
CREATE ROLE regress_dict_gone;
SELECT ssot.create_definition('gone', description => 'One', signers => '{regress_dict_gone}');
DROP ROLE regress_dict_gone;
SAVEPOINT s;
SELECT ssot.create_definition('gone', description => 'Two'); -- ERROR
ROLLBACK TO s;
SELECT ssot.create_definition('gone', description => 'Two', signers => '{regress_dict_sales}');
SELECT d.version, d.waits_for FROM ssot.dictionary AS d WHERE d.definition = 'gone' ORDER BY 1;
ROLLBACK;
-- One that is not in force yet can be called off.
SELECT ssot.create_definition('later', description => 'One');
SELECT ssot.create_definition('later', description => 'Two', effective_from => '2999-01-01');
SELECT ssot.retire_definition('later', 2);
SELECT d.version, d.state, d.in_force, d.effective_from, d.effective_to, d.successor FROM ssot.dictionary AS d WHERE d.definition = 'later' ORDER BY 1;
SELECT ssot.create_definition('later', description => 'Three');
SELECT d.version, d.state, d.in_force, d.successor FROM ssot.dictionary AS d WHERE d.definition = 'later' ORDER BY 1;
SELECT * FROM ssot.verify_dictionary();
DELETE FROM ssot.signature WHERE definition = 'row';
DELETE FROM ssot.definition_version WHERE definition IN ('row', 'later');

-- Found by its words
SELECT s.definition, s.variant, s.version FROM ssot.search_dictionary('contracts') AS s;
SELECT s.definition, s.variant, s.version FROM ssot.search_dictionary('"qualified contract"') AS s;
SELECT s.definition, s.variant FROM ssot.search_dictionary('customer -sales') AS s;

-- No way around those who sign: a variant that they have not signed does not become canonical.
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.create_definition('pipeline rule', description => 'Whatever sells', variant => 'mine');
RESET SESSION AUTHORIZATION;
SELECT ssot.set_canonical_variant('pipeline rule', 'mine'); -- ERROR
SELECT d.variant FROM ssot.dictionary AS d WHERE d.definition = 'pipeline rule' AND d.canonical AND d.in_force;

-- What changes under an approved definition decertifies it.
CREATE SCHEMA dict;
CREATE TABLE dict.src (id int, name text, land text);
CREATE TABLE dict.account (account_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text, country text);
SELECT ssot.register_entity('dict.account', owner => 'sales');
SELECT ssot.create_source('dict.account', 'dict crm', 'dict.src', key => 'id', fields => '{"name": "name", "country": "land"}') > 0 AS made;
SELECT ssot.create_definition('account', 'entity', 'An organisation', entity => 'dict.account');
SELECT ssot.create_metric('accounts', from_entity => 'dict.account', measure => 'count(name)', unit => 'accounts');
SELECT count(*) FROM ssot.decertified;
SELECT ssot.alter_source('dict.account', 'src', fields => '{"name": "name", "country": "upper(land)"}');
SELECT d.definition, d.version, d.changes FROM ssot.decertified AS d;
SELECT ssot.create_definition('account', 'entity', 'An organisation that pays', entity => 'dict.account');
SELECT count(*) FROM ssot.decertified;
ALTER TABLE dict.account ADD COLUMN size integer, ALTER COLUMN country TYPE varchar(2);
SELECT d.definition, d.version, d.changes FROM ssot.decertified AS d ORDER BY 1;
SELECT d.definition, d.certified FROM ssot.dictionary AS d WHERE d.definition LIKE 'account%' ORDER BY 1;

-- A metric that needs signatures has its views when it has them.
SET SESSION AUTHORIZATION regress_dict_root;
SELECT ssot.create_metric('named', from_entity => 'dict.account', measure => 'count(name)', unit => 'accounts',
    description => 'Accounts with a name', signers => '{regress_dict_sales,regress_dict_finance}');
SELECT to_regclass('metrics.named');
SELECT value FROM ssot.metric('named'); -- ERROR
SELECT value FROM ssot.metric('named', version => 1);
SET SESSION AUTHORIZATION regress_dict_ann;
SELECT ssot.sign('named', 1);
SET SESSION AUTHORIZATION regress_dict_bob;
SELECT ssot.sign('named', 1);
RESET SESSION AUTHORIZATION;
SELECT m.value, m.definition, m.version, ssot.metric_number(m.metric) FROM metrics.named AS m;
SELECT obj_description('metrics.named'::regclass);
SELECT ssot.create_definition('named', description => 'x'); -- ERROR

-- The end
DELETE FROM ssot.signature;
DELETE FROM ssot.used_definition;
DELETE FROM ssot.definition_version;
SET client_min_messages = warning;
DROP SCHEMA metrics, metrics_as_of CASCADE;
SELECT ssot.unregister_entity('dict.account', drop_companions => true);
DROP SCHEMA dict, dict_ssot, dict_as_of CASCADE;
SELECT ssot.drop_system('dict crm');
DROP OWNED BY regress_dict_sales, regress_dict_finance, regress_dict_dan, regress_dict_root;
DROP ROLE regress_dict_ann, regress_dict_bob, regress_dict_cat, regress_dict_dan, regress_dict_root;
DROP ROLE regress_dict_sales, regress_dict_finance;
