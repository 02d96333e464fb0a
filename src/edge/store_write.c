/* Rows in. Each call is one or two kept statements with numbers bound; about eight of them make up the life
 * of a unit, which is what the throughput of rank 0 hangs on. */
#include "store_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- study, phases, runs ---- */

int store_put_study(struct store *s, const char *name, const char *text, size_t n, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_STUDY_PUT, f) != 0)
		return -1;
	query_put_text(&q, name);
	query_put_text_n(&q, text, n);
	return query_run(&q, f);
}

int store_put_jobs(struct store *s, const char *name, const char *jobs, size_t n, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_JOBS_PUT, f) != 0)
		return -1;
	query_put_text(&q, name);
	query_put_text_n(&q, jobs, n);
	return query_run(&q, f);
}

int store_put_meta(struct store *s, const char *key, const char *value, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_META_PUT, f) != 0)
		return -1;
	query_put_text(&q, key);
	query_put_text(&q, value);
	return query_run(&q, f);
}

static bool number_is_free(const struct store *s, int64_t id)
{
	return store_phase_name(s, id) == NULL;
}

/* A phase that is known keeps its number; a new one gets the number it asks for, or the next free one. */
static int64_t phase_number(const struct store *s, const char *name, int64_t wanted)
{
	for (size_t i = 0; i < s->nphases; i++)
		if (strcmp(s->phases[i].name, name) == 0)
			return s->phases[i].id;
	while (!number_is_free(s, wanted))
		wanted++;
	return wanted;
}

int store_put_phase(struct store *s, const struct store_phase *p, struct fault *f)
{
	int64_t id = phase_number(s, p->name, p->phase);
	struct query q;

	if (query_init(&q, s, STORE_SQL_PHASE_PUT, f) != 0)
		return -1;
	query_put_int(&q, id);
	query_put_text(&q, p->name);
	query_put_text(&q, p->metric);
	query_put_text(&q, p->goal);
	query_put_text(&q, p->aggregate);
	query_put_text(&q, p->folds);
	query_put_text(&q, p->search);
	query_put_text(&q, p->command);
	if (query_run(&q, f) != 0)
		return -1;
	return store_remember_phase(s, p->name, id) == 0 ? 0
	                                                 : store_break(s, SQLITE_NOMEM, "record a phase", f);
}

int store_begin_run(struct store *s, uint32_t ranks, const char *host, uint32_t pid, int64_t now_ms,
                    uint64_t *run, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_BEGIN, f) != 0)
		return -1;
	query_put_int(&q, now_ms);
	query_put_int(&q, ranks);
	query_put_text(&q, host);
	query_put_int(&q, pid);
	if (query_run(&q, f) != 0)
		return -1;
	*run = (uint64_t)sqlite3_last_insert_rowid(s->db);
	return 0;
}

int store_put_run_job(struct store *s, uint64_t run, const char *job, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_JOB, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_text(&q, job);
	return query_run(&q, f);
}

int store_end_run(struct store *s, uint64_t run, int64_t now_ms, const char *end, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_END, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, now_ms);
	query_put_text(&q, end);
	return query_run(&q, f);
}

int store_touch_run(struct store *s, uint64_t run, int64_t now_ms, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_TOUCH, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, now_ms);
	if (query_run(&q, f) != 0 || query_init(&q, s, STORE_SQL_OWNER_TOUCH, f) != 0)
		return -1;
	query_put_int(&q, now_ms);
	return query_run(&q, f);
}

int store_put_run_patience(struct store *s, uint64_t run, int64_t patience_ms, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_PATIENCE, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, patience_ms);
	return query_run(&q, f);
}

int store_put_worker(struct store *s, uint64_t run, const struct store_worker *w, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_WORKER_PUT, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, w->rank);
	query_put_text(&q, w->host);
	query_put_int(&q, w->pid);
	query_put_int(&q, w->keeper_pid);
	query_put_int(&q, (int64_t)w->space);
	return query_run(&q, f);
}

