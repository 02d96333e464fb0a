/* Bytes as the arguments of `schedule`: the first is the number of samples, then words, each ended by a NUL.
 * What is accepted has values for every combination; what is not is told in one line; memory stays in
 * proportion. */
#include "fuzz.h"

#include "expand.h"
#include "rng.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void check_fault(const struct fault *f)
{
	must(f->code == FAULT_USAGE && *f->text);
	for (const char *s = f->text; *s; s++)
		must(!iscntrl((unsigned char)*s));
}

static void check_combination(struct arena *a, const struct expand_args *x, uint64_t index)
{
	for (uint32_t i = 0; i < x->n; i++) {
		const char *v = expand_value(a, x, 1, index, i), *c;

		must(!v == x->args[i].existing);
		if (!v)
			continue;
		must(!strcmp(v, expand_value(a, x, 1, index, i)));
		c = expand_canonical(a, v);
		must(!strcmp(c, expand_canonical(a, c)));
	}
}

static void check_args(struct arena *a, const struct expand_args *x)
{
	uint64_t count = expand_count(x);
	struct rng r;

	must(count >= 1 && count <= EXPAND_MAX_JOBS);
	check_combination(a, x, 0);
	check_combination(a, x, count - 1);
	rng_seed(&r, count);
	for (int i = 0; i < 3; i++)
		check_combination(a, x, rng_below(&r, count));
}

/* Words in memory of their own, so that a sanitizer sees a read past their end. */
static uint32_t split(const uint8_t *data, size_t n, char **words, uint32_t max)
{
	uint32_t count = 0;

	while (n && count < max) {
		const uint8_t *end = memchr(data, 0, n);
		size_t length = end ? (size_t)(end - data) : n;

		words[count] = malloc(length + 1);
		must(words[count] != NULL);
		memcpy(words[count], data, length);
		words[count++][length] = 0;
		data += length + (end != NULL);
		n -= length + (end != NULL);
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char *words[EXPAND_MAX_WORDS + 1];
	struct expand_call c;
	struct arena a = {0};
	struct fault f = {0};
	uint32_t nwords;

	if (n == 0)
		return 0;
	nwords = split(data + 1, n - 1, words, EXPAND_MAX_WORDS + 1);
	if (expand_parse(&a, (const char *const *)words, nwords, data[0], &c, &f)) {
		check_fault(&f);
	} else {
		must(c.nselect <= nwords && c.joined == (c.nselect > 0 || c.best > 0));
		check_args(&a, &c.group);
		check_args(&a, &c.jobs);
	}
	must(a.used_bytes < (32u << 20) + 1000 * n);
	arena_finish(&a);
	for (uint32_t i = 0; i < nwords; i++)
		free(words[i]);
	return 0;
}
