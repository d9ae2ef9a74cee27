/*
 * cppcheck.h
 *		What cppcheck must know of the server's macros; only `make lint` reads it.
 *
 * The server's own headers are not given to it: they cost minutes and say
 * nothing about our files.
 */
#define PG_VERSION_NUM 150000
#define PG_MODULE_MAGIC
#define PG_FUNCTION_INFO_V1(function)
#define PG_FUNCTION_ARGS FunctionCallInfo fcinfo
#define PGDLLEXPORT
#define FLEXIBLE_ARRAY_MEMBER 1
#define pg_attribute_printf(format, first)
#define pg_attribute_noreturn()
#define pg_unreachable() abort()
#define INT64_FORMAT "%lld"
#define UINT64_FORMAT "%llu"

#define DEBUG1 14
#define LOG 15
#define INFO 17
#define NOTICE 18
#define WARNING 19
#define ERROR 21
#define FATAL 22
#define PANIC 23
#define ereport(level, ...) do { (void) (__VA_ARGS__); if ((level) >= ERROR) abort(); } while (0)
#define elog(level, ...) do { ssot_ignore(__VA_ARGS__); if ((level) >= ERROR) abort(); } while (0)
#define PG_RETURN_VOID() return (Datum) 0
#define PG_RETURN_NULL() do { fcinfo->isnull = true; return (Datum) 0; } while (0)
#define PG_RE_THROW() abort()
#define PG_TRY() if (ssot_maybe())
#define PG_CATCH() else
#define PG_FINALLY()
#define PG_END_TRY() (void) 0

#define foreach(cell, list) for (cell = list_head(list); cell != NULL; cell = lnext(list, cell))
