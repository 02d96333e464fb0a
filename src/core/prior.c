#include "prior.h"

#include "expr.h"
#include "text.h"

#include <math.h>
#include <string.h>

static const char *const words[] = {
#define X(name, word, text) word,
    PRIOR_MISFITS(X)
#undef X
};
static const char *const texts[] = {
#define X(name, word, text) text,
    PRIOR_MISFITS(X)
#undef X
};

const char *prior_misfit_word(enum prior_misfit m)
{
	return words[m];
}

const char *prior_misfit_text(enum prior_misfit m)
{
	return texts[m];
}

int prior_wanted(const struct study_phase *p, struct fault *f)
{
	if (search_takes_priors(p->search))
		return 0;
	return fault_set(
	    f, FAULT_USAGE,
	    "the search of phase %s is %s, which takes no observations; tpe, cmaes, gp and auto do", p->name,
	    search_text(p->search));
}

/* ---- names ------------------------------------------------------------------------------------- */
static bool is_qualified(const struct study_phase *q, const char *name, const char **rest)
{
	size_t n = strlen(q->name);

	*rest = name + n + 1;
	return !strncmp(name, q->name, n) && name[n] == '.';
}

static bool find_in(const struct study_phase *q, const char *name, struct prior_param *out)
{
	for (uint32_t i = 0; i < q->space.nparams; i++)
		if (!strcmp(q->space.params[i].name, name)) {
			*out = (struct prior_param){q->index, i};
			return true;
		}
	return false;
}

bool prior_find_param(const struct study *s, const struct study_phase *p, const char *name,
                      struct prior_param *out)
{
	const char *rest;

	for (uint32_t i = 0; i < p->nvisible; i++)
		if (!strcmp(p->visible[i].name, name)) {
			*out = (struct prior_param){p->visible[i].phase, p->visible[i].index};
			return true;
		}
	for (uint32_t i = 0; i < s->nphases; i++) {
		const struct study_phase *q = &s->phases[i];

		if ((q == p || p->ancestor[i]) && is_qualified(q, name, &rest) && find_in(q, rest, out))
			return true;
	}
	return false;
}

/* ---- one row ------------------------------------------------------------------------------------- */
struct reading {
	struct arena *a;
	const struct study *study;
	const struct study_phase *phase;
	const struct value **by_phase;
	struct value *own;
	const char **given; /* texts of the own values; NULL: none */
	struct scope scope;
	const char *why;
};

static void begin(struct reading *r, struct arena *a, const struct study *s, const struct study_phase *p)
{
	*r = (struct reading){.a = a, .study = s, .phase = p};
	r->by_phase = arena_array(a, s->nphases, sizeof *r->by_phase);
	r->own = arena_array(a, p->space.nparams + 1, sizeof *r->own);
	r->given = arena_array(a, p->space.nparams + 1, sizeof *r->given);
	r->by_phase[p->index] = r->own;
	r->scope = (struct scope){r->by_phase, s->nphases};
}

/* Tables have 64.0 for 64, where a column has gaps. */
static bool parse(struct arena *a, const struct param *p, const char *text, struct value *out)
{
	double x;

	if (value_parse(a, p, text, out))
		return true;
	if ((p->kind != DOMAIN_INT && p->kind != DOMAIN_LOGINT) ||
	    !text_parse_double(text, strlen(text), &x) || !(fabs(x) <= 0x1p53) || x != floor(x))
		return false;
	*out = (struct value){.kind = VALUE_INT, .u.i = (int64_t)x};
	return true;
}

/* What an ancestor had is not judged: what cannot be read is not known. */
static void give(struct reading *r, struct prior_param at, const char *text)
{
	const struct study_phase *q = &r->study->phases[at.phase];
	struct value *v;

	if (q == r->phase) {
		r->given[at.index] = text;
		return;
	}
	if (!r->by_phase[at.phase])
		r->by_phase[at.phase] = arena_array(r->a, q->space.nparams, sizeof **r->by_phase);
	v = (struct value *)&r->by_phase[at.phase][at.index];
	if (!parse(r->a, &q->space.params[at.index], text, v))
		*v = (struct value){0};
}

/* Bounds, conditions and `require` may hang on ancestors' parameters: without these nothing can be said. */
static void need_foreign(void *ctx, uint32_t phase, uint32_t index)
{
	struct reading *r = ctx;
	const struct param *q = &r->study->phases[phase].space.params[index];
	const struct value *there = r->by_phase[phase];

	if (phase == r->phase->index || q->cond || (there && there[index].kind != VALUE_NONE) || r->why)
		return;
	r->why = arena_printf(r->a, "no value of %s.%s", r->study->phases[phase].name, q->name);
}

static void need_params(void *ctx, const struct expr *e)
{
	expr_visit(e, need_foreign, ctx);
}

static bool lacks_foreign(struct reading *r)
{
	space_each_expr(&r->phase->space, need_params, r);
	return r->why != NULL;
}

/* A constant goes without saying, and so may the empty text, where it is a choice. */
static const char *unsaid(const struct param *p)
{
	if (p->kind == DOMAIN_CONST)
		return p->choices->text;
	for (uint32_t i = 0; i < p->nchoices; i++)
		if (!*p->choices[i].text)
			return "";
	return NULL;
}

