/* A search by a Gaussian process: a model of the value over the cube, and the next point where the model
 * expects most improvement (Jones, Schonlau and Welch, "Efficient global optimization of expensive black-box
 * functions", 1998). The model is gp_model.c, its fit gp_fit.c, the maximum of expected improvement
 * gp_acquire.c; here: what data the model gets.
 *
 * The first points are those of cube_startup, until GP_STARTUP have ended. The model sees at most GP_POINTS
 * of the ended ones: all, or the best GP_BEST and the newest. So an ask costs no more after that; the model
 * forgets bad old points, which it has learnt to stay away from by the length scales alone.
 *
 * Values are made tame first (gp_values): what is far worse than the median is compressed by a logarithm, so
 * that a diverged loss of 1e30 is just bad, and the rest keeps its shape. (Ranks in place of values were much
 * worse: regret .071 for .028 after 50 trials, mean of seven tasks.) A pruned trial counts as its last value,
 * at least as bad as the upper quartile of complete ones, a failed one as the worst.
 *
 * Pending points are in the model with the mean it has for them ("kriging believer", Ginsbourger, Le Riche
 * and Carraro, 2010): the mean stays as it is, the variance there goes, and what is to be improved on is the
 * best of them too.
 *
 * Improvement has to be by a margin that changes from ask to ask. Without one the search now and then stays
 * for good where noise is all there is left to improve on, in a local minimum among others. (To count noise
 * that is another one than the nearest point's as something to gain was no better on the whole.)
 *
 * Length scales are fitted when the number of ended trials has grown by an eighth, to the first so many ended
 * ones, from the ones of the fit before; every fourth fit begins anew. So they are a function of the history
 * (a run that is resumed asks the same), and at most four fits have to be made again. */
#include "gp.h"

#include <stdlib.h>
#include <string.h>

enum {
	GP_STARTUP = 10,
	GP_POINTS = 250,
	GP_BEST = 100,
	GP_PENDING = 64,
	GP_AROUND = 8,       /* best observations to look around */
	GP_CHAIN = 4,        /* fits, each from the one before */
	GP_EVALUATIONS = 60, /* of a fit that begins anew; half of it for the others */
	GP_TRIES = 32,       /* points of startup before the caller is left to draw */
	GP_STRIDE = 1 << 20  /* between them: further than there are trials */
};

/* ---- values ------------------------------------------------------------------------------------ */
static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of sorted ones. */
static double quantile(const double *v, uint32_t n, double q)
{
	return v[(uint32_t)(q * (n - 1) + 0.5)];
}

/* Where the complete values lie. Quarters, so that no difference overflows. */
struct spread {
	double median, scale, upper, worst;
};

static struct spread spread_of(const struct observation *const *o, uint32_t n, enum outcome only,
                               struct arena *scratch)
{
	double *v = arena_array(scratch, n, sizeof *v);
	struct spread s = {0};
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++)
		if (o[i]->outcome == only)
			v[k++] = 0.25 * o[i]->value;
	if (k == 0)
		return s;
	qsort(v, k, sizeof *v, by_value);
	s.median = quantile(v, k, 0.5);
	s.upper = quantile(v, k, 0.75);
	s.worst = v[k - 1];
	s.scale = s.median - quantile(v, k, 0.1);
	if (!(s.scale > 0))
		s.scale = s.upper - s.median;
	if (!(s.scale > 0))
		s.scale = s.worst - v[0];
	if (!(s.scale > 0))
		s.scale = 1;
	return s;
}

/* Units of scale from the median; logarithms of them from 2 on the bad side, and no more than of 100. */
static double tame(const struct spread *s, double v)
{
	double z = (v - s->median) / s->scale;

	return z > 2 ? 2 + log1p(fmin(z - 2, 100)) : fmax(z, -1e6);
}

static void standardise(double *y, uint32_t n)
{
	double mean = 0, var = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += y[i] / n;
	for (uint32_t i = 0; i < n; i++)
		var += (y[i] - mean) * (y[i] - mean) / n;
	for (uint32_t i = 0; i < n; i++)
		y[i] = var > 0 ? (y[i] - mean) / sqrt(var) : 0;
}

