/* Rows of what users change: trials with other parents, trials that are gone, results put away, scheduled
 * phases, the audit; and a database of before all that. */
#include "fixture.h"

#include "store_private.h"

/* ---- what is loaded ---- */

static void append_list(char *text, size_t cap, const char *what, const uint32_t *list, uint32_t n)
{
	char number[16];

	append(text, cap, what);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(number, sizeof number, " %u", list[i]);
		append(text, cap, number);
	}
}

static int load_trial(void *ctx, const struct store_trial *t, struct fault *f)
{
	char head[64];

	(void)f;
	snprintf(head, sizeof head, "%strial %u gone %u best %u", *(char *)ctx ? "\n" : "", t->trial, t->gone,
	         t->best_n);
	append(ctx, 4096, head);
	append_list(ctx, 4096, " parents", t->parents, t->nparents);
	append_list(ctx, 4096, " among", t->candidates, t->ncandidates);
	return 0;
}

static int load_pick(void *ctx, const struct store_pick *p, struct fault *f)
{
	char line[64];

	(void)f;
	snprintf(line, sizeof line, "\npick %u for %u", p->trial, p->for_trial);
	append(ctx, 4096, line);
	return 0;
}

static int load_unit(void *ctx, const struct store_unit *u, struct fault *f)
{
	char line[96];

	(void)f;
	snprintf(line, sizeof line, "\nunit %u %s resets %u priority %d pending %u", u->unit, u->state,
	         u->resets, u->priority, u->pending);
	append(ctx, 4096, line);
	return 0;
}

static const char *loaded(struct fixture *x, struct store *s)
{
	static char text[4096];
	struct store_loader l = {text, load_trial, load_pick, load_unit};

	text[0] = '\0';
	fine(x, store_load(s, &l, &x->f));
	return text;
}

/* ---- a small study in which unit 3 was tried twice ---- */

static void try_unit(struct fixture *x, struct store *s, uint32_t unit, uint32_t attempt, double value)
{
	const struct store_attempt_begin b = {unit, attempt, 1, 1, "prog", 1000};
	const struct store_attempt_end e = {.unit = unit,
	                                    .attempt = attempt,
	                                    .state = "done",
	                                    .reason = "",
	                                    .started_ms = 2000,
	                                    .finished_ms = 3000};
	const struct store_unit u = {.unit = unit,
	                             .state = "done",
	                             .reason = "",
	                             .attempts = attempt,
	                             .value = value,
	                             .best_step = NAN};

	fine(x, store_begin_attempt(s, &b, &x->f));
	fine(x, store_put_metric(s, unit, attempt, "valid", true, attempt, value, &x->f));
	fine(x, store_end_attempt(s, &e, &x->f));
	fine(x, store_put_unit(s, &u, &x->f));
}

static struct store *small_store(struct fixture *x)
{
	struct store *s = fixture_open(x, STORE_WRITE);
	uint64_t run;

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	put_small_trials(x, s);
	fine(x, store_begin_run(s, 2, "node1", 1, 500, &run, &x->f));
	fine(x,
	     store_put_worker(s, run, &(struct store_worker){.rank = 1, .host = "node1", .pid = 2}, &x->f));
	try_unit(x, s, 3, 1, 0.5);
	try_unit(x, s, 3, 2, 0.25);
	fine(x, store_commit(s, &x->f));
	return s;
}

/* ---- results put away ---- */

static void expect_objective(struct fixture *x, struct store *s, uint32_t attempt, bool want_found,
                             double want_last, bool want_new_step)
{
	double last, best, best_step;
	bool found, new_step;

	fine(x, store_read_objective(s, 3, "valid", true, attempt, &found, &last, &best, &best_step,
	                             &new_step, &x->f));
	assert_int_equal(found, want_found);
	assert_int_equal(new_step, want_new_step);
	if (found)
		assert_true(last >= want_last && last <= want_last);
}

