/* Rows out: the study, the objective of a unit, and replay. */
#include "store_private.h"

#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *store_column_text(sqlite3_stmt *st, int i)
{
	const char *s = (const char *)sqlite3_column_text(st, i);

	return s ? s : "";
}

double store_column_real(sqlite3_stmt *st, int i)
{
	int type = sqlite3_column_type(st, i);
	double v;

	if (type == SQLITE_NULL)
		return (double)NAN;
	if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
		return sqlite3_column_double(st, i);
	const char *s = store_column_text(st, i);

	return text_parse_double(s, strlen(s), &v) ? v : (double)NAN;
}

/* ---- phases ---- */

int store_remember_phase(struct store *s, const char *name, int64_t id)
{
	struct store_phase_name *p;
	char *copy;

	if (store_phase_name(s, id))
		return 0;
	p = realloc(s->phases, (s->nphases + 1) * sizeof *p);
	if (!p)
		return -1;
	s->phases = p;
	copy = strdup(name);
	if (!copy)
		return -1;
	s->phases[s->nphases++] = (struct store_phase_name){copy, id};
	return 0;
}

int store_load_phases(struct store *s, struct fault *f)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT phase, name FROM phase ORDER BY phase", -1, &st, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW &&
		    store_remember_phase(s, store_column_text(st, 1), sqlite3_column_int64(st, 0)) != 0)
			rc = SQLITE_NOMEM;
	}
	if (rc != SQLITE_DONE)
		store_fault(s, rc, "read its phases", f);
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int store_phase_id(struct store *s, const char *name, int64_t *id, struct fault *f)
{
	for (size_t i = 0; i < s->nphases; i++)
		if (strcmp(s->phases[i].name, name) == 0) {
			*id = s->phases[i].id;
			return 0;
		}
	return fault_set(f, FAULT_BUG, "%s: phase %s was not recorded", s->path, name);
}

const char *store_phase_name(const struct store *s, int64_t id)
{
	for (size_t i = 0; i < s->nphases; i++)
		if (s->phases[i].id == id)
			return s->phases[i].name;
	return NULL;
}

int store_get_study(struct store *s, struct arena *a, const char **name, const char **text, size_t *n,
                    struct fault *f)
{
	struct query q;
	int row;

	*name = *text = NULL;
	*n = 0;
	if (query_init(&q, s, STORE_SQL_STUDY_GET, f) != 0)
		return -1;
	row = query_row(&q, f);
	if (row == 1) {
		*name = arena_strdup(a, store_column_text(q.st, 0));
		*text = store_column_text(q.st, 1);
		*n = (size_t)sqlite3_column_bytes(q.st, 1);
		*text = arena_strndup(a, *text, *n);
	}
	query_end(&q);
	return row < 0 ? -1 : 0;
}

int store_get_jobs(struct store *s, struct arena *a, const char **jobs, size_t *n, struct fault *f)
{
	struct query q;
	int row;

	*jobs = "";
	*n = 0;
	if (query_init(&q, s, STORE_SQL_JOBS_GET, f) != 0)
		return -1;
	row = query_row(&q, f);
	if (row == 1) {
		*jobs = store_column_text(q.st, 0);
		*n = (size_t)sqlite3_column_bytes(q.st, 0);
		*jobs = arena_strndup(a, *jobs, *n);
	}
	query_end(&q);
	return row < 0 ? -1 : 0;
}

int store_get_meta(struct store *s, struct arena *a, const char *key, const char **value, struct fault *f)
{
	struct query q;
	int row;

	*value = NULL;
	if (query_init(&q, s, STORE_SQL_META_GET, f) != 0)
		return -1;
	query_put_text(&q, key);
	row = query_row(&q, f);
	if (row == 1)
		*value = arena_strdup(a, store_column_text(q.st, 0));
	query_end(&q);
	return row < 0 ? -1 : 0;
}

/* ---- the objective ---- */

struct objective {
	bool found, maximize;
	int64_t last_attempt, last_seq, best_seq, stepless_attempt;
	double last, best, best_step;
};

/* Finite before infinite before NaN, whatever the goal, as for a single attempt (metric.c): minus infinity is
 * a run that diverged, not a small error. */
static bool better(const struct objective *o, double v, int64_t seq)
{
	if (isnan(v) || isnan(o->best))
		return !isnan(v);
	if (isfinite(v) != isfinite(o->best))
		return isfinite(v);
	if (v == o->best)
		return seq < o->best_seq;
	return o->maximize ? v > o->best : v < o->best;
}

