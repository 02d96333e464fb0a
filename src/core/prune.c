#include "prune.h"

#include <math.h>

enum { COMPARES = 2 }; /* median, percentile: each has tables of its own */

/* What a node of a unit is about. */
enum tag_kind { TAG_MEDIAN, TAG_PERCENTILE, TAG_RUNG };
enum { TAG_SHIFT = 28 };

struct looks {
	struct ranked *sets; /* by look, from the first one */
	uint32_t n, cap;
};

struct prune_fold {
	struct looks looks[COMPARES];
	struct ranked *rungs; /* stopping: by bracket and rung */
	uint32_t complete;
};

/* Values in here are such that the smaller one is better; one that is not finite is the worst. */
struct prune_unit {
	uint32_t first; /* its nodes */
	uint32_t attempt;
	double step, value; /* noted last; as reported */
	double best, improved, improved_step;
	double end_step;
	int64_t seen[COMPARES];      /* the last look in this attempt; -1: none */
	int64_t highest[COMPARES];   /* the highest look noted */
	uint32_t from_rung, to_rung; /* reached by the last note */
	bool due[COMPARES], any, complete;
};

void pruner_init(struct pruner *p, struct arena *a)
{
	*p = (struct pruner){.arena = a};
	ranked_pool_init(&p->pool, a);
	slab_init(&p->units, a, sizeof(struct prune_unit));
}

static uint32_t brackets(const struct prune *r)
{
	/* the last rung is one of its own only if min * eta^n hits max */
	uint32_t n = r->nrungs;

	if (!(r->rules & PRUNE_HYPERBAND))
		return 1;
	return n > 1 && prune_budget(r, 0, n - 2) > r->max / r->eta ? n - 1 : n;
}

void prune_field_init(struct pruner *p, struct prune_field *x, const struct study_phase *ph, uint32_t nfolds)
{
	const struct prune *r = ph->prune;
	uint32_t n = prune_has_rungs(r) ? brackets(r) * r->nrungs : 0;

	*x = (struct prune_field){.rules = r, .maximize = ph->goal == GOAL_MAXIMIZE};
	x->by_best = ph->report == REPORT_BEST;
	x->nfolds = nfolds;
	x->folds = arena_array(p->arena, nfolds, sizeof *x->folds);
	if (n && r->promote)
		x->rungs = arena_array(p->arena, n, sizeof *x->rungs);
	for (uint32_t i = 0; n && !r->promote && i < nfolds; i++)
		x->folds[i].rungs = arena_array(p->arena, n, sizeof(struct ranked));
}

/* ---- units ------------------------------------------------------------------------------------------ */
static struct prune_unit *find_unit(const struct pruner *p, uint32_t unit)
{
	return unit < p->cap && p->by_unit[unit] ? slab_at(&p->units, p->by_unit[unit] - 1) : NULL;
}

static void clear(struct prune_unit *u)
{
	*u = (struct prune_unit){.seen = {-1, -1}, .highest = {-1, -1}};
	u->step = u->value = u->improved_step = u->end_step = (double)NAN;
	u->best = u->improved = (double)INFINITY;
}

static struct prune_unit *unit_of(struct pruner *p, uint32_t unit)
{
	struct prune_unit *u = find_unit(p, unit);

	if (u)
		return u;
	if (unit >= p->cap) {
		uint32_t cap = p->cap ? p->cap : 64;

		while (cap <= unit)
			cap *= 2;
		p->by_unit =
		    arena_grow(p->arena, p->by_unit, p->cap * sizeof *p->by_unit, cap * sizeof *p->by_unit);
		p->cap = cap;
	}
	u = slab_add(&p->units);
	p->by_unit[unit] = p->units.count;
	clear(u);
	return u;
}

bool prune_last(const struct pruner *p, uint32_t unit, double *step, double *value)
{
	const struct prune_unit *u = find_unit(p, unit);

	if (!u || !u->any)
		return false;
	*step = u->step;
	*value = u->value;
	return true;
}

double prune_end_step(const struct pruner *p, uint32_t unit)
{
	const struct prune_unit *u = find_unit(p, unit);

	return u ? u->end_step : (double)NAN;
}

