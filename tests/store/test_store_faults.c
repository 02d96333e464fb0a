/* What can be wrong with a file or a disk: each is refused in words, nothing crashes, nothing is lost. */
#include "fixture.h"

#include "rng.h"
#include "store_private.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int try_open(struct fixture *x, enum store_mode mode, const char *path)
{
	struct store_open_options o = fixture_options(x, mode);
	struct store *s;
	int rc = store_open(path, &o, &s, &x->f);

	assert_true(rc == 0 ? s != NULL : s == NULL);
	store_close(s);
	return rc;
}

static void write_bytes(const char *path, const void *p, size_t n)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(p, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static size_t read_bytes(const char *path, unsigned char *p, size_t cap)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	assert_non_null(file);
	n = fread(p, 1, cap, file);
	fclose(file);
	return n;
}

static void run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void put_small(struct fixture *x)
{
	struct store *s = fixture_open(x, STORE_WRITE);

	fine(x, store_begin(s, &x->f));
	fine(x, store_put_study(s, "small", "text", 4, &x->f));
	put_small_phases(x, s);
	put_small_trials(x, s);
	fine(x, store_commit(s, &x->f));
	store_close(s);
}

/* ---- files that are not ours ---- */

static void test_missing(void **state)
{
	struct fixture *x = *state;
	char path[160];

	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, "study.db: cannot open it: No such file");
	assert_int_equal(access(x->db, F_OK), -1);
	snprintf(path, sizeof path, "%s/no/study.db", x->dir);
	refused(x, try_open(x, STORE_WRITE, path), FAULT_IO, "No such file or directory");
	refused(x, try_open(x, STORE_READ, x->dir), FAULT_IO, "it is a folder");
	refused(x, try_open(x, STORE_WRITE, x->dir), FAULT_IO, "it is a folder");
}

static void test_empty(void **state)
{
	struct fixture *x = *state;

	write_bytes(x->db, "", 0);
	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, "there is no study in it yet");
	fine(x, try_open(x, STORE_WRITE, x->db));
	fine(x, try_open(x, STORE_READ, x->db));
}

/* Refused, and not a byte of it changed. */
static void expect_foreign(struct fixture *x, const char *part)
{
	static unsigned char before[1 << 20], after[1 << 20];
	size_t n = read_bytes(x->db, before, sizeof before);

	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, part);
	refused(x, try_open(x, STORE_WRITE, x->db), FAULT_IO, part);
	assert_int_equal(read_bytes(x->db, after, sizeof after), n);
	assert_memory_equal(before, after, n);
}

static void test_foreign(void **state)
{
	static const char text[] = "study: not a database\n";
	struct fixture *x = *state;

	write_bytes(x->db, text, sizeof text);
	expect_foreign(x, "it is not a ranksweep database");
	remove(x->db);
	run_sql(x->db, "CREATE TABLE cats(name)");
	expect_foreign(x, "database of another program");
	remove(x->db);
	run_sql(x->db, "PRAGMA application_id = 7");
	expect_foreign(x, "database of another program");
}

static void test_newer(void **state)
{
	struct fixture *x = *state;

	put_small(x);
	run_sql(x->db, "PRAGMA user_version = 4711");
	expect_foreign(x, "a newer ranksweep wrote it (format 4711, this one knows up to");
}

/* ---- migrations ---- */

