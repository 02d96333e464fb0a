#include "ledger.h"

#include "bytes.h"
#include "command.h"
#include "study.h"

#include <math.h>
#include <string.h>

int ledger_begin(struct ledger *g, struct fault *f)
{
	return store_in_transaction(g->store) ? 0 : store_begin(g->store, f);
}

/* ---- the study -------------------------------------------------------------------------------- */

int ledger_read_study(struct arena *a, struct store *s, const char *path, const struct study **study,
                      struct fault *f)
{
	struct study_source src = {.path = path};
	struct study_errors errors = {0};

	*study = NULL;
	if (store_get_study(s, a, &src.name, &src.text, &src.text_bytes, f) ||
	    store_get_jobs(s, a, &src.jobs, &src.jobs_bytes, f))
		return -1;
	if (!src.text || (!src.text_bytes && !src.jobs_bytes))
		return 0;
	if (study_read(a, &src, study, &errors) == 0)
		return 0;
	return study_first_error(a, path, &errors, f);
}

int ledger_put_phases(struct store *s, const struct study *study, struct fault *f)
{
	for (uint32_t i = 0; i < study->nphases; i++) {
		const struct study_phase *p = &study->phases[i];
		struct store_phase row = {.phase = i,
		                          .name = p->name,
		                          .metric = p->metric,
		                          .goal = goal_text(p->goal),
		                          .aggregate = aggregate_text(p->aggregate),
		                          .folds = folds_text(p->folds),
		                          .search = search_text(p->search),
		                          .command = p->command_text};

		if (store_put_phase(s, &row, f))
			return -1;
	}
	return 0;
}

/* ---- own values as bytes: name and text of each active parameter ------------------------------ */

static void encode_values(struct bytes *b, const struct study_phase *p, const struct value *v)
{
	char buf[TEXT_NUMBER];

	for (uint32_t i = 0; i < p->space.nparams; i++)
		if (v[i].kind != VALUE_NONE) {
			bytes_put_text(b, p->space.params[i].name);
			bytes_put_text(b, value_text(&v[i], buf));
		}
}

static const struct param *find_param(const struct study_phase *p, const unsigned char *name, size_t n,
                                      uint32_t *index)
{
	for (uint32_t i = 0; i < p->space.nparams; i++)
		if (strlen(p->space.params[i].name) == n && !memcmp(p->space.params[i].name, name, n)) {
			*index = i;
			return &p->space.params[i];
		}
	return NULL;
}

/* Parameters that an edit has removed are dropped; new ones stay inactive in old trials. */
static struct value *decode_values(struct arena *a, const struct study_phase *p, const void *own, size_t n)
{
	struct value *v = arena_array(a, p->space.nparams + 1, sizeof *v);
	struct reader r;

	reader_init(&r, own, n);
	while (!r.bad && r.p < r.end) {
		size_t name_n, text_n;
		uint32_t i;
		const unsigned char *name = reader_blob(&r, &name_n), *text = reader_blob(&r, &text_n);
		const struct param *param = find_param(p, name, name_n, &i);

		if (param && !r.bad)
			value_parse(a, param, arena_strndup(a, (const char *)text, text_n), &v[i]);
	}
	return r.bad ? NULL : v;
}

/* ---- records to rows ----------------------------------------------------------------------- */

static int put_trial(struct ledger *g, const struct record *r, struct fault *f)
{
	const struct study_phase *p = &g->study->phases[r->phase];
	struct bytes own = {0};
	struct trial_view t;
	struct scope scope;
	struct store_trial row = {.trial = r->trial,
	                          .phase = p->name,
	                          .outer = r->outer,
	                          .k = r->k,
	                          .key_hi = r->key.hi,
	                          .key_lo = r->key.lo,
	                          .parents = r->parents,
	                          .nparents = r->nparents,
	                          .candidates = r->candidates,
	                          .ncandidates = r->ncandidates,
	                          .best_n = r->best_n};
	struct unit_view u;
	int bad;

	sched_trial(g->sched, r->trial, &t);
	sched_trial_scope(g->sched, r->trial, g->scratch, &scope);
	sched_unit(g->sched, t.first_unit, &u);
	encode_values(&own, p, r->values);
	row.own = own.data ? own.data : (const void *)"";
	row.own_bytes = own.len;
	row.own_json = command_params_json(g->scratch, g->study, p, &scope, true);
	row.params_json =
	    r->nparents ? command_params_json(g->scratch, g->study, p, &scope, false) : row.own_json;
	row.first_unit = t.first_unit;
	row.nunits = t.nunits;
	row.first_fold = u.fold;
	bad = store_put_trial(g->store, &row, f);
	bytes_finish(&own);
	return bad;
}

