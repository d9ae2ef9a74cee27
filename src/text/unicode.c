/*
 * unicode.c
 *		The only file that talks to ICU about characters.
 *
 * ICU's C API works on UTF-16, PostgreSQL on the database's encoding.  Here
 * text goes server encoding -> UTF-8 -> UTF-16, through ICU, and back to
 * UTF-8; everyone else sees UTF-8 only.  In a UTF8 database the first step
 * costs nothing.  In another encoding a result that the encoding cannot hold
 * is PostgreSQL's own error (untranslatable_character).
 *
 * Objects that are dear to make (transliterators: several milliseconds) are
 * made once per backend and kept.  They hold no data of the database, so
 * nothing can make them stale.  ICU allocates them with malloc and frees them
 * never; everything else lives in the caller's memory context.
 */
#include "postgres.h"

#include <unicode/uidna.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

#include "ssot.h"

#include "mb/pg_wchar.h"

#include "text/chars.h"
#include "text/unicode.h"

/*
 * More than this is not a name or an address.  It also keeps the UTF-16 forms
 * and their expansions (NFKC can make 18 characters of one) below palloc's
 * limit of 1 GB.
 */
#define MAX_TEXT_BYTES	(16 * 1024 * 1024)

typedef struct Utf16
{
	UChar	   *s;
	int32_t		len;
} Utf16;

static void
icu_failed(const char *doing, UErrorCode status)
{
	if (status == U_MEMORY_ALLOCATION_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("ICU failed while %s.", doing)));
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("ICU failed while %s: \"%s\"", doing, u_errorName(status)),
			 errhint("Check that the ICU data files of this server are complete.")));
}

/*
 * The UTF-8 form of a string in the server's encoding.  ASCII is the same in
 * every server encoding and is returned as it is.
 */
const char *
ssot_utf8_from_server(const char *s, int len, int *outlen)
{
	char	   *utf8;

	*outlen = len;
	if (GetDatabaseEncoding() == PG_UTF8 || ssot_is_ascii(s, len))
		return s;
	utf8 = pg_server_to_any(s, len, PG_UTF8);
	if (utf8 != s)
		*outlen = strlen(utf8);
	return utf8;
}

const char *
ssot_utf8_to_server(const char *s, int len, int *outlen)
{
	char	   *server;

	*outlen = len;
	if (GetDatabaseEncoding() == PG_UTF8 || ssot_is_ascii(s, len))
		return s;
	server = pg_any_to_server(s, len, PG_UTF8);
	if (server != s)
		*outlen = strlen(server);
	return server;
}

static Utf16
utf16_from_utf8(const char *s, int len)
{
	UErrorCode	status = U_ZERO_ERROR;
	Utf16		u;

	if (len > MAX_TEXT_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text of %d bytes is too long to normalize", len),
				 errdetail("At most %d bytes can be normalized.", MAX_TEXT_BYTES),
				 errhint("Normalize names and addresses, not documents.")));

	/* UTF-16 never has more units than UTF-8 has bytes */
	u.s = palloc((len + 1) * sizeof(UChar));
	u_strFromUTF8WithSub(u.s, len + 1, &u.len, s, len,
						 SSOT_REPLACEMENT_CHAR, NULL, &status);
	if (U_FAILURE(status))
		icu_failed("reading UTF-8", status);
	return u;
}

static const char *
utf16_to_utf8(Utf16 u, int *outlen)
{
	UErrorCode	status = U_ZERO_ERROR;
	int32_t		len;
	Size		size = (Size) u.len * 3 + 1;
	char	   *s = palloc(size);

	u_strToUTF8WithSub(s, (int32_t) size, &len, u.s, u.len,
					   SSOT_REPLACEMENT_CHAR, NULL, &status);
	if (U_FAILURE(status))
		icu_failed("writing UTF-8", status);
	*outlen = len;
	return s;
}

