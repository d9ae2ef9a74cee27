/*
 * phone.cc
 *		The only C++ of the extension: libphonenumber behind one C function.
 *
 * It is built into a library of its own, ssot_phone.so, so that a backend
 * which never sees a phone number does not load libphonenumber, protobuf and
 * the C++ runtime.  phone_load.c opens it on the first call.
 *
 * Two worlds must not meet here.  A C++ exception may not leave this file, so
 * everything stands inside try.  A PostgreSQL error (longjmp) may not cross a
 * C++ frame, whose destructors it would skip, so nothing here calls the
 * server: of PostgreSQL only the module magic is used.
 */
#include <new>
#include <string>

#include <phonenumbers/phonenumberutil.h>

extern "C"
{
#include "postgres.h"

#include "fmgr.h"

#include "text/phone_shim.h"

	PG_MODULE_MAGIC;

	extern PGDLLEXPORT SsotPhoneResult ssot_phone_to_e164(const char *number, size_t len,
														  const char *region,
														  char e164[SSOT_PHONE_SIZE]);
}

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

/*
 * The E.164 form of a number (UTF-8).  region: ISO 3166-1 alpha-2, or "ZZ" if
 * unknown; then only numbers with a country calling code are understood.
 *
 * A number counts if its length is possible in its country.  Whether its
 * range is assigned is not asked: ranges are opened faster than a
 * distribution's metadata is renewed, and a good number would be lost.
 */
SsotPhoneResult
ssot_phone_to_e164(const char *number, size_t len, const char *region,
				   char e164[SSOT_PHONE_SIZE])
{
	try
	{
		PhoneNumberUtil *util = PhoneNumberUtil::GetInstance();
		PhoneNumber parsed;
		std::string out;

		if (util->Parse(std::string(number, len), std::string(region), &parsed) !=
			PhoneNumberUtil::NO_PARSING_ERROR)
			return SSOT_PHONE_NOT_A_NUMBER;
		if (!util->IsPossibleNumber(parsed))
			return SSOT_PHONE_NOT_A_NUMBER;
		util->Format(parsed, PhoneNumberUtil::E164, &out);
		if (out.empty() || out.size() >= SSOT_PHONE_SIZE)
			return SSOT_PHONE_NOT_A_NUMBER;
		out.copy(e164, out.size());
		e164[out.size()] = '\0';
		return SSOT_PHONE_OK;
	}
	catch (const std::bad_alloc &)
	{
		return SSOT_PHONE_OUT_OF_MEMORY;
	}
	catch (...)
	{
		return SSOT_PHONE_FAILED;
	}
}