static void test_archive(void **state)
{
	static const char metrics[] = "SELECT attempt, name, step, value FROM metrics ORDER BY 1";
	static const char archive[] = "SELECT unit, attempt, name, step, value FROM archive ORDER BY 2";
	static const char attempts[] = "SELECT attempt, state, archived FROM attempts ORDER BY 1";
	static const char unit[] = "SELECT attempts, host, started FROM units WHERE unit = 3";
	struct fixture *x = *state;
	struct store *s = small_store(x);

	assert_string_equal(ask(x, s, metrics), "1|valid|1|0.5\n2|valid|2|0.25");
	assert_string_equal(ask(x, s, archive), "");
	assert_string_equal(ask(x, s, unit), "2|node1|2");
	expect_objective(x, s, 2, true, 0.25, true);
	fine(x, store_archive_unit(s, 3, &x->f));
	assert_string_equal(ask(x, s, metrics), "");
	assert_string_equal(ask(x, s, archive), "3|1|valid|1|0.5\n3|2|valid|2|0.25");
	assert_string_equal(ask(x, s, attempts), "1|done|1\n2|done|1");
	assert_string_equal(ask(x, s, unit), "2|-|-");
	expect_objective(x, s, 2, false, 0, false);
	try_unit(x, s, 3, 3, 0.125);
	assert_string_equal(ask(x, s, metrics), "3|valid|3|0.125");
	assert_string_equal(ask(x, s, attempts), "1|done|1\n2|done|1\n3|done|0");
	assert_string_equal(ask(x, s, unit), "3|node1|2");
	expect_objective(x, s, 3, true, 0.125, true);
	fine(x, store_put_metric(s, 3, 4, "valid", true, 1, 0.75, &x->f)); /* a step of before the reset */
	expect_objective(x, s, 4, true, 0.75, true);
	store_close(s);
}

/* ---- trials that are gone ---- */

static const struct {
	const char *sql, *want;
} gone_rows[] = {
    {"SELECT unit FROM units ORDER BY 1", "1\n2\n5\n6"},
    {"SELECT trial FROM trials ORDER BY 1", "1\n3"},
    {"SELECT phase, sum(units) FROM counts GROUP BY phase ORDER BY 1", "finetune|2\npretrain|2"},
    {"SELECT DISTINCT trial FROM params ORDER BY 1", "1\n3"},
    {"SELECT parent, child FROM edges ORDER BY 1, 2", "1|5\n2|6"},
    {"SELECT count(*) FROM metrics", "0"},
    {"SELECT count(*) FROM picks", "0"},
    {"SELECT unit, attempt, archived FROM attempts ORDER BY 1, 2", "3|1|1\n3|2|1"},
};

static void test_gone(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);

	fine(x, store_begin(s, &x->f));
	fine(x, store_put_gone(s, 4, 2, &x->f));
	fine(x, store_put_gone(s, 2, 1, &x->f));
	fine(x, store_commit(s, &x->f));
	for (size_t i = 0; i < sizeof gone_rows / sizeof gone_rows[0]; i++)
		assert_string_equal(ask(x, s, gone_rows[i].sql), gone_rows[i].want);
	/* Numbers and keys stay, units do not. */
	assert_string_equal(loaded(x, s), "trial 1 gone 0 best 0 parents among\n"
	                                  "trial 2 gone 1 best 0 parents among\n"
	                                  "trial 3 gone 0 best 0 parents 1 among\n"
	                                  "trial 4 gone 2 best 0 parents among\n"
	                                  "unit 1 ready resets 0 priority 0 pending 0\n"
	                                  "unit 2 ready resets 0 priority 0 pending 0");
	store_close(s);
}

static void test_void_pick(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);

	fine(x, store_drop_pick(s, "pretrain", -1, "retrain", &x->f)); /* another one */
	assert_string_equal(ask(x, s, "SELECT trial, for_trial FROM picks"), "2|4");
	fine(x, store_drop_pick(s, "finetune", -1, "retrain", &x->f));
	assert_string_equal(ask(x, s, "SELECT trial, for_trial FROM picks"), "");
	store_close(s);
}

