#include "dataset.h"

#include "random.h"
#include "report.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dataset_options(struct dataset_options *d, struct options *o)
{
	enum { FOLDS_MAX = 100000 };

	*d = (struct dataset_options){.file = "jobs/data/digits.csv", .id_fold = -1, .id_outer = -1};
	options_text(o, "data", &d->file, "CSV file, label last (jobs/data/digits.csv)");
	options_choice(o, "scale", &d->scale, "max standard", "max (into 0..1) or standard (each column)");
	options_int(o, "nb-cross-fold", &d->nb_fold, -1, FOLDS_MAX, "number of folds");
	options_int(o, "id-cross-fold", &d->id_fold, -1, FOLDS_MAX,
	            "fold to validate on; -1: train on all (-1)");
	options_int(o, "nb-outer-fold", &d->nb_outer, -1, FOLDS_MAX, "number of outer folds");
	options_int(o, "id-outer-fold", &d->id_outer, -1, FOLDS_MAX,
	            "outer fold to test on; -1: a fifth (-1)");
	options_real(o, "held-out", &d->held_out, 0, 0.9, "without folds: fraction to validate on (0)");
	options_flag(o, "print-split", &d->print_split, "print the rows of each part, train nothing");
}

/* ---- which row goes where ------------------------------------------------------------------------ */

/* A list of rows of the table; the memory is its own. */
struct rows {
	int n, *v;
};

/* One number for each way of splitting, so that no two of them are the same cut. They are part of the
 * data set's definition: changing one changes every result. */
enum cut { CUT_TEST = 1, CUT_OUTER = 2, CUT_INNER = 3, CUT_HELD_OUT = 4 };

/* Sort `from` by class, each class in an order of its own that is random but always the same. What deals
 * these rows out in turn gives each part the same share of each class. */
static struct rows by_class(const struct table *t, const struct rows *from, enum cut cut)
{
	struct rows out = {0, must_alloc((size_t)from->n, sizeof *out.v)};
	struct random random;

	random_seed(&random, (uint64_t)cut);
	for (int c = 0; c < t->classes; c++) {
		int start = out.n;

		for (int i = 0; i < from->n; i++)
			if (t->label[from->v[i]] == c)
				out.v[out.n++] = from->v[i];
		random_shuffle(&random, out.v + start, out.n - start);
	}
	return out;
}

