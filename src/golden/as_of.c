/*
 * golden/as_of.c
 *		Reading what was believed at a time.
 *
 * The reading itself is SQL that the planner inlines: golden.customer_at(t) and
 * the views of golden_as_of join the current table and its history. What is here
 * says which time is meant and whether it can be answered. A time before the
 * history begins is an error, never an empty result. A time beyond last_write is
 * allowed and provisional: what is believed then may still change.
 *
 * These functions take no lock and run on a hot standby and in parallel workers:
 * the snapshot of the calling query decides what they see.
 */
#include "postgres.h"

#include <ctype.h>

#include "ssot.h"
#include "common/errors.h"
#include "common/ident.h"
#include "common/owner.h"
#include "common/query.h"
#include "entity/declare.h"
#include "golden/as_of.h"
#include "golden/clock.h"
#include "golden/history.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(ssot_check_as_of);
PG_FUNCTION_INFO_V1(ssot_as_of);
PG_FUNCTION_INFO_V1(ssot_stable_until);
PG_FUNCTION_INFO_V1(ssot_history);

/* Words that mean another instant each time they are read. */
static bool
is_moving(const char *word)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};

	for (int i = 0; i < lengthof(words); i++)
	{
		if (strcmp(word, words[i]) == 0)
			return true;
	}
	return false;
}

/* PostgreSQL 15 raises an error for a zone like Mars/Olympus, where we may not. */
static bool
is_unknown_zone(const char *word)
{
	return isalpha((unsigned char) word[0]) && strchr(word, '/') != NULL &&
		pg_tzset(word) == NULL;
}

const char *
ssot_parse_as_of(const char *text, TimestampTz *time)
{
	static const char *const malformed = "It is not a timestamp with time zone.";
	char		buf[MAXDATELEN + MAXDATEFIELDS];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nfields;
	int			dtype;
	struct pg_tm tm;
	fsec_t		fsec;
	int			zone;

	if (ParseDateTime(text, buf, sizeof(buf), field, ftype, MAXDATEFIELDS, &nfields) != 0)
		return malformed;
	for (int i = 0; i < nfields; i++)
	{
		if (is_moving(field[i]))
			return "It must be a fixed instant: the same question must get the same answer.";
		if (is_unknown_zone(field[i]))
			return "It names an unknown time zone.";
	}
	if (ssot_decode_datetime(field, ftype, nfields, &dtype, &tm, &fsec, &zone) != 0)
		return malformed;
	switch (dtype)
	{
		case DTK_DATE:
			return tm2timestamp(&tm, fsec, &zone, time) == 0 ? NULL :
				"It is out of range.";
		case DTK_EPOCH:
			*time = SetEpochTimestamp();
			return NULL;
		case DTK_LATE:
			*time = DT_NOEND;
			return NULL;
		case DTK_EARLY:
			*time = DT_NOBEGIN;
			return NULL;
		default:
			return malformed;
	}
}

static SsotQuery history_begin = {
	.sql =
	"SELECT e.history_from"
	"  FROM ssot.entity AS e"
	" WHERE e.entity OPERATOR(pg_catalog.=) $1",
	.nargs = 1,
	.argtypes = {TEXTOID},
	.read_only = true
};

/* Error if the entity's history does not reach back to the time. */
static void
require_history(const char *entity_name, TimestampTz time)
{
	Datum		args[1] = {CStringGetTextDatum(entity_name)};
	Datum		begin;
	bool		isnull;
	bool		found;
	SsotUser	user;

	user = ssot_become_owner(ssot_companion_oid("ssot.entity"));
	found = ssot_query_one(&history_begin, args, NULL, 1, &begin, &isnull);
	ssot_restore_user(user);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("\"%s\" is not a registered entity", entity_name),
				 errhint("ssot.register_entity registers a table and makes its as-of function and view.")));
	if (time < DatumGetTimestampTz(begin))
	{
		char	   *asked = pstrdup(timestamptz_to_str(time));

		ereport(ERROR,
				(errcode(ERRCODE_SSOT_BEFORE_HISTORY),
				 errmsg("the history of \"%s\" does not reach back to %s", entity_name, asked),
				 errdetail("The first instant available is %s.",
						   timestamptz_to_str(DatumGetTimestampTz(begin))),
				 errhint("Ask for that instant or a later one.")));
	}
}

/*
 * check_as_of(entity text, t timestamptz): true, or an error where the belief at
 * t cannot be told. NULL is an error.
 */
Datum
ssot_check_as_of(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the as-of time must not be null"),
				 errhint("Name an instant, or 'infinity' for the current belief.")));
	require_history(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(1));
	PG_RETURN_BOOL(true);
}

