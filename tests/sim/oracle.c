/* What is committed, as the calls of the store say (not what SQLite holds: that is compared with it), and
 * what must hold. Nothing here looks into the scheduler, but to compare it with its own replay. */
#include "world.h"

#include "ledger.h"
#include "store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_UNITS = 1024, MAX_TRIALS = 512, MAX_AUDITS = 64, IDLE_MS = 400000 };

struct row_unit {
	uint32_t trial, attempts,
	    begun; /* begun: the attempt that was begun last and not taken back; 0: none */
	enum unit_state state;
	uint32_t cause, resets, pending;
	double value;
};
struct row_trial {
	char phase[16];
	int32_t outer, first_fold;
	uint32_t first_unit, nunits, nparents, gone;
	const uint32_t *parents; /* in the arena of the seed */
	const char *params;
	uint64_t key_hi, key_lo;
	uint32_t cpus, gpus; /* of its phase */
	int64_t memory;
	bool metric, prunes, maximize;
};
struct facts {
	struct row_unit units[MAX_UNITS + 1];
	struct row_trial trials[MAX_TRIALS + 1];
	uint32_t nunits, ntrials;
	char audits[MAX_AUDITS][16];
	uint32_t naudits;
	uint32_t picked[MAX_TRIALS], npicked; /* of the pick at work */
};
static struct facts open_facts, committed;
static const struct study *study;
static const struct sched *sched;
static bool stale, checking;
static int64_t idle_since;

/* ---- beginnings ---------------------------------------------------------------------------------------- */
void oracle_reset(void)
{
	memset(&open_facts, 0, sizeof open_facts);
	memset(&committed, 0, sizeof committed);
	study = NULL;
	sched = NULL;
	stale = false;
	database_new();
}

void oracle_launch(void)
{
	study = NULL;
	sched = NULL;
	stale = false;
	idle_since = w.now_ms;
}

/* ---- asked by others ---------------------------------------------------------------------------------- */
uint32_t oracle_units(void)
{
	return committed.nunits;
}

bool oracle_unit_limits(uint32_t unit, uint32_t *cpus, uint32_t *gpus, int64_t *memory)
{
	const struct row_trial *t;

	if (!unit || unit > committed.nunits)
		return false;
	t = &committed.trials[committed.units[unit].trial];
	*cpus = t->cpus;
	*gpus = t->gpus;
	*memory = t->memory;
	return true;
}

static bool has_audit(const struct facts *x, const char *id)
{
	for (uint32_t i = 0; i < x->naudits; i++)
		if (!strcmp(x->audits[i], id))
			return true;
	return false;
}

enum audit oracle_audit(const char *id)
{
	return has_audit(&committed, id)    ? AUDIT_COMMITTED
	       : has_audit(&open_facts, id) ? AUDIT_OPEN
	                                    : AUDIT_NONE;
}

