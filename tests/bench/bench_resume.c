/* bench_resume: the database of a study whose units have all run, without running one: the scheduler, the
 * samplers and the store are the real ones, the workers answer at once.
 *
 *   bench_resume STUDY.yaml NEW.db */
#include "host.h"
#include "ledger.h"
#include "propose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct maker {
	struct arena arena, scratch;
	struct sched *sched;
	struct store *store;
	struct ledger ledger;
	struct proposer proposer;
	bool finished;
	struct fault f;
};

static void check(struct maker *m, int bad)
{
	if (!bad)
		return;
	fprintf(stderr, "bench_resume: %s\n", m->f.text);
	exit(1);
}

static void step(struct maker *m, struct event *e);

static void answer(struct maker *m, const struct action *a)
{
	struct event e = {.kind = EVENT_FINISHED, .worker = a->worker, .unit = a->unit, .lease = a->lease};

	check(m, ledger_begin_attempt(&m->ledger, a->unit, a->attempt, a->worker, "true", &m->f));
	step(m, &e);
}

/* Assignments are answered after all records of the step are written. */
static void step(struct maker *m, struct event *e)
{
	struct actions acts = {.scratch = &m->scratch};

	sched_step(m->sched, e, &acts);
	for (uint32_t i = 0; i < acts.count; i++) {
		const struct action *a = &acts.items[i];

		if (a->kind == ACTION_RECORD)
			check(m, ledger_put(&m->ledger, &a->record, &m->f));
		else if (a->kind == ACTION_WANT)
			proposer_want(&m->proposer, a->group, a->n);
		else if (a->kind == ACTION_FINISH)
			m->finished = true;
	}
	for (uint32_t i = 0; i < acts.count; i++)
		if (acts.items[i].kind == ACTION_ASSIGN)
			answer(m, &acts.items[i]);
}

static void make_all(struct maker *m)
{
	struct event e = {.kind = EVENT_WORKER_UP, .worker = 1, .cpus = 1};

	step(m, &e);
	while (!m->finished) {
		bool any = false;

		for (int i = 0; i < 1000 && proposer_next(&m->proposer, &e, &m->f) > 0; i++) {
			step(m, &e);
			any = true;
		}
		if (!any && !m->finished) {
			e = (struct event){.kind = EVENT_TICK};
			step(m, &e);
		}
		check(m, store_commit(m->store, &m->f));
		check(m, store_begin(m->store, &m->f));
		arena_reset(&m->scratch);
	}
}

int main(int argc, char **argv)
{
	struct maker m = {0};
	struct bytes text = {0};
	const struct study *s;
	struct study_errors errors;
	struct store_open_options o = {.mode = STORE_WRITE, .host = "bench", .now_ms = 1};
	struct sched_options so = {0};
	uint64_t run;

	if (argc != 3)
		return 2;
	check(&m, host_read_file(argv[1], STUDY_MAX_BYTES, &text, &m.f));
	if (study_parse(&m.arena, argv[1], (const char *)text.data, text.len, &s, &errors))
		return 1;
	o.lock_path = arena_printf(&m.arena, "%s.lock", argv[2]);
	check(&m, store_open(argv[2], &o, &m.store, &m.f));
	check(&m, store_begin(m.store, &m.f) ||
	              store_put_study(m.store, s->name, (char *)text.data, text.len, &m.f) ||
	              store_begin_run(m.store, 1, "bench", 1, 1, &run, &m.f));
	for (uint32_t i = 0; i < s->nphases; i++) {
		struct store_phase p = {.phase = i,
		                        .name = s->phases[i].name,
		                        .goal = "minimize",
		                        .aggregate = "mean",
		                        .folds = "each",
		                        .search = "random",
		                        .command = s->phases[i].command_text};

		check(&m, store_put_phase(m.store, &p, &m.f));
	}
	m.sched = sched_new(&m.arena, s, &so);
	m.ledger = (struct ledger){
	    .study = s, .sched = m.sched, .store = m.store, .run = run, .scratch = &m.scratch, .now_ms = 1};
	proposer_init(&m.proposer, s, m.sched, &m.scratch, NULL);
	make_all(&m);
	check(&m, store_end_run(m.store, run, 2, "done", &m.f) || store_commit(m.store, &m.f));
	store_close(m.store);
	return 0;
}
