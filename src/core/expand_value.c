/* From the number of a combination to its texts. */
#include "expand_piece.h"

#include "bytes.h"
#include "rng.h"
#include "text.h"

#include <math.h>
#include <string.h>

/* ---- how many ---------------------------------------------------------------------------------------- */

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

/* ---- identity ---------------------------------------------------------------------------------------- */

/* Doubles of this size and more are whole numbers that stand for several. */
static const double too_large = 0x1p53;

static bool all_digits(const char *s)
{
	s += *s == '-' || *s == '+';
	return *s && s[strspn(s, "0123456789")] == 0;
}

/* The text itself, or buf. */
static const char *canonical(const char *text, char buf[TEXT_NUMBER])
{
	double v;

	if (!text_parse_double(text, strlen(text), &v) || !isfinite(v))
		return text;
	if (fabs(v) >= too_large && all_digits(text))
		return text;
	text_double(buf, v == 0 ? 0 : v); /* -0 is 0 */
	return buf;
}

const char *expand_canonical(struct arena *a, const char *text)
{
	char buf[TEXT_NUMBER];
	const char *c = canonical(text, buf);

	return c == buf ? arena_strdup(a, buf) : text;
}

/* ---- texts ------------------------------------------------------------------------------------------- */

struct space expand_space(const struct param *p)
{
	static const uint32_t order[] = {0};

	return (struct space){.params = p, .nparams = 1, .order = order};
}

/* Value number `digit` of a list: borrowed, or in buf. */
static const char *item_text(const struct expand_piece *p, uint64_t digit, char buf[TEXT_NUMBER])
{
	const struct expand_item *items = p->items;
	uint32_t lo = 0, hi = p->nitems - 1;
	struct space one;
	struct value v = {0};

	while (lo < hi) { /* the first that ends after it */
		uint32_t mid = lo + (hi - lo) / 2;

		if (digit < items[mid].end)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (items[lo].text)
		return items[lo].text;
	one = expand_space(items[lo].domain);
	space_grid_point(&one, &(struct scope){0}, (int64_t)(digit - (lo ? items[lo - 1].end : 0)), &v);
	return value_text(&v, buf);
}

static uint64_t fold(uint64_t h, uint64_t x)
{
	return rng_mix(h ^ rng_mix(x + 0x9e3779b97f4a7c15u));
}

static const char *draw_text(const struct expand_piece *p, uint64_t key, char buf[TEXT_NUMBER])
{
	struct space one = expand_space(p->items->domain);
	struct value v = {0};
	struct rng r;
	double u;

	rng_seed(&r, key);
	u = rng_unit(&r);
	space_draw(&one, &(struct scope){0}, &u, &v);
	return value_text(&v, buf);
}

/* Append value number `digit` of an argument. Of what is drawn only its place, unless there is a key. */
static void put_value(struct bytes *b, const struct expand_arg *arg, uint64_t digit, const uint64_t *key)
{
	uint64_t stride = arg->count;
	char buf[TEXT_NUMBER];

	for (uint32_t i = 0; i < arg->npieces; i++) {
		const struct expand_piece *p = &arg->pieces[i];

		stride /= p->count;
		if (p->kind != EXPAND_DRAW)
			text_put(b, item_text(p, digit / stride, buf));
		else if (key)
			text_put(b, draw_text(p, fold(*key, i), buf));
		else
			bytes_put_u8(b, 0);
		digit %= stride;
	}
}

/* ---- what draws hang on ------------------------------------------------------------------------------ */

static uint64_t hash_text(uint64_t seed, const char *s)
{
	return rng_hash(seed, s, strlen(s));
}

static uint64_t hash_value(const struct expand_arg *arg, uint64_t digit)
{
	uint64_t h = hash_text(1, arg->name);
	char buf[TEXT_NUMBER];
	struct bytes b = {0};

	put_value(&b, arg, digit, NULL);
	if (arg->drawn) {
		h = rng_hash(h, b.data, b.len);
	} else {
		bytes_put_u8(&b, 0);
		h = hash_text(h, canonical((const char *)b.data, buf));
	}
	bytes_finish(&b);
	return h;
}

static bool counts(const struct expand_arg *arg)
{
	return !arg->existing && (arg->word == EXPAND_PARAM || arg->word == EXPAND_PHASE);
}

void expand_count_up(struct expand_args *x, struct expand_arg *args, uint32_t samples)
{
	x->args = args;
	x->samples = 1;
	x->combinations = 1;
	for (uint32_t i = x->n; i-- > 0;) {
		args[i].stride = x->combinations;
		x->combinations = expand_times(x->combinations, args[i].count);
		if (counts(&args[i]) && args[i].count == 1)
			x->constant += hash_value(&args[i], 0);
		if (args[i].drawn)
			x->samples = samples;
		x->drawn = x->drawn || args[i].drawn;
	}
}

/* A sum, so that the order of the arguments is nothing. */
static uint64_t hash_combination(const struct expand_args *x, uint64_t combination)
{
	uint64_t h = x->constant;

	for (uint32_t i = 0; i < x->n; i++)
		if (x->args[i].count > 1)
			h += hash_value(&x->args[i], combination / x->args[i].stride % x->args[i].count);
	return h;
}

const char *expand_value(struct arena *a, const struct expand_args *x, uint64_t seed, uint64_t index,
                         uint32_t arg)
{
	const struct expand_arg *of = &x->args[arg];
	uint64_t combination = index / x->samples, key = 0;
	struct bytes b = {0};
	const char *out;

	if (of->existing || of->text)
		return of->text;
	if (of->drawn) {
		key = fold(fold(seed, hash_combination(x, combination)), index % x->samples);
		key = hash_text(key, of->name);
	}
	put_value(&b, of, combination / of->stride % of->count, &key);
	bytes_put_u8(&b, 0);
	out = arena_strdup(a, (const char *)b.data);
	bytes_finish(&b);
	return out;
}
