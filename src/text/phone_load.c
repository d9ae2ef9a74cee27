/*
 * phone_load.c
 *		ssot.normalize_phone(): opens ssot_phone.so on first use and asks it.
 *
 * See phone.cc for why the library is one of its own.  Cheap answers are
 * given here: what is no number, and what is E.164 already is not excused
 * from the library, because its length has to fit its country.
 */
#include "postgres.h"

#include "ssot.h"

#include "utils/builtins.h"

#include "text/chars.h"
#include "text/country.h"
#include "text/normalize.h"
#include "text/phone_shim.h"
#include "text/unicode.h"

PG_FUNCTION_INFO_V1(ssot_normalize_phone);

/* libphonenumber itself refuses more than 250 characters */
#define MAX_PHONE_BYTES		1000

/*
 * The library stays loaded for the backend's life, so the pointer can too.
 * A failure to load is PostgreSQL's own error and names the file.
 */
static SsotPhoneToE164
phone_library(void)
{
	static SsotPhoneToE164 to_e164 = NULL;

	if (to_e164 == NULL)
		to_e164 = (SsotPhoneToE164)
			load_external_function("$libdir/ssot_phone", SSOT_PHONE_SYMBOL, true, NULL);
	return to_e164;
}

/* A number has three digits; of other scripts' digits any non-ASCII may be one. */
static bool
may_be_number(const char *s, int len)
{
	int			digits = 0;

	for (int i = 0; i < len && digits < 3; i++)
		if (ssot_ascii_is_digit((unsigned char) s[i]) || (unsigned char) s[i] >= 0x80)
			digits++;
	return digits >= 3;
}

/* ssot.normalize_phone(text, text): not strict, country may be null */
Datum
ssot_normalize_phone(PG_FUNCTION_ARGS)
{
	const SsotCountry *country = NULL;
	SsotPhoneToE164 to_e164;
	char		e164[SSOT_PHONE_SIZE];
	text	   *in;
	const char *number;
	int			len;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	in = PG_GETARG_TEXT_PP(0);
	len = VARSIZE_ANY_EXHDR(in);
	if (len > MAX_PHONE_BYTES || !may_be_number(VARDATA_ANY(in), len))
		PG_RETURN_NULL();

	/* before the library: these may raise errors, C++ is not yet on the stack */
	number = ssot_utf8_from_server(VARDATA_ANY(in), len, &len);
	number = ssot_utf8_clean(number, len, true, &len);
	if (!PG_ARGISNULL(1))
	{
		text	   *name = PG_GETARG_TEXT_PP(1);

		country = ssot_country_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	to_e164 = phone_library();

	switch (to_e164(number, len, country ? country->alpha2 : "ZZ", e164))
	{
		case SSOT_PHONE_OK:
			PG_RETURN_TEXT_P(cstring_to_text(e164));
		case SSOT_PHONE_NOT_A_NUMBER:
			PG_RETURN_NULL();
		case SSOT_PHONE_OUT_OF_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 errdetail("libphonenumber could not allocate memory.")));
		case SSOT_PHONE_FAILED:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("libphonenumber failed on a number of %d bytes", len),
			 errhint("Check that libphonenumber is installed completely.")));
}
