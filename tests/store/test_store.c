/* Round trips of every put, the public views, the objective, and what a reader may ask. */
#include "fixture.h"

#include "store_private.h"

/* ---- what was put is what is loaded ---- */

struct loaded {
	char text[65536];
};

static void loaded_putf(struct loaded *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void loaded_putf(struct loaded *l, const char *fmt, ...)
{
	size_t n = strlen(l->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->text + n, sizeof l->text - n, fmt, ap);
	va_end(ap);
}

static int load_trial(void *ctx, const struct store_trial *t, struct fault *f)
{
	(void)f;
	loaded_putf(ctx, "trial %u %s %d %u %" PRIx64 " %" PRIx64 " [", t->trial, t->phase, t->outer, t->k,
	            t->key_hi, t->key_lo);
	for (uint32_t i = 0; i < t->nparents; i++)
		loaded_putf(ctx, "%s%u", i ? " " : "", t->parents[i]);
	loaded_putf(ctx, "] %zu %s %s %u %u %d\n", t->own_bytes, t->own_json ? t->own_json : "-",
	            t->params_json ? t->params_json : "-", t->first_unit, t->nunits, t->first_fold);
	return 0;
}

static int load_pick(void *ctx, const struct store_pick *p, struct fault *f)
{
	(void)f;
	loaded_putf(ctx, "pick %s %s %d %u %u %u %g %d\n", p->phase, p->child_phase, p->outer, p->trial,
	            p->bucket, p->rank, p->value, p->last);
	return 0;
}

static int load_unit(void *ctx, const struct store_unit *u, struct fault *f)
{
	(void)f;
	loaded_putf(ctx, "unit %u %s '%s' %u %u %u %u %u %g %g\n", u->unit, u->state, u->reason, u->cause,
	            u->attempts, u->failures, u->losses, u->idle_requeues, u->value, u->best_step);
	return 0;
}

static const char *load_all(struct fixture *x, struct store *s)
{
	static struct loaded l;
	struct store_loader loader = {&l, load_trial, load_pick, load_unit};

	l.text[0] = '\0';
	fine(x, store_load(s, &loader, &x->f));
	return l.text;
}

static void put_small_units(struct fixture *x, struct store *s)
{
	static const struct store_unit units[] = {
	    {1, "done", "", 0, 2, 1, 0, 0, 0.1, 7, 0, 0, 0, 0, NAN},
	    {2, "failed", "exit", 0, 3, 3, 4, 5, NAN, NAN, 0, 0, 0, 0, NAN},
	    {3, "done", NULL, 0, 1, 0, 0, 0, INFINITY, INFINITY, 0, 0, 0, 0, NAN},
	    {4, "blocked", "", 2, 0, 0, 0, 0, -INFINITY, 2.5, 0, 0, 0, 0, NAN},
	    {5, "waiting", "", 0, 1, 0, 1, 0, NAN, NAN, 0, 0, 0, 0, NAN},
	};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		fine(x, store_put_unit(s, &units[i], &x->f));
}

static void test_load(void **state)
{
	static const char want[] =
	    "trial 1 pretrain -1 0 ffffffffffffffff 2 [] 2 {\"lr\":0.1,\"act\":\"it's é\"} "
	    "{\"lr\":0.1,\"act\":\"it's é\"} 1 2 0\n"
	    "trial 2 finetune -1 0 3 4 [1] 1 {\"l2\":3} {\"lr\":0.1,\"l2\":3} 3 2 0\n"
	    "trial 3 finetune -1 1 5 6 [1] 0 {\"l2\":4} {\"lr\":0.1,\"l2\":4} 5 2 0\n"
	    "trial 4 retrain -1 0 7 8 [2] 0 - - 7 1 -1\n"
	    "pick finetune retrain -1 2 0 0 0.25 1\n"
	    "unit 1 done '' 0 2 1 0 0 0.1 7\n"
	    "unit 2 failed 'exit' 0 3 3 4 5 nan nan\n"
	    "unit 3 done '' 0 1 0 0 0 inf inf\n"
	    "unit 4 blocked '' 2 0 0 0 0 -inf 2.5\n"
	    "unit 5 waiting '' 0 1 0 1 0 nan nan\n";
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	assert_true(store_in_transaction(s));
	put_small_phases(x, s);
	put_small_trials(x, s);
	put_small_units(x, s);
	fine(x, store_commit(s, &x->f));
	assert_false(store_in_transaction(s));
	assert_string_equal(load_all(x, s), want);
	store_close(s);

	s = fixture_open(x, STORE_READ);
	assert_string_equal(load_all(x, s), want);
	store_close(s);
}

/* Parents come back in the order they were given, not by number; a grandparent that is also a parent is one
 * row. */
static void test_parents(void **state)
{
	static const uint32_t one[] = {1}, both[] = {2, 1};
	const struct store_trial trials[] = {
	    {1, "pretrain", 0, 0, 1, 1, NULL, 0, NULL, 0, "{\"a\":1}", "{}", 1, 1, -1, NULL, 0, 0, 0},
	    {2, "finetune", 0, 0, 1, 2, one, 1, NULL, 0, "{\"b\":2}", "{}", 2, 1, -1, NULL, 0, 0, 0},
	    {3, "retrain", 0, 0, 1, 3, both, 2, NULL, 0, "{\"c\":3}", "{}", 3, 1, -1, NULL, 0, 0, 0},
	};
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	for (size_t i = 0; i < 3; i++)
		fine(x, store_put_trial(s, &trials[i], &x->f));
	fine(x, store_commit(s, &x->f));
	assert_non_null(strstr(load_all(x, s), "trial 3 retrain 0 0 1 3 [2 1] "));
	assert_string_equal(ask(x, s, "SELECT phase, name, value FROM params WHERE trial = 3 ORDER BY name"),
	                    "pretrain|a|1\nfinetune|b|2\nretrain|c|3");
	assert_string_equal(ask(x, s, "SELECT * FROM edges ORDER BY parent, child"), "1|2\n1|3\n2|3");
	store_close(s);
}

static void test_study(void **state)
{
	static const char text[] = "study: 'quoted \"é\"\n\0\xff tail";
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	const char *name, *got;
	struct arena a;
	size_t n = 1;

	arena_init(&a);
	fine(x, store_get_study(s, &a, &name, &got, &n, &x->f));
	assert_null(got);
	assert_int_equal(n, 0);
	fine(x, store_put_study(s, "first", "x", 1, &x->f));
	fine(x, store_put_study(s, "l'été", text, sizeof text, &x->f));
	store_close(s);
	s = fixture_open(x, STORE_READ);
	fine(x, store_get_study(s, &a, &name, &got, &n, &x->f));
	assert_string_equal(name, "l'été");
	assert_int_equal(n, sizeof text);
	assert_memory_equal(got, text, n);
	store_close(s);
	arena_finish(&a);
}

/* A phase keeps its number when the study is edited and it moves. */
static void test_phase_numbers(void **state)
{
	static const struct store_phase before[] = {{.phase = 0, .name = "a"}, {.phase = 1, .name = "c"}};
	static const struct store_phase after[] = {
	    {.phase = 0, .name = "a", .metric = "err"}, {.phase = 1, .name = "b"}, {.phase = 2, .name = "c"}};
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	for (size_t i = 0; i < 2; i++)
		fine(x, store_put_phase(s, &before[i], &x->f));
	store_close(s);
	s = fixture_open(x, STORE_WRITE);
	for (size_t i = 0; i < 3; i++)
		fine(x, store_put_phase(s, &after[i], &x->f));
	assert_string_equal(ask(x, s, "SELECT phase, number, metric FROM phases ORDER BY number"),
	                    "a|0|err\nc|1|-\nb|2|-");
	store_close(s);
}

/* ---- the public views ---- */

static void put_small_run(struct fixture *x, struct store *s)
{
	const struct store_attempt_begin begins[] = {{1, 1, 1, 1, "./dbn pre --name 'é'", 1000},
	                                             {1, 2, 2, 1, "./dbn pre", 3000},
	                                             {2, 1, 1, 1, "x", 9000}};
	const struct store_attempt_end ends[] = {
	    {1, 1, "failed", "signal", -1, 9, 4141, 1500, 2000, 0.5, 0.25, 1024, "oops\n", 5},
	    {1, 2, "done", "", 0, 0, 0, 0, 4500, 1, 2, 3, NULL, 0},
	};
	uint64_t run = 0;

	fine(x, store_begin_run(s, 3, "node1", 77, 1000, &run, &x->f));
	assert_int_equal(run, 1);
	fine(x,
	     store_put_worker(s, run, &(struct store_worker){.rank = 1, .host = "node1", .pid = 78}, &x->f));
	fine(x,
	     store_put_worker(s, run, &(struct store_worker){.rank = 2, .host = "node2", .pid = 79}, &x->f));
	for (size_t i = 0; i < 3; i++)
		fine(x, store_begin_attempt(s, &begins[i], &x->f));
	fine(x, store_end_attempt(s, &ends[0], &x->f));
	fine(x, store_start_attempt(s, 1, 2, 4242, 3250, &x->f));
	fine(x, store_end_attempt(s, &ends[1], &x->f));
	fine(x, store_drop_attempt(s, 2, 1, &x->f));
	fine(x, store_touch_run(s, run, 5000, &x->f));
	fine(x, store_end_run(s, run, 6000, "time limit", &x->f));
	fine(x, store_put_audit(s, 2500, "me", "reset unit=1", 4, "r1", &x->f));
	fine(x, store_put_output(s, 1, 1, run, 2, 1, 0, 100, 0, &x->f));
	fine(x, store_put_output(s, 1, 1, run, 2, 2, (uint64_t)1 << 40, 5, 6, &x->f));
	fine(x, store_put_trial_value(s, 1, "done", 0.5, 0.125, 2, &x->f));
	fine(x, store_put_trial_value(s, 2, "failed", NAN, NAN, 1, &x->f));
}

static struct store *small_store(struct fixture *x)
{
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	put_small_trials(x, s);
	put_small_units(x, s);
	put_small_run(x, s);
	fine(x, store_put_metric(s, 1, 1, "valid", true, 1, NAN, &x->f));
	fine(x, store_put_metric(s, 1, 1, "valid", false, 0, -INFINITY, &x->f));
	fine(x, store_put_metric(s, 1, 2, "loss\"'é", true, 0.5, 1e-300, &x->f));
	fine(x, store_commit(s, &x->f));
	return s;
}

static const struct {
	const char *sql, *want;
} view_rows[] = {
    {"SELECT unit, phase, trial, outer_fold, fold, state, reason, value, attempts, host, rank, started, "
     "finished, seconds FROM units ORDER BY unit",
     "1|pretrain|1|-1|0|done|-|0.1|2|node2|2|3.25|4.5|1.25\n"
     "2|pretrain|1|-1|1|failed|exit|-|3|-|-|-|-|-\n"
     "3|finetune|2|-1|0|done|-|inf|1|-|-|-|-|-\n"
     "4|finetune|2|-1|1|blocked|unit 2|-inf|0|-|-|-|-|-\n"
     "5|finetune|3|-1|0|waiting|-|-|1|-|-|-|-|-\n"
     "6|finetune|3|-1|1|waiting|-|-|0|-|-|-|-|-\n"
     "7|retrain|4|-1|-1|waiting|-|-|0|-|-|-|-|-"},
    {"SELECT * FROM counts ORDER BY 1, 2", "finetune|blocked|1\nfinetune|done|1\nfinetune|waiting|2\n"
                                           "pretrain|done|1\npretrain|failed|1\nretrain|waiting|1"},
    {"SELECT trial, phase, outer_fold, state, value, sd, folds_done, folds, params FROM trials ORDER BY "
     "trial",
     "1|pretrain|-1|done|0.5|0.125|2|2|{\"lr\":0.1,\"act\":\"it's é\"}\n"
     "2|finetune|-1|failed|-|-|1|2|{\"lr\":0.1,\"l2\":3}\n"
     "3|finetune|-1|waiting|-|-|0|2|{\"lr\":0.1,\"l2\":4}\n"
     "4|retrain|-1|waiting|-|-|0|1|-"},
    {"SELECT trial, phase, name, value FROM params ORDER BY trial, phase DESC, name",
     "1|pretrain|act|it's é\n1|pretrain|lr|0.1\n2|pretrain|act|it's é\n2|pretrain|lr|0.1\n2|finetune|l2|3\n"
     "3|pretrain|act|it's é\n3|pretrain|lr|0.1\n3|finetune|l2|4\n"
     "4|pretrain|act|it's é\n4|pretrain|lr|0.1\n4|finetune|l2|3"},
    {"SELECT unit, attempt, name, step, value FROM metrics ORDER BY seq",
     "1|1|valid|1|nan\n1|1|valid|-|-inf\n1|2|loss\"'é|0.5|1e-300"},
    {"SELECT unit, attempt, state, reason, exit_code, signal, host, rank, pid, command, started, finished, "
     "user_seconds, system_seconds, max_rss_kb, tail FROM attempts ORDER BY unit, attempt",
     "1|1|failed|signal|-|9|node1|1|4141|./dbn pre --name 'é'|1.5|2|0.5|0.25|1024|oops\n\n"
     "1|2|done|-|0|-|node2|2|4242|./dbn pre|3.25|4.5|1|2|3|-"},
    {"SELECT parent, child FROM edges ORDER BY parent, child", "1|3\n1|5\n2|4\n2|6\n3|7\n4|7"},
    {"SELECT phase, outer_fold, trial, value, for_trial FROM picks", "finetune|-1|2|0.25|4"},
    {"SELECT at, who, command, units FROM audit", "2.5|me|reset unit=1|4"},
    {"SELECT run, started, last_seen, finished, ranks, host, end FROM runs", "1|1|6|6|3|node1|time limit"},
    {"SELECT unit, attempt, run, rank, stream, offset, bytes, skipped FROM outputs ORDER BY seq",
     "1|1|1|2|1|0|100|0\n1|1|1|2|2|1099511627776|5|6"},
    {"SELECT run, rank, host, pid FROM workers ORDER BY rank", "1|1|node1|78\n1|2|node2|79"},
};

static void test_views(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x), *r = fixture_open(x, STORE_READ);

	for (size_t i = 0; i < sizeof view_rows / sizeof view_rows[0]; i++) {
		assert_string_equal(ask(x, s, view_rows[i].sql), view_rows[i].want);
		assert_string_equal(ask(x, r, view_rows[i].sql), view_rows[i].want);
	}
	store_close(r);
	store_close(s);
}

