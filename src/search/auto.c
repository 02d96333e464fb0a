/* auto, the search for those who do not want to choose one; and `gp` as it is chosen by name, which leaves to
 * TPE what it has no time for.
 *
 * auto mostly asks the Gaussian process, which needs the fewest trials where it works at all. Of the later
 * trials one in five is left to TPE: where single points are much better than all around them, a process that
 * takes the function for smooth stays where it is, and a second opinion may find them.
 *
 * Where trials wait at rungs, two in five go on to be Sobol points, as a third of BOHB's are drawn at random
 * (S. Falkner, A. Klein, F. Hutter, "BOHB", ICML 2018, section 3.2): a point costs little there, and what is
 * known is only of those that came through, which tells of their neighbourhood and of nothing else. Measured
 * on the table of small networks, 60 seeds: 45 of them come to a value that is in 3 rows of 768, and 22
 * when TPE took who waits for bad and there were no such points; values that are easier to find take as long
 * as before.
 *
 * TPE is alone with too many parameters, and with so many trials that the process would have to leave most of
 * them out. And, with `gp` too, where trials are so short that slots would wait for the process: it is asked
 * while it takes no more than half of the time between two questions, since rank 0 has other things to do. */
#include "cube.h"

struct both {
	struct arena arena; /* it holds this */
	void *gp, *tpe;
};

enum { GP_MOST_TRIALS = 400, GP_MOST_AXES = 20, SECOND_FROM = 30, SECOND_EVERY = 5, WIDE_FROM = 10 };

static void *both_open(void)
{
	struct arena a = {0};
	struct both *b = arena_alloc(&a, sizeof *b);

	b->arena = a;
	b->gp = gp_search.open();
	b->tpe = tpe_search.open();
	return b;
}

/* Seconds for one proposal: a line through what was measured for 2 to 40 parameters after 30 to 1,000 trials
 * (2 GHz), which is at most a third above it. */
static double gp_seconds(const struct cube_ask *q)
{
	double n = q->h->nended < 250 ? q->h->nended : 250;

	return 0.005 + 0.0008 * q->h->naxes + 0.00006 * n;
}

static bool gp_has_time(const struct cube_ask *q)
{
	return q->interval_seconds <= 0 || q->interval_seconds >= 2 * gp_seconds(q);
}

static bool gp_pays(const struct cube_ask *q)
{
	return q->h->naxes <= GP_MOST_AXES && q->h->nended <= GP_MOST_TRIALS;
}

/* Not every other one: of a Sobol sequence, these lie in one half. */
static bool is_wide(const struct cube_ask *q)
{
	return q->rungs && q->h->nended >= WIDE_FROM && (q->k % 5 == 1 || q->k % 5 == 2);
}

static bool auto_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct both *b = state;
	bool second = q->h->nended >= SECOND_FROM && q->k % SECOND_EVERY == 0;

	if (is_wide(q) && cube_startup(q, CUBE_STRIDE, CUBE_TRIES, u, parent))
		return true;
	if (!second && gp_pays(q) && gp_has_time(q) && gp_search.ask(b->gp, q, u, parent))
		return true;
	return tpe_search.ask(b->tpe, q, u, parent);
}

static bool gp_in_time_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct both *b = state;

	if (gp_has_time(q))
		return gp_search.ask(b->gp, q, u, parent);
	return tpe_search.ask(b->tpe, q, u, parent);
}

static void both_close(void *state)
{
	struct both *b = state;
	struct arena a;

	gp_search.close(b->gp);
	tpe_search.close(b->tpe);
	a = b->arena;
	arena_finish(&a);
}

const struct cube_search auto_search = {both_open, auto_ask, both_close};
const struct cube_search gp_in_time_search = {both_open, gp_in_time_ask, both_close};
