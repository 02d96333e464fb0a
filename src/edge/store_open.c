/* Opening and closing: is it ours, may we write, is its format of today; then its journal, its tables and the
 * owner's row. */
#include "store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct identity {
	int64_t application_id, version, tables;
};

static int read_int(struct store *s, const char *sql, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		*out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
		rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
	}
	sqlite3_finalize(st);
	return rc;
}

static int read_identity(struct store *s, struct identity *id)
{
	int rc = read_int(s, "PRAGMA application_id", &id->application_id);

	if (rc == SQLITE_OK)
		rc = read_int(s, "PRAGMA user_version", &id->version);
	if (rc == SQLITE_OK)
		rc = read_int(s, "SELECT count(*) FROM sqlite_schema", &id->tables);
	return rc;
}

static bool is_new(const struct identity *id)
{
	return id->application_id == 0 && id->version == 0 && id->tables == 0;
}

static int check_identity(const struct store *s, const struct identity *id, struct fault *f)
{
	int newest = store_newest_version();

	if (is_new(id))
		return s->mode == STORE_WRITE
		           ? 0
		           : fault_set(f, FAULT_IO, "%s: there is no study in it yet", s->path);
	if (id->application_id != STORE_APPLICATION_ID)
		return fault_set(f, FAULT_IO, "%s: it is the SQLite database of another program", s->path);
	if (id->version > newest)
		return fault_set(f, FAULT_IO,
		                 "%s: a newer ranksweep wrote it (format %" PRId64
		                 ", this one knows up to %d); use that one",
		                 s->path, id->version, newest);
	if (id->version < 1 || (id->version < newest && s->mode == STORE_READ))
		return fault_set(f, FAULT_IO,
		                 "%s: it has an older format (%" PRId64
		                 ", now %d); `ranksweep run %s` brings it up to date",
		                 s->path, id->version, newest, s->path);
	return 0;
}

static int connect_to(struct store *s, const char *name, int flags)
{
	int rc;

	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	rc = sqlite3_open_v2(name, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_busy_timeout(s->db,
	                     s->mode == STORE_WRITE ? STORE_WRITER_PATIENCE_MS : STORE_READER_PATIENCE_MS);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return sqlite3_exec(s->db, "PRAGMA cell_size_check = ON; PRAGMA cache_size = -65536", NULL, NULL,
	                    NULL);
}

/* "file:PATH?immutable=1" with everything unusual escaped; free() it. */
static char *immutable_uri(const char *path)
{
	static const char hex[] = "0123456789ABCDEF";
	char *uri = malloc(3 * strlen(path) + 32), *p;

	if (!uri)
		return NULL;
	p = uri + sprintf(uri, "file:");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("/._-", c)) {
			*p++ = (char)c;
		} else {
			*p++ = '%';
			*p++ = hex[c >> 4];
			*p++ = hex[c & 15];
		}
	}
	strcpy(p, "?immutable=1");
	return uri;
}

static bool beside_has_bytes(const char *path, const char *suffix)
{
	char *name = malloc(strlen(path) + strlen(suffix) + 1);
	struct stat st;
	bool yes;

	if (!name)
		return true;
	sprintf(name, "%s%s", path, suffix);
	yes = stat(name, &st) == 0 && st.st_size > 0;
	free(name);
	return yes;
}

/* A WAL database in a folder we cannot write to: SQLite would need to make its index there. Without
 * unfinished changes beside it the file itself is all there is. */
static int reopen_immutable(struct store *s, int rc, struct identity *id, struct fault *f)
{
	char *uri;

	if (beside_has_bytes(s->path, "-wal") || beside_has_bytes(s->path, "-journal"))
		return fault_set(f, FAULT_IO,
		                 "%s: cannot read it: its folder is read-only and the last changes are still "
		                 "in %s-wal or -journal; copy these files to a folder of yours",
		                 s->path, s->path);
	sqlite3_close(s->db);
	s->db = NULL;
	uri = immutable_uri(s->path);
	rc = uri ? connect_to(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) : SQLITE_NOMEM;
	free(uri);
	if (rc == SQLITE_OK)
		rc = read_identity(s, id);
	return rc == SQLITE_OK ? 0 : store_fault(s, rc, "read it", f);
}

static int open_reader(struct store *s, struct fault *f)
{
	struct identity id;
	struct stat st;
	int rc;

	if (stat(s->path, &st) != 0)
		return fault_set(f, FAULT_IO, "%s: cannot open it: %s", s->path, strerror(errno));
	rc = connect_to(s, s->path, SQLITE_OPEN_READWRITE);
	if (rc == SQLITE_OK)
		rc = read_identity(s, &id);
	if (rc != SQLITE_OK && S_ISREG(st.st_mode) &&
	    ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)) {
		if (access(s->path, R_OK) == 0 && reopen_immutable(s, rc, &id, f) != 0)
			return -1;
		rc = access(s->path, R_OK) == 0 ? SQLITE_OK : rc;
	}
	if (rc != SQLITE_OK)
		return store_fault(s, rc, "open it", f);
	return check_identity(s, &id, f);
}