/* In the order in which they depend on each other. What is given and not active here is left out: tables have
 * a value in every column. */
static enum prior_misfit take_own(struct reading *r)
{
	const struct space *s = &r->phase->space;

	for (uint32_t i = 0; i < s->nparams; i++) {
		uint32_t k = s->order[i];
		const struct param *p = &s->params[k];
		const char *text = r->given[k];

		if (p->cond && !expr_holds(p->cond, &r->scope, false))
			continue;
		text = text ? text : unsaid(p);
		if (!text) {
			r->why = arena_printf(r->a, "no value of %s", p->name);
			return PRIOR_MISSING;
		}
		if (!parse(r->a, p, text, &r->own[k])) {
			r->why = arena_printf(r->a, "%s=%.40s is no value of %s", p->name, text, p->text);
			return PRIOR_DOMAIN;
		}
	}
	return PRIOR_FITS;
}

static enum prior_misfit judge(struct reading *r)
{
	const struct space *s = &r->phase->space;
	enum prior_misfit m;
	struct fault why = {0};

	if (lacks_foreign(r))
		return PRIOR_MISSING;
	m = take_own(r);
	if (m != PRIOR_FITS)
		return m;
	if (!space_check(s, &r->scope, r->own, &why))
		return PRIOR_FITS;
	r->why = arena_strdup(r->a, why.text);
	return space_check_values(s, &r->scope, r->own, &why) ? PRIOR_DOMAIN : PRIOR_REQUIRE;
}

bool prior_has_outer(const struct study *s, const struct study_phase *p)
{
	return s->folds.outer > 0 && p->folds != FOLDS_NONE;
}

static bool read_outer(const struct study *s, const struct study_phase *p, const char *text, int32_t *out)
{
	int64_t n;

	*out = PRIOR_EVERYWHERE;
	if (!*text)
		return true;
	if (!text_parse_int(text, strlen(text), &n) || n < PRIOR_FULL)
		return false;
	if (!prior_has_outer(s, p))
		return true;
	*out = (int32_t)(n < INT32_MAX ? n : INT32_MAX);
	return n == PRIOR_FULL ? p->in_full : n < s->folds.outer;
}

enum prior_misfit prior_read(struct arena *a, const struct study *s, const struct study_phase *p,
                             const struct prior_param *params, uint32_t nparams, const struct prior_row *row,
                             struct prior *out, const char **why)
{
	struct reading r;
	enum prior_misfit m;

	*why = NULL;
	if (!text_parse_double(row->value, strlen(row->value), &out->value) || !isfinite(out->value)) {
		*why = *row->value ? arena_printf(a, "`%.40s`", row->value) : "it is empty";
		return PRIOR_VALUE;
	}
	if (!read_outer(s, p, row->outer, &out->outer)) {
		*why = arena_printf(a, "outer fold %.20s", row->outer);
		return PRIOR_OUTER;
	}
	begin(&r, a, s, p);
	for (uint32_t i = 0; i < nparams; i++)
		if (*row->cells[i])
			give(&r, params[i], row->cells[i]);
	m = judge(&r);
	out->scope = r.scope;
	*why = r.why;
	return m;
}

/* ---- as bytes -------------------------------------------------------------------------------------- */
void prior_encode(struct bytes *b, const struct study *s, const struct prior *x)
{
	char buf[TEXT_NUMBER];

	for (uint32_t i = 0; i < s->nphases; i++)
		for (uint32_t k = 0; x->scope.by_phase[i] && k < s->phases[i].space.nparams; k++) {
			const struct value *v = &x->scope.by_phase[i][k];

			if (v->kind == VALUE_NONE)
				continue;
			bytes_put_text(b, s->phases[i].name);
			bytes_put_text(b, s->phases[i].space.params[k].name);
			bytes_put_text(b, value_text(v, buf));
		}
}

static const char *next_text(struct reader *in, struct arena *a)
{
	size_t n;
	const unsigned char *p = reader_blob(in, &n);

	return arena_strndup(a, (const char *)p, n);
}

/* Phases and parameters that an edit has removed are dropped. */
int prior_decode(struct arena *a, const struct study *s, const struct study_phase *p, const void *bytes,
                 size_t n, struct scope *out)
{
	struct reading r;
	struct reader in;
	enum prior_misfit m;

	begin(&r, a, s, p);
	reader_init(&in, bytes, n);
	while (!in.bad && in.p < in.end) {
		const struct study_phase *q = study_find_phase(s, next_text(&in, a));
		const char *name = next_text(&in, a), *text = next_text(&in, a);
		struct prior_param at;

		if (!in.bad && q && (q == p || p->ancestor[q->index]) && find_in(q, name, &at))
			give(&r, at, text);
	}
	if (in.bad)
		return -1;
	m = judge(&r);
	*out = r.scope;
	return (int)m;
}

struct key128 prior_key(const struct study *s, const struct prior *x)
{
	struct bytes b = {0};
	struct key128 k;

	prior_encode(&b, s, x);
	bytes_put_f64(&b, x->value + 0.0); /* no negative zero */
	bytes_put_u32(&b, (uint32_t)x->outer);
	k = key_hash((struct key128){0, 0}, b.data, b.len);
	bytes_finish(&b);
	return k;
}
