/* phase_env: what the environments of all programs of a phase have in common, its trainers and its search
 * program. */
#ifndef PHASE_ENV_H
#define PHASE_ENV_H

#include "arena.h"
#include "study.h"

struct phase_env {
	const char *const *base; /* host_trainer_env() */
	uint32_t nbase;
	const struct text_pair *own; /* of the phase, each name once; they win */
	uint32_t nown;
	const char *study, *phase;
	uint32_t threads; /* for the libraries that ask, where neither of these says how many */
};
/* *n entries in `a`, and room for `more` and the NULL at the end. */
const char **phase_env(struct arena *a, const struct phase_env *x, uint32_t more, uint32_t *n);

#endif