int store_lose_worker(struct store *s, uint64_t run, uint32_t rank, int64_t now_ms, const char *why,
                      struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUN_LOSES, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	if (query_run(&q, f) != 0 || query_init(&q, s, STORE_SQL_WORKER_LOSE, f) != 0)
		return -1;
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, rank);
	query_put_int(&q, now_ms);
	query_put_text(&q, why);
	return query_run(&q, f);
}

/* ---- trials and units ---- */

static int put_pair(struct store *s, enum store_statement which, uint32_t a, uint32_t b, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, which, f) != 0)
		return -1;
	query_put_int(&q, a);
	query_put_int(&q, b);
	return query_run(&q, f);
}

static int put_one(struct store *s, enum store_statement which, uint32_t a, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, which, f) != 0)
		return -1;
	query_put_int(&q, a);
	return query_run(&q, f);
}

static int put_list(struct store *s, enum store_statement which, uint32_t trial, const uint32_t *list,
                    uint32_t n, struct fault *f)
{
	struct query q;

	for (uint32_t i = 0; i < n; i++) {
		if (query_init(&q, s, which, f) != 0)
			return -1;
		query_put_int(&q, trial);
		query_put_int(&q, list[i]);
		query_put_int(&q, i);
		if (query_run(&q, f) != 0)
			return -1;
	}
	return 0;
}

static int put_parents(struct store *s, const struct store_trial *t, struct fault *f)
{
	if (put_list(s, STORE_SQL_PARENT_PUT, t->trial, t->parents, t->nparents, f) != 0 ||
	    put_list(s, STORE_SQL_CANDIDATE_PUT, t->trial, t->candidates, t->ncandidates, f) != 0)
		return -1;
	for (uint32_t i = 0; i < t->nparents; i++)
		if (put_pair(s, STORE_SQL_ANCESTORS_PUT, t->trial, t->parents[i], f) != 0)
			return -1;
	return 0;
}

static int list_below(struct store *s, uint32_t trial, struct arena *a, uint32_t **out, uint32_t *n,
                      struct fault *f)
{
	struct query q;
	uint32_t cap = 16;
	int row;

	*out = arena_array(a, cap, sizeof **out);
	*n = 0;
	if (query_init(&q, s, STORE_SQL_BELOW, f) != 0)
		return -1;
	query_put_int(&q, trial);
	while ((row = query_row(&q, f)) == 1) {
		if (*n == cap) {
			*out = arena_grow(a, *out, cap * sizeof **out, 2 * cap * sizeof **out);
			cap *= 2;
		}
		(*out)[(*n)++] = (uint32_t)sqlite3_column_int64(q.st, 0);
	}
	query_end(&q);
	return row;
}

int store_put_parents(struct store *s, const struct store_trial *t, struct arena *a, uint32_t **below,
                      uint32_t *nbelow, struct fault *f)
{
	if (put_one(s, STORE_SQL_PARENTS_DROP, t->trial, f) != 0 ||
	    put_one(s, STORE_SQL_CANDIDATES_DROP, t->trial, f) != 0 ||
	    put_one(s, STORE_SQL_UNPICK_JOB, t->nparents ? 0 : t->trial, f) != 0 ||
	    put_pair(s, STORE_SQL_BEST_N_PUT, t->trial, t->best_n, f) != 0 || put_parents(s, t, f) != 0 ||
	    list_below(s, t->trial, a, below, nbelow, f) != 0)
		return -1;
	for (uint32_t i = 0; i < *nbelow; i++)
		if (put_one(s, STORE_SQL_ANCESTORS_DROP, (*below)[i], f) != 0 ||
		    put_one(s, STORE_SQL_ANCESTORS_FIND, (*below)[i], f) != 0)
			return -1;
	return 0;
}

int store_put_params(struct store *s, uint32_t trial, const char *params_json, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_TRIAL_PARAMS_PUT, f) != 0)
		return -1;
	query_put_int(&q, trial);
	query_put_text(&q, params_json);
	return query_run(&q, f);
}

