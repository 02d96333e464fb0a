/* auto: the search for those who do not want to choose one. */
#include "cube.h"

struct both {
	struct arena arena; /* it holds this */
	void *gp, *tpe;
};

static void *auto_open(void)
{
	struct arena a = {0};
	struct both *b = arena_alloc(&a, sizeof *b);

	b->arena = a;
	b->gp = gp_search.open();
	b->tpe = tpe_search.open();
	return b;
}

enum { GP_MOST = 250, GP_AXES = 20 };

static bool auto_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct both *b = state;

	if (q->h->naxes <= GP_AXES && q->h->nended <= GP_MOST && gp_search.ask(b->gp, q, u, parent))
		return true;
	return tpe_search.ask(b->tpe, q, u, parent);
}

static void auto_close(void *state)
{
	struct both *b = state;
	struct arena a;

	gp_search.close(b->gp);
	tpe_search.close(b->tpe);
	a = b->arena;
	arena_finish(&a);
}

const struct cube_search auto_search = {auto_open, auto_ask, auto_close};