static int64_t ask_int(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	int64_t v;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

static void test_migration(void **state)
{
	int now = store_newest_version();
	const struct store_migration steps[] = {
	    {now, "this step is in the past and never runs"},
	    {now + 1, "ALTER TABLE unit ADD COLUMN times INTEGER NOT NULL DEFAULT 0"},
	    {now + 2, "UPDATE unit SET times = 10 * unit; DROP VIEW units"},
	};
	char newer[64];
	struct fixture *x = *state;
	sqlite3 *db;

	put_small(x);
	assert_int_equal(sqlite3_open(x->db, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	assert_int_equal(store_migrate(db, now, steps, 3), SQLITE_OK);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	assert_int_equal(ask_int(db, "PRAGMA user_version"), now + 2);
	assert_int_equal(ask_int(db, "SELECT sum(times) FROM unit"), 280);
	assert_int_equal(ask_int(db, "SELECT count(*) FROM units"), 7);
	sqlite3_close(db);
	snprintf(newer, sizeof newer, "a newer ranksweep wrote it (format %d", now + 2);
	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, newer);
}

/* What the first format had is kept, and takes rows of today. */
static void test_first_format(void **state)
{
	struct fixture *x = *state;
	struct store *s;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(x->db, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	assert_int_equal(store_migrate(db, 0, store_migrations, 1), SQLITE_OK);
	sqlite3_exec(db,
	             "INSERT INTO run VALUES(1, 1000, 2000, NULL, 3, 'node1', 77, NULL);"
	             "INSERT INTO metric_name VALUES(1, 'loss');"
	             "INSERT INTO metric VALUES(1, 1, 1, 0, 5, 0.5);"
	             "INSERT INTO output VALUES(1, 1, 1, 1, 1, 1, 0, 10, 0);"
	             "INSERT INTO attempt(unit, attempt, run, rank, begun_ms) VALUES(1, 1, 1, 1, 500);"
	             "UPDATE position SET seq = 2; COMMIT",
	             NULL, NULL, NULL);
	sqlite3_close(db);
	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, "it has an older format (1");
	s = fixture_open(x, STORE_WRITE);
	store_set_time(s, 3000);
	fine(x, store_put_metric(s, 1, 1, "loss", true, 6, 0.25, &x->f));
	assert_string_equal(ask(x, s, "SELECT step, value, at FROM metrics ORDER BY seq"),
	                    "5|0.5|-\n6|0.25|3");
	assert_string_equal(ask(x, s, "SELECT bytes, at FROM outputs"), "10|-");
	assert_string_equal(ask(x, s, "SELECT last_heard FROM attempts"), "3");
	assert_string_equal(ask(x, s, "SELECT host, job FROM runs"), "node1|-");
	store_close(s);
}

static void test_failed_migration(void **state)
{
	int now = store_newest_version();
	const struct store_migration steps[] = {
	    {now + 1, "ALTER TABLE unit ADD COLUMN times INTEGER"},
	    {now + 2, "DELETE FROM unit; SELECT * FROM no_such_table"},
	};
	struct fixture *x = *state;
	struct store *s;
	sqlite3 *db;

	put_small(x);
	assert_int_equal(sqlite3_open(x->db, &db), SQLITE_OK);
	sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
	assert_int_not_equal(store_migrate(db, now, steps, 2), SQLITE_OK);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	assert_int_equal(ask_int(db, "PRAGMA user_version"), now);
	sqlite3_close(db);
	s = fixture_open(x, STORE_WRITE);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "7");
	store_close(s);
}

static void test_steps_are_in_order(void **state)
{
	(void)state;
	assert_int_equal(store_migrations[0].version, 1);
	for (size_t i = 1; i < store_nmigrations; i++)
		assert_int_equal(store_migrations[i].version, store_migrations[i - 1].version + 1);
}

/* ---- damage ---- */

static int take_trial(void *ctx, const struct store_trial *t, struct fault *f)
{
	size_t *sum = ctx;

	(void)f;
	for (uint32_t i = 0; i < t->nparents; i++)
		*sum += t->parents[i];
	for (size_t i = 0; i < t->own_bytes; i++)
		*sum += ((const unsigned char *)t->own)[i];
	*sum += strlen(t->phase) + (t->own_json ? strlen(t->own_json) : 0);
	return 0;
}

static int take_pick(void *ctx, const struct store_pick *p, struct fault *f)
{
	(void)f;
	*(size_t *)ctx += strlen(p->phase) + strlen(p->child_phase);
	return 0;
}

static int take_unit(void *ctx, const struct store_unit *u, struct fault *f)
{
	(void)f;
	*(size_t *)ctx += strlen(u->state) + strlen(u->reason);
	return 0;
}

static const char *const views[] = {"units", "trials", "params", "metrics", "attempts", "edges",
                                    "picks", "audit",  "runs",   "workers", "phases",   "outputs"};

static void read_everything(struct fixture *x, struct store *s)
{
	size_t sum = 0;
	struct store_loader l = {&sum, take_trial, take_pick, take_unit};

	store_load(s, &l, &x->f);
	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		struct store_rows *r;
		char sql[64];

		snprintf(sql, sizeof sql, "SELECT * FROM %s", views[i]);
		if (store_select(s, sql, NULL, &r, &x->f) != 0)
			continue;
		/* A damaged table may be a ring. */
		for (int rows = 0; rows < 1000 && store_next(r, &x->f) == 1; rows++)
			for (uint32_t c = 0; c < store_columns(r); c++)
				sum += strlen(store_text(r, c));
		store_rows_close(r);
	}
}

