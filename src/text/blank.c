/*
 * blank.c
 *		Which values say nothing: "", "n/a", "null", "-" and their like.
 *
 * The list in force is the built-in one below, plus the words added and minus
 * the words dropped in the table ssot.blank_word.  The built-in list is code
 * and not rows of that table so that the table holds only what people
 * decided: it is dumped and restored whole, and a new version of the
 * extension may extend the built-in list.
 *
 * Which words belong in it?  A blank value loses against every other value
 * (law 4), so a word that can be a real answer must not be there: "NA" is
 * Namibia, "unknown" and "other" are codes, "nan" is a name, "0" and "x" are
 * answers.  Whoever has them as fillers adds them.
 *
 * Speed: the test runs once per value of a load.  Of a value that begins with
 * two ASCII characters, the first no word's first, nothing more is read.
 */
#include "postgres.h"

#include "ssot.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "text/blank.h"
#include "text/chars.h"
#include "text/normalize.h"
#include "text/unicode.h"

PG_FUNCTION_INFO_V1(ssot_is_blank_sql);
PG_FUNCTION_INFO_V1(ssot_blank_words);
PG_FUNCTION_INFO_V1(ssot_blank_word_form);

#define MAX_WORD	64			/* bytes of a word */

/* In the form that ssot_blank_word_form() gives. */
static const char *const built_in_words[] = {
	"n/a", "#n/a", "n.a.", "n.a", "n / a", "<n/a>", "(n/a)",
	"null", "(null)", "<null>", "[null]", "\\n",	/* "\N" of COPY and mysqldump */
	"none", "(none)", "<none>", "undefined",
	"(blank)", "<blank>", "(empty)", "<empty>", "#null!",
	"not applicable", "not available", "not specified", "not provided",
	"-", "--", "---", "----", "-----", "\342\200\223" /* en dash */ ,
	"\342\200\224" /* em dash */ ,
	".", "..", "...", "?", "??", "???", "_", "__", "___", "*", "/", "//",
	"''", "\"\"",
};

typedef struct Word
{
	int			len;
	bool		built_in;
	char		bytes[MAX_WORD];
} Word;

struct SsotBlankWords
{
	bool		begins[256];	/* is there a word that begins with the byte? */
	bool		utf8;			/* the server's encoding */
	int			longest;		/* bytes */
	int			count;
	Word		word[FLEXIBLE_ARRAY_MEMBER];	/* sorted by word_cmp */
};

/* A row of ssot.blank_word. */
typedef struct Decision
{
	const char *word;
	bool		is_blank;
} Decision;

/*
 * Read all decisions.  THE ONLY USE OF SPI IN src/text: to be rewired to
 * common/query.c.
 *
 *		SELECT b.word, b.is_blank
 *		  FROM ssot.blank_word AS b
 */
static Decision *
read_decisions(int *count)
{
	MemoryContext caller = CurrentMemoryContext;
	Decision   *decisions;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT b.word, b.is_blank FROM ssot.blank_word AS b", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read ssot.blank_word");
	*count = (int) SPI_processed;
	decisions = MemoryContextAlloc(caller, Max(*count, 1) * sizeof(Decision));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		decisions[i].word = MemoryContextStrdup(caller,
												SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		decisions[i].is_blank = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_finish();
	return decisions;
}

/*
 * The form in which words and values are compared: clean, NFKC, case folded.
 * UTF-8 in, UTF-8 out.
 */
static const char *
fold_utf8(const char *s, int len, int *outlen)
{
	const char *u = ssot_utf8_clean(s, len, true, &len);

	if (!ssot_is_ascii(u, len))
	{
		u = ssot_nfkc_fold(u, len, &len);
		u = ssot_utf8_clean(u, len, true, &len);
	}
	else
	{
		char	   *lower = unconstify(char *, u);

		for (int i = 0; i < len; i++)
			lower[i] = ssot_ascii_lower(lower[i]);
	}
	*outlen = len;
	return u;
}

/* The same of a string in the server's encoding. */
static const char *
fold_word(const char *s, int len, int *outlen)
{
	const char *u = ssot_utf8_from_server(s, len, &len);

	return fold_utf8(u, len, outlen);
}

static int
word_cmp(const void *a, const void *b)
{
	const Word *x = a;
	const Word *y = b;
	int			cmp = memcmp(x->bytes, y->bytes, Min(x->len, y->len));

	return cmp != 0 ? cmp : x->len - y->len;
}

static int
find_word(const SsotBlankWords *words, const char *s, int len)
{
	for (int i = 0; i < words->count; i++)
		if (words->word[i].len == len && memcmp(words->word[i].bytes, s, len) == 0)
			return i;
	return -1;
}