/* The latest of start, metrics (of each name) and output, of that attempt alone. */
static void test_last_heard(void **state)
{
	static const char heard[] = "SELECT attempt, last_heard FROM attempts WHERE unit = 1 ORDER BY 1";
	struct fixture *x = *state;
	struct store *s = small_store(x);

	assert_string_equal(ask(x, s, heard), "1|1.5\n2|3.25"); /* rows without a time do not count */
	store_set_time(s, 4000);
	fine(x, store_put_metric(s, 1, 2, "loss", true, 1, 0.5, &x->f));
	store_set_time(s, 4250);
	fine(x, store_put_metric(s, 1, 2, "valid", true, 1, 0.5, &x->f));
	assert_string_equal(ask(x, s, heard), "1|1.5\n2|4.25");
	store_set_time(s, 7000);
	fine(x, store_put_output(s, 1, 2, 1, 2, 1, 0, 100, 0, &x->f));
	assert_string_equal(ask(x, s, heard), "1|1.5\n2|7");
	store_set_time(s, 9500);
	fine(x, store_put_metric(s, 1, 2, "loss", true, 2, 0.5, &x->f));
	assert_string_equal(ask(x, s, heard), "1|1.5\n2|9.5");
	assert_string_equal(ask(x, s, "SELECT at FROM metrics WHERE name IN ('loss', 'valid') ORDER BY seq"),
	                    "-\n-\n4\n4.25\n9.5");
	assert_string_equal(ask(x, s, "SELECT at FROM outputs ORDER BY seq"), "-\n-\n7");
	store_close(s);
}