static Utf16
utf16_normalize(const UNormalizer2 *form, Utf16 in)
{
	UErrorCode	status = U_ZERO_ERROR;
	int32_t		size = in.len + in.len / 2 + 16;
	Utf16		out;

	if (unorm2_isNormalized(form, in.s, in.len, &status) && U_SUCCESS(status))
		return in;

	status = U_ZERO_ERROR;
	out.s = palloc((Size) size * sizeof(UChar));
	out.len = unorm2_normalize(form, in.s, in.len, out.s, size, &status);
	if (status == U_BUFFER_OVERFLOW_ERROR)
	{
		status = U_ZERO_ERROR;
		pfree(out.s);
		size = out.len + 1;
		out.s = palloc((Size) size * sizeof(UChar));
		out.len = unorm2_normalize(form, in.s, in.len, out.s, size, &status);
	}
	if (U_FAILURE(status))
		icu_failed("normalizing text", status);
	return out;
}

/* Unicode normalization form KC: one spelling for what looks the same. */
const char *
ssot_nfkc(const char *s, int len, int *outlen)
{
	UErrorCode	status = U_ZERO_ERROR;
	const UNormalizer2 *form = unorm2_getNFKCInstance(&status);

	if (U_FAILURE(status))
		icu_failed("loading NFKC", status);
	return utf16_to_utf8(utf16_normalize(form, utf16_from_utf8(s, len)), outlen);
}

/*
 * NFKC_Casefold (Unicode, section 5.18): NFKC, full case folding without the
 * Turkic exception, and default-ignorable characters removed.
 */
const char *
ssot_nfkc_fold(const char *s, int len, int *outlen)
{
	UErrorCode	status = U_ZERO_ERROR;
	const UNormalizer2 *form = unorm2_getNFKCCasefoldInstance(&status);

	if (U_FAILURE(status))
		icu_failed("loading NFKC_Casefold", status);
	return utf16_to_utf8(utf16_normalize(form, utf16_from_utf8(s, len)), outlen);
}

/* Lower case without regard to language; "ß" stays, unlike in folding. */
const char *
ssot_lower(const char *s, int len, int *outlen)
{
	UErrorCode	status = U_ZERO_ERROR;
	Utf16		in;
	int32_t		size;
	Utf16		out;

	if (ssot_is_ascii(s, len))
	{
		char	   *lower = palloc(len + 1);

		for (int i = 0; i < len; i++)
			lower[i] = ssot_ascii_lower(s[i]);
		lower[len] = '\0';
		*outlen = len;
		return lower;
	}
	in = utf16_from_utf8(s, len);
	size = in.len * 3 + 1;		/* Unicode, section 5.18: never more */
	out.s = palloc((Size) size * sizeof(UChar));
	out.len = u_strToLower(out.s, size, in.s, in.len, "", &status);
	if (U_FAILURE(status))
		icu_failed("lower-casing text", status);
	return utf16_to_utf8(out, outlen);
}

