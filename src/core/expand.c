/* Numbers of combinations, and texts as identity takes them. */
#include "expand.h"

#include "text.h"

#include <math.h>
#include <string.h>

uint64_t expand_times(uint64_t a, uint64_t b)
{
	return a && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}

int expand_check(uint64_t jobs, struct fault *f)
{
	if (jobs <= EXPAND_MAX_JOBS)
		return 0;
	if (jobs == UINT64_MAX)
		return fault_set(f, FAULT_USAGE, "more jobs than can be counted: one call makes at most %d",
		                 EXPAND_MAX_JOBS);
	return fault_set(f, FAULT_USAGE, "%llu jobs: one call makes at most %d", (unsigned long long)jobs,
	                 EXPAND_MAX_JOBS);
}

uint64_t expand_count(const struct expand_args *x)
{
	return expand_times(x->combinations, x->samples);
}

const struct expand_arg *expand_find(const struct expand_args *x, enum expand_word word)
{
	for (uint32_t i = 0; i < x->n; i++)
		if (x->args[i].word == word)
			return &x->args[i];
	return NULL;
}

/* Doubles of this size and more are whole numbers that stand for several. */
static const double too_large = 0x1p53;

static bool all_digits(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s && s[strspn(s, "0123456789")] == 0;
}

const char *expand_canonical(struct arena *a, const char *text)
{
	char buf[TEXT_NUMBER];
	double v;

	if (!text_parse_double(text, strlen(text), &v) || !isfinite(v))
		return text;
	if (fabs(v) >= too_large && all_digits(text))
		return text;
	text_double(buf, v == 0 ? 0 : v); /* -0 is 0 */
	return strcmp(buf, text) != 0 ? arena_strdup(a, buf) : text;
}
