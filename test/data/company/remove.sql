-- Everything of the company, so that another can be loaded.
DELETE FROM ssot.match_pair;
DROP SCHEMA metrics CASCADE;
DROP SCHEMA metrics_as_of CASCADE;
DELETE FROM ssot.definition_version;
SELECT ssot.unregister_entity('golden.deal', true), ssot.unregister_entity('golden.account', true);
DROP SCHEMA golden CASCADE;
DROP SCHEMA company CASCADE;
SELECT ssot.drop_system('fld'), ssot.drop_system('mkt'), ssot.drop_system('erp'), ssot.drop_system('crm');