static void test_job_of_a_run(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	uint64_t run;

	fine(x, store_put_run_job(s, 1, NULL, &x->f));
	fine(x, store_begin_run(s, 3, "node1", 77, 1000, &run, &x->f));
	fine(x, store_put_run_job(s, run, "slurm:1234", &x->f));
	assert_string_equal(ask(x, s, "SELECT run, job FROM runs ORDER BY run"), "1|-\n2|slurm:1234");
	store_close(s);
}

static int note_left(void *ctx, const struct store_left *l, struct fault *f)
{
	(void)f;
	snprintf(ctx, 128, "unit %u rank %u %s %u %u %llx %lld %lld", l->unit, l->worker.rank, l->worker.host,
	         l->worker.pid, l->worker.keeper_pid, (unsigned long long)l->worker.space,
	         (long long)l->last_seen_ms, (long long)l->patience_ms);
	return 0;
}

/* A worker is given up and comes back; the run dies while it has a unit, which is told to the next one. */
static void test_lost_workers(void **state)
{
	const struct store_worker w = {1, "node9", 78, 79, UINT64_MAX - 1};
	const struct store_unit running = {6, "running", "", 0, 1, 0, 0, 0, NAN, NAN, 0, 0, 0, 0, NAN};
	const struct store_attempt_begin begin = {6, 1, 1, 2, "x", 1500};
	struct fixture *x = *state;
	struct store *s = small_store(x);
	char left[128] = "";
	uint64_t run;

	fine(x, store_begin_run(s, 3, "node1", 77, 1000, &run, &x->f));
	fine(x, store_put_run_patience(s, run, 100000, &x->f));
	fine(x, store_put_worker(s, run, &w, &x->f));
	fine(x, store_lose_worker(s, run, 1, 3000, "silent", &x->f));
	assert_string_equal(ask(x, s, "SELECT rank, lost, why FROM workers WHERE run = 2"), "1|3|silent");
	fine(x, store_put_worker(s, run, &w, &x->f));
	assert_string_equal(ask(x, s, "SELECT rank, lost, why FROM workers WHERE run = 2"), "1|-|-");
	assert_string_equal(ask(x, s, "SELECT run, lost FROM runs"), "1|0\n2|1");
	fine(x, store_load_left(s, note_left, left, &x->f));
	assert_string_equal(left, "");
	fine(x, store_begin_attempt(s, &begin, &x->f));
	fine(x, store_put_unit(s, &running, &x->f));
	fine(x, store_touch_run(s, run, 4000, &x->f));
	fine(x, store_load_left(s, note_left, left, &x->f));
	assert_string_equal(left, "unit 6 rank 1 node9 78 79 fffffffffffffffe 4000 100000");
	store_close(s);
}