int store_put_gone(struct store *s, uint32_t trial, uint32_t gone, struct fault *f)
{
	if (put_pair(s, STORE_SQL_GONE_PUT, trial, gone, f) != 0 ||
	    put_one(s, STORE_SQL_GONE_UNITS, trial, f) != 0 ||
	    put_one(s, STORE_SQL_GONE_LINEAGE, trial, f) != 0 ||
	    put_one(s, STORE_SQL_GONE_CANDIDATES, trial, f) != 0 ||
	    put_one(s, STORE_SQL_GONE_RUNGS, trial, f) != 0)
		return -1;
	return put_one(s, STORE_SQL_GONE_PICKS, trial, f);
}

int store_archive_unit(struct store *s, uint32_t unit, struct fault *f)
{
	return put_one(s, STORE_SQL_ARCHIVE, unit, f) || put_one(s, STORE_SQL_RUNGS_DROP, unit, f) ? -1 : 0;
}

int store_put_rung(struct store *s, uint32_t trial, uint32_t rung, double value, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_RUNG_PUT, f) != 0)
		return -1;
	query_put_int(&q, trial);
	query_put_int(&q, rung);
	query_put_real(&q, value);
	return query_run(&q, f);
}

static int put_units(struct store *s, const struct store_trial *t, struct fault *f)
{
	struct query q;

	for (uint32_t i = 0; i < t->nunits; i++) {
		if (query_init(&q, s, STORE_SQL_UNIT_NEW, f) != 0)
			return -1;
		query_put_int(&q, (int64_t)t->first_unit + i);
		query_put_int(&q, t->trial);
		query_put_int(&q, t->first_fold < 0 ? -1 : (int64_t)t->first_fold + i);
		query_put_text(&q, t->nparents || t->ncandidates || t->best_n ? "waiting" : "ready");
		if (query_run(&q, f) != 0)
			return -1;
	}
	return 0;
}

static int put_trial_row(struct store *s, const struct store_trial *t, struct fault *f)
{
	struct query q;
	int64_t phase;

	if (store_phase_id(s, t->phase, &phase, f) != 0 || query_init(&q, s, STORE_SQL_TRIAL_PUT, f) != 0)
		return -1;
	query_put_int(&q, t->trial);
	query_put_int(&q, phase);
	query_put_int(&q, t->outer);
	query_put_int(&q, t->k);
	query_put_int(&q, (int64_t)t->key_hi);
	query_put_int(&q, (int64_t)t->key_lo);
	query_put_int(&q, t->first_unit);
	query_put_int(&q, t->nunits);
	query_put_int(&q, t->first_fold);
	query_put_int(&q, t->best_n);
	return query_run(&q, f);
}

static int put_trial_text(struct store *s, const struct store_trial *t, struct fault *f)
{
	bool same = t->own_json && t->params_json && strcmp(t->own_json, t->params_json) == 0;
	struct query q;

	if (query_init(&q, s, STORE_SQL_TRIAL_TEXT_PUT, f) != 0)
		return -1;
	query_put_int(&q, t->trial);
	query_put_blob(&q, t->own, t->own_bytes);
	query_put_text(&q, t->own_json);
	query_put_text(&q, same ? NULL : t->params_json);
	return query_run(&q, f);
}

int store_put_trial(struct store *s, const struct store_trial *t, struct fault *f)
{
	if (put_trial_row(s, t, f) != 0 || put_trial_text(s, t, f) != 0 || put_parents(s, t, f) != 0)
		return -1;
	return put_units(s, t, f);
}

/* An update of a row that must be there. */
static int update(struct query *q, const char *kind, uint32_t number, struct fault *f)
{
	if (query_run(q, f) != 0)
		return -1;
	if (sqlite3_changes(q->s->db) == 0)
		return store_damaged(q->s, f, "%s %" PRIu32 " is missing", kind, number);
	return 0;
}

