/* bench_pipeline: what phases, shared parents and pruning save.
 *
 *   bench_pipeline --task A [--variants X,Y | --phase "KEY: VALUE.."] [--seeds 0..29] [--workers 1]
 *           [--seconds B] [--until V] [--dir DIR]
 *       runs studies of a table, and prints a line of JSON for each: after how many core-seconds which value
 *       was the best of the complete trials, until it is V or B core-seconds are spent.
 *       --phase: a study of one phase with these keys, which the table below need not have.
 *   bench_pipeline --study --task A --variants X
 *       prints such a study file.
 *
 * The scheduler, the pruner and the searches are the real ones, in this process and on virtual time; the
 * trainers are the table: an attempt takes as long as its fold and its phase took, reports its metric after
 * each step where the phase prunes, stops at its budget and goes on from there. Core-seconds are what the
 * attempts ran, those that were stopped too. */
#include "propose.h"
#include "task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A second of the table lasts so many milliseconds: a run of 20 ms stands for one of 20 s. */
static const double ms_per_second = 1e6;
enum { WORKERS_MAX = 64, HELD_MAX = 64 };

/* ---- studies ----------------------------------------------------------------------------------------- */
struct variant {
	const char *task, *name;
	uint32_t split;      /* so many of the task's parameters belong to a first phase; 0: one phase */
	const char *first;   /* keys of the first of two phases */
	const char *options; /* of the phase that has the metric */
};

#define MLP    "mlp_bcancer"
#define DBN    "dbn_digits"
#define JUDGED "metric: best(train)\n    "
static const struct variant variants[] = {
    {MLP, "plain", 0, "", "trials: 2000"},
    {MLP, "random", 0, "", "trials: 2000\n    search: random"},
    {MLP, "cmaes", 0, "", "trials: 2000\n    search: cmaes"},
    {MLP, "cmaes_race", 0, "", "trials: 2000\n    search: cmaes\n    prune: {race: {best: 0}}"},
    {MLP, "cmaes_asha_race", 0, "",
     "trials: 2000\n    search: cmaes\n    prune: {asha: {min: 5, max: 20, eta: 2}, race: {best: 0}}"},
    {MLP, "median", 0, "", "trials: 2000\n    prune: {median: {}}"},
    {MLP, "asha", 0, "", "trials: 2000\n    prune: {asha: {max: 20, eta: 3}}"},
    {MLP, "asha_stop", 0, "", "trials: 2000\n    prune: {asha: {max: 20, eta: 3, type: stop}}"},
    {MLP, "asha_random", 0, "", "trials: 2000\n    search: random\n    prune: {asha: {max: 20, eta: 3}}"},
    {MLP, "asha_tpe", 0, "", "trials: 2000\n    search: tpe\n    prune: {asha: {max: 20, eta: 3}}"},
    {MLP, "asha_min3", 0, "", "trials: 2000\n    prune: {asha: {min: 3, max: 20, eta: 3}}"},
    {MLP, "asha_min3_tpe", 0, "",
     "trials: 2000\n    search: tpe\n    prune: {asha: {min: 3, max: 20, eta: 3}}"},
    {MLP, "asha_min3_random", 0, "",
     "trials: 2000\n    search: random\n    prune: {asha: {min: 3, max: 20, eta: 3}}"},
    {MLP, "hyperband", 0, "", "trials: 2000\n    prune: {hyperband: {max: 20, eta: 3}}"},
    {MLP, "race", 0, "", "trials: 2000\n    prune: {race: {}}"},
    {MLP, "asha_race", 0, "", "trials: 2000\n    prune: {asha: {max: 20, eta: 3}, race: {}}"},
    {DBN, "plain", 0, "", "trials: 2000"},
    {DBN, "random", 0, "", "trials: 2000\n    search: random"},
    {DBN, "race", 0, "", "trials: 2000\n    prune: {race: {}}"},
    {DBN, "each5", 3, JUDGED "trials: 400", "trials: 5"},
    {DBN, "each10", 3, JUDGED "trials: 200", "trials: 10"},
    {DBN, "each20", 3, JUDGED "trials: 100", "trials: 20"},
    {DBN, "total10", 3, JUDGED "trials: 10", "trials: 2000 total"},
    {DBN, "total20", 3, JUDGED "trials: 20", "trials: 2000 total"},
    {DBN, "total40", 3, JUDGED "trials: 40", "trials: 2000 total"},
    {DBN, "sobol40", 3, "metric: none\n    search: sobol\n    trials: 40", "trials: 2000 total"},
    {DBN, "sobol40_race", 3, "metric: none\n    search: sobol\n    trials: 40",
     "trials: 2000 total\n    prune: {race: {}}"},
};