/* A pick whose children do not exist yet is there; each of several children has a row. */
static void test_picks_for(void **state)
{
	static const uint32_t parents[] = {2};
	const struct store_trial again = {5,    "retrain", -1, 1, 9,  10,   parents, 1, NULL, 0,
	                                  "{}", "{}",      8,  1, -1, NULL, 0,       0, 0};
	static const struct store_pick later = {"pretrain", "finetune", -1, 4, 1, 2, NAN, false, 0};
	struct fixture *x = *state;
	struct store *s = small_store(x);

	fine(x, store_put_trial(s, &again, &x->f));
	fine(x, store_put_pick(s, &later, &x->f));
	assert_string_equal(
	    ask(x, s, "SELECT trial, for_trial, for_phase, bucket, rank FROM picks ORDER BY 1, 2"),
	    "2|4|retrain|0|0\n2|5|retrain|0|0\n4|-|finetune|1|2");
	store_close(s);
}

static void test_coarse_and_fine_edges(void **state)
{
	static const uint32_t one[] = {1};
	const struct store_trial trials[] = {
	    {1, "pretrain", -1, 0, 1, 1, NULL, 0, NULL, 0, "{}", "{}", 1, 1, -1, NULL, 0, 0, 0},
	    {2, "finetune", -1, 0, 1, 2, one, 1, NULL, 0, "{}", "{}", 2, 3, 0, NULL, 0, 0, 0},
	};
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	put_small_phases(x, s);
	for (size_t i = 0; i < 2; i++)
		fine(x, store_put_trial(s, &trials[i], &x->f));
	assert_string_equal(ask(x, s, "SELECT * FROM edges ORDER BY child"), "1|2\n1|3\n1|4");
	assert_string_equal(ask(x, s, "SELECT parent FROM edges WHERE child = 3"), "1");
	assert_string_equal(ask(x, s, "SELECT child FROM edges WHERE parent = 1 ORDER BY 1"), "2\n3\n4");
	store_close(s);
}

