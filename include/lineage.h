/* lineage: what a trial comes from. The trial itself and those above it, up to the ones that come from none,
 * each with its own parameters, its value over the folds, and, where it was chosen among others, among how
 * many and with what value. */
#ifndef LINEAGE_H
#define LINEAGE_H

#include "cmd.h"

struct lineage_pick {
	const struct study_phase *for_phase;
	int64_t for_trial;    /* the first that comes after it, 0: none yet */
	int64_t bucket, rank; /* rank from 1, among those with the same values of `per` */
	int64_t of;   /* complete trials with a finite value there were to choose from; 0: not known */
	double value; /* when it was chosen */
	const char *per, *per_json; /* "hidden=128", {"hidden": 128}; NULL: among all */
};

struct lineage_row {
	int64_t trial, outer;
	const struct study_phase *phase;
	const char *state;
	bool has_value, has_sd;
	double value, sd;
	int64_t folds_done, folds;
	int64_t *after; /* the trials it comes from directly */
	uint32_t nafter, after_cap;
	struct lineage_pick *picks; /* for what comes after it here; of the trial itself: for all */
	uint32_t npicks, picks_cap;
};

/* Rows by phase, the latest first; of one phase in the order they were picked in, else by number. */
struct lineage {
	int64_t trial;
	struct lineage_row *rows;
	uint32_t n, cap;
};

/* Lives in the database's arena. */
int lineage_read(struct cmd_db *d, int64_t trial, struct lineage *out, struct fault *f);
/* A table, of each phase only the first few; or an array of all. */
int lineage_put_table(struct cmd_db *d, const struct lineage *l, const struct report_style *style,
                      struct bytes *out, struct fault *f);
int lineage_put_json(struct cmd_db *d, const struct lineage *l, struct bytes *out, struct fault *f);

#endif