void oracle_stale(bool on)
{
	if (w.current == 0)
		stale = on;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All trials, whatever their numbers. */
const char *oracle_trials(struct arena *a)
{
	const char **list = arena_array(a, committed.ntrials + 1, sizeof *list);
	struct bytes b = {0};
	const char *text;

	for (uint32_t i = 1; i <= committed.ntrials; i++) {
		const struct row_trial *t = &committed.trials[i];

		list[i - 1] =
		    arena_printf(a, "%s %d %016llx%016llx %s\n", t->phase, t->outer,
		                 (unsigned long long)t->key_hi, (unsigned long long)t->key_lo, t->params);
	}
	qsort(list, committed.ntrials, sizeof *list, compare_texts);
	for (uint32_t i = 0; i < committed.ntrials; i++)
		bytes_put(&b, list[i], strlen(list[i]));
	bytes_put(&b, "", 1);
	text = arena_strdup(a, (const char *)b.data);
	bytes_finish(&b);
	return text;
}

/* ---- what leads to what ---------------------------------------------------------------------------------
 */
static const char *bad_parent(uint32_t unit, uint32_t *which)
{
	const struct row_trial *t = &committed.trials[committed.units[unit].trial];

	for (uint32_t i = 0; i < t->nparents; i++) {
		const struct row_trial *p = &committed.trials[t->parents[i]];

		for (uint32_t k = 0; k < p->nunits; k++) {
			if (t->first_fold >= 0 && p->first_fold >= 0 && k != unit - t->first_unit)
				continue;
			*which = p->first_unit + k;
			if (committed.units[*which].state != UNIT_DONE)
				return unit_state_text(committed.units[*which].state);
		}
	}
	return NULL;
}

static void check_capacity(uint32_t rank)
{
	uint32_t cpus, gpus;
	int64_t memory;
	const struct sim_rank *x = &w.ranks[rank];

	children_busy(rank, &cpus, &gpus, &memory);
	if (rank != 0 && (cpus > x->cpus || gpus > x->gpus || memory > x->memory_bytes))
		wrong("rank %u runs more than it has: %u of %u cpus, %u of %u gpus", rank, cpus, x->cpus,
		      gpus, x->gpus);
}

void oracle_started(uint32_t rank, uint32_t unit, uint32_t attempt)
{
	const struct row_unit *u = &committed.units[unit];
	const char *state;
	uint32_t which;

	w.count.starts++;
	w.launch_starts++;
	if (!unit || unit > committed.nunits) {
		wrong("unit %u starts, and is not committed", unit);
		return;
	}
	if (u->begun != attempt || u->attempts != attempt)
		wrong("unit %u attempt %u starts, but committed is attempt %u", unit, attempt, u->begun);
	if (u->state != UNIT_RUNNING)
		wrong("unit %u starts while it is %s", unit, unit_state_text(u->state));
	if (children_of_unit(unit) > 1)
		wrong("unit %u runs twice", unit);
	if ((state = bad_parent(unit, &which)))
		wrong("unit %u starts while its parent, unit %u, is %s", unit, which, state);
	check_capacity(rank);
}

void oracle_sends(uint32_t to, const void *frame, size_t n)
{
	struct arena a = {0};
	struct msg_reader it;
	struct fault f;
	struct msg m;

	(void)to;
	for (int got = msg_open(&it, frame, n, &f); !got && msg_next(&it, &a, &m, &f) == 1;) {
		const struct msg_assign *s = &m.u.assign;

		if (m.kind == MSG_ASSIGN &&
		    (s->unit > committed.nunits || committed.units[s->unit].begun != s->attempt))
			wrong("unit %u attempt %u is sent before it is committed", s->unit, s->attempt);
	}
	arena_finish(&a);
}

static bool has_room(uint32_t rank, const struct row_trial *t)
{
	const struct sim_rank *x = &w.ranks[rank];
	uint32_t cpus, gpus;
	int64_t memory;

	if (!x->alive || x->dead || !x->cpus)
		return false;
	children_busy(rank, &cpus, &gpus, &memory);
	return cpus + t->cpus <= x->cpus && gpus + t->gpus <= x->gpus &&
	       memory + t->memory <= x->memory_bytes;
}

static uint32_t idle_unit(void)
{
	for (uint32_t u = 1; u <= committed.nunits; u++) {
		const struct row_unit *x = &committed.units[u];
		const struct row_trial *t = &committed.trials[x->trial];

		if (t->gone)
			continue;
		if (x->state == UNIT_RUNNING && !children_of_unit(u))
			return u;
		for (uint32_t r = 0; x->state == UNIT_READY && r < w.nranks; r++)
			if (has_room(r, t))
				return u;
	}
	return 0;
}

/* Units wait for a while before they are tried again, and ranks may stand still: nothing of that takes so
 * long. */
void oracle_idle(void)
{
	uint32_t u;

	/* a slow program keeps the next one waiting, which the worker holds, for as long as it likes */
	if (w.set.slow || w.ranks[0].dead || w.stop_asked || w.leader_done || !(u = idle_unit())) {
		idle_since = w.now_ms;
		return;
	}
	if (w.now_ms - idle_since > IDLE_MS)
		wrong("unit %u is %s, there is room for it, and nothing comes of it for %lld ms", u,
		      unit_state_text(committed.units[u].state), (long long)(w.now_ms - idle_since));
}

/* ---- replay ---------------------------------------------------------------------------------------------
 */
struct sched *__real_sched_new(struct arena *a, const struct study *s, const struct sched_options *o);
struct sched *__wrap_sched_new(struct arena *a, const struct study *s, const struct sched_options *o);
struct sched *__wrap_sched_new(struct arena *a, const struct study *s, const struct sched_options *o)
{
	struct sched *x = __real_sched_new(a, s, o);

	study = s;
	sched = x;
	return x;
}

static void check_rows_against_scheduler(void)
{
	for (uint32_t u = 1; u <= committed.nunits && u <= sched_unit_count(sched); u++) {
		const struct row_unit *x = &committed.units[u];
		struct unit_view v;

		if (committed.trials[x->trial].gone)
			continue;
		sched_unit(sched, u, &v);
		if (v.fact.state != x->state || v.fact.attempts != x->attempts)
			wrong("unit %u is %s after %u attempts for the scheduler, and %s after %u in what is "
			      "committed",
			      u, unit_state_text(v.fact.state), v.fact.attempts, unit_state_text(x->state),
			      x->attempts);
	}
	if (sched_unit_count(sched) != committed.nunits)
		wrong("the scheduler has %u units, committed are %u", sched_unit_count(sched),
		      committed.nunits);
}

static void check_replay(struct store *s)
{
	const struct sched_options o = {.prefetch_per_slot = 1};
	struct arena a = {0}, scratch = {0};
	struct fault f = {0};
	struct ledger g = {.study = study, .store = s, .scratch = &scratch};

	checking = true;
	g.sched = __real_sched_new(&a, study, &o);
	if (ledger_load(&g, &f))
		wrong("what is committed cannot be replayed: %s", f.text);
	else if (strcmp(sched_dump(g.sched, &a), sched_dump(sched, &a)) != 0)
		wrong("a replay of what is committed gives another state");
	checking = false;
	arena_finish(&a);
	arena_finish(&scratch);
}

/* ---- transactions ----------------------------------------------------------------------------------------
 */
int __real_store_commit(struct store *s, struct fault *f);
int __wrap_store_commit(struct store *s, struct fault *f);
void __real_store_close(struct store *s);
void __wrap_store_close(struct store *s);

static void copy_facts(struct facts *to, const struct facts *from)
{
	uint32_t nunits = to->nunits > from->nunits ? to->nunits : from->nunits;
	uint32_t ntrials = to->ntrials > from->ntrials ? to->ntrials : from->ntrials;

	memcpy(to->units, from->units, (nunits + 1) * sizeof *to->units);
	memcpy(to->trials, from->trials, (ntrials + 1) * sizeof *to->trials);
	memcpy(to->audits, from->audits, sizeof to->audits);
	to->nunits = from->nunits;
	to->ntrials = from->ntrials;
	to->naudits = from->naudits;
}

static bool is_final(enum unit_state s)
{
	return s == UNIT_DONE || s == UNIT_FAILED || s == UNIT_BLOCKED || s == UNIT_PRUNED ||
	       s == UNIT_CANCELLED;
}

/* What has ended stays as it is, unless somebody wants it otherwise. */
static void check_step(void)
{
	for (uint32_t u = 1; u <= committed.nunits && !w.set.users; u++) {
		const struct row_unit *a = &committed.units[u], *b = &open_facts.units[u];

		if (a->state == b->state)
			continue;
		if (is_final(a->state) && !(a->state == UNIT_BLOCKED && b->state == UNIT_FAILED))
			wrong("unit %u was %s, and becomes %s", u, unit_state_text(a->state),
			      unit_state_text(b->state));
	}
}

int __wrap_store_commit(struct store *s, struct fault *f)
{
	int bad;

	if (crash_point())
		return fault_set(f, FAULT_BUG, "rank 0 is dead");
	bad = __real_store_commit(s, f);
	if (bad)
		return bad;
	w.count.commits++;
	check_step();
	copy_facts(&committed, &open_facts);
	tell("committed");
	if (sched && w.current == 0 && chance(20)) {
		check_rows_against_scheduler();
		check_replay(s);
	}
	return crash_point() ? fault_set(f, FAULT_BUG, "rank 0 is dead") : 0;
}

void __wrap_store_close(struct store *s)
{
	copy_facts(&open_facts, &committed);
	study = NULL;
	sched = NULL;
	__real_store_close(s);
}

/* ---- rows ------------------------------------------------------------------------------------------------
 */
static void write_row(const char *what)
{
	if (stale && w.current == 0)
		wrong("a message about an attempt that has ended changes something (%s)", what);
}

#define WRAP(name, ...)                                                                                      \
	int __real_##name(__VA_ARGS__);                                                                      \
	int __wrap_##name(__VA_ARGS__);                                                                      \
	int __wrap_##name(__VA_ARGS__)

static void set_phase(struct row_trial *t, const char *name)
{
	const struct study_phase *p = study ? study_find_phase(study, name) : NULL;

	snprintf(t->phase, sizeof t->phase, "%s", name);
	if (!p)
		return;
	t->cpus = p->limits.cpus;
	t->gpus = p->limits.gpus;
	t->memory = p->limits.memory_bytes;
	t->metric = p->metric != NULL && p->report == REPORT_LAST;
	t->prunes = p->prune != NULL;
	t->maximize = p->goal == GOAL_MAXIMIZE;
}

static void set_parents(struct row_trial *row, const struct store_trial *t)
{
	uint32_t *list = arena_array(&w.arena, t->nparents + 1, sizeof *list);

	for (uint32_t i = 0; i < t->nparents; i++)
		list[i] = t->parents[i];
	row->parents = list;
	row->nparents = t->nparents;
}

WRAP(store_put_trial, struct store *s, const struct store_trial *t, struct fault *f)
{
	struct row_trial *row = &open_facts.trials[t->trial];

	write_row(__func__);
	if (t->trial > MAX_TRIALS || t->first_unit + t->nunits > MAX_UNITS) {
		wrong("too many trials for this test");
		return -1;
	}
	*row = (struct row_trial){.outer = t->outer,
	                          .first_fold = t->first_fold,
	                          .first_unit = t->first_unit,
	                          .nunits = t->nunits,
	                          .key_hi = t->key_hi,
	                          .key_lo = t->key_lo,
	                          .params = arena_strdup(&w.arena, t->params_json)};
	set_phase(row, t->phase);
	set_parents(row, t);
	open_facts.ntrials = t->trial > open_facts.ntrials ? t->trial : open_facts.ntrials;
	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++) {
		open_facts.units[u] = (struct row_unit){.trial = t->trial, .value = (double)NAN};
		open_facts.units[u].state = t->nparents || t->ncandidates ? UNIT_WAITING : UNIT_READY;
		open_facts.nunits = u > open_facts.nunits ? u : open_facts.nunits;
	}
	return __real_store_put_trial(s, t, f);
}