/* ---- the objective ---- */

struct report {
	uint32_t attempt;
	double step, value; /* NaN step: none given */
};

static const struct {
	const char *what;
	bool maximize;
	struct report reports[8]; /* attempt 0 ends */
	uint32_t attempt;
	bool found, new_step;
	double last, best, best_step;
} objective_rows[] = {
    {"nothing", false, {{0}}, 1, false, false, NAN, NAN, NAN},
    {"minimum", false, {{1, 1, 5}, {1, 2, 3}, {1, 3, 4}}, 1, true, true, 4, 3, 2},
    {"maximum", true, {{1, 1, 5}, {1, 2, 3}, {1, 3, 4}}, 1, true, true, 4, 5, 1},
    {"a later attempt wins a step", false, {{1, 1, 1}, {1, 2, 2}, {2, 1, 7}}, 2, true, false, 7, 2, 2},
    {"and may go further", false, {{1, 1, 3}, {2, 1, 3}, {2, 2, 2}}, 2, true, true, 2, 2, 2},
    {"a step again in one attempt", false, {{1, 1, 1}, {1, 1, 6}, {1, 2, 4}}, 1, true, true, 4, 4, 2},
    {"no steps: all of the last attempt",
     false,
     {{1, NAN, 1}, {2, NAN, 5}, {2, NAN, 6}},
     2,
     true,
     false,
     6,
     5,
     NAN},
    {"last is the latest, not the largest step", false, {{1, 9, 2}, {1, 1, 3}}, 1, true, true, 3, 2, 9},
    {"NaN is never best", false, {{1, 1, NAN}, {1, 2, 8}, {1, 3, NAN}}, 1, true, true, NAN, 8, 2},
    {"only NaN", false, {{1, 1, NAN}}, 1, true, true, NAN, NAN, NAN},
    {"infinities", true, {{1, 1, -INFINITY}, {1, 2, INFINITY}}, 1, true, true, INFINITY, INFINITY, 2},
    {"minus infinity is no small error",
     false,
     {{1, 1, -INFINITY}, {1, 2, 4}, {2, 3, -INFINITY}},
     2,
     true,
     true,
     -INFINITY,
     4,
     2},
    {"a tie goes to the earlier", false, {{1, 4, 2}, {1, 3, 2}}, 1, true, true, 2, 2, 4},
    {"a final value without a step", false, {{1, 1, 3}, {1, 2, 4}, {1, NAN, 5}}, 1, true, true, 5, 3, 1},
    {"fractions of steps", false, {{1, 0.5, 3}, {1, 0.75, 2}}, 1, true, true, 2, 2, 0.75},
};

