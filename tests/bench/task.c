#include "task.h"

#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	struct task *t;
	struct arena *a;
	const char *path;
	FILE *file;
	char *line;
	size_t cap;
};

static void wrong(const struct reader *r, const char *what, const char *word)
{
	fprintf(stderr, "%s: %s '%s'\n", r->path, what, word);
	exit(1);
}

/* ---- the header: one word and what belongs to it on each line ---------------------------------------- */
enum { WORDS = TASK_LEVELS + 4 };

static uint32_t find_param(const struct reader *r, const char *name)
{
	for (uint32_t i = 0; i < r->t->nparams; i++)
		if (!strcmp(r->t->params[i].name, name))
			return i;
	return UINT32_MAX;
}

static struct task_param *need_param(const struct reader *r, const char *name)
{
	uint32_t i = find_param(r, name);

	if (i == UINT32_MAX)
		wrong(r, "no such parameter:", name);
	return &r->t->params[i];
}

static uint32_t need_choice(const struct reader *r, const struct task_param *p, const char *word)
{
	for (uint32_t i = 0; i < p->nchoices; i++)
		if (!strcmp(p->choices[i], word))
			return i;
	wrong(r, "no such choice:", word);
	return 0;
}

static void read_param(struct reader *r, char **w, uint32_t n)
{
	struct task_param *p = &r->t->params[r->t->nparams];

	if (r->t->nparams++ == TASK_PARAMS || n < 4 || n > TASK_CHOICES + 3)
		wrong(r, "too much or too little about", w[1]);
	p->name = arena_strdup(r->a, w[1]);
	p->parent = -1;
	if (!strcmp(w[2], "cat")) {
		p->kind = TASK_CHOICE;
		for (uint32_t i = 3; i < n; i++)
			p->choices[p->nchoices++] = arena_strdup(r->a, w[i]);
		return;
	}
	p->kind = strcmp(w[2], "int") ? TASK_REAL : TASK_INT;
	p->log = !strcmp(w[3], "log");
	p->lo = atof(w[4]);
	p->hi = atof(w[5]);
}

static void read_when(struct reader *r, char **w, uint32_t n)
{
	struct task_param *p = need_param(r, w[1]), *parent = need_param(r, w[2]);

	p->parent = (int32_t)(parent - r->t->params);
	for (uint32_t i = 3; i < n; i++)
		p->when |= 1u << need_choice(r, parent, w[i]);
}

static void read_levels(struct reader *r, char **w, uint32_t n)
{
	struct task_param *p = need_param(r, w[1]);

	p->nlevels = n - 2;
	for (uint32_t i = 2; i < n && p->kind != TASK_CHOICE; i++)
		p->levels[i - 2] = atof(w[i]);
}

static void read_fact(struct reader *r, const char *key, const char *word)
{
	struct task *t = r->t;

	if (!strcmp(key, "direction"))
		t->maximize = !strcmp(word, "maximize");
	else if (!strcmp(key, "lookup"))
		t->nearest = !strcmp(word, "nearest");
	else if (!strcmp(key, "function"))
		t->function = arena_strdup(r->a, word);
	else if (!strcmp(key, "folds"))
		t->folds = (uint32_t)atoi(word);
	else if (!strcmp(key, "best"))
		t->best = atof(word);
	else if (!strcmp(key, "median"))
		t->median = atof(word);
	else if (!strcmp(key, "phase"))
		t->nphases++;
}

static void read_header(struct reader *r, char *line)
{
	char *w[WORDS], *rest = NULL;
	uint32_t n = 0;

	for (char *q = strtok_r(line, "# \n", &rest); q && n < WORDS; q = strtok_r(NULL, " \n", &rest))
		w[n++] = q;
	if (n < 2)
		return;
	if (!strcmp(w[0], "param")) {
		read_param(r, w, n);
	} else if (!strcmp(w[0], "when")) {
		read_when(r, w, n);
	} else if (!strcmp(w[0], "levels")) {
		read_levels(r, w, n);
	} else if (!strcmp(w[0], "curve_param")) {
		r->t->curve_param = arena_strdup(r->a, w[1]);
		r->t->curve_step = atof(w[2]);
	} else {
		read_fact(r, w[0], w[1]);
	}
}