WRAP(store_put_parents, struct store *s, const struct store_trial *t, struct arena *a, uint32_t **below,
     uint32_t *nbelow, struct fault *f)
{
	write_row(__func__);
	set_parents(&open_facts.trials[t->trial], t);
	return __real_store_put_parents(s, t, a, below, nbelow, f);
}

WRAP(store_put_gone, struct store *s, uint32_t trial, uint32_t gone, struct fault *f)
{
	write_row(__func__);
	open_facts.trials[trial].gone = gone;
	return __real_store_put_gone(s, trial, gone, f);
}

static enum unit_state state_of(const char *text)
{
	for (int i = 0; i < UNIT_STATE_COUNT; i++)
		if (!strcmp(text, unit_state_text((enum unit_state)i)))
			return (enum unit_state)i;
	wrong("a unit is `%s`", text);
	return UNIT_WAITING;
}

/* What was said last counts, and a number that is none is no success. */
static void check_value(uint32_t unit)
{
	const struct row_unit *u = &open_facts.units[unit];
	const struct row_trial *t = &open_facts.trials[u->trial];
	double value;

	if (u->state != UNIT_DONE || !t->metric || t->prunes)
		return;
	if (!(u->value - u->value == 0))
		wrong("unit %u is done with a value that is no number", unit);
	if (child_said(unit, u->attempts, &value) && (value < u->value || value > u->value))
		wrong("unit %u is done with %.17g, but its program said %.17g last", unit, u->value, value);
}

