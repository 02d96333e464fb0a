/* nodes: which of them lets units die, and who should not try there again.
 *
 * A unit whose attempt failed on a node is a suspicion against that node: the latest one of each unit is
 * kept. It is tried elsewhere, where it can be. When it goes well there, the node is to blame; when anything
 * goes well on the node itself, nothing is. A node that is to blame for BAD_NODE_UNITS different units is set
 * aside: nothing is given to its workers any more, what runs there ends by itself. Not where units fail
 * elsewhere too, one in five or more: then it is the program. And what can run on no other node goes on
 * there: when the last good one is lost, those that were set aside are taken back.
 *
 * A broken node is fast at failing, has room all the time, and so would take one unit after the other and
 * their retries too. None of this survives the run; the next one finds it out again. */
#include "sched_core.h"

enum { BAD_NODE_UNITS = 3, MAX_SUSPICIONS = 4096, RARE = 4 };

static struct node *node_of(struct sched *s, uint32_t worker)
{
	return &s->nodes[s->workers[worker]->node];
}

void sched_node_grow(struct sched *s, uint32_t node)
{
	uint32_t n = s->nnodes ? s->nnodes : 4;

	if (node < s->nnodes)
		return;
	while (n <= node)
		n *= 2;
	s->nodes = arena_grow(s->arena, s->nodes, s->nnodes * sizeof *s->nodes, n * sizeof *s->nodes);
	s->nnodes = n;
}

/* ---- suspicions --------------------------------------------------------------------------------------- */
static uint32_t find(const struct sched *s, uint32_t unit)
{
	uint32_t i = 0;

	while (i < s->nsuspicions && s->suspicions[i].unit != unit)
		i++;
	return i;
}

static void drop(struct sched *s, uint32_t i)
{
	plan_unit(&s->plan, s->suspicions[i].unit)->suspect = false;
	s->suspicions[i] = s->suspicions[--s->nsuspicions];
}

static void drop_all_of(struct sched *s, uint32_t node)
{
	for (uint32_t i = s->nsuspicions; i > 0; i--)
		if (s->suspicions[i - 1].node == node)
			drop(s, i - 1);
}

static void suspect(struct sched *s, uint32_t unit, uint32_t node)
{
	uint32_t i = plan_unit(&s->plan, unit)->suspect ? find(s, unit) : s->nsuspicions;

	if (!s->suspicions)
		s->suspicions = arena_array(s->arena, MAX_SUSPICIONS, sizeof *s->suspicions);
	if (i == MAX_SUSPICIONS)
		return; /* so many at a time say that no node is to blame */
	if (i == s->nsuspicions)
		s->nsuspicions++;
	s->suspicions[i] = (struct suspicion){unit, node};
	plan_unit(&s->plan, unit)->suspect = true;
}

static bool others_are_able(const struct sched *s, uint32_t unit, uint32_t node)
{
	const struct need *n = &s->needs[s->phases[sched_phase_of(s, unit)].need];

	for (uint32_t i = 0; i < s->nworkers; i++)
		if (s->workers[i] && s->workers[i]->node != node && sched_is_able(s->workers[i], n))
			return true;
	return false;
}

bool sched_avoids(const struct sched *s, uint32_t unit, uint32_t worker)
{
	uint32_t i;

	if (!plan_unit(&s->plan, unit)->suspect)
		return false;
	i = find(s, unit);
	return s->suspicions[i].node == s->workers[worker]->node &&
	       others_are_able(s, unit, s->suspicions[i].node);
}

/* ---- setting aside ------------------------------------------------------------------------------------- */
static void tell(struct sched *s, uint32_t node, bool aside)
{
	struct action *a = sched_action(s, ACTION_NODE);

	a->node = node;
	a->n = aside;
}

static void put_aside(struct sched *s, uint32_t node, bool aside)
{
	s->nodes[node].aside = aside;
	s->nodes[node].blamed = 0;
	s->naside += aside ? 1u : UINT32_MAX;
	drop_all_of(s, node);
	for (uint32_t i = 0; i < s->nworkers; i++)
		if (s->workers[i] && s->workers[i]->node == node)
			sched_worker_aside(s, i, aside);
	tell(s, node, aside);
}

static bool fails_elsewhere_too(const struct sched *s, uint32_t node)
{
	uint64_t failed = 0, done = 0;

	for (uint32_t i = 0; i < s->nnodes; i++) {
		failed += i == node ? 0 : s->nodes[i].failed;
		done += i == node ? 0 : s->nodes[i].done;
	}
	return failed * RARE > done;
}

/* Is there a kind of unit that, of workers that are up, only those of this node could take? */
static bool is_needed(const struct sched *s, uint32_t node)
{
	for (uint32_t k = 0; k < s->nneeds; k++) {
		bool here = false, elsewhere = false;

		for (uint32_t i = 0; i < s->nworkers; i++) {
			const struct worker *w = s->workers[i];

			here = here || (w && w->node == node && sched_is_large(w, &s->needs[k]));
			elsewhere = elsewhere || (w && w->node != node && sched_is_able(w, &s->needs[k]));
		}
		if (here && !elsewhere)
			return true;
	}
	return false;
}

static void blame(struct sched *s, uint32_t node)
{
	s->nodes[node].blamed++;
	if (s->nodes[node].blamed >= BAD_NODE_UNITS && !s->nodes[node].aside &&
	    !fails_elsewhere_too(s, node) && !is_needed(s, node))
		put_aside(s, node, true);
}

void sched_nodes_settle(struct sched *s)
{
	for (uint32_t i = 0; s->naside && i < s->nnodes; i++)
		if (s->nodes[i].aside && is_needed(s, i))
			put_aside(s, i, false);
}

/* ---- results --------------------------------------------------------------------------------------------
 */
static void went_well(struct sched *s, uint32_t unit, uint32_t worker)
{
	uint32_t node = s->workers[worker]->node, i = find(s, unit), other = node;

	if (i < s->nsuspicions) {
		other = s->suspicions[i].node;
		drop(s, i);
	}
	node_of(s, worker)->done++;
	node_of(s, worker)->blamed = 0;
	drop_all_of(s, node);
	if (other != node)
		blame(s, other);
}

static bool may_be_the_nodes_fault(enum reason r)
{
	return r == REASON_EXIT || r == REASON_SIGNAL || r == REASON_OOM || r == REASON_TIMEOUT ||
	       r == REASON_STALL || r == REASON_SPAWN;
}

void sched_node_result(struct sched *s, uint32_t unit, uint32_t worker, enum unit_state now,
                       enum reason reason)
{
	if (now == UNIT_DONE || now == UNIT_PAUSED) {
		went_well(s, unit, worker);
		return;
	}
	if (may_be_the_nodes_fault(reason)) {
		node_of(s, worker)->failed++;
		suspect(s, unit, s->workers[worker]->node);
	}
	if (now == UNIT_FAILED && plan_unit(&s->plan, unit)->suspect)
		drop(s, find(s, unit));
}

void sched_adopt_nodes(struct sched *s, const struct sched *from)
{
	for (uint32_t i = 0; i < from->nsuspicions; i++)
		suspect(s, from->suspicions[i].unit, from->suspicions[i].node);
	if (!from->nnodes)
		return;
	sched_node_grow(s, from->nnodes - 1);
	for (uint32_t i = 0; i < from->nnodes; i++)
		s->nodes[i] = from->nodes[i];
	s->naside = from->naside;
}
