#include "council.h"

#include "advice.h"
#include "host.h"
#include "must.h"
#include "phase_env.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_BREAKS = 1000, /* answers in a row against `require` */
	CLOSE_MS = 2000,
	CLOSE_NAP_MS = 10
};

struct told {              /* of a trial */
	uint64_t question; /* + 1 that it answers; 0: none of this life */
	uint8_t end;       /* + 1, enum trial_end; 0: nothing yet */
};

struct ring {
	uint32_t *items, head, count, cap;
};

struct counsel {
	struct council *council;
	char *name, *program; /* of its phase; copies, as studies come and go */
	int32_t outer;
	const struct study *study;
	const struct study_phase *phase;
	struct adviser *adviser; /* NULL: not started */
	struct told *told;       /* by number of the trial */
	uint32_t told_cap;
	struct ring changed; /* trials to tell of */
	struct ring wanted;  /* groups */
	uint64_t next_id;
	/* The question it has; */
	bool asked, stale; /* stale: of a scheduler that is no more */
	uint64_t id;
	uint32_t group, parent, breaks;
	struct key128 place; /* of that parent, whose number may change */
	/* and the answer that the scheduler has and that is no trial yet. */
	bool offered;
	uint64_t offered_id;
};

struct council {
	struct council_config c;
	struct arena arena;
	const char **env; /* the base of all; NULL: not read yet */
	uint32_t nenv;
	struct counsel **all;
	uint32_t n;
	uint32_t next_child;
	int64_t now_ms;
	const struct counsel *failed;
	bool closed; /* nothing is asked any more */
};

static void ring_put(struct ring *r, uint32_t item)
{
	if (r->count == r->cap) {
		uint32_t cap = r->cap ? 2 * r->cap : 64, *items = must_have(malloc(cap * sizeof *items));

		for (uint32_t i = 0; i < r->count; i++)
			items[i] = r->items[(r->head + i) % r->cap];
		free(r->items);
		*r = (struct ring){items, 0, r->count, cap};
	}
	r->items[(r->head + r->count++) % r->cap] = item;
}

static uint32_t ring_take(struct ring *r)
{
	uint32_t item = r->items[r->head];

	r->head = (r->head + 1) % r->cap;
	r->count--;
	return item;
}

/* ---- all of them ------------------------------------------------------------------------------------ */

struct council *council_new(const struct council_config *c)
{
	struct council *x = must_have(calloc(1, sizeof *x));

	x->c = *c;
	return x;
}

struct counsel *council_find(struct council *c, const struct study *s, const struct study_phase *ph,
                             int32_t outer)
{
	struct counsel *x = NULL;

	for (uint32_t i = 0; i < c->n && !x; i++)
		if (c->all[i]->outer == outer && !strcmp(c->all[i]->name, ph->name))
			x = c->all[i];
	if (!x) {
		x = must_have(calloc(1, sizeof *x));
		x->council = c;
		x->name = must_have(strdup(ph->name));
		x->program = must_have(strdup(ph->program_text));
		x->outer = outer;
		c->all = must_have(realloc(c->all, (c->n + 1) * sizeof *c->all));
		c->all[c->n++] = x;
	}
	x->study = s;
	x->phase = ph;
	return x;
}

void council_forget(struct council *c)
{
	for (uint32_t i = 0; c && i < c->n; i++) {
		c->all[i]->stale = c->all[i]->asked;
		c->all[i]->wanted.count = 0;
	}
}

static int blame(struct counsel *x, struct fault *f)
{
	struct council *c = x->council;

	if (f->code != FAULT_SEARCH)
		return -1;
	c->failed = x;
	return fault_context(f, "phase %s: its search program `%.200s`", x->name, x->program);
}

void council_fail(struct council *c)
{
	c->closed = true;
	for (uint32_t i = 0; i < c->n; i++)
		if (c->all[i] == c->failed && c->all[i]->adviser)
			adviser_kill(c->all[i]->adviser);
}

static const char *log_path(struct arena *a, const struct council *c, const struct counsel *x)
{
	if (x->outer < 0)
		return arena_printf(a, "%s/search-%s.log", c->c.out_dir, x->name);
	return arena_printf(a, "%s/search-%s-%d.log", c->c.out_dir, x->name, x->outer);
}

bool council_last_words(struct council *c, char *buf, size_t cap, const char **path)
{
	if (!c || !c->failed || !c->failed->adviser)
		return false;
	adviser_last_words(c->failed->adviser, buf, cap);
	*path = log_path(&c->arena, c, c->failed);
	return true;
}

/* ---- the loop's side -------------------------------------------------------------------------------- */

uint32_t council_fd_count(const struct council *c)
{
	return c ? 1 + ADVISER_FDS * c->n : 0;
}