static bool is_final(enum unit_state s)
{
	return s == UNIT_DONE || s == UNIT_FAILED || s == UNIT_BLOCKED || s == UNIT_PRUNED ||
	       s == UNIT_CANCELLED;
}

static int put_params(struct ledger *g, uint32_t trial, struct fault *f)
{
	struct trial_view t;
	struct scope scope;

	sched_trial(g->sched, trial, &t);
	sched_trial_scope(g->sched, trial, g->scratch, &scope);
	return store_put_params(
	    g->store, trial,
	    command_params_json(g->scratch, g->study, &g->study->phases[t.phase], &scope, false), f);
}

/* Whatever comes after it may inherit something else now. */
static int put_parents(struct ledger *g, const struct record *r, struct fault *f)
{
	struct store_trial row = {.trial = r->trial,
	                          .parents = r->parents,
	                          .nparents = r->nparents,
	                          .candidates = r->candidates,
	                          .ncandidates = r->ncandidates,
	                          .best_n = r->best_n};
	uint32_t *below, n;

	if (store_put_parents(g->store, &row, g->scratch, &below, &n, f) || put_params(g, r->trial, f))
		return -1;
	for (uint32_t i = 0; i < n; i++)
		if (put_params(g, below[i], f))
			return -1;
	return 0;
}

static bool prunes(const struct ledger *g, uint32_t phase)
{
	return g->study->phases[phase].prune != NULL;
}

static bool is_pruned(const struct ledger *g, uint32_t trial)
{
	double value, step;

	return sched_trial_end(g->sched, trial, &value, &step) == TRIAL_PRUNED;
}

static int put_objectives(struct ledger *g, const struct trial_view *t, struct fault *f)
{
	const struct study_phase *p = &g->study->phases[t->phase];

	for (uint32_t i = 0; p->nmore && i <= p->nmore; i++) {
		struct objective x = study_objective(p, i);
		struct store_trial_objective row = {
		    .trial = t->trial, .number = i, .name = x.metric, .goal = goal_text(x.goal)};

		row.value = sched_trial_objective(g->sched, t->trial, i, &row.sd);
		if (store_put_trial_objective(g->store, &row, f))
			return -1;
	}
	return 0;
}

static int put_trial_value(struct ledger *g, uint32_t trial, enum unit_state last, struct fault *f)
{
	struct trial_view t;
	const char *state;

	sched_trial(g->sched, trial, &t);
	if (t.units_done == t.nunits)
		state = "done";
	else if (t.units_final == t.nunits && prunes(g, t.phase) && is_pruned(g, trial))
		state = "pruned";
	else if (t.units_final == t.nunits)
		state = unit_state_text(last == UNIT_DONE || last == UNIT_PRUNED ? UNIT_FAILED : last);
	else if (last == UNIT_PAUSED)
		state = "paused";
	else
		state = t.units_done || last == UNIT_RUNNING || is_final(last) ? "running" : "waiting";
	if (store_put_trial_value(g->store, trial, state, t.value, t.sd, t.units_done, f))
		return -1;
	return put_objectives(g, &t, f);
}

static int put_unit(struct ledger *g, const struct record *r, struct fault *f)
{
	const struct unit_fact *x = &r->fact;
	struct store_unit row = {.unit = r->unit,
	                         .state = unit_state_text(x->state),
	                         .reason = reason_text(x->reason),
	                         .cause = x->cause,
	                         .attempts = x->attempts,
	                         .failures = x->failures,
	                         .losses = x->losses,
	                         .idle_requeues = x->idle_requeues,
	                         .resets = x->resets,
	                         .pending = x->pending,
	                         .priority = x->priority,
	                         .value = x->value,
	                         .best_step = x->best_step,
	                         .rung = x->rung,
	                         .step = x->step};
	struct unit_view u;

	if (store_put_unit(g->store, &row, f))
		return -1;
	sched_unit(g->sched, r->unit, &u);
	if (!is_final(x->state) && !(x->state == UNIT_RUNNING && x->attempts == 1) &&
	    !(u.trial && prunes(g, u.phase)) && g->archived != r->unit)
		return 0;
	g->archived = 0;
	if (!u.trial)
		return 0; /* it went in the same step */
	return put_trial_value(g, u.trial, x->state, f);
}

