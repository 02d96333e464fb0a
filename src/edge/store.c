/* store: failures, transactions and kept statements. Opening is in store_open.c, the schema in
 * store_schema.c, the rows in store_write.c and store_read.c, questions in store_select.c, the lock in
 * store_lock.c.
 *
 *     study, phase          what is searched          run, worker, owner    who runs it
 *     trial ─┬─ trial_text                            pick                  who won, in order
 *            ├─ lineage  (trial, ancestor)            audit_log             who changed what
 *            └─ unit ─┬─ attempt ── attempt_text      position              order of arrival
 *                     ├─ metric ── metric_name      prior                 observations of others
 *                     └─ output     where its bytes are in the workers' files
 *
 * Why a crash at any instant loses nothing: rank 0 sends nothing that it has not committed, and all that
 * follows from one turn of its loop is one transaction, so the database always holds a state the scheduler
 * was in. SQLite makes a commit atomic: in WAL mode (local disks) with synchronous=NORMAL a commit survives
 * the death of the process, and a power cut may take back the last commits, whole ones and the latest first,
 * which only repeats work. On network file systems, where WAL must not be used, it is a rollback journal with
 * FULL. locking_mode stays NORMAL so that sqlite3, pandas and `status` can read meanwhile.
 *
 * One failure breaks the store: the transaction is rolled back, and every later call answers with the same
 * fault. A caller that missed one -1 cannot go on to commit a state with a hole in it.
 *
 * One writer: the file lock decides between processes that see each other's locks. Where they may not (a
 * network file system mounted without), the owner row decides: a row of another host seen within the last
 * minute refuses us. A holder that ends in order removes its row. */
#include "store_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- faults ---- */

static const char *why_io(const struct store *s)
{
	int e = s->db ? sqlite3_system_errno(s->db) : 0;

	if (e == ENOSPC)
		return "disk full";
	if (e == EDQUOT)
		return "disk full (the quota is used up)";
	return e ? strerror(e) : sqlite3_errmsg(s->db);
}

static const char *why_cannot_open(const struct store *s)
{
	struct stat st;

	if (stat(s->path, &st) == 0 && S_ISDIR(st.st_mode))
		return "it is a folder";
	return why_io(s);
}

static const char *why(const struct store *s, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return "disk full";
	case SQLITE_IOERR:
		return why_io(s);
	case SQLITE_CANTOPEN:
		return why_cannot_open(s);
	case SQLITE_READONLY:
		return "the file or its folder is read-only";
	case SQLITE_NOTADB:
		return "it is not a ranksweep database (another file name can be given with --db)";
	case SQLITE_CORRUPT:
		return "it is damaged; restore it from a copy, or start a new one with --db";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "another program has kept it locked for too long";
	case SQLITE_PROTOCOL:
		return "its file system does not lock files as it should";
	case SQLITE_NOMEM:
		return "out of memory";
	default:
		return s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
	}
}

int store_fault(const struct store *s, int rc, const char *what, struct fault *f)
{
	return fault_set(f, FAULT_IO, "%s: cannot %s: %s", s->path, what, why(s, rc));
}

int store_check(const struct store *s, struct fault *f)
{
	if (!s->broken.code)
		return 0;
	if (f)
		*f = s->broken;
	return -1;
}

