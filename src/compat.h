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

#endif							/* SSOT_COMPAT_H */
