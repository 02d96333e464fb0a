/* workers: who has room, who does what, and what comes next.
 *
 * Room. Phases with equal needs (cpus, gpus, memory) share one `struct need`, and each need lists the workers
 * that have room for one more such unit now (FREE), and those that may hold one more ahead of need (SPARE).
 * When a worker's room changes, its place in these lists is set right: O(needs). So neither choosing a unit
 * nor finding its worker looks at all workers. Lists are first in, first out, which spreads the load.
 *
 * Ahead of need. When no worker has room for a ready unit, a worker may be given one to hold: it starts it by
 * itself when its room allows, oldest first, without waiting for rank 0. The scheduler mirrors that: room
 * that becomes free goes first to the worker's oldest held unit that fits. Messages of one worker come in
 * order, so both sides agree. Should some worker have room while another one still holds a unit, it is
 * recalled; if the holder has started it in the meantime, the recall is void. */
#include "sched_core.h"

#include <math.h>

/* Such units at a time are many: then there are so many failures that a slot may idle for it. */
enum { PASSED_MAX = 32 };

/* ---- needs ------------------------------------------------------------------------------------------ */
static uint32_t need_of(struct sched *s, const struct limits *l)
{
	uint32_t cpus = l->cpus ? l->cpus : 1;
	int64_t memory = l->memory_bytes > 0 ? l->memory_bytes : 0;

	for (uint32_t i = 0; i < s->nneeds; i++)
		if (s->needs[i].cpus == cpus && s->needs[i].gpus == l->gpus &&
		    s->needs[i].memory_bytes == memory)
			return i;
	s->needs[s->nneeds] = (struct need){.cpus = cpus, .gpus = l->gpus, .memory_bytes = memory};
	return s->nneeds++;
}

void sched_workers_init(struct sched *s)
{
	slab_init(&s->slots, s->arena, sizeof(struct slot));
	s->needs = arena_array(s->arena, s->study->nphases, sizeof *s->needs);
	for (uint32_t i = 0; i < s->study->nphases; i++)
		s->phases[i].need = need_of(s, &s->study->phases[i].limits);
}

static struct need *unit_need(struct sched *s, uint32_t unit)
{
	return &s->needs[s->phases[sched_phase_of(s, unit)].need];
}

static bool has_room(const struct worker *w, const struct need *n)
{
	return w->up && w->free_cpus >= n->cpus && w->free_gpus >= n->gpus &&
	       (w->memory_bytes == 0 || w->free_memory >= n->memory_bytes);
}

bool sched_is_large(const struct worker *w, const struct need *n)
{
	return w->up && w->cpus >= n->cpus && w->gpus >= n->gpus &&
	       (w->memory_bytes == 0 || w->memory_bytes >= n->memory_bytes);
}

bool sched_is_able(const struct worker *w, const struct need *n)
{
	return !w->aside && sched_is_large(w, n);
}

static void take_room(struct worker *w, const struct need *n)
{
	w->free_cpus -= n->cpus;
	w->free_gpus -= n->gpus;
	w->free_memory -= w->memory_bytes ? n->memory_bytes : 0;
}

static void give_room(struct worker *w, const struct need *n)
{
	w->free_cpus += n->cpus;
	w->free_gpus += n->gpus;
	w->free_memory += w->memory_bytes ? n->memory_bytes : 0;
}

/* ---- lists of workers --------------------------------------------------------------------------------- */
static struct worker_node *node_at(struct sched *s, uint32_t worker, uint32_t need, enum list_kind kind)
{
	return &s->workers[worker]->nodes[need * LIST_KINDS + kind];
}

static void list_remove(struct sched *s, uint32_t worker, uint32_t need, enum list_kind kind)
{
	struct worker_list *l = &s->needs[need].lists[kind];
	struct worker_node *n = node_at(s, worker, need, kind);

	if (!n->in)
		return;
	*(n->prev ? &node_at(s, n->prev - 1, need, kind)->next : &l->head) = n->next;
	*(n->next ? &node_at(s, n->next - 1, need, kind)->prev : &l->tail) = n->prev;
	n->in = false;
	l->count--;
}