void gp_values(const struct observation *const *o, uint32_t n, double *y, struct arena *scratch)
{
	enum outcome full = OUTCOME_PRUNED;
	struct spread s;

	for (uint32_t i = 0; i < n; i++)
		if (o[i]->outcome == OUTCOME_COMPLETE)
			full = OUTCOME_COMPLETE;
	s = spread_of(o, n, full, scratch);
	for (uint32_t i = 0; i < n; i++) {
		double v = 0.25 * o[i]->value;

		if (o[i]->outcome == OUTCOME_FAILED)
			v = s.worst;
		else if (o[i]->outcome != full)
			v = fmax(v, s.upper);
		y[i] = tame(&s, v);
		if (o[i]->outcome == OUTCOME_FAILED && !(s.worst > s.median))
			y[i] = 1; /* all alike: to fail is worse */
	}
	standardise(y, n);
}

/* ---- what the model sees ----------------------------------------------------------------------- */
struct sample {
	const struct observation **o; /* n that have ended, then pending ones */
	uint32_t n, nall;
};

static const struct observation *ended_at(const struct history *h, uint32_t i)
{
	return history_at(h, h->ended[i]);
}

/* The best of the first n ended ones, `cap` at most, best first; how many. */
static uint32_t best_of(const struct history *h, uint32_t n, const struct observation **best, uint32_t cap)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct observation *o = ended_at(h, i);
		uint32_t at;

		if (k == cap && observation_compare(o, best[k - 1]) >= 0)
			continue;
		at = k < cap ? k++ : k - 1;
		for (; at > 0 && observation_compare(o, best[at - 1]) < 0; at--)
			best[at] = best[at - 1];
		best[at] = o;
	}
	return k;
}

static void take_ended(const struct history *h, uint32_t n, struct sample *s)
{
	uint32_t first = 0;

	if (n > GP_POINTS) {
		first = n - (GP_POINTS - GP_BEST);
		s->n = best_of(h, first, s->o, GP_BEST);
	}
	for (uint32_t i = first; i < n; i++)
		s->o[s->n++] = ended_at(h, i);
	s->nall = s->n;
}

/* The newest ones first, where there are too many. Those that are paused are points one has been to. */
static void take_pending(const struct history *h, struct sample *s)
{
	uint32_t all = h->npending + h->npaused, left = all < GP_PENDING ? all : GP_PENDING;

	for (uint32_t i = history_count(h); i-- > 0 && left > 0;) {
		const struct observation *o = history_at(h, i);

		if (o->outcome != OUTCOME_PENDING && o->outcome != OUTCOME_PAUSED)
			continue;
		s->o[s->nall++] = o;
		left--;
	}
}

static void model_of(const struct history *h, const struct sample *s, struct gp *g, struct arena *scratch)
{
	bool *conditional = arena_array(scratch, h->naxes, sizeof *conditional);

	for (uint32_t i = 0; i < s->nall; i++)
		for (uint32_t d = 0; d < h->naxes; d++)
			conditional[d] |= !cell_active(s->o[i]->cells[d]);
	gp_init(g, scratch, h->axes, h->naxes, conditional, s->n, s->nall);
	for (uint32_t i = 0; i < s->nall; i++)
		gp_encode(g, s->o[i]->cells, g->x + (size_t)i * g->nfeatures);
	gp_values(s->o, s->n, g->y, scratch);
}

/* ---- length scales ----------------------------------------------------------------------------- */
struct gp_state {
	struct arena arena; /* holds this struct too */
	const struct history *h;
	uint32_t version, naxes;
	uint32_t fit; /* number of the fit that theta is of; 0: none */
	double *theta;
};

static void *gp_open(void)
{
	struct arena a = {0};
	struct gp_state *s = arena_alloc(&a, sizeof *s);

	s->arena = a;
	return s;
}

static void gp_close(void *state)
{
	struct arena a = ((struct gp_state *)state)->arena; /* it holds the state itself */

	arena_finish(&a);
}

static void forget(struct gp_state *s, const struct history *h)
{
	if (s->h == h && s->version == h->version && s->naxes == h->naxes)
		return;
	if (!s->theta || s->naxes != h->naxes)
		s->theta = arena_array(&s->arena, gp_nparams(h->naxes), sizeof *s->theta);
	s->h = h;
	s->version = h->version;
	s->naxes = h->naxes;
	s->fit = 0;
}

