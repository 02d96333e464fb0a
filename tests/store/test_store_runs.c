/* Runs that meet or die: who may write, what a killed one leaves, what a reader sees meanwhile. */
#include "fixture.h"

#include "rng.h"
#include "store_private.h"

#include <signal.h>
#include <sys/wait.h>

/* ---- a child that writes whole transactions until it is killed ---- */

/* Transaction number n: trial n with its two units, and for each an attempt with three metrics. */
static int put_whole(struct fixture *x, struct store *s, uint32_t n, uint64_t run)
{
	const struct store_trial t = {.trial = n,
	                              .phase = "pretrain",
	                              .own_json = "{\"lr\":1}",
	                              .params_json = "{\"lr\":1}",
	                              .first_unit = 2 * n,
	                              .nunits = 2};

	if (store_begin(s, &x->f) != 0 || store_put_trial(s, &t, &x->f) != 0)
		return -1;
	for (uint32_t unit = 2 * n; unit < 2 * n + 2; unit++) {
		const struct store_attempt_begin b = {unit, 1, 1, run, "./train", 1};
		const struct store_unit u = {.unit = unit, .state = "running", .attempts = 1};

		if (store_begin_attempt(s, &b, &x->f) != 0 || store_put_unit(s, &u, &x->f) != 0)
			return -1;
		for (int step = 0; step < 3; step++)
			if (store_put_metric(s, unit, 1, "loss", true, step, 1, &x->f) != 0)
				return -1;
	}
	return store_commit(s, &x->f);
}

static uint32_t stored_trials(struct fixture *x, struct store *s)
{
	return (uint32_t)strtoul(ask(x, s, "SELECT count(*) FROM trials"), NULL, 10);
}

/* Tells `to` the number of each transaction that is committed. */
static _Noreturn void write_for_ever(struct fixture *x, bool network, int to)
{
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	uint64_t run = 0;
	struct store *s;

	o.network = network;
	o.wait_ms = 5000;
	if (store_open(x->db, &o, &s, &x->f) != 0)
		_exit(1);
	put_small_phases(x, s);
	if (store_begin_run(s, 2, "node1", 1, 1, &run, &x->f) != 0)
		_exit(2);
	for (uint32_t n = stored_trials(x, s) + 1;; n++)
		if (put_whole(x, s, n, run) != 0 || write(to, &n, sizeof n) != sizeof n)
			_exit(3);
}

struct writer {
	pid_t pid;
	int from;
};

static struct writer start_writer(struct fixture *x, bool network)
{
	struct writer w;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	w.pid = fork();
	assert_true(w.pid >= 0);
	if (w.pid == 0) {
		close(fds[0]);
		write_for_ever(x, network, fds[1]);
	}
	close(fds[1]);
	w.from = fds[0];
	return w;
}

static uint32_t next_commit(const struct writer *w)
{
	uint32_t n = 0;

	assert_int_equal(read(w->from, &n, sizeof n), sizeof n);
	return n;
}

/* The last commit that was told before it died. */
static uint32_t kill_writer(const struct writer *w, uint32_t last)
{
	uint32_t n;
	int status;

	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(w->from, &n, sizeof n) == sizeof n)
		last = n;
	close(w->from);
	return last;
}

/* Whole transactions only: n trials and all that belongs to them. */
static uint32_t expect_whole(struct fixture *x, struct store *s)
{
	uint32_t n;
	char got[128], want[128];

	snprintf(
	    got, sizeof got, "%s",
	    ask(x, s,
	        "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM units WHERE state = 'running'), "
	        "(SELECT count(*) FROM attempts), (SELECT count(*) FROM metrics)"));
	n = (uint32_t)strtoul(got, NULL, 10);
	snprintf(want, sizeof want, "%u|%u|%u|%u", n, 2 * n, 2 * n, 6 * n);
	assert_string_equal(got, want);
	return n;
}

static void kills(struct fixture *x, bool network, int rounds)
{
	struct rng rng;

	rng_seed(&rng, 5 + network);
	for (int i = 0; i < rounds; i++) {
		struct writer w = start_writer(x, network);
		uint32_t commits = 1 + (uint32_t)rng_below(&rng, 20), last = 0, n;
		/* Some way into the next transaction. */
		volatile uint64_t spin = rng_below(&rng, 200000);
		struct store *s;

		while (commits--)
			last = next_commit(&w);
		while (spin)
			spin--;
		last = kill_writer(&w, last);
		s = fixture_open(x, STORE_READ);
		n = expect_whole(x, s);
		expect_integrity(s);
		store_close(s);
		/* What was told is there; at most one more was committed and not told. */
		assert_in_range(n, last, last + 1);
	}
}

static void test_kill(void **state)
{
	kills(*state, false, 25);
}

static void test_kill_network(void **state)
{
	kills(*state, true, 10);
}

/* A reader sees whole transactions, ever more of them, and the writer goes on while it looks. */
static void test_read_during_run(void **state)
{
	struct fixture *x = *state;
	struct writer w = start_writer(x, false);
	uint32_t last = next_commit(&w), seen = 0;
	struct store *s = fixture_open(x, STORE_READ);

	for (int i = 0; i < 20; i++) {
		struct store_rows *r;
		uint32_t n;

		fine(x, store_select(s, "SELECT * FROM units", NULL, &r, &x->f));
		assert_int_equal(store_next(r, &x->f), 1);
		for (int k = 0; k < 5; k++)
			last = next_commit(&w);
		store_rows_close(r);
		n = expect_whole(x, s);
		assert_true(n >= last && n >= seen);
		seen = n;
	}
	kill_writer(&w, last);
	store_close(s);
}