static void list_append(struct sched *s, uint32_t worker, uint32_t need, enum list_kind kind)
{
	struct worker_list *l = &s->needs[need].lists[kind];
	struct worker_node *n = node_at(s, worker, need, kind);

	n->prev = l->tail;
	n->next = 0;
	n->in = true;
	*(l->tail ? &node_at(s, l->tail - 1, need, kind)->next : &l->head) = worker + 1;
	l->tail = worker + 1;
	l->count++;
}

static uint64_t held_max(const struct sched *s, const struct worker *w)
{
	const struct sched_options *o = &s->options;
	double fit = (double)o->short_ms / (s->recent_seconds * 1000 + 0.1);
	uint32_t n = fit < o->prefetch_short ? (uint32_t)fit : o->prefetch_short;

	return (uint64_t)(n > o->prefetch_per_slot ? n : o->prefetch_per_slot) * w->cpus;
}

/* Put the worker where its room now says. used: it was just given something, others come first next time. */
static void place_worker(struct sched *s, uint32_t worker, bool used)
{
	const struct worker *w = s->workers[worker];

	for (uint32_t i = 0; i < s->nneeds; i++) {
		bool want[LIST_KINDS] = {has_room(w, &s->needs[i]) && !w->aside,
		                         sched_is_able(w, &s->needs[i]) && w->held.count < held_max(s, w)};

		for (enum list_kind k = LIST_FREE; k < LIST_KINDS; k++) {
			bool in = node_at(s, worker, i, k)->in;

			if (in && (!want[k] || used))
				list_remove(s, worker, i, k);
			if (want[k] && !node_at(s, worker, i, k)->in)
				list_append(s, worker, i, k);
		}
	}
}

/* ---- slots ------------------------------------------------------------------------------------------- */
/* In the order of leases, which is that in which the worker is told. */
static void slots_insert(struct sched *s, struct slot_list *l, uint32_t slot)
{
	struct slot *x = sched_slot(s, slot);
	uint32_t after = l->tail;

	while (after && sched_slot(s, after)->lease > x->lease)
		after = sched_slot(s, after)->prev;
	x->prev = after;
	x->next = after ? sched_slot(s, after)->next : l->head;
	*(x->next ? &sched_slot(s, x->next)->prev : &l->tail) = slot;
	*(after ? &sched_slot(s, after)->next : &l->head) = slot;
	l->count++;
}

static void slots_remove(struct sched *s, struct slot_list *l, uint32_t slot)
{
	struct slot *x = sched_slot(s, slot);

	*(x->prev ? &sched_slot(s, x->prev)->next : &l->head) = x->next;
	*(x->next ? &sched_slot(s, x->next)->prev : &l->tail) = x->prev;
	l->count--;
}

/* The list of its need: units that could be recalled. */
static void recallable_add(struct sched *s, uint32_t slot)
{
	struct slot *x = sched_slot(s, slot);
	struct need *n = unit_need(s, x->unit);

	s->phases[sched_phase_of(s, x->unit)].held++;
	x->held_prev = 0;
	x->held_next = n->newest_held;
	if (n->newest_held)
		sched_slot(s, n->newest_held)->held_prev = slot;
	n->newest_held = slot;
}

static void recallable_remove(struct sched *s, uint32_t slot)
{
	struct slot *x = sched_slot(s, slot);
	struct need *n = unit_need(s, x->unit);

	s->phases[sched_phase_of(s, x->unit)].held--;
	*(x->held_prev ? &sched_slot(s, x->held_prev)->held_next : &n->newest_held) = x->held_next;
	if (x->held_next)
		sched_slot(s, x->held_next)->held_prev = x->held_prev;
}

static bool recallable(const struct slot *x)
{
	return x->held && !x->recalling && !x->cancelled;
}

/* The recall found its answer, or became void. */
static void end_recall(struct sched *s, struct slot *x)
{
	if (x->recalling)
		unit_need(s, x->unit)->recalls--;
	x->recalling = false;
}

