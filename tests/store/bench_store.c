/* What the store costs rank 0: CPU and time for a finished unit, and the time to load a study again.
 *
 *     bench_store FILE.db [UNITS]      (the file must not exist) */
#include "store.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct fault f;

static void must(int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "%s\n", f.text);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct stopwatch {
	double wall, cpu;
};

static struct stopwatch start(void)
{
	return (struct stopwatch){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static void stop(struct stopwatch w, const char *what, uint32_t n)
{
	double wall = seconds(CLOCK_MONOTONIC) - w.wall, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - w.cpu;

	printf("%-28s %8.3f s, %6.2f us each; cpu %8.3f s, %6.2f us each\n", what, wall, 1e6 * wall / n, cpu,
	       1e6 * cpu / n);
}

/* Half of the trials are parents, the other half come after one of them each. One unit a trial. */
static void put_trials(struct store *s, uint32_t n)
{
	static const char own[] = "{\"lr\":0.0123456789,\"hidden\":128,\"l2\":1.25e-05}";
	static const char params[] = "{\"lr\":0.0123456789,\"hidden\":128,\"l2\":1.25e-05,\"pretrain.lr\":0."
	                             "01,\"pretrain.hidden\":64}";
	struct store_phase phases[] = {{.phase = 0, .name = "pretrain"}, {.phase = 1, .name = "finetune"}};

	must(store_put_phase(s, &phases[0], &f));
	must(store_put_phase(s, &phases[1], &f));
	for (uint32_t i = 1; i <= n; i++) {
		bool child = i > n / 2;
		uint32_t parent = i - n / 2;

		if (i % 1000 == 1)
			must(store_begin(s, &f));
		must(store_put_trial(s,
		                     &(struct store_trial){.trial = i,
		                                           .phase = child ? "finetune" : "pretrain",
		                                           .outer = -1,
		                                           .k = i,
		                                           .key_hi = i * 0x9e3779b97f4a7c15u,
		                                           .key_lo = i,
		                                           .parents = &parent,
		                                           .nparents = child,
		                                           .own = own,
		                                           .own_bytes = 27,
		                                           .own_json = own,
		                                           .params_json = child ? params : own,
		                                           .first_unit = i,
		                                           .nunits = 1,
		                                           .first_fold = -1},
		                     &f));
		if (i % 1000 == 0 || i == n)
			must(store_commit(s, &f));
	}
}

static void put_life(struct store *s, uint32_t unit, uint64_t run)
{
	struct store_unit u = {unit, "running", "", 0, 1, 0, 0, 0, NAN, NAN};

	must(store_begin_attempt(
	    s,
	    &(struct store_attempt_begin){
	        unit, 1, unit % 64, run,
	        "jobs/bin/dbn finetune --load out/dir/pretrain/t17/f3/rbm --lr 0.0123456789 --l2 1.25e-05 "
	        "--nb-cross-fold 5 --id-cross-fold 3",
	        1700000000000 + unit},
	    &f));
	must(store_put_unit(s, &u, &f));
	must(store_put_metric(s, unit, 1, "valid_error", true, 1, 0.031, &f));
	must(store_end_attempt(s,
	                       &(struct store_attempt_end){.unit = unit,
	                                                   .attempt = 1,
	                                                   .state = "done",
	                                                   .reason = "",
	                                                   .started_ms = 1700000000001 + unit,
	                                                   .finished_ms = 1700000000009 + unit,
	                                                   .user_seconds = 0.001,
	                                                   .system_seconds = 0.002,
	                                                   .max_rss_kb = 3000},
	                       &f));
	u.state = "done";
	u.value = 0.031;
	u.best_step = 1;
	must(store_put_unit(s, &u, &f));
	must(store_put_trial_value(s, unit, "done", 0.031, 0, 1, &f));
}

static void put_lives(struct store *s, uint32_t n)
{
	uint64_t run;

	must(store_begin_run(s, 65, "node1", 1, 1700000000000, &run, &f));
	for (uint32_t i = 0; i < 64; i++)
		must(store_put_worker(s, run, &(struct store_worker){.rank = i, .host = "node1", .pid = i},
		                      &f));
	for (uint32_t i = 1; i <= n; i++) {
		if (i % 10 == 1)
			must(store_begin(s, &f));
		put_life(s, i, run);
		if (i % 10 == 0 || i == n)
			must(store_commit(s, &f));
	}
}

static int count_trial(void *ctx, const struct store_trial *t, struct fault *unused)
{
	(void)unused;
	*(uint64_t *)ctx += t->nparents;
	return 0;
}

static int count_pick(void *ctx, const struct store_pick *p, struct fault *unused)
{
	(void)ctx, (void)p, (void)unused;
	return 0;
}

static int count_unit(void *ctx, const struct store_unit *u, struct fault *unused)
{
	(void)unused;
	*(uint64_t *)ctx += u->attempts;
	return 0;
}

static void time_select(struct store *s, const char *sql, uint32_t n)
{
	struct stopwatch w = start();
	struct store_rows *r;

	must(store_select(s, sql, NULL, &r, &f));
	while (store_next(r, &f) == 1)
		;
	store_rows_close(r);
	stop(w, "", n);
	printf("    %s\n", sql);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000;
	struct store_open_options o = {.mode = STORE_WRITE,
	                               .lock_path = "/tmp/bench_store.lock",
	                               .host = "node1",
	                               .now_ms = 1700000000000};
	uint64_t seen = 0;
	struct store_loader l = {&seen, count_trial, count_pick, count_unit};
	struct store *s;
	struct stopwatch w;

	if (argc < 2)
		return 64;
	must(store_open(argv[1], &o, &s, &f));
	w = start();
	put_trials(s, n);
	stop(w, "put a trial of one unit", n);
	w = start();
	put_lives(s, n);
	stop(w, "life of a unit, 10 a commit", n);
	store_close(s);
	o.mode = STORE_READ;
	must(store_open(argv[1], &o, &s, &f));
	w = start();
	must(store_load(s, &l, &f));
	stop(w, "load", n);
	time_select(s, "SELECT * FROM counts", n);
	time_select(s, "SELECT phase, state, count(*) FROM units GROUP BY 1, 2", n);
	time_select(s, "SELECT * FROM units WHERE unit = 777", n);
	time_select(s, "SELECT * FROM units WHERE trial = 777", n);
	time_select(s, "SELECT * FROM units WHERE state = 'failed'", n);
	time_select(s, "SELECT * FROM units ORDER BY unit LIMIT 50", n);
	time_select(s, "SELECT * FROM units ORDER BY unit", n);
	time_select(s, "SELECT * FROM attempts WHERE unit = 777", n);
	time_select(s, "SELECT * FROM edges WHERE child = 777", n);
	time_select(s, "SELECT * FROM edges WHERE parent = 777", n);
	time_select(s, "SELECT * FROM edges", n);
	time_select(s, "SELECT * FROM params WHERE trial = 777", n);
	time_select(s,
	            "SELECT count(*) FROM units u WHERE trial IN (SELECT trial FROM params WHERE name = 'l2' "
	            "AND value = 3)",
	            n);
	time_select(s, "SELECT * FROM trials WHERE trial = 777", n);
	time_select(
	    s, "SELECT * FROM trials WHERE phase = 'finetune' AND state = 'done' ORDER BY value LIMIT 10", n);
	store_close(s);
	return seen ? 0 : 1;
}