static int put_end(struct ledger *g, const struct record *r, struct fault *f)
{
	const struct attempt_result *x = &r->result;
	const struct msg_finished *m = g->finished;
	struct store_attempt_end row = {.unit = r->unit,
	                                .attempt = r->attempt,
	                                .state = r->fact.state == UNIT_DONE                  ? "done"
	                                         : r->fact.state == UNIT_PAUSED              ? "paused"
	                                         : r->fact.state == UNIT_PRUNED              ? "pruned"
	                                         : r->fact.state == UNIT_CANCELLED           ? "cancelled"
	                                         : x->reason == REASON_LOST                  ? "lost"
	                                         : x->reason == REASON_REQUEUE || x->requeue ? "requeue"
	                                                                                     : "failed",
	                                .reason = reason_text(x->reason),
	                                .exit_code = x->exit_code,
	                                .signal = x->signal,
	                                .finished_ms = g->now_ms};

	if (m) {
		row.pid = m->pid;
		row.started_ms = m->started_ms;
		row.finished_ms = m->finished_ms;
		row.user_seconds = m->user_seconds;
		row.system_seconds = m->system_seconds;
		row.max_rss_kb = m->max_rss_kb;
		row.tail = m->tail;
		row.tail_bytes = m->tail_bytes;
	}
	return store_end_attempt(g->store, &row, f);
}

static int put_pick(struct ledger *g, const struct record *r, struct fault *f)
{
	struct store_pick row = {.phase = g->study->phases[r->phase].name,
	                         .child_phase = g->study->phases[r->child_phase].name,
	                         .outer = r->outer,
	                         .trial = r->trial,
	                         .bucket = r->bucket,
	                         .rank = r->rank,
	                         .value = r->value,
	                         .last = r->last,
	                         .for_trial = r->for_trial};

	return store_put_pick(g->store, &row, f);
}

int ledger_put(struct ledger *g, const struct record *r, struct fault *f)
{
	if (ledger_begin(g, f))
		return -1;
	switch (r->kind) {
	case RECORD_TRIAL:
		return put_trial(g, r, f);
	case RECORD_UNIT:
		return put_unit(g, r, f);
	case RECORD_BEGIN:
		return 0; /* written by ledger_begin_attempt, which knows the command */
	case RECORD_END:
		return put_end(g, r, f);
	case RECORD_UNBEGIN:
		return store_drop_attempt(g->store, r->unit, r->attempt, f);
	case RECORD_PICK:
		return put_pick(g, r, f);
	case RECORD_UNPICK:
		return store_drop_pick(g->store, g->study->phases[r->phase].name, r->outer,
		                       g->study->phases[r->child_phase].name, f);
	case RECORD_PARENTS:
		return put_parents(g, r, f);
	case RECORD_ARCHIVE:
		g->archived = r->unit;
		return store_archive_unit(g->store, r->unit, f);
	case RECORD_GONE:
		return store_put_gone(g->store, r->trial, r->gone, f);
	case RECORD_METRIC:
		return 0; /* it has been written with all else that came in its line */
	case RECORD_OBJECTIVE:
		return store_put_objective(g->store, &(struct store_objective){r->unit, r->number, r->value},
		                           f);
	case RECORD_RUNG:
		return store_put_rung(g->store, r->trial, r->rung, r->value, f);
	}
	return fault_set(f, FAULT_BUG, "a record of no kind");
}

int ledger_begin_attempt(struct ledger *g, uint32_t unit, uint32_t attempt, uint32_t worker,
                         const char *command, struct fault *f)
{
	struct store_attempt_begin b = {.unit = unit,
	                                .attempt = attempt,
	                                .rank = worker,
	                                .run = g->run,
	                                .command = command,
	                                .now_ms = g->now_ms};

	return ledger_begin(g, f) || store_begin_attempt(g->store, &b, f) ? -1 : 0;
}

/* ---- rows to records ------------------------------------------------------------------------ */

