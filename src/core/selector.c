#include "selector.h"

#include "bytes.h"
#include "sched.h"
#include "study.h"
#include "text.h"

#include <math.h>
#include <string.h>

static const char *const keys[] = {"unit", "phase", "trial", "fold", "outer_fold", "state", "reason"};
enum {
	NKEYS = sizeof keys / sizeof *keys,
	MAX_VALUES = 500 /* of one word: SQLite nests expressions 1000 deep at most */
};

/* Words of which one is meant: states, reasons. */
static const char *const states[] = {
#define X(name, text) text,
    UNIT_STATES(X)
#undef X
};
static const char *const reasons[] = {
#define X(name, text) text,
    REASONS(X)
#undef X
};

struct parse {
	struct arena *arena;
	const struct selector_names *names;
	struct bytes sql;
	const char **binds;
	uint32_t nbinds, cap;
};

static uint32_t add_bind(struct parse *p, const char *text)
{
	if (p->nbinds + 1 >= p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : 16;

		p->binds = arena_grow(p->arena, p->binds, p->cap * sizeof *p->binds, cap * sizeof *p->binds);
		p->cap = cap;
	}
	p->binds[p->nbinds++] = text;
	return p->nbinds;
}

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s, list[i]))
			return true;
	return false;
}

static int unknown(const char *what, const char *word, const char *const *list, size_t n, struct fault *f)
{
	const char *near = text_nearest(word, list, n);

	if (near)
		return fault_set(f, FAULT_USAGE, "no %s `%s`; did you mean `%s`?", what, word, near);
	return fault_set(f, FAULT_USAGE, "no %s `%s`", what, word);
}

/* ---- one value ------------------------------------------------------------------------------- */
/* A number with six digits or more also selects what the tables show like it: they cut longer ones there. */
static double half_of_last_digit(const char *s)
{
	size_t digits = 0, after = 0;
	bool point = false;
	const char *e = strpbrk(s, "eE");
	int64_t exponent = 0;
	char tail[TEXT_NUMBER];
	double half;

	for (const char *c = s; *c && c != e; c++) {
		if (*c == '.')
			point = true;
		if (*c < '0' || *c > '9')
			continue;
		digits += digits || *c != '0';
		after += point;
	}
	if (digits < 6 || digits > 15 || !after || (e && !text_parse_int(e + 1, strlen(e + 1), &exponent)))
		return 0;
	if (exponent < -400 || exponent > 400)
		return 0;
	half = pow(10, (double)exponent - (double)after) / 2;
	text_double(tail, half);
	return isfinite(half) ? half : 0;
}

static void put_param_value(struct parse *p, const char *value)
{
	double v, half;
	char lo[TEXT_NUMBER], hi[TEXT_NUMBER];

	text_putf(&p->sql, "CAST(p.value AS TEXT) = ?%u", add_bind(p, value));
	if (!text_parse_double(value, strlen(value), &v) || !isfinite(v))
		return;
	text_putf(&p->sql, " OR p.value = CAST(?%u AS REAL)", p->nbinds);
	half = half_of_last_digit(value);
	if (half > 0) {
		text_double(lo, v - half);
		text_double(hi, v + half);
		text_putf(&p->sql, " OR (typeof(p.value) = 'real' AND p.value >= CAST(?%u AS REAL)",
		          add_bind(p, arena_strdup(p->arena, lo)));
		text_putf(&p->sql, " AND p.value <= CAST(?%u AS REAL))",
		          add_bind(p, arena_strdup(p->arena, hi)));
	}
}

static int put_integer(struct parse *p, const char *key, const char *value, struct fault *f)
{
	int64_t v;

	if (!text_parse_int(value, strlen(value), &v))
		return fault_set(f, FAULT_USAGE, "%s is a whole number, `%s` is none", key, value);
	text_putf(&p->sql, "CAST(?%u AS INTEGER)", add_bind(p, value));
	return 0;
}

static int put_word(struct parse *p, const char *key, const char *value, const char *const *list, size_t n,
                    struct fault *f)
{
	if (!is_one_of(value, list, n))
		return unknown(key, value, list, n, f);
	text_putf(&p->sql, "?%u", add_bind(p, value));
	return 0;
}

static int put_value(struct parse *p, const char *key, const char *value, struct fault *f)
{
	if (!strcmp(key, "phase"))
		return put_word(p, key, value, p->names->phases, p->names->nphases, f);
	if (!strcmp(key, "state"))
		return put_word(p, key, value, states, sizeof states / sizeof *states, f);
	if (!strcmp(key, "reason"))
		return put_word(p, key, value, reasons + 1, sizeof reasons / sizeof *reasons - 1, f);
	if (is_one_of(key, keys, NKEYS))
		return put_integer(p, key, value, f);
	put_param_value(p, value);
	return 0;
}

