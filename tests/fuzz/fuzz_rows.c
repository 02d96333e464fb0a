/* Bytes as the rows of a database, which anybody may have written to: trials with parents and values, states
 * of units, picks, metrics, rungs, objectives. A run that goes on from them takes them or says what is wrong,
 * and does not crash: not when it reads them, and not in what it does next. */
#include "fuzz.h"

#include "bytes.h"
#include "sched.h"
#include "study.h"

#include <math.h>
#include <string.h>

static const char text[] = "study: rows\n"
                           "metric: err\n"
                           "goal: minimize\n"
                           "folds: 2\n"
                           "phases:\n"
                           "  pre:\n"
                           "    command: \"true\"\n"
                           "    params: {h: [1, 2]}\n"
                           "    metric: best(train)\n"
                           "    trials: 2\n"
                           "  train:\n"
                           "    after: pre\n"
                           "    command: \"true {budget}\"\n"
                           "    params: {x: \"uniform(0, 1)\", o: [a, b], m: \"int(0, 9) if o == a\"}\n"
                           "    search: random\n"
                           "    trials: 4\n"
                           "    prune: {asha: {max: 9, eta: 3}, median: {}}\n"
                           "  top:\n"
                           "    after: {train: best 2 per o}\n"
                           "    command: \"true\"\n"
                           "    params: {z: [1, 2, 3]}\n"
                           "    trials: 3 total\n"
                           "    metrics: {err: minimize, size: minimize}\n"
                           "  one:\n"
                           "    after: {train: best 2 as one}\n"
                           "    folds: none\n"
                           "    command: \"true\"\n";

enum { ROWS_MAX = 300, LIST_MAX = 8 };

static const struct study *make_study(struct arena *a)
{
	static const char *const params[] = {"q"}, *const after[] = {"train"};
	const struct study_jobs add = {.phase = "jobs",
	                               .command = "true",
	                               .params = params,
	                               .nparams = 1,
	                               .after = after,
	                               .nafter = 1,
	                               .metric = "v",
	                               .goal = "maximize"};
	struct study_source src = {.path = "rows", .text = text, .text_bytes = sizeof text - 1};
	const struct study *s = NULL;
	struct study_errors e;
	struct fault f;
	uint32_t command;

	must(!study_read(a, &src, &s, &e));
	must(!study_add_jobs(a, s, &add, &src.jobs, &src.jobs_bytes, &command, &f));
	must(!study_read(a, &src, &s, &e));
	return s;
}

/* Mostly small, sometimes anything. */
static uint32_t number(struct reader *r)
{
	uint8_t x = reader_u8(r);

	return x < 250 ? x : x < 253 ? (uint32_t)0 - (253u - x) : reader_u32(r);
}

static double real(struct reader *r)
{
	static const double odd[] = {0, 1, -1, NAN, INFINITY, -INFINITY, 1e308, 1e-308, 0.5, 3, 9, 27};
	uint8_t x = reader_u8(r);

	return x < sizeof odd / sizeof *odd ? odd[x] : (double)x / 16;
}

static const uint32_t *list(struct arena *a, struct reader *r, uint32_t *n)
{
	uint32_t *p = arena_array(a, LIST_MAX, sizeof *p);

	*n = reader_u8(r) % LIST_MAX;
	for (uint32_t i = 0; i < *n; i++)
		p[i] = number(r);
	return p;
}

/* What is no value of its domain is found before, where rows are decoded. */
static const struct value *values(struct arena *a, struct reader *r, const struct study *s, uint32_t phase)
{
	static const char *const texts[] = {"0.25", "0.5", "1", "2", "3", "a", "b"};
	const struct space *space = phase < s->nphases ? &s->phases[phase].space : NULL;
	struct value *v = space ? arena_array(a, space->nparams + 1, sizeof *v) : NULL;

	for (uint32_t i = 0; space && i < space->nparams; i++)
		value_parse(a, &space->params[i], texts[reader_u8(r) % 7], &v[i]);
	return v;
}

static void read_fact(struct reader *r, struct unit_fact *f)
{
	*f = (struct unit_fact){.state = (enum unit_state)number(r),
	                        .reason = (enum reason)number(r),
	                        .cause = number(r),
	                        .attempts = number(r),
	                        .failures = number(r),
	                        .losses = number(r),
	                        .resets = number(r),
	                        .priority = (int32_t)number(r),
	                        .pending = (enum pending)number(r),
	                        .value = real(r),
	                        .best_step = real(r),
	                        .rung = number(r),
	                        .step = real(r)};
}

static void read_row(struct arena *a, struct reader *r, const struct study *s, struct record *out)
{
	static const enum record_kind kinds[] = {RECORD_TRIAL,  RECORD_UNIT, RECORD_PICK,
	                                         RECORD_METRIC, RECORD_RUNG, RECORD_OBJECTIVE};

	*out = (struct record){.kind = kinds[reader_u8(r) % 6]};
	out->trial = number(r);
	out->unit = number(r);
	out->phase = number(r);
	out->outer = (int32_t)number(r);
	out->value = real(r);
	if (out->kind == RECORD_TRIAL) {
		out->k = number(r);
		out->first_unit = number(r);
		out->key = (struct key128){reader_u8(r), reader_u8(r)};
		out->parents = list(a, r, &out->nparents);
		out->candidates = list(a, r, &out->ncandidates);
		out->best_n = number(r);
		out->gone = (enum gone)(reader_u8(r) % 3);
		out->values = values(a, r, s, out->phase);
	}
	if (out->kind == RECORD_UNIT)
		read_fact(r, &out->fact);
	if (out->kind == RECORD_PICK) {
		out->child_phase = number(r);
		out->bucket = number(r);
		out->rank = number(r);
		out->for_trial = number(r);
		out->last = reader_u8(r) % 2;
	}
	out->attempt = number(r);
	out->step = real(r);
	out->rung = number(r);
	out->number = number(r);
}

static void go_on(struct sched *s, struct actions *acts)
{
	const struct event up = {.kind = EVENT_WORKER_UP, .worker = 1, .cpus = 4, .now_ms = 1};
	const struct event later = {.kind = EVENT_TICK, .now_ms = 1000000};

	sched_resume(s, 0, acts);
	sched_step(s, &up, acts);
	sched_step(s, &later, acts);
	for (uint32_t t = 1; t <= sched_trial_count(s); t++)
		if (sched_trial_exists(s, t)) {
			double value, step;

			sched_trial_end(s, t, &value, &step);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct sched_options o = {.prefetch_per_slot = 1};
	struct arena a = {0}, scratch = {0};
	struct actions acts = {.scratch = &scratch};
	static struct arena kept;
	static const struct study *study;
	struct sched *s;
	struct fault f = {0};
	struct reader r;
	struct record row;
	bool bad = false;

	if (!study)
		study = make_study(&kept);
	s = sched_new(&a, study, &o);
	reader_init(&r, data, n);
	for (int i = 0; i < ROWS_MAX && !bad && r.p < r.end; i++) {
		read_row(&a, &r, study, &row);
		bad = sched_apply(s, &row, &f);
		must(!bad || f.code == FAULT_IO);
	}
	if (!bad && !sched_applied(s, &f))
		go_on(s, &acts);
	arena_finish(&scratch);
	arena_finish(&a);
	return 0;
}