int store_put_unit(struct store *s, const struct store_unit *u, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_UNIT_PUT, f) != 0)
		return -1;
	query_put_int(&q, u->unit);
	query_put_text(&q, u->state);
	query_put_word(&q, u->reason);
	query_put_int(&q, u->cause);
	query_put_int(&q, u->attempts);
	query_put_int(&q, u->failures);
	query_put_int(&q, u->losses);
	query_put_int(&q, u->idle_requeues);
	query_put_real_or_null(&q, u->value);
	query_put_real_or_null(&q, u->best_step);
	query_put_int(&q, u->resets);
	query_put_int(&q, u->priority);
	query_put_int(&q, u->pending);
	query_put_int(&q, u->rung);
	query_put_real_or_null(&q, u->step);
	return update(&q, "unit", u->unit, f);
}

int store_put_trial_value(struct store *s, uint32_t trial, const char *state, double value, double sd,
                          uint32_t folds_done, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_TRIAL_VALUE_PUT, f) != 0)
		return -1;
	query_put_int(&q, trial);
	query_put_text(&q, state);
	query_put_real_or_null(&q, value);
	query_put_real_or_null(&q, sd);
	query_put_int(&q, folds_done);
	return update(&q, "trial", trial, f);
}

/* ---- attempts ---- */

static int64_t text_id(uint32_t unit, uint32_t attempt)
{
	return (int64_t)unit << STORE_ATTEMPT_BITS | attempt;
}

int store_begin_attempt(struct store *s, const struct store_attempt_begin *b, struct fault *f)
{
	struct query q;

	if (b->attempt >> STORE_ATTEMPT_BITS)
		return fault_set(f, FAULT_BUG, "attempt %" PRIu32 " of unit %" PRIu32 ": too many",
		                 b->attempt, b->unit);
	if (query_init(&q, s, STORE_SQL_ATTEMPT_BEGIN, f) != 0)
		return -1;
	query_put_int(&q, b->unit);
	query_put_int(&q, b->attempt);
	query_put_int(&q, (int64_t)b->run);
	query_put_int(&q, b->rank);
	query_put_int(&q, b->now_ms);
	if (query_run(&q, f) != 0 || query_init(&q, s, STORE_SQL_ATTEMPT_TEXT, f) != 0)
		return -1;
	query_put_int(&q, text_id(b->unit, b->attempt));
	query_put_text(&q, b->command);
	return query_run(&q, f);
}

int store_start_attempt(struct store *s, uint32_t unit, uint32_t attempt, uint32_t pid, int64_t at_ms,
                        struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_ATTEMPT_START, f) != 0)
		return -1;
	query_put_int(&q, unit);
	query_put_int(&q, attempt);
	query_put_int(&q, pid);
	query_put_int(&q, at_ms);
	return update(&q, "the attempt of unit", unit, f);
}

int store_drop_attempt(struct store *s, uint32_t unit, uint32_t attempt, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_ATTEMPT_DROP, f) != 0)
		return -1;
	query_put_int(&q, unit);
	query_put_int(&q, attempt);
	if (query_run(&q, f) != 0 || query_init(&q, s, STORE_SQL_ATTEMPT_TEXT_DROP, f) != 0)
		return -1;
	query_put_int(&q, text_id(unit, attempt));
	return query_run(&q, f);
}

int store_drop_unstarted(struct store *s, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_UNSTARTED_HEARD, f) != 0 || query_run(&q, f) != 0 ||
	    query_init(&q, s, STORE_SQL_UNSTARTED_UNITS, f) != 0 || query_run(&q, f) != 0 ||
	    query_init(&q, s, STORE_SQL_UNSTARTED_TEXTS, f) != 0 || query_run(&q, f) != 0 ||
	    query_init(&q, s, STORE_SQL_UNSTARTED_ATTEMPTS, f) != 0)
		return -1;
	return query_run(&q, f);
}

static void put_int_unless(struct query *q, int64_t v, int64_t none)
{
	if (v == none)
		query_put_null(q);
	else
		query_put_int(q, v);
}

static int put_tail(struct store *s, const struct store_attempt_end *e, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_ATTEMPT_TAIL, f) != 0)
		return -1;
	query_put_int(&q, text_id(e->unit, e->attempt));
	query_put_blob(&q, e->tail, e->tail_bytes);
	return query_run(&q, f);
}

