/* A disk that fails in the middle of its work, and a file that goes away under us: what was acknowledged is
 * there afterwards, and the database is sound. */
#include "fixture.h"

enum { TRIALS = 40 };

/* ---- a file system that fails at its n-th write, sync, truncation or read ------------------------------ */
static struct {
	sqlite3_vfs vfs, *real;
	int64_t left; /* operations until all fail; < 0: never */
	int64_t done;
	bool reads;
} shim;

struct shim_file {
	sqlite3_file base;
	sqlite3_file *real;
};

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct shim_file *)f)->real;
}

static bool fails(void)
{
	shim.done++;
	if (shim.left > 0)
		shim.left--;
	return shim.left == 0;
}

static int shim_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	if (shim.reads && fails())
		return SQLITE_IOERR_READ;
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

/* Half of it is on the disk: the worst of both. */
static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (!fails())
		return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
	real_of(f)->pMethods->xWrite(real_of(f), p, n / 2, at);
	return SQLITE_IOERR_WRITE;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	return fails() ? SQLITE_IOERR_TRUNCATE : real_of(f)->pMethods->xTruncate(real_of(f), n);
}

/* Nobody cuts the power here: no need to wait for a real disk. */
static int shim_sync(sqlite3_file *f, int flags)
{
	(void)f, (void)flags;
	return fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int shim_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *p)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, p);
}

static int shim_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int shim_traits(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int shim_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void shim_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_unmap(sqlite3_file *f, int drop)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), drop);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_traits,
    .xShmMap = shim_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_barrier,
    .xShmUnmap = shim_unmap,
};

static int shim_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct shim_file *x = (struct shim_file *)f;
	int rc;

	(void)v;
	x->real = (sqlite3_file *)(x + 1);
	rc = shim.real->xOpen(shim.real, name, x->real, flags, out);
	x->base.pMethods = x->real->pMethods ? &methods : NULL;
	return rc;
}

/* Nothing fails until it is told to. */
static void shim_begin(void)
{
	shim.left = -1;
	shim.done = 0;
	shim.reads = false;
	shim.real = sqlite3_vfs_find("unix");
	shim.vfs = *shim.real;
	shim.vfs.zName = "shim";
	shim.vfs.szOsFile = (int)sizeof(struct shim_file) + shim.real->szOsFile;
	shim.vfs.xOpen = shim_open;
	assert_int_equal(sqlite3_vfs_register(&shim.vfs, 1), SQLITE_OK);
}

static void shim_end(void)
{
	sqlite3_vfs_unregister(&shim.vfs);
}

/* ---- the work of a run --------------------------------------------------------------------------------- */
static int put_trial(struct fixture *x, struct store *s, uint32_t trial)
{
	const struct store_trial t = {trial,          "pretrain", -1,    trial, trial, 0,    NULL, 0, "a", 1,
	                              "{\"lr\":0.1}", NULL,       trial, 1,     -1,    NULL, 0,    0, 0};
	const struct store_attempt_begin begin = {trial, 1, 1, 1, "./dbn pre", 1700000000000};
	const struct store_unit done = {
	    .unit = trial, .state = "done", .reason = "", .attempts = 1, .value = 0.5, .best_step = NAN};

	if (store_begin(s, &x->f) || store_put_trial(s, &t, &x->f) || store_begin_attempt(s, &begin, &x->f) ||
	    store_put_metric(s, trial, 1, "recon", true, 1, 0.5, &x->f) || store_put_unit(s, &done, &x->f))
		return -1;
	return store_commit(s, &x->f);
}

/* How many were acknowledged. */
static uint32_t work(struct fixture *x, bool network)
{
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	struct store *s = NULL;
	uint32_t n = 0;

	o.network = network;
	if (store_open(x->db, &o, &s, &x->f) == 0 && store_begin(s, &x->f) == 0) {
		int bad = store_put_study(s, "small", "text", 4, &x->f);

		for (uint32_t i = 0; i < 2 && !bad; i++)
			bad = store_put_phase(s,
			                      &(struct store_phase){i, i ? "finetune" : "pretrain", "recon",
			                                            "minimize", "mean", "none", "grid", "x"},
			                      &x->f);
		if (!bad && store_commit(s, &x->f) == 0)
			while (n < TRIALS && put_trial(x, s, n + 1) == 0)
				n++;
	}
	store_close(s);
	return n;
}

static void expect_all(struct fixture *x, uint32_t acknowledged, int64_t at)
{
	struct store *s = fixture_open(x, STORE_WRITE);
	uint32_t there = 0;

	expect_integrity(s);
	sscanf(ask(x, s, "SELECT count(*) FROM units WHERE state = 'done'"), "%u", &there);
	/* the last commit may be there without a word of it */
	if (there < acknowledged || there > acknowledged + 1)
		fail_msg("failing from operation %lld on: %u acknowledged, %u there", (long long)at,
		         acknowledged, there);
	store_close(s);
}

static void fail_everywhere(struct fixture *x, bool network, bool reads)
{
	int64_t all;

	shim_begin();
	shim.reads = reads;
	assert_int_equal(work(x, network), TRIALS);
	all = shim.done;
	shim_end();
	for (int64_t at = 1; at < all; at += 1 + all / 60) {
		uint32_t n;

		remove(x->db);
		shim_begin();
		shim.reads = reads;
		shim.left = at;
		n = work(x, network);
		if (n < TRIALS && x->f.code != FAULT_IO)
			fail_msg("failing from operation %lld on: %s", (long long)at, x->f.text);
		shim_end();
		expect_all(x, n, at);
	}
}

static void test_writes_fail(void **state)
{
	fail_everywhere(*state, false, false);
}

static void test_writes_fail_network(void **state)
{
	fail_everywhere(*state, true, false);
}

static void test_reads_fail(void **state)
{
	fail_everywhere(*state, false, true);
}

/* ---- the file goes away -------------------------------------------------------------------------------- */
static void taken_away(struct fixture *x, const char *to)
{
	char rescued[128];
	struct store *s = fixture_open(x, STORE_WRITE);

	snprintf(rescued, sizeof rescued, "%s.rescued", x->db);
	fine(x, store_begin(s, &x->f));
	put_small_phases(x, s);
	fine(x, store_commit(s, &x->f));
	fine(x, put_trial(x, s, 1));
	assert_int_equal(to ? rename(x->db, to) : remove(x->db), 0);
	refused(x, put_trial(x, s, 2), FAULT_IO, "was removed or replaced while it was in use");
	assert_non_null(strstr(x->f.text, rescued));
	refused(x, put_trial(x, s, 3), FAULT_IO, "was removed or replaced"); /* and nothing after it */
	store_close(s);
	assert_int_equal(rename(rescued, x->db), 0); /* beside it is nothing that belonged to the other one */
	s = fixture_open(x, STORE_WRITE);
	expect_integrity(s);
	assert_string_equal(ask(x, s, "SELECT count(*), sum(state = 'done') FROM units"), "2|2");
	fine(x, put_trial(x, s, 3));
	store_close(s);
}

static void test_removed(void **state)
{
	taken_away(*state, NULL);
}

static void test_renamed(void **state)
{
	struct fixture *x = *state;
	char to[128];

	snprintf(to, sizeof to, "%s/other.db", x->dir);
	taken_away(x, to);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_new, fixture_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_writes_fail), T(test_writes_fail_network), T(test_reads_fail), T(test_removed),
	    T(test_renamed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