/* ---- who may write ---- */

static int try_write(struct fixture *x, struct store_open_options *o)
{
	struct store *s;
	int rc = store_open(x->db, o, &s, &x->f);

	store_close(s);
	return rc;
}

static void test_second_writer(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	struct store *s = fixture_open(x, STORE_WRITE);
	char who[64];
	bool busy = false;

	snprintf(who, sizeof who, "study.db is in use by a run on node1, pid %ld, since 20", (long)getpid());
	o.host = "node2";
	o.busy = &busy;
	refused(x, try_write(x, &o), FAULT_IO, who);
	assert_true(busy);
	o.busy = NULL;
	o.wait_ms = 60;
	refused(x, try_write(x, &o), FAULT_IO, who);
	/* The refused one has not touched the holder's row. */
	assert_string_equal(ask(x, s, "SELECT host FROM owner"), "node1");
	fine(x, store_put_audit(s, 1, "me", "still here", 0, NULL, &x->f));
	store_close(s);
	busy = false;
	o.busy = &busy;
	fine(x, try_write(x, &o));
	o.lock_path = "/nonexistent/lock";
	refused(x, try_write(x, &o), FAULT_IO, "cannot open the lock file");
	assert_false(busy); /* that is no other writer */
}

/* The lock dies with its holder, however that dies; one who waits then gets it. */
static void test_holder_goes_away(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	struct writer w = start_writer(x, false);
	uint32_t last = next_commit(&w);
	char who[64];

	snprintf(who, sizeof who, "pid %ld, since", (long)w.pid);
	refused(x, try_write(x, &o), FAULT_IO, who);
	kill(w.pid, SIGKILL);
	o.wait_ms = 5000;
	fine(x, try_write(x, &o));
	kill_writer(&w, last);
}

/* A program that reads for ever is not waited for for ever; its name for the user is "another program". */
static void test_reader_in_the_way(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	sqlite3_stmt *st;
	struct store *s;
	sqlite3 *db;

	o.network = true;
	fine(x, store_open(x->db, &o, &s, &x->f));
	put_small_phases(x, s);
	assert_int_equal(sqlite3_open(x->db, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM phases", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	sqlite3_busy_timeout(s->db, 0);
	fine(x, store_begin(s, &x->f));
	put_small_trials(x, s);
	refused(x, store_commit(s, &x->f), FAULT_IO, "cannot commit: another program has kept it locked");
	sqlite3_finalize(st);
	sqlite3_close(db);
	refused(x, store_commit(s, &x->f), FAULT_IO, "cannot commit: another program has kept it locked");
	store_close(s);
	s = fixture_open(x, STORE_READ);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "0");
	store_close(s);
}

/* ---- where locks are not seen by others: the owner's row ---- */

static void hold_and_die(struct fixture *x, int64_t last_seen_ms)
{
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct store *s;
		uint64_t run;

		o.network = true;
		_exit(store_open(x->db, &o, &s, &x->f) != 0 ||
		      store_begin_run(s, 1, "node1", 1, o.now_ms, &run, &x->f) != 0 ||
		      store_touch_run(s, run, last_seen_ms, &x->f) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static const struct {
	const char *host;
	bool network;
	int64_t later_ms;
	bool refused;
} owner_rows[] = {
    {"node2", true, 59000, true},  /* may be alive */
    {"node2", true, -30000, true}, /* our clock is behind */
    {"node2", true, 61000, false}, /* silent for a minute */
    {"node1", true, 1000, false},  /* this machine's locks are seen: it is dead */
    {"node2", false, 1000, false}, /* a copy of a database on a local disk */
};

static void test_owner_row(void **state)
{
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof owner_rows / sizeof owner_rows[0]; i++) {
		struct store_open_options o = fixture_options(x, STORE_WRITE);
		int64_t seen = o.now_ms + 100000;
		bool busy = false;

		hold_and_die(x, seen);
		o.host = owner_rows[i].host;
		o.network = owner_rows[i].network;
		o.now_ms = seen + owner_rows[i].later_ms;
		o.busy = &busy;
		if (owner_rows[i].refused)
			refused(x, try_write(x, &o), FAULT_IO, "is in use by a run on node1, pid ");
		else
			fine(x, try_write(x, &o));
		assert_int_equal(busy, owner_rows[i].refused);
	}
}

static void test_owner_signs_off(void **state)
{
	struct fixture *x = *state;
	struct store_open_options o = fixture_options(x, STORE_WRITE);

	o.network = true;
	fine(x, try_write(x, &o));
	o.host = "node2";
	fine(x, try_write(x, &o));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_drop)
	const struct CMUnitTest tests[] = {
	    T(test_kill),          T(test_kill_network),     T(test_read_during_run),
	    T(test_second_writer), T(test_holder_goes_away), T(test_reader_in_the_way),
	    T(test_owner_row),     T(test_owner_signs_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
