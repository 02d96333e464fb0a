/* show: what the files of the verb share. show.c is the verb and the page of a unit, show_trial.c that of a
 * trial, show_attempts.c what is known of executions. */
#ifndef SHOW_H
#define SHOW_H

#include "cmd.h"

struct show {
	struct cmd_db db;
	struct bytes out;
	struct report_style style;
	bool json;
	int64_t unit, trial;  /* the one the page is of */
	const char *binds[2]; /* ?1: its number */
	const struct study_phase *phase;
	const char *state; /* of the unit */
};

/* ---- tables (show.c) ------------------------------------------------------------------------------ */
struct show_column {
	const char *key, *title;
	unsigned flags;
};
#define SHOW_COUNT(a) ((uint32_t)(sizeof(a) / sizeof *(a)))
/* A whole question as rows: columns by position. */
int show_fill(struct show *s, const char *sql, const struct show_column *columns, uint32_t n,
              struct report *r, struct fault *f);
/* A member of the object, or a titled table unless it is empty. */
void show_put(struct show *s, const char *key, const char *title, struct report *r);
int show_put_query(struct show *s, const char *key, const char *title, const char *sql,
                   const struct show_column *columns, uint32_t n, struct fault *f);
int show_put_params(struct show *s, const char *json, struct fault *f);
int show_put_lineage(struct show *s, struct fault *f);

/* ---- executions (show_attempts.c) ------------------------------------------------------------------ */
int show_put_attempts(struct show *s, struct fault *f);
int show_put_metrics(struct show *s, struct fault *f);
int show_put_tail(struct show *s, struct fault *f);

/* ---- a trial (show_trial.c) ------------------------------------------------------------------------ */
int show_put_trial(struct show *s, struct fault *f);

#endif
