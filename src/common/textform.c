/*
 * common/textform.c
 *		Values as text that means the same in every session.
 *
 * Text that is stored or compared must not depend on who wrote it: a date
 * written under DateStyle "German" and read under "ISO" would be another date.
 * Pinning the settings costs some microseconds, so it is left out for types that
 * none of them touches, and where they are pinned already.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/settings.h"
#include "common/textform.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/lsyscache.h"

/* Do the settings already have the values that would be pinned? */
static bool
settings_are_pinned(void)
{
	return DateStyle == USE_ISO_DATES && DateOrder == DATEORDER_YMD &&
		IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits == 1 &&
		bytea_output == BYTEA_OUTPUT_HEX &&
		strcmp(pg_get_timezone_name(session_timezone), "UTC") == 0 &&
		strcmp(namespace_search_path, "pg_catalog, pg_temp") == 0;
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
			form->depends = false;
			break;
		default:
			form->depends = true;
	}
}

char *
ssot_text_form(SsotTextForm *form, Datum value)
{
	char	   *text;
	int			level;

	if (!form->depends || settings_are_pinned())
		return OutputFunctionCall(&form->output, value);
	level = ssot_settings_begin(false);
	text = OutputFunctionCall(&form->output, value);

	ssot_settings_end(level);
	return text;
}