uint32_t council_fds(const struct council *c, struct pollfd *fds)
{
	uint32_t n = 0;

	if (!c || c->closed || !c->n)
		return 0;
	if (c->c.alone)
		fds[n++] = (struct pollfd){.fd = keeper_fd(c->c.keeper), .events = POLLIN};
	for (uint32_t i = 0; i < c->n; i++) {
		if (!c->all[i]->adviser)
			continue;
		adviser_fds(c->all[i]->adviser, fds + n);
		n += ADVISER_FDS;
	}
	return n;
}

int64_t council_due_ms(const struct council *c)
{
	int64_t t = INT64_MAX, due;

	for (uint32_t i = 0; c && !c->closed && i < c->n; i++) {
		due = c->all[i]->adviser ? adviser_due_ms(c->all[i]->adviser) : INT64_MAX;
		t = due < t ? due : t;
	}
	return t;
}

static int take_events(struct council *c, struct fault *f)
{
	struct child_event e;
	int r = 0;

	while (c->c.alone && (r = keeper_next(c->c.keeper, &e, f)) == 1)
		; /* there are no trainers here */
	while (keeper_next_companion(c->c.keeper, &e))
		for (uint32_t i = 0; i < c->n; i++)
			if (c->all[i]->adviser)
				adviser_event(c->all[i]->adviser, &e);
	return r;
}

int council_step(struct council *c, int64_t now_ms, struct fault *f)
{
	c->now_ms = now_ms;
	if (!c->n)
		return 0;
	if (take_events(c, f))
		return -1;
	for (uint32_t i = 0; i < c->n && !c->closed; i++) {
		struct adviser *a = c->all[i]->adviser;

		if (!a)
			continue;
		adviser_step(a, now_ms);
		if (adviser_judge(a, now_ms, f))
			return blame(c->all[i], f);
	}
	return 0;
}

void council_release(struct council *c)
{
	for (uint32_t i = 0; c && !c->closed && i < c->n; i++)
		if (c->all[i]->adviser)
			adviser_release(c->all[i]->adviser, c->now_ms);
}

bool council_is_asking(const struct council *c)
{
	for (uint32_t i = 0; c && !c->closed && i < c->n; i++)
		if (c->all[i]->asked && adviser_holds_back(c->all[i]->adviser))
			return true;
	return false;
}

static bool all_gone(const struct council *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->all[i]->adviser && c->all[i] != c->failed && !adviser_gone(c->all[i]->adviser))
			return false;
	return true;
}

/* What they were told last is still on its way, and they may save something at the end. */
static void let_go(struct council *c)
{
	int64_t until_ms = host_monotonic_ms() + CLOSE_MS;
	struct fault f;

	for (;;) {
		for (uint32_t i = 0; i < c->n; i++) {
			struct adviser *a = c->all[i]->adviser;

			if (!a)
				continue;
			adviser_release(a, 0);
			adviser_step(a, 0);
			bytes_clear(adviser_said(a));
			if (!adviser_out(a)->len)
				adviser_dismiss(a);
		}
		if (take_events(c, &f) < 0 || all_gone(c) || host_monotonic_ms() >= until_ms)
			return;
		poll(NULL, 0, CLOSE_NAP_MS);
	}
}

void council_free(struct council *c, bool hurry)
{
	if (!c)
		return;
	if (!hurry)
		let_go(c);
	for (uint32_t i = 0; i < c->n; i++) {
		struct counsel *x = c->all[i];

		adviser_close(x->adviser);
		free(x->name);
		free(x->program);
		free(x->told);
		free(x->changed.items);
		free(x->wanted.items);
		free(x);
	}
	free(c->all);
	arena_finish(&c->arena);
	free(c);
}

/* ---- starting one ------------------------------------------------------------------------------------ */

/* That of the phase's trainers, but for what is an attempt's. It shares the node with them: one thread. */
static const char **environment(struct council *c, const struct counsel *x, struct arena *a)
{
	struct phase_env common = {.own = x->phase->env,
	                           .nown = x->phase->nenv,
	                           .study = x->study->name,
	                           .phase = x->phase->name,
	                           .threads = 1};
	const char **env;
	uint32_t n;

	if (!c->env)
		c->env = host_trainer_env(&c->arena, c->c.env_file[0] ? c->c.env_file : NULL, &c->nenv);
	common.base = c->env;
	common.nbase = c->nenv;
	env = phase_env(a, &common, 2, &n);
	env[n++] = arena_printf(a, "RANKSWEEP_OUTER_FOLD=%d", x->outer);
	env[n++] = arena_printf(a, "RANKSWEEP_SEARCH=%s.%d", x->phase->name, x->outer);
	env[n] = NULL;
	return env;
}

