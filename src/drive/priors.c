#include "priors.h"

struct loading {
	struct priors *to;
	const struct study *study;
};

static void add(struct priors *x, const struct priors_item *item)
{
	if (x->n == x->cap) {
		uint32_t cap = x->cap ? 2 * x->cap : 256;

		x->items = arena_grow(&x->arena, x->items, x->n * sizeof *x->items, cap * sizeof *x->items);
		x->cap = cap;
	}
	x->items[x->n++] = *item;
}

static int load(void *ctx, const struct store_prior *row, struct fault *f)
{
	const struct loading *l = ctx;
	const struct study_phase *p = study_find_phase(l->study, row->phase);
	struct priors_item item = {.prior = {.value = row->value, .outer = row->outer}};
	int fits;

	if (!p || !search_takes_priors(p->search))
		return 0;
	item.phase = p->index;
	fits = prior_decode(&l->to->arena, l->study, p, row->at, row->at_bytes, &item.prior.scope);
	if (fits < 0)
		return fault_set(f, FAULT_IO, "an observation imported for phase %s is damaged", row->phase);
	if (fits == PRIOR_FITS)
		add(l->to, &item);
	return 0;
}

void priors_finish(struct priors *x)
{
	arena_finish(&x->arena);
	*x = (struct priors){0};
}

int priors_load(struct priors *x, struct store *s, const struct study *study, struct fault *f)
{
	struct loading l = {x, study};

	priors_finish(x);
	return store_load_priors(s, load, &l, f);
}
