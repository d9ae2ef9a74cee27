/*
 * compat.h
 *		The only file that tests PG_VERSION_NUM: what differs between
 *		PostgreSQL 15 and 18 gets one spelling here.
 */
#ifndef SSOT_COMPAT_H
#define SSOT_COMPAT_H

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "ssot builds on PostgreSQL 15 to 18"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM >= 160000
#define ssot_guc_variables(count)	get_guc_variables(count)
#else
#define ssot_guc_variables(count)	(*(count) = GetNumConfigOptions(), get_guc_variables())
#endif

/* PostgreSQL 16 also says what is wrong with a time zone in a datetime. */
#if PG_VERSION_NUM >= 160000
#define ssot_decode_datetime(field, ftype, nfields, dtype, tm, fsec, zone) \
	DecodeDateTime(field, ftype, nfields, dtype, tm, fsec, zone, &(DateTimeErrorExtra) {0})
#else
#define ssot_decode_datetime(field, ftype, nfields, dtype, tm, fsec, zone) \
	DecodeDateTime(field, ftype, nfields, dtype, tm, fsec, zone)
#endif

/* The parts of a qualified name, as a list of String nodes; error if malformed. */
#if PG_VERSION_NUM >= 160000
#define ssot_name_list(name)	stringToQualifiedNameList(name, NULL)
#else
#define ssot_name_list(name)	stringToQualifiedNameList(name)
#endif

/* From 18 on a CHECK constraint may be declared NOT ENFORCED. */
#if PG_VERSION_NUM >= 180000
#define ssot_check_is_enforced(check) ((check)->ccenforced)
#else
#define ssot_check_is_enforced(check) ((void) (check), true)
#endif

#endif							/* SSOT_COMPAT_H */