static void same(const char *what, double got, double want)
{
	if (got != want && !(isnan(got) && isnan(want)))
		fail_msg("%s: %g, not %g", what, got, want);
}

static void test_objective(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	for (uint32_t i = 0; i < sizeof objective_rows / sizeof objective_rows[0]; i++) {
		double last, best, best_step;
		bool found, new_step;

		for (const struct report *r = objective_rows[i].reports; r->attempt; r++) {
			fine(x, store_put_metric(s, i, r->attempt, "loss", !isnan(r->step), r->step, r->value,
			                         &x->f));
			fine(x, store_put_metric(s, i, r->attempt, "other", true, 1, 1e9, &x->f));
		}
		fine(x,
		     store_read_objective(s, i, "loss", objective_rows[i].maximize, objective_rows[i].attempt,
		                          &found, &last, &best, &best_step, NULL, &x->f));
		assert_int_equal(found, objective_rows[i].found);
		same(objective_rows[i].what, last, objective_rows[i].last);
		same(objective_rows[i].what, best, objective_rows[i].best);
		same(objective_rows[i].what, best_step, objective_rows[i].best_step);
		if (isnan(objective_rows[i].reports[0].step))
			continue;
		fine(x, store_read_objective(s, i, "loss", false, objective_rows[i].attempt, &found, &last,
		                             &best, &best_step, &new_step, &x->f));
		if (new_step != objective_rows[i].new_step)
			fail_msg("%s: new_step %d", objective_rows[i].what, new_step);
	}
	fine(x, store_commit(s, &x->f));
	store_close(s);
}

/* The order of arrival goes on after a restart in the middle of an attempt. */
static void test_arrival_after_reopening(void **state)
{
	struct fixture *x = *state;
	double last, best, best_step;
	bool found;

	for (int i = 0; i < 3; i++) {
		struct store *s = fixture_open(x, STORE_WRITE);

		fine(x, store_begin(s, &x->f));
		fine(x, store_put_metric(s, 1, 1, "loss", false, 0, 10 - i, &x->f));
		fine(x, store_put_metric(s, 1, 1, "loss", true, 4, 20 - i, &x->f));
		fine(x, store_commit(s, &x->f));
		store_close(s);
	}
	struct store *s = fixture_open(x, STORE_READ);

	fine(x, store_read_objective(s, 1, "loss", true, 1, &found, &last, &best, &best_step, NULL, &x->f));
	same("last", last, 18);
	same("best", best, 18);
	store_close(s);
}

static int load_attempts(void *ctx, const struct store_unit *u, struct fault *f)
{
	(void)f;
	loaded_putf(ctx, "%s%s %u", ((struct loaded *)ctx)->text[0] ? ", " : "", u->state, u->attempts);
	return 0;
}

static int skip_trial(void *ctx, const struct store_trial *t, struct fault *f)
{
	(void)ctx, (void)t, (void)f;
	return 0;
}

static int skip_pick(void *ctx, const struct store_pick *p, struct fault *f)
{
	(void)ctx, (void)p, (void)f;
	return 0;
}

/* Five units were with workers when the run died: one is known to have started, one only by its metric, one
 * only by its output, one not at all, and one not at all this time. */
static void test_unstarted(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	struct loaded l = {""};
	struct store_loader loader = {&l, skip_trial, skip_pick, load_attempts};

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	put_small_trials(x, s);
	for (uint32_t unit = 1; unit <= 5; unit++) {
		struct store_unit u = {.unit = unit, .state = "running", .attempts = unit == 5 ? 2 : 1};
		struct store_attempt_begin b = {
		    .unit = unit, .attempt = u.attempts, .rank = 1, .run = 1, .command = "", .now_ms = 1};

		fine(x, store_put_unit(s, &u, &x->f));
		fine(x, store_begin_attempt(s, &b, &x->f));
	}
	fine(x, store_start_attempt(s, 1, 1, 4242, 2, &x->f));
	fine(x, store_put_metric(s, 2, 1, "loss", false, 0, 1, &x->f));
	fine(x, store_put_output(s, 3, 1, 1, 1, 1, 0, 10, 0, &x->f));
	fine(x, store_put_metric(s, 5, 1, "loss", false, 0, 1, &x->f)); /* of its first attempt */
	fine(x, store_drop_unstarted(s, &x->f));
	fine(x, store_load(s, &loader, &x->f));
	assert_string_equal(l.text, "running 1, running 1, running 1, ready 0, ready 1");
	fine(x, store_commit(s, &x->f));
	store_close(s);
}

