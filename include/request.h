/* request: what the verbs that change a study ask for, and the one piece of code that carries it out: in a
 * run rank 0 calls it with what lay in its inbox, without a run the verb itself does.
 *
 * On the way from the one to the other a request is a list of words: the verb, its options, `--`, and the
 * SELECTOR, or `all`. */
#ifndef REQUEST_H
#define REQUEST_H

#include "ask.h"
#include "bytes.h"
#include "sched.h"
#include "store.h"

struct request {
	enum request_kind kind;
	bool dry_run, json;
	int32_t priority;
	const char *const *selector; /* key=value words; none: all units */
	uint32_t nselector;
};
/* "reset", ... */
const char *request_verb(enum request_kind kind);
/* FAULT_USAGE says what is wrong. Borrows the words. */
int request_parse(const char *const *words, uint32_t n, struct request *out, struct fault *f);

/* Where a request is carried out. */
struct request_site {
	const struct study *study;
	struct sched *sched;
	struct store *store;
	struct arena *scratch; /* of this request; loading a study does not touch it */
	struct arena *arena;   /* as long as the site */
	int64_t now_ms;        /* epoch */
	/* One event through the scheduler, and everything that follows from it; its clock is set there. */
	int (*step)(void *ctx, struct event *e, struct fault *f);
	/* Other phases are scheduled now: put them down, in the transaction that is open, and go on with the
	 * study that they make; `study` and `sched` are new ones afterwards. */
	int (*restudy)(struct request_site *x, const char *jobs, size_t n, struct fault *f);
	/* The database holds other observations from elsewhere: let the searches know. NULL: there are none.
	 */
	int (*relearn)(struct request_site *x, struct fault *f);
	const bool *over; /* in a run: whether it has come to its end; may turn true with any request */
	void *ctx;
};
struct request_answer {
	int32_t status; /* of the verb: 0; 1: nothing is selected; 64: the request is wrong */
	bool changed;   /* something is to be committed */
	struct bytes out, err;
};
/* Carries a request out, in the transaction that is open or one that it opens; notes it in the audit. A
 * request with an id that is there already is not carried out again. A wrong request is an answer; -1 is a
 * failure of the store, or a bug. */
int request_apply(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                  struct fault *f);
void request_answer_finish(struct request_answer *x);

/* `ranksweep schedule`, see schedule.c there: part of request_apply. */
int request_schedule(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                     struct fault *f);
/* `ranksweep import`: the same. Its words are the verb, options, `--`, and a table, row by row:
 *   --phase=P --from=SOURCE --columns=N [--dry-run] [--json] [--skipped=MISFIT:N].. [--ignored=COLUMN]..
 *   --forget --phase=P: instead of all that, and without a table
 * The first row is N names of parameters; each other one has the value, the outer fold ("" for none) and N
 * texts ("" for none). MISFIT (prior.h) and COLUMN say what was left out before. */
int request_import(struct request_site *site, const struct ask *ask, struct request_answer *answer,
                   struct fault *f);
/* A wrong request, as an answer. Returns 0. */
int request_refuse(struct request_answer *x, const struct fault *why);
/* The trials or units that a selector names, ascending, in scratch. 1: f says what is wrong with it. */
struct request_selection {
	uint32_t *numbers, n;
};
int request_select(const struct request_site *x, const char *column, const char *const *selector, uint32_t n,
                   struct request_selection *out, struct fault *f);
/* 1: it has been carried out before, by a run that could not answer any more, and the answer says so. */
int request_done_before(const struct request_site *x, const struct ask *ask, const char *verb, bool json,
                        struct request_answer *answer, struct fault *f);
/* The same where no run is on: `store` is open for writing, and holds what `study` says. Commits. */
int request_alone(const struct study *study, struct store *store, const struct ask *ask,
                  struct request_answer *answer, struct fault *f);

#endif