/* The answers may be wrong, but there is an end to them, and every failure has a text. */
static void use_damaged(struct fixture *x)
{
	struct store_open_options o = fixture_options(x, STORE_READ);
	struct store *s;
	int rc;

	x->f.code = FAULT_NONE;
	if (store_open(x->db, &o, &s, &x->f) == 0)
		read_everything(x, s);
	store_close(s);
	o.mode = STORE_WRITE;
	rc = store_open(x->db, &o, &s, &x->f);
	if (rc == 0)
		rc = store_begin(s, &x->f);
	if (rc == 0)
		rc = store_put_unit(s, &(struct store_unit){.unit = 3, .state = "done"}, &x->f);
	if (rc == 0)
		rc = store_commit(s, &x->f);
	if (rc != 0)
		assert_true(x->f.code != FAULT_NONE && x->f.text[0]);
	store_close(s);
}

static void drop_journals(const struct fixture *x)
{
	static const char *const suffixes[] = {"-wal", "-shm", "-journal"};

	for (size_t i = 0; i < 3; i++) {
		char path[128];

		snprintf(path, sizeof path, "%s%s", x->db, suffixes[i]);
		remove(path);
	}
}

static void test_flipped_bytes(void **state)
{
	static unsigned char whole[1 << 20], hurt[1 << 20];
	struct fixture *x = *state;
	struct rng rng;
	size_t n;

	put_small(x);
	n = read_bytes(x->db, whole, sizeof whole);
	assert_true(n > 4096 && n < sizeof whole);
	rng_seed(&rng, 11);
	for (int round = 0; round < 200; round++) {
		uint64_t flips = 1 + rng_below(&rng, 40);

		memcpy(hurt, whole, n);
		for (uint64_t i = 0; i < flips; i++)
			hurt[rng_below(&rng, round % 2 ? n : 8192)] ^=
			    (unsigned char)(1 + rng_below(&rng, 255));
		write_bytes(x->db, hurt, n);
		use_damaged(x);
		drop_journals(x);
	}
}

static void test_truncated(void **state)
{
	static unsigned char whole[1 << 20];
	struct fixture *x = *state;
	size_t n;

	put_small(x);
	n = read_bytes(x->db, whole, sizeof whole);
	for (size_t keep = 1; keep < n; keep += keep < 200 ? 33 : 2039) {
		write_bytes(x->db, whole, keep);
		use_damaged(x);
		drop_journals(x);
	}
	write_bytes(x->db, whole, n / 2);
	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, "");
	assert_true(strstr(x->f.text, "it is damaged; restore it from a copy") != NULL);
}