static void objective_add(struct objective *o, sqlite3_stmt *st)
{
	int64_t attempt = sqlite3_column_int64(st, 0), seq = sqlite3_column_int64(st, 1);
	double step = store_column_real(st, 2), v = store_column_real(st, 3);
	bool stepless = sqlite3_column_type(st, 2) == SQLITE_NULL;

	if (!o->found || attempt > o->last_attempt || (attempt == o->last_attempt && seq > o->last_seq)) {
		o->last = v;
		o->last_attempt = attempt;
		o->last_seq = seq;
	}
	o->found = true;
	/* They come first, by attempt: a later attempt's reports without a step stand for the earlier ones'.
	 */
	if (stepless && attempt > o->stepless_attempt) {
		o->stepless_attempt = attempt;
		o->best = (double)NAN;
	}
	if (better(o, v, seq)) {
		o->best = v;
		o->best_step = step;
		o->best_seq = seq;
	}
}

static int read_series(struct store *s, uint32_t unit, int64_t name, struct objective *o, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_SERIES, f) != 0)
		return -1;
	query_put_int(&q, unit);
	query_put_int(&q, name);
	while ((row = query_row(&q, f)) == 1)
		objective_add(o, q.st);
	query_end(&q);
	return row;
}

static int read_new_step(struct store *s, uint32_t unit, uint32_t attempt, bool *new_step, struct fault *f)
{
	struct query q;
	int row = query_first(&q, s, STORE_SQL_NEW_STEP, unit, attempt, f);

	if (row < 0)
		return -1;
	*new_step = row == 1;
	query_end(&q);
	return 0;
}

int store_find_name(struct store *s, const char *name, int64_t *id, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_NAME_FIND, f) != 0)
		return -1;
	query_put_text(&q, name);
	row = query_row(&q, f);
	if (row == 1)
		*id = sqlite3_column_int64(q.st, 0);
	query_end(&q);
	return row;
}

int store_read_objective(struct store *s, uint32_t unit, const char *metric, bool maximize, uint32_t attempt,
                         bool *found, double *last, double *best, double *best_step, bool *new_step,
                         struct fault *f)
{
	struct objective o = {.maximize = maximize,
	                      .stepless_attempt = -1,
	                      .last = (double)NAN,
	                      .best = (double)NAN,
	                      .best_step = (double)NAN};
	int64_t name = 0;
	int known = metric ? store_find_name(s, metric, &name, f) : 0;

	if (known < 0 || (known == 1 && read_series(s, unit, name, &o, f) != 0))
		return -1;
	if (new_step && read_new_step(s, unit, attempt, new_step, f) != 0)
		return -1;
	*found = o.found;
	*last = o.last;
	*best = o.best;
	*best_step = isnan(o.best) ? (double)NAN : o.best_step;
	return 0;
}

/* ---- replay ---- */

/* Numbers out of a file are not trusted: a column that does not fit its field is damage. */
struct fields {
	sqlite3_stmt *st;
	bool bad;
};

static uint32_t get_u32(struct fields *r, int i)
{
	int64_t v = sqlite3_column_int64(r->st, i);

	if (v < 0 || v > UINT32_MAX)
		r->bad = true;
	return (uint32_t)v;
}

static int32_t get_i32(struct fields *r, int i)
{
	int64_t v = sqlite3_column_int64(r->st, i);

	if (v < INT32_MIN || v > INT32_MAX)
		r->bad = true;
	return (int32_t)v;
}

/* A cursor over lists of trials (parents, candidates) that walks along with the trials. */
struct walk {
	struct query q;
	bool left;
	uint32_t *list; /* of the trial at hand */
	uint32_t n, cap;
};

struct load {
	struct store *s;
	const struct store_loader *l;
	struct walk parents, candidates;
};

static int add_to_list(struct store *s, struct walk *x, uint32_t nth, uint32_t trial, struct fault *f)
{
	if (nth >= 1u << 20)
		return store_damaged(s, f, "a trial has a parent number %" PRIu32, nth);
	if (nth >= x->cap) {
		uint32_t cap = 2 * (nth + 4);
		uint32_t *p = realloc(x->list, cap * sizeof *p);

		if (!p)
			return store_break(s, SQLITE_NOMEM, "read the trials", f);
		memset(p + x->cap, 0, (cap - x->cap) * sizeof *p);
		x->list = p;
		x->cap = cap;
	}
	x->list[nth] = trial;
	if (nth >= x->n)
		x->n = nth + 1;
	return 0;
}

/* The list of `trial`: rows of the cursor up to it. They come by number, not by position, so each goes to its
 * place. A candidate may have gone: then its place is left out. */