static const char *study_text(const struct variant *v, const struct task *t, struct arena *a, uint64_t seed)
{
	const char *text = arena_printf(a, "%sfolds: %u\nphases:\n", task_study_head(t, a, seed), t->folds);

	if (v->split)
		text = arena_printf(a, "%s  pretrain:\n    command: \"true {args}\"\n    %s\n%s", text,
		                    v->first, task_study_params(t, a, 0, v->split));
	return arena_printf(a, "%s  train:\n%s    command: \"true {args} {budget|0}\"\n    %s\n%s", text,
	                    v->split ? "    after: pretrain\n" : "", v->options,
	                    task_study_params(t, a, v->split, t->nparams));
}

/* ---- a cluster ---------------------------------------------------------------------------------------- */
struct job {
	uint32_t unit, lease;
	bool running;
	int64_t begun_ms, end_ms;
	uint32_t from, to, said; /* steps: where it began, will end, and has reported */
	double curve[TASK_LEVELS];
};

struct worker {
	struct job jobs[HELD_MAX]; /* the first runs */
	uint32_t njobs;
};

struct cluster {
	struct arena arena, scratch;
	const struct variant *variant;
	const struct task *task;
	const struct study *study;
	struct sched *sched;
	struct proposer proposer;
	struct worker workers[WORKERS_MAX];
	uint32_t nworkers;
	int64_t now_ms, spent_ms;        /* spent: by attempts that have ended */
	uint32_t *steps_done, steps_cap; /* of each unit */
	struct action *inbox;            /* what the workers have been told and have not looked at */
	uint32_t ninbox, inbox_cap, inbox_head;
	bool finished;
	double best, until;
	uint32_t points, complete; /* of the last phase: values that were the best, trials on all folds */
};

static void *grown(void *p, uint32_t *cap, uint32_t need, size_t size)
{
	uint32_t was = *cap;

	if (need <= was)
		return p;
	*cap = 2 * need + 64;
	p = realloc(p, *cap * size);
	if (!p)
		exit(1);
	memset((char *)p + was * size, 0, (*cap - was) * size);
	return p;
}

static int64_t spent_ms(const struct cluster *c)
{
	int64_t ms = c->spent_ms;

	for (uint32_t w = 0; w < c->nworkers; w++)
		if (c->workers[w].njobs && c->workers[w].jobs[0].running)
			ms += c->now_ms - c->workers[w].jobs[0].begun_ms;
	return ms;
}

static bool is_better(const struct cluster *c, double a, double b)
{
	return c->task->maximize ? a > b : a < b;
}

static void note_complete(struct cluster *c, uint32_t unit)
{
	struct unit_view u;
	double value, step;

	sched_unit(c->sched, unit, &u);
	if (u.phase + 1 != c->study->nphases)
		return;
	if (sched_trial_end(c->sched, u.trial, &value, &step) != TRIAL_COMPLETE)
		return;
	c->complete++;
	if (c->points && !is_better(c, value, c->best))
		return;
	c->best = value;
	c->finished |= !is_better(c, c->until, value);
	printf("%s[%.6g, %.9g]", c->points++ ? ", " : "", (double)spent_ms(c) / ms_per_second, value);
}

