#include "search.h"

/* So many infeasible points in a row end a grid: seconds of work, and a grid as thin as that is written
 * better as a list of its points. */
enum { GRID_TRIES = 10000000 };

static uint64_t grid_total(uint64_t size, uint32_t nparents)
{
	return size > UINT64_MAX / nparents ? UINT64_MAX : size * nparents;
}

/* Points in the order of their parents, last parameter fastest. A grid goes by values, not by k: it serves
 * the next point the study does not have, so a choice added later yields just the new points. */
enum sampler_answer grid_ask(struct search_view *v)
{
	const struct sampler_ask *q = v->q;
	int64_t size = space_size(&q->phase->space);
	uint64_t first = *q->cursor, total;
	uint32_t rejected = 0;
	bool any = false;

	if (size == SPACE_INFINITE)
		return SAMPLER_INFEASIBLE;
	total = grid_total((uint64_t)size, q->nparents);
	for (uint64_t i = first; i < total; i++) {
		search_bind(v, (uint32_t)(i / (uint64_t)size));
		*q->cursor = i + 1;
		if (!space_grid_point(&q->phase->space, &v->scope, (int64_t)(i % (uint64_t)size), v->own)) {
			if (++rejected == GRID_TRIES)
				return SAMPLER_INFEASIBLE;
			continue;
		}
		any = true;
		rejected = 0;
		if (!q->known || !q->known(q->ctx, v->parent, v->own))
			return SAMPLER_OK;
	}
	return first == 0 && !any ? SAMPLER_INFEASIBLE : SAMPLER_EXHAUSTED;
}
