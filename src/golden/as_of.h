/*
 * golden/as_of.h
 *		The time whose belief is read.
 */
#ifndef SSOT_AS_OF_H
#define SSOT_AS_OF_H

#include "utils/timestamp.h"

/*
 * Read the text of the setting ssot.as_of. Returns NULL, or what is wrong with
 * it. Raises no error and reads no catalogue: settings are checked outside
 * transactions too.
 */
extern const char *ssot_parse_as_of(const char *text, TimestampTz *time);

#endif							/* SSOT_AS_OF_H */