/* Called with BEGIN IMMEDIATE held, so that of several who get here one goes first. */
static int claim_owner(struct store *s, const struct store_open_options *o, struct fault *f)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "SELECT host, pid, last_seen_ms FROM owner", -1, &st, NULL);
	bool refused = false;

	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW && o->network) {
		const char *host = store_column_text(st, 0);
		int64_t age = o->now_ms - sqlite3_column_int64(st, 2);
		char again[32];

		store_time_text(again, o->now_ms - age + STORE_OWNER_FRESH_MS + 1000);
		refused =
		    strcmp(host, o->host) != 0 && age < STORE_OWNER_FRESH_MS && age > -STORE_OWNER_FRESH_MS;
		if (refused)
			fault_set(f, FAULT_IO,
			          "%s is in use by a run on %s, pid %lld, seen %" PRId64
			          " s ago; if that one is dead, try again after %s",
			          s->path, host, (long long)sqlite3_column_int64(st, 1), age / 1000, again);
	}
	sqlite3_finalize(st);
	if (refused && o->busy)
		*o->busy = true;
	if (refused)
		return -1;
	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(s->db, "INSERT OR REPLACE INTO owner VALUES(1, ?1, ?2, ?3, ?3)", -1,
		                        &st, NULL);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, o->host, -1, SQLITE_STATIC);
		sqlite3_bind_int64(st, 2, getpid());
		sqlite3_bind_int64(st, 3, o->now_ms);
		rc = sqlite3_step(st);
		sqlite3_finalize(st);
	}
	return rc == SQLITE_DONE ? 0 : store_fault(s, rc, "take it over", f);
}

/* A checkpoint waits for the disk. Small ones hide behind the units that workers hold ahead; what is left of
 * the log at the end is waited for by whoever started the run. */
static int set_journal(struct store *s, bool network, struct fault *f)
{
	static const char wal[] = "PRAGMA journal_mode = WAL", rollback[] = "PRAGMA journal_mode = DELETE";
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, network ? rollback : wal, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		s->wal = strcmp(store_column_text(st, 0), "wal") == 0;
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	if (rc == SQLITE_OK && network && s->wal)
		rc = SQLITE_BUSY;
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db,
		                  s->wal ? "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 1000;"
		                           "PRAGMA journal_size_limit = 67108864"
		                         : "PRAGMA synchronous = FULL",
		                  NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_fault(s, rc, "set its journal", f);
}

/* Schema, migrations and the owner's row, at once or not at all. */
static int prepare_tables(struct store *s, const struct store_open_options *o, struct fault *f)
{
	struct identity id;
	int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = read_identity(s, &id);
	if (rc == SQLITE_OK && id.version < store_newest_version())
		rc = store_migrate(s->db, (int)id.version, store_migrations, store_nmigrations);
	if (rc != SQLITE_OK)
		return store_fault(s, rc, "make its tables", f);
	if (claim_owner(s, o, f) != 0)
		return -1;
	rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_fault(s, rc, "make its tables", f);
}

static int open_writer(struct store *s, const struct store_open_options *o, struct fault *f)
{
	struct identity id;
	int rc;

	if (store_lock_take(&s->lock, o->lock_path, s->path, o->host, o->wait_ms, o->now_ms, o->busy, f) != 0)
		return -1;
	rc = connect_to(s, s->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (rc == SQLITE_OK)
		rc = read_identity(s, &id);
	if (rc != SQLITE_OK)
		return store_fault(s, rc, "open it", f);
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return store_fault(s, SQLITE_READONLY, "write to it", f);
	if (check_identity(s, &id, f) != 0 || set_journal(s, o->network, f) != 0)
		return -1;
	if (prepare_tables(s, o, f) != 0)
		return -1;
	rc = read_int(s, "SELECT seq FROM position", &s->seq);
	s->stored_seq = s->seq;
	return rc == SQLITE_OK ? 0 : store_fault(s, rc, "read it", f);
}

static int read_journal_mode(struct store *s)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA journal_mode", -1, &st, NULL);

	if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		s->wal = strcmp(store_column_text(st, 0), "wal") == 0;
	return sqlite3_finalize(st);
}

static struct store *store_new(const char *path, enum store_mode mode)
{
	struct store *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->mode = mode;
	s->lock.fd = -1;
	s->path = strdup(path);
	if (!s->path) {
		free(s);
		return NULL;
	}
	return s;
}

int store_open(const char *path, const struct store_open_options *o, struct store **out, struct fault *f)
{
	struct store *s = store_new(path, o->mode);
	int rc;

	*out = NULL;
	if (!s)
		return fault_set(f, FAULT_IO, "%s: out of memory", path);
	rc = o->mode == STORE_WRITE ? open_writer(s, o, f) : open_reader(s, f);
	if (rc == 0 && s->mode == STORE_READ && read_journal_mode(s) != SQLITE_OK)
		rc = store_fault(s, sqlite3_errcode(s->db), "read it", f);
	if (rc == 0)
		rc = store_load_phases(s, f);
	if (rc != 0) {
		/* Not ours to sign off: the owner's row may be somebody else's. */
		s->broken.code = FAULT_IO;
		store_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

static void close_database(struct store *s)
{
	if (s->db && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	if (s->db && s->mode == STORE_WRITE && !s->broken.code)
		sqlite3_exec(s->db, "DELETE FROM owner", NULL, NULL, NULL);
	for (int i = 0; i < STORE_STATEMENT_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
}

static void store_free(struct store *s)
{
	store_lock_drop(&s->lock);
	for (size_t i = 0; i < s->nphases; i++)
		free(s->phases[i].name);
	free(s->phases);
	free(s->path);
	free(s);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	close_database(s);
	store_free(s);
}

void store_discard(struct store *s, const char *lock_path)
{
	close_database(s);
	unlink(s->path);
	if (lock_path)
		unlink(lock_path);
	store_free(s);
}
