/* priors: what others have observed, as the database holds it, in memory for the learners. */
#ifndef PRIORS_H
#define PRIORS_H

#include "prior.h"
#include "store.h"

struct priors_item {
	uint32_t phase;
	struct prior prior;
};
struct priors {
	struct arena arena;
	struct priors_item *items;
	uint32_t n, cap;
};
/* Those that lie in the spaces of this study, which they live no longer than. x: zeroed, or used before. */
int priors_load(struct priors *x, struct store *s, const struct study *study, struct fault *f);
void priors_finish(struct priors *x);

#endif
