/* The whole program, as it is, on a virtual cluster (world.h): whatever befalls it, the invariants hold.
 *
 *   SEED=17 build/tests/sim/test_sim     this history alone, told line by line
 *   SEEDS=100 ..                          so many (FIRST=n: from n on)
 *   SOAK_SECONDS=600 ..                   for so long, with new seeds (FIRST=n: from n on, else by the clock)
 */
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#if defined(__SANITIZE_ADDRESS__)
enum { SEEDS = 1000 }; /* each takes ten times as long */
#else
enum { SEEDS = 10000 };
#endif
enum { MAX_LAUNCHES = 40, MAX_PROCESSES = 64 };

/* Histories that once went wrong: always told again. A change of what is told here changes them all; then the
 * patch that plants the mistake again (tests/sim/mutants) finds another one. */
static const uint64_t remembered[] = {
    797,  /* `schedule` after trials that wait to be deleted: deleted-trials-can-be-parents */
    3287, /* requests to a run that is over: a-run-that-is-over-takes-requests */
};

/* ---- one history -----------------------------------------------------------------------------------------
 */
static void any_cluster(uint32_t *nranks, uint32_t *node_of)
{
	*nranks = chance(150) ? 1 : (uint32_t)between(2, MAX_RANKS - 2);
	node_of[0] = 0;
	for (uint32_t r = 1; r < *nranks; r++)
		node_of[r] = chance(600) ? node_of[r - 1] : node_of[r - 1] + 1;
}

static bool is_over(void)
{
	if (w.wrong[0] || w.launch >= MAX_LAUNCHES)
		return true;
	if (!w.leader_done || w.verdict.code == FAULT_STOPPED)
		return false;
	return w.verdict.code != FAULT_WORKER && !strstr(w.verdict.text, "no worker") && !w.set.requests;
}

static void run_study(void)
{
	oracle_reset();
	users_reset();
	children_forget();
	do {
		uint32_t nranks, node_of[MAX_RANKS];

		any_cluster(&nranks, node_of);
		world_launch(nranks, node_of);
		if (w.set.users)
			users_alone(w.leader_done && w.verdict.code != FAULT_STOPPED);
		w.now_ms += between(0, 5000);
	} while (!is_over());
	if (w.launch >= MAX_LAUNCHES)
		wrong("the study does not come to an end");
}

static void begin_seed(uint64_t seed, bool tracing)
{
	struct bytes trace = w.trace;

	arena_reset(&w.arena);
	w.trace = trace;
	bytes_clear(&w.trace);
	w.tracing = tracing;
	w.seed = seed;
	w.set = (struct setting){0};
	w.wrong[0] = 0;
	w.now_ms = 1000;
	w.epoch_off = 0;
	w.order = w.turns = 0;
	w.launch = 0;
	w.current = NOBODY;
	rng_seed(&w.rng, seed);
}

/* The same study on two clusters, in peace: the same trials. */
static void same_on_another(void)
{
	const char *first = oracle_trials(&w.arena), *second;
	bool ends_early = strstr(w.verdict.text, "alike") != NULL;

	w.launch = 0;
	w.turns = 0;
	tell("the same study on another cluster");
	run_study();
	second = oracle_trials(&w.arena);
	if (!ends_early && !strstr(w.verdict.text, "alike") && strcmp(first, second) != 0)
		wrong("another cluster makes other trials");
}

static bool holds(uint64_t seed, bool tracing)
{
	uint64_t kind = seed % 10;
	bool same = kind == 9;

	begin_seed(seed, tracing);
	study_make(&w.set, &w.arena, &w.rng, same);
	tell("the study:\n%s", w.set.text);
	w.set.trouble = kind < 8;
	w.set.users = kind >= 6 && kind < 9;
	w.set.requests = w.set.users ? (uint32_t)between(1, 8) : 0;
	run_study();
	if (same && !w.wrong[0])
		same_on_another();
	return !w.wrong[0];
}

/* Once more, this time told. */
static void explain(uint64_t seed)
{
	char first[sizeof w.wrong];

	memcpy(first, w.wrong, sizeof first);
	if (holds(seed, true) || strcmp(first, w.wrong) != 0)
		printf("# SEED=%" PRIu64 " is another history each time: %s\n", seed, w.wrong);
	printf("%.*s", (int)w.trace.len, (const char *)w.trace.data);
	printf("# SEED=%" PRIu64 ": %s\n# again: SEED=%" PRIu64 " build/tests/sim/test_sim\n", seed, first,
	       seed);
	fflush(stdout);
}

static bool one(uint64_t seed)
{
	if (holds(seed, false))
		return true;
	explain(seed);
	return false;
}

/* ---- many, in several processes --------------------------------------------------------------------------
 */
static void make_folder(void)
{
	/* in memory, where that can be: locks and requests are files */
	snprintf(w.out_dir, sizeof w.out_dir, "%s/ranksweep-sim-XXXXXX",
	         access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	snprintf(w.db_path, sizeof w.db_path, "/sim.db");
	if (!mkdtemp(w.out_dir))
		fail_msg("no folder: %s", strerror(errno));
}

static void remove_folder(void)
{
	char path[128];

	users_reset();
	snprintf(path, sizeof path, "%s/inbox", w.out_dir);
	rmdir(path);
	snprintf(path, sizeof path, "%s/lock", w.out_dir);
	unlink(path);
	if (rmdir(w.out_dir))
		printf("# %s: %s\n", w.out_dir, strerror(errno));
}

static void finish(void)
{
	database_finish();
	users_finish();
	remove_folder();
	arena_finish(&w.arena);
	bytes_finish(&w.trace);
	free(w.list);
	w.list = NULL;
	w.cap_list = 0;
}

struct share {
	uint64_t from, step, to;
	time_t until; /* 0: no limit */
	uint64_t *at; /* the seed at work, for whoever finds us dead */
};

/* cmocka would go on in its own way, on whatever stack that is. */
static void die_as_usual(void)
{
	static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_DFL);
}