void prune_set_end_step(struct pruner *p, uint32_t unit, double step)
{
	if (!isnan(step) || find_unit(p, unit))
		unit_of(p, unit)->end_step = step;
}

/* ---- nodes ------------------------------------------------------------------------------------------ */
static uint32_t tag_of(enum tag_kind kind, uint32_t index)
{
	return (uint32_t)kind << TAG_SHIFT | index;
}

static uint32_t rung_index(const struct prune *r, uint32_t bracket, uint32_t rung)
{
	return bracket * r->nrungs + rung;
}

static struct ranked *set_of(const struct prune_place *x, uint32_t tag)
{
	struct prune_fold *f = &x->field->folds[x->fold];
	uint32_t kind = tag >> TAG_SHIFT, index = tag & ((1u << TAG_SHIFT) - 1);

	if (kind == TAG_RUNG)
		return x->field->rules->promote ? &x->field->rungs[index] : &f->rungs[index];
	return &f->looks[kind].sets[index];
}

static struct ranked_node *add_node(struct pruner *p, uint32_t unit, uint32_t tag, double value,
                                    uint32_t *node)
{
	struct prune_unit *u = unit_of(p, unit);
	struct ranked_node *n;

	*node = ranked_new(&p->pool);
	n = ranked_at(&p->pool, *node);
	n->id = unit;
	n->tag = tag;
	n->value = value;
	n->next = u->first;
	u->first = *node;
	return n;
}

static struct ranked_node *find_node(const struct pruner *p, uint32_t unit, uint32_t tag, uint32_t *node)
{
	const struct prune_unit *u = find_unit(p, unit);

	for (*node = u ? u->first : 0; *node; *node = ranked_at(&p->pool, *node)->next)
		if (ranked_at(&p->pool, *node)->tag == tag)
			return ranked_at(&p->pool, *node);
	return NULL;
}

/* Out of its unit's list. It is in no set any more. */
static void drop_node(struct pruner *p, uint32_t node)
{
	struct prune_unit *u = find_unit(p, ranked_at(&p->pool, node)->id);
	uint32_t *link = &u->first;

	while (*link != node)
		link = &ranked_at(&p->pool, *link)->next;
	*link = ranked_at(&p->pool, node)->next;
	ranked_free(&p->pool, node);
}

/* ---- notes ------------------------------------------------------------------------------------------ */
static double badness(const struct prune_field *x, double value)
{
	if (!isfinite(value))
		return (double)INFINITY;
	return x->maximize ? -value : value;
}

/* Which look of a comparison a step belongs to; -1: none. */
static int64_t look_of(const struct prune_compare *c, double step)
{
	double at = floor((step - (double)c->warmup) / (double)c->interval);

	return at >= 0 && at < PRUNE_LOOKS_MAX ? (int64_t)at : -1;
}

static const struct prune_compare *compare_of(const struct prune *r, uint32_t kind)
{
	if (kind == TAG_MEDIAN)
		return r->rules & PRUNE_MEDIAN ? &r->median : NULL;
	return r->rules & PRUNE_PERCENTILE ? &r->percentile : NULL;
}

/* The first value of an attempt in a look is the one that counts; a later attempt's stands for an earlier
 * one's. */
static void note_look(struct pruner *p, const struct prune_place *x, struct prune_unit *u, uint32_t kind,
                      int64_t look, double bad)
{
	uint32_t tag = tag_of((enum tag_kind)kind, (uint32_t)look), node;
	struct ranked_node *n;

	u->due[kind] = look > u->seen[kind];
	if (!u->due[kind])
		return;
	u->seen[kind] = look;
	n = look <= u->highest[kind] ? find_node(p, x->unit, tag, &node) : NULL;
	u->highest[kind] = look > u->highest[kind] ? look : u->highest[kind];
	if (!n)
		add_node(p, x->unit, tag, bad, &node);
	else if (!n->size)
		n->value = bad;
}

static void note_rungs(struct pruner *p, const struct prune_place *x, struct prune_unit *u, double bad)
{
	const struct prune *r = x->field->rules;
	uint32_t last = prune_rungs(r, x->bracket) - 1, node;

	u->from_rung = u->to_rung;
	while (u->to_rung < last && u->step >= (double)prune_budget(r, x->bracket, u->to_rung)) {
		uint32_t tag = tag_of(TAG_RUNG, rung_index(r, x->bracket, u->to_rung));

		add_node(p, x->unit, tag, x->field->by_best ? u->best : bad, &node);
		ranked_insert(&p->pool, set_of(x, tag), node);
		u->to_rung++;
	}
}