static int start(struct counsel *x, struct arena *scratch, struct fault *f)
{
	struct council *c = x->council;
	struct adviser_spec s = {.id = CHILD_COMPANION + c->next_child++,
	                         .argv = x->phase->program,
	                         .envp = environment(c, x, scratch),
	                         .setup = x->phase->setup,
	                         .cwd = c->c.cwd,
	                         .log_path = log_path(scratch, c, x),
	                         .answer_ms = x->phase->answer_ms};

	s.title = arena_printf(scratch, "# run %llu: %s\n", (unsigned long long)c->c.run, x->program);
	if (adviser_open(&x->adviser, c->c.keeper, &s, f))
		return -1;
	advice_put_opening(adviser_out(x->adviser), x->study, x->phase, x->outer);
	return 0;
}

/* ---- telling ------------------------------------------------------------------------------------------ */

static struct told *told_at(struct counsel *x, uint32_t trial)
{
	x->told = must_grow(x->told, &x->told_cap, trial + 1, sizeof *x->told);
	return &x->told[trial];
}

void counsel_note(struct counsel *x, uint32_t trial)
{
	ring_put(&x->changed, trial);
}

void counsel_became(struct counsel *x, uint32_t trial)
{
	if (!x->offered)
		return;
	x->offered = false;
	told_at(x, trial)->question = x->offered_id + 1;
}

static void tell_of(struct counsel *x, const struct sched *s, uint32_t trial, struct arena *scratch)
{
	struct told *t = told_at(x, trial);
	struct advice_news news = {.trial = trial, .asked = t->question > 0, .id = t->question - 1};
	double values[OBJECTIVES_MAX];
	struct scope scope;

	news.end =
	    sched_trial_exists(s, trial) ? sched_trial_end(s, trial, &news.value, &news.step) : TRIAL_VOID;
	if (t->end == news.end + 1 || (news.end == TRIAL_VOID && !t->end && !news.asked))
		return;
	t->end = (uint8_t)(news.end + 1);
	if (sched_trial_exists(s, trial)) {
		sched_trial_scope(s, trial, scratch, &scope);
		news.scope = &scope;
		for (uint32_t i = 0; i <= x->phase->nmore; i++)
			values[i] = sched_trial_objective(s, trial, i, NULL);
		news.values = x->phase->nmore ? values : NULL;
	}
	advice_put_tell(adviser_out(x->adviser), scratch, x->study, x->phase, &news);
}

/* An answer that came to nothing. */
static void tell_gone(struct counsel *x, uint64_t id, const char *rule)
{
	struct advice_news news = {.asked = true, .id = id, .end = TRIAL_VOID, .rule = rule};

	advice_put_tell(adviser_out(x->adviser), NULL, x->study, x->phase, &news);
}

void counsel_settle(struct counsel *x)
{
	if (x->offered)
		tell_gone(x, x->offered_id, NULL);
	x->offered = false;
}

/* True: it is told all there is. */
static bool tell_all(struct counsel *x, const struct sched *s, struct arena *scratch)
{
	while (x->changed.count && adviser_has_room(x->adviser))
		tell_of(x, s, ring_take(&x->changed), scratch);
	return !x->changed.count;
}

void counsel_tell(struct counsel *x, const struct sched *s, struct arena *scratch)
{
	if (!x->adviser || x->council->closed)
		return;
	counsel_settle(x);
	tell_all(x, s, scratch);
}

/* ---- asking ------------------------------------------------------------------------------------------- */

void counsel_want(struct counsel *x, uint32_t group, uint32_t n)
{
	while (n-- > 0)
		ring_put(&x->wanted, group);
}

static void ask(struct counsel *x, const struct sched *s, struct arena *scratch)
{
	struct scope parents;

	x->id = x->next_id++;
	x->asked = true;
	x->stale = false;
	x->place = sched_group_place(s, x->group, x->parent);
	sched_group_scope(s, x->group, x->parent, scratch, &parents);
	advice_put_ask(adviser_out(x->adviser), scratch, x->study, x->phase, x->id, &parents);
	adviser_expect(x->adviser, true, x->council->now_ms);
}

/* Where the parent is a choice of the search: those that could start now in turn. */
static uint32_t choose_parent(const struct sched *s, const struct group_view *g)
{
	uint32_t first = g->proposed % g->nparents;

	for (uint32_t i = 0; i < g->nparents; i++)
		if (sched_group_ready(s, g->group, (first + i) % g->nparents))
			return (first + i) % g->nparents;
	return first;
}

