/*
 * common/ident.c
 *		Names: quoting, and building SQL from a template.
 *
 * Identifiers are always quoted, never pattern-checked: any name that
 * PostgreSQL takes, we take.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/ident.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

char *
ssot_qualified_name(const char *schema, const char *name)
{
	return quote_qualified_identifier(schema, name);
}

void
ssot_require_relation(Oid relid)
{
	if (get_rel_relkind(relid) == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid),
				 errhint("Name a relation; this one may have been dropped meanwhile.")));
}

void
ssot_require_rows(Oid relid, const char *participle)
{
	char		kind;

	ssot_require_relation(relid);
	kind = get_rel_relkind(relid);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
		kind != RELKIND_VIEW && kind != RELKIND_MATVIEW && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot be %s", get_rel_name(relid), participle),
				 errhint("Tables, views, materialized views and foreign tables can.")));
}

char *
ssot_relation_name(Oid relid)
{
	ssot_require_relation(relid);
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static void
append_template(StringInfo buf, const char *template, va_list args)
{
	for (const char *c = template; *c != '\0'; c++)
	{
		const char *text;

		if (*c != '%')
		{
			appendStringInfoChar(buf, *c);
			continue;
		}
		c++;
		switch (*c)
		{
			case 'I':
				appendStringInfoString(buf, quote_identifier(va_arg(args, const char *)));
				break;
			case 'L':
				text = va_arg(args, const char *);
				appendStringInfoString(buf, text == NULL ? "NULL" : quote_literal_cstr(text));
				break;
			case 's':
			case 'T':
				appendStringInfoString(buf, va_arg(args, const char *));
				break;
			case 'd':
				appendStringInfo(buf, "%d", va_arg(args, int));
				break;
			case '%':
				appendStringInfoChar(buf, '%');
				break;
			default:
				elog(ERROR, "unknown placeholder \"%%%c\" in an SQL template", *c);
		}
	}
}

char *
ssot_sql(const char *template,...)
{
	StringInfoData buf;
	va_list		args;

	initStringInfo(&buf);
	va_start(args, template);
	append_template(&buf, template, args);
	va_end(args);
	return buf.data;
}

void
ssot_sql_append(StringInfo buf, const char *template,...)
{
	va_list		args;

	va_start(args, template);
	append_template(buf, template, args);
	va_end(args);
}
