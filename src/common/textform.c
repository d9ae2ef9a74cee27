/*
 * common/textform.c
 *		Values as text that means the same in every session.
 *
 * Text that is stored or compared must not depend on who wrote it: a date
 * written under DateStyle "German" and read under "ISO" would be another date.
 * postgres_fdw has the same need and pins the same settings. Pinning costs some
 * microseconds, so it is left out for types that no setting touches.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/textform.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

static void
pin(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
ssot_pin_settings(void)
{
	int			level = NewGUCNestLevel();

	pin("DateStyle", "ISO, YMD");
	pin("IntervalStyle", "postgres");
	pin("TimeZone", "UTC");
	pin("extra_float_digits", "1");
	pin("bytea_output", "hex");
	pin("lc_monetary", "C");
	pin("search_path", "pg_catalog");
	return level;
}

void
ssot_unpin_settings(int level)
{
	AtEOXact_GUC(true, level);
}

void
ssot_text_form_init(SsotTextForm *form, Oid type)
{
	Oid			function;
	bool		is_varlena;

	getTypeOutputInfo(type, &function, &is_varlena);
	fmgr_info(function, &form->output);
	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case NAMEOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
		case JSONBOID:
			form->needs_pinning = false;
			break;
		default:
			form->needs_pinning = true;
	}
}

char *
ssot_text_form(SsotTextForm *form, Datum value)
{
	char	   *text;
	int			level;

	if (!form->needs_pinning)
		return OutputFunctionCall(&form->output, value);
	level = ssot_pin_settings();
	text = OutputFunctionCall(&form->output, value);

	ssot_unpin_settings(level);
	return text;
}