static void test_many_names(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 500; i++) {
			char name[600];

			memset(name, '0', sizeof name);
			snprintf(name + i, 16, "%d", i);
			fine(x, store_put_metric(s, 1, 1, name, true, round, i, &x->f));
		}
	fine(x, store_commit(s, &x->f));
	assert_string_equal(
	    ask(x, s,
	        "SELECT count(*), count(DISTINCT name), sum(CAST(name AS INTEGER) = value) FROM metrics"),
	    "1000|500|1000");
	store_close(s);
}

/* ---- forgetting ---- */

static void test_forget(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	uint32_t n = 99;

	fine(x, store_begin(s, &x->f));
	fine(x, store_forget_unbegun(s, "pretrain", &n, &x->f));
	assert_int_equal(n, 0);
	/* Trial 2 has a finished unit; trial 3 had an attempt. */
	fine(x, store_forget_unbegun(s, "finetune", &n, &x->f));
	assert_int_equal(n, 0);
	fine(x,
	     store_put_unit(
	         s, &(struct store_unit){5, "waiting", "", 0, 0, 0, 0, 0, NAN, NAN, 0, 0, 0, 0, NAN}, &x->f));
	fine(x, store_forget_unbegun(s, "finetune", &n, &x->f));
	assert_int_equal(n, 1);
	fine(x, store_forget_unbegun(s, "retrain", &n, &x->f));
	assert_int_equal(n, 1);
	fine(x, store_commit(s, &x->f));
	assert_string_equal(ask(x, s, "SELECT trial FROM trials ORDER BY 1"), "1\n2");
	assert_string_equal(ask(x, s, "SELECT unit FROM units ORDER BY 1"), "1\n2\n3\n4");
	assert_string_equal(ask(x, s, "SELECT count(*) FROM edges"), "2");
	store_close(s);
}

static void test_forget_descendants(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	uint32_t n;

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	put_small_trials(x, s);
	fine(x, store_forget_unbegun(s, "pretrain", &n, &x->f));
	fine(x, store_commit(s, &x->f));
	assert_int_equal(n, 4);
	assert_string_equal(load_all(x, s), "");
	store_close(s);
}

/* ---- questions ---- */

static void test_select(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	const char *const binds[] = {"l2", "3", NULL};
	struct store_rows *r;
	size_t n;

	fine(x,
	     store_select(
	         s,
	         "SELECT trial AS t, own, 1.5, 'inf', NULL FROM trial_text WHERE trial <= ?2 AND ?1 = 'l2' "
	         "ORDER BY trial",
	         binds, &r, &x->f));
	assert_int_equal(store_columns(r), 5);
	assert_string_equal(store_column_name(r, 0), "t");
	assert_int_equal(store_next(r, &x->f), 1);
	assert_int_equal(store_type(r, 0), STORE_INT);
	assert_int_equal(store_int(r, 0), 1);
	assert_int_equal(store_type(r, 1), STORE_BLOB);
	assert_memory_equal(store_blob(r, 1, &n), "\0a", 2);
	assert_int_equal(n, 2);
	assert_true(store_real(r, 2) == 1.5);
	assert_int_equal(store_type(r, 3), STORE_TEXT);
	assert_true(isinf(store_real(r, 3)));
	assert_int_equal(store_type(r, 4), STORE_NULL);
	assert_true(isnan(store_real(r, 4)));
	assert_string_equal(store_text(r, 4), "");
	assert_int_equal(store_next(r, &x->f), 1);
	assert_int_equal(store_next(r, &x->f), 1);
	assert_int_equal(store_next(r, &x->f), 0);
	store_rows_close(r);
	store_rows_close(NULL);
	refused(x, store_select(s, "SELECT nope FROM units", NULL, &r, &x->f), FAULT_BUG, "no such column");
	refused(x, store_select(s, "DELETE FROM unit", NULL, &r, &x->f), FAULT_BUG, "not a question");
	refused(x, store_select(s, "SELECT 1; SELECT 2", NULL, &r, &x->f), FAULT_BUG, "not one statement");
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "7");
	store_close(s);
}

/* ---- transactions ---- */

static void test_close_commits_nothing(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	put_small_phases(x, s);
	fine(x, store_begin(s, &x->f));
	put_small_trials(x, s);
	store_close(s);
	store_close(NULL);
	s = fixture_open(x, STORE_READ);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "0");
	store_close(s);
}

