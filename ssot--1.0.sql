-- ssot--1.0.sql: everything `CREATE EXTENSION ssot` creates.
--
-- TABLE OF CONTENTS
--   PART I   what holds state: schema, types, tables, sequences. Changing it needs an update script.
--     I.1  common: schema and shared sequences
--     I.2  entity: systems, entities, sources, fields, code lists
--     I.3  golden: clock, merged ids, held merges, matching, decisions about linking, moved references, retirements
--     I.4  ingest: state of sources, queue of changes
--     I.5  reconcile: runs, schedules, watching
--     I.6  text: words that count as blank
--     I.7  drift: what a difference is
--     I.8  dictionary: calendars, versions of metrics, publications, what a number and a cause are
--   PART II  what can be replaced: functions, views, triggers, grants.
--     II.1  text: normalisation, blank-ness, validators, countries, phones, similarity
--     II.2  entity: the Entity Map (systems, entities, sources, authority, code lists)
--     II.3  ingest: quarantine, change capture
--     II.4  golden: clock, history, as-of, pins, merging and splitting, survivorship, lineage, matching
--     II.5  drift: open differences and their verification
--     II.6  dictionary: calendars, metrics, why two numbers differ, publishing
--     II.7  reconcile: running, progress, schedules; matching any relation
--     II.8  grants: what PUBLIC may not do
--     II.9  event triggers: what hears the user's DDL

\echo Use "CREATE EXTENSION ssot" to load this file. \quit

-- ============================================================================
-- I.1  common: schema and shared sequences
-- ============================================================================


COMMENT ON SCHEMA ssot IS 'Single source of truth: the Entity Map, reconciliation, history, drift. Functions here are the interface; tables here are the configuration and are dumped with the database.';

-- end of I.1


-- ============================================================================
-- I.2  entity: systems, entities, sources, fields, code lists
-- ============================================================================


CREATE TABLE ssot.system (
    system      text PRIMARY KEY CHECK (system <> '' AND system !~ '[:.]'),
    owner       text NOT NULL CHECK (owner <> ''),
    description text,
    built_in    boolean NOT NULL DEFAULT false
);
SELECT pg_catalog.pg_extension_config_dump('ssot.system', 'WHERE NOT built_in');
COMMENT ON TABLE ssot.system IS 'The systems that hold copies of the truth, each with a named owner. "steward" (corrections by people) and "manual" (rows loaded or typed into a canonical table) are built in. Written by ssot.create_system.';
COMMENT ON COLUMN ssot.system.system IS 'Name of the system; it prefixes the keys of its records (crm:AW00011000), so it contains neither ":" nor "."';
COMMENT ON COLUMN ssot.system.owner IS 'The team or person that answers for this system''s data';
COMMENT ON COLUMN ssot.system.description IS 'What the system is, in business language';
COMMENT ON COLUMN ssot.system.built_in IS 'True for "steward" and "manual"';

INSERT INTO ssot.system (system, owner, description, built_in)
VALUES ('steward', 'stewards', 'Corrections made by people; they outrank every source until released', true),
       ('manual', 'stewards', 'Rows that were in the table at registration, or were loaded into it directly', true);