static int phase_index(struct ledger *g, const char *name, uint32_t *out, struct fault *f)
{
	const struct study_phase *p = study_find_phase(g->study, name);

	if (!p)
		return fault_set(
		    f, FAULT_STUDY,
		    "the database has trials of a phase `%s` that the study does not have (any more): "
		    "put it back, or start a new database with --db",
		    name);
	*out = p->index;
	return 0;
}

static int load_trial(void *ctx, const struct store_trial *t, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_TRIAL,
	                   .trial = t->trial,
	                   .outer = t->outer,
	                   .k = t->k,
	                   .first_unit = t->first_unit,
	                   .key = {t->key_hi, t->key_lo},
	                   .parents = t->parents,
	                   .nparents = t->nparents,
	                   .candidates = t->candidates,
	                   .ncandidates = t->ncandidates,
	                   .best_n = t->best_n,
	                   .gone = (enum gone)t->gone};

	arena_reset(g->scratch);
	if (phase_index(g, t->phase, &r.phase, f))
		return -1;
	r.values = decode_values(g->scratch, &g->study->phases[r.phase], t->own, t->own_bytes);
	if (!r.values)
		return fault_set(f, FAULT_IO, "the values of trial %u are damaged", t->trial);
	return sched_apply(g->sched, &r, f);
}

static int load_pick(void *ctx, const struct store_pick *p, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_PICK,
	                   .outer = p->outer,
	                   .trial = p->trial,
	                   .bucket = p->bucket,
	                   .rank = p->rank,
	                   .value = p->value,
	                   .last = p->last,
	                   .for_trial = p->for_trial};

	if (phase_index(g, p->phase, &r.phase, f) || phase_index(g, p->child_phase, &r.child_phase, f))
		return -1;
	return sched_apply(g->sched, &r, f);
}

static int enum_of(const char *text, const char *(*name)(int), int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(name(i), text))
			return i;
	return -1;
}

static const char *state_name(int i)
{
	return unit_state_text((enum unit_state)i);
}

static const char *reason_name(int i)
{
	return reason_text((enum reason)i);
}

static int load_unit(void *ctx, const struct store_unit *u, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_UNIT, .unit = u->unit};
	int state = enum_of(u->state, state_name, UNIT_STATE_COUNT),
	    reason = enum_of(u->reason, reason_name, REASON_COUNT);

	if (state < 0 || reason < 0)
		return fault_set(f, FAULT_IO, "unit %u has the state `%s` (%s)", u->unit, u->state,
		                 u->reason);
	r.fact = (struct unit_fact){.state = (enum unit_state)state,
	                            .reason = (enum reason)reason,
	                            .cause = u->cause,
	                            .attempts = u->attempts,
	                            .failures = u->failures,
	                            .losses = u->losses,
	                            .idle_requeues = u->idle_requeues,
	                            .resets = u->resets,
	                            .priority = u->priority,
	                            .pending = (enum pending)u->pending,
	                            .value = u->value,
	                            .best_step = u->best_step,
	                            .rung = u->rung,
	                            .step = u->step};
	return sched_apply(g->sched, &r, f);
}

static int load_rung(void *ctx, const struct store_rung *x, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_RUNG, .trial = x->trial, .rung = x->rung, .value = x->value};

	return sched_apply(g->sched, &r, f);
}

static int load_objective(void *ctx, const struct store_objective *x, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_OBJECTIVE, .unit = x->unit, .number = x->number, .value = x->value};

	return sched_apply(g->sched, &r, f);
}

static int load_metric(void *ctx, const struct store_metric *x, struct fault *f)
{
	struct ledger *g = ctx;
	struct record r = {.kind = RECORD_METRIC, .unit = x->unit, .attempt = x->attempt};

	r.step = x->step;
	r.value = x->value;
	return sched_apply(g->sched, &r, f);
}

static int load_pruning(struct ledger *g, struct fault *f)
{
	bool any = false;

	for (uint32_t i = 0; i < g->study->nphases; i++) {
		const struct study_phase *p = &g->study->phases[i];

		if (p->prune && store_load_metrics(g->store, p->name, p->metric, load_metric, g, f))
			return -1;
		any = any || p->prune;
	}
	return any ? store_load_rungs(g->store, load_rung, g, f) : 0;
}