/* After a failure nothing may look committed, and all that was begun is taken back. */
static void test_broken_stays_broken(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	struct store_loader loader = {NULL, load_trial, load_pick, load_unit};
	struct store_rows *r;
	struct fault first;

	put_small_phases(x, s);
	fine(x, store_begin(s, &x->f));
	put_small_trials(x, s);
	refused(x, store_put_unit(s, &(struct store_unit){.unit = 1, .state = "sleepy"}, &x->f), FAULT_IO,
	        "cannot record a unit: CHECK constraint failed");
	first = x->f;
	assert_false(store_in_transaction(s));
	refused(x, store_put_audit(s, 1, "a", "b", 1, NULL, &x->f), FAULT_IO, first.text);
	refused(x, store_commit(s, &x->f), FAULT_IO, first.text);
	refused(x, store_begin(s, &x->f), FAULT_IO, first.text);
	refused(x, store_load(s, &loader, &x->f), FAULT_IO, first.text);
	refused(x, store_select(s, "SELECT 1", NULL, &r, &x->f), FAULT_IO, first.text);
	store_close(s);
	s = fixture_open(x, STORE_READ);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "0");
	store_close(s);
}

static void test_missing_rows(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	refused(x, store_put_unit(s, &(struct store_unit){.unit = 9, .state = "done"}, &x->f), FAULT_IO,
	        "unit 9 is missing");
	store_close(s);
	s = fixture_open(x, STORE_WRITE);
	refused(x, store_end_attempt(s, &(struct store_attempt_end){.unit = 8, .state = "done"}, &x->f),
	        FAULT_IO, "the attempt of unit 8 is missing");
	store_close(s);
}

/* Answers of PRAGMAs about this connection, which store_select rightly refuses. */
static void expect_pragma(struct store *s, const char *sql, const char *want)
{
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), want);
	sqlite3_finalize(st);
}

static void test_journal(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	struct store *s = small_store(x);

	expect_pragma(s, "PRAGMA journal_mode", "wal");
	expect_pragma(s, "PRAGMA synchronous", "1");
	expect_pragma(s, "PRAGMA locking_mode", "normal");
	store_close(s);
	o.network = true;
	fine(x, store_open(x->db, &o, &s, &x->f));
	expect_pragma(s, "PRAGMA journal_mode", "delete");
	expect_pragma(s, "PRAGMA synchronous", "2");
	expect_pragma(s, "PRAGMA locking_mode", "normal");
	store_close(s);
}

/* Without a WAL an open question would hold up the writer. */
static void test_paging_through_an_answer(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	struct store *s, *reader;
	struct store_rows *r, *q;

	store_close(small_store(x));
	o.network = true;
	fine(x, store_open(x->db, &o, &s, &x->f));
	reader = fixture_open(x, STORE_READ);
	fine(x, store_select(reader, "SELECT unit AS u FROM units ORDER BY unit DESC", NULL, &r, &x->f));
	fine(x, store_select(reader, "SELECT 'é' || ?1", (const char *const[]){"x", NULL}, &q, &x->f));
	assert_int_equal(store_next(r, &x->f), 1);
	assert_int_equal(store_int(r, 0), 7);
	sqlite3_busy_timeout(s->db, 0);
	fine(x, store_begin(s, &x->f));
	fine(x, store_put_trial_value(s, 4, "done", 1, NAN, 1, &x->f));
	fine(x, store_commit(s, &x->f));
	assert_int_equal(store_next(r, &x->f), 1);
	assert_int_equal(store_int(r, 0), 6);
	assert_string_equal(store_column_name(r, 0), "u");
	store_rows_close(r);
	assert_int_equal(store_next(q, &x->f), 1);
	assert_string_equal(store_text(q, 0), "éx");
	store_rows_close(q);
	assert_string_equal(ask(x, reader, "SELECT value FROM trials WHERE trial = 4"), "1");
	store_close(reader);
	store_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_drop)
	const struct CMUnitTest tests[] = {
	    T(test_load),
	    T(test_parents),
	    T(test_study),
	    T(test_phase_numbers),
	    T(test_views),
	    T(test_last_heard),
	    T(test_job_of_a_run),
	    T(test_lost_workers),
	    T(test_picks_for),
	    T(test_coarse_and_fine_edges),
	    T(test_objective),
	    T(test_arrival_after_reopening),
	    T(test_unstarted),
	    T(test_many_names),
	    T(test_forget),
	    T(test_forget_descendants),
	    T(test_select),
	    T(test_close_commits_nothing),
	    T(test_broken_stays_broken),
	    T(test_missing_rows),
	    T(test_journal),
	    T(test_paging_through_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
