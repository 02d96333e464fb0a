/* TPE, the tree-structured Parzen estimator: two densities, one of the best points so far (below) and one of
 * all others (above); of some candidates drawn from the first, the answer is the one for which the ratio of
 * the first to the second is largest, which maximises expected improvement.
 *
 * J. Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NIPS 24 (2011); the densities are in
 * parzen.c. As Optuna 5 does: at most 25 points are below; a point that is pending counts among those above,
 * so that those who ask at the same time are sent to different places (a constant liar; D. Ginsbourger et
 * al., 2010); older points count less.
 *
 * Conditions. A candidate's values, and with them which parameters are active, are known when it has been
 * placed; a density is then that of the active ones. A point without a value on an axis tells nothing of it:
 * its kernel is uniform there. So all points make one joint density, and the choice that decides about a
 * condition stays tied to what depends on it; no groups of parameters need to be found.
 *
 * Parents. The context of a point is axes like any other, but given. With one parent the densities are those
 * given its context: kernels weigh as much as they have there, so that what was learned under similar parents
 * counts more. With several the parent is drawn as well: from a kernel, in proportion to what it has at each.
 *
 * Above are thousands of points in the end, and their number is what an ask costs. The newest are all there;
 * of the older ones a sample, drawn with probabilities proportional to their weights by priority (N.
 * Duffield, C. Lund, M. Thorup, "Priority sampling for estimation of arbitrary subset sums", JACM 54 (2007)):
 * point i of weight w has priority w/u, u a random number of its own; those with the largest ones are kept,
 * and count w or the largest priority that was not kept, whichever is more, which makes every sum of weights
 * right on average. Weights are proportional to the place in the order of ending, so a priority never
 * changes, and the sample depends on the history alone: the state is nothing but a faster way to the same
 * answer. */
#include "cube.h"
#include "parzen.h"
#include "search.h"

#include <string.h>

enum { BELOW_MAX = 25, EVEN = 25, RECENT = 64, SAMPLED = 192, PENDING_MAX = 512, PARENTS_MAX = 256 };

/* Measured on the tasks of tests/bench with 30 and more seeds. Half the candidates, a share of 0.15 or
 * 0.2 below, a lighter or no liar, some points at random: no difference that one could be sure of. */
static const struct tuning {
	uint32_t startup; /* points that have ended before there is a model */
	double gamma;     /* share of the points that are below */
	uint32_t candidates;
	uint32_t draws; /* to find that many that are feasible and new */
	double liar;    /* weight of a pending point */
	struct parzen_rules kernels;
} tuning = {
    .startup = 10,
    .gamma = 0.1,
    .candidates = 48,
    .draws = 400,
    .liar = 1,
    .kernels = {.prior_weight = 2, .sigma_joint = 0.2, .sigma_least = 0.01, .sigma_count = 1},
};

/* ---- state: what is kept of the older points --------------------------------------------------- */
struct kept {
	double priority;
	uint32_t place; /* in history.ended */
};

struct tpe {
	struct arena arena;
	const struct history *h;
	uint32_t version;
	uint32_t nlooked; /* ended[0..nlooked) have had their chance */
	struct kept kept[SAMPLED + 1];
	uint32_t nkept, lowest;
	uint32_t *pending, npending, pending_cap; /* by number */
	uint32_t nbegun;                          /* numbers below are in `pending` if they are */
};

static void *tpe_open(void)
{
	struct arena a = {0};
	struct tpe *t = arena_alloc(&a, sizeof *t);

	t->arena = a;
	return t;
}

static void tpe_close(void *state)
{
	struct arena a = ((struct tpe *)state)->arena; /* it holds the state itself */

	arena_finish(&a);
}

static void find_lowest(struct tpe *t)
{
	t->lowest = 0;
	for (uint32_t i = 1; i < t->nkept; i++)
		if (t->kept[i].priority < t->kept[t->lowest].priority)
			t->lowest = i;
}

static void look_at(struct tpe *t, uint32_t place)
{
	double u = ((double)(search_fold(1, place) >> 11) + 0.5) * 0x1p-53;
	struct kept k = {(place + 1) / u, place};

	if (t->nkept <= SAMPLED) {
		t->kept[t->nkept++] = k;
		find_lowest(t);
	} else if (k.priority > t->kept[t->lowest].priority) {
		t->kept[t->lowest] = k;
		find_lowest(t);
	}
}

static void add_pending(struct tpe *t, uint32_t number)
{
	if (t->npending == t->pending_cap) {
		uint32_t cap = t->pending_cap ? 2 * t->pending_cap : 64;

		t->pending = arena_grow(&t->arena, t->pending, t->npending * sizeof *t->pending,
		                        cap * sizeof *t->pending);
		t->pending_cap = cap;
	}
	t->pending[t->npending++] = number;
}