void prune_note(struct pruner *p, const struct prune_place *x, uint32_t attempt, double step, double value)
{
	struct prune_unit *u = unit_of(p, x->unit);
	const struct prune *r = x->field->rules;
	double bad = badness(x->field, value);

	if (attempt != u->attempt)
		u->seen[0] = u->seen[1] = -1;
	u->attempt = attempt;
	u->any = true;
	u->step = step;
	u->value = value;
	u->due[0] = u->due[1] = false;
	u->from_rung = u->to_rung;
	if (isnan(value)) /* says nothing about how good it is: if it matters, the attempt fails for it */
		return;
	u->best = bad < u->best ? bad : u->best;
	if (isnan(u->improved_step) || bad < u->improved - r->min_delta) {
		u->improved = bad;
		u->improved_step = step;
	}
	for (uint32_t k = 0; k < COMPARES; k++) {
		const struct prune_compare *c = compare_of(r, k);
		int64_t look = c ? look_of(c, step) : -1;

		if (look >= 0)
			note_look(p, x, u, k, look, bad);
	}
	if (prune_has_rungs(r) && !r->promote)
		note_rungs(p, x, u, bad);
}

/* ---- verdicts --------------------------------------------------------------------------------------- */
/* What a unit is compared by, at the look it made last or at a rung it has reached. The line lies between
 * those of its fold that go on and those that do not. Few come to the later folds of a trial: who was given
 * up before would have been worse there, so the share that goes on is one of all that came in any fold. */
struct standing {
	double value, line; /* line: infinite where all go on */
	bool behind;
};

/* false: there is nothing to compare it with. */
static bool standing_at_look(const struct pruner *p, const struct prune_place *x, uint32_t kind,
                             struct standing *out)
{
	const struct prune_compare *c = compare_of(x->field->rules, kind);
	const struct prune_fold *f = &x->field->folds[x->fold];
	const struct prune_unit *u = find_unit(p, x->unit);
	const struct looks *l = &f->looks[kind];
	const struct ranked *s;
	uint32_t most = 0;
	double share;

	if (!u || f->complete < c->startup || u->seen[kind] < 0 || u->seen[kind] >= l->n)
		return false;
	s = &l->sets[u->seen[kind]];
	if (ranked_count(&p->pool, s) < c->least)
		return false;
	for (uint32_t i = 0; i < x->field->nfolds; i++)
		most = x->field->folds[i].complete > most ? x->field->folds[i].complete : most;
	share = c->share * most / f->complete;
	out->value = u->best;
	out->line = share > 1 ? (double)INFINITY : ranked_quantile(&p->pool, s, share);
	out->behind = out->value > out->line;
	return true;
}

/* At each rung the best share of those that have come there go on, at least the best of all. */
static bool standing_at_rung(const struct pruner *p, const struct prune_place *x, uint32_t rung,
                             struct standing *out)
{
	const struct prune *r = x->field->rules;
	uint32_t index = rung_index(r, x->bracket, rung), tag = tag_of(TAG_RUNG, index), node, most = 0, keep,
	         n;
	const struct ranked *s = set_of(x, tag);

	if (!find_node(p, x->unit, tag, &node))
		return false;
	for (uint32_t i = 0; i < x->field->nfolds; i++) {
		n = ranked_count(&p->pool, &x->field->folds[i].rungs[index]);
		most = n > most ? n : most;
	}
	keep = most / r->eta;
	keep = keep ? keep : 1;
	n = ranked_nth(&p->pool, s, keep - 1);
	out->value = ranked_at(&p->pool, node)->value;
	out->line = n ? ranked_at(&p->pool, n)->value : (double)INFINITY;
	out->behind = ranked_before(&p->pool, s, node) >= keep;
	return true;
}

static bool standing_of(const struct pruner *p, const struct prune_place *x, uint32_t kind, uint32_t rung,
                        struct standing *out)
{
	return kind == TAG_RUNG ? standing_at_rung(p, x, rung, out) : standing_at_look(p, x, kind, out);
}

