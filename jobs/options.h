/* options: the command line of a trainer, `--name value` or `--name=value`, each name with one typed target.
 *
 * Every module adds the options it owns; the program parses once. An unknown name, a missing or malformed
 * value, or one out of its bounds ends the program with a message and status 2, before any work is done.
 * `_` in a name counts as `-`. A name given twice: the last one wins. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { OPTIONS_MAX = 32, LIST_MAX = 4 };

struct int_list {
	int n, v[LIST_MAX];
};

enum option_kind {
	OPTION_INT,
	OPTION_ROUND,
	OPTION_REAL,
	OPTION_SEED,
	OPTION_TEXT,
	OPTION_FLAG,
	OPTION_CHOICE,
	OPTION_LIST
};

struct option {
	const char *name, *help;
	enum option_kind kind;
	void *target;     /* int, int, double, uint64_t, const char *, bool, int (index), struct int_list */
	double low, high; /* inclusive bounds of numbers */
	const char *choices; /* "tanh relu" */
	bool free;           /* may differ in a run that resumes another */
};

struct options {
	const char *usage;
	int n;
	struct option item[OPTIONS_MAX];
};

/* One option each, added to the list. The targets hold the defaults when the options are added. Each returns
 * the new option, so that the caller can mark it `->free = true`. */
struct option *options_int(struct options *o, const char *name, int *target, int low, int high,
                           const char *help);
/* As options_int, but "12.4" is 12: a mean over folds serves as a number of epochs. */
struct option *options_round(struct options *o, const char *name, int *target, int low, int high,
                             const char *help);
struct option *options_real(struct options *o, const char *name, double *target, double low, double high,
                            const char *help);
/* The default is RANKSWEEP_SEED, else 1. */
struct option *options_seed(struct options *o, const char *name, uint64_t *target, const char *help);
struct option *options_text(struct options *o, const char *name, const char **target, const char *help);
struct option *options_flag(struct options *o, const char *name, bool *target, const char *help);
struct option *options_choice(struct options *o, const char *name, int *target, const char *choices,
                              const char *help);
struct option *options_list(struct options *o, const char *name, struct int_list *target, int low, int high,
                            const char *help);

/* Parse argv[first..]; `--help` prints the options and their defaults and ends the program with 0. */
void options_parse(struct options *o, int argc, char **argv, int first);

/* A hash of all values that are not free: equal for runs that must give the same result. */
uint64_t options_fingerprint(const struct options *o);

#endif