/* Open a transliterator by its ICU id, once per backend. */
static UTransliterator *
transliterator(UTransliterator **cached, const char *id)
{
	UErrorCode	status = U_ZERO_ERROR;
	UChar		uid[128];

	if (*cached == NULL)
	{
		u_uastrcpy(uid, id);
		*cached = utrans_openU(uid, -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
		if (U_FAILURE(status))
		{
			*cached = NULL;
			icu_failed("opening a transliterator", status);
		}
	}
	return *cached;
}

static Utf16
utf16_transliterate(UTransliterator *trans, Utf16 in)
{
	int32_t		size = in.len * 2 + 64;

	for (;;)
	{
		UErrorCode	status = U_ZERO_ERROR;
		Utf16		out;
		int32_t		limit = in.len;

		out.s = palloc((Size) size * sizeof(UChar));
		out.len = in.len;
		memcpy(out.s, in.s, in.len * sizeof(UChar));
		utrans_transUChars(trans, out.s, &out.len, size, 0, &limit, &status);
		if (U_SUCCESS(status))
			return out;
		if (status != U_BUFFER_OVERFLOW_ERROR)
			icu_failed("transliterating text", status);
		pfree(out.s);
		size = Max(out.len, size) + size;
	}
}

static bool
utf16_is_ascii(Utf16 u)
{
	for (int32_t i = 0; i < u.len; i++)
		if (u.s[i] >= 0x80)
			return false;
	return true;
}

/* Is there a letter of a script other than Latin? */
static bool
utf16_has_foreign_letter(Utf16 u)
{
	for (int32_t i = 0; i < u.len;)
	{
		UErrorCode	status = U_ZERO_ERROR;
		UChar32		c;
		UScriptCode script;

		U16_NEXT(u.s, i, u.len, c);
		if (c < 0x250)
			continue;
		script = uscript_getScript(c, &status);
		if (U_SUCCESS(status) && script != USCRIPT_LATIN &&
			script != USCRIPT_COMMON && script != USCRIPT_INHERITED &&
			script != USCRIPT_UNKNOWN)
			return true;
	}
	return false;
}

/* Take away combining marks that stand alone (general category Mn, Me). */
static Utf16
utf16_without_marks(Utf16 in)
{
	Utf16		out;

	out.s = palloc((in.len + 1) * sizeof(UChar));
	out.len = 0;
	for (int32_t i = 0; i < in.len;)
	{
		int32_t		start = i;
		UChar32		c;

		U16_NEXT(in.s, i, in.len, c);
		if (c >= 0x300 && (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_ME_MASK)) != 0)
			continue;
		while (start < i)
			out.s[out.len++] = in.s[start++];
	}
	return out;
}

/*
 * Folded text in plain letters: other scripts into Latin, marks off, what is
 * left into ASCII where ICU knows how.  Characters without an ASCII likeness
 * (emoji, unassigned code points) stay.
 *
 * Order matters: marks carry meaning in other scripts (Japanese voicing,
 * Indic vowels), so they go only after the letters have become Latin.
 */
const char *
ssot_latin_ascii(const char *s, int len, int *outlen)
{
	static UTransliterator *any_latin = NULL;
	static UTransliterator *latin_ascii = NULL;
	UErrorCode	status = U_ZERO_ERROR;
	const UNormalizer2 *nfd;
	Utf16		u;

	*outlen = len;
	if (ssot_is_ascii(s, len))
		return s;

	u = utf16_from_utf8(s, len);
	if (utf16_has_foreign_letter(u))
		u = utf16_transliterate(transliterator(&any_latin, "Any-Latin"), u);

	nfd = unorm2_getNFDInstance(&status);
	if (U_FAILURE(status))
		icu_failed("loading NFD", status);
	u = utf16_without_marks(utf16_normalize(nfd, u));

	if (!utf16_is_ascii(u))
		u = utf16_transliterate(transliterator(&latin_ascii, "Latin-ASCII"), u);
	return utf16_to_utf8(u, outlen);
}

/*
 * An internet domain with its labels in Unicode and lower case (UTS 46, non
 * transitional: "ß" stays itself).  NULL if it is not a domain.
 */
const char *
ssot_domain_to_unicode(const char *s, int len, int *outlen)
{
	static UIDNA *idna = NULL;
	UErrorCode	status = U_ZERO_ERROR;
	UIDNAInfo	info = UIDNA_INFO_INITIALIZER;
	char		name[1024];
	int32_t		n;

	if (idna == NULL)
	{
		UIDNA	   *opened = uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
											 UIDNA_NONTRANSITIONAL_TO_ASCII |
											 UIDNA_NONTRANSITIONAL_TO_UNICODE, &status);

		if (U_FAILURE(status))
			icu_failed("loading IDNA", status);
		idna = opened;
	}
	n = uidna_nameToUnicodeUTF8(idna, s, len, name, sizeof(name), &info, &status);
	if (U_FAILURE(status) || info.errors != 0)
		return NULL;
	*outlen = n;
	return pnstrdup(name, n);
}