static uint32_t next_size(uint32_t n)
{
	return n + (n < 8 ? 1 : n / 8);
}

static void fit_to(struct gp_state *s, const struct history *h, uint32_t number, uint32_t n,
                   struct arena *scratch)
{
	bool anew = number % GP_CHAIN == 1;
	struct sample sample = {.o = arena_array(scratch, GP_POINTS, sizeof *sample.o)};
	struct gp g;

	take_ended(h, n, &sample);
	model_of(h, &sample, &g, scratch);
	g.slope = arena_array(scratch, (size_t)g.stride * g.stride, sizeof *g.slope);
	if (anew)
		gp_default(h->naxes, s->theta);
	gp_fit(&g, s->theta, anew ? GP_EVALUATIONS : GP_EVALUATIONS / 2, scratch);
	s->fit = number;
}

/* Fits 1, 2, .. are to `first` ended trials, and so on, an eighth more each. */
static void update_theta(struct gp_state *s, const struct history *h, uint32_t first, struct arena *scratch)
{
	uint32_t size = first, last = 1, from;

	for (; next_size(size) <= h->nended; last++)
		size = next_size(size);
	from = last - (last - 1) % GP_CHAIN;
	if (s->fit == last)
		return;
	if (s->fit >= from && s->fit < last)
		from = s->fit + 1;
	size = first;
	for (uint32_t i = 1; i <= last; i++) {
		if (i >= from)
			fit_to(s, h, i, size, scratch);
		size = next_size(size);
	}
}

/* ---- asking ------------------------------------------------------------------------------------ */
static uint32_t startup(const struct cube_ask *q)
{
	if (q->trials > 0 && q->trials < 3 * GP_STARTUP)
		return q->trials < 12 ? 4 : (uint32_t)(q->trials / 3);
	return GP_STARTUP;
}

static bool ask_startup(const struct cube_ask *q, double *u, uint32_t *parent)
{
	return cube_startup(q, GP_STRIDE, GP_TRIES, u, parent);
}

static double incumbent_of(const struct gp *g)
{
	double best = g->n ? g->y[0] : 0;

	for (uint32_t i = 1; i < g->n; i++)
		best = fmin(best, g->y[i]);
	for (uint32_t i = g->n; i < g->nall; i++)
		best = fmin(best, gp_mean(g, g->x + (size_t)i * g->nfeatures));
	return best;
}

/* In standard deviations of all values. With many at work the turn without a margin comes once for all of
 * them: they would do nothing but crowd. What is pending does not tell how many they are as long as they are
 * being given something at once; it may be more where workers went. */
static double margin_of(const struct cube_ask *q)
{
	uint32_t at_work = q->workers > q->h->npending ? q->workers : q->h->npending;

	if (q->k % (at_work > 4 ? at_work : 4) == 0)
		return 0;
	return q->k % 4 == 2 ? 0.3 : 0.02;
}

static bool ask_model(struct gp_state *s, const struct cube_ask *q, double *u, uint32_t *parent)
{
	const struct history *h = q->h;
	struct sample sample = {.o = arena_array(q->scratch, GP_POINTS + GP_PENDING, sizeof *sample.o)};
	const struct observation *best[GP_AROUND];
	struct gp_acquire a = {.q = q, .best = best};
	struct gp g;

	take_ended(h, h->nended, &sample);
	take_pending(h, &sample);
	model_of(h, &sample, &g, q->scratch);
	gp_set(&g, s->theta);
	gp_factor(&g);
	for (; a.nbest < GP_AROUND && a.nbest < h->nbest; a.nbest++)
		best[a.nbest] = history_at(h, h->best[a.nbest]);
	a.g = &g;
	a.incumbent = incumbent_of(&g) - margin_of(q);
	a.seed = rng_mix(q->seed ^ rng_mix(q->k));
	return gp_maximise(&a, u, parent);
}

static bool gp_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct gp_state *s = state;
	uint32_t first = startup(q);

	if (history_count(q->h) < first || q->h->nended < first || q->h->nbest == 0)
		return ask_startup(q, u, parent);
	forget(s, q->h);
	update_theta(s, q->h, first, q->scratch);
	return ask_model(s, q, u, parent) || ask_startup(q, u, parent);
}

const struct cube_search gp_search = {gp_open, gp_ask, gp_close};