/* ---- scheduled trials ---- */

static const uint32_t two[] = {2}, both[] = {2, 3}, job[] = {4};

static struct store_trial trial_row(uint32_t trial, const char *phase, const uint32_t *parents, uint32_t n)
{
	return (struct store_trial){.trial = trial,
	                            .phase = phase,
	                            .outer = -1,
	                            .key_lo = trial,
	                            .parents = parents,
	                            .nparents = n,
	                            .own_json = "{}",
	                            .params_json = "{}",
	                            .first_unit = trial,
	                            .nunits = 1,
	                            .first_fold = -1};
}

/* 1 pretrain; 2 and 3 after it; 4 (scheduled) after 2; 5 after 4. */
static struct store *job_store(struct fixture *x)
{
	static const uint32_t one[] = {1};
	static const char *const own[] = {"{\"a\":1}", "{\"b\":2}", "{\"c\":3}", "{\"d\":4}", "{\"e\":5}"};
	struct store_trial trials[] = {trial_row(1, "pretrain", NULL, 0), trial_row(2, "finetune", one, 1),
	                               trial_row(3, "finetune", one, 1), trial_row(4, "retrain", two, 1),
	                               trial_row(5, "test", job, 1)};
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	fine(x, store_put_phase(s, &(struct store_phase){.phase = 3, .name = "test"}, &x->f));
	for (size_t i = 0; i < 5; i++) {
		trials[i].own_json = own[i];
		fine(x, store_put_trial(s, &trials[i], &x->f));
	}
	fine(x, store_commit(s, &x->f));
	return s;
}

static const char names_of_5[] = "SELECT name, value FROM params WHERE trial = 5 ORDER BY 1";

static void put_parents(struct fixture *x, struct store *s, struct store_trial t)
{
	uint32_t *below, n;
	struct arena a = {0};

	fine(x, store_put_parents(s, &t, &a, &below, &n, &x->f));
	assert_int_equal(n, 1); /* whose parameters may be others now */
	assert_int_equal(below[0], 5);
	arena_finish(&a);
}

/* What hangs on a trial inherits from its new parents, too. */
static void test_more_parents(void **state)
{
	struct fixture *x = *state;
	struct store *s = job_store(x);

	assert_string_equal(ask(x, s, names_of_5), "a|1\nb|2\nd|4\ne|5");
	put_parents(x, s, trial_row(4, "retrain", both, 2));
	assert_string_equal(ask(x, s, names_of_5), "a|1\nb|2\nc|3\nd|4\ne|5");
	assert_string_equal(ask(x, s, "SELECT parent, child FROM edges ORDER BY 1, 2"),
	                    "1|2\n1|3\n2|4\n3|4\n4|5");
	fine(x, store_put_params(s, 5, "{\"b\":2,\"c\":3}", &x->f));
	assert_string_equal(ask(x, s, "SELECT params FROM trials WHERE trial = 5"), "{\"b\":2,\"c\":3}");
	put_parents(x, s, trial_row(4, "retrain", both + 1, 1)); /* and not from those of before */
	assert_string_equal(ask(x, s, names_of_5), "a|1\nc|3\nd|4\ne|5");
	store_close(s);
}

static int add_rung(void *ctx, const struct store_rung *r, struct fault *f)
{
	char *text = ctx;

	(void)f;
	sprintf(text + strlen(text), "%u at %u: %g\n", r->trial, r->rung, r->value);
	return 0;
}

static int add_metric(void *ctx, const struct store_metric *m, struct fault *f)
{
	char *text = ctx;

	(void)f;
	sprintf(text + strlen(text), "%u.%u %g: %g\n", m->unit, m->attempt, m->step, m->value);
	return 0;
}

