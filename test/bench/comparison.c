/*
 * comparison.c
 *		For comparison.sh: nanoseconds per pair of the similarity kernels, without
 *		SQL around them.
 *
 * The kernels are compiled in, so nothing depends on what the extension's library
 * exports.
 */
#include "../../src/text/edit_distance.c"
#include "../../src/text/jaro.c"

#include "catalog/pg_type.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_kernel);

/*
 * bench_kernel(kernel text, a text[], b text[], rounds int) returns float8
 */
Datum
bench_kernel(PG_FUNCTION_ARGS)
{
	char	   *kernel = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *a;
	Datum	   *b;
	int			n;
	int			m;
	int			rounds = PG_GETARG_INT32(3);
	const char **as;
	const char **bs;
	int		   *alen;
	int		   *blen;
	volatile double sink = 0;
	instr_time	begin;
	instr_time	end;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &a, NULL, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &b, NULL, &m);
	as = palloc(sizeof(char *) * n);
	bs = palloc(sizeof(char *) * n);
	alen = palloc(sizeof(int) * n);
	blen = palloc(sizeof(int) * n);
	for (int i = 0; i < n; i++)
	{
		as[i] = VARDATA_ANY(DatumGetPointer(a[i]));
		bs[i] = VARDATA_ANY(DatumGetPointer(b[i]));
		alen[i] = VARSIZE_ANY_EXHDR(DatumGetPointer(a[i]));
		blen[i] = VARSIZE_ANY_EXHDR(DatumGetPointer(b[i]));
	}
	INSTR_TIME_SET_CURRENT(begin);
	for (int r = 0; r < rounds; r++)
	{
		CHECK_FOR_INTERRUPTS();
		if (strcmp(kernel, "jaro_winkler") == 0)
			for (int i = 0; i < n; i++)
				sink += ssot_jaro_winkler_bytes(as[i], alen[i], bs[i], blen[i]);
		else if (strcmp(kernel, "levenshtein") == 0)
			for (int i = 0; i < n; i++)
				sink += ssot_levenshtein_bytes(as[i], alen[i], bs[i], blen[i], SSOT_NO_BOUND);
		else if (strcmp(kernel, "levenshtein 2") == 0)
			for (int i = 0; i < n; i++)
				sink += ssot_levenshtein_bytes(as[i], alen[i], bs[i], blen[i], 2);
		else
			for (int i = 0; i < n; i++)
				sink += ssot_damerau_bytes(as[i], alen[i], bs[i], blen[i], SSOT_NO_BOUND);
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, begin);
	PG_RETURN_FLOAT8(INSTR_TIME_GET_DOUBLE(end) * 1e9 / n / rounds);
}