static void find_pending(struct tpe *t, const struct history *h)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->npending; i++)
		if (history_at(h, t->pending[i])->outcome == OUTCOME_PENDING)
			t->pending[n++] = t->pending[i];
	t->npending = n;
	for (; t->nbegun < history_count(h); t->nbegun++)
		if (history_at(h, t->nbegun)->outcome == OUTCOME_PENDING)
			add_pending(t, t->nbegun);
	if (t->npending == h->npending)
		return;
	t->npending = 0; /* one was gone and came back */
	for (uint32_t i = 0; i < t->nbegun; i++)
		if (history_at(h, i)->outcome == OUTCOME_PENDING)
			add_pending(t, i);
}

static void refresh(struct tpe *t, const struct history *h)
{
	if (t->h != h)
		t->nbegun = t->npending = 0;
	if (t->h != h || t->version != h->version)
		t->nlooked = t->nkept = 0;
	t->h = h;
	t->version = h->version;
	for (; t->nlooked + RECENT < h->nended; t->nlooked++)
		look_at(t, t->nlooked);
	find_pending(t, h);
}

/* ---- the two sets ------------------------------------------------------------------------------ */
struct set {
	struct parzen_point *points;
	uint32_t n;
};

static void add_to(struct set *s, const struct observation *x, double weight)
{
	s->points[s->n++] = (struct parzen_point){x->cells, weight};
}

static uint32_t count_below(const struct history *h)
{
	uint32_t n = (uint32_t)fmin(ceil(tuning.gamma * h->nended), BELOW_MAX);

	n = n < h->nbest ? n : h->nbest;
	while (n && history_at(h, h->best[n - 1])->outcome == OUTCOME_FAILED)
		n--;
	return n;
}

static struct set points_below(const struct history *h, struct arena *a)
{
	struct set s = {.n = 0};
	uint32_t n = count_below(h);

	s.points = arena_array(a, n, sizeof *s.points);
	for (uint32_t i = 0; i < n; i++)
		add_to(&s, history_at(h, h->best[i]), 1);
	return s;
}

/* The last ones have weight 1, the others in proportion to their place. */
static double weight_at(const struct history *h, double place)
{
	return h->nended > EVEN ? (place + 1) / (h->nended - EVEN) : 1;
}

static void add_above(const struct history *h, uint32_t place, double weight, uint32_t nbelow, struct set *s)
{
	for (uint32_t i = 0; i < nbelow; i++)
		if (h->best[i] == h->ended[place])
			return;
	add_to(s, history_at(h, h->ended[place]), weight);
}

static struct set points_above(const struct tpe *t, uint32_t nbelow, struct arena *a)
{
	const struct history *h = t->h;
	uint32_t pending = t->npending < PENDING_MAX ? t->npending : PENDING_MAX;
	double least = t->nkept > SAMPLED ? t->kept[t->lowest].priority : 0;
	struct set s = {.n = 0};

	s.points = arena_array(a, SAMPLED + RECENT + pending, sizeof *s.points);
	for (uint32_t i = 0; i < t->nkept; i++)
		if (t->nkept <= SAMPLED || i != t->lowest)
			add_above(h, t->kept[i].place, weight_at(h, fmax(t->kept[i].place, least - 1)),
			          nbelow, &s);
	for (uint32_t i = t->nlooked; i < h->nended; i++)
		add_above(h, i, fmin(weight_at(h, i), 1), nbelow, &s);
	for (uint32_t i = t->npending - pending; i < t->npending; i++)
		add_to(&s, history_at(h, t->pending[i]), tuning.liar);
	return s;
}

/* ---- the model --------------------------------------------------------------------------------- */
struct density {
	struct parzen *parzen;
	double *base; /* log weight of each kernel, given the context where that is given */
	double *sum;  /* work space */
};

struct model {
	const struct cube_ask *q;
	struct density below, above;
	struct rng rng;
	double *picks;               /* cumulative chances of the kernels below */
	uint32_t *parents, nparents; /* that are looked at */
	double *chances; /* [kernel below][parent]: cumulative over the parents; NULL when there is one */
	struct cell *at; /* naxes, work space: a candidate and its context */
};

static void add_context(const struct model *m, struct density *d, uint32_t parent, double *sum)
{
	const struct cube_ask *q = m->q;

	if (q->contexts && q->contexts[parent])
		parzen_add(d->parzen, q->h->nown, q->h->naxes, q->contexts[parent], sum);
}

static struct density density_of(const struct model *m, const struct set *s)
{
	struct arena *a = m->q->scratch;
	const struct history *h = m->q->h;
	struct density d = {.parzen = parzen_new(a, h->axes, h->naxes, s->points, s->n, &tuning.kernels)};
	uint32_t n = parzen_count(d.parzen);

	d.base = arena_array(a, n, sizeof *d.base);
	d.sum = arena_array(a, n, sizeof *d.sum);
	memcpy(d.base, parzen_log_weights(d.parzen), n * sizeof *d.base);
	if (m->q->nparents == 1)
		add_context(m, &d, 0, d.base);
	return d;
}