int store_end_attempt(struct store *s, const struct store_attempt_end *e, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_ATTEMPT_END, f) != 0)
		return -1;
	query_put_int(&q, e->unit);
	query_put_int(&q, e->attempt);
	query_put_text(&q, e->state);
	query_put_word(&q, e->reason);
	put_int_unless(&q, e->exit_code, -1);
	put_int_unless(&q, e->signal, 0);
	put_int_unless(&q, e->started_ms, 0);
	put_int_unless(&q, e->finished_ms, 0);
	query_put_real_or_null(&q, e->user_seconds);
	query_put_real_or_null(&q, e->system_seconds);
	query_put_int(&q, (int64_t)e->max_rss_kb);
	put_int_unless(&q, e->pid, 0);
	if (update(&q, "the attempt of unit", e->unit, f) != 0)
		return -1;
	return e->tail_bytes ? put_tail(s, e, f) : 0;
}

/* ---- metrics and output ---- */

/* The next position in the order of arrival. The counter is stored with the commit; a call outside a
 * transaction is one of its own and stores it ahead. */
static int next_seq(struct store *s, int64_t *seq, struct fault *f)
{
	struct query q;

	*seq = s->seq++;
	if (s->in_transaction)
		return 0;
	if (query_init(&q, s, STORE_SQL_SEQ, f) != 0)
		return -1;
	query_put_int(&q, s->seq);
	s->stored_seq = s->seq;
	return query_run(&q, f);
}

void store_set_time(struct store *s, int64_t now_ms)
{
	s->now_ms = now_ms;
}

static struct store_name *name_slot(struct store *s, const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return &s->names[(h ^ h >> 16) % STORE_NAME_SLOTS];
}

static int add_name(struct store *s, const char *name, int64_t *id, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_NAME_PUT, f) != 0)
		return -1;
	query_put_text(&q, name);
	if (query_run(&q, f) != 0)
		return -1;
	*id = sqlite3_last_insert_rowid(s->db);
	return 0;
}

static int intern_name(struct store *s, const char *name, int64_t *id, struct fault *f)
{
	struct store_name *slot = name_slot(s, name);
	int found;

	if (slot->name[0] && strcmp(slot->name, name) == 0) {
		*id = slot->id;
		return 0;
	}
	found = store_find_name(s, name, id, f);
	if (found < 0 || (found == 0 && add_name(s, name, id, f) != 0))
		return -1;
	if (strlen(name) <= STORE_NAME_CACHED) {
		strcpy(slot->name, name);
		slot->id = *id;
	}
	return 0;
}

int store_put_metric(struct store *s, uint32_t unit, uint32_t attempt, const char *name, bool has_step,
                     double step, double value, struct fault *f)
{
	int64_t id = 0, seq;
	struct query q;

	if (intern_name(s, name, &id, f) != 0 || next_seq(s, &seq, f) != 0 ||
	    query_init(&q, s, STORE_SQL_METRIC_PUT, f) != 0)
		return -1;
	query_put_int(&q, unit);
	query_put_int(&q, id);
	query_put_int(&q, attempt);
	query_put_int(&q, seq);
	if (has_step)
		query_put_real(&q, step);
	else
		query_put_null(&q);
	query_put_real(&q, value);
	put_int_unless(&q, s->now_ms, 0);
	return query_run(&q, f);
}

int store_put_output(struct store *s, uint32_t unit, uint32_t attempt, uint64_t run, uint32_t rank,
                     unsigned stream, uint64_t offset, uint32_t bytes, uint64_t skipped_bytes,
                     struct fault *f)
{
	struct query q;
	int64_t seq;

	if (next_seq(s, &seq, f) != 0 || query_init(&q, s, STORE_SQL_OUTPUT_PUT, f) != 0)
		return -1;
	query_put_int(&q, unit);
	query_put_int(&q, attempt);
	query_put_int(&q, seq);
	query_put_int(&q, (int64_t)run);
	query_put_int(&q, rank);
	query_put_int(&q, stream);
	query_put_int(&q, (int64_t)offset);
	query_put_int(&q, bytes);
	query_put_int(&q, (int64_t)skipped_bytes);
	put_int_unless(&q, s->now_ms, 0);
	return query_run(&q, f);
}