static void step(struct cluster *c, struct event *e)
{
	struct actions acts = {.scratch = &c->scratch};

	e->now_ms = c->now_ms;
	sched_step(c->sched, e, &acts);
	for (uint32_t i = 0; i < acts.count; i++) {
		const struct action *a = &acts.items[i];

		if (a->kind == ACTION_RECORD) {
			proposer_note(&c->proposer, &a->record);
		} else if (a->kind == ACTION_WANT) {
			proposer_want(&c->proposer, a->group, a->n);
		} else if (a->kind == ACTION_FINISH) {
			c->finished = true;
		} else {
			c->inbox = grown(c->inbox, &c->inbox_cap, c->ninbox + 1, sizeof *c->inbox);
			c->inbox[c->ninbox++] = *a;
		}
	}
}

/* ---- trainers ---------------------------------------------------------------------------------------- */
static void read_point(const struct cluster *c, const struct scope *scope, double *point)
{
	for (uint32_t i = 0; i < c->task->nparams; i++)
		point[i] = (double)NAN;
	for (uint32_t p = 0; p < scope->nphases; p++) {
		const struct study_phase *ph = &c->study->phases[p];

		for (uint32_t k = 0; scope->by_phase[p] && k < ph->space.nparams; k++) {
			const struct param *q = &ph->space.params[k];
			const struct value *v = &scope->by_phase[p][k];
			uint32_t i = (uint32_t)atoi(q->name + 1);

			point[i] = task_number(&c->task->params[i], q, v);
		}
	}
}

/* Seconds of the whole fold, in the phases that this one stands for. */
static double fold_seconds(const struct cluster *c, const double *point, uint32_t fold, uint32_t phase)
{
	double seconds = 0;

	for (uint32_t p = 0; p < c->task->nphases; p++)
		if (!c->variant->split || p == phase)
			seconds += task_fold_seconds(c->task, point, fold, p);
	return seconds;
}

static void begin(struct cluster *c, uint32_t worker)
{
	struct job *j = &c->workers[worker].jobs[0];
	struct event e = {.kind = EVENT_STARTED, .worker = worker, .unit = j->unit, .lease = j->lease};
	struct command_context x;
	struct unit_view u;
	struct scope scope;
	double point[TASK_PARAMS], seconds;

	sched_unit(c->sched, j->unit, &u);
	sched_trial_scope(c->sched, u.trial, &c->scratch, &scope);
	sched_command_context(c->sched, j->unit, u.fact.attempts, "/", &c->scratch, &x);
	read_point(c, &scope, point);
	if (u.phase + 1 == c->study->nphases)
		task_fold_curve(c->task, point, (uint32_t)u.fold, j->curve);
	seconds = fold_seconds(c, point, (uint32_t)u.fold, u.phase);
	c->steps_done = grown(c->steps_done, &c->steps_cap, j->unit + 1, sizeof *c->steps_done);
	j->from = j->said = c->steps_done[j->unit];
	j->to = x.budget && x.budget < c->task->steps ? (uint32_t)x.budget : c->task->steps;
	j->running = true;
	j->begun_ms = c->now_ms;
	j->end_ms = c->now_ms + (int64_t)(seconds * ms_per_second * (j->to - j->from) / c->task->steps);
	step(c, &e);
}

static void drop(struct cluster *c, uint32_t worker, struct job *j)
{
	struct worker *w = &c->workers[worker];

	if (j->running)
		c->spent_ms += c->now_ms - j->begun_ms;
	w->njobs--;
	memmove(j, j + 1, (size_t)(w->jobs + w->njobs - j) * sizeof *j);
}

static struct attempt_result result_of(const struct cluster *c, const struct job *j)
{
	struct attempt_result r = {.has_value = true, .new_step = true, .best_step = 1, .best = j->curve[0]};

	for (uint32_t k = 1; k < j->to; k++)
		if (is_better(c, j->curve[k], r.best)) {
			r.best = j->curve[k];
			r.best_step = k + 1;
		}
	r.last = j->curve[j->to - 1];
	return r;
}

static void start_next(struct cluster *c, uint32_t worker)
{
	if (c->workers[worker].njobs && !c->workers[worker].jobs[0].running)
		begin(c, worker);
}