static void
add_word(SsotBlankWords *words, const char *s, int len, bool built_in)
{
	Word	   *word = &words->word[words->count++];

	word->len = len;
	word->built_in = built_in;
	memcpy(word->bytes, s, len);
}

SsotBlankWords *
ssot_blank_words_load(void)
{
	SsotBlankWords *words;
	Decision   *decisions;
	int			count;

	decisions = read_decisions(&count);
	words = palloc0(offsetof(SsotBlankWords, word) +
					(lengthof(built_in_words) + count) * sizeof(Word));
	words->utf8 = (GetDatabaseEncoding() == PG_UTF8);
	for (int i = 0; i < (int) lengthof(built_in_words); i++)
		add_word(words, built_in_words[i], strlen(built_in_words[i]), true);
	for (int i = 0; i < count; i++)
	{
		int			len;
		const char *word = fold_word(decisions[i].word, strlen(decisions[i].word), &len);
		int			at = find_word(words, word, len);

		if (!decisions[i].is_blank && at >= 0)
			words->word[at] = words->word[--words->count];
		else if (decisions[i].is_blank && at < 0 && len > 0 && len <= MAX_WORD)
			add_word(words, word, len, false);
	}
	qsort(words->word, words->count, sizeof(Word), word_cmp);
	for (int i = 0; i < words->count; i++)
	{
		words->begins[(unsigned char) words->word[i].bytes[0]] = true;
		words->longest = Max(words->longest, words->word[i].len);
	}
	return words;
}

static bool
is_word(const SsotBlankWords *words, const char *s, int len)
{
	int			low = 0;
	int			high = words->count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		const Word *word = &words->word[mid];
		int			cmp = memcmp(s, word->bytes, Min(len, word->len));

		if (cmp == 0)
			cmp = len - word->len;
		if (cmp == 0)
			return true;
		if (cmp < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return false;
}

/*
 * Narrow past white space and invisible characters at both ends; UTF-8.
 */
static void
trim(const char **s, int *len)
{
	while (*len > 0)
	{
		int			n;
		uint32		cp = ssot_utf8_decode(*s, *len, &n);

		if (ssot_char_class(cp) == SSOT_CHAR_ORDINARY)
			break;
		*s += n;
		*len -= n;
	}
	while (*len > 0)
	{
		int			n = 1;
		int			charlen;

		while (n < 4 && n < *len && ((*s)[*len - n] & 0xC0) == 0x80)
			n++;
		if (ssot_char_class(ssot_utf8_decode(*s + *len - n, n, &charlen)) == SSOT_CHAR_ORDINARY)
			break;
		*len -= n;
	}
}

/* The rest of ssot_is_blank(), for values that its first look lets pass. */
static bool
is_blank_slow(const SsotBlankWords *words, const char *s, int len)
{
	char		folded[MAX_WORD];
	int			n = 0;

	if (!words->utf8)
	{
		/* bytes of no known meaning, which must not stop a load */
		if (GetDatabaseEncoding() == PG_SQL_ASCII && !pg_verify_mbstr(PG_UTF8, s, len, true))
			return false;
		s = ssot_utf8_from_server(s, len, &len);
	}
	trim(&s, &len);
	if (len == 0)
		return true;

	/* ASCII: fold in place, white space as in ssot_utf8_clean() */
	for (int i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) s[i];

		if (c >= 0x80)
			goto not_ascii;
		if (c <= ' ' || c == 0x7F)
		{
			if (folded[n - 1] == ' ')	/* n > 0: s is trimmed */
				continue;
			c = ' ';
		}
		if (n == words->longest)
			return false;
		folded[n++] = ssot_ascii_lower((char) c);
	}
	return is_word(words, folded, n);

not_ascii:
	/* full-width letters are three bytes for one, hence the factor */
	if (len > 4 * words->longest)
		return false;
	s = fold_utf8(s, len, &len);
	return len == 0 || is_word(words, s, len);
}

/*
 * Does a character that begins with this byte leave the one before it as it
 * is?  Accents that NFKC sets on an ASCII letter are in U+0300 to U+037F, so
 * letters of U+00C0 to U+05FF without those, which begin with C3 to D7, do;
 * beyond them are invisible characters, which are looked at more closely.
 */
static bool
leaves_first_alone(const SsotBlankWords *words, unsigned char second)
{
	return second < 0x80 ||
		(words->utf8 && second >= 0xC3 && second <= 0xD7 &&
		 second != 0xCC && second != 0xCD);
}