static uint32_t slot_open(struct sched *s, uint32_t unit, uint32_t worker, bool held)
{
	uint32_t slot = s->free_slot;
	struct worker *w = s->workers[worker];
	struct slot *x;

	if (slot) {
		s->free_slot = sched_slot(s, slot)->next;
	} else {
		slab_add(&s->slots);
		slot = s->slots.count;
	}
	x = sched_slot(s, slot);
	*x = (struct slot){.unit = unit, .lease = ++s->last_lease, .worker = worker, .held = held};
	x->assigned_ms = x->started_ms = s->now_ms;
	slots_insert(s, held ? &w->held : &w->running, slot);
	if (held)
		recallable_add(s, slot);
	else
		take_room(w, unit_need(s, unit));
	plan_unit(&s->plan, unit)->slot = slot;
	s->live++;
	return slot;
}

static void slot_close(struct sched *s, struct slot *x)
{
	struct worker *w = s->workers[x->worker];
	uint32_t slot = plan_unit(&s->plan, x->unit)->slot;

	if (recallable(x))
		recallable_remove(s, slot);
	end_recall(s, x);
	slots_remove(s, x->held ? &w->held : &w->running, slot);
	if (!x->held)
		give_room(w, unit_need(s, x->unit));
	plan_unit(&s->plan, x->unit)->slot = 0;
	x->unit = 0;
	x->lease = 0;
	x->next = s->free_slot;
	s->free_slot = slot;
	s->live--;
}

/* A held unit takes room: the worker starts it, or has started it. */
static void promote(struct sched *s, struct slot *x)
{
	struct worker *w = s->workers[x->worker];
	uint32_t slot = plan_unit(&s->plan, x->unit)->slot;

	if (recallable(x))
		recallable_remove(s, slot);
	slots_remove(s, &w->held, slot);
	x->held = false;
	x->started_ms = s->now_ms;
	slots_insert(s, &w->running, slot);
	take_room(w, unit_need(s, x->unit));
}

/* The opposite: the worker could not start it, for it had given the room to another one before it was told.
 */
static void demote(struct sched *s, struct slot *x)
{
	struct worker *w = s->workers[x->worker];
	uint32_t slot = plan_unit(&s->plan, x->unit)->slot;

	slots_remove(s, &w->running, slot);
	give_room(w, unit_need(s, x->unit));
	x->held = true;
	slots_insert(s, &w->held, slot);
	if (recallable(x))
		recallable_add(s, slot);
}

static bool make_room(struct sched *s, const struct slot *x)
{
	struct worker *w = s->workers[x->worker];

	for (uint32_t i = w->running.tail; i && !has_room(w, unit_need(s, x->unit));) {
		struct slot *y = sched_slot(s, i);

		i = y->prev;
		if (!y->started)
			demote(s, y);
	}
	return has_room(w, unit_need(s, x->unit));
}

static void tell(struct sched *s, const struct slot *x, enum action_kind kind)
{
	struct action *a = sched_action(s, kind);

	a->worker = x->worker;
	a->unit = x->unit;
	a->lease = x->lease;
}

static void recall_slot(struct sched *s, uint32_t slot)
{
	recallable_remove(s, slot);
	sched_slot(s, slot)->recalling = true;
	unit_need(s, sched_slot(s, slot)->unit)->recalls++;
	tell(s, sched_slot(s, slot), ACTION_RECALL);
}

static void promote_held(struct sched *s, uint32_t worker)
{
	struct worker *w = s->workers[worker];

	for (uint32_t slot = w->held.head; slot && w->free_cpus > 0;) {
		struct slot *x = sched_slot(s, slot);

		slot = x->next;
		if (!x->cancelled && has_room(w, unit_need(s, x->unit)))
			promote(s, x);
	}
}

/* ---- events ------------------------------------------------------------------------------------------ */
static struct worker *worker_at(struct sched *s, uint32_t worker)
{
	if (worker >= s->nworkers) {
		uint32_t n = s->nworkers ? s->nworkers : 16;

		while (n <= worker)
			n *= 2;
		s->workers = arena_grow(s->arena, s->workers, s->nworkers * sizeof *s->workers,
		                        n * sizeof *s->workers);
		s->nworkers = n;
	}
	if (!s->workers[worker]) {
		s->workers[worker] = arena_alloc(s->arena, sizeof(struct worker));
		s->workers[worker]->nodes =
		    arena_array(s->arena, (size_t)s->nneeds * LIST_KINDS, sizeof(struct worker_node));
	}
	return s->workers[worker];
}