CREATE TABLE ssot.entity (
    entity           text PRIMARY KEY,
    definition       text,
    canonical_system text,
    owner            text NOT NULL CHECK (owner <> ''),
    id_column        text NOT NULL,
    max_quarantine   numeric NOT NULL DEFAULT 0.5 CHECK (max_quarantine BETWEEN 0 AND 1),
    max_retire       numeric NOT NULL DEFAULT 0.2 CHECK (max_retire BETWEEN 0 AND 1),
    pin_policy       text NOT NULL DEFAULT 'retire' CHECK (pin_policy IN ('retire', 'keep')),
    history_from     timestamptz NOT NULL,
    registered_at    timestamptz NOT NULL,
    registered_by    text NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.entity', '');
COMMENT ON TABLE ssot.entity IS 'The registered canonical tables. Written by ssot.register_entity.';
COMMENT ON COLUMN ssot.entity.entity IS 'The canonical table, schema-qualified and quoted as SQL needs it';
COMMENT ON COLUMN ssot.entity.definition IS 'What one row is, in business language';
COMMENT ON COLUMN ssot.entity.canonical_system IS 'The system that is believed first where no field says otherwise';
COMMENT ON COLUMN ssot.entity.owner IS 'The team or person that answers for this entity';
COMMENT ON COLUMN ssot.entity.id_column IS 'The primary key column: the golden id';
COMMENT ON COLUMN ssot.entity.max_quarantine IS 'Share of a source''s rows that may be quarantined before a run stops with nothing written';
COMMENT ON COLUMN ssot.entity.max_retire IS 'Share of a source''s records that may vanish in one run before it stops with nothing written';
COMMENT ON COLUMN ssot.entity.pin_policy IS 'What becomes of a pin when all sources have come to agree with it: retire (it ends, and the sources are followed again) or keep. Written by ssot.set_pin_policy';
COMMENT ON COLUMN ssot.entity.history_from IS 'The first instant whose belief can be read';
COMMENT ON COLUMN ssot.entity.registered_at IS 'When the table was registered';
COMMENT ON COLUMN ssot.entity.registered_by IS 'The role that registered the table';

CREATE TABLE ssot.field (
    entity      text NOT NULL,
    field       text NOT NULL,
    systems     text[] NOT NULL DEFAULT '{}',
    only_listed boolean NOT NULL DEFAULT false,
    strategy    text NOT NULL DEFAULT 'authority' CHECK (strategy IN
                ('authority', 'most_recent', 'most_frequent', 'longest', 'min', 'max', 'oldest')),
    null_policy text NOT NULL DEFAULT 'ignore' CHECK (null_policy IN ('ignore', 'clear', 'clear_if_authoritative')),
    field_group text,
    tolerance   double precision CHECK (tolerance >= 0),
    owner       text,
    pin_policy  text CHECK (pin_policy IN ('retire', 'keep')),
    PRIMARY KEY (entity, field)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.field', '');
COMMENT ON TABLE ssot.field IS 'Who is the source of truth for a field and how its value is chosen; a field without a row takes the defaults. Written by ssot.set_authority.';
COMMENT ON COLUMN ssot.field.entity IS 'The entity the field belongs to';
COMMENT ON COLUMN ssot.field.field IS 'The column of the canonical table';
COMMENT ON COLUMN ssot.field.systems IS 'Systems in the order in which they are believed; then the canonical system, then the others by rank';
COMMENT ON COLUMN ssot.field.only_listed IS 'Whether systems that are not listed are never believed for this field';
COMMENT ON COLUMN ssot.field.strategy IS 'How the surviving value is chosen';
COMMENT ON COLUMN ssot.field.null_policy IS 'Whether an absent value may win: ignore (never), clear, clear_if_authoritative';
COMMENT ON COLUMN ssot.field.field_group IS 'Fields of one group survive together, from one record';
COMMENT ON COLUMN ssot.field.tolerance IS 'Numbers differing by no more than this, and timestamps by no more than this many seconds, are not drift';
COMMENT ON COLUMN ssot.field.owner IS 'Who answers for this field, where it is not the entity''s owner';
COMMENT ON COLUMN ssot.field.pin_policy IS 'What becomes of a pin of this field when all sources agree with it; NULL: as ssot.entity.pin_policy says';

CREATE TABLE ssot.kept_registration (
    entity       text PRIMARY KEY,
    id_column    text NOT NULL,
    kept_at      timestamptz NOT NULL,
    kept_by      text NOT NULL,
    history_from timestamptz NOT NULL,
    pin_policy   text NOT NULL,
    sources      jsonb NOT NULL,
    fields       jsonb NOT NULL,
    value_maps   jsonb NOT NULL,
    merged_ids   jsonb NOT NULL,
    decisions    jsonb NOT NULL,
    retirements  jsonb NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.kept_registration', '');
COMMENT ON TABLE ssot.kept_registration IS 'What the companions mean that ssot.unregister_entity left, so that ssot.register_entity can take them up again. A row goes when the table is registered again.';
COMMENT ON COLUMN ssot.kept_registration.entity IS 'The table that was an entity';
COMMENT ON COLUMN ssot.kept_registration.id_column IS 'The golden id';
COMMENT ON COLUMN ssot.kept_registration.kept_at IS 'When it was unregistered, on the entity''s clock: the last versions in its history end then';
COMMENT ON COLUMN ssot.kept_registration.kept_by IS 'The role that unregistered it';
COMMENT ON COLUMN ssot.kept_registration.history_from IS 'The first instant whose belief can be read';
COMMENT ON COLUMN ssot.kept_registration.pin_policy IS 'As in ssot.entity';
COMMENT ON COLUMN ssot.kept_registration.sources IS 'Rows of ssot.source';
COMMENT ON COLUMN ssot.kept_registration.fields IS 'Rows of ssot.field';
COMMENT ON COLUMN ssot.kept_registration.value_maps IS 'Rows of ssot.value_map';
COMMENT ON COLUMN ssot.kept_registration.merged_ids IS 'Rows of ssot.merged_id';
COMMENT ON COLUMN ssot.kept_registration.decisions IS 'Rows of ssot.link_decision';
COMMENT ON COLUMN ssot.kept_registration.retirements IS 'Rows of ssot.retirement';

CREATE SEQUENCE ssot.source_id_seq AS integer;
SELECT pg_catalog.pg_extension_config_dump('ssot.source_id_seq', '');
COMMENT ON SEQUENCE ssot.source_id_seq IS 'Numbers of sources';

CREATE TABLE ssot.source (
    source_id     integer PRIMARY KEY DEFAULT nextval('ssot.source_id_seq'),
    entity        text NOT NULL,
    source        text NOT NULL CHECK (source <> ''),
    system        text NOT NULL,
    relation      text,
    rank          integer NOT NULL,
    role          text NOT NULL DEFAULT 'provider' CHECK (role IN ('provider', 'consumer')),
    creates       boolean NOT NULL DEFAULT true,
    expects       text NOT NULL DEFAULT 'none',
    grain         text NOT NULL DEFAULT 'record' CHECK (grain IN ('record', 'part')),
    level         text,
    how           text,
    max_lag       interval NOT NULL DEFAULT '1 day' CHECK (max_lag >= '0'),
    reading       text NOT NULL DEFAULT 'full' CHECK (reading IN ('full', 'capture', 'watermark')),
    overlap       interval NOT NULL DEFAULT '1 hour' CHECK (overlap >= '0'),
    full_every    interval CHECK (full_every > '0'),
    mapping       jsonb NOT NULL DEFAULT '{}',
    compiled      jsonb NOT NULL DEFAULT '{}',
    map_version   bigint NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL,
    created_by    text NOT NULL,
    UNIQUE (entity, source)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.source', '');
COMMENT ON TABLE ssot.source IS 'One relation of one system, mapped onto one entity. Every entity also has the built-in sources "steward" and "manual", which have no relation. Written by ssot.create_source.';
COMMENT ON COLUMN ssot.source.source_id IS 'Number of the source; companion tables name sources by it';
COMMENT ON COLUMN ssot.source.entity IS 'The entity that the source feeds';
COMMENT ON COLUMN ssot.source.source IS 'Name of the source, unique within its entity';
COMMENT ON COLUMN ssot.source.system IS 'The system whose copy this is';
COMMENT ON COLUMN ssot.source.relation IS 'The table, view or foreign table that is read, by name: it may be dropped and made again';
COMMENT ON COLUMN ssot.source.rank IS 'Order among the sources of the entity; smaller is believed first';
COMMENT ON COLUMN ssot.source.role IS 'provider: its values may become golden; consumer: it only drifts';
COMMENT ON COLUMN ssot.source.creates IS 'Whether a record that nothing else knows becomes a golden record';
COMMENT ON COLUMN ssot.source.expects IS 'Which golden records this source should hold: none, all, or a predicate on the entity';
COMMENT ON COLUMN ssot.source.grain IS 'part: several rows of one key are summed into one record';
COMMENT ON COLUMN ssot.source.level IS 'Names the level below the entity at which this source''s records sit; NULL at the entity''s own';
COMMENT ON COLUMN ssot.source.how IS 'How the data gets here, in words (replication)';
COMMENT ON COLUMN ssot.source.max_lag IS 'How far this source may lag behind before a difference stops being a matter of timing';
COMMENT ON COLUMN ssot.source.reading IS 'What a run reads: full, everything; capture, the keys that triggers on the relation have noted; watermark, the rows whose source time is late enough. Written by ssot.set_reading';
COMMENT ON COLUMN ssot.source.overlap IS 'watermark: how far before the latest source time a run reads again';
COMMENT ON COLUMN ssot.source.full_every IS 'capture, watermark: a run reads everything when the last time is this long ago; NULL: only when it must';
COMMENT ON COLUMN ssot.source.mapping IS 'The mapping as it was declared: key, keys, links, fields, filter, updated_at, deleted, merged_into, on_error';
COMMENT ON COLUMN ssot.source.compiled IS 'The same with every expression qualified, so that no later search path changes its meaning';
COMMENT ON COLUMN ssot.source.map_version IS 'Grows when the mapping or a code list changes; the next run then reads every row anew';
COMMENT ON COLUMN ssot.source.created_at IS 'When the source was declared';
COMMENT ON COLUMN ssot.source.created_by IS 'The role that declared the source';

CREATE TABLE ssot.value_map (
    source_id integer NOT NULL,
    field     text NOT NULL,
    code      text COLLATE "C" NOT NULL,
    value     text,
    PRIMARY KEY (source_id, field, code)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.value_map', '');
COMMENT ON TABLE ssot.value_map IS 'Code lists: what a source''s code means in canonical form. A code that is not listed is a finding. Written by ssot.set_value_map.';
COMMENT ON COLUMN ssot.value_map.source_id IS 'The source that uses the code';
COMMENT ON COLUMN ssot.value_map.field IS 'The field that carries the code';
COMMENT ON COLUMN ssot.value_map.code IS 'The code as the source''s expression yields it, as text';
COMMENT ON COLUMN ssot.value_map.value IS 'The canonical value, in the column type''s text form; NULL: the code means "no value"';

-- end of I.2


-- ============================================================================
-- I.3  golden: clock, merged ids, held merges, matching, decisions about linking, moved references, retirements
-- ============================================================================


CREATE TABLE ssot.clock (
    entity     text PRIMARY KEY,
    last_write timestamptz NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.clock', '');
COMMENT ON TABLE ssot.clock IS 'One row per entity: the time of its last write. Its row lock is the entity''s write lock.';
COMMENT ON COLUMN ssot.clock.entity IS 'The entity';
COMMENT ON COLUMN ssot.clock.last_write IS 'Time of the last write that this snapshot sees; it only grows';

CREATE TABLE ssot.merged_id (
    entity    text NOT NULL,
    lost_id   text COLLATE "C" NOT NULL,
    kept_id   text COLLATE "C" NOT NULL,
    merged_at timestamptz NOT NULL,
    reason    text NOT NULL,
    into_id   text COLLATE "C",
    operation bigint,
    PRIMARY KEY (entity, lost_id)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.merged_id', '');
COMMENT ON TABLE ssot.merged_id IS 'Golden ids that were merged away and what they became: a merged id still resolves.';
COMMENT ON COLUMN ssot.merged_id.entity IS 'The entity';
COMMENT ON COLUMN ssot.merged_id.lost_id IS 'The id that no longer exists, as text';
COMMENT ON COLUMN ssot.merged_id.kept_id IS 'The id it was merged into, as text';
COMMENT ON COLUMN ssot.merged_id.merged_at IS 'When, on the entity''s clock';
COMMENT ON COLUMN ssot.merged_id.reason IS 'Why';
COMMENT ON COLUMN ssot.merged_id.into_id IS 'The id it was merged into at the time, which may have been merged since, as text';
COMMENT ON COLUMN ssot.merged_id.operation IS 'Number of the ssot.merge that did it; NULL where a run did, because a key or link joined the records';

CREATE TABLE ssot.held_merge (
    entity          text NOT NULL,
    lost_id         text COLLATE "C" NOT NULL,
    kept_id         text COLLATE "C" NOT NULL,
    relation        text,
    constraint_name text,
    sqlstate        text NOT NULL,
    reason          text NOT NULL,
    detail          text,
    first_seen      timestamptz NOT NULL,
    run_id          bigint,
    PRIMARY KEY (entity, lost_id)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.held_merge', '');
COMMENT ON TABLE ssot.held_merge IS 'Merges that a run could not do, because a table that refers to the golden records, or a hierarchy, refuses. Both golden records stay as they are; every run tries again. Read it as ssot.held_merges.';
COMMENT ON COLUMN ssot.held_merge.entity IS 'The entity';
COMMENT ON COLUMN ssot.held_merge.lost_id IS 'The golden id that would be merged away, as text';
COMMENT ON COLUMN ssot.held_merge.kept_id IS 'The golden id it would be merged into, as text';
COMMENT ON COLUMN ssot.held_merge.relation IS 'The table that refuses, schema-qualified and quoted';
COMMENT ON COLUMN ssot.held_merge.constraint_name IS 'The constraint in the way, if one is';
COMMENT ON COLUMN ssot.held_merge.sqlstate IS 'SQLSTATE of the refusal';
COMMENT ON COLUMN ssot.held_merge.reason IS 'The refusal, in words';
COMMENT ON COLUMN ssot.held_merge.detail IS 'More about it; may quote values of the table that refuses';
COMMENT ON COLUMN ssot.held_merge.first_seen IS 'Since when it is held, on the entity''s clock';
COMMENT ON COLUMN ssot.held_merge.run_id IS 'The run that held it first; NULL where a person''s merge met it';

CREATE SEQUENCE ssot.link_operation_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.link_operation_seq', '');
COMMENT ON SEQUENCE ssot.link_operation_seq IS 'Numbers of calls of ssot.merge, ssot.split and ssot.unmerge';

CREATE SEQUENCE ssot.link_decision_id_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.link_decision_id_seq', '');
COMMENT ON SEQUENCE ssot.link_decision_id_seq IS 'Numbers of decisions about linking';

CREATE TABLE ssot.link_decision (
    decision_id bigint PRIMARY KEY DEFAULT nextval('ssot.link_decision_id_seq'),
    entity      text NOT NULL,
    operation   bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('same', 'different')),
    record_a    text COLLATE "C" NOT NULL,
    record_b    text COLLATE "C" NOT NULL,
    reason      text,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL,
    active      boolean NOT NULL DEFAULT true,
    ended_by    text,
    ended_at    timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('ssot.link_decision', '');
CREATE INDEX link_decision_a_idx ON ssot.link_decision (entity, record_a) WHERE active;
CREATE INDEX link_decision_b_idx ON ssot.link_decision (entity, record_b) WHERE active;
COMMENT ON TABLE ssot.link_decision IS 'What people decided about which system records are one thing. Every run obeys the decisions in force; they outrank keys and links. Written by ssot.merge, ssot.split and ssot.unmerge.';
COMMENT ON COLUMN ssot.link_decision.decision_id IS 'Number of the decision';
COMMENT ON COLUMN ssot.link_decision.entity IS 'The entity';
COMMENT ON COLUMN ssot.link_decision.operation IS 'The call that made it: one merge or split may need several decisions';
COMMENT ON COLUMN ssot.link_decision.kind IS 'same: the two records are one thing; different: they are not, even where a key says so';
COMMENT ON COLUMN ssot.link_decision.record_a IS 'A system record, as system:key; in a merge one of the kept golden record';
COMMENT ON COLUMN ssot.link_decision.record_b IS 'The other system record; in a merge one of the lost golden record';
COMMENT ON COLUMN ssot.link_decision.reason IS 'Why; NULL where no reason was given';
COMMENT ON COLUMN ssot.link_decision.decided_by IS 'The role that decided (session_user)';
COMMENT ON COLUMN ssot.link_decision.decided_at IS 'When, on the entity''s clock';
COMMENT ON COLUMN ssot.link_decision.active IS 'Whether it is in force; a later decision ends one that it contradicts';
COMMENT ON COLUMN ssot.link_decision.ended_by IS 'The role that ended it';
COMMENT ON COLUMN ssot.link_decision.ended_at IS 'When it was ended, on the entity''s clock';

CREATE TABLE ssot.moved_reference (
    entity     text NOT NULL,
    lost_id    text COLLATE "C" NOT NULL,
    relation   text NOT NULL,
    columns    text[] NOT NULL,
    row_key    jsonb,
    old_values text[] NOT NULL,
    new_values text[] NOT NULL,
    moved_at   timestamptz NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.moved_reference', '');
CREATE INDEX moved_reference_idx ON ssot.moved_reference (entity, lost_id);
COMMENT ON TABLE ssot.moved_reference IS 'Rows whose foreign key was pointed from a merged golden id at the one that was kept: the journal that ssot.unmerge undoes.';
COMMENT ON COLUMN ssot.moved_reference.entity IS 'The entity that the rows refer to';
COMMENT ON COLUMN ssot.moved_reference.lost_id IS 'The golden id that was merged away';
COMMENT ON COLUMN ssot.moved_reference.relation IS 'The table that holds the row, schema-qualified and quoted';
COMMENT ON COLUMN ssot.moved_reference.columns IS 'The columns of the foreign key';
COMMENT ON COLUMN ssot.moved_reference.row_key IS 'The row''s primary key after the move, {"column": "text form"}; NULL where the table has none, so that the row cannot be moved back';
COMMENT ON COLUMN ssot.moved_reference.old_values IS 'What the columns held, as text';
COMMENT ON COLUMN ssot.moved_reference.new_values IS 'What they hold since, as text';
COMMENT ON COLUMN ssot.moved_reference.moved_at IS 'When, on the entity''s clock';

CREATE TABLE ssot.retirement (
    entity     text NOT NULL,
    id         text COLLATE "C" NOT NULL,
    reason     text,
    retired_by text NOT NULL,
    retired_at timestamptz NOT NULL,
    PRIMARY KEY (entity, id)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.retirement', '');
COMMENT ON TABLE ssot.retirement IS 'Golden records that people retired although systems still hold them. Written by ssot.retire, ended by ssot.restore.';
COMMENT ON COLUMN ssot.retirement.entity IS 'The entity';
COMMENT ON COLUMN ssot.retirement.id IS 'The golden id, as text';
COMMENT ON COLUMN ssot.retirement.reason IS 'Why; NULL where no reason was given';
COMMENT ON COLUMN ssot.retirement.retired_by IS 'The role that retired it (session_user)';
COMMENT ON COLUMN ssot.retirement.retired_at IS 'When, on the entity''s clock';

CREATE SEQUENCE ssot.match_model_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.match_model_seq', '');
COMMENT ON SEQUENCE ssot.match_model_seq IS 'Numbers of trained models';

CREATE TABLE ssot.matching (
    entity         text PRIMARY KEY,
    compare        jsonb NOT NULL,
    match          double precision NOT NULL CHECK (match > 0 AND match < 1),
    review         double precision NOT NULL CHECK (review > 0 AND review <= match),
    max_cluster    integer NOT NULL CHECK (max_cluster >= 2),
    one_per_system boolean NOT NULL,
    version        bigint NOT NULL,
    applied        bigint,
    model_id       bigint,
    declared_at    timestamptz NOT NULL,
    declared_by    text NOT NULL,
    blocking       jsonb,
    prior          double precision CHECK (prior > 0 AND prior < 1)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.matching', '');
COMMENT ON TABLE ssot.matching IS 'By what records of an entity are matched that no key joins. An entity without a row is joined by keys, links and decisions only. Written by ssot.set_matching.';
COMMENT ON COLUMN ssot.matching.entity IS 'The entity';
COMMENT ON COLUMN ssot.matching.compare IS 'What is compared, and as what: {"name": "company", "person": {"kind": "person_name", "fields": ["given", "family"], "levels": ["nickname"], "weights": {"different": -6}}}';
COMMENT ON COLUMN ssot.matching.match IS 'Probability from which two records are one thing';
COMMENT ON COLUMN ssot.matching.review IS 'Probability from which a person should look: such pairs wait in ssot.match_review';
COMMENT ON COLUMN ssot.matching.max_cluster IS 'Matching puts no more records than this together; a pair that would make more waits in ssot.match_review as refused';
COMMENT ON COLUMN ssot.matching.one_per_system IS 'Whether matching never joins two records of one system';
COMMENT ON COLUMN ssot.matching.version IS 'Grows with each declaration and each model put in force';
COMMENT ON COLUMN ssot.matching.applied IS 'The version under which all records were matched last; a run matches everything anew where it is another, or none';
COMMENT ON COLUMN ssot.matching.model_id IS 'The model in force: ssot.match_model; NULL: the next run learns one';
COMMENT ON COLUMN ssot.matching.declared_at IS 'When this was declared';
COMMENT ON COLUMN ssot.matching.declared_by IS 'The role that declared it';
COMMENT ON COLUMN ssot.matching.blocking IS 'Rules by which records are brought together: [["email"], ["name:rare word", "postcode"]], with "+" among them besides those that are derived; NULL: those that are derived';
COMMENT ON COLUMN ssot.matching.prior IS 'The probability that two records taken at random are one thing, as it was given; NULL: it is estimated';

CREATE TABLE ssot.match_model (
    model_id   bigint PRIMARY KEY,
    entity     text NOT NULL,
    model      bytea NOT NULL,
    records    bigint NOT NULL,
    trained_at timestamptz NOT NULL,
    trained_by text NOT NULL,
    decisions  bigint NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.match_model', '');
COMMENT ON TABLE ssot.match_model IS 'What was learnt about an entity''s records: how much agreement and disagreement say. A row never changes; ssot.matching names the one in force.';
COMMENT ON COLUMN ssot.match_model.model_id IS 'Number of the model';
COMMENT ON COLUMN ssot.match_model.entity IS 'The entity';
COMMENT ON COLUMN ssot.match_model.model IS 'The model, for the matching engine';
COMMENT ON COLUMN ssot.match_model.records IS 'How many units of records it was learnt from';
COMMENT ON COLUMN ssot.match_model.trained_at IS 'When';
COMMENT ON COLUMN ssot.match_model.trained_by IS 'By a run or call of which role';
COMMENT ON COLUMN ssot.match_model.decisions IS 'How many pairs that people decided about it was taught by (ssot.train_matching)';

CREATE TABLE ssot.match_pair (
    entity     text NOT NULL,
    record_a   text COLLATE "C" NOT NULL,
    record_b   text COLLATE "C" NOT NULL,
    weight     double precision NOT NULL,
    reason     text NOT NULL CHECK (reason IN ('undecided', 'refused')),
    levels     jsonb NOT NULL,
    first_seen timestamptz NOT NULL,
    PRIMARY KEY (entity, record_a, record_b),
    CHECK (record_a < record_b)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.match_pair', '');
CREATE INDEX match_pair_record_b ON ssot.match_pair (entity, record_b);
COMMENT ON TABLE ssot.match_pair IS 'Pairs of records that may be one thing and wait for a person: ssot.confirm_match or ssot.reject_match. Read it as ssot.match_review. Written by ssot.reconcile.';
COMMENT ON COLUMN ssot.match_pair.entity IS 'The entity';
COMMENT ON COLUMN ssot.match_pair.record_a IS 'A system record, as system:key: the first of the records that its keys hold together';
COMMENT ON COLUMN ssot.match_pair.record_b IS 'The other one';
COMMENT ON COLUMN ssot.match_pair.weight IS 'How much speaks for one thing, prior included: the binary logarithm of the odds';
COMMENT ON COLUMN ssot.match_pair.reason IS 'undecided: more probable than "review", less than "match"; refused: probable enough, but what else belongs to the two records speaks against it, a rule forbids it, or more than max_cluster records would be one';
COMMENT ON COLUMN ssot.match_pair.levels IS 'How well each compared field agrees: {"name": "one token differs"}; no values';
COMMENT ON COLUMN ssot.match_pair.first_seen IS 'Since when the pair waits, on the entity''s clock';

-- end of I.3


-- ============================================================================
-- I.4  ingest: state of sources, queue of changes
-- ============================================================================


CREATE TABLE ssot.source_state (
    source_id     integer PRIMARY KEY,
    map_version   bigint NOT NULL,
    read_at       timestamptz NOT NULL,
    data_through  timestamptz,
    rows_read     bigint NOT NULL,
    records       bigint NOT NULL,
    quarantined   bigint NOT NULL,
    full_at       timestamptz,
    shape         bigint
);
SELECT pg_catalog.pg_extension_config_dump('ssot.source_state', '');
COMMENT ON TABLE ssot.source_state IS 'What the last run learned of each source. A source that was never read has no row.';
COMMENT ON COLUMN ssot.source_state.source_id IS 'The source';
COMMENT ON COLUMN ssot.source_state.map_version IS 'The mapping''s version that the stored records were made with';
COMMENT ON COLUMN ssot.source_state.read_at IS 'When a run last found something new in the source, or read it first';
COMMENT ON COLUMN ssot.source_state.data_through IS 'The time through which the source''s data is complete: its latest source time, else the time it was read';
COMMENT ON COLUMN ssot.source_state.rows_read IS 'Rows that the source held; an estimate after a run that did not read all of them';
COMMENT ON COLUMN ssot.source_state.records IS 'Records in force after that run';
COMMENT ON COLUMN ssot.source_state.quarantined IS 'Rows in quarantine after that run';
COMMENT ON COLUMN ssot.source_state.full_at IS 'When the source was last read in full; kept where ssot.set_reading says that runs need not';
COMMENT ON COLUMN ssot.source_state.shape IS 'Hash of the relations and capture triggers as they were then: while it is the same, the triggers have missed nothing';

CREATE TABLE ssot.change_queue (
    source_id integer NOT NULL,
    relation  oid NOT NULL,
    changed   text[]
);
SELECT pg_catalog.pg_extension_config_dump('ssot.change_queue', '');
CREATE INDEX change_queue_source_idx ON ssot.change_queue (source_id);
COMMENT ON TABLE ssot.change_queue IS 'Keys of rows that were written in relations with change capture since the last run that saw them. Written by the trigger function ssot.capture_change as the owner of this table; a run deletes what it has seen.';
COMMENT ON COLUMN ssot.change_queue.source_id IS 'The source whose keys these are';
COMMENT ON COLUMN ssot.change_queue.relation IS 'The table or partition that was written';
COMMENT ON COLUMN ssot.change_queue.changed IS 'Key columns of the rows before and after, as text, one row after the other; NULL: anything may have changed';

-- end of I.4


-- ============================================================================
-- I.5  reconcile: runs, schedules, watching
-- ============================================================================


CREATE SEQUENCE ssot.run_id_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.run_id_seq', '');
COMMENT ON SEQUENCE ssot.run_id_seq IS 'Numbers of reconciliation runs';

CREATE TABLE ssot.reconcile_run (
    run_id      bigint PRIMARY KEY DEFAULT nextval('ssot.run_id_seq'),
    entity      text NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    written_at  timestamptz,
    status      text NOT NULL CHECK (status IN ('done', 'nothing to do', 'failed')),
    figures     jsonb,
    sqlstate    text,
    message     text,
    detail      text,
    hint        text,
    run_by      text NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.reconcile_run', '');
CREATE INDEX reconcile_run_entity_idx ON ssot.reconcile_run (entity, started_at);
COMMENT ON TABLE ssot.reconcile_run IS 'Every run of ssot.reconcile and every failure that ssot.reconcile_all met.';
COMMENT ON COLUMN ssot.reconcile_run.run_id IS 'Number of the run';
COMMENT ON COLUMN ssot.reconcile_run.entity IS 'The entity that was reconciled';
COMMENT ON COLUMN ssot.reconcile_run.started_at IS 'Wall clock at the start';
COMMENT ON COLUMN ssot.reconcile_run.finished_at IS 'Wall clock at the end';
COMMENT ON COLUMN ssot.reconcile_run.written_at IS 'The entity''s clock for what the run wrote; NULL where it wrote nothing';
COMMENT ON COLUMN ssot.reconcile_run.status IS 'done, nothing to do, or failed';
COMMENT ON COLUMN ssot.reconcile_run.figures IS 'The figures per source, as ssot.reconcile returned them, and through when the source''s data is complete (data_through)';
COMMENT ON COLUMN ssot.reconcile_run.sqlstate IS 'SQLSTATE of the failure';
COMMENT ON COLUMN ssot.reconcile_run.message IS 'Message of the failure';
COMMENT ON COLUMN ssot.reconcile_run.detail IS 'Detail of the failure';
COMMENT ON COLUMN ssot.reconcile_run.hint IS 'Hint of the failure';
COMMENT ON COLUMN ssot.reconcile_run.run_by IS 'The role that ran it';

CREATE TABLE ssot.watch (
    entity     text PRIMARY KEY,
    every      interval NOT NULL CHECK (every > '0'),
    watched_by text NOT NULL
);
SELECT pg_catalog.pg_extension_config_dump('ssot.watch', '');
COMMENT ON TABLE ssot.watch IS 'Entities that a worker (CALL ssot.watch_all()) reconciles shortly after a change. Written by ssot.watch and ssot.unwatch.';
COMMENT ON COLUMN ssot.watch.entity IS 'The entity';
COMMENT ON COLUMN ssot.watch.every IS 'How often it is reconciled if some of its sources have no change capture';
COMMENT ON COLUMN ssot.watch.watched_by IS 'The role that asked for it';

-- end of I.5


-- ============================================================================
-- I.6  text: words that count as blank
-- ============================================================================

-- What people decided beyond the built-in list of src/text/blank.c: a word
-- added (is_blank) or a built-in word dropped (not is_blank).
CREATE TABLE ssot.blank_word (
    word     text    NOT NULL PRIMARY KEY,
    is_blank boolean NOT NULL
);

COMMENT ON TABLE ssot.blank_word IS
'Words added to, or dropped from, the built-in list of values that count as blank. Written by ssot.add_blank_word() and ssot.drop_blank_word(); ssot.blank_words() shows the list in force.';
COMMENT ON COLUMN ssot.blank_word.word IS
'The word as ssot.is_blank() compares it: NFKC, case folded, white space collapsed.';
COMMENT ON COLUMN ssot.blank_word.is_blank IS
'True: the word counts as blank. False: it does not, though the built-in list says so.';

SELECT pg_catalog.pg_extension_config_dump('ssot.blank_word', '');

-- end of I.6


-- ============================================================================
-- I.7  drift: what a difference is
-- ============================================================================


CREATE TYPE ssot.difference AS (
    id            text,
    system        text,
    key           text,
    record        text,
    field         text,
    golden_value  text,
    system_value  text,
    kind          text,
    category      text,
    authority     text,
    system_time   timestamptz,
    winner_system text,
    winner_time   timestamptz,
    first_seen    timestamptz,
    reason        text
);
COMMENT ON TYPE ssot.difference IS 'What ssot.drift returns: one way in which a system differs from a golden record.';
COMMENT ON COLUMN ssot.difference.id IS 'The golden id, as text';
COMMENT ON COLUMN ssot.difference.system IS 'The system that differs';
COMMENT ON COLUMN ssot.difference.key IS 'Key of its record; null where it has none (kind missing)';
COMMENT ON COLUMN ssot.difference.record IS 'The record as it is printed everywhere: system:key';
COMMENT ON COLUMN ssot.difference.field IS 'The field that differs; null where the record as a whole does';
COMMENT ON COLUMN ssot.difference.golden_value IS 'What is believed, as text; null: no value';
COMMENT ON COLUMN ssot.difference.system_value IS 'What the system says, after mapping, as text; for kind invalid the raw value, for a field''s orphan the token of the missing parent, for a duplicate what it stands beside';
COMMENT ON COLUMN ssot.difference.kind IS 'mismatch (another value), stale (a value that was golden before), empty (mapped, but no value), invalid (an unlisted code, or a value that could not be taken), orphan (a record that should not be there, or a field that names an unknown parent), duplicate (a further record or row of the same thing), missing (should be there and is not)';
COMMENT ON COLUMN ssot.difference.category IS 'Why, judged when read; the first that holds: definition (an unlisted code, or values that differ by a rule), timing (the system may not have had time to follow), hierarchy (records at different levels, or a parent), quality (the rest)';
COMMENT ON COLUMN ssot.difference.authority IS 'The system that is believed first for the field';
COMMENT ON COLUMN ssot.difference.system_time IS 'Source time of the system''s value';
COMMENT ON COLUMN ssot.difference.winner_system IS 'The system that the golden value came from; steward where a person pinned it';
COMMENT ON COLUMN ssot.difference.winner_time IS 'Source time of the golden value';
COMMENT ON COLUMN ssot.difference.first_seen IS 'Since when the system differs, on the entity''s clock';
COMMENT ON COLUMN ssot.difference.reason IS 'The difference in a sentence';

-- end of I.7


-- ============================================================================
-- I.8  dictionary: calendars, versions of metrics, publications, what a number and a cause are
-- ============================================================================


CREATE TABLE ssot.calendar (
    calendar    text PRIMARY KEY CHECK (calendar <> ''),
    start_month integer NOT NULL CHECK (start_month BETWEEN 1 AND 12),
    start_day   integer NOT NULL CHECK (start_day BETWEEN 1 AND 28),
    pattern     text NOT NULL CHECK (pattern IN ('month', '4-4-5', '4-5-4', '5-4-4')),
    time_zone   text NOT NULL,
    close_day   integer CHECK (close_day BETWEEN 1 AND 31)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.calendar', '');
COMMENT ON TABLE ssot.calendar IS 'Business calendars: where a year begins and how it is cut. Never changed once made, because numbers are counted by them. Written by ssot.create_calendar.';
COMMENT ON COLUMN ssot.calendar.calendar IS 'Name of the calendar';
COMMENT ON COLUMN ssot.calendar.start_month IS 'Month in which the year begins';
COMMENT ON COLUMN ssot.calendar.start_day IS 'Day of that month; a retail year begins on the Monday nearest to it';
COMMENT ON COLUMN ssot.calendar.pattern IS 'month: calendar months; 4-4-5, 4-5-4, 5-4-4: weeks of the three months of a quarter';
COMMENT ON COLUMN ssot.calendar.time_zone IS 'The time zone in which a day is a day';
COMMENT ON COLUMN ssot.calendar.close_day IS 'Day of the following month on which people close a period, for them to read: nothing happens by itself on it; null: not said';

CREATE SEQUENCE ssot.definition_variant_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.definition_variant_seq', '');
COMMENT ON SEQUENCE ssot.definition_variant_seq IS 'Numbers of variants of definitions';

CREATE TABLE ssot.definition_version (
    definition       text NOT NULL CHECK (definition <> '' AND definition !~ ':'),
    variant          text NOT NULL DEFAULT '' CHECK (variant !~ ':'),
    version          integer NOT NULL CHECK (version > 0),
    variant_id       bigint NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('term', 'entity', 'metric')),
    state            text NOT NULL CHECK (state IN ('draft', 'proposed', 'approved', 'deprecated', 'retired')),
    canonical        boolean NOT NULL,
    effective_from   timestamptz,
    effective        tstzrange CHECK (NOT isempty(effective)),
    description      text,
    owner            text NOT NULL CHECK (owner <> ''),
    canonical_system text,
    defined_entity   text,
    signers          text[] NOT NULL DEFAULT '{}',
    leaving_signers  text[] NOT NULL DEFAULT '{}',
    signatures       integer NOT NULL DEFAULT 0,
    successor        integer,
    declared         jsonb,
    compiled         jsonb,
    reads            jsonb NOT NULL DEFAULT '{}',
    basis            jsonb,
    checksum         text,
    created_by       text NOT NULL,
    created_role     oid,
    created_in       bigint,
    created_at       timestamptz NOT NULL,
    approved_at      timestamptz,
    PRIMARY KEY (definition, variant, version),
    CONSTRAINT definition_version_one_in_force EXCLUDE USING gist (
        pg_catalog.int8range(variant_id, variant_id, '[]') WITH &&,
        effective WITH &&),
    CHECK (CASE WHEN state IN ('draft', 'proposed') THEN effective IS NULL ELSE effective IS NOT NULL OR state = 'retired' END)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.definition_version', '');
COMMENT ON TABLE ssot.definition_version IS 'The dictionary: what words and numbers mean, every version; once approved, none is ever changed but in how long it is in force and in the names of what it reads, which follow renames. Written by ssot.create_definition, ssot.create_metric, ssot.sign and what goes with them; read it as ssot.dictionary.';
COMMENT ON COLUMN ssot.definition_version.definition IS 'The name that is defined';
COMMENT ON COLUMN ssot.definition_version.variant IS 'Which meaning of the name (sales, finance); empty: the only one';
COMMENT ON COLUMN ssot.definition_version.version IS 'Number of the version within its variant';
COMMENT ON COLUMN ssot.definition_version.variant_id IS 'A number for definition and variant: as a range of one it stands beside the range of time in the exclusion constraint, which takes no text without another extension';
COMMENT ON COLUMN ssot.definition_version.kind IS 'term: a word; entity: what a row of an entity is; metric: a number';
COMMENT ON COLUMN ssot.definition_version.state IS 'draft (only written down), proposed (waits for signatures), approved, deprecated (has a successor or a last day), retired (no longer to be used)';
COMMENT ON COLUMN ssot.definition_version.canonical IS 'Whether this variant is meant where none is named';
COMMENT ON COLUMN ssot.definition_version.effective_from IS 'From when it was asked to be in force, not before its approval but for the first version of a variant; NULL: from its approval, the first version for all of the past too';
COMMENT ON COLUMN ssot.definition_version.effective IS 'When it is in force: never at the same time as another version of the variant; NULL until approved, and for one that was retired before it was';
COMMENT ON COLUMN ssot.definition_version.description IS 'What it means, in business language';
COMMENT ON COLUMN ssot.definition_version.owner IS 'The team or person that answers for it';
COMMENT ON COLUMN ssot.definition_version.canonical_system IS 'The system that is believed first about it, where that is said';
COMMENT ON COLUMN ssot.definition_version.defined_entity IS 'The entity that is defined, of kind entity, by its name of today';
COMMENT ON COLUMN ssot.definition_version.signers IS 'Roles (teams) of which each must sign before it is approved';
COMMENT ON COLUMN ssot.definition_version.leaving_signers IS 'Teams that the version before asked (or, not approved, still had to ask) and this one does not: they sign this one for the last time';
COMMENT ON COLUMN ssot.definition_version.signatures IS 'How often it was signed or a signature withdrawn: whoever does so writes this row, so that two cannot miss each other';
COMMENT ON COLUMN ssot.definition_version.successor IS 'The version that took or takes its place';
COMMENT ON COLUMN ssot.definition_version.declared IS 'Of a metric, the declaration: kind, entity, measure, filter, dimensions, date, unit, currency, parts (src/dictionary/metric_spec.c)';
COMMENT ON COLUMN ssot.definition_version.compiled IS 'The same with every expression qualified and parts pinned to their versions, in the names of today: renames are followed';
COMMENT ON COLUMN ssot.definition_version.reads IS 'What it reads, in the names of today: {"golden.opportunity": ["amount", "stage"]}';
COMMENT ON COLUMN ssot.definition_version.basis IS 'What it stood on when it was approved: ssot.definition_basis, in the names of today';
COMMENT ON COLUMN ssot.definition_version.checksum IS 'SHA-256 of what was approved, in the names of today; ssot.verify_dictionary compares. A rename makes it anew only where it was right before';
COMMENT ON COLUMN ssot.definition_version.created_by IS 'The role that made the version (session_user): its author';
COMMENT ON COLUMN ssot.definition_version.created_role IS 'The OID of that role, by which it is known after a rename; NULL: not known';
COMMENT ON COLUMN ssot.definition_version.created_in IS 'System identifier of the cluster in which the OID means that role; in any other the name decides';
COMMENT ON COLUMN ssot.definition_version.created_at IS 'When it was made';
COMMENT ON COLUMN ssot.definition_version.approved_at IS 'When it was approved';

CREATE TABLE ssot.signature (
    definition   text NOT NULL,
    variant      text NOT NULL,
    version      integer NOT NULL,
    team         text NOT NULL,
    signer       text NOT NULL,
    signer_role  oid,
    signer_in    bigint,
    signed_at    timestamptz NOT NULL,
    withdrawn_at timestamptz
);
SELECT pg_catalog.pg_extension_config_dump('ssot.signature', '');
CREATE UNIQUE INDEX signature_of_team ON ssot.signature (definition, variant, version, team) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX signature_of_person ON ssot.signature (definition, variant, version, signer) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX signature_of_role ON ssot.signature (definition, variant, version, signer_role, signer_in) WHERE withdrawn_at IS NULL;
COMMENT ON TABLE ssot.signature IS 'Who signed which version of a definition, for which team. Written by ssot.sign and ssot.withdraw.';
COMMENT ON COLUMN ssot.signature.definition IS 'The definition';
COMMENT ON COLUMN ssot.signature.variant IS 'Its variant; empty: the only one';
COMMENT ON COLUMN ssot.signature.version IS 'The version';
COMMENT ON COLUMN ssot.signature.team IS 'The role on whose behalf it was signed';
COMMENT ON COLUMN ssot.signature.signer IS 'The person: session_user, a member of that role';
COMMENT ON COLUMN ssot.signature.signer_role IS 'The OID of the person''s role, by which it is known after a rename; NULL: not known';
COMMENT ON COLUMN ssot.signature.signer_in IS 'System identifier of the cluster in which the OID means that role; in any other the name decides';
COMMENT ON COLUMN ssot.signature.signed_at IS 'When';
COMMENT ON COLUMN ssot.signature.withdrawn_at IS 'When the signature was withdrawn; NULL: it counts';

CREATE TABLE ssot.used_definition (
    system     text NOT NULL,
    definition text NOT NULL,
    variant    text NOT NULL,
    declared_at timestamptz NOT NULL,
    declared_by text NOT NULL,
    PRIMARY KEY (system, definition)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.used_definition', '');
COMMENT ON TABLE ssot.used_definition IS 'By which variant of a definition a system reports; where nothing is said, by the canonical one. Written by ssot.use_definition.';
COMMENT ON COLUMN ssot.used_definition.system IS 'The system';
COMMENT ON COLUMN ssot.used_definition.definition IS 'The definition';
COMMENT ON COLUMN ssot.used_definition.variant IS 'The variant that the system means by that word';
COMMENT ON COLUMN ssot.used_definition.declared_at IS 'When that was declared';
COMMENT ON COLUMN ssot.used_definition.declared_by IS 'The role that declared it';

CREATE TYPE ssot.number AS (
    slice      jsonb,
    value      numeric,
    as_of      timestamptz,
    definition text,
    variant    text,
    version    integer,
    unit       text,
    system     text,
    freshness  jsonb,
    label      text,
    borrowed   text[]
);
COMMENT ON TYPE ssot.number IS 'What ssot.metric returns: a number with all that it must not be without.';
COMMENT ON COLUMN ssot.number.slice IS 'Values of the dimensions asked for; null: the whole';
COMMENT ON COLUMN ssot.number.value IS 'The number';
COMMENT ON COLUMN ssot.number.as_of IS 'The time whose belief it is; of a system: through when its data is complete';
COMMENT ON COLUMN ssot.number.definition IS 'Name of the definition that it is counted by';
COMMENT ON COLUMN ssot.number.variant IS 'Variant of the definition; empty: its only one';
COMMENT ON COLUMN ssot.number.version IS 'Version of the definition';
COMMENT ON COLUMN ssot.number.unit IS 'What the number counts';
COMMENT ON COLUMN ssot.number.system IS 'Whose number it is; golden: what the company believes';
COMMENT ON COLUMN ssot.number.freshness IS 'Per system, through when its data is complete';
COMMENT ON COLUMN ssot.number.label IS 'The number as a person would say it';
COMMENT ON COLUMN ssot.number.borrowed IS 'Fields that the system does not map, taken from golden records';

CREATE TYPE ssot.rolled_number AS (
    id         text,
    parent     text,
    level      integer,
    own        numeric,
    value      numeric,
    as_of      timestamptz,
    definition text,
    variant    text,
    version    integer,
    unit       text,
    system     text,
    freshness  jsonb,
    borrowed   text[]
);
COMMENT ON TYPE ssot.rolled_number IS 'What ssot.metric_rollup returns: a node of a hierarchy with its number and all that a number must not be without.';
COMMENT ON COLUMN ssot.rolled_number.id IS 'Golden id of the node; null: what belongs to no node';
COMMENT ON COLUMN ssot.rolled_number.parent IS 'Golden id of what is directly above it; null for a root';
COMMENT ON COLUMN ssot.rolled_number.level IS 'How deep it stands, 1 being that of the roots; null in a circle, or below one';
COMMENT ON COLUMN ssot.rolled_number.own IS 'The number of the node by itself';
COMMENT ON COLUMN ssot.rolled_number.value IS 'The number of the node and of all that lies below it';
COMMENT ON COLUMN ssot.rolled_number.as_of IS 'The time whose belief it is; of a system: through when its data is complete';
COMMENT ON COLUMN ssot.rolled_number.definition IS 'Name of the definition that it is counted by';
COMMENT ON COLUMN ssot.rolled_number.variant IS 'Variant of the definition; empty: its only one';
COMMENT ON COLUMN ssot.rolled_number.version IS 'Version of the definition';
COMMENT ON COLUMN ssot.rolled_number.unit IS 'What the number counts';
COMMENT ON COLUMN ssot.rolled_number.system IS 'Whose number it is; golden: what the company believes';
COMMENT ON COLUMN ssot.rolled_number.freshness IS 'Per system, through when its data is complete';
COMMENT ON COLUMN ssot.rolled_number.borrowed IS 'Fields that the system does not map, taken from golden records';

CREATE TYPE ssot.cause AS (
    axis         text,
    cause        text,
    field        text,
    contribution numeric,
    minimum      numeric,
    maximum      numeric,
    entities     bigint,
    borrowed     text[],
    sentence     text,
    id           text,
    pair_key     text,
    left_records  text[],
    right_records text[],
    left_counts  numeric,
    right_counts numeric,
    left_value   text,
    right_value  text
);
COMMENT ON TYPE ssot.cause IS 'What ssot.explain_difference returns: one cause of a difference, or with detail one entity behind a cause. The columns from id on are of entities, and null otherwise.';
COMMENT ON COLUMN ssot.cause.axis IS 'definition, timing, hierarchy or quality; timing and quality where the past of a side is not known; reported for what a published or reported number says and its records do not give';
COMMENT ON COLUMN ssot.cause.cause IS 'The cause within its axis: a field that differs, records only in one system, duplicates, quarantined rows, records that cannot answer, the net of families';
COMMENT ON COLUMN ssot.cause.field IS 'The field that differs; null where no single one does';
COMMENT ON COLUMN ssot.cause.contribution IS 'What it adds to the difference right - left; the contributions add up exactly';
COMMENT ON COLUMN ssot.cause.minimum IS 'Method shapley: the least it adds in any order; null in a bridge';
COMMENT ON COLUMN ssot.cause.maximum IS 'Method shapley: the most it adds in any order; null in a bridge';
COMMENT ON COLUMN ssot.cause.entities IS 'How many entities are behind it, in a bridge as many as detail lists; of shapley the most in any order. With detail 1, or how many rows of one record. Null where there are none to count: a metric that is no plain sum or count, a reported number';
COMMENT ON COLUMN ssot.cause.borrowed IS 'Fields that a side took from golden records, as system: field';
COMMENT ON COLUMN ssot.cause.sentence IS 'The cause, or the entity''s share of it, in words';
COMMENT ON COLUMN ssot.cause.id IS 'Golden id of the entity, of a family that of its head; null for records without one, and where pair_by pairs records of two golden records';
COMMENT ON COLUMN ssot.cause.pair_key IS 'With pair_by: the key that its records have; null without pair_by, and for records without a key';
COMMENT ON COLUMN ssot.cause.left_records IS 'The left''s records that the share is of (crm:K1); null for golden records, and where the left has none';
COMMENT ON COLUMN ssot.cause.right_records IS 'The same of the right';
COMMENT ON COLUMN ssot.cause.left_counts IS 'What the entity counts for on the left: its part of the left''s number; by definition, timing and hierarchy that by the left''s definition, at the left''s time, as the left places it. Null where the left has no such record, or orders of method shapley do not agree. Of what a reported number says and its records do not give: the number, without detail too';
COMMENT ON COLUMN ssot.cause.right_counts IS 'The same of the right';
COMMENT ON COLUMN ssot.cause.left_value IS 'Where a field differs: its value on the left, as text';
COMMENT ON COLUMN ssot.cause.right_value IS 'The same of the right';

CREATE SEQUENCE ssot.publication_id_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.publication_id_seq', '');
COMMENT ON SEQUENCE ssot.publication_id_seq IS 'Numbers of publications';

CREATE TABLE ssot.publication (
    publication_id bigint PRIMARY KEY DEFAULT nextval('ssot.publication_id_seq'),
    metric         text NOT NULL,
    variant        text NOT NULL,
    version        integer NOT NULL,
    slice          jsonb,
    value          numeric,
    unit           text,
    as_of          timestamptz NOT NULL,
    freshness      jsonb,
    counted        text NOT NULL,
    records        bigint NOT NULL,
    checksum       text NOT NULL,
    period         text,
    restates       bigint,
    reason         text,
    published_by   text NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('ssot.publication', '');
CREATE INDEX publication_period_idx ON ssot.publication (period) WHERE period IS NOT NULL;
CREATE UNIQUE INDEX publication_restates_idx ON ssot.publication (restates);
COMMENT ON TABLE ssot.publication IS 'Numbers as they were published; none is ever changed, but its checksum follows renames. Written by ssot.publish, ssot.close_period and ssot.accept_restatement; ssot.verify_publications proves them.';
COMMENT ON COLUMN ssot.publication.publication_id IS 'Number of the publication';
COMMENT ON COLUMN ssot.publication.metric IS 'The metric';
COMMENT ON COLUMN ssot.publication.variant IS 'Its variant; empty: the only one';
COMMENT ON COLUMN ssot.publication.version IS 'Version of the definition that it was counted by';
COMMENT ON COLUMN ssot.publication.slice IS 'Values of dimensions, as {"country": "DE"}; NULL: the whole';
COMMENT ON COLUMN ssot.publication.value IS 'The number; NULL: there was none';
COMMENT ON COLUMN ssot.publication.unit IS 'What it counts';
COMMENT ON COLUMN ssot.publication.as_of IS 'The time whose belief it is';
COMMENT ON COLUMN ssot.publication.freshness IS 'Per system, through when its data was complete';
COMMENT ON COLUMN ssot.publication.counted IS 'The entity that was counted, by its name at that time';
COMMENT ON COLUMN ssot.publication.records IS 'How many golden records it had at that time';
COMMENT ON COLUMN ssot.publication.checksum IS 'MD5 of the compiled definition, in the names of today: it follows a rename if it was right before';
COMMENT ON COLUMN ssot.publication.period IS 'The period that it closed; NULL: none';
COMMENT ON COLUMN ssot.publication.restates IS 'The publication in whose place it stands; NULL: none';
COMMENT ON COLUMN ssot.publication.reason IS 'Why it was published, or the restatement accepted';
COMMENT ON COLUMN ssot.publication.published_by IS 'The role that published it (session_user)';
COMMENT ON COLUMN ssot.publication.published_at IS 'When';

CREATE SEQUENCE ssot.figure_id_seq;
SELECT pg_catalog.pg_extension_config_dump('ssot.figure_id_seq', '');
COMMENT ON SEQUENCE ssot.figure_id_seq IS 'Numbers of reported figures';

CREATE TABLE ssot.reported_figure (
    figure_id   bigint PRIMARY KEY DEFAULT nextval('ssot.figure_id_seq'),
    metric      text NOT NULL,
    variant     text NOT NULL,
    version     integer NOT NULL,
    system      text NOT NULL,
    value       numeric NOT NULL,
    as_of       timestamptz NOT NULL,
    slice       jsonb,
    note        text,
    reported_by text NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
SELECT pg_catalog.pg_extension_config_dump('ssot.reported_figure', '');
COMMENT ON TABLE ssot.reported_figure IS 'Numbers that other systems and dashboards report. Written by ssot.report_figure; ssot.compare_figures holds them against ours.';
COMMENT ON COLUMN ssot.reported_figure.figure_id IS 'Number of the figure';
COMMENT ON COLUMN ssot.reported_figure.metric IS 'The metric that it claims to be';
COMMENT ON COLUMN ssot.reported_figure.variant IS 'Its variant; empty: the only one';
COMMENT ON COLUMN ssot.reported_figure.version IS 'Version of the definition';
COMMENT ON COLUMN ssot.reported_figure.system IS 'The system that reports it';
COMMENT ON COLUMN ssot.reported_figure.value IS 'What it reports';
COMMENT ON COLUMN ssot.reported_figure.as_of IS 'The time that it is reported for';
COMMENT ON COLUMN ssot.reported_figure.slice IS 'Values of dimensions; NULL: the whole';
COMMENT ON COLUMN ssot.reported_figure.note IS 'Where it was read';
COMMENT ON COLUMN ssot.reported_figure.reported_by IS 'The role that registered it (session_user)';
COMMENT ON COLUMN ssot.reported_figure.reported_at IS 'When it was registered';

CREATE TABLE ssot.metric_snapshot (
    metric   text NOT NULL,
    variant  text NOT NULL,
    version  integer NOT NULL,
    value    numeric,
    as_of    timestamptz NOT NULL,
    taken_at timestamptz NOT NULL,
    PRIMARY KEY (metric, variant, taken_at)
);
SELECT pg_catalog.pg_extension_config_dump('ssot.metric_snapshot', '');
COMMENT ON TABLE ssot.metric_snapshot IS 'Values of metrics over time, for trends and anomalies. Written by ssot.snapshot_metrics.';
COMMENT ON COLUMN ssot.metric_snapshot.metric IS 'The metric';
COMMENT ON COLUMN ssot.metric_snapshot.variant IS 'Its variant; empty: the only one';
COMMENT ON COLUMN ssot.metric_snapshot.version IS 'Version of the definition';
COMMENT ON COLUMN ssot.metric_snapshot.value IS 'The number';
COMMENT ON COLUMN ssot.metric_snapshot.as_of IS 'The time whose belief it is';
COMMENT ON COLUMN ssot.metric_snapshot.taken_at IS 'When the snapshot was taken';

-- end of I.8


-- ============================================================================
-- II.1  text: normalisation, blank-ness, validators, countries, phones, similarity
-- ============================================================================

-- Volatility: what asks ICU, libphonenumber, or a list that may shrink is
-- STABLE, because another release of those may give another answer. Do not
-- use STABLE functions in CHECKs, indexes or generated columns: the stored
-- rows are not tested again when the answer changes. What depends on fixed
-- rules alone is IMMUTABLE.

CREATE FUNCTION ssot.normalize_text(value text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'ssot_normalize_text';
COMMENT ON FUNCTION ssot.normalize_text(text) IS
'Clean text to store and show: Unicode NFKC; white space and control characters (carriage return, tab, no-break space ...) become one space; invisible characters (zero width, soft hyphen, byte order mark, marks of direction) go, except joiners between two non-ASCII characters, where they are spelling; ends trimmed. Case and accents stay. NULL if nothing is left; words such as "n/a" stay (see is_blank). Idempotent. STABLE: NFKC is that of the installed ICU. Errors: text longer than 16 MB that needs ICU (54000); in a database that is not UTF8, a result its encoding lacks (22P05).';

CREATE FUNCTION ssot.normalize_key(value text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_normalize_key';
COMMENT ON FUNCTION ssot.normalize_key(text) IS
'A key for comparing text, not for showing it: as normalize_text, then case folded and transliterated to ASCII: accents off, other scripts into Latin letters. Characters without an ASCII likeness (emoji) stay. Punctuation stays. NULL if nothing is left. Idempotent. STABLE: ICU. Errors as normalize_text.';

CREATE FUNCTION ssot.normalize_company(value text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20
    AS 'MODULE_PATHNAME', 'ssot_normalize_company';
COMMENT ON FUNCTION ssot.normalize_company(text) IS
'A key for comparing company names: words of normalize_key without punctuation ("&" is "and"), legal forms of some 80 countries taken off (list: src/text/legal_forms.c), a leading "the" too. Never takes the last word: a name that is only a legal form is its own key; a name of punctuation only gives normalize_key. NULL if nothing is left. STABLE: ICU. Errors as normalize_text.';

CREATE FUNCTION ssot.normalize_person(value text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 20
    AS 'MODULE_PATHNAME', 'ssot_normalize_person';
COMMENT ON FUNCTION ssot.normalize_person(text) IS
'A key for comparing names of people: words of normalize_key without punctuation, titles and degrees taken off ("Dr.", "Jr.", "PhD"), "Last, First" turned into "first last". Without a comma the order stays. Never takes the last word. NULL if nothing is left. STABLE: ICU. Errors as normalize_text.';

CREATE FUNCTION ssot.normalize_email(value text, strip_plus boolean DEFAULT false, strip_dots boolean DEFAULT false) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_normalize_email';
COMMENT ON FUNCTION ssot.normalize_email(text, boolean, boolean) IS
'One spelling of an e-mail address: trimmed, lower case, "mailto:" and "Ann <...>" taken off, domain in Unicode (xn-- decoded). strip_plus: without "+tag"; strip_dots: without dots before "@"; both only on request, because most mail systems deliver such addresses to different people. NULL if the text is no address (see is_email): write coalesce(ssot.normalize_email(x), x) to keep a wrong one visible. STABLE: ICU.';

CREATE FUNCTION ssot.normalize_phone(value text, country text DEFAULT NULL) RETURNS text
    LANGUAGE c STABLE PARALLEL SAFE COST 50
    AS 'MODULE_PATHNAME', 'ssot_normalize_phone';
COMMENT ON FUNCTION ssot.normalize_phone(text, text) IS
'A phone number in E.164 ("+" and digits), by libphonenumber. country: whose national form is meant, as a code or name that normalize_country knows; null or unknown: only international numbers are understood. NULL if the text is no number of a possible length; extensions are dropped. Write coalesce(ssot.normalize_phone(x, c), x) to keep a wrong one visible. STABLE: libphonenumber. Errors: ssot_phone library missing (58P01).';

CREATE FUNCTION ssot.normalize_country(value text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_normalize_country';
COMMENT ON FUNCTION ssot.normalize_country(text) IS
'The ISO 3166-1 alpha-2 code of a country, from: alpha-2, alpha-3 or numeric code (leading zeros may be missing), English name, common variants ("UK", "Holland"), its own name, or its name in some 20 further languages, in any case and accents. NULL if it is none, or if two countries share the name. "Korea" is KR, "Congo" is CG (as in ISO 3166). STABLE: names are those of the installed ICU.';

CREATE FUNCTION ssot.country_name(code text, locale text DEFAULT 'en') RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_country_name';
COMMENT ON FUNCTION ssot.country_name(text, text) IS
'The usual name of a country in a language, by its ISO 3166-1 alpha-2 code in upper case. NULL if there is no such code. STABLE: names are those of the installed ICU. Errors: a locale ICU does not know (22023).';

CREATE FUNCTION ssot.is_blank(value text) RETURNS boolean
    LANGUAGE c STABLE PARALLEL SAFE COST 1
    AS 'MODULE_PATHNAME', 'ssot_is_blank_sql';
COMMENT ON FUNCTION ssot.is_blank(text) IS
'Does the value say nothing? True for NULL, the empty string, white space and invisible characters, and the words of ssot.blank_words() in any case, width and spacing. Never NULL. STABLE: reads ssot.blank_word, and non-ASCII values ask ICU.';

CREATE FUNCTION ssot.blank_words(OUT word text, OUT built_in boolean) RETURNS SETOF record
    LANGUAGE c STABLE PARALLEL SAFE ROWS 50
    AS 'MODULE_PATHNAME', 'ssot_blank_words';
COMMENT ON FUNCTION ssot.blank_words() IS
'The words that count as blank now: the built-in ones not dropped, and the added ones. STABLE: reads ssot.blank_word.';

CREATE FUNCTION ssot.blank_word_form(word text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'ssot_blank_word_form';
COMMENT ON FUNCTION ssot.blank_word_form(text) IS
'The form in which a blank word is stored and compared. STABLE: ICU. Errors: empty, or longer than 64 bytes (22023).';

CREATE FUNCTION ssot.add_blank_word(word text) RETURNS boolean
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
    WITH asked AS (
        SELECT ssot.blank_word_form(add_blank_word.word) AS word
    ), written AS (
        INSERT INTO ssot.blank_word AS b (word, is_blank)
        SELECT a.word, true
          FROM asked AS a
            ON CONFLICT (word) DO UPDATE SET is_blank = true
    )
    SELECT NOT EXISTS (SELECT
                         FROM ssot.blank_words() AS w
                         JOIN asked AS a ON a.word = w.word);
END;
COMMENT ON FUNCTION ssot.add_blank_word(text) IS
'Let a word count as blank from the next statement on, in any case, width and spacing. True if it did not before. Values that are already golden stay until the next full reconciliation. NULL in, NULL out. Errors: empty, or longer than 64 bytes (22023).';

CREATE FUNCTION ssot.drop_blank_word(word text) RETURNS boolean
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
    WITH known AS (
        SELECT w.word
          FROM ssot.blank_words() AS w
         WHERE w.word = ssot.blank_word_form(drop_blank_word.word)
    ), written AS (
        INSERT INTO ssot.blank_word AS b (word, is_blank)
        SELECT k.word, false
          FROM known AS k
            ON CONFLICT (word) DO UPDATE SET is_blank = false
    )
    SELECT EXISTS (SELECT FROM known AS k);
END;
COMMENT ON FUNCTION ssot.drop_blank_word(text) IS
'Let a word, built-in or added, no longer count as blank from the next statement on. False if it did not anyway: nothing is changed then. NULL in, NULL out. Errors: empty, or longer than 64 bytes (22023).';

GRANT SELECT ON ssot.blank_word TO PUBLIC;
REVOKE EXECUTE ON FUNCTION ssot.add_blank_word(text), ssot.drop_blank_word(text) FROM PUBLIC;

CREATE FUNCTION ssot.is_email(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 2
    AS 'MODULE_PATHNAME', 'ssot_is_email';
COMMENT ON FUNCTION ssot.is_email(text) IS
'Has the text the form of an e-mail address? RFC 5321 and 6531 as mail is really sent: a dot-atom of at most 64 bytes, "@", a domain of two labels or more, 254 bytes in all, Unicode allowed. Quoted local parts, comments and address literals are refused. NULL in, NULL out; never an error. IMMUTABLE: fixed rules.';

CREATE FUNCTION ssot.is_phone(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 1
    AS 'MODULE_PATHNAME', 'ssot_is_phone';
COMMENT ON FUNCTION ssot.is_phone(text) IS
'Has the text the form of E.164: "+", then 7 to 15 digits, the first not 0? The form only: whether the number can exist is asked by normalize_phone. NULL in, NULL out; never an error. IMMUTABLE: fixed rules.';

CREATE FUNCTION ssot.is_iban(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 2
    AS 'MODULE_PATHNAME', 'ssot_is_iban';
COMMENT ON FUNCTION ssot.is_iban(text) IS
'Is the text an IBAN (ISO 13616) in electronic form: upper case, no spaces, the length of its country, check digits modulo 97? NULL in, NULL out; never an error. IMMUTABLE: fixed rules; countries are only ever added.';

CREATE FUNCTION ssot.is_lei(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 2
    AS 'MODULE_PATHNAME', 'ssot_is_lei';
COMMENT ON FUNCTION ssot.is_lei(text) IS
'Is the text a Legal Entity Identifier (ISO 17442): 20 characters, upper case, check digits modulo 97? NULL in, NULL out; never an error. IMMUTABLE: fixed rules.';

CREATE FUNCTION ssot.is_vat(value text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF COST 2
    AS 'MODULE_PATHNAME', 'ssot_is_vat';
COMMENT ON FUNCTION ssot.is_vat(text) IS
'Is the text a VAT number of the EU, the United Kingdom (GB, XI), Switzerland (CHE) or Norway (NO) in electronic form: prefix, upper case, no spaces or dots? Checksums are tested for AT, BE, CHE, CZ (companies), DE, DK, EE, EL, ES, FI, FR (numeric keys), GB, HR, HU, IT, LU, MT, NL, NO, PL, PT, SE, SI, SK, XI; of BG, CY, IE, LT, LV, RO the format only. Whether a number was issued only the register knows. NULL in, NULL out; never an error. IMMUTABLE: fixed rules; formats are only ever added.';

CREATE FUNCTION ssot.is_currency(value text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 2
    AS 'MODULE_PATHNAME', 'ssot_is_currency';
COMMENT ON FUNCTION ssot.is_currency(text) IS
'Is the text an alphabetic code of ISO 4217, upper case, in use (not XTS, XXX)? NULL in, NULL out; never an error. STABLE: currencies are withdrawn, so a later version may say no where this one says yes. PostgreSQL accepts it in a CHECK; after an upgrade rows stored before may then fail to restore: prefer a foreign key to a table of your own for that.';

CREATE FUNCTION ssot.is_country(value text) RETURNS boolean
    LANGUAGE c STABLE STRICT PARALLEL SAFE LEAKPROOF COST 1
    AS 'MODULE_PATHNAME', 'ssot_is_country';
COMMENT ON FUNCTION ssot.is_country(text) IS
'Is the text an officially assigned alpha-2 code of ISO 3166-1, upper case? NULL in, NULL out; never an error. STABLE: countries dissolve, so a later version may say no where this one says yes. PostgreSQL accepts it in a CHECK; after an upgrade rows stored before may then fail to restore: prefer a foreign key to a table of your own for that.';


-- Similarity. Characters are compared one by one, as code points, and nothing is
-- folded: normalise both sides first where case and accents do not matter.

CREATE FUNCTION ssot.jaro(a text, b text) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_jaro_sql';
COMMENT ON FUNCTION ssot.jaro(text, text) IS
'Jaro''s similarity of two names, 0 to 1: shared characters that stand near each other, less those in another order. By code point; symmetric. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.jaro_winkler(a text, b text) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_jaro_winkler_sql';
COMMENT ON FUNCTION ssot.jaro_winkler(text, text) IS
'Jaro''s similarity with Winkler''s bonus for equal beginnings: above 0.7, a tenth of what is missing for each of up to four characters. 0 to 1, by code point; symmetric. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.levenshtein(a text, b text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_levenshtein_sql';
COMMENT ON FUNCTION ssot.levenshtein(text, text) IS
'How many characters have to be inserted, deleted or replaced to make one text the other. By code point; symmetric. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.levenshtein(a text, b text, max_distance integer) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_levenshtein_sql';
COMMENT ON FUNCTION ssot.levenshtein(text, text, integer) IS
'ssot.levenshtein(a, b), but a distance beyond max_distance is given as max_distance + 1, sooner. NULL in, NULL out. Errors: max_distance negative (22023), texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.damerau(a text, b text) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_damerau_sql';
COMMENT ON FUNCTION ssot.damerau(text, text) IS
'ssot.levenshtein(a, b) where exchanging two neighbours is one edit too. No character is edited twice (optimal string alignment): "ca" and "abc" are 3 apart. By code point; symmetric. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.damerau(a text, b text, max_distance integer) RETURNS integer
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
    AS 'MODULE_PATHNAME', 'ssot_damerau_sql';
COMMENT ON FUNCTION ssot.damerau(text, text, integer) IS
'ssot.damerau(a, b), but a distance beyond max_distance is given as max_distance + 1, sooner. NULL in, NULL out. Errors: max_distance negative (22023), texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.trigram(a text, b text) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'ssot_trigram_sql';
COMMENT ON FUNCTION ssot.trigram(text, text) IS
'Share of the trigrams of both texts that both have (Jaccard), 0 to 1: pg_trgm''s similarity() without its folding of case. Words are letters and digits; two texts without a word are equal. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.dice(a text, b text) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
    AS 'MODULE_PATHNAME', 'ssot_dice_sql';
COMMENT ON FUNCTION ssot.dice(text, text) IS
'Twice the trigrams that both texts have, by the sum of the trigrams of each (Dice), 0 to 1; trigrams as for ssot.trigram. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.token_set(a text, b text) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_token_set_sql';
COMMENT ON FUNCTION ssot.token_set(text, text) IS
'How alike two texts are as sets of words, 0 to 1: neither order nor repetition matters, and a text whose words the other has too gives 1. Words are parted by white space. For finding candidates, not for deciding. NULL in, NULL out. Errors: texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.soft_tfidf(a text, b text, weights jsonb DEFAULT NULL, threshold double precision DEFAULT 0.9) RETURNS double precision
    LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20
    AS 'MODULE_PATHNAME', 'ssot_soft_tfidf_sql';
COMMENT ON FUNCTION ssot.soft_tfidf(text, text, jsonb, double precision) IS
'How alike two texts are as words that count by their weight, 0 to 1 (soft TF-IDF): words whose Jaro-Winkler similarity reaches the threshold meet. weights: an object as ssot.token_weights makes it; a word it lacks has the weight of its member "", else 1; without weights all words weigh the same. Both directions are averaged, so it is symmetric. NULL if a or b is. Errors: weights no object, or a weight no number (22023), texts beyond 1 MB (54000).';

CREATE FUNCTION ssot.token_weights(texts text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH word AS (
        SELECT w.word, count(DISTINCT t.place) AS occurrences
          FROM unnest(texts) WITH ORDINALITY AS t (value, place),
               LATERAL regexp_split_to_table(t.value, '\s+') AS w (word)
         WHERE w.word <> ''
         GROUP BY w.word
    ), size AS (
        SELECT count(*)::double precision AS texts
          FROM unnest(texts) AS t (value)
         WHERE t.value IS NOT NULL
    )
    SELECT coalesce(jsonb_object_agg(w.word, ln(1 + s.texts / w.occurrences)), '{}')
           || jsonb_build_object('', (SELECT ln(1 + greatest(s.texts, 1)) FROM size AS s))
      FROM word AS w
     CROSS JOIN size AS s;
END;
COMMENT ON FUNCTION ssot.token_weights(text[]) IS
'Weights of words for ssot.soft_tfidf: ln(1 + texts / texts with the word), and under "" that of a word that no text has. Call it as ssot.token_weights(array_agg(ssot.normalize_company(name))). Null texts do not count. NULL in, NULL out.';

CREATE FUNCTION ssot.phonetic(value text, method text DEFAULT 'cologne') RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL SAFE COST 10
    AS 'MODULE_PATHNAME', 'ssot_phonetic_sql';
COMMENT ON FUNCTION ssot.phonetic(text, text) IS
'A key for each word, the same for words that sound alike: ''cologne'' (Cologne phonetics: digits, of any length) or ''soundex'' (American Soundex: a letter and three digits). Accents and case do not matter, other scripts are transliterated; words without letters have no key. NULL if no key is left, NULL in, NULL out. STABLE: ICU. Errors: an unknown method (22023), texts beyond 1 MB (54000).';

-- end of II.1


-- ============================================================================
-- II.2  entity: the Entity Map (systems, entities, sources, authority, code lists)
-- ============================================================================

-- Systems

CREATE FUNCTION ssot.create_system(system text, owner text, description text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_system'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.create_system(text, text, text) IS 'Declares a system that holds copies of the truth, and who answers for it. Names contain neither ":" nor "." and are unique; an error otherwise, and for a null or empty name or owner.';

CREATE FUNCTION ssot.alter_system(system text, owner text DEFAULT NULL, description text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_alter_system'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.alter_system(text, text, text) IS 'Changes the owner or the description of a system; NULL leaves it as it is. An error if there is no such system or it is built in.';

CREATE FUNCTION ssot.drop_system(system text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_drop_system'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.drop_system(text) IS 'Removes a system that nothing names any more. An error while a source (dropped ones, whose history names it, included), an entity or an authority names it.';

-- Entities

CREATE FUNCTION ssot.register_entity(
    entity regclass,
    definition text DEFAULT NULL,
    canonical_system text DEFAULT NULL,
    owner text DEFAULT NULL,
    max_quarantine numeric DEFAULT 0.5,
    max_retire numeric DEFAULT 0.2)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_register_entity'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.register_entity(regclass, text, text, text, numeric, numeric) IS 'Makes an ordinary table a canonical entity: adds valid_from and retired_at, its companion tables, triggers, the function <table>_at and the view <schema>_as_of.<table>, and takes the rows that are there as records of the system "manual". The owner (default: you) answers for the entity. Refuses, with the reason, tables in which golden records cannot live. You must own the table; it is locked in ACCESS EXCLUSIVE mode until the transaction ends.';

CREATE FUNCTION ssot.alter_entity(
    entity regclass,
    definition text DEFAULT NULL,
    canonical_system text DEFAULT NULL,
    owner text DEFAULT NULL,
    max_quarantine numeric DEFAULT NULL,
    max_retire numeric DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_alter_entity'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.alter_entity(regclass, text, text, text, numeric, numeric) IS 'Changes what register_entity declared. NULL leaves a property as it is; an empty string takes definition or canonical_system away. After a change of the canonical system the next run chooses every golden value anew. You must own the table. Waits for a running reconciliation of the entity.';

CREATE FUNCTION ssot.unregister_entity(entity regclass, drop_companions boolean DEFAULT false)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ssot_unregister_entity'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.unregister_entity(regclass, boolean) IS 'Makes a canonical entity an ordinary table again: removes its triggers, as-of function and view, sources and rules; golden records stay. Companion tables with the history, and the columns valid_from and retired_at, are kept unless drop_companions is true. NULL does nothing. You must own the table; it is locked in ACCESS EXCLUSIVE mode. An error if other objects depend on what is removed.';

CREATE FUNCTION ssot.unregister_dropped_entity(entity text)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ssot_unregister_dropped_entity'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.unregister_dropped_entity(text) IS 'Takes an entity off the map whose table was dropped, by its name in ssot.entity_map; its companion tables stay. NULL does nothing. An error while a table of that name exists. You must be, or be a member of, the role that registered it.';

-- Sources

CREATE FUNCTION ssot.create_source(
    entity regclass,
    system text,
    relation text,
    key text,
    fields jsonb,
    keys jsonb DEFAULT NULL,
    links jsonb DEFAULT NULL,
    filter text DEFAULT NULL,
    updated_at text DEFAULT NULL,
    field_updated_at jsonb DEFAULT NULL,
    deleted text DEFAULT NULL,
    merged_into text DEFAULT NULL,
    on_error jsonb DEFAULT NULL,
    creates boolean DEFAULT true,
    role text DEFAULT 'provider',
    expects text DEFAULT 'none',
    max_lag interval DEFAULT NULL,
    how text DEFAULT NULL,
    grain text DEFAULT 'record',
    level text DEFAULT NULL,
    rank integer DEFAULT NULL,
    name text DEFAULT NULL)
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_source_text';
COMMENT ON FUNCTION ssot.create_source(regclass, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text) IS 'Maps a relation of a system onto an entity and returns the source''s number. key, filter, updated_at, deleted, merged_into and the values of fields, keys, links and field_updated_at are SQL expressions over the relation''s columns, understood under your search path; a key that begins with "{" is an array of expressions. fields: {"field": "expression"}, or for a foreign key {"field": {"system": "crm", "key": "id", "value": "expression"}}. keys: further keys of the record; links: which expression is another system''s key. name defaults to the relation''s, rank to the next one. Wrong names, types, aggregates, sub-selects and volatile functions are refused. You must own the entity''s table and be able to read the relation. Waits for a running reconciliation of the entity.';

CREATE FUNCTION ssot.create_source(
    entity regclass,
    system text,
    relation text,
    key text[],
    fields jsonb,
    keys jsonb DEFAULT NULL,
    links jsonb DEFAULT NULL,
    filter text DEFAULT NULL,
    updated_at text DEFAULT NULL,
    field_updated_at jsonb DEFAULT NULL,
    deleted text DEFAULT NULL,
    merged_into text DEFAULT NULL,
    on_error jsonb DEFAULT NULL,
    creates boolean DEFAULT true,
    role text DEFAULT 'provider',
    expects text DEFAULT 'none',
    max_lag interval DEFAULT NULL,
    how text DEFAULT NULL,
    grain text DEFAULT 'record',
    level text DEFAULT NULL,
    rank integer DEFAULT NULL,
    name text DEFAULT NULL)
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_source_array';
COMMENT ON FUNCTION ssot.create_source(regclass, text, text, text[], jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text) IS 'The same, with a key of several expressions.';

CREATE FUNCTION ssot.alter_source(
    entity regclass,
    source text,
    relation text DEFAULT NULL,
    key text DEFAULT NULL,
    fields jsonb DEFAULT NULL,
    keys jsonb DEFAULT NULL,
    links jsonb DEFAULT NULL,
    filter text DEFAULT NULL,
    updated_at text DEFAULT NULL,
    field_updated_at jsonb DEFAULT NULL,
    deleted text DEFAULT NULL,
    merged_into text DEFAULT NULL,
    on_error jsonb DEFAULT NULL,
    creates boolean DEFAULT NULL,
    role text DEFAULT NULL,
    expects text DEFAULT NULL,
    max_lag interval DEFAULT NULL,
    how text DEFAULT NULL,
    grain text DEFAULT NULL,
    level text DEFAULT NULL,
    rank integer DEFAULT NULL,
    new_name text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_alter_source_text';
COMMENT ON FUNCTION ssot.alter_source(regclass, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text) IS 'Changes a source. NULL leaves a property as it is; an empty string or {} takes it away; fields, keys, links, field_updated_at and on_error are replaced as a whole. After a change of what is read (relation, mapping, grain) the next run reads every row anew; after a change of anything but how, max_lag and the name it chooses every golden value anew. Checks, rights and locks as ssot.create_source.';

CREATE FUNCTION ssot.alter_source(
    entity regclass,
    source text,
    relation text,
    key text[],
    fields jsonb DEFAULT NULL,
    keys jsonb DEFAULT NULL,
    links jsonb DEFAULT NULL,
    filter text DEFAULT NULL,
    updated_at text DEFAULT NULL,
    field_updated_at jsonb DEFAULT NULL,
    deleted text DEFAULT NULL,
    merged_into text DEFAULT NULL,
    on_error jsonb DEFAULT NULL,
    creates boolean DEFAULT NULL,
    role text DEFAULT NULL,
    expects text DEFAULT NULL,
    max_lag interval DEFAULT NULL,
    how text DEFAULT NULL,
    grain text DEFAULT NULL,
    level text DEFAULT NULL,
    rank integer DEFAULT NULL,
    new_name text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_alter_source_array';
COMMENT ON FUNCTION ssot.alter_source(regclass, text, text, text[], jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text) IS 'The same, with a key of several expressions; relation may be NULL.';

CREATE FUNCTION ssot.drop_source(entity regclass, source text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_drop_source'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.drop_source(regclass, text) IS 'Takes a source away. Its records move to the source history at once; golden records change when the next run settles them without it. Its row in ssot.source stays, renamed to "<name> (dropped <number>)" and without a relation, because the history names it. A source declared anew later starts without links, so its records become new golden records unless others link them: change a source with ssot.alter_source. You must own the entity''s table. Waits for a running reconciliation of the entity.';

CREATE FUNCTION ssot.set_reading(
    entity regclass,
    source text,
    reading text,
    full_every interval DEFAULT NULL,
    overlap interval DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_reading'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_reading(regclass, text, text, interval, interval) IS 'Says how much of a source a run reads. full: every row, which is how a source begins. capture: only the keys that were written since; triggers on the relation and its partitions note them in ssot.change_queue, whoever writes. The key must consist of columns. Refused, with the reason, on views, foreign tables, unlogged tables and targets of a subscription. A run reads everything where it cannot rely on the triggers: the first time, after TRUNCATE, after the relation was made anew or altered, after a trigger was dropped or disabled; it puts them back if whoever runs owns the relation. watermark: the rows whose updated_at is later than the latest seen less overlap (default 1 hour), and those without one; a key that vanished is noticed by the next run that reads everything. full_every: how often that is at least (watermark: 1 day by default; capture: only when it must). You must own the entity''s table, and for capture the relation, which is locked in SHARE ROW EXCLUSIVE mode. Waits for a running reconciliation of the entity.';

CREATE FUNCTION ssot.set_value_map(entity regclass, source text, field text, map jsonb)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_value_map'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_value_map(regclass, text, text, jsonb) IS 'Says what a source''s codes for a field mean: {"M": "Male", "?": null}. It replaces the list that was there; {} removes it. A null value means that the code stands for "no value"; a code that is not listed becomes a finding. Every value is tried against the column''s type, domain and single-column CHECKs. The next run reads every row of the source anew. You must own the entity''s table.';

-- Authority

CREATE FUNCTION ssot.set_authority(
    entity regclass,
    field text,
    systems text[] DEFAULT '{}',
    strategy text DEFAULT 'authority',
    null_policy text DEFAULT 'ignore',
    only_listed boolean DEFAULT false,
    field_group text DEFAULT NULL,
    tolerance double precision DEFAULT NULL,
    owner text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_authority_field'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_authority(regclass, text, text[], text, text, boolean, text, double precision, text) IS 'Says who is the source of truth for a field, and replaces what was said before. systems: who is believed first; then come the canonical system and the others by the rank of their first source that is no consumer, unless only_listed. strategy: authority, most_recent, most_frequent, longest, min, max or oldest. null_policy: ignore, clear or clear_if_authoritative. Fields of one field_group survive together. tolerance: differences up to it are not drift (numbers; seconds for timestamps). A field that begins with "{" is an array of fields. The next run chooses every golden value anew. You must own the entity''s table.';

CREATE FUNCTION ssot.set_authority(
    entity regclass,
    fields text[],
    systems text[] DEFAULT '{}',
    strategy text DEFAULT 'authority',
    null_policy text DEFAULT 'ignore',
    only_listed boolean DEFAULT false,
    field_group text DEFAULT NULL,
    tolerance double precision DEFAULT NULL,
    owner text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_authority_fields'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_authority(regclass, text[], text[], text, text, boolean, text, double precision, text) IS 'The same for several fields.';

CREATE FUNCTION ssot.set_pin_policy(entity regclass, policy text, fields text[] DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_pin_policy'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_pin_policy(regclass, text, text[]) IS 'Says what becomes of a pin when all sources that are believed and have a value have come to say the same: retire (the default: the pin ends, is listed in ssot.past_pins, and the sources are followed again) or keep. A pin that overruled no other value was made to hold the value fast, and stays either way. fields: of these only; a null policy gives them that of the entity again. fields null: of the entity. The next run looks at every pin anew. You must own the entity''s table.';

-- Rights

CREATE FUNCTION ssot.readable_columns(entity regclass)
RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT array_agg(a.attname::text)
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = readable_columns.entity
       AND a.attnum > 0
       AND NOT a.attisdropped
       AND has_column_privilege(a.attrelid, a.attnum, 'SELECT');
END;
COMMENT ON FUNCTION ssot.readable_columns(regclass) IS 'The columns of a table that the current user may read; null if none. The policies of companion tables ask it.';

CREATE FUNCTION ssot.companion_open(entity regclass, companion regclass)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT has_table_privilege(companion_open.entity, 'SELECT')
        OR NOT EXISTS (
               SELECT
                 FROM pg_catalog.pg_attribute AS c
                WHERE c.attrelid = companion_open.companion
                  AND c.attnum > 0
                  AND NOT c.attisdropped
                  AND has_column_privilege(c.attrelid, c.attnum, 'SELECT')
                  AND c.attname <> ALL ('{ssot_source,ssot_key,ssot_copy,ssot_updated_at,ssot_from,ssot_to,valid_from,valid_to,retired_at,ssot_changed_by,ssot_run}'::name[])
                  AND NOT EXISTS (
                          SELECT
                            FROM pg_catalog.pg_attribute AS e
                           WHERE e.attrelid = companion_open.entity
                             AND e.attnum > 0
                             AND e.attname = c.attname
                             AND has_column_privilege(e.attrelid, e.attnum, 'SELECT')));
END;
COMMENT ON FUNCTION ssot.companion_open(regclass, regclass) IS 'Whether all that the current user may read in a companion table is open to them in the canonical table too: they may read the table, or each column by its name. The policies of companion tables ask it, and show nothing otherwise.';

CREATE FUNCTION ssot.grant_reader(entity regclass, role text, columns text[] DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_grant_reader'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.grant_reader(regclass, text, text[]) IS 'Lets a role read an entity: the table, its history, the as-of function and view, source records, drift, lineage and pins. columns: only these columns of the table (the id is always one); NULL: the whole table, or, where the role has some of its columns already, those. Companions show no more than the table does: its row-level policies and column grants are asked each time. Says in a NOTICE what cannot be carried over. You must own the table.';

CREATE FUNCTION ssot.grant_steward(entity regclass, role text, columns text[] DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_grant_steward'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.grant_steward(regclass, text, text[]) IS 'Lets a role correct an entity: all of ssot.grant_reader, INSERT and UPDATE on the table, pinning, merging, splitting and retiring, and the quarantine and held versions. columns: only these columns are read and changed, and quarantine and held versions stay closed. Functions that you may not run yourself are passed over with a NOTICE. You must own the table.';

CREATE FUNCTION ssot.grant_admin(entity regclass, role text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_grant_admin'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.grant_admin(regclass, text) IS 'Lets a role declare and run an entity: all of ssot.grant_steward, and EXECUTE on the functions that declare sources and rules, reconcile, schedule and grant. These ask for ownership of the table as well: a NOTICE says which GRANT of the owner''s role is still to be made. Functions that you may not run yourself are passed over with a NOTICE. You must own the table.';

CREATE FUNCTION ssot.revoke_reader(entity regclass, role text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_revoke_reader'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.revoke_reader(regclass, text) IS 'Takes from a role every right on an entity that ssot.grant_reader, grant_steward or grant_admin gave; USAGE on the table''s own schema stays. Rights by membership in another role stay too: a NOTICE names that in the owner''s. You must own the table.';

CREATE FUNCTION ssot.revoke_steward(entity regclass, role text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_revoke_steward'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.revoke_steward(regclass, text) IS 'Takes from a role what ssot.grant_steward and grant_admin gave beyond reading. The functions are taken with the last entity that the role may correct. You must own the table.';

CREATE FUNCTION ssot.revoke_admin(entity regclass, role text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_revoke_admin'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.revoke_admin(regclass, text) IS 'Takes from a role what ssot.grant_admin gave beyond correcting. The functions are taken unless the role is a member of the owner of another entity; its membership in this one''s owner stays, and a NOTICE says so. You must own the table.';

-- The Entity Map

CREATE VIEW ssot.entity_map AS
SELECT e.entity,
       e.definition,
       e.canonical_system,
       r.replication,
       h.hierarchy,
       q.quality,
       l.reconciliation,
       (e.definition IS NOT NULL)::integer
       + (e.canonical_system IS NOT NULL)::integer
       + r.answered::integer
       + (h.hierarchy IS NOT NULL)::integer
       + q.answered::integer
       + l.answered::integer AS answered
FROM ssot.entity AS e
CROSS JOIN LATERAL (
    SELECT pg_catalog.parse_ident(e.entity) AS part
) AS i
LEFT JOIN (
    pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
) ON n.nspname = i.part[1] AND c.relname = i.part[2]
-- How the data gets here: every source, and whether each says how.
CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_agg(
               pg_catalog.jsonb_build_object(
                   'source', s.source,
                   'system', s.system,
                   'relation', s.relation,
                   'role', s.role,
                   'how', s.how,
                   'max_lag', s.max_lag,
                   'updated_at', s.mapping -> 'updated_at',
                   'read_at', t.read_at,
                   'data_through', t.data_through)
               ORDER BY s.rank, s.source_id) AS replication,
           coalesce(pg_catalog.bool_and(s.how IS NOT NULL), false) AS answered
    FROM ssot.source AS s
    LEFT JOIN ssot.source_state AS t ON t.source_id = s.source_id
    WHERE s.entity = e.entity
      AND s.relation IS NOT NULL
) AS r
-- Where a record sits: foreign keys to itself and to other entities, and levels of sources.
CROSS JOIN LATERAL (
    SELECT nullif(
               pg_catalog.jsonb_strip_nulls(
                   pg_catalog.jsonb_build_object(
                       'parent', k.parent,
                       'belongs_to', k.belongs_to,
                       'levels', v.levels)),
               '{}') AS hierarchy
    FROM (
        SELECT pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum)
                   FILTER (WHERE f.confrelid = f.conrelid) AS parent,
               pg_catalog.jsonb_object_agg(a.attname, target.entity)
                   FILTER (WHERE f.confrelid <> f.conrelid AND target.entity IS NOT NULL) AS belongs_to
        FROM pg_catalog.pg_constraint AS f
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
        JOIN pg_catalog.pg_class AS tc ON tc.oid = f.confrelid
        JOIN pg_catalog.pg_namespace AS tn ON tn.oid = tc.relnamespace
        LEFT JOIN ssot.entity AS target ON pg_catalog.parse_ident(target.entity) = ARRAY[tn.nspname, tc.relname]::text[]
        WHERE f.conrelid = c.oid
          AND f.contype = 'f'
          AND pg_catalog.cardinality(f.conkey) = 1
    ) AS k
    CROSS JOIN (
        SELECT pg_catalog.jsonb_object_agg(s.source, s.level) AS levels
        FROM ssot.source AS s
        WHERE s.entity = e.entity
          AND s.relation IS NOT NULL
          AND s.level IS NOT NULL
    ) AS v
) AS h
-- What a good record is: the table's constraints, and what does not keep them.
CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_build_object(
               'not_null', m.not_null,
               'check', k.checks,
               'unique', k.uniques,
               'foreign_key', k.foreign_keys,
               'quarantined', (
                   SELECT coalesce(pg_catalog.sum(t.quarantined), 0)
                   FROM ssot.source AS s
                   JOIN ssot.source_state AS t ON t.source_id = s.source_id
                   WHERE s.entity = e.entity)) AS quality,
           m.not_null + k.checks + k.uniques + k.foreign_keys > 0 AS answered
    FROM (
        SELECT pg_catalog.count(*) AS not_null
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid
          AND a.attnum > 0
          AND NOT a.attisdropped
          AND a.attnotnull
          AND a.attname NOT IN (e.id_column, 'valid_from')
    ) AS m
    CROSS JOIN (
        SELECT pg_catalog.count(*) FILTER (WHERE f.contype = 'c') AS checks,
               pg_catalog.count(*) FILTER (WHERE f.contype IN ('u', 'x')) AS uniques,
               pg_catalog.count(*) FILTER (WHERE f.contype = 'f') AS foreign_keys
        FROM pg_catalog.pg_constraint AS f
        WHERE f.conrelid = c.oid
    ) AS k
) AS q
-- Whether it has been reconciled, and as of when it is believed.
CROSS JOIN LATERAL (
    SELECT pg_catalog.jsonb_build_object(
               'as_of', (SELECT k.last_write FROM ssot.clock AS k WHERE k.entity = e.entity),
               'last_run', pg_catalog.max(u.run_id),
               'last_success', pg_catalog.max(u.finished_at) FILTER (WHERE u.status <> 'failed'),
               'last_failure', pg_catalog.max(u.finished_at) FILTER (WHERE u.status = 'failed')) AS reconciliation,
           pg_catalog.count(*) FILTER (WHERE u.status <> 'failed') > 0 AS answered
    FROM ssot.reconcile_run AS u
    WHERE u.entity = e.entity
) AS l
WHERE c.oid IS NULL
   OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT');
COMMENT ON VIEW ssot.entity_map IS 'The six questions about each entity, answered from the DDL and the map, for the entities that you may read. A question that nothing answers is NULL or does not count in "answered".';
COMMENT ON COLUMN ssot.entity_map.entity IS 'The canonical table';
COMMENT ON COLUMN ssot.entity_map.definition IS '1. What is one of these? NULL where nobody has written it down';
COMMENT ON COLUMN ssot.entity_map.canonical_system IS '2. Which system is believed first? NULL where none is named';
COMMENT ON COLUMN ssot.entity_map.replication IS '3. How does the data get here? One object per source; answered when every source says how. NULL where there is no source';
COMMENT ON COLUMN ssot.entity_map.hierarchy IS '4. Where does it sit? parent: foreign keys to the entity itself; belongs_to: foreign keys to other entities; levels: sources below the entity''s level. NULL where there is none of these';
COMMENT ON COLUMN ssot.entity_map.quality IS '5. What is a good one? Counts of the table''s constraints (key and valid_from apart) and of source rows in quarantine; answered when there is any constraint';
COMMENT ON COLUMN ssot.entity_map.reconciliation IS '6. When was it reconciled? as_of: the time of the last write; last_run, last_success and last_failure from ssot.reconcile_run; answered when a run succeeded';
COMMENT ON COLUMN ssot.entity_map.answered IS 'How many of the six are answered';

-- Following the user's DDL (ddl_sync.c). The event triggers themselves come at
-- the end of this file.

CREATE FUNCTION ssot.ddl_begins() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_ddl_begins';
COMMENT ON FUNCTION ssot.ddl_begins() IS 'Event trigger before ALTER TABLE and DROP TABLE: keeps in history the values of an entity''s column that is about to be dropped, and lets the as-of view go of columns that change; refuses to drop an entity.';

CREATE FUNCTION ssot.ddl_drops() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_ddl_drops';
COMMENT ON FUNCTION ssot.ddl_drops() IS 'Event trigger after objects were dropped: refuses that entities and their companions go, by CASCADE too; takes what was declared about a dropped column off the map, with a warning.';

CREATE FUNCTION ssot.ddl_ends() RETURNS event_trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_ddl_ends';
COMMENT ON FUNCTION ssot.ddl_ends() IS 'Event trigger after a table or schema was altered: companions, as-of function and view, and the Entity Map follow an entity''s table where they differ from it.';

-- What names an entity or a source follows it, also in tables of later rooms

CREATE FUNCTION ssot.follow_name()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_follow_name_trigger';
COMMENT ON FUNCTION ssot.follow_name() IS 'Trigger of ssot.entity and ssot.source: rows of another table of this schema that name the row (first argument: the table, second: the column) are renamed or removed with it. The tables have no foreign keys, which would make a parallel restore fail.';

CREATE TRIGGER field_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('field', 'entity');
CREATE TRIGGER source_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('source', 'entity');
CREATE TRIGGER clock_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('clock', 'entity');
CREATE TRIGGER merged_id_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('merged_id', 'entity');
CREATE TRIGGER held_merge_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('held_merge', 'entity');
CREATE TRIGGER link_decision_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('link_decision', 'entity');
CREATE TRIGGER moved_reference_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('moved_reference', 'entity');
CREATE TRIGGER watch_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('watch', 'entity');
CREATE TRIGGER retirement_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('retirement', 'entity');
CREATE TRIGGER matching_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('matching', 'entity');
CREATE TRIGGER match_model_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('match_model', 'entity');
CREATE TRIGGER match_pair_follows AFTER UPDATE OF entity OR DELETE ON ssot.entity
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('match_pair', 'entity');
CREATE TRIGGER change_queue_follows AFTER UPDATE OF source_id OR DELETE ON ssot.source
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('change_queue', 'source_id');
CREATE TRIGGER value_map_follows AFTER UPDATE OF source_id OR DELETE ON ssot.source
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('value_map', 'source_id');
CREATE TRIGGER source_state_follows AFTER UPDATE OF source_id OR DELETE ON ssot.source
    FOR EACH ROW EXECUTE FUNCTION ssot.follow_name('source_state', 'source_id');

-- end of II.2


-- ============================================================================
-- II.3  ingest: quarantine, change capture
-- ============================================================================


CREATE FUNCTION ssot.quarantine(
    OUT entity text, OUT source text, OUT system text, OUT key text, OUT field text, OUT reason text,
    OUT sqlstate text, OUT detail text, OUT row_data jsonb, OUT copies integer, OUT first_seen timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_quarantine';
COMMENT ON FUNCTION ssot.quarantine() IS 'All rows in quarantine, of the entities whose companion the caller may read. Behind the view ssot.quarantine.';

CREATE VIEW ssot.quarantine AS
SELECT q.entity, q.source, q.system, q.key, q.field, q.reason, q.sqlstate, q.detail, q.row_data, q.copies, q.first_seen
  FROM ssot.quarantine() AS q;
COMMENT ON VIEW ssot.quarantine IS 'Every source row that could not be taken, whole and with its reason, as the last run found it. A row leaves by itself when the source, its mapping or a code list is mended.';
COMMENT ON COLUMN ssot.quarantine.entity IS 'The entity';
COMMENT ON COLUMN ssot.quarantine.source IS 'The source that holds the row';
COMMENT ON COLUMN ssot.quarantine.system IS 'The system of the source';
COMMENT ON COLUMN ssot.quarantine.key IS 'The key of the record it would have been; null where it could not be computed. An earlier good version of that record stays in force.';
COMMENT ON COLUMN ssot.quarantine.field IS 'The field that could not be taken; null where it is the row as a whole';
COMMENT ON COLUMN ssot.quarantine.reason IS 'Why, in words';
COMMENT ON COLUMN ssot.quarantine.sqlstate IS 'SQLSTATE of the error; null where the row was refused without one';
COMMENT ON COLUMN ssot.quarantine.detail IS 'More about the error';
COMMENT ON COLUMN ssot.quarantine.row_data IS 'The whole row of the source, each value as text';
COMMENT ON COLUMN ssot.quarantine.copies IS 'How many rows of the source are alike in all that the mapping reads';
COMMENT ON COLUMN ssot.quarantine.first_seen IS 'When a run first found it';

CREATE FUNCTION ssot.held(
    OUT entity text, OUT id text, OUT constraint_name text, OUT sqlstate text, OUT reason text, OUT detail text,
    OUT fields text[], OUT new_values jsonb, OUT records text[], OUT first_seen timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_held';
COMMENT ON FUNCTION ssot.held() IS 'All golden versions that are held, of the entities whose companion the caller may read. Behind the view ssot.held.';

CREATE VIEW ssot.held AS
SELECT h.entity, h.id, h.constraint_name, h.sqlstate, h.reason, h.detail, h.fields, h.new_values, h.records, h.first_seen
  FROM ssot.held() AS h;
COMMENT ON VIEW ssot.held IS 'Every golden record whose new version breaks a constraint of its table and therefore keeps its last good one.';
COMMENT ON COLUMN ssot.held.entity IS 'The entity';
COMMENT ON COLUMN ssot.held.id IS 'The golden id, as text';
COMMENT ON COLUMN ssot.held.constraint_name IS 'The constraint that the new version breaks';
COMMENT ON COLUMN ssot.held.sqlstate IS 'SQLSTATE of the violation';
COMMENT ON COLUMN ssot.held.reason IS 'The violation, in words';
COMMENT ON COLUMN ssot.held.detail IS 'More about the violation';
COMMENT ON COLUMN ssot.held.fields IS 'The fields concerned';
COMMENT ON COLUMN ssot.held.new_values IS 'The version that is held';
COMMENT ON COLUMN ssot.held.records IS 'The system records that it was made of';
COMMENT ON COLUMN ssot.held.first_seen IS 'Since when it is held';

GRANT SELECT ON ssot.quarantine, ssot.held TO PUBLIC;

CREATE FUNCTION ssot.capture_change()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_capture_change'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.capture_change() IS 'Trigger that ssot.set_reading puts on the relation of a source: notes which keys were written. First argument: number of the source; the others: its key columns.';

-- end of II.3


-- ============================================================================
-- II.4  golden: clock, history, as-of, pins, merging and splitting, survivorship, lineage, matching
-- ============================================================================


-- Triggers of canonical tables. ssot.register_entity creates them.

CREATE FUNCTION ssot.golden_before_statement() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_before_statement';
COMMENT ON FUNCTION ssot.golden_before_statement() IS 'Trigger before a statement that writes a canonical table: takes the clock row before any row is locked, as a run does, so that the two cannot deadlock.';

CREATE FUNCTION ssot.golden_before_row() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_before_row';
COMMENT ON FUNCTION ssot.golden_before_row() IS 'Trigger before a row of a canonical table is inserted or updated: sets valid_from where the row really changes; refuses a change of the golden id, of valid_from and of retired_at.';

CREATE FUNCTION ssot.golden_before_delete() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_before_delete';
COMMENT ON FUNCTION ssot.golden_before_delete() IS 'Trigger before a row of a canonical table is deleted: refuses, because a golden record leaves only by merge.';

CREATE FUNCTION ssot.golden_before_truncate() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_before_truncate';
COMMENT ON FUNCTION ssot.golden_before_truncate() IS 'Trigger before a canonical table is truncated: refuses.';

CREATE FUNCTION ssot.golden_after_insert() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_after_insert';
COMMENT ON FUNCTION ssot.golden_after_insert() IS 'Trigger after rows were inserted into a canonical table: they become records of the system "manual".';

CREATE FUNCTION ssot.golden_after_update() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'ssot_golden_after_update';
COMMENT ON FUNCTION ssot.golden_after_update() IS 'Trigger after rows of a canonical table were updated: keeps the versions that ended and pins the corrected values.';

-- As-of. These run once per query, in sub-selects of inlined functions; they
-- run no SQL that a search path could mislead, and a SET clause would cost.

CREATE FUNCTION ssot.check_as_of(entity text, t timestamptz) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_check_as_of';
COMMENT ON FUNCTION ssot.check_as_of(text, timestamptz) IS 'True; an error that names the first instant available (SQLSTATE SS003) where the history of the entity does not reach back to the time, and an error where the time is null. Called by the as-of function of each entity.';

CREATE FUNCTION ssot.as_of(entity text) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_as_of';
COMMENT ON FUNCTION ssot.as_of(text) IS 'The time in the setting ssot.as_of, after the same checks; infinity while it is empty. Read in the session''s TimeZone if it names none. Called by the views of the schemas named *_as_of.';

CREATE FUNCTION ssot.stable_until(entity regclass) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_stable_until';
COMMENT ON FUNCTION ssot.stable_until(regclass) IS 'Time of the entity''s last write that the calling query sees: what was believed at this time or earlier never changes again. Takes no lock.';

CREATE FUNCTION ssot.history(entity regclass, id text,
    OUT valid_from timestamptz, OUT valid_to timestamptz, OUT changed_by text,
    OUT reason text, OUT run bigint, OUT record jsonb, OUT ended text)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_history';
COMMENT ON FUNCTION ssot.history(regclass, text) IS 'All versions of one golden record, oldest first: from when to when it was believed (valid_to is null for the current one), and who made the version, why, and in which run; who made the first is not known. Runs under the caller''s rights. A merged id shows its versions until the merge; ended says in the last of them what became of it.';

-- Pins.

CREATE FUNCTION ssot.pin(entity regclass, id text, field text, value text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_pin';
COMMENT ON FUNCTION ssot.pin(regclass, text, text, text, text) IS 'Pins a field of a golden record to a value, given in the column''s input form, even where it is the current one; a null value pins null. No source changes the field until the pin is released. Needs the right to UPDATE the column and to see the row; takes the entity''s clock row until the transaction ends. A null reason stands for that of the setting ssot.reason.';

CREATE FUNCTION ssot.unpin(entity regclass, id text, field text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS integer
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unpin';
COMMENT ON FUNCTION ssot.unpin(regclass, text, text, text) IS 'Releases the pin of a field, or all pins of the record where field is null, and lets the sources decide again; returns how many fields were released. Needs the same rights as ssot.pin and takes the same lock.';

CREATE FUNCTION ssot.pins(
    OUT entity text, OUT id text, OUT field text, OUT value text, OUT pinned_by text,
    OUT pinned_at timestamptz, OUT reason text, OUT overruled text, OUT sources_say text, OUT review text)
RETURNS SETOF record
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_pins';
COMMENT ON FUNCTION ssot.pins() IS 'All pins of the entities whose source records the caller may read. Behind the view ssot.pins.';

CREATE VIEW ssot.pins WITH (security_invoker = true) AS
SELECT p.entity, p.id, p.field, p.value, p.pinned_by, p.pinned_at, p.reason, p.overruled, p.sources_say, p.review
  FROM ssot.pins() AS p;
COMMENT ON VIEW ssot.pins IS 'Every pin in force that the reader may see: a person''s value for a field of a golden record, which outranks all sources.';
COMMENT ON COLUMN ssot.pins.entity IS 'The entity';
COMMENT ON COLUMN ssot.pins.id IS 'The golden id, as text';
COMMENT ON COLUMN ssot.pins.field IS 'The pinned field';
COMMENT ON COLUMN ssot.pins.value IS 'The pinned value, as text; null: the field is pinned to null';
COMMENT ON COLUMN ssot.pins.pinned_by IS 'The role that pinned it (session_user)';
COMMENT ON COLUMN ssot.pins.pinned_at IS 'When, on the entity''s clock';
COMMENT ON COLUMN ssot.pins.reason IS 'Why; null where no reason was given';
COMMENT ON COLUMN ssot.pins.overruled IS 'The golden value that the pin replaced, as text';
COMMENT ON COLUMN ssot.pins.sources_say IS 'What would be golden now if there were no pins on the record, as text, from the records that the reader may see; null also where the reader may not read the canonical table';
COMMENT ON COLUMN ssot.pins.review IS 'Why a steward should look at the pin again: ''sources changed'' (they no longer say what the pin overruled) or ''sources agree'' (the best of them says the same as the pin); null: nothing has changed';

CREATE FUNCTION ssot.past_pins(
    OUT entity text, OUT id text, OUT field text, OUT value text, OUT pinned_by text,
    OUT pinned_at timestamptz, OUT reason text, OUT overruled text,
    OUT ended_at timestamptz, OUT ended text, OUT ended_by text, OUT ended_reason text)
RETURNS SETOF record
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_past_pins';
COMMENT ON FUNCTION ssot.past_pins() IS 'All pins that ended, of the entities whose history of source records the caller may read. Behind the view ssot.past_pins.';

CREATE VIEW ssot.past_pins WITH (security_invoker = true) AS
SELECT p.entity, p.id, p.field, p.value, p.pinned_by, p.pinned_at, p.reason, p.overruled,
       p.ended_at, p.ended, p.ended_by, p.ended_reason
  FROM ssot.past_pins() AS p;
COMMENT ON VIEW ssot.past_pins IS 'Every pin that retired or was released, as far as the reader may see. A pin made and ended in one transaction leaves no trace; one that another pin replaced is in the history of source records.';
COMMENT ON COLUMN ssot.past_pins.entity IS 'The entity';
COMMENT ON COLUMN ssot.past_pins.id IS 'The golden id, as text';
COMMENT ON COLUMN ssot.past_pins.field IS 'The field that was pinned';
COMMENT ON COLUMN ssot.past_pins.value IS 'The pinned value, as text';
COMMENT ON COLUMN ssot.past_pins.pinned_by IS 'The role that pinned it (session_user)';
COMMENT ON COLUMN ssot.past_pins.pinned_at IS 'When, on the entity''s clock';
COMMENT ON COLUMN ssot.past_pins.reason IS 'Why it was pinned';
COMMENT ON COLUMN ssot.past_pins.overruled IS 'The golden value that the pin replaced, as text';
COMMENT ON COLUMN ssot.past_pins.ended_at IS 'When it ended, on the entity''s clock';
COMMENT ON COLUMN ssot.past_pins.ended IS 'agreed: it retired, because all sources said the same; released: a person released it';
COMMENT ON COLUMN ssot.past_pins.ended_by IS 'The role that released it';
COMMENT ON COLUMN ssot.past_pins.ended_reason IS 'Why it was released';

-- Merging, splitting, retiring.

CREATE VIEW ssot.held_merges AS
SELECT h.entity, h.lost_id, h.kept_id, h.relation, h.constraint_name, h.sqlstate, h.reason,
       CASE WHEN h.relation IS NULL
              OR (pg_catalog.has_table_privilege(pg_catalog.to_regclass(h.relation), 'SELECT')
                  AND NOT pg_catalog.row_security_active(pg_catalog.to_regclass(h.relation)))
            THEN h.detail END AS detail,
       h.first_seen
  FROM ssot.held_merge AS h
 WHERE pg_catalog.has_table_privilege(pg_catalog.to_regclass(h.entity), 'UPDATE')
   AND NOT pg_catalog.row_security_active(pg_catalog.to_regclass(h.entity));
COMMENT ON VIEW ssot.held_merges IS 'Merges that runs cannot do: records that keys or links join, but that a table which refers to them, or a hierarchy, keeps apart. Both golden records stay as they are; every run tries again. Shows to those who may change every record of the entity.';
COMMENT ON COLUMN ssot.held_merges.entity IS 'The entity';
COMMENT ON COLUMN ssot.held_merges.lost_id IS 'The golden id that would be merged away, as text';
COMMENT ON COLUMN ssot.held_merges.kept_id IS 'The golden id it would be merged into, as text';
COMMENT ON COLUMN ssot.held_merges.relation IS 'The table that refuses';
COMMENT ON COLUMN ssot.held_merges.constraint_name IS 'The constraint in the way, if one is';
COMMENT ON COLUMN ssot.held_merges.sqlstate IS 'SQLSTATE of the refusal';
COMMENT ON COLUMN ssot.held_merges.reason IS 'The refusal, in words';
COMMENT ON COLUMN ssot.held_merges.detail IS 'More about it; null where the reader may not read the table that refuses';
COMMENT ON COLUMN ssot.held_merges.first_seen IS 'Since when it is held';

CREATE FUNCTION ssot.merge(entity regclass, keep text, lose text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_merge';
COMMENT ON FUNCTION ssot.merge(regclass, text, text, text) IS 'Two golden records are one thing: the records, pins and references of lose go to keep, lose leaves the table and resolves to keep from then on (ssot.resolve_id). Every foreign key in the database that refers to lose is pointed at keep; tables that are no entities are updated with the caller''s rights. Of two pins of one field the later one stays. Later runs remember it. Refused, with nothing done, where a referring table may not be updated or has a constraint in the way, or a hierarchy would become a circle. Needs the right to UPDATE the canonical table and to see both rows; takes the clocks of the entity and of all entities that refer to it, in order of their names. A null reason stands for that of the setting ssot.reason.';

CREATE FUNCTION ssot.unmerge(entity regclass, lost_id text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unmerge';
COMMENT ON FUNCTION ssot.unmerge(regclass, text, text) IS 'Undoes a merge, of ssot.merge or of a run: the golden record comes back under its old id with the system records it had that still exist, and the rows that the merge pointed elsewhere are pointed back, also where a later merge has moved them on, but not where somebody has changed them since or the table has no primary key. The two stay apart in later runs, whatever keys say. Rights and locks as for ssot.merge.';

CREATE FUNCTION ssot.split(entity regclass, id text, keys text[], reason text DEFAULT NULL)
RETURNS text
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_split';
COMMENT ON FUNCTION ssot.split(regclass, text, text[], text) IS 'The named system records (''crm:K1'') leave a golden record and become a golden record of their own, whose id is returned. Later runs keep the two apart, whatever keys and links say. Pins stay with the old id; foreign keys follow where the referring record names its target by a system''s key. Rights and locks as for ssot.merge.';

CREATE FUNCTION ssot.retire(entity regclass, id text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_retire';
COMMENT ON FUNCTION ssot.retire(regclass, text, text) IS 'A golden record is no longer in use although systems hold it: it stays in the table with retired_at set, keeps its values, and is left out of drift, until ssot.restore. Needs the right to UPDATE the canonical table and to see the row; takes the entity''s clock.';

CREATE FUNCTION ssot.restore(entity regclass, id text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_restore';
COMMENT ON FUNCTION ssot.restore(regclass, text, text) IS 'Brings a retired golden record back: the systems'' values are in force again. Where no system holds it any more, its last values become a record of the system "manual", which keeps it alive. Rights and lock as for ssot.retire.';

CREATE FUNCTION ssot.resolve_id(entity regclass, id text) RETURNS text
LANGUAGE C STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_resolve_id';
COMMENT ON FUNCTION ssot.resolve_id(regclass, text) IS 'The golden id that an id stands for now: itself while the record is in the table, else what it was merged into, through any number of merges; null if there never was such a record or the caller may not see it. Runs under the caller''s rights.';

-- Lineage.

CREATE FUNCTION ssot.lineage(entity regclass, id text,
    OUT field text, OUT value text, OUT won_system text, OUT won_source text, OUT won_key text,
    OUT rule text, OUT rank integer, OUT system text, OUT source text, OUT key text,
    OUT candidate_value text, OUT source_time timestamptz, OUT reason text)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_lineage';
COMMENT ON FUNCTION ssot.lineage(regclass, text) IS 'Where each value of one golden record comes from: per field one row for each record that says something about it, the winner first (rank 1), then the others in the order in which they would win, then, without a rank, those that may not win; with the rule that decided, and the reason. value is what the table has; candidate_value what that record says, after mapping. A field that no record says anything about has one row. Runs under the caller''s rights; an error names the record that a merged id became.';

-- Matching: what is compared, stewardship, quality.

CREATE FUNCTION ssot.set_matching(
    entity regclass,
    compare jsonb DEFAULT NULL,
    match double precision DEFAULT NULL,
    review double precision DEFAULT NULL,
    max_cluster integer DEFAULT NULL,
    one_per_system boolean DEFAULT NULL,
    blocking jsonb DEFAULT NULL,
    prior double precision DEFAULT NULL)
RETURNS jsonb
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_set_matching';
COMMENT ON FUNCTION ssot.set_matching(regclass, jsonb, double precision, double precision, integer, boolean, jsonb, double precision) IS 'Lets runs join records that no key joins, by how alike they are. compare says what is compared as what: {"name": "company", "person": {"kind": "person_name", "fields": ["given", "family"]}}; kinds: ssot.match_kinds(). Left out the first time, comparisons are chosen by the names and types of columns, and printed; none of these forbids a match (an identifier is compared as code). An object may also have levels, those that are told apart between different and equal, by name or its beginning (["one digit off"]; what is not listed counts as the next worse that is) or, where the kind measures a number, as thresholds ([0.95, 0.85]); and weights by level that learning leaves alone: {"equal": 9, "different": {"m": 0.02, "u": 0.98}} (a number is the binary logarithm of m / u; rarity does not move it). match: the probability from which two records are one thing (0.8); review: from which a pair waits in ssot.match_review (0.3); max_cluster: no golden record gets more records than this by matching (1,000); one_per_system: whether matching never joins two records of one system (false). blocking: rules by which records are brought together, instead of those that are derived: [["email"], ["name:rare word", "postcode"]] compares records with equal e-mail addresses and those that share a rare word and the postcode. A comparison alone stands for its whole value; after a colon comes another of its keys (ssot.match_keys). "+" among the rules adds those that are derived; [] goes back to them. A key that more than 100 records share brings nobody together, and that is said; where many records have such keys, a finer rule is added. prior: the probability that two records taken at random are one thing; 0: it is estimated again. What is left out later stays as it was. The next run matches all records; it learns a model first if there is none for these comparisons, blocking and prior. Returns what is compared. Errors: an unknown field (42703), kind, level, comparison or key (42704), each with a list of what there is. You must own the entity''s table.';

CREATE FUNCTION ssot.unset_matching(entity regclass)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unset_matching';
COMMENT ON FUNCTION ssot.unset_matching(regclass) IS 'Ends matching: runs join records by keys, links and decisions only, and the next one takes apart what matching joined. Models and waiting pairs are forgotten, what people decided is not. You must own the entity''s table.';

CREATE VIEW ssot.match_review AS
SELECT p.entity, p.record_a, p.record_b, 1 / (1 + pg_catalog.power(2, -p.weight)) AS probability,
       p.weight, p.reason, p.levels AS evidence, p.first_seen
  FROM ssot.match_pair AS p
 WHERE pg_catalog.has_table_privilege(pg_catalog.to_regclass(p.entity), 'UPDATE')
   AND NOT pg_catalog.row_security_active(pg_catalog.to_regclass(p.entity));
COMMENT ON VIEW ssot.match_review IS 'Pairs of records that may be one thing and wait for a person: ssot.confirm_match or ssot.reject_match. Of the entities whose table the reader may update, and sees whole.';
COMMENT ON COLUMN ssot.match_review.entity IS 'The entity';
COMMENT ON COLUMN ssot.match_review.record_a IS 'A system record, as system:key';
COMMENT ON COLUMN ssot.match_review.record_b IS 'The other one';
COMMENT ON COLUMN ssot.match_review.probability IS 'How probable it is that the two are one thing';
COMMENT ON COLUMN ssot.match_review.weight IS 'The same as the binary logarithm of the odds';
COMMENT ON COLUMN ssot.match_review.reason IS 'undecided: between "review" and "match"; refused: probable enough, but what else belongs to the two speaks against it, a rule forbids it, or more than max_cluster records would be one';
COMMENT ON COLUMN ssot.match_review.evidence IS 'How well each comparison agrees; ssot.explain_match shows the values and weights';
COMMENT ON COLUMN ssot.match_review.first_seen IS 'Since when the pair waits';

CREATE FUNCTION ssot.confirm_match(entity regclass, record_a text, record_b text, reason text DEFAULT NULL)
RETURNS text
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_confirm_match';
COMMENT ON FUNCTION ssot.confirm_match(regclass, text, text, text) IS 'Two system records (''crm:K1'') are one thing. It is remembered for ever (ssot.link_decision), survives new models, and outranks keys. Their golden records, if they have two, are merged as by ssot.merge, into the smaller id, which is returned. Rights and locks as for ssot.merge; where one of them has no golden record you must own the table. A null reason stands for that of the setting ssot.reason.';

CREATE FUNCTION ssot.reject_match(entity regclass, record_a text, record_b text, reason text DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_reject_match';
COMMENT ON FUNCTION ssot.reject_match(regclass, text, text, text) IS 'Two system records (''crm:K1'') are different things. It is remembered for ever (ssot.link_decision), survives new models, and outranks keys. If both are in one golden record, record_b leaves it as by ssot.split; call that to say which others leave too. Rights and locks as for ssot.split; where one of them has no golden record you must own the table. A null reason stands for that of the setting ssot.reason.';

CREATE FUNCTION ssot.find_matches(entity regclass, record jsonb, threshold double precision DEFAULT NULL, most integer DEFAULT 10,
    OUT id text, OUT probability double precision, OUT weight double precision, OUT record text, OUT evidence jsonb)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 10
AS 'MODULE_PATHNAME', 'ssot_find_matches';
COMMENT ON FUNCTION ssot.find_matches(regclass, jsonb, double precision, integer) IS 'Golden records like one that is not there yet, the most probable first: {"name": "Acme Intl", "phone": "030 1234567"}, by the fields that ssot.set_matching compares. threshold: the smallest probability (null: that of review); most: so many rows. record is the system record that is like it, evidence how well each comparison agrees (no values). Of a key that very many records share only some are looked at. Shows records that the caller may read and that are not retired. Errors: a field that is not compared (42703); nothing learnt yet (55000). Takes no lock.';

CREATE FUNCTION ssot.guard_source(entity regclass, source text, action text DEFAULT 'refuse', threshold double precision DEFAULT NULL)
RETURNS void
LANGUAGE C
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_guard_source';
COMMENT ON FUNCTION ssot.guard_source(regclass, text, text, double precision) IS 'Puts a trigger on the table of a source that weighs each new row against the golden records, as ssot.find_matches does: from the probability threshold on (null: that of match now) action refuse raises an error (23505) that names the record, flag a warning. Rows written under ssot.write_mode = ''load'', rows that the mapping cannot read, and rows that come before a model was learnt are not judged. You must own the entity''s table, and need TRIGGER on the source''s. Calling it again replaces the trigger.';

CREATE FUNCTION ssot.unguard_source(entity regclass, source text)
RETURNS void
LANGUAGE C STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unguard_source';
COMMENT ON FUNCTION ssot.unguard_source(regclass, text) IS 'Takes the trigger of ssot.guard_source away. NULL does nothing.';

CREATE FUNCTION ssot.guard_insert()
RETURNS trigger LANGUAGE C
AS 'MODULE_PATHNAME', 'ssot_guard_insert';
COMMENT ON FUNCTION ssot.guard_insert() IS 'Trigger that ssot.guard_source puts on a source''s table.';

CREATE FUNCTION ssot.train_matching(entity regclass, apply boolean DEFAULT false, decisions boolean DEFAULT true,
    OUT change text, OUT record_a text, OUT record_b text, OUT weight double precision)
RETURNS SETOF record
LANGUAGE C STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_train_matching';
COMMENT ON FUNCTION ssot.train_matching(regclass, boolean, boolean) IS 'Learns a new model from the records as they are, and shows what it would change: joined (record_b would come to record_a) or parted (it would leave it), with the weight under the model that has them together. Nothing is changed unless apply is true: then the new model is in force, and the next run matches everything by it. decisions: whether it is also taught by what people decided (ssot.confirm_match, reject_match, merge, split): weights of levels move towards what makes that probable, a little by a handful of decisions and freely by thousands; weights and a prior that were given do not move. What people decided holds under any model. You must own the entity''s table. Locks the entity against runs and declarations. NULL in: no rows.';

CREATE FUNCTION ssot.explain_match(entity regclass, record_a text, record_b text,
    OUT step integer, OUT comparison text, OUT kind text, OUT value_a text, OUT value_b text,
    OUT level text, OUT weight double precision, OUT total double precision, OUT probability double precision)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_explain_match';
COMMENT ON FUNCTION ssot.explain_match(regclass, text, text) IS 'Why two system records (''crm:K1'') are held for one thing, or not, step by step under the model in force: the prior (its level is given if it was), then what each comparison adds (weight: binary logarithm of how many times more probable the agreement is among records of one thing), then what equal values of two comparisons say twice (kind tie: strangers who agree on the one agree on the other), the total so far and the probability that it stands for. The last row is what a run decides by. Runs under the caller''s rights: needs SELECT on the entity''s companions.';

CREATE FUNCTION ssot.match_weights(entity regclass, record_a text[], record_b text[],
    OUT record_a text, OUT record_b text, OUT weight double precision, OUT probability double precision)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_weights';
COMMENT ON FUNCTION ssot.match_weights(regclass, text[], text[]) IS 'What the model in force says about many pairs of system records: those at one place of both arrays. Pairs of which a record does not exist are left out. Runs under the caller''s rights.';

CREATE FUNCTION ssot.match_quality(entity regclass, truth regclass, complete boolean DEFAULT false, threshold double precision DEFAULT NULL,
    OUT unit text, OUT threshold double precision, OUT true_positives bigint, OUT false_positives bigint,
    OUT false_negatives bigint, OUT precision_share double precision, OUT recall_share double precision, OUT f1 double precision,
    OUT best_threshold double precision, OUT best_f1 double precision)
RETURNS SETOF record
LANGUAGE C STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_quality';
COMMENT ON FUNCTION ssot.match_quality(regclass, regclass, boolean, double precision) IS 'How well records are matched now, against a table of labelled pairs: columns record_a and record_b (''crm:K1'') and, if it has one, is_match (else every pair is a match). Row pair: pairs joined rightly, wrongly, and missed; precision, recall and F1; and the value of match that would serve best if pairs alone decided, with its F1. Row cluster: golden records that hold exactly the labelled records of one thing (those of two and more). complete: what the labels do not join is different, so every pair inside a golden record counts; else only labelled pairs do. threshold: as if each pair that reaches this probability were joined, and nothing else decided (null: as records are joined now). NULL otherwise: no rows. Runs under the caller''s rights.';

CREATE FUNCTION ssot.profile(relation regclass,
    OUT column_name text, OUT type_name text, OUT total bigint, OUT filled bigint, OUT fill_rate double precision,
    OUT distinct_values bigint, OUT top_values jsonb, OUT patterns jsonb, OUT kind text, OUT blocking jsonb)
RETURNS SETOF record
LANGUAGE C STABLE STRICT ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_profile';
COMMENT ON FUNCTION ssot.profile(regclass) IS 'What each column of a table, view or foreign table holds, before it is matched: rows, those whose value is not blank (ssot.is_blank), different values, the five most frequent values and patterns (a: lower case, A: upper case, 9: digit, +: a run of them), the kind of comparison that its name suggests, and per class of blocking key how many blocks there are, the rows of the largest, and how many pairs of rows meet in it. Reads the relation once per column and holds its different values in memory. Runs under the caller''s rights.';

-- end of II.4


-- ============================================================================
-- II.5  drift: open differences and their verification
-- ============================================================================


CREATE FUNCTION ssot.drift(entity regclass, field text DEFAULT NULL, system text DEFAULT NULL,
    kind text DEFAULT NULL, category text DEFAULT NULL)
RETURNS SETOF ssot.difference
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_drift';
COMMENT ON FUNCTION ssot.drift(regclass, text, text, text, text) IS 'The open differences between the systems and the golden records of an entity, as kept by the last run or correction: who differs, where, since when, and why. The last four arguments leave only those of a field ('''' for records as a whole), system, kind or category. Retired golden records and records that belong to no golden record do not drift. In no particular order. Runs under the caller''s rights.';

CREATE FUNCTION ssot.drift_summary(entity regclass,
    OUT system text, OUT field text, OUT kind text, OUT category text,
    OUT differences bigint, OUT first_seen timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE
AS $$
SELECT d.system, d.field, d.kind, d.category, pg_catalog.count(*), pg_catalog.min(d.first_seen)
  FROM ssot.drift(entity) AS d
 GROUP BY d.system, d.field, d.kind, d.category
 ORDER BY pg_catalog.count(*) DESC, d.system, d.field, d.kind, d.category
$$;
COMMENT ON FUNCTION ssot.drift_summary(regclass) IS 'How many open differences an entity has by system, field, kind and category, the most frequent first, and since when the oldest is open. Runs under the caller''s rights.';

CREATE FUNCTION ssot.verify_drift(entity regclass,
    OUT problem text, OUT id text, OUT system text, OUT key text, OUT field text,
    OUT kept_kind text, OUT found_kind text, OUT kept_golden_value text, OUT found_golden_value text,
    OUT kept_system_value text, OUT found_system_value text)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_verify_drift';
COMMENT ON FUNCTION ssot.verify_drift(regclass) IS 'Recomputes all differences from the golden records and the source records and returns where the kept ones are others: not kept, kept but not there, kept differently. No row is the answer to expect. Reads each table once; uses up to maintenance_work_mem and then temporary files. Runs under the caller''s rights.';

CREATE FUNCTION ssot.compare(left_relation regclass, right_relation regclass, key text[], columns text[] DEFAULT NULL,
    OUT record_key text, OUT kind text, OUT field text, OUT left_value text, OUT right_value text)
RETURNS SETOF record
LANGUAGE C STABLE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_compare';
COMMENT ON FUNCTION ssot.compare(regclass, regclass, text[], text[]) IS 'Where two relations differ: tables, views or foreign tables, registered or not. Rows meet by the key columns; columns names the others to compare, by default all that both have. Kinds: mismatch (one row per field), missing_left, missing_right, duplicate_left, duplicate_right (the key comes more than once: the value is how often, fields are not compared). A row with a null in its key meets no other. Values are equal as their types say. Reads each relation once, or twice where it has no tuple ids of its own; uses up to maintenance_work_mem and then temporary files. Of a foreign table of postgres_fdw only rows of ranges whose hashes differ are fetched, where its server can hash them. Runs under the caller''s rights.';

-- end of II.5


-- ============================================================================
-- II.6  dictionary: calendars, metrics, why two numbers differ, publishing
-- ============================================================================

CREATE TYPE ssot.metric_value;
CREATE FUNCTION ssot.metric_value_in(cstring) RETURNS ssot.metric_value
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_in';
COMMENT ON FUNCTION ssot.metric_value_in(cstring) IS 'Input function of ssot.metric_value';
CREATE FUNCTION ssot.metric_value_out(ssot.metric_value) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_out';
COMMENT ON FUNCTION ssot.metric_value_out(ssot.metric_value) IS 'Output function of ssot.metric_value';
CREATE FUNCTION ssot.metric_value_recv(internal) RETURNS ssot.metric_value
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_recv';
COMMENT ON FUNCTION ssot.metric_value_recv(internal) IS 'Binary input function of ssot.metric_value';
CREATE FUNCTION ssot.metric_value_send(ssot.metric_value) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_send';
COMMENT ON FUNCTION ssot.metric_value_send(ssot.metric_value) IS 'Binary output function of ssot.metric_value';
CREATE TYPE ssot.metric_value (
    INPUT = ssot.metric_value_in, OUTPUT = ssot.metric_value_out,
    RECEIVE = ssot.metric_value_recv, SEND = ssot.metric_value_send,
    INTERNALLENGTH = variable, ALIGNMENT = double, STORAGE = extended);
COMMENT ON TYPE ssot.metric_value IS 'A number that knows what it is: value, unit, definition, variant, version and as-of, as in ''1250000.00 USD pipeline:finance v3 @ 2026-11-04T16:59:00.000000+00:00''. Two of them are added or subtracted only if they differ in nothing but the number.';

CREATE FUNCTION ssot.metric_value_eq(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_eq';
COMMENT ON FUNCTION ssot.metric_value_eq(ssot.metric_value, ssot.metric_value) IS 'Behind the operator =';
CREATE FUNCTION ssot.metric_value_ne(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_ne';
COMMENT ON FUNCTION ssot.metric_value_ne(ssot.metric_value, ssot.metric_value) IS 'Behind the operator <>';
CREATE FUNCTION ssot.metric_value_lt(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_lt';
COMMENT ON FUNCTION ssot.metric_value_lt(ssot.metric_value, ssot.metric_value) IS 'Behind the operator <';
CREATE FUNCTION ssot.metric_value_le(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_le';
COMMENT ON FUNCTION ssot.metric_value_le(ssot.metric_value, ssot.metric_value) IS 'Behind the operator <=';
CREATE FUNCTION ssot.metric_value_gt(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_gt';
COMMENT ON FUNCTION ssot.metric_value_gt(ssot.metric_value, ssot.metric_value) IS 'Behind the operator >';
CREATE FUNCTION ssot.metric_value_ge(ssot.metric_value, ssot.metric_value) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_ge';
COMMENT ON FUNCTION ssot.metric_value_ge(ssot.metric_value, ssot.metric_value) IS 'Behind the operator >=';
CREATE FUNCTION ssot.metric_value_cmp(ssot.metric_value, ssot.metric_value) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_cmp';
COMMENT ON FUNCTION ssot.metric_value_cmp(ssot.metric_value, ssot.metric_value) IS 'Order of metric values, for sorting: by definition, variant, unit, version and as-of, then by the number';
CREATE FUNCTION ssot.metric_value_hash(ssot.metric_value) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_hash';
COMMENT ON FUNCTION ssot.metric_value_hash(ssot.metric_value) IS 'Hash of a metric value, for grouping';
CREATE FUNCTION ssot.metric_value_add(ssot.metric_value, ssot.metric_value) RETURNS ssot.metric_value
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_add';
COMMENT ON FUNCTION ssot.metric_value_add(ssot.metric_value, ssot.metric_value) IS 'Behind the operator +: the sum of two numbers of one definition, variant, version, unit and as-of; an error (42804) that says which of these differs';
CREATE FUNCTION ssot.metric_value_subtract(ssot.metric_value, ssot.metric_value) RETURNS ssot.metric_value
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_subtract';
COMMENT ON FUNCTION ssot.metric_value_subtract(ssot.metric_value, ssot.metric_value) IS 'Behind the operator -: as +';
CREATE FUNCTION ssot.metric_number(value ssot.metric_value) RETURNS numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_number';
COMMENT ON FUNCTION ssot.metric_number(ssot.metric_value) IS 'The bare number, as value::numeric gives it; NULL where there is none';
CREATE FUNCTION ssot.metric_parts(value ssot.metric_value,
    OUT number numeric, OUT unit text, OUT definition text, OUT variant text, OUT version integer, OUT as_of timestamptz)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_parts';
COMMENT ON FUNCTION ssot.metric_parts(ssot.metric_value) IS 'A metric value taken apart. number is NULL where there is none, unit where there is none; variant is empty for the only one.';
CREATE FUNCTION ssot.metric_value(value numeric, unit text, definition text, variant text, version integer, as_of timestamptz)
RETURNS ssot.metric_value LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_value_make';
COMMENT ON FUNCTION ssot.metric_value(numeric, text, text, text, integer, timestamptz) IS 'Puts a metric value together. value, unit and variant may be NULL: no number, no unit, the only variant.';
-- Operators and sum() stand in pg_catalog: found whatever the search path, and
-- hidden by nobody's of the same name, so that a difference is never taken by accident.
CREATE OPERATOR pg_catalog.= (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_eq,
    COMMUTATOR = OPERATOR(pg_catalog.=), NEGATOR = OPERATOR(pg_catalog.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR pg_catalog.= (ssot.metric_value, ssot.metric_value) IS 'equal in every part';
CREATE OPERATOR pg_catalog.<> (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_ne,
    COMMUTATOR = OPERATOR(pg_catalog.<>), NEGATOR = OPERATOR(pg_catalog.=), RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR pg_catalog.<> (ssot.metric_value, ssot.metric_value) IS 'differ in some part';
CREATE OPERATOR pg_catalog.< (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_lt,
    COMMUTATOR = OPERATOR(pg_catalog.>), NEGATOR = OPERATOR(pg_catalog.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR pg_catalog.< (ssot.metric_value, ssot.metric_value) IS 'before, in the order for sorting';
CREATE OPERATOR pg_catalog.<= (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_le,
    COMMUTATOR = OPERATOR(pg_catalog.>=), NEGATOR = OPERATOR(pg_catalog.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR pg_catalog.<= (ssot.metric_value, ssot.metric_value) IS 'before or equal';
CREATE OPERATOR pg_catalog.> (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_gt,
    COMMUTATOR = OPERATOR(pg_catalog.<), NEGATOR = OPERATOR(pg_catalog.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR pg_catalog.> (ssot.metric_value, ssot.metric_value) IS 'after';
CREATE OPERATOR pg_catalog.>= (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_ge,
    COMMUTATOR = OPERATOR(pg_catalog.<=), NEGATOR = OPERATOR(pg_catalog.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR pg_catalog.>= (ssot.metric_value, ssot.metric_value) IS 'after or equal';
CREATE OPERATOR pg_catalog.+ (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_add, COMMUTATOR = OPERATOR(pg_catalog.+));
COMMENT ON OPERATOR pg_catalog.+ (ssot.metric_value, ssot.metric_value) IS 'sum, within one definition, variant, version, unit and as-of';
CREATE OPERATOR pg_catalog.- (LEFTARG = ssot.metric_value, RIGHTARG = ssot.metric_value, FUNCTION = ssot.metric_value_subtract);
COMMENT ON OPERATOR pg_catalog.- (ssot.metric_value, ssot.metric_value) IS 'difference, within one definition, variant, version, unit and as-of';
CREATE OPERATOR FAMILY ssot.metric_value_order USING btree;
COMMENT ON OPERATOR FAMILY ssot.metric_value_order USING btree IS 'Sorting metric values';
CREATE OPERATOR CLASS ssot.metric_value_order DEFAULT FOR TYPE ssot.metric_value USING btree FAMILY ssot.metric_value_order AS
    OPERATOR 1 pg_catalog.<, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 pg_catalog.>,
    FUNCTION 1 ssot.metric_value_cmp(ssot.metric_value, ssot.metric_value);
COMMENT ON OPERATOR CLASS ssot.metric_value_order USING btree IS 'Sorting metric values';
CREATE OPERATOR FAMILY ssot.metric_value_hash USING hash;
COMMENT ON OPERATOR FAMILY ssot.metric_value_hash USING hash IS 'Grouping metric values';
CREATE OPERATOR CLASS ssot.metric_value_hash DEFAULT FOR TYPE ssot.metric_value USING hash FAMILY ssot.metric_value_hash AS
    OPERATOR 1 pg_catalog.=, FUNCTION 1 ssot.metric_value_hash(ssot.metric_value);
COMMENT ON OPERATOR CLASS ssot.metric_value_hash USING hash IS 'Grouping metric values';
CREATE CAST (ssot.metric_value AS numeric) WITH FUNCTION ssot.metric_number(ssot.metric_value);
COMMENT ON CAST (ssot.metric_value AS numeric) IS 'The bare number; only where it is asked for';
CREATE AGGREGATE pg_catalog.sum(ssot.metric_value) (SFUNC = ssot.metric_value_add, STYPE = ssot.metric_value, COMBINEFUNC = ssot.metric_value_add, PARALLEL = SAFE);
COMMENT ON AGGREGATE pg_catalog.sum(ssot.metric_value) IS 'The sum of numbers of one definition, variant, version, unit and as-of; an error if they differ in any of these';

CREATE FUNCTION ssot.create_calendar(
    name text,
    year_start text DEFAULT '01-01',
    pattern text DEFAULT 'month',
    time_zone text DEFAULT 'UTC',
    close_day integer DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_calendar'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.create_calendar(text, text, text, text, integer) IS 'Makes a business calendar for metrics: year_start as MM-DD, pattern month (calendar months) or 4-4-5, 4-5-4, 5-4-4 (weeks from Monday; the year begins on the Monday nearest to year_start, a 53rd week belongs to its last month), the time zone of its days, and the day of the following month on which people close a period (for them to read: nothing happens by itself on it). A calendar is never changed. Errors: a name that exists, a day that no year has or that is later than 28, an unknown pattern or time zone.';

CREATE FUNCTION ssot.period_start(day date, grain text, start_month integer, start_day integer, pattern text)
RETURNS date LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'ssot_period_start';
COMMENT ON FUNCTION ssot.period_start(date, text, integer, integer, text) IS 'The first day of the period (day, week, month, quarter, year) of a business calendar that a day lies in. Called by the views of metrics with a calendar. NULL in, NULL out.';

CREATE FUNCTION ssot.refuse_currency(metric text, currency text, unit text)
RETURNS numeric LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_refuse_currency';
COMMENT ON FUNCTION ssot.refuse_currency(text, text, text) IS 'Always an error (22000): a metric met an amount in a currency that it cannot add. Called for such a row only.';

CREATE FUNCTION ssot.metric_label(metric text, variant text, version integer, unit text, value numeric, as_of timestamptz)
RETURNS text LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'ssot_metric_label';
COMMENT ON FUNCTION ssot.metric_label(text, text, integer, text, numeric, timestamptz) IS 'A number as a person would say it: "Pipeline: 1,250,000 USD as of 2026-11-04 11:59 America/New_York, definition v3". The time is the session''s, to the minute. NULL if anything but unit and value is null.';

CREATE FUNCTION ssot.label(value ssot.metric_value)
RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS
$$SELECT ssot.metric_label(p.definition, p.variant, p.version, p.unit, p.number, p.as_of) FROM ssot.metric_parts($1) AS p$$;
COMMENT ON FUNCTION ssot.label(ssot.metric_value) IS 'A metric value as a person would say it, in the session''s time zone: "Pipeline: 1,250,000 USD as of 2026-11-04 11:59 America/New_York, definition v3"';

CREATE FUNCTION ssot.metric_stamp(metric text, entities text[], past boolean,
    OUT as_of timestamptz, OUT freshness jsonb)
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_metric_stamp';
COMMENT ON FUNCTION ssot.metric_stamp(text, text[], boolean) IS 'As of when the calling query sees these entities, and through when each system''s data is complete; past: at the time in ssot.as_of. Called by the views of metrics. An error where ssot.as_of is set and past is false. Takes no lock.';

-- What definitions stand on.

CREATE FUNCTION ssot.definition_parts(version ssot.definition_version,
    OUT identity text, OUT part text, OUT content text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC'
SET extra_float_digits = 1 SET bytea_output = 'hex' SET quote_all_identifiers = off
AS $$
-- One row of the catalogue each: a transaction that sees an old snapshot and has changed
-- what others had changed meanwhile sees two, the later its own.
WITH RECURSIVE entity AS MATERIALIZED (
    SELECT e.entity, e.fields,
           (SELECT max(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = (parse_ident(e.entity))[1] AND c.relname = (parse_ident(e.entity))[2]) AS relid
      FROM jsonb_each($1.reads) AS e (entity, fields)
), field AS MATERIALIZED (
    SELECT e.entity, e.relid, f.field, a.attnum, a.atttypid, a.atttypmod, a.attnotnull,
           format('%s of %s', f.field, e.entity) AS name,
           format('ddl:%s.%s', coalesce(e.relid::text, e.entity), coalesce(a.attnum::text, f.field)) AS identity
      FROM entity AS e
     CROSS JOIN jsonb_array_elements_text(e.fields) AS f (field)
      LEFT JOIN LATERAL (SELECT * FROM pg_attribute AS a
             WHERE a.attrelid = e.relid AND a.attname = f.field AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY age(a.xmin) LIMIT 1) AS a ON true    -- few rows of many: found by the index
), domain AS (
    SELECT f.entity, f.field, t.oid, t.typbasetype, t.typnotnull
      FROM field AS f JOIN pg_type AS t ON t.oid = f.atttypid AND t.typtype = 'd'
     UNION ALL
    SELECT d.entity, d.field, t.oid, t.typbasetype, t.typnotnull
      FROM domain AS d JOIN pg_type AS t ON t.oid = d.typbasetype AND t.typtype = 'd'
), source AS MATERIALIZED (
    SELECT s.*, format('source %s of %s', s.source, s.entity) AS name, format('source:%s', s.source_id) AS identity,
           (SELECT max(c.oid) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = (parse_ident(s.relation))[1] AND c.relname = (parse_ident(s.relation))[2]) AS relid
      FROM entity AS e
      JOIN ssot.source AS s ON s.entity = e.entity AND s.relation IS NOT NULL AND s.role = 'provider'
), viewed AS (
    SELECT s.source_id, s.name, s.relid AS view
      FROM source AS s
     WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = s.relid AND c.relkind IN ('v', 'm'))
     UNION
    SELECT v.source_id, v.name, c.oid
      FROM viewed AS v
      JOIN pg_rewrite AS r ON r.ev_class = v.view
      JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
      JOIN pg_class AS c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
)
SELECT f.identity, 'column ' || f.name, coalesce(format_type(f.atttypid, f.atttypmod), 'missing')
  FROM field AS f
 UNION ALL
SELECT f.identity || ' null', 'NULL in ' || f.name,
       CASE WHEN f.attnotnull OR EXISTS (SELECT FROM domain AS d
                     WHERE d.entity = f.entity AND d.field = f.field AND d.typnotnull)
            THEN 'refused' ELSE 'allowed' END
  FROM field AS f
 WHERE f.attnum IS NOT NULL
 UNION ALL
SELECT f.identity || ' check', 'checks of ' || f.name,
       coalesce((SELECT string_agg(c.text, ' and ' ORDER BY c.text COLLATE "C")
                   FROM (SELECT pg_get_constraintdef(c.oid) AS text FROM pg_constraint AS c
                          WHERE c.conrelid = f.relid AND c.contype = 'c' AND f.attnum = ANY (c.conkey)
                          UNION
                         SELECT pg_get_constraintdef(c.oid) FROM domain AS d JOIN pg_constraint AS c ON c.contypid = d.oid
                          WHERE d.entity = f.entity AND d.field = f.field AND c.contype = 'c') AS c),
                'none')
  FROM field AS f
 WHERE f.attnum IS NOT NULL
 UNION ALL
SELECT f.identity || ' key', 'foreign key of ' || f.name, string_agg(format('refers to %s (%s)', k.target, k.column_name), ', ' ORDER BY k.target)
  FROM field AS f
  JOIN LATERAL (SELECT DISTINCT c.confrelid::regclass::text AS target,
                       (SELECT a.attname FROM pg_attribute AS a
                         WHERE a.attrelid = c.confrelid AND a.attnum = c.confkey[1]
                         ORDER BY age(a.xmin) LIMIT 1) AS column_name
                  FROM pg_constraint AS c
                 WHERE c.contype = 'f' AND c.conrelid = f.relid AND c.conkey = ARRAY[f.attnum]
                OFFSET 0) AS k ON true
 GROUP BY f.identity, f.name
 UNION ALL
SELECT format('field:%s.%s', f.identity, p.part), format('%s of %s', p.part, f.name), p.content
  FROM field AS f
  JOIN ssot.entity AS e ON e.entity = f.entity AND e.id_column <> f.field
  LEFT JOIN ssot.field AS a ON a.entity = f.entity AND a.field = f.field
 CROSS JOIN LATERAL (VALUES
           ('authority', CASE WHEN a.only_listed THEN 'only ' ELSE '' END
                         || coalesce(nullif(array_to_string(a.systems, ', then '), ''), 'as the entity says')),
           ('strategy', coalesce(a.strategy, 'authority')),
           ('null policy', coalesce(a.null_policy, 'ignore')),
           ('group', coalesce(a.field_group, 'none'))) AS p (part, content)
 UNION ALL
SELECT 'ddl:' || s.identity, s.name,
       format('%s of system %s, rank %s%s%s%s', s.relation, s.system, s.rank,
              CASE WHEN NOT s.creates THEN ', creates nothing' ELSE '' END,
              CASE WHEN s.grain <> 'record' THEN ', rows are ' || s.grain || 's' ELSE '' END, ', level ' || s.level)
  FROM source AS s
 UNION ALL
SELECT format('%s.%s', s.identity, m.name), format('%s of %s', replace(m.name, '_', ' '), s.name), m.value #>> '{}'
  FROM source AS s
 CROSS JOIN jsonb_each('{"filter": "none", "deleted": "none", "merged_into": "none"}' || s.compiled) AS m (name, value)
 WHERE m.name NOT IN ('fields', 'field_updated_at', 'on_error')
 UNION ALL
SELECT format('%s.%s.%s', s.identity, m.name, f.identity), format('%s%s, as %s gives it', m.what, f.name, s.source),
       s.compiled -> m.name ->> f.field
  FROM field AS f
  JOIN source AS s ON s.entity = f.entity
 CROSS JOIN LATERAL (VALUES ('fields', ''), ('field_updated_at', 'time of '), ('on_error', 'errors in ')) AS m (name, what)
 WHERE s.compiled -> m.name ? f.field
 UNION ALL
SELECT format('%s.%s.%s', s.identity, f.identity, quote_literal(v.code)),
       format('code %L of %s, as %s gives it', v.code, f.name, s.source), coalesce(quote_literal(v.value), 'no value')
  FROM field AS f
  JOIN source AS s ON s.entity = f.entity
  JOIN ssot.value_map AS v ON v.source_id = s.source_id AND v.field = f.field
 UNION ALL
SELECT format('ddl:view %s of %s', v.view, v.source_id), format('view %s, read by %s', v.view::regclass, v.name),
       btrim(pg_get_viewdef(v.view), E' \n;')
  FROM viewed AS v
 UNION ALL
SELECT format('entity:%s', coalesce(e.relid::text, e.entity)), 'canonical system of ' || e.entity, coalesce(m.canonical_system, 'none')
  FROM entity AS e JOIN ssot.entity AS m ON m.entity = e.entity
 UNION ALL
SELECT format('text:%s', coalesce(e.relid::text, e.entity)), 'meaning of ' || e.entity, quote_literal(m.definition)
  FROM entity AS e JOIN ssot.entity AS m ON m.entity = e.entity AND m.definition IS NOT NULL
 UNION ALL
SELECT format('definition:%s', coalesce(e.relid::text, e.entity)), 'definition of ' || e.entity,
       string_agg(format('%s v%s, %s', quote_ident(d.definition), d.version, quote_literal(d.description)), ' and ' ORDER BY d.definition COLLATE "C")
  FROM entity AS e
  JOIN ssot.definition_version AS d
    ON d.kind = 'entity' AND d.defined_entity = e.entity AND d.canonical AND d.effective @> clock_timestamp()
 WHERE $1.kind <> 'entity' OR $1.defined_entity <> e.entity
 GROUP BY e.entity, e.relid
$$;
COMMENT ON FUNCTION ssot.definition_parts(ssot.definition_version) IS 'What a version stands on as it is now, part by part: of each column that it reads the type, NOT NULL, CHECKs, foreign key, authority, strategy, null policy, and the expressions, code lists and times of sources that feed it; of each entity its canonical system, what it means, its sources with their filters and keys, and the views that these read, all the way down. identity names a part by numbers of the catalogue, which a rename does not change; it means nothing in another database.';

CREATE FUNCTION ssot.definition_basis(version ssot.definition_version)
RETURNS jsonb LANGUAGE sql STABLE AS $$
SELECT coalesce(pg_catalog.jsonb_object_agg(p.part, p.content), '{}'::pg_catalog.jsonb)
  FROM ssot.definition_parts($1) AS p
$$;
COMMENT ON FUNCTION ssot.definition_basis(ssot.definition_version) IS 'What a version stands on as it is now: ssot.definition_parts in one object. Kept at approval; ssot.decertified compares (by the parts themselves, which for many versions is several times as fast).';

CREATE FUNCTION ssot.definition_checksum(version ssot.definition_version)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.jsonb_build_array(
           $1.definition, $1.variant, $1.version, $1.kind, $1.description, $1.owner, $1.canonical_system,
           $1.defined_entity, $1.signers, $1.leaving_signers, $1.declared, $1.compiled, $1.reads,
           $1.created_by, $1.created_role, $1.created_in)::pg_catalog.text, 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION ssot.definition_checksum(ssot.definition_version) IS 'SHA-256 over what is agreed on when a version is approved.';

CREATE FUNCTION ssot.definition_changes(before jsonb, after jsonb)
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
SELECT coalesce(pg_catalog.array_agg(CASE
           WHEN b.key IS NULL THEN pg_catalog.format('%s: new (%s)', a.key, a.value)
           WHEN a.key IS NULL THEN pg_catalog.format('%s: gone (was %s)', b.key, b.value)
           ELSE pg_catalog.format('%s: was %s, is %s', b.key, b.value, a.value) END
           ORDER BY coalesce(b.key, a.key) COLLATE pg_catalog."C"), '{}')
  FROM pg_catalog.jsonb_each_text($1) AS b (key, value)
  FULL JOIN pg_catalog.jsonb_each_text($2) AS a (key, value) ON a.key OPERATOR(pg_catalog.=) b.key
 WHERE coalesce(a.value, 'none') OPERATOR(pg_catalog.<>) coalesce(b.value, 'none')
   AND NOT (b.key IS NULL AND a.key OPERATOR(pg_catalog.~) '^(definition|meaning) of ')
$$;
COMMENT ON FUNCTION ssot.definition_changes(jsonb, jsonb) IS 'What differs between two bases of a definition, in words; behind ssot.decertified. That somebody wrote down what an entity means, where nothing was written, is no change.';

CREATE VIEW ssot.decertified AS
SELECT d.definition, d.variant, d.version, d.kind, d.owner, d.approved_at, c.changes
  FROM ssot.definition_version AS d
 CROSS JOIN LATERAL ssot.definition_changes(d.basis,
           (SELECT coalesce(pg_catalog.jsonb_object_agg(p.part, p.content), '{}') FROM ssot.definition_parts(d) AS p)) AS c (changes)
 WHERE d.state IN ('approved', 'deprecated') AND c.changes <> '{}'
   AND (pg_catalog.upper(d.effective) IS NULL OR pg_catalog.upper(d.effective) > pg_catalog.clock_timestamp());
COMMENT ON VIEW ssot.decertified IS 'Approved definitions under which something has changed since they were approved: a column''s type or CHECK, a source''s expression or filter, a code, an authority, a view that a source reads, what a referenced entity means (ssot.definition_parts says all). A rename changes nothing. Make a new version, or change it back.';
COMMENT ON COLUMN ssot.decertified.definition IS 'The definition';
COMMENT ON COLUMN ssot.decertified.variant IS 'Its variant; empty: the only one';
COMMENT ON COLUMN ssot.decertified.version IS 'The version';
COMMENT ON COLUMN ssot.decertified.kind IS 'term, entity or metric';
COMMENT ON COLUMN ssot.decertified.owner IS 'Who answers for it';
COMMENT ON COLUMN ssot.decertified.approved_at IS 'When it was approved';
COMMENT ON COLUMN ssot.decertified.changes IS 'What has changed since, in words';

CREATE VIEW ssot.dictionary AS
SELECT d.definition, d.variant, d.version, d.kind, d.state, d.canonical,
       coalesce(d.effective @> pg_catalog.clock_timestamp(), false) AS in_force,
       pg_catalog.lower(d.effective) AS effective_from, pg_catalog.upper(d.effective) AS effective_to,
       d.description, d.owner, d.canonical_system, d.defined_entity AS entity, d.signers || d.leaving_signers AS signers,
       ARRAY(SELECT t.team FROM pg_catalog.unnest(d.signers || d.leaving_signers) AS t (team)
              WHERE d.state IN ('draft', 'proposed')
                AND NOT EXISTS (SELECT FROM ssot.signature AS s
                                 WHERE s.definition = d.definition AND s.variant = d.variant
                                   AND s.version = d.version AND s.team = t.team
                                   AND s.withdrawn_at IS NULL)) AS waits_for,
       ARRAY(SELECT u.system FROM ssot.used_definition AS u
              WHERE u.definition = d.definition AND u.variant = d.variant ORDER BY u.system) AS used_by,
       CASE WHEN d.state IN ('approved', 'deprecated')
            THEN ssot.definition_changes(d.basis,
                     (SELECT coalesce(pg_catalog.jsonb_object_agg(p.part, p.content), '{}')
                        FROM ssot.definition_parts(d) AS p)) = '{}' END AS certified,
       d.successor, d.created_by, d.created_at, d.approved_at
  FROM ssot.definition_version AS d;
COMMENT ON VIEW ssot.dictionary IS 'The dictionary: what every word and number means, in every version, who agreed to it, and which one holds now.';
COMMENT ON COLUMN ssot.dictionary.definition IS 'The name that is defined';
COMMENT ON COLUMN ssot.dictionary.variant IS 'Which meaning of the name; empty: the only one';
COMMENT ON COLUMN ssot.dictionary.version IS 'Number of the version within its variant';
COMMENT ON COLUMN ssot.dictionary.kind IS 'term: a word; entity: what a row of an entity is; metric: a number';
COMMENT ON COLUMN ssot.dictionary.state IS 'draft, proposed, approved, deprecated or retired';
COMMENT ON COLUMN ssot.dictionary.canonical IS 'Whether this variant is meant where none is named';
COMMENT ON COLUMN ssot.dictionary.in_force IS 'Whether it holds now';
COMMENT ON COLUMN ssot.dictionary.effective_from IS 'Since when it holds or will hold; -infinity: for all of the past';
COMMENT ON COLUMN ssot.dictionary.effective_to IS 'Until when; NULL: until further notice';
COMMENT ON COLUMN ssot.dictionary.description IS 'What it means, in business language';
COMMENT ON COLUMN ssot.dictionary.owner IS 'The team or person that answers for it';
COMMENT ON COLUMN ssot.dictionary.canonical_system IS 'The system that is believed first about it';
COMMENT ON COLUMN ssot.dictionary.entity IS 'The entity that is defined, of kind entity';
COMMENT ON COLUMN ssot.dictionary.signers IS 'Teams that must sign';
COMMENT ON COLUMN ssot.dictionary.waits_for IS 'Teams whose signature is missing';
COMMENT ON COLUMN ssot.dictionary.used_by IS 'Systems that report by this variant';
COMMENT ON COLUMN ssot.dictionary.certified IS 'Whether what it stands on is as it was when it was approved; NULL before approval. See ssot.decertified';
COMMENT ON COLUMN ssot.dictionary.successor IS 'The version that took or takes its place';
COMMENT ON COLUMN ssot.dictionary.created_by IS 'Its author';
COMMENT ON COLUMN ssot.dictionary.created_at IS 'When it was written down';
COMMENT ON COLUMN ssot.dictionary.approved_at IS 'When it was approved';

CREATE FUNCTION ssot.create_definition(
    name text,
    kind text DEFAULT 'term',
    description text DEFAULT NULL,
    owner text DEFAULT NULL,
    canonical_system text DEFAULT NULL,
    entity regclass DEFAULT NULL,
    signers text[] DEFAULT NULL,
    variant text DEFAULT NULL,
    effective_from timestamptz DEFAULT NULL,
    draft boolean DEFAULT false)
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_definition'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.create_definition(text, text, text, text, text, regclass, text[], text, timestamptz, boolean) IS 'Writes down what a word means (kind term) or what a row of an entity is (kind entity, with entity): a new version, whose number is returned. owner (for the first version you) and canonical_system: null is as in the version before. signers: roles of which a member each must sign it before it is approved (ssot.sign); null: those of the version before; teams that are asked no longer sign this version for the last time, if they are roles still. Without signers it is approved at once. variant: another meaning of the name (sales, finance); the first one is canonical. effective_from: not before; else from its approval on, the first version of a variant for all of the past too, or from an effective_from in the past; of a later one that is an error, because numbers of the past were given out by the version in force then, and a date that has passed when the last signature comes is that moment. draft: not to be signed yet. A name that is defined is continued by members of its last author''s role only. An entity''s definition needs ownership of its table.';

CREATE FUNCTION ssot.propose(name text, version integer, variant text DEFAULT NULL)
RETURNS text LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_propose'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.propose(text, integer, text) IS 'Puts a draft forward for signing; returns its state. By its author. variant null: the canonical one.';

CREATE FUNCTION ssot.sign(name text, version integer, variant text DEFAULT NULL, team text DEFAULT NULL)
RETURNS text LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_sign'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.sign(text, integer, text, text) IS 'Signs a proposed version for a team of which session_user is a member (superusers are members of what was granted to them), once per person (the same name, or the same role although it was renamed) and team; returns the state: approved with the last signature, if one of them is not its author''s. An approved metric gets its views. variant null: the canonical one. Locks the version.';

CREATE FUNCTION ssot.withdraw(name text, version integer, variant text DEFAULT NULL)
RETURNS text LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_withdraw'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.withdraw(text, integer, text) IS 'Withdraws one''s signature from a proposed version; of its author who has not signed, the proposal: it is a draft again. Returns the state. What is approved cannot be withdrawn.';

CREATE FUNCTION ssot.deprecate(name text, version integer, variant text DEFAULT NULL, at timestamptz DEFAULT NULL, successor integer DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_deprecate'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.deprecate(text, integer, text, timestamptz, integer) IS 'Ends an approved version at a time (null: now; the past is an error), with a successor if there is one. Numbers of the past are still counted by it. By its author.';

CREATE FUNCTION ssot.retire_definition(name text, version integer, variant text DEFAULT NULL)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_retire_definition'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.retire_definition(text, integer, text) IS 'Takes an approved or deprecated version out of use now. It stays on record, and numbers of the past are still counted by it. One that is not in force yet never will be, and the version before it goes on. By its author.';

CREATE FUNCTION ssot.use_definition(system text, name text, variant text DEFAULT '')
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_use_definition'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.use_definition(text, text, text) IS 'Says by which variant of a definition a system reports; its own numbers are counted by that. Systems of which nothing is said report by the canonical variant.';

CREATE FUNCTION ssot.set_canonical_variant(name text, variant text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_set_canonical_variant'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.set_canonical_variant(text, text) IS 'Makes a variant the one that is meant where none is named; the views of the metric follow. By the author of its latest version; refused unless every team that signs the canonical version in force has signed that of the variant.';

CREATE FUNCTION ssot.refresh_metrics()
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_refresh_metrics'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.refresh_metrics() IS 'Makes the views of all metrics anew by the versions in force now; returns how many metrics there are. To be called when a version with a later date takes effect, for example every night by pg_cron.';

CREATE FUNCTION ssot.diff_definition(name text, v1 integer, v2 integer, variant text DEFAULT NULL,
    OUT part text, OUT before text, OUT after text)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
WITH version AS (
    SELECT d.version,
           pg_catalog.jsonb_build_object('description', d.description, 'owner', d.owner,
               'canonical system', d.canonical_system, 'entity', d.defined_entity,
               'signers', pg_catalog.array_to_string(d.signers, ', '))
           OPERATOR(pg_catalog.||) coalesce(d.declared, '{}'::pg_catalog.jsonb) AS says
      FROM ssot.definition_version AS d
     WHERE d.definition OPERATOR(pg_catalog.=) $1
       AND CASE WHEN $4 IS NULL THEN d.canonical ELSE d.variant OPERATOR(pg_catalog.=) $4 END
       AND d.version IN ($2, $3)
)
SELECT coalesce(a.key, b.key), a.value, b.value
  FROM (SELECT e.* FROM version AS v CROSS JOIN LATERAL pg_catalog.jsonb_each_text(v.says) AS e (key, value)
         WHERE v.version OPERATOR(pg_catalog.=) $2) AS a
  FULL JOIN (SELECT e.* FROM version AS v CROSS JOIN LATERAL pg_catalog.jsonb_each_text(v.says) AS e (key, value)
         WHERE v.version OPERATOR(pg_catalog.=) $3) AS b ON b.key OPERATOR(pg_catalog.=) a.key
 WHERE a.value IS DISTINCT FROM b.value
 ORDER BY 1
$$;
COMMENT ON FUNCTION ssot.diff_definition(text, integer, integer, text) IS 'What two versions of a definition say differently, part by part (description, owner, signers, measure, filter ...). variant null: the canonical one. No rows: nothing.';

CREATE FUNCTION ssot.search_dictionary(words text,
    OUT definition text, OUT variant text, OUT version integer, OUT kind text, OUT state text,
    OUT description text, OUT owner text, OUT rank real)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
SELECT f.definition, f.variant, f.version, f.kind, f.state, f.description, f.owner,
       pg_catalog.ts_rank(f.document, f.query)
  FROM (SELECT DISTINCT ON (d.definition, d.variant) d.*, q.query,
               pg_catalog.setweight(pg_catalog.to_tsvector('simple'::pg_catalog.regconfig,
                   pg_catalog.concat_ws(' ', pg_catalog.translate(d.definition, '_-', '  '), d.definition, d.variant)), 'A')
               OPERATOR(pg_catalog.||) pg_catalog.to_tsvector('english'::pg_catalog.regconfig,
                   pg_catalog.concat_ws(' ', d.description, d.owner, d.defined_entity, d.canonical_system)) AS document
          FROM ssot.definition_version AS d
         CROSS JOIN (SELECT pg_catalog.websearch_to_tsquery('simple'::pg_catalog.regconfig, $1)
                            OPERATOR(pg_catalog.||) pg_catalog.websearch_to_tsquery('english'::pg_catalog.regconfig, $1)) AS q (query)
         ORDER BY d.definition, d.variant,
                  coalesce(d.effective OPERATOR(pg_catalog.@>) pg_catalog.clock_timestamp(), false) DESC, d.version DESC) AS f
 WHERE f.document OPERATOR(pg_catalog.@@) f.query
 ORDER BY 8 DESC, 1, 2
$$;
COMMENT ON FUNCTION ssot.search_dictionary(text) IS 'Definitions whose name, description, owner, entity or system has the words, the best first: of each variant the version in force, or else the latest. Words as in a web search: "open pipeline" -renewals, booked or billed.';

CREATE FUNCTION ssot.verify_dictionary(
    OUT definition text, OUT variant text, OUT version integer, OUT finding text)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
SELECT d.definition, d.variant, d.version, f.finding
  FROM ssot.definition_version AS d
 CROSS JOIN LATERAL (
       SELECT 'changed since it was approved' AS finding
        WHERE d.checksum IS DISTINCT FROM ssot.definition_checksum(d)
        UNION ALL
       SELECT pg_catalog.format('approved without a signature of %s', t.team)
         FROM pg_catalog.unnest(d.signers OPERATOR(pg_catalog.||) d.leaving_signers) AS t (team)
        WHERE NOT EXISTS (SELECT FROM ssot.signature AS s
                           WHERE s.definition OPERATOR(pg_catalog.=) d.definition
                             AND s.variant OPERATOR(pg_catalog.=) d.variant
                             AND s.version OPERATOR(pg_catalog.=) d.version
                             AND s.team OPERATOR(pg_catalog.=) t.team AND s.withdrawn_at IS NULL)
        UNION ALL
       SELECT 'approved by its author alone'
        WHERE d.signers OPERATOR(pg_catalog.||) d.leaving_signers OPERATOR(pg_catalog.<>) '{}'
          AND NOT EXISTS (SELECT FROM ssot.signature AS s
                           WHERE s.definition OPERATOR(pg_catalog.=) d.definition
                             AND s.variant OPERATOR(pg_catalog.=) d.variant
                             AND s.version OPERATOR(pg_catalog.=) d.version AND s.withdrawn_at IS NULL
                             AND s.signer OPERATOR(pg_catalog.<>) d.created_by
                             AND (s.signer_role OPERATOR(pg_catalog.=) d.created_role
                                  AND s.signer_in OPERATOR(pg_catalog.=) d.created_in) IS NOT TRUE)) AS f
 WHERE d.effective IS NOT NULL
 ORDER BY 1, 2, 3, 4
$$;
COMMENT ON FUNCTION ssot.verify_dictionary() IS 'Approved versions that somebody changed by going around the functions, or that lack a signature: of a team, or of anybody but the author. No rows is the answer to expect.';

CREATE FUNCTION ssot.create_metric(
    name text,
    from_entity regclass DEFAULT NULL,
    measure text DEFAULT NULL,
    filter text DEFAULT NULL,
    unit text DEFAULT NULL,
    description text DEFAULT NULL,
    owner text DEFAULT NULL,
    dimensions jsonb DEFAULT NULL,
    date text DEFAULT NULL,
    kind text DEFAULT 'simple',
    numerator text DEFAULT NULL,
    denominator text DEFAULT NULL,
    expression text DEFAULT NULL,
    period text DEFAULT NULL,
    currency text DEFAULT NULL,
    rates regclass DEFAULT NULL,
    calendar text DEFAULT NULL,
    empty text DEFAULT NULL,
    retired boolean DEFAULT false,
    variant text DEFAULT NULL,
    effective_from timestamptz DEFAULT NULL,
    signers text[] DEFAULT NULL,
    canonical_system text DEFAULT NULL,
    draft boolean DEFAULT false)
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_create_metric';
COMMENT ON FUNCTION ssot.create_metric(text, regclass, text, text, text, text, text, jsonb, text, text, text, text, text, text, text, regclass, text, text, boolean, text, timestamptz, text[], text, boolean) IS 'Makes a new version of a metric; when it is approved (at once, if it has no signers), its views in schemas metrics and metrics_as_of. Returns the version. owner, canonical_system, signers, variant, effective_from and draft as in ssot.create_definition. kind simple: measure is an aggregate over the entity''s rows for which filter is true; columns of entities that it refers to are named through foreign keys (customer.country). cumulative: the same up to the as-of''s day by date, within period (year, quarter, month, week or an interval) if one is given. ratio: numerator and denominator are metrics; derived: expression is arithmetic on metrics; both keep the versions of their parts. dimensions: an array of columns, or {"name": "expression"}; a time grain (day, week, month, quarter, year) stands for the period of date, and {"name": {"hierarchy": "account.parent", "level": 1, "column": "name"}} for the ancestor at that level, 1 being that of the roots, or the record itself where it stands no deeper. currency: the expression of a row''s currency; amounts in another one than unit are converted by rates (an entity with currency, rate and maybe day) or refused. empty: the value where no row counts, "null" for none; 0 for sums and counts if not said. retired: count retired records too. variant: another meaning of the name; the first one is canonical. Expressions are understood under your search path. Refused: what does not parse or is no number, joins that repeat rows, sub-selects, volatile functions and the clock, unknown dimensions, a metric computed from itself. Warns of rows for which the filter is NULL, and of circles in a hierarchy. You must own the entity''s table.';

CREATE FUNCTION ssot.grant_metric(metric text, role text)
RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ssot_grant_metric'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.grant_metric(text, text) IS 'Lets a role read a metric: its views, and those columns of the entities that it reads, since views run with the reader''s rights. The views in metrics_as_of read whole rows of history and need ssot.grant_reader besides. To be called by the owner of the entities, after each version that reads further columns. NULL does nothing.';

CREATE FUNCTION ssot.metric(
    metric text,
    as_of timestamptz DEFAULT NULL,
    version integer DEFAULT NULL,
    variant text DEFAULT NULL,
    by text DEFAULT NULL,
    system text DEFAULT NULL,
    slice jsonb DEFAULT NULL)
RETURNS SETOF ssot.number
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'ssot_metric';
COMMENT ON FUNCTION ssot.metric(text, timestamptz, integer, text, text, text, jsonb) IS 'A metric at any time (default: ssot.as_of, else now), by any version (default: the one in force then), of golden records or of one system''s own: the rows that it holds, parts joined, duplicates counted, rows in quarantine where the fields used can be cast. as_of of a system: its last run whose data was complete through that time. Fields that a system does not map are borrowed from the linked golden record, and listed. by: a dimension or an array of them, one row per value; slice: {"dimension": "value"}. Errors: unknown metric, version or dimension; a time before the history (SS003); a system that maps no field of the measure.';

CREATE FUNCTION ssot.ancestors(ids anyarray, parents anyarray, level integer)
RETURNS TABLE (node anyelement, ancestor anyelement)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 100000
AS 'MODULE_PATHNAME', 'ssot_ancestors';
COMMENT ON FUNCTION ssot.ancestors(anyarray, anyarray, integer) IS 'Per node of a hierarchy (ids, and the parent of each) its ancestor at a level, 1 being that of the roots; itself, where it stands no deeper. Null in a circle, or below one. A parent that is null or not among the ids makes a root. What the views of metrics with a dimension of a level call. Errors: arrays of different length, an id that is null or there twice, a level below 1. NULL gives no rows.';

CREATE FUNCTION ssot.roll_up(ids anyarray, parents anyarray, shown boolean[], nodes anyarray, "values" numeric[], how text,
    OUT node anyelement, OUT parent anyelement, OUT level integer, OUT used boolean, OUT own numeric, OUT value numeric)
RETURNS SETOF record LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 100000
AS 'MODULE_PATHNAME', 'ssot_roll_up';
COMMENT ON FUNCTION ssot.roll_up(anyarray, anyarray, boolean[], anyarray, numeric[], text) IS 'Adds up values along a hierarchy (ids, and the parent of each): each value belongs to a node, and counts for the node and all above it. Per node its parent, level (null in a circle, or below one), whether it or something below it is shown (NULL: all are) or has a value, the value of its own, and that of all from it downwards; null where there is none. Each node is followed by what lies below it. Values whose node is null or not among the ids are one row more, without a node. how: sum, min, max, or distinct, which counts how many different values there are. What ssot.metric_rollup calls. Errors: arrays of different length, an id that is null or there twice, an unknown how.';

CREATE FUNCTION ssot.metric_rollup(
    metric text,
    hierarchy text,
    as_of timestamptz DEFAULT NULL,
    version integer DEFAULT NULL,
    variant text DEFAULT NULL,
    slice jsonb DEFAULT NULL,
    system text DEFAULT NULL)
RETURNS SETOF ssot.rolled_number
LANGUAGE c STABLE ROWS 100000 AS 'MODULE_PATHNAME', 'ssot_metric_rollup';
COMMENT ON FUNCTION ssot.metric_rollup(text, text, timestamptz, integer, text, jsonb, text) IS 'A metric for every node of a hierarchy: by itself (own), and with all that lies below it (value), both exact. hierarchy: the foreign key that leads to the table with the hierarchy (''account''), or the metric''s own table; where that has several foreign keys to itself, followed by one (''account.manager''). One row more, without an id, for rows that refer to no node. Rows come in the order of the tree: each node is followed by what lies below it. Retired nodes are left out unless something that counts, or a node in use, lies on them or below; of a system''s number, all nodes are on which nothing counts. level 1 is that of the roots; a node in a circle has none, and has the value of the whole circle. Sums, counts, count(DISTINCT ...), min and max, avg of exact numbers, and metrics computed from such ones; others are refused. The other arguments as in ssot.metric. It reads with your rights: what the metric reads, and id, parent and retired_at of the hierarchy''s table, which ssot.grant_metric grants if a level is a dimension; rows of nodes that you may not see are in the row without an id. Errors: those of ssot.metric; no such hierarchy, or several.';

CREATE FUNCTION ssot.explain_difference(
    metric text,
    "left" text,
    "right" text,
    method text DEFAULT 'bridge',
    in_order text[] DEFAULT NULL,
    slice jsonb DEFAULT NULL,
    left_variant text DEFAULT NULL,
    right_variant text DEFAULT NULL,
    left_version integer DEFAULT NULL,
    right_version integer DEFAULT NULL,
    left_as_of timestamptz DEFAULT NULL,
    right_as_of timestamptz DEFAULT NULL,
    pair_by text DEFAULT NULL,
    detail boolean DEFAULT false)
RETURNS SETOF ssot.cause
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'ssot_explain_difference';
COMMENT ON FUNCTION ssot.explain_difference(text, text, text, text, text[], jsonb, text, text, integer, integer, timestamptz, timestamptz, text, boolean) IS 'Why two numbers of one metric differ: one row per cause, adding up exactly to right - left. left and right: a system (its own rows, its latest data), golden, publication:<number> or figure:<number> (a reported figure), each by the version in force or by left_variant, left_version, left_as_of and the same of the right. method bridge turns definition, timing, hierarchy and quality from the left''s to the right''s one after the other, in_order if given; shapley takes the mean over all orders, rounded to the unit''s decimals by largest remainder, with the least and most over orders. pair_by: pairs the two sides'' records by this expression, or array of them ({a,b}), over a row of the metric''s entity instead of by golden id; a side that does not map a column of it borrows the golden record''s. Families and open review pairs are of golden ids and are left out then. detail: in the place of each cause the entities behind it, largest first, adding up exactly to the cause. A metric that is no plain sum or count is divided by evaluation: quality is one cause then, and pair_by and detail are refused. NULL detail is false. Errors: an unknown metric, system or version; a system that maps no field of the measure; a time before its first run (SS003); a pair_by that cannot be an expression of a metric.';

CREATE FUNCTION ssot.tell_difference(
    metric text,
    "left" text,
    "right" text,
    method text DEFAULT 'bridge',
    in_order text[] DEFAULT NULL,
    slice jsonb DEFAULT NULL,
    left_variant text DEFAULT NULL,
    right_variant text DEFAULT NULL,
    left_version integer DEFAULT NULL,
    right_version integer DEFAULT NULL,
    left_as_of timestamptz DEFAULT NULL,
    right_as_of timestamptz DEFAULT NULL,
    pair_by text DEFAULT NULL)
RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'ssot_tell_difference';
COMMENT ON FUNCTION ssot.tell_difference(text, text, text, text, text[], jsonb, text, text, integer, integer, timestamptz, timestamptz, text) IS 'What ssot.explain_difference finds, as one sentence: by how much the right is above or below the left, then each cause with its part of that and the reason; a minus marks what works against the whole. Arguments and errors as there.';

CREATE FUNCTION ssot.publish(metric text, as_of timestamptz DEFAULT NULL, slice jsonb DEFAULT NULL,
    version integer DEFAULT NULL, variant text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_publish'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.publish(text, timestamptz, jsonb, integer, text, text) IS 'Publishes a number: keeps its value, as-of, version, slice, who and why in ssot.publication, and returns its number there. Without as_of it is what is believed now: of a metric over one entity as of that entity''s last write, without any lock; over several entities their clocks are advanced to one instant, which waits for writers and keeps them off until the transaction ends. An as_of that may still change is refused.';

CREATE FUNCTION ssot.recompute(metric text, variant text, version integer, as_of timestamptz, slice jsonb, system text,
    OUT value numeric, OUT records bigint, OUT entity text, OUT checksum text, OUT problem text)
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_recompute';
COMMENT ON FUNCTION ssot.recompute(text, text, integer, timestamptz, jsonb, text) IS 'A number again, at its as-of (NULL: now) and by its version, of golden records (system NULL) or of a system; or in problem why it cannot be computed. Beside it how many records the entity had then, and the checksum of the definition.';

CREATE FUNCTION ssot.verify_publications(
    OUT publication_id bigint, OUT metric text, OUT version integer, OUT slice jsonb, OUT as_of timestamptz,
    OUT published numeric, OUT recomputed numeric, OUT difference numeric, OUT cause text)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT p.publication_id, p.metric, p.version, p.slice, p.as_of, p.value, r.value, r.value - p.value,
       CASE WHEN r.problem IS NOT NULL THEN r.problem
            WHEN r.checksum <> p.checksum THEN format('version %s of "%s" no longer says what it said', p.version, p.metric)
            WHEN r.records <> p.records THEN format('%s had %s records at that time, and now has %s', r.entity, p.records, r.records)
            ELSE format('records of %s have other values at that time than they had', r.entity) END
  FROM ssot.publication AS p
 CROSS JOIN LATERAL ssot.recompute(p.metric, p.variant, p.version, p.as_of, p.slice, NULL) AS r
 WHERE r.problem IS NOT NULL OR r.checksum <> p.checksum OR r.records <> p.records OR r.value IS DISTINCT FROM p.value
 ORDER BY p.publication_id
$$;
COMMENT ON FUNCTION ssot.verify_publications() IS 'Computes every published number again, at its as-of and by its version, and returns those that no longer come out, with the cause: an error, another definition, other records, other values. No rows is the answer to expect. Runs under the caller''s rights.';

CREATE FUNCTION ssot.close_period(period text, metrics text[] DEFAULT NULL, reason text DEFAULT NULL)
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_close_period'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.close_period(text, text[], text) IS 'Publishes the numbers of a period (2026, 2026-Q4, 2026-10): of every metric in force, or of those named (name or name:variant), and returns how many. A metric with a date is published for the slice of that period, the others as a whole. A period is closed once; what changes later shows in ssot.restatements() and is accepted by ssot.accept_restatement. Locks as ssot.publish.';

CREATE FUNCTION ssot.restatements(
    OUT publication_id bigint, OUT period text, OUT metric text, OUT variant text, OUT version integer, OUT slice jsonb,
    OUT published numeric, OUT now numeric, OUT difference numeric, OUT as_of timestamptz, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT p.publication_id, p.period, p.metric, p.variant, p.version, p.slice, p.value, r.value, r.value - p.value, p.as_of,
       r.problem
  FROM ssot.publication AS p
 CROSS JOIN LATERAL ssot.recompute(p.metric, p.variant, p.version, NULL, p.slice, NULL) AS r
 WHERE p.period IS NOT NULL
   AND NOT EXISTS (SELECT FROM ssot.publication AS l WHERE l.restates = p.publication_id)
   AND p.slice IS NOT NULL
   AND (r.problem IS NOT NULL OR r.value IS DISTINCT FROM p.value)
 ORDER BY p.period, p.metric, p.variant, p.publication_id
$$;
COMMENT ON FUNCTION ssot.restatements() IS 'Numbers of closed periods that would come out otherwise today, by the version that they were published by: a late change, which somebody accepts with ssot.accept_restatement or has corrected. problem says why a number cannot be computed today; null for all others. Numbers without a date are of the time of closing and are not restated.';

CREATE FUNCTION ssot.accept_restatement(publication bigint, reason text)
RETURNS bigint LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'ssot_accept_restatement'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.accept_restatement(bigint, text) IS 'Publishes what a number is today in the place of an earlier publication, which stays as it is, and returns the new one''s number. NULL does nothing. Errors: an unknown publication, or one that is restated already.';

CREATE FUNCTION ssot.report_figure(metric text, system text, value numeric, as_of timestamptz, slice jsonb DEFAULT NULL,
    variant text DEFAULT NULL, version integer DEFAULT NULL, note text DEFAULT NULL)
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_report_figure'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.report_figure(text, text, numeric, timestamptz, jsonb, text, integer, text) IS 'Registers a number that a system or dashboard reports, to be held against ours from then on (ssot.compare_figures), and returns its number. Errors: unknown metric, version, dimension or system.';

CREATE FUNCTION ssot.compare_figures(
    OUT figure_id bigint, OUT metric text, OUT variant text, OUT system text, OUT as_of timestamptz, OUT slice jsonb,
    OUT reported numeric, OUT own numeric, OUT golden numeric, OUT difference numeric, OUT unexplained numeric, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT f.figure_id, f.metric, f.variant, f.system, f.as_of, f.slice, f.value, o.value, g.value, f.value - g.value,
       f.value - o.value, coalesce(g.problem, o.problem)
  FROM ssot.reported_figure AS f
 CROSS JOIN LATERAL ssot.recompute(f.metric, f.variant, f.version, f.as_of, f.slice, f.system) AS o
 CROSS JOIN LATERAL ssot.recompute(f.metric, f.variant, f.version, f.as_of, f.slice, NULL) AS g
 ORDER BY f.figure_id
$$;
COMMENT ON FUNCTION ssot.compare_figures() IS 'Every reported figure beside what that system''s own records give (own) and what the company believes (golden), at the figure''s time; unexplained is what its own records do not give. problem says why one of them cannot be computed. Ask ssot.explain_difference with ''figure:<number>'' why they differ.';

CREATE FUNCTION ssot.snapshot_metrics()
RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME', 'ssot_snapshot_metrics'
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION ssot.snapshot_metrics() IS 'Keeps the present value of every metric in force in ssot.metric_snapshot, and returns how many were kept; for a schedule, once a day. A metric that cannot be computed is warned of and left out; the others are kept.';

CREATE FUNCTION ssot.anomalies(
    OUT metric text, OUT variant text, OUT taken_at timestamptz, OUT value numeric, OUT expected numeric,
    OUT lowest numeric, OUT highest numeric, OUT compared bigint, OUT same_weekday boolean, OUT is_anomaly boolean)
RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
WITH latest AS (
    SELECT DISTINCT ON (s.metric, s.variant) s.*
      FROM ssot.metric_snapshot AS s
     ORDER BY s.metric, s.variant, s.taken_at DESC
), earlier AS (
    SELECT l.metric, l.variant, s.value,
           extract(isodow FROM s.taken_at) = extract(isodow FROM l.taken_at) AS same_weekday
      FROM latest AS l
      JOIN ssot.metric_snapshot AS s USING (metric, variant, version)
     WHERE s.taken_at < l.taken_at AND s.value IS NOT NULL
), chosen AS (
    SELECT e.metric, e.variant, e.value, c.weekdays >= 5 AS same_weekday
      FROM earlier AS e
      JOIN (SELECT x.metric, x.variant, count(*) FILTER (WHERE x.same_weekday) AS weekdays
              FROM earlier AS x GROUP BY x.metric, x.variant) AS c USING (metric, variant)
     WHERE e.same_weekday OR c.weekdays < 5
), middle AS (
    SELECT c.metric, c.variant, bool_and(c.same_weekday) AS same_weekday, count(*) AS compared,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY c.value::double precision)::numeric AS median
      FROM chosen AS c GROUP BY c.metric, c.variant
), spread AS (
    SELECT m.metric, m.variant, m.same_weekday, m.compared, m.median,
           greatest(3 * 1.4826 * percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(c.value - m.median)::double precision)::numeric,
                    abs(m.median) / 1000) AS reach
      FROM middle AS m
      JOIN chosen AS c USING (metric, variant)
     GROUP BY m.metric, m.variant, m.same_weekday, m.compared, m.median
)
SELECT l.metric, l.variant, l.taken_at, l.value, s.median, s.median - s.reach, s.median + s.reach, coalesce(s.compared, 0),
       coalesce(s.same_weekday, false),
       coalesce(s.compared >= 5 AND (l.value IS NULL OR abs(l.value - s.median) > s.reach), false)
  FROM latest AS l
  LEFT JOIN spread AS s USING (metric, variant)
 ORDER BY l.metric, l.variant
$$;
COMMENT ON FUNCTION ssot.anomalies() IS 'The latest snapshot of each metric beside the range that earlier ones let expect: their median, and to both sides three times 1.4826 times their median absolute deviation, at least a thousandth of the median. Compared are snapshots of the same version, and those of the same weekday (in the session''s time zone) where there are five, else all. is_anomaly: outside that range, with five or more to compare.';

-- end of II.6


-- ============================================================================
-- II.7  reconcile: running, progress, schedules; matching any relation
-- ============================================================================


CREATE FUNCTION ssot.reconcile(entity regclass, "full" boolean DEFAULT false, accept_deletes boolean DEFAULT false,
    OUT source text, OUT system text, OUT rows_read bigint, OUT rows_new bigint, OUT rows_changed bigint,
    OUT retired bigint, OUT quarantined bigint, OUT linked bigint, OUT golden_changed bigint, OUT held bigint,
    OUT drift_opened bigint, OUT drift_closed bigint, OUT seconds numeric)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_reconcile';
COMMENT ON FUNCTION ssot.reconcile(regclass, boolean, boolean) IS 'Reads the sources of an entity, links their records, brings golden records, history and drift up to date, and returns the figures: one row per source and one, named (golden), for the canonical table. Atomic: an error or a cancel leaves nothing half done. full reads every row anew and settles every golden record; accept_deletes lets more records vanish than max_retire allows. Errors: SS001 too many rows for quarantine, SS002 too many records gone. Locks: the entity against other runs; its clock, against writers, once it begins to write. Needs ownership of the table.';

CREATE FUNCTION ssot.settle(entity regclass)
RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_settle_entity';
COMMENT ON FUNCTION ssot.settle(regclass) IS 'Settles every golden record again from the records that are stored, without reading a source: chooses each value anew and brings golden, held and drift up to date. Returns how many golden records were written; 0 where everything was as the rules say. For use after a repair of stored records; ssot.reconcile does this by itself when rules change. NULL does nothing. Locks and rights as ssot.reconcile.';

CREATE PROCEDURE ssot.reconcile_all(entities regclass[] DEFAULT NULL, "full" boolean DEFAULT false)
LANGUAGE c
AS 'MODULE_PATHNAME', 'ssot_reconcile_all';
COMMENT ON PROCEDURE ssot.reconcile_all(regclass[], boolean) IS 'Reconciles all entities, or those named, parents before those that refer to them, and commits after each. A failure is recorded in ssot.reconcile_run and does not stop the others; at the end the call raises SS004 naming those that failed. Cannot run inside a transaction block.';

CREATE VIEW ssot.progress WITH (security_invoker = true) AS
SELECT a.pid,
       m.parts[1] AS entity,
       m.parts[2] AS phase,
       pg_catalog.clock_timestamp() - a.query_start AS running_for,
       a.usename::text AS run_by
  FROM pg_catalog.pg_stat_activity AS a
 CROSS JOIN LATERAL pg_catalog.regexp_match(a.query, '^ssot: reconciling (.*): ([^:]*)$') AS m (parts)
 WHERE a.state = 'active'
   AND m.parts IS NOT NULL;
COMMENT ON VIEW ssot.progress IS 'Reconciliations that are running now, in any session of the server whose activity the caller may see.';
COMMENT ON COLUMN ssot.progress.pid IS 'Process that runs it; pg_cancel_backend(pid) ends it with nothing half done';
COMMENT ON COLUMN ssot.progress.entity IS 'Entity that is being reconciled';
COMMENT ON COLUMN ssot.progress.phase IS 'What the run is doing';
COMMENT ON COLUMN ssot.progress.running_for IS 'How long the statement has been running';
COMMENT ON COLUMN ssot.progress.run_by IS 'Role that runs it';

CREATE FUNCTION ssot.schedule(entity regclass, schedule text)
RETURNS bigint
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_schedule';
COMMENT ON FUNCTION ssot.schedule(regclass, text) IS 'Reconciles the entity on a schedule in cron''s notation (''0 2 * * *'': every night at two), through pg_cron, as the caller. Replaces the caller''s schedule of the entity; returns the job''s number. Error with a hint where pg_cron is not loaded or lives in another database.';

CREATE FUNCTION ssot.unschedule(entity regclass)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unschedule';
COMMENT ON FUNCTION ssot.unschedule(regclass) IS 'Ends the caller''s schedule of the entity; false if there was none.';

CREATE FUNCTION ssot.list_schedules(
    OUT entity text, OUT schedule text, OUT run_by text, OUT active boolean, OUT job_id bigint,
    OUT last_start timestamptz, OUT last_status text, OUT last_message text)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_schedules';
COMMENT ON FUNCTION ssot.list_schedules() IS 'What ssot.schedules shows. No rows where pg_cron is not in this database.';

CREATE VIEW ssot.schedules WITH (security_invoker = true) AS
SELECT s.entity, s.schedule, s.run_by, s.active, s.job_id, s.last_start, s.last_status, s.last_message
  FROM ssot.list_schedules() AS s;
COMMENT ON VIEW ssot.schedules IS 'Reconciliations on a schedule, with the outcome of the last start. No rows where pg_cron is not in this database.';
COMMENT ON COLUMN ssot.schedules.entity IS 'Entity that is reconciled';
COMMENT ON COLUMN ssot.schedules.schedule IS 'When, in cron''s notation';
COMMENT ON COLUMN ssot.schedules.run_by IS 'Role the job runs as';
COMMENT ON COLUMN ssot.schedules.active IS 'Whether pg_cron starts it';
COMMENT ON COLUMN ssot.schedules.job_id IS 'pg_cron''s number of the job';
COMMENT ON COLUMN ssot.schedules.last_start IS 'When it was last started';
COMMENT ON COLUMN ssot.schedules.last_status IS 'How that ended';
COMMENT ON COLUMN ssot.schedules.last_message IS 'What it said';

CREATE FUNCTION ssot.match(relation regclass, key text[] DEFAULT NULL, compare jsonb DEFAULT NULL,
    one_per text DEFAULT NULL, match double precision DEFAULT 0.8, review double precision DEFAULT 0.3,
    max_cluster integer DEFAULT 1000, blocking jsonb DEFAULT NULL, prior double precision DEFAULT NULL,
    OUT record_key text, OUT cluster text)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match';
COMMENT ON FUNCTION ssot.match(regclass, text[], jsonb, text, double precision, double precision, integer, jsonb, double precision) IS 'Which rows of a relation are one thing: each row''s key, and the cluster that it belongs to, called by the least key in it (bytewise). Nothing need be registered or labelled: the weight of each level of agreement is learnt from the data (src/identity/README). key names the columns that identify a row; several are joined by |; left out, it is the primary key, in the order of the table. compare says what is compared as what: {"surname": "text", "born": "date", "person": {"kind": "person_name", "fields": ["given", "family"]}}; the kinds: ssot.match_kinds. Left out, comparisons are chosen by the names and types of the other columns, as by ssot.set_matching, and printed; it is an error (22023) if they tell nothing. Levels and weights in compare, blocking and prior as for ssot.set_matching. one_per names a column, such as the system, of whose values no two rows are one thing. Two rows are put together from the probability match, if what else is in their clusters does not speak against it; no cluster grows past max_cluster. The outcome does not depend on the order of the rows. From some 30,000 rows on, parallel workers help, up to max_parallel_maintenance_workers; the outcome is the same without. What grows with the rows is kept within maintenance_work_mem, which the workers share; the rest lies in temporary files, mapped, within temp_file_limit. What was not compared in full is told in NOTICEs. Runs under the caller''s rights.';

CREATE FUNCTION ssot.match_pairs(relation regclass, key text[] DEFAULT NULL, compare jsonb DEFAULT NULL,
    one_per text DEFAULT NULL, match double precision DEFAULT 0.8, review double precision DEFAULT 0.3,
    max_cluster integer DEFAULT 1000, blocking jsonb DEFAULT NULL, prior double precision DEFAULT NULL,
    OUT left_key text, OUT right_key text, OUT weight double precision, OUT probability double precision,
    OUT evidence jsonb, OUT joined boolean)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_pairs';
COMMENT ON FUNCTION ssot.match_pairs(regclass, text[], jsonb, text, double precision, double precision, integer, jsonb, double precision) IS 'The pairs of rows that ssot.match finds probable: from the probability review (or match, where that is less), the strongest first. weight is the binary logarithm of the odds, prior included; evidence tells the level of each comparison; joined whether both are in one cluster. Arguments as for ssot.match.';

CREATE FUNCTION ssot.match_model(relation regclass, key text[] DEFAULT NULL, compare jsonb DEFAULT NULL,
    one_per text DEFAULT NULL, match double precision DEFAULT 0.8, review double precision DEFAULT 0.3,
    max_cluster integer DEFAULT 1000, blocking jsonb DEFAULT NULL, prior double precision DEFAULT NULL,
    OUT field text, OUT kind text, OUT level_number integer, OUT level text, OUT m double precision,
    OUT u double precision, OUT weight double precision)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_model';
COMMENT ON FUNCTION ssot.match_model(regclass, text[], jsonb, text, double precision, double precision, integer, jsonb, double precision) IS 'What ssot.match learns from the rows: for each comparison and level how often it is met among two rows of one thing (m), among rows of two (u), and its weight, the binary logarithm of m / u. The row without a field is the prior: the probability that two rows taken at random are one thing (m), and the logarithm of its odds (weight); its level is given if it was. Rows of kind tie name two fields of which rows of two things that agree on one agree on the other (town and postcode): how often they agree on both (u), and what is taken off a pair that does (weight). Arguments as for ssot.match.';

CREATE FUNCTION ssot.match_blocking(relation regclass, key text[] DEFAULT NULL, compare jsonb DEFAULT NULL,
    one_per text DEFAULT NULL, match double precision DEFAULT 0.8, review double precision DEFAULT 0.3,
    max_cluster integer DEFAULT 1000, blocking jsonb DEFAULT NULL, prior double precision DEFAULT NULL,
    OUT rule text, OUT coverage double precision, OUT pairs bigint, OUT oversized integer,
    OUT oversized_records bigint)
RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_blocking';
COMMENT ON FUNCTION ssot.match_blocking(regclass, text[], jsonb, text, double precision, double precision, integer, jsonb, double precision) IS 'Which rows ssot.match compares: the rules under which rows are brought together, in their order, the share of rows that each applies to, and the pairs that it adds to those of the rules before it. oversized counts the keys that too many rows share, and oversized_records those rows: such a key brings nobody together, other keys that they share do. Arguments as for ssot.match.';

CREATE FUNCTION ssot.match_kinds(OUT kind text, OUT description text, OUT levels text[], OUT thresholds text)
RETURNS SETOF record
LANGUAGE c IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_kinds';
COMMENT ON FUNCTION ssot.match_kinds() IS 'The kinds of comparison that ssot.match knows, their levels of agreement from the worst to the best, and what number they measure, on which thresholds may be declared instead of levels (NULL: none).';

CREATE FUNCTION ssot.match_level(kind text, a text, b text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_value_level';
COMMENT ON FUNCTION ssot.match_level(text, text, text) IS 'How well two values of a kind agree: the name of the level, one of those that ssot.match_kinds lists. Symmetric. How rare words are in the data, which ssot.match takes into account, is not known here. NULL if one of the values is null or says nothing. Errors: an unknown kind (42704).';

CREATE FUNCTION ssot.match_level(kind text, a text[], b text[]) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_value_level';
COMMENT ON FUNCTION ssot.match_level(text, text[], text[]) IS 'How well two values of a kind agree: the name of the level, one of those that ssot.match_kinds lists. Symmetric. How rare words are in the data, which ssot.match takes into account, is not known here. NULL if one of the values is null or says nothing. For a value of several columns, such as given and family name. Errors: an unknown kind (42704).';

CREATE FUNCTION ssot.match_keys(kind text, value text, OUT class text, OUT key bigint) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 8
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_value_keys';
COMMENT ON FUNCTION ssot.match_keys(text, text) IS 'The keys under which a value of a kind is brought together with others: two records are compared if they share one (or two, of classes that select too little alone). class says what the key is made of, and names it in blocking rules (name:rare word); the key itself is a hash. No rows where the value is null or says nothing. Errors: an unknown kind (42704).';

CREATE FUNCTION ssot.match_keys(kind text, value text[], OUT class text, OUT key bigint) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 8
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_match_value_keys';
COMMENT ON FUNCTION ssot.match_keys(text, text[]) IS 'The keys under which a value of a kind is brought together with others: two records are compared if they share one (or two, of classes that select too little alone). class says what the key is made of, and names it in blocking rules (name:rare word); the key itself is a hash. No rows where the value is null or says nothing. For a value of several columns, such as given and family name. Errors: an unknown kind (42704).';

CREATE FUNCTION ssot.watch(entity regclass, every interval DEFAULT '1 minute')
RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_watch';
COMMENT ON FUNCTION ssot.watch(regclass, interval) IS 'Has the entity reconciled shortly after a change: when triggers have noted a change of a source (ssot.set_reading), when an entity that it refers to was written, and, if it has sources without change capture, every so often. With pg_cron in this database a job of yours starts the worker (one per role and database); otherwise keep CALL ssot.watch_all() running in a session. Sources without change capture or watermark are read in full each time. You must own the table.';

CREATE FUNCTION ssot.unwatch(entity regclass)
RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ssot_unwatch';
COMMENT ON FUNCTION ssot.unwatch(regclass) IS 'Ends ssot.watch of the entity; false if it was not watched. Your pg_cron job ends with the last entity that you watch.';

CREATE PROCEDURE ssot.watch_all(poll interval DEFAULT '1 second', run_for interval DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'ssot_watch_all';
COMMENT ON PROCEDURE ssot.watch_all(interval, interval) IS 'The worker of ssot.watch: looks every poll what is due among the watched entities whose tables your role owns, reconciles it, and commits after each. A failure is recorded in ssot.reconcile_run and tried again after 2, 4, ... 64 seconds; the others go on. Ends after run_for, or when it is cancelled (NULL). Several workers do no harm. Cannot run inside a transaction block.';

-- end of II.7


-- ============================================================================
-- II.8  grants: what PUBLIC may not do
-- ============================================================================

-- entity
GRANT USAGE ON SCHEMA ssot TO PUBLIC;

-- The map is public as the catalogue is: it names tables and rules, no record.
-- Runs and their messages are not: a message may quote a value.
GRANT SELECT ON ssot.system, ssot.entity, ssot.field, ssot.source, ssot.source_state,
      ssot.value_map, ssot.clock, ssot.merged_id, ssot.progress, ssot.schedules TO PUBLIC;

-- Merged ids name records: they show to those who may read the whole entity.
ALTER TABLE ssot.merged_id ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON ssot.merged_id FOR SELECT USING (
    EXISTS (SELECT
              FROM pg_catalog.pg_class AS c
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE ARRAY[n.nspname, c.relname]::text[] = parse_ident(entity)
               AND has_table_privilege(c.oid, 'SELECT')
               AND NOT row_security_active(c.oid)));
COMMENT ON POLICY reader ON ssot.merged_id IS 'Merged ids of the entities that the reader may read whole';
REVOKE ALL ON FUNCTION
    ssot.create_system(text, text, text),
    ssot.alter_system(text, text, text),
    ssot.drop_system(text),
    ssot.register_entity(regclass, text, text, text, numeric, numeric),
    ssot.alter_entity(regclass, text, text, text, numeric, numeric),
    ssot.unregister_entity(regclass, boolean),
    ssot.unregister_dropped_entity(text),
    ssot.create_source(regclass, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text),
    ssot.create_source(regclass, text, text, text[], jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text),
    ssot.alter_source(regclass, text, text, text, jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text),
    ssot.alter_source(regclass, text, text, text[], jsonb, jsonb, jsonb, text, text, jsonb, text, text, jsonb, boolean, text, text, interval, text, text, text, integer, text),
    ssot.drop_source(regclass, text),
    ssot.set_reading(regclass, text, text, interval, interval),
    ssot.set_value_map(regclass, text, text, jsonb),
    ssot.set_authority(regclass, text, text[], text, text, boolean, text, double precision, text),
    ssot.set_authority(regclass, text[], text[], text, text, boolean, text, double precision, text),
    ssot.set_pin_policy(regclass, text, text[]),
    ssot.grant_reader(regclass, text, text[]),
    ssot.grant_steward(regclass, text, text[]),
    ssot.grant_admin(regclass, text),
    ssot.revoke_reader(regclass, text),
    ssot.revoke_steward(regclass, text),
    ssot.revoke_admin(regclass, text)
FROM PUBLIC;
GRANT SELECT ON ssot.entity_map TO PUBLIC;

REVOKE ALL ON FUNCTION
    ssot.pin(regclass, text, text, text, text),
    ssot.unpin(regclass, text, text, text)
FROM PUBLIC;
GRANT SELECT ON ssot.pins, ssot.past_pins, ssot.held_merges, ssot.match_review TO PUBLIC;
REVOKE ALL ON FUNCTION
    ssot.merge(regclass, text, text, text),
    ssot.unmerge(regclass, text, text),
    ssot.split(regclass, text, text[], text),
    ssot.retire(regclass, text, text),
    ssot.restore(regclass, text, text),
    ssot.guard_source(regclass, text, text, double precision),
    ssot.train_matching(regclass, boolean, boolean),
    ssot.unguard_source(regclass, text),
    ssot.guard_insert(),
    ssot.confirm_match(regclass, text, text, text),
    ssot.reject_match(regclass, text, text, text),
    ssot.set_matching(regclass, jsonb, double precision, double precision, integer, boolean, jsonb, double precision),
    ssot.unset_matching(regclass)
FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.reconcile(regclass, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.settle(regclass) FROM PUBLIC;
REVOKE ALL ON PROCEDURE ssot.reconcile_all(regclass[], boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.schedule(regclass, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.unschedule(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.watch(regclass, interval) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.unwatch(regclass) FROM PUBLIC;
REVOKE ALL ON PROCEDURE ssot.watch_all(interval, interval) FROM PUBLIC;

REVOKE ALL ON FUNCTION ssot.follow_name() FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.ddl_begins(), ssot.ddl_drops(), ssot.ddl_ends() FROM PUBLIC;

REVOKE ALL ON FUNCTION ssot.create_calendar(text, text, text, text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION
    ssot.create_metric(text, regclass, text, text, text, text, text, jsonb, text, text, text, text, text, text, text, regclass, text, text, boolean, text, timestamptz, text[], text, boolean),
    ssot.create_definition(text, text, text, text, text, regclass, text[], text, timestamptz, boolean),
    ssot.propose(text, integer, text),
    ssot.sign(text, integer, text, text),
    ssot.withdraw(text, integer, text),
    ssot.deprecate(text, integer, text, timestamptz, integer),
    ssot.retire_definition(text, integer, text),
    ssot.use_definition(text, text, text),
    ssot.set_canonical_variant(text, text),
    ssot.refresh_metrics()
FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.grant_metric(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION ssot.publish(text, timestamptz, jsonb, integer, text, text), ssot.close_period(text, text[], text),
    ssot.accept_restatement(bigint, text), ssot.report_figure(text, text, numeric, timestamptz, jsonb, text, integer, text),
    ssot.snapshot_metrics() FROM PUBLIC;
GRANT SELECT ON ssot.publication, ssot.reported_figure, ssot.metric_snapshot TO PUBLIC;
GRANT SELECT ON ssot.calendar, ssot.definition_version, ssot.signature, ssot.used_definition, ssot.dictionary, ssot.decertified TO PUBLIC;

-- end of II.8


-- ============================================================================
-- II.9  event triggers: last, so that they do not hear this file
-- ============================================================================

CREATE EVENT TRIGGER ssot_ddl_begins ON ddl_command_start
    WHEN TAG IN ('ALTER TABLE', 'DROP TABLE', 'ALTER SCHEMA', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE',
                 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER AGGREGATE', 'ALTER OPERATOR', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER COLLATION', 'ALTER EXTENSION')
    EXECUTE FUNCTION ssot.ddl_begins();
COMMENT ON EVENT TRIGGER ssot_ddl_begins IS 'Keeps the values of a column of an entity before it is dropped; notes what definitions mean before something is renamed';

CREATE EVENT TRIGGER ssot_ddl_drops ON sql_drop
    EXECUTE FUNCTION ssot.ddl_drops();
COMMENT ON EVENT TRIGGER ssot_ddl_drops IS 'Guards entities and their companions against DROP; takes dropped columns off the map';

CREATE EVENT TRIGGER ssot_ddl_ends ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER SCHEMA', 'ALTER VIEW', 'ALTER INDEX', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE',
                 'ALTER FUNCTION', 'ALTER ROUTINE', 'ALTER AGGREGATE', 'ALTER OPERATOR', 'ALTER TYPE', 'ALTER DOMAIN',
                 'ALTER COLLATION', 'ALTER EXTENSION', 'COMMENT')
    EXECUTE FUNCTION ssot.ddl_ends();
COMMENT ON EVENT TRIGGER ssot_ddl_ends IS 'Makes companions, as-of function and view, and the Entity Map follow the DDL of an entity, and definitions follow renames';

-- end of II.9