static int exhausted(struct event *e, uint32_t group, const char *why)
{
	*e = (struct event){.kind = EVENT_EXHAUSTED, .group = group, .text = why};
	return 1;
}

static int ask_next(struct counsel *x, const struct sched *s, struct arena *scratch, struct event *e)
{
	struct group_view g;

	x->group = ring_take(&x->wanted);
	x->breaks = 0;
	sched_group(s, x->group, &g);
	if (!g.nparents) /* they may be deleted */
		return exhausted(e, x->group, "every point has been tried");
	x->parent = choose_parent(s, &g);
	ask(x, s, scratch);
	return 0;
}

/* ---- answers ------------------------------------------------------------------------------------------- */

/* Parents may have been deleted since the question. False: the one it was about, too. */
static bool find_parent(struct counsel *x, const struct sched *s)
{
	struct group_view g;

	sched_group(s, x->group, &g);
	if (x->parent < g.nparents && key_equal(sched_group_place(s, x->group, x->parent), x->place))
		return true;
	for (x->parent = 0; x->parent < g.nparents; x->parent++)
		if (key_equal(sched_group_place(s, x->group, x->parent), x->place))
			return true;
	return false;
}

static struct scope with_own(const struct counsel *x, const struct sched *s, const struct value *own,
                             struct arena *scratch)
{
	const struct value **by_phase = arena_array(scratch, x->study->nphases, sizeof *by_phase);
	struct scope parents;

	sched_group_scope(s, x->group, x->parent, scratch, &parents);
	memcpy(by_phase, parents.by_phase, parents.nphases * sizeof *by_phase);
	by_phase[x->phase->index] = own;
	return (struct scope){by_phase, x->study->nphases};
}

static int read_answer(struct counsel *x, const struct sched *s, struct arena *scratch, struct event *e,
                       struct fault *f, const char *line, size_t n)
{
	struct value *own = arena_array(scratch, x->phase->space.nparams, sizeof *own);
	struct scope scope = with_own(x, s, own, scratch);
	struct advice answer;

	if (advice_read(scratch, x->phase, &scope, x->id, line, n, own, &answer, f))
		return -1;
	if (answer.kind == ADVICE_EXHAUSTED)
		return exhausted(e, x->group, "its search program has no more points");
	if (answer.kind == ADVICE_POINT) {
		*e = (struct event){
		    .kind = EVENT_PROPOSED, .group = x->group, .parent = x->parent, .values = own};
		x->offered = true;
		x->offered_id = x->id;
		return 1;
	}
	if (++x->breaks == MAX_BREAKS)
		return fault_set(f, FAULT_SEARCH,
		                 "%d proposals in a row, this the last, are against `require: %.200s`",
		                 MAX_BREAKS, answer.rule);
	tell_gone(x, x->id, answer.rule);
	ask(x, s, scratch);
	return 0;
}

static int unasked(const struct counsel *x, struct fault *f)
{
	if (x->next_id)
		return fault_set(f, FAULT_SEARCH,
		                 "nothing is asked (one line for each question; what is for people goes to "
		                 "stderr)");
	return fault_set(f, FAULT_SEARCH, "nothing has been asked yet");
}

static int take_line(struct counsel *x, const struct sched *s, struct arena *scratch, struct event *e,
                     struct fault *f, const char *line, size_t n)
{
	int r;

	if (!x->asked) {
		unasked(x, f);
	} else {
		x->asked = false;
		adviser_expect(x->adviser, false, x->council->now_ms);
		if (x->stale) {
			tell_gone(x, x->id, NULL);
			return 0;
		}
		if (!find_parent(x, s)) {
			tell_gone(x, x->id, NULL);
			ring_put(&x->wanted, x->group);
			return 0;
		}
		r = read_answer(x, s, scratch, e, f, line, n);
		if (r >= 0)
			return r;
	}
	return fault_context(f, "said %s", advice_quote(scratch, line, n));
}

bool counsel_has_answer(const struct counsel *x)
{
	return !x->council->closed && x->adviser && adviser_has_line(x->adviser);
}

int counsel_next(struct counsel *x, const struct sched *s, struct arena *scratch, struct event *e,
                 struct fault *f)
{
	const char *line;
	size_t n;
	int r = 0;

	if (x->council->closed || (!x->adviser && !x->wanted.count))
		return 0;
	if (!x->adviser && start(x, scratch, f))
		return blame(x, f);
	while (!r && (line = adviser_line(x->adviser, &n)))
		r = take_line(x, s, scratch, e, f, line, n);
	if (r)
		return r < 0 ? blame(x, f) : 1;
	if (!tell_all(x, s, scratch))
		return 0;
	while (!r && !x->asked && x->wanted.count)
		r = ask_next(x, s, scratch, e);
	return r;
}