void sched_worker_up(struct sched *s, const struct event *e)
{
	struct worker *w;

	if (e->worker >= SCHED_MAX_WORKERS || e->node >= SCHED_MAX_WORKERS)
		return;
	w = worker_at(s, e->worker);
	if (w->up)
		return;
	sched_node_grow(s, e->node);
	w->up = true;
	w->node = e->node;
	w->aside = s->nodes[e->node].aside;
	w->cpus = w->free_cpus = e->cpus ? e->cpus : 1;
	w->gpus = w->free_gpus = e->gpus;
	w->memory_bytes = w->free_memory = e->memory_bytes > 0 ? e->memory_bytes : 0;
	s->workers_up++;
	s->cpus_up += w->cpus;
	s->seen_worker = true;
	for (uint32_t i = 0; i < s->nneeds; i++)
		s->needs[i].able += sched_is_able(w, &s->needs[i]);
	place_worker(s, e->worker, false);
	sched_nodes_settle(s);
}

/* What it holds ahead of need goes to others; what it runs ends by itself. */
void sched_worker_aside(struct sched *s, uint32_t worker, bool aside)
{
	struct worker *w = s->workers[worker];

	for (uint32_t i = 0; i < s->nneeds; i++)
		s->needs[i].able -= sched_is_able(w, &s->needs[i]);
	w->aside = aside;
	for (uint32_t i = 0; i < s->nneeds; i++)
		s->needs[i].able += sched_is_able(w, &s->needs[i]);
	if (w->up)
		place_worker(s, worker, false);
	for (uint32_t slot = w->held.head; slot && aside; slot = sched_slot(s, slot)->next)
		if (recallable(sched_slot(s, slot)))
			recall_slot(s, slot);
}

static void lose_slots(struct sched *s, struct slot_list *l)
{
	struct attempt_result r = {.reason = REASON_LOST, .exit_code = -1};

	r.last = r.best = r.best_step = (double)NAN;
	while (l->head) {
		struct slot *x = sched_slot(s, l->head);
		uint32_t unit = x->unit, worker = x->worker;

		slot_close(s, x);
		sched_end(s, unit, worker, &r, false);
	}
}

void sched_worker_lost(struct sched *s, uint32_t worker)
{
	struct worker *w;

	s->seen_worker = true; /* or one was waited for: it does not come any more */
	if (worker >= s->nworkers || !s->workers[worker] || !s->workers[worker]->up)
		return;
	w = s->workers[worker];
	for (uint32_t i = 0; i < s->nneeds; i++)
		s->needs[i].able -= sched_is_able(w, &s->needs[i]);
	w->up = false;
	s->workers_up--;
	s->cpus_up -= w->cpus;
	place_worker(s, worker, false);
	lose_slots(s, &w->running);
	lose_slots(s, &w->held);
	sched_nodes_settle(s);
}

struct slot *sched_event_slot(const struct sched *s, const struct event *e)
{
	uint32_t slot;
	struct slot *x;

	if (e->unit < 1 || e->unit > s->plan.units.count)
		return NULL;
	slot = plan_unit(&s->plan, e->unit)->slot;
	if (!slot)
		return NULL;
	x = sched_slot(s, slot);
	return x->lease == e->lease && x->worker == e->worker ? x : NULL;
}

void sched_started(struct sched *s, const struct event *e)
{
	struct slot *x = sched_event_slot(s, e);

	if (!x || x->started)
		return;
	if (x->held) {
		if (!make_room(s, x))
			return;
		promote(s, x);
		place_worker(s, x->worker, true);
	}
	end_recall(s, x);
	x->started = true;
	x->started_ms = s->now_ms;
}

/* How long it took. Of its start was told at some time after it, with other news; it came after the
 * assignment. */
static void observe(struct sched *s, const struct slot *x, int64_t ran_ms)
{
	int64_t least_ms = s->now_ms - x->started_ms, most_ms = s->now_ms - x->assigned_ms;
	int64_t took_ms = ran_ms < least_ms ? least_ms : ran_ms > most_ms ? most_ms : ran_ms;
	double seconds = (double)took_ms / 1000.0;

	sched_observe(s, sched_phase_of(s, x->unit), seconds);
	s->recent_seconds += (seconds - s->recent_seconds) * 0.1;
	sched_refresh_critical(s);
}

