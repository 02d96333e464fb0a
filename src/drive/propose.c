#include "propose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void proposer_init(struct proposer *p, const struct study *s, const struct sched *sched,
                   struct arena *scratch)
{
	*p = (struct proposer){.study = s, .sched = sched, .scratch = scratch};
}

void proposer_finish(struct proposer *p)
{
	free(p->items);
	p->items = NULL;
}

void proposer_want(struct proposer *p, uint32_t group, uint32_t n)
{
	if (p->count == p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : 64;
		struct want *items = malloc(cap * sizeof *items);

		if (!items) {
			fprintf(stderr, "ranksweep: out of memory\n");
			abort();
		}
		for (uint32_t i = 0; i < p->count; i++)
			items[i] = p->items[(p->head + i) % p->cap];
		free(p->items);
		p->items = items;
		p->head = 0;
		p->cap = cap;
	}
	p->items[(p->head + p->count++) % p->cap] = (struct want){group, n};
}

struct lookup {
	const struct sched *sched;
	uint32_t group;
};

static void scope_of(void *ctx, uint32_t parent, struct arena *scratch, struct scope *out)
{
	const struct lookup *x = ctx;

	sched_group_scope(x->sched, x->group, parent, scratch, out);
}

static bool known(void *ctx, uint32_t parent, const struct value *own)
{
	const struct lookup *x = ctx;

	return sched_has_values(x->sched, x->group, parent, own);
}

int proposer_next(struct proposer *p, struct event *e)
{
	struct want *w;
	struct group_view g;
	struct lookup ctx = {p->sched, 0};
	struct sampler_ask ask = {
	    .study = p->study, .scope_of = scope_of, .known = known, .ctx = &ctx, .scratch = p->scratch};
	struct value *own;
	uint32_t parent = 0;
	enum sampler_answer answer;

	if (!p->count)
		return 0;
	w = &p->items[p->head];
	sched_group(p->sched, w->group, &g);
	ctx.group = w->group;
	ask.phase = &p->study->phases[g.phase];
	ask.group = g.key;
	ask.k = g.proposed;
	ask.nparents = g.nparents;
	ask.cursor = g.cursor;
	own = arena_array(p->scratch, ask.phase->space.nparams + 1, sizeof *own);
	answer = sampler_ask(&ask, own, &parent);
	memset(e, 0, sizeof *e);
	e->group = w->group;
	if (answer == SAMPLER_OK) {
		e->kind = EVENT_PROPOSED;
		e->parent = parent;
		e->values = own;
		w->n--;
	} else {
		e->kind = EVENT_EXHAUSTED;
		e->text = answer == SAMPLER_EXHAUSTED ? "every point of the grid has been tried"
		                                      : "no point satisfies `require` and the bounds";
		w->n = 0;
	}
	if (w->n == 0) {
		p->head = (p->head + 1) % p->cap;
		p->count--;
	}
	return 1;
}
