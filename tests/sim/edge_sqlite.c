/* The database: SQLite's own, in memory. To make its tables, to read the schema and to prepare statements
 * takes far longer than all the rest of a history, so all that is done once: an empty database is copied, and
 * a connection that the store has closed is given to the next one that it opens, with its statements. Of what
 * is in the database, or in the store, nothing is kept. */
#include "world.h"

#include "store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 1024 };

static struct cell {
	uint64_t hash;
	char *sql;
	sqlite3_stmt *st;
	bool used;
} cells[CELLS];
static sqlite3 *keep, *blank, *parked;
static bool is_parked, is_checked; /* checked: see sqlite3_exec */

int __real_sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs);
int __real_sqlite3_close(sqlite3 *db);
int __real_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int n, sqlite3_stmt **st, const char **tail);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags, sqlite3_stmt **st,
                              const char **tail);
int __real_sqlite3_finalize(sqlite3_stmt *st);
int __wrap_sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_close(sqlite3 *db);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int n, sqlite3_stmt **st, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags, sqlite3_stmt **st,
                              const char **tail);
int __wrap_sqlite3_finalize(sqlite3_stmt *st);
typedef int row_fn(void *ctx, int n, char **values, char **names);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, row_fn *fn, void *ctx, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, row_fn *fn, void *ctx, char **error);

int __wrap_sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs)
{
	int rc;

	if (is_parked && !strcmp(name, w.db_path)) {
		is_parked = false;
		*db = parked;
		return SQLITE_OK;
	}
	rc = __real_sqlite3_open_v2(name, db, flags, vfs);
	if (!parked && !rc && !strcmp(name, w.db_path))
		parked = *db;
	return rc;
}

int __wrap_sqlite3_close(sqlite3 *db)
{
	if (!db || db != parked)
		return __real_sqlite3_close(db);
	is_parked = true;
	return SQLITE_OK;
}

/* This one makes SQLite prepare everything anew. */
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, row_fn *fn, void *ctx, char **error)
{
	static const char checks[] = "PRAGMA cell_size_check";

	if (db == parked && !strncmp(sql, checks, sizeof checks - 1)) {
		if (is_checked)
			return SQLITE_OK;
		is_checked = true;
	}
	return __real_sqlite3_exec(db, sql, fn, ctx, error);
}

/* The cell of a text; NULL: there is no room for more, or it is at work. */
static struct cell *cell_of(const char *sql)
{
	uint64_t h = rng_hash(1, sql, strlen(sql));

	for (uint32_t i = 0; i < 8; i++) {
		struct cell *c = &cells[(h + i) % CELLS];

		if (!c->sql || (c->hash == h && !strcmp(c->sql, sql))) {
			c->hash = h;
			return c->used ? NULL : c;
		}
	}
	return NULL;
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int n, unsigned flags, sqlite3_stmt **st,
                              const char **tail)
{
	struct cell *c = db == parked && n < 0 && !tail ? cell_of(sql) : NULL;
	int rc;

	if (c && c->st) {
		c->used = true;
		*st = c->st;
		return SQLITE_OK;
	}
	rc = __real_sqlite3_prepare_v3(db, sql, n, flags, st, tail);
	if (!c || rc || !*st)
		return rc;
	c->sql = strdup(sql);
	c->st = *st;
	c->used = true;
	return rc;
}

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int n, sqlite3_stmt **st, const char **tail)
{
	return __wrap_sqlite3_prepare_v3(db, sql, n, 0, st, tail);
}

int __wrap_sqlite3_finalize(sqlite3_stmt *st)
{
	for (uint32_t i = 0; st && i < CELLS; i++)
		if (cells[i].st == st) {
			cells[i].used = false;
			return sqlite3_reset(st);
		}
	return __real_sqlite3_finalize(st);
}

static void make_blank(void)
{
	struct store_open_options o = {.mode = STORE_WRITE, .host = "sim", .now_ms = 1};
	char lock[128];
	struct store *s;
	struct fault f;

	sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	sqlite3_initialize();
	if (sqlite3_vfs_register(sqlite3_vfs_find("memdb"), 1) || sqlite3_open("/blank.db", &blank))
		abort();
	snprintf(lock, sizeof lock, "%s/lock", w.out_dir);
	o.lock_path = lock;
	if (store_open("/blank.db", &o, &s, &f))
		abort();
	store_close(s);
	if (sqlite3_open(w.db_path, &keep))
		abort();
}

void database_new(void)
{
	sqlite3_backup *b;

	if (!blank)
		make_blank();
	b = sqlite3_backup_init(keep, "main", blank, "main");
	if (!b || sqlite3_backup_step(b, -1) != SQLITE_DONE || sqlite3_backup_finish(b))
		abort();
	/* The copy has got another number; but what was prepared for the one before fits this one too. */
	if (sqlite3_exec(keep, "PRAGMA schema_version = 1000", NULL, NULL, NULL))
		abort();
}

void database_finish(void)
{
	for (uint32_t i = 0; i < CELLS; i++) {
		__real_sqlite3_finalize(cells[i].st);
		free(cells[i].sql);
		cells[i] = (struct cell){0};
	}
	__real_sqlite3_close(parked);
	__real_sqlite3_close(keep);
	__real_sqlite3_close(blank);
	keep = blank = parked = NULL;
	is_parked = is_checked = false;
}
