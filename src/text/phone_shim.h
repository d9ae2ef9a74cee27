/*
 * phone_shim.h
 *		The one function of ssot_phone.so, as C and C++ see it.
 *
 * Included by both sides, so it includes nothing of either.
 */
#ifndef SSOT_TEXT_PHONE_SHIM_H
#define SSOT_TEXT_PHONE_SHIM_H

#include <stddef.h>

/* "+" and 15 digits, with room to spare and the final zero */
#define SSOT_PHONE_SIZE		32

typedef enum SsotPhoneResult
{
	SSOT_PHONE_OK,
	SSOT_PHONE_NOT_A_NUMBER,
	SSOT_PHONE_OUT_OF_MEMORY,
	SSOT_PHONE_FAILED			/* libphonenumber threw something else */
} SsotPhoneResult;

#define SSOT_PHONE_SYMBOL	"ssot_phone_to_e164"

typedef SsotPhoneResult (*SsotPhoneToE164) (const char *number, size_t len,
											const char *region,
											char e164[SSOT_PHONE_SIZE]);

#endif							/* SSOT_TEXT_PHONE_SHIM_H */
