/* ledger: the scheduler's records as rows of the store, and back. */
#ifndef LEDGER_H
#define LEDGER_H

#include "msg.h"
#include "sched.h"
#include "store.h"

struct ledger {
	const struct study *study;
	struct sched *sched;
	struct store *store;
	uint64_t run;
	struct arena *scratch;
	/* The message an EVENT_FINISHED was made from, while its step's records are written; NULL otherwise.
	 */
	const struct msg_finished *finished;
	uint32_t archived; /* the unit whose results were put away by the record before */
	int64_t now_ms;    /* epoch */
};

/* The study that a database holds: its study file, its scheduled phases, or both. *study NULL: none yet. A
 * study that cannot be read (a file was edited by another version, a database is damaged) is FAULT_STUDY. */
int ledger_read_study(struct arena *a, struct store *s, const char *path, const struct study **study,
                      struct fault *f);
/* What it has to say of its phases, for the views. */
int ledger_put_phases(struct store *s, const struct study *study, struct fault *f);
/* Write one record. Begins a transaction when none is open. */
int ledger_put(struct ledger *g, const struct record *r, struct fault *f);
int ledger_begin_attempt(struct ledger *g, uint32_t unit, uint32_t attempt, uint32_t worker,
                         const char *command, struct fault *f);
/* Was the last run stopped at once? Then what it had running was not lost by misfortune. */
int ledger_was_stopped(struct store *s, bool *was, struct fault *f);
/* Tell the scheduler how long attempts of earlier runs took. */
int ledger_load_durations(struct ledger *g, struct fault *f);
/* Replay everything stored into the (fresh) scheduler. */
int ledger_load(struct ledger *g, struct fault *f);
/* What came of an attempt, for the scheduler: the objective over all attempts of the unit. */
int ledger_judge(struct ledger *g, uint32_t unit, const struct msg_finished *m, struct attempt_result *out,
                 struct fault *f);
/* Open a transaction if there is none. */
int ledger_begin(struct ledger *g, struct fault *f);

#endif