static void choose_parents(struct model *m)
{
	uint32_t all = m->q->nparents;

	m->nparents = all < PARENTS_MAX ? all : PARENTS_MAX;
	m->parents = arena_array(m->q->scratch, m->nparents, sizeof *m->parents);
	for (uint32_t p = 0; p < m->nparents; p++)
		m->parents[p] = all > PARENTS_MAX ? (uint32_t)rng_below(&m->rng, all) : p;
}

static void accumulate(double *x, uint32_t n)
{
	double all = log_sum_exp(x, n), sum = 0;

	for (uint32_t i = 0; i < n; i++)
		x[i] = sum += exp(x[i] - all);
}

static void find_picks(struct model *m)
{
	uint32_t n = parzen_count(m->below.parzen);

	m->picks = arena_array(m->q->scratch, n, sizeof *m->picks);
	memcpy(m->picks, m->below.base, n * sizeof *m->picks);
	accumulate(m->picks, n);
}

static void find_chances(struct model *m)
{
	struct density *d = &m->below;
	uint32_t n = parzen_count(d->parzen);

	m->chances = arena_array(m->q->scratch, (size_t)n * m->nparents, sizeof *m->chances);
	for (uint32_t p = 0; p < m->nparents; p++) {
		memset(d->sum, 0, n * sizeof *d->sum);
		add_context(m, d, m->parents[p], d->sum);
		for (uint32_t i = 0; i < n; i++)
			m->chances[i * m->nparents + p] = d->sum[i];
	}
	for (uint32_t i = 0; i < n; i++)
		accumulate(m->chances + i * m->nparents, m->nparents);
}

static struct model make_model(const struct tpe *t, const struct cube_ask *q)
{
	struct model m = {.q = q};
	struct set below = points_below(q->h, q->scratch), above = points_above(t, below.n, q->scratch);

	rng_seed(&m.rng, search_fold(search_fold(q->seed, q->k), 1));
	m.at = arena_array(q->scratch, q->h->naxes, sizeof *m.at);
	m.below = density_of(&m, &below);
	m.above = density_of(&m, &above);
	find_picks(&m);
	choose_parents(&m);
	if (q->nparents > 1)
		find_chances(&m);
	return m;
}

/* ---- candidates -------------------------------------------------------------------------------- */
/* Where a random number falls among cumulative chances. */
static uint32_t fall(struct rng *r, const double *sums, uint32_t n)
{
	double u = rng_unit(r) * sums[n - 1];
	uint32_t i = 0;

	while (i + 1 < n && u >= sums[i])
		i++;
	return i;
}

static uint32_t draw_candidate(struct model *m, double *u)
{
	uint32_t kernel = fall(&m->rng, m->picks, parzen_count(m->below.parzen)), parent = 0;

	if (m->chances)
		parent = m->parents[fall(&m->rng, m->chances + kernel * m->nparents, m->nparents)];
	parzen_draw(m->below.parzen, kernel, m->q->h->nown, &m->rng, u);
	return parent;
}

static double log_density_at(const struct model *m, struct density *d, uint32_t parent)
{
	uint32_t n = parzen_count(d->parzen);

	memcpy(d->sum, d->base, n * sizeof *d->sum);
	parzen_add(d->parzen, 0, m->q->h->nown, m->at, d->sum);
	if (m->q->nparents > 1)
		add_context(m, d, parent, d->sum);
	return log_sum_exp(d->sum, n);
}

static bool propose(struct model *m, double *u, uint32_t *parent)
{
	const struct cube_ask *q = m->q;
	uint32_t nown = q->h->nown, found = 0;
	double *tried = arena_array(q->scratch, nown, sizeof *tried), best = -INFINITY;

	for (uint32_t i = 0; i < tuning.draws && found < tuning.candidates; i++) {
		uint32_t p = draw_candidate(m, tried);
		double score;

		if (!q->place(q->ctx, p, tried, m->at) || q->known(q->ctx, p, m->at))
			continue;
		score = log_density_at(m, &m->below, p) - log_density_at(m, &m->above, p);
		if (found++ && !(score > best))
			continue;
		best = score;
		*parent = p;
		memcpy(u, tried, nown * sizeof *u);
	}
	return found > 0;
}

/* ---- asking ------------------------------------------------------------------------------------ */
static bool tpe_ask(void *state, const struct cube_ask *q, double *u, uint32_t *parent)
{
	struct tpe *t = state;
	struct model m;

	if (q->h->nended < tuning.startup)
		return cube_startup(q, CUBE_STRIDE, CUBE_TRIES, u, parent);
	refresh(t, q->h);
	m = make_model(t, q);
	return propose(&m, u, parent);
}

const struct cube_search tpe_search = {tpe_open, tpe_ask, tpe_close};
