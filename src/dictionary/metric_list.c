/*
 * dictionary/metric_list.c
 *		Which metrics there are.
 */
#include "postgres.h"

#include "ssot.h"
#include "dictionary/metric_store.h"
#include "dictionary/publish.h"
#include "entity/config.h"

#include "utils/builtins.h"

static SsotQuery names_query = {
	.sql =
	"SELECT DISTINCT CASE v.variant WHEN '' THEN v.definition ELSE v.definition || ':' || v.variant END COLLATE \"C\"\n"
	"FROM ssot.definition_version AS v\n"
	"WHERE v.kind = 'metric' AND v.effective @> pg_catalog.now()\n"
	"ORDER BY 1",
	.nargs = 0,
	.read_only = true
};

/* Names of the metrics in force, with their variants, in the order of their bytes. */
List *
ssot_metric_names(void)
{
	List	   *names = NIL;

	ssot_config_each(&names_query, NULL, NULL, ssot_take_text, &names);
	return names;
}
