/* searcher: one search over one task, asked and told in this process as rank 0 does it. */
#ifndef SEARCHER_H
#define SEARCHER_H

#include "learner.h"
#include "task.h"

struct searcher {
	struct arena arena, scratch;
	const struct task *task;
	const struct study *study;
	const struct study_phase *phase;
	struct learner *learner; /* NULL: the k-th point does not depend on what came of the others */
	bool blind;              /* at random now, but the learner is told */
	uint32_t workers, asked;
	uint64_t cursor;
};

/* tool: "random", "sobol", "tpe", "cmaes", "gp", "auto"; another one ends the program. */
void searcher_open(struct searcher *s, const struct task *t, const char *tool, uint64_t seed, uint32_t trials,
                   uint32_t workers);
void searcher_close(struct searcher *s);
/* The next point (a number for each parameter of the task): the trial begins, its number is *number. False
 * when there is none. */
bool searcher_ask(struct searcher *s, double *point, uint32_t *number);
void searcher_tell(struct searcher *s, uint32_t number, double value);

#endif
