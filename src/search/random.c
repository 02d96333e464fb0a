#include "search.h"

/* Uniform coordinates. Each (trial, attempt) has a stream of its own, so no trial depends on another and the
 * cursor is not needed. */
static void draw_coordinates(struct search_view *v, uint64_t seed)
{
	struct rng r;

	rng_seed(&r, seed);
	search_bind(v, search_chooses_parent(v->q) ? (uint32_t)rng_below(&r, v->q->nparents) : 0);
	for (uint32_t i = 0; i < v->q->phase->space.nparams; i++)
		v->u[i] = rng_unit(&r);
}

enum sampler_answer random_ask(struct search_view *v)
{
	const struct space *s = &v->q->phase->space;
	uint64_t seed = search_fold(search_seed(v->q), v->q->k);

	for (uint32_t attempt = 0; attempt < SAMPLER_TRIES; attempt++) {
		draw_coordinates(v, search_fold(seed, attempt));
		if (space_draw(s, &v->scope, v->u, v->own))
			return SAMPLER_OK;
	}
	return SAMPLER_INFEASIBLE;
}