/* What a pruner is made of again: rungs and metrics, without what was put away. */
static void test_rungs_and_metrics(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	const struct store_unit paused = {
	    .unit = 1, .state = "paused", .reason = "", .attempts = 1, .value = 2.5, .rung = 1, .step = 3};
	char text[1000] = "";

	fine(x, store_begin(s, &x->f));
	fine(x, store_put_unit(s, &paused, &x->f));
	fine(x, store_put_rung(s, 1, 0, 4, &x->f));
	fine(x, store_put_rung(s, 1, 1, 2.5, &x->f));
	fine(x, store_put_rung(s, 2, 0, 0.5, &x->f));
	fine(x, store_put_metric(s, 1, 1, "valid", true, 1, 4, &x->f));
	fine(x, store_put_metric(s, 1, 1, "valid", false, 0, 4, &x->f));
	fine(x, store_put_metric(s, 1, 1, "other", true, 1, 4, &x->f));
	fine(x, store_put_metric(s, 1, 1, "valid", true, 3, NAN, &x->f));
	fine(x, store_commit(s, &x->f));
	fine(x, store_load_rungs(s, add_rung, text, &x->f));
	fine(x, store_load_metrics(s, "pretrain", "valid", add_metric, text, &x->f));
	fine(x, store_load_metrics(s, "finetune", "valid", add_metric, text, &x->f));
	fine(x, store_load_metrics(s, "finetune", "never", add_metric, text, &x->f));
	assert_string_equal(text, "1 at 0: 4\n1 at 1: 2.5\n2 at 0: 0.5\n1.1 1: 4\n1.1 3: nan\n"
	                          "3.1 1: 0.5\n3.2 2: 0.25\n");
	assert_string_equal(ask(x, s, "SELECT state, value, rung, end_step FROM units WHERE unit = 1"),
	                    "paused|2.5|1|3");
	assert_string_equal(ask(x, s, "SELECT trial, phase, rung, value FROM rungs WHERE trial = 2"),
	                    "2|finetune|0|0.5");
	fine(x, store_begin(s, &x->f));
	fine(x, store_archive_unit(s, 1, &x->f));
	fine(x, store_put_gone(s, 2, 1, &x->f));
	fine(x, store_commit(s, &x->f));
	text[0] = 0;
	fine(x, store_load_rungs(s, add_rung, text, &x->f));
	fine(x, store_load_metrics(s, "pretrain", "valid", add_metric, text, &x->f));
	assert_string_equal(text, "");
	store_close(s);
}

static int add_objective(void *ctx, const struct store_objective *o, struct fault *f)
{
	char *text = ctx;

	(void)f;
	sprintf(text + strlen(text), "%u.%u: %g\n", o->unit, o->number, o->value);
	return 0;
}

static void test_several_metrics_of_a_phase(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	const struct store_trial_objective first = {1, 0, "err", "minimize", 0.5, NAN},
	                                   second = {1, 1, "seconds", "minimize", 12, 3};
	char text[200] = "";
	double value;
	bool found;

	fine(x, store_begin(s, &x->f));
	fine(x, store_put_objective(s, &(struct store_objective){2, 1, 7}, &x->f));
	fine(x, store_put_objective(s, &(struct store_objective){1, 2, 5}, &x->f));
	fine(x, store_put_objective(s, &(struct store_objective){1, 1, 4}, &x->f));
	fine(x, store_put_objective(s, &(struct store_objective){2, 1, 8}, &x->f)); /* done anew */
	fine(x, store_put_trial_objective(s, &first, &x->f));
	fine(x, store_put_trial_objective(s, &second, &x->f));
	fine(x, store_commit(s, &x->f));
	fine(x, store_load_objectives(s, add_objective, text, &x->f));
	assert_string_equal(text, "1.1: 4\n1.2: 5\n2.1: 8\n");
	assert_string_equal(ask(x, s, "SELECT trial, phase, name, goal, value, sd, number FROM objectives"),
	                    "1|pretrain|err|minimize|0.5|-|0\n1|pretrain|seconds|minimize|12|3|1");
	fine(x, store_last_value(s, 3, "valid", &found, &value, &x->f));
	assert_true(found && value == 0.25);
	fine(x, store_last_value(s, 3, "never", &found, &value, &x->f));
	assert_true(!found && isnan(value));
	fine(x, store_begin(s, &x->f));
	fine(x, store_archive_unit(s, 3, &x->f));
	fine(x, store_put_gone(s, 1, 1, &x->f));
	fine(x, store_commit(s, &x->f));
	fine(x, store_last_value(s, 3, "valid", &found, &value, &x->f));
	assert_false(found);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM objectives"), "0");
	store_close(s);
}