void sched_finished(struct sched *s, const struct event *e)
{
	struct slot *x = sched_event_slot(s, e);
	struct slot was;

	if (!x || (unsigned)e->result.reason >= REASON_TOLD_COUNT)
		return;
	was = *x;
	slot_close(s, x);
	sched_end(s, was.unit, was.worker, &e->result, was.cancelled);
	if (plan_unit(&s->plan, was.unit)->state == UNIT_DONE ||
	    plan_unit(&s->plan, was.unit)->state == UNIT_PAUSED)
		observe(s, &was, e->result.ran_ms);
	promote_held(s, was.worker);
	place_worker(s, was.worker, false);
}

void sched_recalled(struct sched *s, const struct event *e)
{
	struct slot *x = sched_event_slot(s, e);

	if (!x || x->started)
		return;
	slot_close(s, x);
	sched_unbegin(s, e->unit, e->worker);
	promote_held(s, e->worker);
	place_worker(s, e->worker, false);
}

/* ---- taking over -------------------------------------------------------------------------------------- */
static void adopt_slot(struct sched *s, const struct slot *old)
{
	uint32_t slot;
	struct slot *x;

	s->last_lease = old->lease - 1;
	slot = slot_open(s, old->unit, old->worker, old->held);
	x = sched_slot(s, slot);
	x->assigned_ms = old->assigned_ms;
	x->started_ms = old->started_ms;
	x->started = old->started;
	if (recallable(x) && (old->recalling || old->cancelled))
		recallable_remove(s, slot);
	x->cancelled = old->cancelled;
	x->recalling = old->recalling;
	unit_need(s, x->unit)->recalls += old->recalling;
}

/* A worker tells its attempts apart by their leases, and their order is that in which it was told. */
static void adopt_slots(struct sched *s, const struct sched *from, uint32_t worker)
{
	const struct worker *w = from->workers[worker];
	uint32_t run = w->running.head, held = w->held.head;

	while (run || held) {
		bool first = !held || (run && sched_slot(from, run)->lease < sched_slot(from, held)->lease);
		const struct slot *x = sched_slot(from, first ? run : held);

		adopt_slot(s, x);
		*(first ? &run : &held) = x->next;
	}
	place_worker(s, worker, false);
}

void sched_adopt_workers(struct sched *s, const struct sched *from)
{
	sched_adopt_nodes(s, from);
	for (uint32_t i = 0; i < from->nworkers; i++) {
		const struct worker *w = from->workers[i];
		struct event up = {.kind = EVENT_WORKER_UP, .worker = i};

		if (!w || !w->up)
			continue;
		up.node = w->node;
		up.cpus = w->cpus;
		up.gpus = w->gpus;
		up.memory_bytes = w->memory_bytes;
		sched_worker_up(s, &up);
		adopt_slots(s, from, i);
	}
	s->seen_worker = from->seen_worker;
	s->last_lease = from->last_lease;
}

/* ---- choosing ---------------------------------------------------------------------------------------- */
struct choice_of_unit {
	uint32_t unit, phase;
	enum ready_queue queue;
};

/* What a user has raised; then begun trials, the oldest before all; then the phase with most still to come
 * behind it, then the longer unit; trials that have failed already come last. */
static bool better(const struct sched *s, const struct choice_of_unit *a, const struct choice_of_unit *b)
{
	int32_t p = plan_unit(&s->plan, a->unit)->priority, q = plan_unit(&s->plan, b->unit)->priority;

	if (p != q)
		return p > q;
	if (a->queue != b->queue)
		return a->queue < b->queue;
	if (a->queue == READY_FRESH) {
		double x = s->phases[a->phase].critical_seconds, y = s->phases[b->phase].critical_seconds;

		if (x > y || y > x)
			return x > y;
		x = sched_mean_seconds(s, a->phase);
		y = sched_mean_seconds(s, b->phase);
		if (x > y || y > x)
			return x > y;
	}
	return a->unit < b->unit;
}

/* Nobody holds a fold ahead of need that the one that runs may spare. */
static struct choice_of_unit top_of(const struct sched *s, uint32_t phase, enum list_kind kind)
{
	struct choice_of_unit best = {0};

