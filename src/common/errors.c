/*
 * common/errors.c
 *		Which errors may be caught and turned into a reason.
 */
#include "postgres.h"

#include "ssot.h"
#include "common/errors.h"

bool
ssot_error_is_local(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):	/* rollback */
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):	/* resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):	/* cancel, shutdown */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):	/* system error */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):	/* internal error */
		case MAKE_SQLSTATE('S', 'S', '0', '0', '0'):	/* a limit of ours */
			return sqlstate == ERRCODE_SSOT_BEFORE_HISTORY;
	}
	return sqlstate != ERRCODE_LOCK_NOT_AVAILABLE;
}