/*
 * as_of(entity text): the time in the setting ssot.as_of, checked; 'infinity'
 * while the setting is empty. The text is read here and not when it is set,
 * because it depends on TimeZone and DateStyle, and because a setting made
 * before the library was loaded was never checked.
 */
Datum
ssot_as_of(PG_FUNCTION_ARGS)
{
	TimestampTz time = DT_NOEND;
	const char *problem;

	if (ssot_unknown_setting != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no setting \"%s\"", ssot_unknown_setting),
				 errdetail("It was set before ssot was loaded, when its name could not be checked."),
				 errhint("The time whose belief is read is ssot.as_of; SET it, or RESET it for the current belief.")));
	if (ssot_as_of_setting == NULL || ssot_as_of_setting[0] == '\0')
		PG_RETURN_TIMESTAMPTZ(time);
	problem = ssot_parse_as_of(ssot_as_of_setting, &time);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for the setting ssot.as_of: \"%s\"", ssot_as_of_setting),
				 errdetail("%s", problem),
				 errhint("For example: SET ssot.as_of = '2026-11-04 11:59 America/New_York'.")));
	require_history(text_to_cstring(PG_GETARG_TEXT_PP(0)), time);
	PG_RETURN_TIMESTAMPTZ(time);
}

/*
 * stable_until(entity regclass): last_write as the calling query sees it. No
 * answer for this time or an earlier one ever changes.
 */
Datum
ssot_stable_until(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(ssot_clock_read(ssot_entity_name(PG_GETARG_OID(0))));
}

/*
 * history(entity regclass, id text): every version of one golden record, oldest
 * first, with who made it, why, and in which run. A closed version knows who
 * ended it, and that is who made the next.
 *
 * SELECT v.valid_from, nullif(v.valid_to, 'infinity'),
 *        lag(v.changed_by) OVER w, lag(v.reason) OVER w, lag(v.run) OVER w, v.record,
 *        CASE WHEN lead(v.valid_to) OVER w IS NULL THEN v.reason END
 *   FROM (SELECT h.valid_from, h.valid_to, h.ssot_changed_by, h.ssot_reason, h.ssot_run,
 *                to_jsonb(r)
 *           FROM golden_ssot.customer_history AS h, LATERAL (SELECT h.customer_id, ...) AS r
 *          WHERE h.customer_id = $1
 *         UNION ALL
 *         SELECT g.valid_from, 'infinity', NULL, NULL, NULL, to_jsonb(r)
 *           FROM golden.customer AS g, LATERAL (SELECT g.customer_id, ...) AS r
 *          WHERE g.customer_id = $1) AS v (...)
 * WINDOW w AS (ORDER BY v.valid_to)
 *  ORDER BY v.valid_to
 */
static char *
history_query(const SsotEntity *entity)
{
	return ssot_sql("SELECT v.valid_from, nullif(v.valid_to, 'infinity'),"
					"       lag(v.changed_by) OVER w, lag(v.reason) OVER w,"
					"       lag(v.run) OVER w, v.record,"
					"       CASE WHEN lead(v.valid_to) OVER w IS NULL THEN v.reason END"
					" FROM (SELECT h.valid_from, h.valid_to, h.ssot_changed_by, h.ssot_reason,"
					"              h.ssot_run, to_jsonb(r)"
					"       FROM %T AS h, LATERAL (SELECT %s) AS r"
					"       WHERE h.%I = $1"
					"       UNION ALL"
					"       SELECT g.valid_from, 'infinity', NULL, NULL, NULL, to_jsonb(r)"
					"       FROM %T AS g, LATERAL (SELECT %s) AS r"
					"       WHERE g.%I = $1)"
					"      AS v (valid_from, valid_to, changed_by, reason, run, record)"
					" WINDOW w AS (ORDER BY v.valid_to)"
					" ORDER BY v.valid_to",
					entity->history_table, ssot_content_columns(entity, "h."),
					entity->id_column,
					entity->name, ssot_content_columns(entity, "g."),
					entity->id_column);
}

Datum
ssot_history(PG_FUNCTION_ARGS)
{
	SsotEntity *entity = ssot_entity_load(PG_GETARG_OID(0), false);
	Oid			argtypes[1] = {entity->id_type};
	Datum		args[1] = {ssot_golden_id(entity, text_to_cstring(PG_GETARG_TEXT_PP(1)))};
	SsotStatement statement = {
		.sql = history_query(entity),.nargs = 1,.argtypes = argtypes,.args = args,
		.read_only = true
	};

	ssot_statement_return(fcinfo, &statement);
	PG_RETURN_NULL();
}