int ledger_load(struct ledger *g, struct fault *f)
{
	const struct store_loader loader = {g, load_trial, load_pick, load_unit};

	return store_load(g->store, &loader, f) || store_load_objectives(g->store, load_objective, g, f) ||
	               load_pruning(g, f) || sched_applied(g->sched, f)
	           ? -1
	           : 0;
}

int ledger_was_stopped(struct store *s, bool *was, struct fault *f)
{
	struct store_rows *rows;
	int row;

	if (store_select(s, "SELECT end FROM runs ORDER BY run DESC LIMIT 1", NULL, &rows, f))
		return -1;
	row = store_next(rows, f);
	*was = row == 1 && strcmp(store_text(rows, 0), "stopped") == 0;
	store_rows_close(rows);
	return row < 0 ? -1 : 0;
}

static const char sql_durations[] =
    "SELECT phase, count(s), ifnull(sum(s), 0), ifnull(sum(s * s), 0), max(saved) FROM"
    " (SELECT u.phase, CASE WHEN a.state IN ('done', 'paused') THEN max(a.finished - a.started, 0) END AS s,"
    "  ifnull(a.exit_code = 75, 0) AS saved FROM attempts a JOIN units u USING (unit)) GROUP BY phase";

int ledger_load_durations(struct ledger *g, struct fault *f)
{
	struct store_rows *rows;
	int row;

	if (store_select(g->store, sql_durations, NULL, &rows, f))
		return -1;
	while ((row = store_next(rows, f)) == 1) {
		const struct study_phase *p = study_find_phase(g->study, store_text(rows, 0));
		struct durations d = {.n = (uint64_t)store_int(rows, 1),
		                      .seconds = store_real(rows, 2),
		                      .squares = store_real(rows, 3),
		                      .saves = store_int(rows, 4) != 0};

		if (p)
			sched_know(g->sched, p->index, &d);
	}
	store_rows_close(rows);
	return row < 0 ? -1 : 0;
}

/* ---- judging -------------------------------------------------------------------------------- */

/* The last value of a metric. `seconds` is known also of a program that does not report it. */
static int read_last(struct ledger *g, const struct unit_view *u, const struct msg_finished *m,
                     const char *metric, bool *found, double *value, struct fault *f)
{
	if (store_last_value(g->store, u->unit, metric, found, value, f))
		return -1;
	if (*found || strcmp(metric, "seconds") != 0)
		return 0;
	*found = true;
	if (store_seconds_before(g->store, u->unit, u->fact.attempts, value, f))
		return -1;
	*value += (double)(m->finished_ms - m->started_ms) / 1000;
	return 0;
}

static int judge_several(struct ledger *g, const struct study_phase *p, const struct unit_view *u,
                         const struct msg_finished *m, struct attempt_result *out, struct fault *f)
{
	bool found;

	if (p->metric && !out->has_value) {
		if (read_last(g, u, m, p->metric, &out->has_value, &out->last, f))
			return -1;
		out->best = out->last;
	}
	for (uint32_t i = 0; i < p->nmore; i++) {
		if (read_last(g, u, m, p->more[i].metric, &found, &out->more[i], f))
			return -1;
		out->has_value = out->has_value && found;
	}
	return 0;
}

int ledger_judge(struct ledger *g, uint32_t unit, const struct msg_finished *m, struct attempt_result *out,
                 struct fault *f)
{
	struct unit_view u;
	const struct study_phase *p;

	sched_unit(g->sched, unit, &u);
	p = &g->study->phases[u.phase];
	*out = (struct attempt_result){.reason = m->reason,
	                               .exit_code = m->exit_code,
	                               .signal = m->signal,
	                               .requeue = m->requeue,
	                               .new_step = m->objective.count > 0,
	                               .has_value = m->objective.count > 0,
	                               .last = m->objective.last,
	                               .best = m->objective.best,
	                               .best_step = m->objective.best_step,
	                               .ran_ms = m->finished_ms - m->started_ms};
	if (p->metric && (u.fact.attempts > 1 || m->objective.overwritten) &&
	    store_read_objective(g->store, unit, p->metric, p->goal == GOAL_MAXIMIZE, u.fact.attempts,
	                         &out->has_value, &out->last, &out->best, &out->best_step, &out->new_step, f))
		return -1;
	return p->nmore && m->reason == REASON_NONE ? judge_several(g, p, &u, m, out, f) : 0;
}
