-- ssot--1.0.sql: everything `CREATE EXTENSION ssot` creates.
--
-- TABLE OF CONTENTS
--   PART I   what holds state: schema, types, tables, sequences. Changing it needs an update script.
--     I.1  common: schema and shared sequences
--     I.2  entity: systems, entities, sources, fields, code lists
--     I.3  golden: clock, merged ids
--     I.4  ingest: state of sources
--     I.5  reconcile: runs and schedules
--     I.6  text: words that count as blank
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
-- II.1  text: normalisation, blank-ness, validators, countries, phones
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
    AS $$
    WITH asked AS (
        SELECT ssot.blank_word_form($1) AS word
    ), written AS (
        INSERT INTO ssot.blank_word AS b (word, is_blank)
        SELECT a.word, true
          FROM asked AS a
            ON CONFLICT (word) DO UPDATE SET is_blank = true
    )
    SELECT NOT EXISTS (SELECT
                         FROM ssot.blank_words() AS w
                         JOIN asked AS a ON a.word OPERATOR(pg_catalog.=) w.word)
$$;
COMMENT ON FUNCTION ssot.add_blank_word(text) IS
'Let a word count as blank from the next statement on, in any case, width and spacing. True if it did not before. Values that are already golden stay until the next full reconciliation. NULL in, NULL out. Errors: empty, or longer than 64 bytes (22023).';

CREATE FUNCTION ssot.drop_blank_word(word text) RETURNS boolean
    LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
    AS $$
    WITH known AS (
        SELECT w.word
          FROM ssot.blank_words() AS w
         WHERE w.word OPERATOR(pg_catalog.=) ssot.blank_word_form($1)
    ), written AS (
        INSERT INTO ssot.blank_word AS b (word, is_blank)
        SELECT k.word, false
          FROM known AS k
            ON CONFLICT (word) DO UPDATE SET is_blank = false
    )
    SELECT EXISTS (SELECT FROM known AS k)
$$;
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