static void end(struct cluster *c, uint32_t worker, struct job *j, bool stopped)
{
	struct event e = {.kind = EVENT_FINISHED, .worker = worker, .unit = j->unit, .lease = j->lease};

	if (stopped)
		e.result = (struct attempt_result){.reason = REASON_SIGNAL, .signal = 15, .exit_code = -1};
	else
		e.result = result_of(c, j);
	if (!stopped)
		c->steps_done[j->unit] = j->to;
	drop(c, worker, j);
	step(c, &e);
	note_complete(c, e.unit);
	start_next(c, worker);
}

static void say(struct cluster *c, uint32_t worker, struct job *j)
{
	struct event e = {.kind = EVENT_METRIC, .worker = worker, .unit = j->unit, .lease = j->lease};

	e.value = j->curve[j->said++];
	e.step = j->said;
	step(c, &e);
}

static void obey(struct cluster *c, const struct action *a)
{
	struct worker *w = &c->workers[a->worker];
	struct event back = {.kind = EVENT_RECALLED, .worker = a->worker, .unit = a->unit, .lease = a->lease};
	struct job *j = w->jobs;

	if (a->kind == ACTION_ASSIGN) {
		if (w->njobs == HELD_MAX)
			exit(1);
		w->jobs[w->njobs++] = (struct job){.unit = a->unit, .lease = a->lease};
		start_next(c, a->worker);
		return;
	}
	while (j < w->jobs + w->njobs && (j->unit != a->unit || j->lease != a->lease))
		j++;
	if (j == w->jobs + w->njobs)
		return;
	if (!j->running) {
		drop(c, a->worker, j);
		step(c, &back);
	} else if (a->kind == ACTION_CANCEL) {
		end(c, a->worker, j, true);
	}
}

/* ---- time -------------------------------------------------------------------------------------------- */
/* Steps are reported where they are looked at. */
static bool has_more_to_say(const struct cluster *c, const struct job *j)
{
	struct unit_view u;

	sched_unit(c->sched, j->unit, &u);
	return c->study->phases[u.phase].prune && j->said < j->to;
}

static int64_t next_word_ms(const struct cluster *c, const struct job *j)
{
	if (!has_more_to_say(c, j))
		return j->end_ms;
	return j->begun_ms + (j->end_ms - j->begun_ms) * (j->said + 1 - j->from) / (j->to - j->from);
}

/* Nothing runs: false. */
static bool pass_time(struct cluster *c)
{
	uint32_t first = UINT32_MAX;
	int64_t at_ms = 0;

	for (uint32_t w = 0; w < c->nworkers; w++) {
		const struct job *j = c->workers[w].jobs;
		int64_t ms = c->workers[w].njobs ? next_word_ms(c, j) : 0;

		if (!c->workers[w].njobs || (first != UINT32_MAX && ms >= at_ms))
			continue;
		first = w;
		at_ms = ms;
	}
	if (first == UINT32_MAX)
		return false;
	c->now_ms = at_ms;
	if (has_more_to_say(c, c->workers[first].jobs))
		say(c, first, c->workers[first].jobs);
	else
		end(c, first, c->workers[first].jobs, false);
	return true;
}

static void obey_all(struct cluster *c)
{
	while (c->inbox_head < c->ninbox) {
		struct action a = c->inbox[c->inbox_head++];

		obey(c, &a);
	}
	c->inbox_head = c->ninbox = 0;
}

static void run_cluster(struct cluster *c, double seconds)
{
	struct fault f;
	struct event e;

	for (uint32_t w = 0; w < c->nworkers; w++) {
		e = (struct event){.kind = EVENT_WORKER_UP, .worker = w, .cpus = 1};
		step(c, &e);
	}
	while (!c->finished && (double)spent_ms(c) < seconds * ms_per_second) {
		obey_all(c);
		while (proposer_next(&c->proposer, &e, &f) > 0) {
			step(c, &e);
			obey_all(c);
		}
		if (!pass_time(c)) {
			e = (struct event){.kind = EVENT_TICK};
			step(c, &e);
		}
		arena_reset(&c->scratch);
	}
}