/* Candidates are no parents; the winners are; a pick that is void leaves none. */
static void test_a_pick_of_its_own(void **state)
{
	static const struct store_pick pick = {"finetune", "retrain", -1, 2, 0, 0, 0.5, true, 4};
	struct fixture *x = *state;
	struct store *s = job_store(x);
	struct store_trial t = trial_row(4, "retrain", NULL, 0);

	t.candidates = both;
	t.ncandidates = 2;
	t.best_n = 1;
	put_parents(x, s, t);
	assert_string_equal(ask(x, s, names_of_5), "d|4\ne|5");
	assert_non_null(strstr(loaded(x, s), "trial 4 gone 0 best 1 parents among 2 3"));
	fine(x, store_put_pick(s, &pick, &x->f));
	t.parents = two;
	t.nparents = 1;
	put_parents(x, s, t);
	assert_string_equal(ask(x, s, names_of_5), "a|1\nb|2\nd|4\ne|5");
	assert_string_equal(ask(x, s, "SELECT phase, trial, for_trial, for_phase FROM picks"),
	                    "finetune|2|4|retrain");
	assert_non_null(strstr(loaded(x, s), "trial 4 gone 0 best 1 parents 2 among 2 3"));
	assert_non_null(strstr(loaded(x, s), "pick 2 for 4"));
	fine(x, store_drop_pick(s, "finetune", -1, "retrain", &x->f)); /* of the study file: this one stays */
	assert_non_null(strstr(loaded(x, s), "pick 2 for 4"));
	t.nparents = 0;
	put_parents(x, s, t);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM picks"), "0");
	fine(x, store_put_gone(s, 3, 1, &x->f));
	assert_non_null(strstr(loaded(x, s), "trial 4 gone 0 best 1 parents among 2\n"));
	store_close(s);
}

static void test_units_of_a_trial_that_picks(void **state)
{
	struct fixture *x = *state;
	struct store *s = job_store(x);
	struct store_trial t = trial_row(6, "retrain", NULL, 0);

	t.candidates = both;
	t.ncandidates = 2;
	t.best_n = 1;
	fine(x, store_put_trial(s, &t, &x->f));
	assert_string_equal(ask(x, s, "SELECT state FROM units WHERE trial = 6"), "waiting");
	store_close(s);
}

/* ---- facts of a unit ---- */

static void test_facts_of_a_unit(void **state)
{
	static const struct store_unit u = {.unit = 1,
	                                    .state = "waiting",
	                                    .value = NAN,
	                                    .best_step = NAN,
	                                    .resets = 3,
	                                    .pending = 2,
	                                    .priority = -7};
	struct fixture *x = *state;
	struct store *s = job_store(x);

	fine(x, store_put_unit(s, &u, &x->f));
	assert_non_null(strstr(loaded(x, s), "unit 1 waiting resets 3 priority -7 pending 2"));
	assert_string_equal(ask(x, s, "SELECT resets, priority FROM units WHERE unit = 1"), "3|-7");
	store_close(s);
}

/* ---- scheduled phases, and who asked for what ---- */