WRAP(store_put_unit, struct store *s, const struct store_unit *u, struct fault *f)
{
	struct row_unit *row = &open_facts.units[u->unit];

	write_row(__func__);
	row->state = state_of(u->state);
	row->attempts = u->attempts;
	row->cause = u->cause;
	row->resets = u->resets;
	row->pending = u->pending;
	row->value = u->value;
	if (row->state == UNIT_DONE)
		check_value(u->unit);
	return __real_store_put_unit(s, u, f);
}

WRAP(store_begin_attempt, struct store *s, const struct store_attempt_begin *b, struct fault *f)
{
	write_row(__func__);
	if (w.stop_known)
		wrong("unit %u is begun after a signal", b->unit);
	open_facts.units[b->unit].begun = b->attempt;
	return __real_store_begin_attempt(s, b, f);
}

WRAP(store_drop_attempt, struct store *s, uint32_t unit, uint32_t attempt, struct fault *f)
{
	write_row(__func__);
	if (open_facts.units[unit].begun == attempt)
		open_facts.units[unit].begun = attempt - 1;
	return __real_store_drop_attempt(s, unit, attempt, f);
}

WRAP(store_start_attempt, struct store *s, uint32_t unit, uint32_t attempt, uint32_t pid, int64_t at_ms,
     struct fault *f)
{
	write_row(__func__);
	return __real_store_start_attempt(s, unit, attempt, pid, at_ms, f);
}