	for (enum ready_queue q = READY_BEGUN; q < READY_QUEUES; q++) {
		struct choice_of_unit c = {queue_top(&s->phases[phase].ready[q]), phase, q};

		if (q == READY_LATER && kind == LIST_SPARE)
			continue;
		if (c.unit && (!best.unit || better(s, &c, &best)))
			best = c;
	}
	return best;
}

/* The ready unit that comes next among those that some worker in the list of this kind can take; 0: none. */
static uint32_t choose(const struct sched *s, enum list_kind kind)
{
	struct choice_of_unit best = {0};

	for (uint32_t i = 0; i < s->study->nphases; i++) {
		struct choice_of_unit c;

		if (!s->needs[s->phases[i].need].lists[kind].count || !sched_in_time(s, i))
			continue;
		c = top_of(s, i, kind);
		if (c.unit && (!best.unit || better(s, &c, &best)))
			best = c;
	}
	return best.unit;
}

/* The first one in the list that this unit may try, counted from 1; 0: none. */
static uint32_t pick_worker(struct sched *s, uint32_t unit, enum list_kind kind)
{
	uint32_t need = s->phases[sched_phase_of(s, unit)].need, w = s->needs[need].lists[kind].head;

	while (w && sched_avoids(s, unit, w - 1))
		w = node_at(s, w - 1, need, kind)->next;
	return w;
}

static void assign(struct sched *s, uint32_t unit, uint32_t worker, enum list_kind kind)
{
	struct action *a;
	uint32_t slot;

	sched_begin(s, unit, worker);
	slot = slot_open(s, unit, worker, kind == LIST_SPARE);
	place_worker(s, worker, true);
	a = sched_action(s, ACTION_ASSIGN);
	a->worker = worker;
	a->unit = unit;
	a->lease = sched_slot(s, slot)->lease;
	a->attempt = plan_unit(&s->plan, unit)->attempts;
}

/* No ready unit is left for these workers with room, but others hold some they have not started. */
static void recall(struct sched *s, struct need *n)
{
	uint32_t next;

	for (uint32_t slot = n->newest_held; slot && n->recalls < n->lists[LIST_FREE].count; slot = next) {
		next = sched_slot(s, slot)->held_next;
		if (pick_worker(s, sched_slot(s, slot)->unit, LIST_FREE))
			recall_slot(s, slot);
	}
}

void sched_recall_phase(struct sched *s, uint32_t phase)
{
	uint32_t next;

	for (uint32_t slot = s->needs[s->phases[phase].need].newest_held; slot; slot = next) {
		next = sched_slot(s, slot)->held_next;
		if (sched_phase_of(s, sched_slot(s, slot)->unit) == phase)
			recall_slot(s, slot);
	}
}

/* Units that must not try the workers there are wait beside the queue, so that others are found behind them.
 */
static void assign_all(struct sched *s, enum list_kind kind)
{
	uint32_t passed[PASSED_MAX], n = 0, unit;

	while ((unit = choose(s, kind))) {
		uint32_t fold = sched_race_fold(s, unit), worker = pick_worker(s, fold, kind);

		if (!worker && n == PASSED_MAX)
			break;
		if (worker) {
			assign(s, fold, worker - 1, kind);
		} else {
			sched_dequeue(s, unit);
			passed[n++] = unit;
		}
	}
	while (n > 0)
		sched_enqueue(s, passed[--n]);
}

void sched_assign(struct sched *s)
{
	assign_all(s, LIST_FREE);
	assign_all(s, LIST_SPARE);
	for (uint32_t i = 0; i < s->nneeds; i++)
		recall(s, &s->needs[i]);
}

static void cancel_slot(struct sched *s, uint32_t slot)
{
	struct slot *x = sched_slot(s, slot);

	if (!x->lease || x->cancelled)
		return;
	if (recallable(x))
		recallable_remove(s, slot);
	x->cancelled = true;
	if (s->workers[x->worker]
	        ->up) /* else it has just been lost, and this attempt's turn comes in a moment */
		tell(s, x, ACTION_CANCEL);
}

void sched_cancel(struct sched *s, uint32_t unit)
{
	cancel_slot(s, plan_unit(&s->plan, unit)->slot);
}

void sched_cancel_live(struct sched *s)
{
	for (uint32_t i = 1; i <= s->slots.count; i++)
		cancel_slot(s, i);
}