static int run_share(const struct share *s)
{
	int bad = 0;
	uint64_t n = 0;

	die_as_usual();
	make_folder();
	for (uint64_t seed = s->from; seed < s->to && !bad && (!s->until || time(NULL) < s->until);
	     seed += s->step, n++) {
		*s->at = seed;
		bad = !one(seed);
	}
	finish();
	printf("# %" PRIu64 " histories from seed %" PRIu64 " on, every %" PRIu64 ". one: %" PRIu64
	       " launches, %" PRIu64 " ended by a death, %" PRIu64 " programs, %" PRIu64 " commits, %" PRIu64
	       " requests, %" PRIu64 " frames without news\n",
	       n, s->from, s->step, w.count.launches, w.count.deaths, w.count.starts, w.count.commits,
	       w.count.requests, w.count.again);
	fflush(stdout);
	return bad;
}

static void run_shares(uint64_t from, uint64_t count, time_t until)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[MAX_PROCESSES];
	uint64_t n = cpus < 1 ? 1 : cpus > MAX_PROCESSES ? MAX_PROCESSES : (uint64_t)cpus;
	uint64_t *at =
	    mmap(NULL, sizeof *at * MAX_PROCESSES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool fine = true;

	assert_true(at != MAP_FAILED);

	fflush(stdout);
	for (uint64_t i = 0; i < n; i++) {
		const struct share s = {from + i, n, from + count, until, &at[i]};

		pids[i] = fork();
		if (pids[i] == 0)
			_exit(run_share(&s));
		assert_true(pids[i] > 0);
	}
	for (uint64_t i = 0; i < n; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		fine = fine && status == 0;
		if (WIFSIGNALED(status))
			printf("# SEED=%" PRIu64 ": ended by signal %d\n", at[i], WTERMSIG(status));
	}
	munmap(at, sizeof *at * MAX_PROCESSES);
	if (!fine)
		fail_msg("an invariant does not hold");
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void invariants_hold(void **state)
{
	uint64_t soak = number("SOAK_SECONDS", 0);

	(void)state;
	if (soak)
		run_shares(number("FIRST", (uint64_t)time(NULL) * 1000000), UINT64_MAX / 4,
		           time(NULL) + (time_t)soak);
	else
		run_shares(number("FIRST", 1), number("SEEDS", SEEDS), 0);
}

static void old_mistakes_stay_mended(void **state)
{
	bool fine = true;

	(void)state;
	die_as_usual();
	make_folder();
	for (size_t i = 0; i < sizeof remembered / sizeof *remembered; i++)
		fine = one(remembered[i]) && fine;
	finish();
	assert_true(fine);
}

/* ---- a day ----------------------------------------------------------------------------------------------
 */
/* Of this process, which has all ranks; what SQLite has is the database itself, which is in memory here. */
static struct {
	size_t heap, first_heap;
	uint32_t hours, descriptors, first_descriptors;
} used;

static uint32_t count_descriptors(void)
{
	uint32_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void look_at_use(void)
{
	struct mallinfo2 m = mallinfo2();

	used.heap = m.uordblks + m.hblkhd - (size_t)sqlite3_memory_used();
	used.descriptors = count_descriptors();
	if (used.hours++ == 2) { /* all trials are drawn */
		used.first_heap = used.heap;
		used.first_descriptors = used.descriptors;
	}
}

static void a_day_is_not_noticed(void **state)
{
	static const char text[] = "study: day\nmetric: loss\ngoal: minimize\nseed: 5\nphases:\n  a:\n"
	                           "    command: train {args}\n    params: {x: \"uniform(0, 1)\"}\n"
	                           "    search: random\n    trials: 270\n    cpus: 2\n";
	const uint32_t nodes[] = {0, 0};

	(void)state;
	die_as_usual();
	make_folder();
	begin_seed(1, false);
	w.set = (struct setting){
	    .slow = true, .each_hour = look_at_use, .text = text, .text_bytes = sizeof text - 1};
	oracle_reset();
	users_reset();
	children_forget();
	world_launch(2, nodes);
	finish();
	assert_string_equal(w.wrong, "");
	assert_true(w.leader_done);
	assert_true(used.hours >= 24);
	printf("# after %u hours %zu bytes more, and %u descriptors\n", used.hours,
	       used.heap - used.first_heap, used.descriptors);
	assert_int_equal(used.descriptors, used.first_descriptors);
	/* What the allocator adds to SQLite's rows, and room for more trials; 70,000 beats with 10 bytes each
	 * would be more. */
	assert_true(used.heap < used.first_heap + 700000);
}

static void this_seed(void **state)
{
	bool fine;

	(void)state;
	die_as_usual();
	make_folder();
	fine = holds(number("SEED", 1), true);
	printf("%.*s", (int)w.trace.len, (const char *)w.trace.data);
	finish();
	assert_true(fine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(old_mistakes_stay_mended),
	    cmocka_unit_test(invariants_hold),
	    cmocka_unit_test(a_day_is_not_noticed),
	};
	const struct CMUnitTest single[] = {cmocka_unit_test(this_seed)};

	/* What the program says to people; sanitizers write to descriptor 2 itself. */
	stderr = fopen("/dev/null", "w");
	unsetenv("CUDA_VISIBLE_DEVICES");
	return getenv("SEED") ? cmocka_run_group_tests(single, NULL, NULL)
	                      : cmocka_run_group_tests(tests, NULL, NULL);
}