WRAP(store_end_attempt, struct store *s, const struct store_attempt_end *e, struct fault *f)
{
	write_row(__func__);
	return __real_store_end_attempt(s, e, f);
}

WRAP(store_put_metric, struct store *s, uint32_t unit, uint32_t attempt, const char *name, bool has_step,
     double step, double value, struct fault *f)
{
	write_row(__func__);
	return __real_store_put_metric(s, unit, attempt, name, has_step, step, value, f);
}

WRAP(store_put_output, struct store *s, uint32_t unit, uint32_t attempt, uint64_t run, uint32_t rank,
     unsigned stream, uint64_t offset, uint32_t bytes, uint64_t skipped_bytes, struct fault *f)
{
	write_row(__func__);
	return __real_store_put_output(s, unit, attempt, run, rank, stream, offset, bytes, skipped_bytes, f);
}

WRAP(store_put_worker, struct store *s, uint64_t run, const struct store_worker *worker, struct fault *f)
{
	write_row(__func__);
	return __real_store_put_worker(s, run, worker, f);
}

WRAP(store_put_audit, struct store *s, int64_t now_ms, const char *who, const char *command, int64_t units,
     const char *request, struct fault *f)
{
	write_row(__func__);
	if (request && has_audit(&open_facts, request))
		wrong("request %s is carried out twice", request);
	if (request && open_facts.naudits < MAX_AUDITS)
		snprintf(open_facts.audits[open_facts.naudits++], sizeof *open_facts.audits, "%s", request);
	return __real_store_put_audit(s, now_ms, who, command, units, request, f);
}

/* ---- winners ---------------------------------------------------------------------------------------------
 */
static bool complete(const struct row_trial *t, double *value)
{
	double sum = 0;

	if (t->gone)
		return false;
	for (uint32_t u = t->first_unit; u < t->first_unit + t->nunits; u++) {
		if (open_facts.units[u].state != UNIT_DONE)
			return false;
		sum += open_facts.units[u].value;
	}
	*value = sum / t->nunits;
	return sum - sum == 0;
}

static bool picked_before(uint32_t trial)
{
	for (uint32_t i = 0; i < open_facts.npicked; i++)
		if (open_facts.picked[i] == trial)
			return true;
	return false;
}