bool
ssot_is_blank(const SsotBlankWords *words, const char *s, int len)
{
	unsigned char first;
	unsigned char last;

	if (len == 0)
		return true;
	first = (unsigned char) s[0];
	last = (unsigned char) s[len - 1];

	/*
	 * Printable ASCII at both ends: nothing to trim.  Then it is no word if it
	 * is longer than any spelling of one, or if no word begins like it.
	 */
	if ((unsigned char) (first - '!') <= '~' - '!' &&
		(unsigned char) (last - '!') <= '~' - '!')
	{
		if (len > 4 * words->longest)
			return false;
		if (!words->begins[(unsigned char) ssot_ascii_lower((char) first)] &&
			(len == 1 || leaves_first_alone(words, (unsigned char) s[1])))
			return false;
	}
	return is_blank_slow(words, s, len);
}

/*
 * The words that ssot.is_blank() read, and the snapshot they were read under.
 *
 * fn_extra outlives a statement in PL/pgSQL, where a word may be added
 * between two calls.  Two snapshots of one transaction with equal fields see
 * the same rows: running transactions below an unchanged xmax can only end,
 * which changes their count.
 */
typedef struct BlankCache
{
	MemoryContext context;
	SsotBlankWords *words;
	TimestampTz transaction;
	SubTransactionId subtransaction;
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} BlankCache;

static const SsotBlankWords *
cached_words(FmgrInfo *flinfo)
{
	BlankCache *cache = flinfo->fn_extra;
	Snapshot	snapshot = GetActiveSnapshot();
	MemoryContext caller;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(BlankCache));
		cache->context = AllocSetContextCreate(flinfo->fn_mcxt, "ssot blank words",
											   ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = cache;
	}
	if (cache->words != NULL &&
		cache->curcid == snapshot->curcid && cache->xmax == snapshot->xmax &&
		cache->xmin == snapshot->xmin && cache->xcnt == snapshot->xcnt &&
		cache->subxcnt == snapshot->subxcnt &&
		cache->transaction == GetCurrentTransactionStartTimestamp() &&
		cache->subtransaction == GetCurrentSubTransactionId())
		return cache->words;

	cache->words = NULL;
	MemoryContextReset(cache->context);
	caller = MemoryContextSwitchTo(cache->context);
	cache->words = ssot_blank_words_load();
	MemoryContextSwitchTo(caller);
	cache->curcid = snapshot->curcid;
	cache->xmin = snapshot->xmin;
	cache->xmax = snapshot->xmax;
	cache->xcnt = snapshot->xcnt;
	cache->subxcnt = snapshot->subxcnt;
	cache->transaction = GetCurrentTransactionStartTimestamp();
	cache->subtransaction = GetCurrentSubTransactionId();
	return cache->words;
}

/* ssot.is_blank(text): not strict, null is blank */
Datum
ssot_is_blank_sql(PG_FUNCTION_ARGS)
{
	const SsotBlankWords *words;
	text	   *in;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	in = PG_GETARG_TEXT_PP(0);
	words = cached_words(fcinfo->flinfo);
	PG_RETURN_BOOL(ssot_is_blank(words, VARDATA_ANY(in), VARSIZE_ANY_EXHDR(in)));
}

/* ssot.blank_words() */
Datum
ssot_blank_words(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SsotBlankWords *words = ssot_blank_words_load();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < words->count; i++)
	{
		const Word *entry = &words->word[i];
		const char *word;
		int			len;
		Datum		values[2];
		bool		nulls[2] = {false, false};

		/* another encoding may lack the dashes; then no value has them either */
		if (!words->utf8 && entry->built_in && !ssot_is_ascii(entry->bytes, entry->len))
			continue;
		word = ssot_utf8_to_server(entry->bytes, entry->len, &len);
		values[0] = PointerGetDatum(cstring_to_text_with_len(word, len));
		values[1] = BoolGetDatum(entry->built_in);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ssot.blank_word_form(text): the form in which a word is stored */
Datum
ssot_blank_word_form(PG_FUNCTION_ARGS)
{
	text	   *in = PG_GETARG_TEXT_PP(0);
	int			len = VARSIZE_ANY_EXHDR(in);
	const char *word = fold_word(VARDATA_ANY(in), len, &len);

	if (len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a blank word must not be empty"),
				 errdetail("The empty string and white space are always blank."),
				 errhint("SELECT * FROM ssot.blank_words() lists the words in force.")));
	if (len > MAX_WORD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a blank word must not be longer than %d bytes", MAX_WORD),
				 errdetail("This one has %d.", len),
				 errhint("Map longer texts with ssot.set_value_map().")));
	word = ssot_utf8_to_server(word, len, &len);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(word, len));
}