/* ---- one word -------------------------------------------------------------------------------- */
/* `lr` is what the trial itself knows by that name, its own or the nearest ancestor's; `pretrain.lr` any
 * trial's of that phase among its ancestors (several, below `best 3 as one`). */
static void open_param(struct parse *p, const char *name)
{
	text_putf(&p->sql,
	          "EXISTS (SELECT 1 FROM (SELECT j.key AS name, j.value AS value FROM trials t,"
	          " json_each(t.params) j WHERE t.trial = units.trial UNION ALL"
	          " SELECT q.phase || '.' || q.name, q.value FROM params q WHERE q.trial = units.trial) p"
	          " WHERE p.name = ?%u AND (",
	          add_bind(p, name));
}

/* The next value up to a comma; NULL at the end. */
static const char *next_value(struct arena *a, const char **at)
{
	const char *s = *at;
	char *out, *w;

	if (!s)
		return NULL;
	out = w = arena_alloc(a, strlen(s) + 1);
	while (*s && *s != ',') {
		if (*s == '\\' && s[1] == ',')
			s++;
		*w++ = *s++;
	}
	*at = *s ? s + 1 : NULL;
	return out;
}

static int unknown_key(const struct parse *p, const char *key, struct fault *f)
{
	size_t n = NKEYS + p->names->nparams;
	const char **all = arena_array(p->arena, n, sizeof *all);

	memcpy(all, keys, sizeof keys);
	if (p->names->nparams)
		memcpy(all + NKEYS, p->names->params, p->names->nparams * sizeof *all);
	unknown("key", key, all, n, f);
	return fault_set(f, FAULT_USAGE,
	                 "%.200s (keys are unit, phase, trial, fold, outer_fold, state, reason and parameter "
	                 "names)",
	                 arena_strdup(p->arena, f ? f->text : ""));
}

static int put_term(struct parse *p, const char *word, struct fault *f)
{
	const char *eq = strchr(word, '='), *key, *value, *rest = eq ? eq + 1 : NULL;
	bool param;

	if (!eq || eq == word)
		return fault_set(f, FAULT_USAGE, "a selector is key=value, `%s` is none", word);
	key = arena_strndup(p->arena, word, (size_t)(eq - word));
	param = !is_one_of(key, keys, NKEYS);
	if (param && !is_one_of(key, p->names->params, p->names->nparams))
		return unknown_key(p, key, f);
	text_put(&p->sql, p->sql.len ? " AND " : "");
	if (param)
		open_param(p, key);
	else
		text_putf(&p->sql, "%s IN (", key);
	for (uint32_t i = 0; (value = next_value(p->arena, &rest)); i++) {
		text_put(&p->sql, i == 0 ? "" : param ? " OR " : ", ");
		if (i == MAX_VALUES)
			return fault_set(f, FAULT_USAGE, "%s has more than %d values", key, MAX_VALUES);
		if (put_value(p, key, value, f))
			return -1;
	}
	text_put(&p->sql, param ? "))" : ")");
	return 0;
}

void selector_names_of(struct arena *a, const struct study *s, struct selector_names *out)
{
	const char **phases = arena_array(a, s->nphases, sizeof *phases), **params;
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->nphases; i++)
		n += 2 * s->phases[i].space.nparams;
	params = arena_array(a, n + 1, sizeof *params);
	n = 0;
	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct space *x = &s->phases[i].space;

		phases[i] = s->phases[i].name;
		for (uint32_t k = 0; k < x->nparams; k++) {
			params[n++] = x->params[k].name;
			params[n++] = arena_printf(a, "%s.%s", s->phases[i].name, x->params[k].name);
		}
	}
	*out = (struct selector_names){phases, s->nphases, params, n};
}

bool selector_like(const char *word)
{
	const char *eq = strchr(word, '=');

	return eq && eq != word && !memchr(word, '/', (size_t)(eq - word));
}

int selector_parse(struct arena *a, const char *const *words, uint32_t n, const struct selector_names *names,
                   struct selector_sql *out, struct fault *f)
{
	struct parse p = {.arena = a, .names = names};
	int bad = 0;

	for (uint32_t i = 0; i < n && !bad; i++)
		bad = put_term(&p, words[i], f);
	if (!bad)
		*out = (struct selector_sql){
		    .where = p.sql.len ? arena_strndup(a, (const char *)p.sql.data, p.sql.len) : "1",
		    .nbinds = p.nbinds,
		};
	if (!bad) {
		add_bind(&p, NULL);
		out->binds = p.binds;
	}
	bytes_finish(&p.sql);
	return bad;
}
