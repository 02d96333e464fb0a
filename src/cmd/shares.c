#include "shares.h"

#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- parameters that vary ---------------------------------------------------------------------- */
struct parameter {
	const struct visible *visible;
	const struct param *param;
	struct axis axis; /* levels of an ANY: once all are read */
};

struct slot { /* what the current trial has for a parameter, whether it varies or not */
	const char *text;
	bool several; /* parents that are one have different ones */
};

struct counted {
	int64_t outer;
	double value, place; /* place: within the outer fold, in (0, 1]; equals have their mean */
	struct cell *cells;  /* by parameter */
	const char **texts;  /* of those of domain ANY */
};

struct reading {
	struct cmd_db *d;
	const struct study_phase *phase;
	struct parameter *params;
	uint32_t nparams;
	struct slab trials;  /* struct counted */
	struct slot **slots; /* by phase and parameter; NULL for phases that are no ancestors */
	struct value **values;
	double *lo, *hi;      /* of one phase */
	struct arena scratch; /* of one trial */
};

static bool varies(const struct param *p)
{
	return p->kind != DOMAIN_CONST && !(p->choices && p->nchoices == 1);
}

static struct axis axis_of(const struct param *p)
{
	const struct space one = {.params = p, .nparams = 1};
	int64_t n = space_size(&one);
	bool choice = p->kind == DOMAIN_CHOICE && !p->ordered;

	return (struct axis){.kind = choice ? AXIS_CHOICE : AXIS_NUMBER,
	                     .levels = n > 0 && n < UINT32_MAX ? (uint32_t)n : 0};
}

static void find_params(struct reading *r)
{
	const struct study *s = r->d->study;

	r->params = arena_array(&r->d->arena, r->phase->nvisible + 1, sizeof *r->params);
	for (uint32_t i = 0; i < r->phase->nvisible; i++) {
		const struct visible *v = &r->phase->visible[i];
		const struct param *p = &s->phases[v->phase].space.params[v->index];

		if (varies(p))
			r->params[r->nparams++] = (struct parameter){v, p, axis_of(p)};
	}
}

static void begin_reading(struct reading *r, struct cmd_db *d, const struct study_phase *p)
{
	uint32_t most = 1;

	*r = (struct reading){.d = d, .phase = p};
	find_params(r);
	slab_init(&r->trials, &d->arena, sizeof(struct counted));
	r->slots = arena_array(&d->arena, d->study->nphases, sizeof *r->slots);
	r->values = arena_array(&d->arena, d->study->nphases, sizeof *r->values);
	for (uint32_t i = 0; i < d->study->nphases; i++) {
		uint32_t n = d->study->phases[i].space.nparams;

		if (i != p->index && !p->ancestor[i])
			continue;
		r->slots[i] = arena_array(&d->arena, n + 1, sizeof **r->slots);
		r->values[i] = arena_array(&d->arena, n + 1, sizeof **r->values);
		most = n > most ? n : most;
	}
	r->lo = arena_array(&d->arena, most, sizeof *r->lo);
	r->hi = arena_array(&d->arena, most, sizeof *r->hi);
}

/* ---- reading trials ---------------------------------------------------------------------------- */
enum { TRIAL, OUTER, SCORE, PHASE, NAME, VALUE };

static struct slot *find_slot(struct reading *r, const char *phase, const char *name)
{
	for (uint32_t i = 0; i < r->d->study->nphases; i++) {
		const struct study_phase *p = &r->d->study->phases[i];

		if (!r->slots[i] || strcmp(p->name, phase) != 0)
			continue;
		for (uint32_t k = 0; k < p->space.nparams; k++)
			if (!strcmp(p->space.params[k].name, name))
				return &r->slots[i][k];
	}
	return NULL;
}

static void take_value(struct reading *r, const struct store_rows *rows)
{
	struct slot *s = find_slot(r, store_text(rows, PHASE), store_text(rows, NAME));
	char buf[TEXT_NUMBER];
	const char *text = buf;

	if (!s || store_type(rows, VALUE) == STORE_NULL)
		return;
	if (store_type(rows, VALUE) == STORE_TEXT)
		text = store_text(rows, VALUE);
	else
		text_double(buf, store_real(rows, VALUE));
	if (s->text && strcmp(s->text, text) != 0)
		s->several = true;
	s->text = arena_strdup(&r->scratch, text);
}

static void parse_values(struct reading *r, uint32_t phase)
{
	const struct study_phase *p = &r->d->study->phases[phase];

	for (uint32_t k = 0; k < p->space.nparams; k++) {
		const struct slot *s = &r->slots[phase][k];
		struct value *v = &r->values[phase][k];

		*v = (struct value){0};
		if (s->text && !s->several && !value_parse(&r->scratch, &p->space.params[k], s->text, v))
			*v = (struct value){0};
	}
}