/* The reason is in s->broken already. */
static int broken(struct store *s, struct fault *f)
{
	if (s->in_transaction || !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->in_transaction = false;
	return store_check(s, f);
}

int store_break(struct store *s, int rc, const char *what, struct fault *f)
{
	store_fault(s, rc, what, &s->broken);
	return broken(s, f);
}

int store_damaged(struct store *s, struct fault *f, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fault_set(&s->broken, FAULT_IO,
	          "%s: it is damaged (%s); restore it from a copy, or start a new one with --db", s->path,
	          text);
	return broken(s, f);
}

/* ---- transactions ---- */

static int run_statement(struct store *s, enum store_statement which, struct fault *f)
{
	struct query q;

	return query_init(&q, s, which, f) == 0 ? query_run(&q, f) : -1;
}

int store_begin(struct store *s, struct fault *f)
{
	if (s->in_transaction)
		return fault_set(f, FAULT_BUG, "%s: a transaction inside a transaction", s->path);
	if (run_statement(s, STORE_SQL_BEGIN, f) != 0)
		return -1;
	s->in_transaction = true;
	return 0;
}

static int put_seq(struct store *s, struct fault *f)
{
	struct query q;

	if (s->seq == s->stored_seq)
		return 0;
	if (query_init(&q, s, STORE_SQL_SEQ, f) != 0)
		return -1;
	query_put_int(&q, s->seq);
	if (query_run(&q, f) != 0)
		return -1;
	s->stored_seq = s->seq;
	return 0;
}

static bool has_moved(const struct store *s)
{
	int moved = 0;

	return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

static uint64_t inode_of(const struct store *s, const char *suffix)
{
	char *path = sqlite3_mprintf("%s%s", s->path, suffix);
	struct stat st;
	uint64_t inode = path && stat(path, &st) == 0 ? st.st_ino : 0;

	sqlite3_free(path);
	return inode;
}

static void remove_beside(const struct store *s, const char *suffix)
{
	char *path = sqlite3_mprintf("%s%s", s->path, suffix);

	if (path)
		unlink(path);
	sqlite3_free(path);
}

/* Our log would be taken for that of whatever comes to stand in the place of the file. */
static void remove_log(const struct store *s)
{
	if (!s->wal_inode || inode_of(s, "-wal") != s->wal_inode)
		return;
	remove_beside(s, "-wal");
	remove_beside(s, "-shm");
}

/* Somebody took the file away, and what is committed goes into one without a name. What it holds is still to
 * be had, as long as we have it open. */
static int rescue(struct store *s, struct fault *f)
{
	char *sql = sqlite3_mprintf("VACUUM INTO '%q.rescued'", s->path);
	int rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	if (rc != SQLITE_OK) {
		fault_set(&s->broken, FAULT_IO,
		          "%s was removed or replaced while it was in use, and writing what was stored to "
		          "%s.rescued failed: %s",
		          s->path, s->path, sqlite3_errmsg(s->db));
		return broken(s, f);
	}
	remove_log(s);
	fault_set(&s->broken, FAULT_IO,
	          "%s was removed or replaced while it was in use. All that was stored is in %s.rescued: "
	          "put it back in its place, and the same command goes on",
	          s->path, s->path);
	return broken(s, f);
}

int store_commit(struct store *s, struct fault *f)
{
	if (!s->in_transaction && !s->broken.code)
		return fault_set(f, FAULT_BUG, "%s: a commit outside a transaction", s->path);
	if (put_seq(s, f) != 0 || run_statement(s, STORE_SQL_COMMIT, f) != 0)
		return -1;
	s->in_transaction = false;
	if (has_moved(s))
		return rescue(s, f);
	if (s->wal && !s->wal_inode)
		s->wal_inode = inode_of(s, "-wal");
	return 0;
}

bool store_in_transaction(const struct store *s)
{
	return s->in_transaction;
}

/* ---- kept statements ---- */

static const struct {
	const char *what, *sql;
} statements[] = {
#define X(name, what, sql) {what, sql},
    STORE_STATEMENTS(X)
#undef X
};

int query_init(struct query *q, struct store *s, enum store_statement which, struct fault *f)
{
	if (store_check(s, f) != 0)
		return -1;
	if (!s->statements[which]) {
		int rc = sqlite3_prepare_v3(s->db, statements[which].sql, -1, SQLITE_PREPARE_PERSISTENT,
		                            &s->statements[which], NULL);

		if (rc != SQLITE_OK)
			return store_break(s, rc, statements[which].what, f);
	}
	*q = (struct query){.s = s, .st = s->statements[which], .which = which};
	return 0;
}

void query_put_int(struct query *q, int64_t v)
{
	sqlite3_bind_int64(q->st, ++q->n, v);
}

void query_put_null(struct query *q)
{
	sqlite3_bind_null(q->st, ++q->n);
}

void query_put_real(struct query *q, double v)
{
	if (v - v == 0)
		sqlite3_bind_double(q->st, ++q->n, v);
	else
		query_put_text(q, v != v ? "nan" : v > 0 ? "inf" : "-inf");
}

void query_put_real_or_null(struct query *q, double v)
{
	if (v != v)
		query_put_null(q);
	else
		query_put_real(q, v);
}

void query_put_text(struct query *q, const char *s)
{
	sqlite3_bind_text(q->st, ++q->n, s, -1, SQLITE_STATIC);
}

void query_put_word(struct query *q, const char *s)
{
	query_put_text(q, s && *s ? s : NULL);
}

void query_put_text_n(struct query *q, const char *s, size_t n)
{
	sqlite3_bind_text64(q->st, ++q->n, s, n, SQLITE_STATIC, SQLITE_UTF8);
}

void query_put_blob(struct query *q, const void *p, size_t n)
{
	if (p && n == 0)
		sqlite3_bind_zeroblob(q->st, ++q->n, 0);
	else
		sqlite3_bind_blob64(q->st, ++q->n, p, n, SQLITE_STATIC);
}

void query_end(struct query *q)
{
	sqlite3_reset(q->st);
}

int query_row(struct query *q, struct fault *f)
{
	int rc = sqlite3_step(q->st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	store_fault(q->s, rc, statements[q->which].what, &q->s->broken);
	sqlite3_reset(q->st);
	return broken(q->s, f);
}

int query_first(struct query *q, struct store *s, enum store_statement which, int64_t a, int64_t b,
                struct fault *f)
{
	if (query_init(q, s, which, f) != 0)
		return -1;
	query_put_int(q, a);
	query_put_int(q, b);
	return query_row(q, f);
}

int query_run(struct query *q, struct fault *f)
{
	int rc = query_row(q, f);

	query_end(q);
	return rc < 0 ? -1 : 0;
}