/* ---- decisions ---- */

int store_put_pick(struct store *s, const struct store_pick *p, struct fault *f)
{
	int64_t phase, child;
	struct query q;

	if (store_phase_id(s, p->phase, &phase, f) != 0 ||
	    store_phase_id(s, p->child_phase, &child, f) != 0 ||
	    query_init(&q, s, STORE_SQL_PICK_PUT, f) != 0)
		return -1;
	query_put_int(&q, phase);
	query_put_int(&q, child);
	query_put_int(&q, p->outer);
	query_put_int(&q, p->trial);
	query_put_int(&q, p->bucket);
	query_put_int(&q, p->rank);
	query_put_real_or_null(&q, p->value);
	query_put_int(&q, p->last);
	if (p->for_trial)
		query_put_int(&q, p->for_trial);
	else
		query_put_null(&q);
	return query_run(&q, f);
}

int store_drop_pick(struct store *s, const char *phase, int32_t outer, const char *child_phase,
                    struct fault *f)
{
	int64_t id, child;
	struct query q;

	if (store_phase_id(s, phase, &id, f) != 0 || store_phase_id(s, child_phase, &child, f) != 0 ||
	    query_init(&q, s, STORE_SQL_UNPICK, f) != 0)
		return -1;
	query_put_int(&q, id);
	query_put_int(&q, outer);
	query_put_int(&q, child);
	return query_run(&q, f);
}

int store_put_audit(struct store *s, int64_t now_ms, const char *who, const char *command, int64_t units,
                    const char *request, struct fault *f)
{
	struct query q;

	if (query_init(&q, s, STORE_SQL_AUDIT_PUT, f) != 0)
		return -1;
	query_put_int(&q, now_ms);
	query_put_text(&q, who);
	query_put_text(&q, command);
	query_put_int(&q, units);
	query_put_text(&q, request);
	return query_run(&q, f);
}

int store_find_audit(struct store *s, const char *request, bool *found, struct fault *f)
{
	struct query q;
	int row;

	if (query_init(&q, s, STORE_SQL_AUDIT_FIND, f) != 0)
		return -1;
	query_put_text(&q, request);
	row = query_row(&q, f);
	*found = row == 1;
	query_end(&q);
	return row < 0 ? -1 : 0;
}

/* A trial has begun when a unit of it has an attempt or has left the states of before. What comes after an
 * unbegun trial has not begun either. */
static const char forget_sql[] =
    "CREATE TEMP TABLE forgotten AS WITH unbegun(trial) AS (SELECT trial FROM trial t WHERE phase = %lld AND"
    " NOT EXISTS (SELECT 1 FROM unit u WHERE u.trial = t.trial AND (u.attempts > 0 OR u.state IN"
    " ('running', 'done', 'failed', 'paused', 'pruned') OR EXISTS (SELECT 1 FROM attempt a WHERE"
    " a.unit = u.unit))))"
    " SELECT trial FROM unbegun UNION SELECT l.trial FROM lineage l JOIN unbegun b ON b.trial = l.ancestor;"
    "DELETE FROM unit WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM lineage WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM candidate WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM trial_text WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM pick WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM rung WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM trial_objective WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DELETE FROM trial WHERE trial IN (SELECT trial FROM temp.forgotten);"
    "DROP TABLE temp.forgotten;";

int store_forget_unbegun(struct store *s, const char *phase, uint32_t *trials, struct fault *f)
{
	int64_t id;
	char *sql;
	int rc;

	if (!s->in_transaction && !s->broken.code)
		return fault_set(f, FAULT_BUG, "%s: trials are forgotten in a transaction only", s->path);
	if (store_check(s, f) != 0 || store_phase_id(s, phase, &id, f) != 0)
		return -1;
	sql = sqlite3_mprintf(forget_sql, (long long)id);
	rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (rc != SQLITE_OK)
		return store_break(s, rc, "forget trials", f);
	/* DROP does not count, so this is what the last DELETE, that of the trials, removed. */
	*trials = (uint32_t)sqlite3_changes(s->db);
	return 0;
}