static int read_list(struct store *s, struct walk *x, uint32_t trial, bool gaps, struct fault *f)
{
	uint32_t n = 0;

	if (x->n)
		memset(x->list, 0, x->n * sizeof *x->list);
	x->n = 0;
	while (x->left) {
		struct fields r = {.st = x->q.st};
		uint32_t of = get_u32(&r, 0), parent = get_u32(&r, 1), nth = get_u32(&r, 2);
		int row;

		if (of > trial)
			break;
		if (r.bad || of < trial)
			return store_damaged(s, f, "parents of trial %" PRIu32 ", which is missing", of);
		if (add_to_list(s, x, nth, parent, f) != 0)
			return -1;
		row = query_row(&x->q, f);
		if (row < 0)
			return -1;
		x->left = row == 1;
	}
	for (uint32_t i = 0; i < x->n; i++) {
		if (!x->list[i] && !gaps)
			return store_damaged(s, f, "a parent of trial %" PRIu32 " is missing", trial);
		if (x->list[i])
			x->list[n++] = x->list[i];
	}
	if (n < x->n)
		memset(x->list + n, 0, (x->n - n) * sizeof *x->list);
	x->n = n;
	return 0;
}

static int read_trial(struct load *x, sqlite3_stmt *st, struct fault *f)
{
	struct fields r = {.st = st};
	struct store_trial t = {.trial = get_u32(&r, 0),
	                        .phase = store_phase_name(x->s, sqlite3_column_int64(st, 1)),
	                        .outer = get_i32(&r, 2),
	                        .k = get_u32(&r, 3),
	                        .key_hi = (uint64_t)sqlite3_column_int64(st, 4),
	                        .key_lo = (uint64_t)sqlite3_column_int64(st, 5),
	                        .first_unit = get_u32(&r, 6),
	                        .nunits = get_u32(&r, 7),
	                        .first_fold = get_i32(&r, 8)};

	if (r.bad || !t.phase)
		return store_damaged(x->s, f, "trial %lld", (long long)sqlite3_column_int64(st, 0));
	t.own = sqlite3_column_blob(st, 9);
	t.own_bytes = (size_t)sqlite3_column_bytes(st, 9);
	t.own_json = (const char *)sqlite3_column_text(st, 10);
	t.params_json = (const char *)sqlite3_column_text(st, 11);
	t.gone = get_u32(&r, 12);
	t.best_n = get_u32(&r, 13);
	if (r.bad || t.gone > 2)
		return store_damaged(x->s, f, "trial %" PRIu32, t.trial);
	if (read_list(x->s, &x->parents, t.trial, false, f) != 0 ||
	    read_list(x->s, &x->candidates, t.trial, true, f) != 0)
		return -1;
	t.parents = x->parents.list;
	t.nparents = x->parents.n;
	t.candidates = x->candidates.list;
	t.ncandidates = x->candidates.n;
	return x->l->trial(x->l->ctx, &t, f);
}

static int read_pick(struct load *x, sqlite3_stmt *st, struct fault *f)
{
	struct fields r = {.st = st};
	struct store_pick p = {.phase = store_phase_name(x->s, sqlite3_column_int64(st, 0)),
	                       .child_phase = store_phase_name(x->s, sqlite3_column_int64(st, 1)),
	                       .outer = get_i32(&r, 2),
	                       .trial = get_u32(&r, 3),
	                       .bucket = get_u32(&r, 4),
	                       .rank = get_u32(&r, 5),
	                       .value = store_column_real(st, 6),
	                       .last = sqlite3_column_int(st, 7) != 0,
	                       .for_trial = get_u32(&r, 8)};

	if (r.bad || !p.phase || !p.child_phase)
		return store_damaged(x->s, f, "a pick of trial %lld", (long long)sqlite3_column_int64(st, 3));
	return x->l->pick(x->l->ctx, &p, f);
}

static int read_unit(struct load *x, sqlite3_stmt *st, struct fault *f)
{
	struct fields r = {.st = st};
	struct store_unit u = {.unit = get_u32(&r, 0),
	                       .state = store_column_text(st, 1),
	                       .reason = store_column_text(st, 2),
	                       .cause = get_u32(&r, 3),
	                       .attempts = get_u32(&r, 4),
	                       .failures = get_u32(&r, 5),
	                       .losses = get_u32(&r, 6),
	                       .idle_requeues = get_u32(&r, 7),
	                       .value = store_column_real(st, 8),
	                       .best_step = store_column_real(st, 9),
	                       .resets = get_u32(&r, 10),
	                       .priority = get_i32(&r, 11),
	                       .pending = get_u32(&r, 12),
	                       .rung = get_u32(&r, 13),
	                       .step = store_column_real(st, 14)};

	if (r.bad)
		return store_damaged(x->s, f, "unit %lld", (long long)sqlite3_column_int64(st, 0));
	return x->l->unit(x->l->ctx, &u, f);
}