/* A fold that is behind does not decide alone: with the trial's other folds together it must be, by how far
 * each is from its line. */
static bool falls_behind(const struct pruner *p, const struct prune_place *x, uint32_t kind, uint32_t rung)
{
	struct prune_place other = *x;
	struct standing at;
	double sum;

	if (!standing_of(p, x, kind, rung, &at) || !at.behind)
		return false;
	sum = at.value - at.line;
	for (other.fold = 0; other.fold < x->field->nfolds; other.fold++) {
		other.unit = x->unit - x->fold + other.fold;
		if (other.fold != x->fold && standing_of(p, &other, kind, rung, &at) && isfinite(at.line))
			sum += at.value - at.line;
	}
	return !(sum < 0);
}

static bool is_worse(const struct pruner *p, const struct prune_place *x, const struct prune_unit *u,
                     uint32_t kind)
{
	return compare_of(x->field->rules, kind) && u->due[kind] && falls_behind(p, x, kind, 0);
}

static bool fails_rung(const struct pruner *p, const struct prune_place *x, const struct prune_unit *u)
{
	for (uint32_t i = u->from_rung; i < u->to_rung; i++)
		if (falls_behind(p, x, TAG_RUNG, i))
			return true;
	return false;
}

enum reason prune_judge(struct pruner *p, const struct prune_place *x)
{
	const struct prune *r = x->field->rules;
	const struct prune_unit *u = find_unit(p, x->unit);

	if (!u || isnan(u->value))
		return REASON_NONE;
	if (r->rules & PRUNE_THRESHOLD && u->step >= (double)r->threshold_warmup &&
	    (u->value < r->lower || u->value > r->upper))
		return REASON_THRESHOLD;
	if (is_worse(p, x, u, TAG_MEDIAN))
		return REASON_MEDIAN;
	if (is_worse(p, x, u, TAG_PERCENTILE))
		return REASON_PERCENTILE;
	if (r->rules & PRUNE_PATIENCE && u->step - u->improved_step >= (double)r->patience)
		return REASON_PATIENCE;
	if (prune_has_rungs(r) && !r->promote && fails_rung(p, x, u))
		return prune_rung_reason(r);
	return REASON_NONE;
}

/* ---- ends ------------------------------------------------------------------------------------------- */
static void make_looks(struct pruner *p, struct looks *l, uint32_t look)
{
	uint32_t cap = l->cap ? l->cap : 16;

	while (cap <= look)
		cap *= 2;
	if (cap > l->cap) {
		l->sets = arena_grow(p->arena, l->sets, l->n * sizeof *l->sets, cap * sizeof *l->sets);
		l->cap = cap;
	}
	if (look >= l->n)
		l->n = look + 1;
}

static void put_look(struct pruner *p, const struct prune_place *x, uint32_t node)
{
	uint32_t tag = ranked_at(&p->pool, node)->tag, index = tag & ((1u << TAG_SHIFT) - 1);
	struct ranked *s;

	make_looks(p, &x->field->folds[x->fold].looks[tag >> TAG_SHIFT], index);
	s = set_of(x, tag);
	ranked_insert(&p->pool, s, node);
	if (ranked_count(&p->pool, s) > PRUNE_SAMPLE) {
		node = ranked_first_to_go(s);
		ranked_remove(&p->pool, s, node);
		drop_node(p, node);
	}
}

void prune_complete(struct pruner *p, const struct prune_place *x)
{
	struct prune_unit *u = unit_of(p, x->unit);
	uint32_t next;

	if (u->complete)
		return;
	u->complete = true;
	x->field->folds[x->fold].complete++;
	for (uint32_t node = u->first; node; node = next) {
		next = ranked_at(&p->pool, node)->next;
		if (!ranked_at(&p->pool, node)->size)
			put_look(p, x, node);
	}
}

void prune_release(struct pruner *p, const struct prune_place *x)
{
	const struct prune_unit *u = find_unit(p, x->unit);
	uint32_t next;

	for (uint32_t node = u ? u->first : 0; node; node = next) {
		next = ranked_at(&p->pool, node)->next;
		if (!ranked_at(&p->pool, node)->size)
			drop_node(p, node);
	}
}