static int ascending(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Move the rows whose place i in the dealing order `take` accepts from *rows into a list of their own. */
static struct rows take_out(const struct table *t, struct rows *rows, enum cut cut,
                            bool (*take)(int i, const struct dataset_options *),
                            const struct dataset_options *want)
{
	struct rows dealt = by_class(t, rows, cut), taken = {0, must_alloc((size_t)rows->n, sizeof *taken.v)};

	rows->n = 0;
	for (int i = 0; i < dealt.n; i++) {
		struct rows *to = take(i, want) ? &taken : rows;

		to->v[to->n++] = dealt.v[i];
	}
	qsort(rows->v, (size_t)rows->n, sizeof *rows->v, ascending);
	qsort(taken.v, (size_t)taken.n, sizeof *taken.v, ascending);
	free(dealt.v);
	return taken;
}

static bool in_fifth(int i, const struct dataset_options *want)
{
	(void)want;
	return i % 5 == 0;
}

static bool in_outer_fold(int i, const struct dataset_options *want)
{
	return i % want->nb_outer == want->id_outer;
}

static bool in_fold(int i, const struct dataset_options *want)
{
	return i % want->nb_fold == want->id_fold;
}

static bool in_held_out(int i,
                        const struct dataset_options *want) /* evenly spaced, as many as the fraction */
{
	return floor((i + 1) * want->held_out) > floor(i * want->held_out);
}

static bool validates(const struct dataset_options *want)
{
	return want->id_fold >= 0 || want->held_out > 0;
}

static struct rows take_valid(const struct table *t, struct rows *rows, const struct dataset_options *want)
{
	if (want->id_fold >= 0)
		return take_out(t, rows, CUT_INNER, in_fold, want);
	return take_out(t, rows, CUT_HELD_OUT, in_held_out, want);
}

static struct rows take_test(const struct table *t, struct rows *rows, const struct dataset_options *want)
{
	if (want->id_outer >= 0)
		return take_out(t, rows, CUT_OUTER, in_outer_fold, want);
	return take_out(t, rows, CUT_TEST, in_fifth, want);
}

/* ---- parts --------------------------------------------------------------------------------------- */

/* Copy the rows of the table into a part; takes the list over. */
static struct part gather(const struct table *t, struct rows rows)
{
	struct part p = {.rows = rows.n, .index = rows.v};

	p.x = must_alloc(area(p.rows, t->cols), sizeof *p.x);
	p.label = must_alloc((size_t)p.rows, sizeof *p.label);
	for (int i = 0; i < p.rows; i++) {
		memcpy(p.x + area(i, t->cols), t->x + area(rows.v[i], t->cols),
		       (size_t)t->cols * sizeof *p.x);
		p.label[i] = t->label[rows.v[i]];
	}
	return p;
}

static void part_finish(struct part *p)
{
	free(p->x);
	free(p->label);
	free(p->index);
}

static void split(struct dataset *d, const struct table *t, const struct dataset_options *want)
{
	struct rows train = {t->rows, must_alloc((size_t)t->rows, sizeof *train.v)}, test, valid = {0};

	for (int i = 0; i < t->rows; i++)
		train.v[i] = i;
	test = take_test(t, &train, want);
	if (validates(want)) {
		valid = take_valid(t, &train, want);
		test.n = 0; /* a step of a search: these rows stay out of its memory */
	}
	if (train.n == 0 || test.n + valid.n == 0)
		report_die(EXIT_FAILED, "%s: %d rows are too few for this split", want->file, t->rows);
	d->train = gather(t, train);
	d->valid = gather(t, valid);
	d->test = gather(t, test);
}

/* ---- scaling: what it needs to know comes from the training part only ------------------------------- */

/* Each column c of each part: x = (x - shift) * factor. */
static void rescale(struct dataset *d, int c, float shift, float factor)
{
	struct part *parts[] = {&d->train, &d->valid, &d->test};

	for (int p = 0; p < 3; p++)
		for (int i = 0; i < parts[p]->rows; i++) {
			float *x = parts[p]->x + area(i, d->cols) + c;

			*x = (*x - shift) * factor;
		}
}

static void scale_max(struct dataset *d)
{
	float top = 0;

	for (size_t i = 0; i < area(d->train.rows, d->cols); i++)
		top = fmaxf(top, fabsf(d->train.x[i]));
	for (int c = 0; c < d->cols && top > 0; c++)
		rescale(d, c, 0, 1 / top);
}

static void scale_standard(struct dataset *d)
{
	for (int c = 0; c < d->cols; c++) {
		double mean = 0, square = 0, sd;
		int n = d->train.rows;

		for (int i = 0; i < n; i++)
			mean += (double)d->train.x[area(i, d->cols) + (size_t)c] / n;
		for (int i = 0; i < n; i++)
			square += pow((double)d->train.x[area(i, d->cols) + (size_t)c] - mean, 2) / n;
		sd = sqrt(square);
		rescale(d, c, (float)mean, sd > 1e-6 ? (float)(1 / sd) : 1);
	}
}

/* ---- the whole ----------------------------------------------------------------------------------- */

static void check_fold(const char *what, int id, int nb)
{
	if (id >= 0 && nb < 2)
		report_die(EXIT_USAGE, "--id-%s-fold %d needs an --nb-%s-fold of at least 2", what, id, what);
	if (id >= 0 && id >= nb)
		report_die(EXIT_USAGE, "--id-%s-fold %d: there are %d folds, numbered from 0", what, id, nb);
}

static void check(const struct dataset_options *want)
{
	check_fold("cross", want->id_fold, want->nb_fold);
	check_fold("outer", want->id_outer, want->nb_outer);
	if (want->held_out > 0 && want->nb_fold > 0)
		report_die(EXIT_USAGE, "--held-out is for runs without folds");
}

static void print_part(const char *name, const struct part *p)
{
	fputs(name, stdout);
	for (int i = 0; i < p->rows; i++)
		printf(" %d", p->index[i]);
	putchar('\n');
}

static void print_split(const struct dataset *d)
{
	print_part("train", &d->train);
	print_part("valid", &d->valid);
	print_part("test", &d->test);
	exit(0);
}

void dataset_open(struct dataset *d, const struct dataset_options *want)
{
	struct table t;

	check(want);
	table_read(&t, want->file);
	*d = (struct dataset){.cols = t.cols, .classes = t.classes};
	split(d, &t, want);
	table_finish(&t);
	if (want->print_split)
		print_split(d);
	if (want->scale == DATASET_STANDARD)
		scale_standard(d);
	else
		scale_max(d);
}

void dataset_finish(struct dataset *d)
{
	part_finish(&d->train);
	part_finish(&d->valid);
	part_finish(&d->test);
	*d = (struct dataset){0};
}
