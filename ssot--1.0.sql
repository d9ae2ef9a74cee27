-- ssot--1.0.sql: everything `CREATE EXTENSION ssot` creates.
--
-- TABLE OF CONTENTS
--   PART I   what holds state: schema, types, tables, sequences. Changing it needs an update script.
--     I.1  common: schema and shared sequences
--     I.2  entity: systems, entities, sources, fields, code lists
--     I.3  golden: clock, merged ids
--     I.4  ingest: state of sources
--     I.5  reconcile: runs and schedules
--   PART II  what can be replaced: functions, views, triggers, grants.
--     II.1  text: normalisation, blank-ness, validators, countries, phones
--     II.2  entity: the Entity Map (systems, entities, sources, authority, code lists)
--     II.3  ingest: quarantine
--     II.4  golden: clock, history, as-of, pins, survivorship, lineage
--     II.5  drift: open differences and their verification
--     II.6  reconcile: running, progress, schedules
--     II.7  grants: what PUBLIC may not do

\echo Use "CREATE EXTENSION ssot" to load this file. \quit

-- ============================================================================
-- I.1  common: schema and shared sequences
-- ============================================================================


-- end of I.1


-- ============================================================================
-- I.2  entity: systems, entities, sources, fields, code lists
-- ============================================================================


-- end of I.2


-- ============================================================================
-- I.3  golden: clock, merged ids
-- ============================================================================


-- end of I.3


-- ============================================================================
-- I.4  ingest: state of sources
-- ============================================================================


-- end of I.4


-- ============================================================================
-- I.5  reconcile: runs and schedules
-- ============================================================================


-- end of I.5


-- ============================================================================
-- II.1  text: normalisation, blank-ness, validators, countries, phones
-- ============================================================================


-- end of II.1


-- ============================================================================
-- II.2  entity: the Entity Map (systems, entities, sources, authority, code lists)
-- ============================================================================


-- end of II.2


-- ============================================================================
-- II.3  ingest: quarantine
-- ============================================================================


-- end of II.3


-- ============================================================================
-- II.4  golden: clock, history, as-of, pins, survivorship, lineage
-- ============================================================================


-- end of II.4


-- ============================================================================
-- II.5  drift: open differences and their verification
-- ============================================================================


-- end of II.5


-- ============================================================================
-- II.6  reconcile: running, progress, schedules
-- ============================================================================


-- end of II.6


-- ============================================================================
-- II.7  grants: what PUBLIC may not do
-- ============================================================================


-- end of II.7