static void take_out(struct pruner *p, const struct prune_place *x, uint32_t node)
{
	if (ranked_at(&p->pool, node)->size)
		ranked_remove(&p->pool, set_of(x, ranked_at(&p->pool, node)->tag), node);
	drop_node(p, node);
}

void prune_forget_rungs(struct pruner *p, const struct prune_place *x)
{
	const struct prune_unit *u = find_unit(p, x->unit);
	uint32_t next;

	for (uint32_t node = u ? u->first : 0; node; node = next) {
		next = ranked_at(&p->pool, node)->next;
		if (ranked_at(&p->pool, node)->tag >> TAG_SHIFT == TAG_RUNG)
			take_out(p, x, node);
	}
}

void prune_forget(struct pruner *p, const struct prune_place *x)
{
	struct prune_unit *u = find_unit(p, x->unit);

	if (!u)
		return;
	while (u->first)
		take_out(p, x, u->first);
	if (u->complete)
		x->field->folds[x->fold].complete--;
	clear(u);
}

/* ---- rungs ------------------------------------------------------------------------------------------ */
int64_t prune_budget(const struct prune *r, uint32_t bracket, uint32_t rung)
{
	int64_t n = r->min;

	for (uint32_t i = 0; i < bracket + rung; i++)
		n = n > r->max / r->eta ? r->max : n * r->eta;
	return n < r->max ? n : r->max;
}

enum reason prune_rung_reason(const struct prune *r)
{
	return r->rules & PRUNE_HYPERBAND ? REASON_HYPERBAND : REASON_ASHA;
}

uint32_t prune_rungs(const struct prune *r, uint32_t bracket)
{
	return r->nrungs - bracket;
}

/* Bracket b of B gets a share of eta^s / (s + 1), where s = B - 1 - b: about the same work for each. */
uint32_t prune_bracket(const struct prune *r, struct key128 trial)
{
	uint32_t n = brackets(r);
	double sum = 0, at, weight[PRUNE_RUNGS_MAX];

	if (n == 1)
		return 0;
	for (uint32_t b = 0; b < n; b++) {
		uint32_t s = n - 1 - b;

		weight[b] = ceil(n * pow(r->eta, s) / (s + 1));
		sum += weight[b];
	}
	at = (double)(rng_mix(trial.hi ^ rng_mix(trial.lo)) >> 11) * 0x1p-53 * sum;
	for (uint32_t b = 0; b + 1 < n; b++) {
		if (at < weight[b])
			return b;
		at -= weight[b];
	}
	return n - 1;
}

void prune_reach(struct pruner *p, const struct prune_place *x, uint32_t rung, double value)
{
	uint32_t tag = tag_of(TAG_RUNG, rung_index(x->field->rules, x->bracket, rung)), node;

	if (isnan(value) || find_node(p, x->unit, tag, &node))
		return;
	add_node(p, x->unit, tag, badness(x->field, value), &node);
	ranked_insert(&p->pool, set_of(x, tag), node);
}

bool prune_reached(const struct pruner *p, const struct prune_place *x, uint32_t rung)
{
	uint32_t node;

	return find_node(p, x->unit, tag_of(TAG_RUNG, rung_index(x->field->rules, x->bracket, rung)), &node);
}

uint32_t prune_quota(const struct pruner *p, const struct prune_field *x, uint32_t bracket, uint32_t rung)
{
	return ranked_count(&p->pool, &x->rungs[rung_index(x->rules, bracket, rung)]) / x->rules->eta;
}

uint32_t prune_nth(const struct pruner *p, const struct prune_field *x, uint32_t bracket, uint32_t rung,
                   uint32_t before)
{
	uint32_t node = ranked_nth(&p->pool, &x->rungs[rung_index(x->rules, bracket, rung)], before);

	return node ? ranked_at(&p->pool, node)->id : 0;
}

uint32_t prune_before(const struct pruner *p, const struct prune_place *x, uint32_t rung)
{
	uint32_t tag = tag_of(TAG_RUNG, rung_index(x->field->rules, x->bracket, rung)), node;

	if (!find_node(p, x->unit, tag, &node))
		return UINT32_MAX;
	return ranked_before(&p->pool, set_of(x, tag), node);
}