WRAP(store_put_pick, struct store *s, const struct store_pick *p, struct fault *f)
{
	const struct row_trial *won = &open_facts.trials[p->trial];
	double value = (double)NAN, other;

	write_row(__func__);
	if (p->rank == 0 && p->bucket == 0)
		open_facts.npicked = 0;
	if (!complete(won, &value))
		wrong("trial %u wins, and is not complete or has no value", p->trial);
	for (uint32_t i = 1; i <= open_facts.ntrials && !p->for_trial; i++) {
		const struct row_trial *t = &open_facts.trials[i];
		double gap;

		if (strcmp(t->phase, won->phase) != 0 || t->outer != won->outer || i == p->trial ||
		    picked_before(i) || !complete(t, &other))
			continue;
		gap = won->maximize ? other - value : value - other;
		/* a mean is as exact as the order in which it is summed up */
		if (gap > 1e-9 || (gap == 0 && t->nunits == 1 && i < p->trial))
			wrong("trial %u wins with %.17g over trial %u with %.17g", p->trial, value, i, other);
	}
	if (open_facts.npicked < MAX_TRIALS)
		open_facts.picked[open_facts.npicked++] = p->trial;
	return __real_store_put_pick(s, p, f);
}

/* ---- a new run
 * --------------------------------------------------------------------------------------------- */
static void each_row(struct store *s, void (*fn)(uint32_t unit, enum unit_state state, uint32_t attempts))
{
	struct store_rows *rows;
	struct fault f;
	int got = store_select(s, "SELECT unit, state, attempts FROM unit", NULL, &rows, &f);

	while (!got && (got = store_next(rows, &f)) == 1) {
		fn((uint32_t)store_int(rows, 0), state_of(store_text(rows, 1)), (uint32_t)store_int(rows, 2));
		got = 0;
	}
	if (got < 0)
		wrong("the database cannot be read: %s", f.text);
	store_rows_close(rows);
}

static void compare_row(uint32_t unit, enum unit_state state, uint32_t attempts)
{
	const struct row_unit *u = &committed.units[unit];

	if (unit > committed.nunits || u->state != state || u->attempts != attempts)
		wrong("the database has unit %u as %s after %u attempts; committed was %s after %u", unit,
		      unit_state_text(state), attempts, unit_state_text(u->state), u->attempts);
}

static void take_row(uint32_t unit, enum unit_state state, uint32_t attempts)
{
	open_facts.units[unit].state = state;
	if (open_facts.units[unit].attempts != attempts)
		open_facts.units[unit].begun = attempts;
	open_facts.units[unit].attempts = attempts;
}

WRAP(store_drop_unstarted, struct store *s, struct fault *f)
{
	int bad;

	each_row(s, compare_row);
	bad = __real_store_drop_unstarted(s, f);
	if (!bad)
		each_row(s, take_row);
	return bad;
}

/* ---- the end ----------------------------------------------------------------------------------------------
 */
static void check_ended(const struct row_unit *x, uint32_t u, bool well)
{
	bool fine = x->state == UNIT_DONE || x->state == UNIT_CANCELLED || x->state == UNIT_PRUNED ||
	            (x->state == UNIT_BLOCKED && x->cause && committed.units[x->cause].state == UNIT_PRUNED);

	if (committed.trials[x->trial].gone)
		return;
	if (x->state == UNIT_RUNNING || x->state == UNIT_READY)
		wrong("the run is over, and unit %u is %s", u, unit_state_text(x->state));
	if (well && !fine)
		wrong("the run ends well, and unit %u is %s", u, unit_state_text(x->state));
}

void oracle_end(void)
{
	bool early = strstr(w.verdict.text, "alike") || strstr(w.verdict.text, "no worker");

	tell("the run ends: %d %s", w.verdict.code, w.verdict.text);
	if (w.verdict.code == FAULT_STOPPED) {
		if (!w.stop_asked)
			wrong("the run stops though nobody asked");
		return;
	}
	if (w.verdict.code == FAULT_WORKER && w.set.trouble)
		return;
	if (w.verdict.code != FAULT_NONE && w.verdict.code != FAULT_UNITS)
		wrong("the run ends with %d: %s", w.verdict.code, w.verdict.text);
	if (w.verdict.code == FAULT_UNITS && !w.verdict.text[0])
		wrong("the run ends badly and does not say why");
	for (uint32_t u = 1; u <= committed.nunits && !early; u++)
		check_ended(&committed.units[u], u, w.verdict.code == FAULT_NONE);
}