static void locate(struct reading *r, struct counted *c, uint32_t phase)
{
	const struct scope scope = {(const struct value *const *)r->values, r->d->study->nphases};

	space_locate(&r->d->study->phases[phase].space, &scope, r->values[phase], r->lo, r->hi);
	for (uint32_t i = 0; i < r->nparams; i++) {
		const struct visible *v = r->params[i].visible;
		const struct slot *s;

		if (v->phase != phase)
			continue;
		s = &r->slots[phase][v->index];
		c->cells[i] = (struct cell){r->lo[v->index], r->hi[v->index]};
		if (r->params[i].param->kind == DOMAIN_ANY && s->text && !s->several)
			c->texts[i] = arena_strdup(&r->d->arena, s->text);
	}
}

/* The rows of a trial have all come. */
static void end_trial(struct reading *r)
{
	struct counted *c;

	if (!r->trials.count)
		return;
	c = slab_at(&r->trials, r->trials.count - 1);
	c->cells = arena_array(&r->d->arena, r->nparams, sizeof *c->cells);
	c->texts = arena_array(&r->d->arena, r->nparams, sizeof *c->texts);
	for (uint32_t i = 0; i < r->d->study->nphases; i++)
		if (r->slots[i])
			parse_values(r, i);
	for (uint32_t i = 0; i < r->d->study->nphases; i++) {
		if (!r->slots[i])
			continue;
		locate(r, c, i);
		memset(r->slots[i], 0, r->d->study->phases[i].space.nparams * sizeof **r->slots);
	}
	arena_reset(&r->scratch);
}

static int read_trials(struct reading *r, struct fault *f)
{
	const char *binds[] = {r->phase->name, NULL};
	bool maximize = r->phase->goal == GOAL_MAXIMIZE;
	struct store_rows *rows;
	int64_t trial = 0;
	int got;

	if (store_select(r->d->store,
	                 "SELECT t.trial, t.outer_fold, t.score, p.phase, p.name, p.value FROM"
	                 " (SELECT trial, outer_fold, value AS score FROM trials"
	                 "  WHERE phase = ?1 AND " RANKING_IS_FINITE ") t"
	                 " LEFT JOIN params p ON p.trial = t.trial ORDER BY t.trial",
	                 binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0) {
		if (r->trials.count == 0 || store_int(rows, TRIAL) != trial) {
			struct counted *c;

			end_trial(r);
			c = slab_add(&r->trials);
			trial = store_int(rows, TRIAL);
			c->outer = store_int(rows, OUTER);
			c->value = maximize ? -store_real(rows, SCORE) : store_real(rows, SCORE);
		}
		if (store_type(rows, NAME) != STORE_NULL)
			take_value(r, rows);
	}
	end_trial(r);
	store_rows_close(rows);
	return got;
}

/* ---- places within outer folds ----------------------------------------------------------------- */
static int by_fold_and_value(const void *a, const void *b)
{
	const struct counted *x = *(struct counted *const *)a, *y = *(struct counted *const *)b;

	if (x->outer != y->outer)
		return x->outer < y->outer ? -1 : 1;
	return x->value < y->value ? -1 : x->value > y->value;
}

static void give_places(struct counted **c, uint32_t n)
{
	for (uint32_t first = 0, end; first < n; first = end) {
		for (end = first; end < n && c[end]->value == c[first]->value;)
			end++;
		for (uint32_t i = first; i < end; i++)
			c[i]->place = 0.5 * (first + 1 + end) / n;
	}
}

static void find_places(struct reading *r)
{
	uint32_t n = r->trials.count, end;
	struct counted **c = arena_array(&r->d->arena, n + 1, sizeof *c);

	for (uint32_t i = 0; i < n; i++)
		c[i] = slab_at(&r->trials, i);
	qsort(c, n, sizeof(struct counted *), by_fold_and_value);
	for (uint32_t first = 0; first < n; first = end) {
		for (end = first; end < n && c[end]->outer == c[first]->outer;)
			end++;
		give_places(c + first, end - first);
	}
}

/* ---- parameters that may be anything ----------------------------------------------------------- */
struct word {
	const char *text;
	double number;
	uint32_t trial;
};

static int by_number(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static int by_text(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return strcmp(x->text, y->text);
}

/* Words that are all numbers have an order and are evenly spaced; others are choices. */
static void locate_words(struct reading *r, uint32_t param, struct word *w, uint32_t n, bool numbers)
{
	int (*compare)(const void *, const void *) = numbers ? by_number : by_text;
	struct axis *axis = &r->params[param].axis;
	uint32_t level = 0;

	qsort(w, n, sizeof *w, compare);
	for (uint32_t i = 1; i < n; i++)
		level += compare(&w[i - 1], &w[i]) != 0;
	*axis = (struct axis){.kind = numbers ? AXIS_NUMBER : AXIS_CHOICE, .levels = n ? level + 1 : 1};
	level = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct counted *c = slab_at(&r->trials, w[i].trial);

		level += i > 0 && compare(&w[i - 1], &w[i]) != 0;
		c->cells[param] = (struct cell){(double)level / axis->levels, (level + 1.0) / axis->levels};
	}
}

static void find_words(struct reading *r, uint32_t param)
{
	struct word *w = arena_array(&r->d->arena, r->trials.count + 1, sizeof *w);
	uint32_t n = 0;
	bool numbers = true;

	for (uint32_t i = 0; i < r->trials.count; i++) {
		const struct counted *c = slab_at(&r->trials, i);
		const char *text = c->texts[param];

		if (!text)
			continue;
		w[n] = (struct word){text, 0, i};
		numbers =
		    text_parse_double(text, strlen(text), &w[n].number) && isfinite(w[n].number) && numbers;
		n++;
	}
	locate_words(r, param, w, n, numbers);
}

/* ---- rows -------------------------------------------------------------------------------------- */
struct row {
	const char *name;
	double share, active;
	uint32_t place;
};

static int by_share(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->share != y->share)
		return x->share > y->share ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static const char *percent(struct cmd_db *d, double part)
{
	return arena_printf(&d->arena, "%.1f %%", 100 * part);
}

static void put_row(struct shares *s, struct cmd_db *d, const struct study_phase *p, const struct row *row)
{
	struct report *r = &s->report;
	char buf[TEXT_NUMBER];

	text_double(buf, row->share);
	report_row(r);
	report_text(r, s->phase, p->name);
	report_text(r, s->parameter, row->name);
	report_json(r, s->share, buf, percent(d, row->share));
	report_real(r, s->active, row->active);
	if (row->active < 1)
		report_text(r, s->active_shown, percent(d, row->active));
}

static double active_part(const struct importance_trials *t, uint32_t axis)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++)
		n += cell_active(t->cells[(size_t)i * t->naxes + axis]);
	return (double)n / t->n;
}

