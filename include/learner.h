/* learner: a search that learns, over all trials of one phase (in one outer fold): between the study's words,
 * phases and values, and the cube of cube.h. It is told when trials begin and end, and asked for new ones.
 *
 * What it knows is the history alone; its answer to the k-th question depends on that, the seed and k. It is
 * never stored: after a resume it is told of all trials again. Memory: about 100 bytes a trial and 16 for
 * each parameter, own and inherited. */
#ifndef LEARNER_H
#define LEARNER_H

#include "sampler.h"
#include "study.h"

struct learner;

struct learner_options {
	enum search_kind kind; /* SEARCH_TPE to SEARCH_AUTO */
	uint64_t seed;
	/* The combination of parents is one more choice of the search (`trials: N total`): all of them, by
	 * names that are the same for the same parents. 0: what is asked for has one parent each time. */
	uint32_t nplaces;
	const struct key128 *places;
};
/* Free with learner_free. */
struct learner *learner_new(const struct study *s, const struct study_phase *ph,
                            const struct learner_options *o);
void learner_free(struct learner *l); /* NULL allowed */

/* A trial began: `scope` holds its own values and its ancestors'; `place` names the combination of parents it
 * belongs to. Its number here, from 0 up. */
uint32_t learner_begin(struct learner *l, struct key128 place, const struct scope *scope);
/* How it ended. Values as the phase's metric says them: the goal is known here. */
void learner_complete(struct learner *l, uint32_t number, double value);
/* The same where the phase has several metrics: the values of all. */
void learner_complete_all(struct learner *l, uint32_t number, const double *values);
void learner_pruned(struct learner *l, uint32_t number, double value, double step);
void learner_failed(struct learner *l, uint32_t number);
void learner_pending(struct learner *l, uint32_t number); /* it was reset: it will end anew */
void learner_paused(struct learner *l, uint32_t number);  /* it waits at a rung */
void learner_gone(struct learner *l, uint32_t number);
/* What somebody else has found: values like a trial's (of ancestors those that are known), and what came of
 * them. It is no trial: the search may propose the same point. */
void learner_prior(struct learner *l, const struct scope *scope, double value);
/* Was there a trial with these own values after these parents? */
bool learner_knows(const struct learner *l, struct key128 place, const struct value *own);

/* What sampler_ask does for searches that learn: q->learner is asked, and q->known is not: the learner knows.
 * q->places name the combinations as learner_begin is told. EXHAUSTED: every point of a finite space has been
 * tried. */
enum sampler_answer learner_ask(const struct sampler_ask *q, struct value *own, uint32_t *parent);

#endif