static void expect_jobs(struct fixture *x, struct store *s, const char *want)
{
	struct arena a = {0};
	const char *jobs;
	size_t n;

	fine(x, store_get_jobs(s, &a, &jobs, &n, &x->f));
	assert_int_equal(n, strlen(want));
	assert_string_equal(jobs, want);
	arena_finish(&a);
}

static void test_jobs(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	const char *name, *text;
	struct arena a = {0};
	size_t n = 9;

	expect_jobs(x, s, "");
	fine(x, store_put_jobs(s, "mine", "jobs: é\n", strlen("jobs: é\n"), &x->f));
	expect_jobs(x, s, "jobs: é\n");
	fine(x, store_get_study(s, &a, &name, &text, &n, &x->f));
	assert_string_equal(name, "mine"); /* a database without a study file */
	assert_int_equal(n, 0);
	fine(x, store_put_study(s, "st", "study: st\n", 10, &x->f));
	expect_jobs(x, s, "jobs: é\n");
	fine(x, store_put_jobs(s, "other", "more", 4, &x->f));
	fine(x, store_get_study(s, &a, &name, &text, &n, &x->f));
	assert_string_equal(name, "st");
	assert_int_equal(n, 10);
	store_close(s);
	s = fixture_open(x, STORE_READ);
	expect_jobs(x, s, "more");
	store_close(s);
	arena_finish(&a);
}

static void expect_audit(struct fixture *x, struct store *s, const char *request, bool want)
{
	bool found = !want;

	fine(x, store_find_audit(s, request, &found, &x->f));
	assert_int_equal(found, want);
}

static void test_audit(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);

	expect_audit(x, s, "r1", false);
	fine(x, store_begin(s, &x->f));
	fine(x, store_put_audit(s, 1000, "me", "reset unit=1", 4, "r1", &x->f));
	fine(x, store_put_audit(s, 2000, NULL, "run", 0, NULL, &x->f));
	fine(x, store_commit(s, &x->f));
	expect_audit(x, s, "r1", true);
	expect_audit(x, s, "r", false);
	expect_audit(x, s, "", false);
	assert_string_equal(ask(x, s, "SELECT at, who, command, units FROM audit ORDER BY at"),
	                    "1|me|reset unit=1|4\n2|-|run|0");
	store_close(s);
}

/* ---- a database of before ---- */