static int each_row(struct load *x, enum store_statement which,
                    int (*fn)(struct load *, sqlite3_stmt *, struct fault *), struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, x->s, which, f) != 0)
		return -1;
	while ((row = query_row(&q, f)) == 1)
		if (fn(x, q.st, f) != 0) {
			row = -1;
			break;
		}
	query_end(&q);
	return row;
}

static int begin_walk(struct store *s, struct walk *x, enum store_statement which, struct fault *f)
{
	int row;

	if (query_init(&x->q, s, which, f) != 0)
		return -1;
	row = query_row(&x->q, f);
	x->left = row == 1;
	return row < 0 ? -1 : 0;
}

static int load_trials(struct load *x, struct fault *f)
{
	int row = begin_walk(x->s, &x->parents, STORE_SQL_LOAD_PARENTS, f);

	if (row == 0)
		row = begin_walk(x->s, &x->candidates, STORE_SQL_LOAD_CANDIDATES, f);
	if (row == 0)
		row = each_row(x, STORE_SQL_LOAD_TRIALS, read_trial, f);
	query_end(&x->parents.q);
	if (x->candidates.q.st)
		query_end(&x->candidates.q);
	return row;
}

int store_load(struct store *s, const struct store_loader *l, struct fault *f)
{
	struct load x = {.s = s, .l = l};
	/* Other writers are kept out by the lock; a reader needs one snapshot for its four cursors. */
	bool own = !s->broken.code && sqlite3_get_autocommit(s->db) != 0;
	int rc;

	if (own)
		sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	rc = load_trials(&x, f);
	if (rc == 0)
		rc = each_row(&x, STORE_SQL_LOAD_PICKS, read_pick, f);
	if (rc == 0)
		rc = each_row(&x, STORE_SQL_LOAD_UNITS, read_unit, f);
	if (own && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	free(x.parents.list);
	free(x.candidates.list);
	return rc;
}

int store_load_left(struct store *s, int (*each)(void *, const struct store_left *, struct fault *),
                    void *ctx, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_LEFT, f) != 0)
		return -1;
	while ((row = query_row(&q, f)) == 1) {
		struct fields r = {.st = q.st};
		struct store_left x = {.unit = get_u32(&r, 0),
		                       .worker = {.rank = get_u32(&r, 1),
		                                  .host = (const char *)sqlite3_column_text(q.st, 2),
		                                  .pid = get_u32(&r, 3),
		                                  .keeper_pid = get_u32(&r, 4),
		                                  .space = (uint64_t)sqlite3_column_int64(q.st, 5)},
		                       .last_seen_ms = sqlite3_column_int64(q.st, 6),
		                       .patience_ms = sqlite3_column_int64(q.st, 7)};

		if ((r.bad ? store_damaged(s, f, "a worker of unit %" PRIu32, x.unit) : each(ctx, &x, f)) !=
		    0) {
			row = -1;
			break;
		}
	}
	query_end(&q);
	return row;
}

int store_load_rungs(struct store *s, int (*fn)(void *, const struct store_rung *, struct fault *), void *ctx,
                     struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_LOAD_RUNGS, f) != 0)
		return -1;
	while ((row = query_row(&q, f)) == 1) {
		struct fields r = {.st = q.st};
		struct store_rung x = {get_u32(&r, 0), get_u32(&r, 1), store_column_real(q.st, 2)};

		if ((r.bad ? store_damaged(s, f, "a rung of trial %" PRIu32, x.trial) : fn(ctx, &x, f)) !=
		    0) {
			row = -1;
			break;
		}
	}
	query_end(&q);
	return row;
}

int store_load_metrics(struct store *s, const char *phase, const char *metric,
                       int (*fn)(void *, const struct store_metric *, struct fault *), void *ctx,
                       struct fault *f)
{
	int64_t id, name = 0;
	int row = store_find_name(s, metric, &name, f);
	struct query q;

	if (row != 1)
		return row;
	if (store_phase_id(s, phase, &id, f) != 0 || query_init(&q, s, STORE_SQL_LOAD_METRICS, f) != 0)
		return -1;
	query_put_int(&q, id);
	query_put_int(&q, name);
	while ((row = query_row(&q, f)) == 1) {
		struct fields r = {.st = q.st};
		struct store_metric m = {get_u32(&r, 0), get_u32(&r, 1), store_column_real(q.st, 2),
		                         store_column_real(q.st, 3)};

		if ((r.bad ? store_damaged(s, f, "a metric of unit %" PRIu32, m.unit) : fn(ctx, &m, f)) !=
		    0) {
			row = -1;
			break;
		}
	}
	query_end(&q);
	return row;
}