/* Rows that no ranksweep wrote. */
static void test_impossible_rows(void **state)
{
	static const struct {
		const char *sql, *part;
	} rows[] = {
	    {"UPDATE trial SET phase = 99 WHERE trial = 2", "trial 2"},
	    {"UPDATE trial SET first_unit = -5 WHERE trial = 1", "trial 1"},
	    {"UPDATE trial SET nunits = 1 << 40 WHERE trial = 1", "trial 1"},
	    {"UPDATE lineage SET nth = 3 WHERE trial = 2", "a parent of trial 2 is missing"},
	    {"UPDATE lineage SET nth = 1000000000 WHERE trial = 2", "parent number"},
	    {"DELETE FROM trial WHERE trial = 2", "parents of trial 2, which is missing"},
	    {"UPDATE unit SET state = 'done', attempts = -1 WHERE unit = 4", "unit 4"},
	    {"UPDATE pick SET child_phase = -1", "a pick of trial 2"},
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t sum = 0;
		struct store_loader l = {&sum, take_trial, take_pick, take_unit};
		struct store *s;

		remove(x->db);
		put_small(x);
		run_sql(x->db, rows[i].sql);
		s = fixture_open(x, STORE_READ);
		refused(x, store_load(s, &l, &x->f), FAULT_IO, rows[i].part);
		assert_non_null(strstr(x->f.text, "it is damaged ("));
		store_close(s);
	}
}

/* ---- full disks and read-only folders ---- */

static int put_one(struct fixture *x, struct store *s, uint32_t trial)
{
	static char json[2000];
	const struct store_trial t = {.trial = trial,
	                              .phase = "pretrain",
	                              .own_json = json,
	                              .params_json = json,
	                              .first_unit = trial,
	                              .nunits = 1};

	memset(json, ' ', sizeof json - 1);
	memcpy(json, "{}", 2);
	if (store_begin(s, &x->f) != 0 || store_put_trial(s, &t, &x->f) != 0)
		return -1;
	return store_commit(s, &x->f);
}

/* Put trials until it fails; returns how many were committed. */
static uint32_t put_until_full(struct fixture *x, struct store *s, uint32_t first)
{
	uint32_t trial = first;

	while (put_one(x, s, trial) == 0)
		assert_true(++trial < 100000);
	assert_int_equal(x->f.code, FAULT_IO);
	if (!strstr(x->f.text, ": disk full"))
		fail_msg("%s", x->f.text);
	refused(x, put_one(x, s, trial + 1), FAULT_IO, "disk full");
	return trial - first;
}

static void expect_trials(struct fixture *x, uint32_t n)
{
	struct store *s = fixture_open(x, STORE_READ);
	char want[64];

	snprintf(want, sizeof want, "%u|%u", n, n);
	assert_string_equal(ask(x, s, "SELECT (SELECT count(*) FROM trials), (SELECT count(*) FROM units)"),
	                    want);
	expect_integrity(s);
	store_close(s);
}

/* As a database that may not grow, which needs no disk. */
static void test_no_room(void **state)
{
	struct fixture *x = *state;
	struct store *s = fixture_open(x, STORE_WRITE);
	uint32_t n;

	put_small_phases(x, s);
	sqlite3_exec(s->db, "PRAGMA max_page_count = 100", NULL, NULL, NULL);
	n = put_until_full(x, s, 1);
	assert_true(n > 10);
	store_close(s);
	expect_trials(x, n);
	s = fixture_open(x, STORE_WRITE);
	fine(x, put_one(x, s, n + 1));
	store_close(s);
	expect_trials(x, n + 1);
}

/* A small disk of our own, in mounts of our own; skips the test where that is not allowed. */
static void mount_disk(struct fixture *x)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", x->dir, "tmpfs", 0, "size=1m") != 0) {
		print_message("skipped: a disk can be mounted by root only\n");
		skip();
	}
}