/* ---- the rows ---------------------------------------------------------------------------------------- */
/* Parameters first, then the metric of each fold and step, then the seconds of each phase and fold. */
static void read_columns(struct reader *r)
{
	struct task *t = r->t;
	char *rest = NULL;
	uint32_t n = 0;

	for (char *q = strtok_r(r->line, ",\n", &rest); q; q = strtok_r(NULL, ",\n", &rest), n++) {
		uint32_t p = find_param(r, q);

		if (p != UINT32_MAX && t->ncolumns == n)
			t->columns[t->ncolumns++] = p;
	}
	if (!t->folds || n <= t->ncolumns + t->nphases * t->folds)
		wrong(r, "not enough columns in", t->name);
	t->steps = (n - t->ncolumns - t->nphases * t->folds) / t->folds;
}

static double next_number(char **s)
{
	double v = strtod(*s, s);

	*s += **s == ',';
	return v;
}

static void read_row(struct reader *r, struct task_row *row)
{
	const struct task *t = r->t;
	char *s = r->line, *word;
	double *x = arena_array(r->a, t->ncolumns, sizeof *x),
	       *curve = arena_array(r->a, t->steps, sizeof *curve),
	       *curves = arena_array(r->a, (size_t)t->folds * t->steps, sizeof *curves),
	       *costs = arena_array(r->a, (size_t)t->nphases * t->folds, sizeof *costs);

	for (uint32_t c = 0; c < t->ncolumns; c++) {
		const struct task_param *p = &t->params[t->columns[c]];

		word = strsep(&s, ",");
		if (!*word)
			x[c] = NAN;
		else
			x[c] = p->kind == TASK_CHOICE ? need_choice(r, p, word) : atof(word);
	}
	for (uint32_t i = 0; i < t->folds * t->steps; i++) {
		curves[i] = next_number(&s);
		curve[i % t->steps] += curves[i] / t->folds;
	}
	for (uint32_t i = 0; i < t->nphases * t->folds; i++) {
		costs[i] = next_number(&s);
		row->seconds += costs[i];
	}
	row->x = x;
	row->curve = curve;
	row->curves = curves;
	row->costs = costs;
}

static void read_rows(struct reader *r)
{
	struct task_row *rows = NULL;
	uint32_t cap = 0, n = 0;

	read_columns(r);
	while (getline(&r->line, &r->cap, r->file) > 0) {
		if (n == cap) {
			rows = arena_grow(r->a, rows, cap * sizeof *rows, (2 * cap + 64) * sizeof *rows);
			cap = 2 * cap + 64;
		}
		read_row(r, &rows[n++]);
	}
	r->t->rows = rows;
	r->t->nrows = n;
}

/* ---- best and median --------------------------------------------------------------------------------- */
static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Over all that a search can reach: all of the curve where a parameter says how far, else its end. */
static void find_best(struct reader *r)
{
	struct task *t = r->t;
	uint32_t from = t->curve_param ? 0 : t->steps - 1, n = 0;
	double *v = arena_array(r->a, (size_t)t->nrows * t->steps, sizeof *v);

	for (uint32_t i = 0; i < t->nrows; i++)
		for (uint32_t k = from; k < t->steps; k++)
			v[n++] = t->rows[i].curve[k];
	if (!n)
		wrong(r, "no rows in", t->name);
	qsort(v, n, sizeof *v, ascending);
	t->best = t->maximize ? v[n - 1] : v[0];
	t->median = 0.5 * (v[(n - 1) / 2] + v[n / 2]);
}