static void test_second_format(void **state)
{
	struct fixture *x = *state;
	struct store *s;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(x->db, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	assert_int_equal(store_migrate(db, 0, store_migrations, 2), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
	        db,
	        "INSERT INTO study(one, name, text) VALUES(1, 'st', 'text');"
	        "INSERT INTO phase(phase, name) VALUES(0, 'a'), (1, 'b');"
	        "INSERT INTO trial(trial, phase, outer_fold, k, key_hi, key_lo, first_unit, nunits, "
	        "first_fold) VALUES(1, 0, -1, 0, 1, 1, 1, 1, -1), (2, 1, -1, 0, 1, 2, 2, 1, -1);"
	        "INSERT INTO lineage VALUES(2, 1, 0);"
	        "INSERT INTO unit(unit, trial, fold, state, attempts, value) VALUES(1, 1, -1, 'done', 1, "
	        "0.5), (2, 2, -1, 'ready', 0, NULL);"
	        "INSERT INTO pick(phase, child_phase, outer_fold, trial, bucket, rank, value, last) "
	        "VALUES(0, 1, -1, 1, 0, 0, 0.5, 1);"
	        "INSERT INTO attempt(unit, attempt, run, rank, begun_ms) VALUES(1, 1, 1, 1, 500);"
	        "INSERT INTO metric_name VALUES(1, 'loss');"
	        "INSERT INTO metric VALUES(1, 1, 1, 0, 5, 0.5, 7000);"
	        "INSERT INTO audit_log(at_ms, who, command, units) VALUES(1000, 'me', 'run', 0);"
	        "COMMIT",
	        NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	s = fixture_open(x, STORE_WRITE);
	assert_string_equal(loaded(x, s), "trial 1 gone 0 best 0 parents among\n"
	                                  "trial 2 gone 0 best 0 parents 1 among\n"
	                                  "pick 1 for 0\n"
	                                  "unit 1 done resets 0 priority 0 pending 0\n"
	                                  "unit 2 ready resets 0 priority 0 pending 0");
	assert_string_equal(ask(x, s, "SELECT value, at FROM metrics"), "0.5|7"); /* nothing is put away */
	assert_string_equal(ask(x, s, "SELECT archived FROM attempts"), "0");
	assert_string_equal(ask(x, s, "SELECT trial, for_trial FROM picks"), "1|2");
	assert_string_equal(ask(x, s, "SELECT command FROM audit"), "run");
	expect_jobs(x, s, "");
	store_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_drop)
/* ---- observations from elsewhere ---- */

static int note_prior(void *ctx, const struct store_prior *p, struct fault *f)
{
	char line[96];

	(void)f;
	snprintf(line, sizeof line, "%s%s %d %g %.*s", *(char *)ctx ? "\n" : "", p->phase, p->outer, p->value,
	         (int)p->at_bytes, (const char *)p->at);
	append(ctx, 4096, line);
	return 0;
}

static bool put_prior(struct fixture *x, struct store *s, uint64_t key, int32_t outer, double value,
                      const char *at)
{
	const struct store_prior p = {.phase = "finetune",
	                              .outer = outer,
	                              .key_hi = UINT64_MAX,
	                              .key_lo = key,
	                              .value = value,
	                              .at = at,
	                              .at_bytes = strlen(at),
	                              .params_json = "{}",
	                              .source = "x.csv",
	                              .now_ms = 2000};
	bool added;

	fine(x, store_put_prior(s, &p, &added, &x->f));
	return added;
}

static void test_priors(void **state)
{
	struct fixture *x = *state;
	struct store *s = small_store(x);
	char text[4096] = "";
	uint32_t n;
	bool found;

	fine(x, store_begin(s, &x->f));
	assert_true(put_prior(x, s, 1, -2, 0.5, "a"));
	assert_true(put_prior(x, s, 2, 0, -1e300, "bc"));
	assert_false(put_prior(x, s, 1, -2, 0.5, "a"));
	fine(x, store_commit(s, &x->f));
	fine(x, store_load_priors(s, note_prior, text, &x->f));
	assert_string_equal(text, "finetune -2 0.5 a\nfinetune 0 -1e+300 bc");
	fine(x, store_find_prior(s, "finetune", UINT64_MAX, 2, &found, &x->f));
	assert_true(found);
	fine(x, store_find_prior(s, "finetune", UINT64_MAX, 3, &found, &x->f));
	assert_false(found);
	fine(x, store_find_prior(s, "pretrain", UINT64_MAX, 2, &found, &x->f));
	assert_false(found);
	assert_string_equal(ask(x, s, "SELECT phase, params, value, source, at, outer_fold FROM priors"),
	                    "finetune|{}|0.5|x.csv|2|-\nfinetune|{}|-1e+300|x.csv|2|0");
	fine(x, store_drop_priors(s, "pretrain", &n, &x->f));
	assert_int_equal(n, 0);
	fine(x, store_count_priors(s, "finetune", &n, &x->f));
	assert_int_equal(n, 2);
	fine(x, store_drop_priors(s, "finetune", &n, &x->f));
	assert_int_equal(n, 2);
	fine(x, store_count_priors(s, "finetune", &n, &x->f));
	assert_int_equal(n, 0);
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_archive),
	    T(test_gone),
	    T(test_void_pick),
	    T(test_more_parents),
	    T(test_rungs_and_metrics),
	    T(test_several_metrics_of_a_phase),
	    T(test_a_pick_of_its_own),
	    T(test_units_of_a_trial_that_picks),
	    T(test_facts_of_a_unit),
	    T(test_jobs),
	    T(test_audit),
	    T(test_priors),
	    T(test_second_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