static void full_disk(struct fixture *x, bool network)
{
	struct store_open_options o = fixture_options(x, STORE_WRITE);
	char filler[128];
	struct store *s;
	uint32_t n;

	o.network = network;
	mount_disk(x);
	fine(x, store_open(x->db, &o, &s, &x->f));
	put_small_phases(x, s);
	snprintf(filler, sizeof filler, "%s/filler", x->dir);
	write_bytes(filler, x, sizeof *x);
	assert_int_equal(truncate(filler, 0), 0);
	int fd = open(filler, O_WRONLY | O_CLOEXEC);

	assert_int_equal(posix_fallocate(fd, 0, 300000), 0);
	close(fd);
	n = put_until_full(x, s, 1);
	assert_true(n > 10);
	store_close(s);
	expect_trials(x, n);
	/* With room again it goes on from there. */
	assert_int_equal(remove(filler), 0);
	fine(x, store_open(x->db, &o, &s, &x->f));
	fine(x, put_one(x, s, n + 1));
	store_close(s);
	expect_trials(x, n + 1);
	umount2(x->dir, MNT_DETACH);
}

static void test_full_disk(void **state)
{
	full_disk(*state, false);
}

static void test_full_disk_network(void **state)
{
	full_disk(*state, true);
}

/* Not even room for the tables. */
static void test_full_from_the_start(void **state)
{
	struct fixture *x = *state;
	char filler[128];
	int fd;

	mount_disk(x);
	snprintf(filler, sizeof filler, "%s/filler", x->dir);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	close(fd);
	refused(x, try_open(x, STORE_WRITE, x->db), FAULT_IO, "No space left on device");
	umount2(x->dir, MNT_DETACH);
}

static void make_read_only(struct fixture *x, bool yes)
{
	assert_int_equal(mount(NULL, x->dir, NULL, MS_REMOUNT | (yes ? MS_RDONLY : 0), "size=1m"), 0);
}

static void test_read_only_folder(void **state)
{
	struct fixture *x = *state;
	struct store *s;

	mount_disk(x);
	put_small(x);
	make_read_only(x, true);
	refused(x, try_open(x, STORE_WRITE, x->db), FAULT_IO, "Read-only file system");
	s = fixture_open(x, STORE_READ);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM units"), "7");
	expect_integrity(s);
	store_close(s);
	umount2(x->dir, MNT_DETACH);
}

/* Names that mean something in a URI. */
static void test_read_only_strange_name(void **state)
{
	struct fixture *x = *state;

	mount_disk(x);
	snprintf(x->db, sizeof x->db, "%s/a?b=c#%%41 é.db", x->dir);
	put_small(x);
	make_read_only(x, true);
	fine(x, try_open(x, STORE_READ, x->db));
	umount2(x->dir, MNT_DETACH);
}

/* A run that was killed left its last commits in the WAL: they are read, or it is said why not. */
static void test_read_only_after_kill(void **state)
{
	struct fixture *x = *state;
	struct store *s;
	char shm[128];
	pid_t pid;

	mount_disk(x);
	pid = fork();
	if (pid == 0) {
		put_small(x);
		s = fixture_open(x, STORE_WRITE);
		put_one(x, s, 9);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	make_read_only(x, true);
	s = fixture_open(x, STORE_READ);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM trials"), "5");
	store_close(s);
	make_read_only(x, false);
	snprintf(shm, sizeof shm, "%s-shm", x->db);
	assert_int_equal(remove(shm), 0);
	make_read_only(x, true);
	refused(x, try_open(x, STORE_READ, x->db), FAULT_IO, "its folder is read-only and the last changes");
	make_read_only(x, false);
	s = fixture_open(x, STORE_WRITE);
	assert_string_equal(ask(x, s, "SELECT count(*) FROM trials"), "5");
	store_close(s);
	umount2(x->dir, MNT_DETACH);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_drop)
	const struct CMUnitTest tests[] = {
	    T(test_missing),
	    T(test_empty),
	    T(test_foreign),
	    T(test_newer),
	    T(test_migration),
	    T(test_first_format),
	    T(test_failed_migration),
	    T(test_steps_are_in_order),
	    T(test_flipped_bytes),
	    T(test_truncated),
	    T(test_impossible_rows),
	    T(test_no_room),
	    T(test_full_disk),
	    T(test_full_disk_network),
	    T(test_full_from_the_start),
	    T(test_read_only_folder),
	    T(test_read_only_strange_name),
	    T(test_read_only_after_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