void task_read(struct task *t, struct arena *a, const char *dir, const char *name)
{
	struct reader r = {.t = t, .a = a, .path = arena_printf(a, "%s/%s.csv", dir, name)};

	*t = (struct task){.name = arena_strdup(a, name)};
	r.file = fopen(r.path, "r");
	if (!r.file)
		wrong(&r, "cannot read task", name);
	while (getline(&r.line, &r.cap, r.file) > 0 && r.line[0] == '#')
		read_header(&r, r.line);
	if (!t->function) {
		read_rows(&r);
		find_best(&r);
	}
	fclose(r.file);
	free(r.line);
}

/* ---- the study file ---------------------------------------------------------------------------------- */
static const char *numeric_domain(struct arena *a, const struct task_param *p)
{
	static const char *const names[2][2] = {{"uniform", "log"}, {"int", "logint"}};
	char lo[TEXT_NUMBER], hi[TEXT_NUMBER];

	text_double(lo, p->lo);
	text_double(hi, p->hi);
	return arena_printf(a, "%s(%s, %s)", names[p->kind == TASK_INT][p->log], lo, hi);
}

static const char *condition(const struct task *t, struct arena *a, const struct task_param *p)
{
	const struct task_param *parent = &t->params[p->parent];
	const char *text = "";

	for (uint32_t i = 0; i < parent->nchoices; i++)
		if (p->when >> i & 1)
			text = arena_printf(a, "%s%s p%d == %s", text, *text ? " or" : " if", (int)p->parent,
			                    parent->choices[i]);
	return text;
}

static const char *param_line(const struct task *t, struct arena *a, uint32_t i)
{
	const struct task_param *p = &t->params[i];
	const char *list = "";

	if (p->kind != TASK_CHOICE)
		return arena_printf(a, "      p%u: \"%s%s\"\n", (unsigned)i, numeric_domain(a, p),
		                    p->parent < 0 ? "" : condition(t, a, p));
	for (uint32_t k = 0; k < p->nchoices; k++)
		list = arena_printf(a, "%s%s\"%s\"", list, k ? ", " : "", p->choices[k]);
	return arena_printf(a, "      p%u: [%s]\n", (unsigned)i, list);
}

const char *task_study_head(const struct task *t, struct arena *a, uint64_t seed)
{
	return arena_printf(a, "study: bench\nseed: %llu\nmetric: m\ngoal: %s\n", (unsigned long long)seed,
	                    t->maximize ? "maximize" : "minimize");
}

const char *task_study_params(const struct task *t, struct arena *a, uint32_t first, uint32_t last)
{
	const char *text = "    params:\n";

	for (uint32_t i = first; i < last; i++)
		text = arena_printf(a, "%s%s", text, param_line(t, a, i));
	return text;
}

const char *task_study(const struct task *t, struct arena *a, uint64_t seed, const char *search,
                       uint32_t trials)
{
	return arena_printf(
	    a, "%sphases:\n  p:\n    command: \"true {args}\"\n    search: %s\n    trials: %u\n%s",
	    task_study_head(t, a, seed), search, (unsigned)trials, task_study_params(t, a, 0, t->nparams));
}

const struct study *task_parse(struct arena *a, const char *name, const char *text)
{
	const struct study *s = NULL;
	struct study_errors errors;

	if (study_parse(a, name, text, strlen(text), &s, &errors)) {
		fprintf(stderr, "%s\n%s", errors.items[0].text, text);
		exit(1);
	}
	return s;
}

double task_number(const struct task_param *t, const struct param *p, const struct value *v)
{
	if (v->kind == VALUE_NONE)
		return (double)NAN;
	return t->kind == TASK_CHOICE ? (double)(v->u.choice - p->choices) : value_number(v);
}

/* ---- words ------------------------------------------------------------------------------------------- */
void read_range(const char *text, uint64_t *first, uint64_t *last)
{
	const char *dots = strstr(text, "..");

	*first = strtoull(text, NULL, 10);
	*last = dots ? strtoull(dots + 2, NULL, 10) : *first;
}

bool next_word(const char **list, char *word, size_t cap)
{
	size_t n = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(word, cap, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ',');
	return true;
}