/* A job's parameter that all trials have the same value of is a constant. */
static void put_rows(struct shares *s, const struct reading *r, const struct importance_trials *t,
                     const double *shares)
{
	struct row *rows = arena_array(&r->d->arena, t->naxes + 1, sizeof *rows);
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->naxes; i++) {
		if (t->axes[i].levels == 1)
			continue;
		rows[n++] = (struct row){r->params[i].visible->name, shares[i], active_part(t, i), i};
		s->told = s->told || shares[i] > 0;
	}
	qsort(rows, n, sizeof *rows, by_share);
	for (uint32_t i = 0; i < n; i++)
		put_row(s, r->d, r->phase, &rows[i]);
	s->nparams = n;
}

static void weigh(struct shares *s, struct reading *r)
{
	uint32_t n = r->trials.count;
	struct axis *axes = arena_array(&r->d->arena, r->nparams, sizeof *axes);
	struct cell *cells = arena_array(&r->d->arena, (size_t)n * r->nparams, sizeof *cells);
	double *values = arena_array(&r->d->arena, n, sizeof *values),
	       *shares = arena_array(&r->d->arena, r->nparams, sizeof *shares);
	const struct importance_trials t = {
	    .axes = axes, .naxes = r->nparams, .n = n, .cells = cells, .values = values};

	find_places(r);
	for (uint32_t i = 0; i < r->nparams; i++) {
		if (r->params[i].param->kind == DOMAIN_ANY)
			find_words(r, i);
		axes[i] = r->params[i].axis;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct counted *c = slab_at(&r->trials, i);

		values[i] = c->place;
		memcpy(&cells[(size_t)i * r->nparams], c->cells, r->nparams * sizeof *cells);
	}
	importance_find(&t, &r->scratch, shares);
	put_rows(s, r, &t, shares);
}

void shares_init(struct shares *s, struct cmd_db *d)
{
	struct report *r = &s->report;

	*s = (struct shares){0};
	report_init(r, &d->arena);
	s->phase = report_column(r, "phase", NULL, REPORT_JSON_ONLY);
	s->parameter = report_column(r, "parameter", NULL, 0);
	s->share = report_column(r, "share", NULL, REPORT_RIGHT);
	s->active = report_column(r, "active", NULL, REPORT_JSON_ONLY);
	s->active_shown =
	    report_column(r, "", "active", REPORT_RIGHT | REPORT_TABLE_ONLY | REPORT_HIDE_EMPTY);
}

int shares_add(struct shares *s, struct cmd_db *d, const struct study_phase *p, struct fault *f)
{
	struct reading r;
	int bad = 0;

	s->told = false;
	s->ntrials = 0;
	begin_reading(&r, d, p);
	s->nparams = r.nparams;
	if (p->metric && r.nparams) {
		bad = read_trials(&r, f);
		s->ntrials = r.trials.count;
		if (!bad && s->ntrials >= IMPORTANCE_LEAST)
			weigh(s, &r);
	}
	arena_finish(&r.scratch);
	return bad;
}

const char *shares_note(const struct shares *s, struct cmd_db *d, const struct study_phase *p)
{
	if (!p->metric)
		return "no metric: nothing to compare";
	if (!s->nparams)
		return "no parameter varies";
	if (s->ntrials < IMPORTANCE_LEAST)
		return arena_printf(&d->arena, "%u complete trial%s: too few to tell, %d are needed",
		                    s->ntrials, s->ntrials == 1 ? "" : "s", IMPORTANCE_LEAST);
	return s->told ? NULL : "no parameter is told from chance";
}