/* ---- runs -------------------------------------------------------------------------------------------- */
struct options {
	const char *dir, *task, *variants, *phase;
	uint64_t first, last; /* seeds */
	uint32_t workers;
	double seconds, until;
	bool study;
};

static void run(const struct options *o, const struct variant *v, const struct task *t, uint64_t seed)
{
	struct cluster *c = calloc(1, sizeof *c);
	struct sched_options so = {.prefetch_per_slot = 1};

	if (!c)
		exit(1);
	c->variant = v;
	c->task = t;
	c->nworkers = o->workers;
	c->until = o->until;
	c->study = task_parse(&c->arena, v->name, study_text(v, t, &c->arena, seed));
	c->sched = sched_new(&c->arena, c->study, &so);
	proposer_init(&c->proposer, c->study, c->sched, &c->scratch, NULL);
	printf("{\"task\": \"%s\", \"variant\": \"%s\", \"workers\": %u, \"seed\": %llu, \"points\": [",
	       t->name, v->name, (unsigned)o->workers, (unsigned long long)seed);
	run_cluster(c, o->seconds);
	printf("], \"seconds\": %.6g, \"trials\": %u, \"complete\": %u}\n",
	       (double)spent_ms(c) / ms_per_second, sched_trial_count(c->sched), c->complete);
	fflush(stdout);
	proposer_finish(&c->proposer);
	free(c->inbox);
	free(c->steps_done);
	arena_finish(&c->scratch);
	arena_finish(&c->arena);
	free(c);
}

static void carry_out(const struct options *o, const struct variant *v, const struct task *t)
{
	struct arena a = {0};

	if (o->study)
		fputs(study_text(v, t, &a, o->first), stdout);
	for (uint64_t seed = o->first; !o->study && seed <= o->last; seed++)
		run(o, v, t, seed);
	arena_finish(&a);
}

static bool is_listed(const char *list, const char *name)
{
	char word[32];

	while (list && next_word(&list, word, sizeof word))
		if (!strcmp(word, name))
			return true;
	return !list;
}

static void read_option(struct options *o, const char *name, const char *value)
{
	if (!strcmp(name, "--task")) {
		o->task = value;
	} else if (!strcmp(name, "--variants")) {
		o->variants = value;
	} else if (!strcmp(name, "--phase")) {
		o->phase = value;
	} else if (!strcmp(name, "--seeds")) {
		read_range(value, &o->first, &o->last);
	} else if (!strcmp(name, "--workers")) {
		o->workers = (uint32_t)strtoul(value, NULL, 10);
	} else if (!strcmp(name, "--seconds")) {
		o->seconds = atof(value);
	} else if (!strcmp(name, "--until")) {
		o->until = atof(value);
	} else if (!strcmp(name, "--dir")) {
		o->dir = value;
	} else {
		fprintf(stderr, "bench_pipeline: unknown option %s; its head says which there are\n", name);
		exit(64);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.dir = "tests/bench/tasks",
	                    .task = MLP,
	                    .last = 29,
	                    .workers = 1,
	                    .seconds = 30,
	                    .until = (double)NAN};
	struct arena a = {0};
	struct task t;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--study")) {
			o.study = true;
			continue;
		}
		read_option(&o, argv[i], i + 1 < argc ? argv[i + 1] : "");
		i++;
	}
	if (o.workers < 1 || o.workers > WORKERS_MAX)
		return 64;
	task_read(&t, &a, o.dir, o.task);
	if (isnan(o.until))
		o.until = t.best;
	if (o.phase)
		carry_out(&o, &(struct variant){o.task, "phase", 0, "", o.phase}, &t);
	for (uint32_t i = 0; !o.phase && i < sizeof variants / sizeof *variants; i++)
		if (!strcmp(variants[i].task, o.task) && is_listed(o.variants, variants[i].name))
			carry_out(&o, &variants[i], &t);
	arena_finish(&a);
	return 0;
}
