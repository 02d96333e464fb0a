/* task: what a search is measured on: real training runs kept as a table, or a function. tasks/README.md says
 * what they are and what stands in their files. */
#ifndef TASK_H
#define TASK_H

#include "study.h"

#include <stdbool.h>
#include <stdint.h>

enum task_kind { TASK_REAL, TASK_INT, TASK_CHOICE };
enum { TASK_PARAMS = 16, TASK_CHOICES = 16, TASK_LEVELS = 64 };

struct task_param {
	const char *name;
	enum task_kind kind;
	bool log;
	double lo, hi;
	const char *choices[TASK_CHOICES];
	uint32_t nchoices;
	int32_t parent; /* -1: always active; else where the choice of that one is in the mask `when` */
	uint32_t when;
	double levels[TASK_LEVELS]; /* numbers of a full grid */
	uint32_t nlevels;           /* also for choices */
};

struct task_row {
	const double *x;      /* for each column; a choice is its number; NaN: not active */
	const double *curve;  /* mean over the folds after each step */
	double seconds;       /* of all folds and phases */
	const double *curves; /* of each fold */
	const double *costs;  /* seconds of each phase, for each fold */
};

struct task {
	const char *name, *function; /* function NULL: a table */
	bool maximize, nearest;
	double best, median; /* of all that the table holds: regret 0 and 1 */
	struct task_param params[TASK_PARAMS];
	uint32_t nparams;
	uint32_t columns[TASK_PARAMS], ncolumns; /* parameters in the order of the table's columns */
	uint32_t folds, nphases, steps;          /* steps of the curve */
	const char *curve_param;                 /* the parameter that says how far along the curve */
	double curve_step;
	const struct task_row *rows;
	uint32_t nrows;
};

/* Reads DIR/NAME.csv; ends the program when it cannot. */
void task_read(struct task *t, struct arena *a, const char *dir, const char *name);
/* The study file of one phase that searches it: parameter i is called p<i>, its trainer's metric m. */
const char *task_study(const struct task *t, struct arena *a, uint64_t seed, const char *search,
                       uint32_t trials);

/* Of such a file: all before its phases; and the list of parameters `first` .. `last` - 1. */
const char *task_study_head(const struct task *t, struct arena *a, uint64_t seed);
const char *task_study_params(const struct task *t, struct arena *a, uint32_t first, uint32_t last);

/* Such a file as a study in `a`; ends the program when it is none. */
const struct study *task_parse(struct arena *a, const char *name, const char *text);

/* A point has a number for each parameter: a choice's is its index, an inactive one's is NaN. */
double task_value(const struct task *t, const double *point, double *seconds);
/* Such a number, of a value of that parameter. */
double task_number(const struct task_param *t, const struct param *p, const struct value *v);
/* Of a table without curve_param: the metric of one fold after each of its steps. */
void task_fold_curve(const struct task *t, const double *point, uint32_t fold, double curve[TASK_LEVELS]);
/* And what one phase takes for that; what the phase does not know may be NaN in the point. */
double task_fold_seconds(const struct task *t, const double *point, uint32_t fold, uint32_t phase);

/* The next word of a list with commas between them; false at its end. */
bool next_word(const char **list, char *word, size_t cap);
/* "0..29", or "7" alone. */
void read_range(const char *text, uint64_t *first, uint64_t *last);

#endif
