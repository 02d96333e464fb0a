/* Questions: any one SELECT over the views. Texts of errors name the question, for it is ours. */
#include "store_private.h"

#include <stdlib.h>

struct store_rows {
	struct store *s;
	sqlite3_stmt *st;
	uint32_t snapshot; /* number of the temporary table the rows were copied to; 0: none */
};

static int prepare_question(struct store *s, const char *sql, const char *const *binds, sqlite3_stmt **st,
                            struct fault *f)
{
	const char *tail = "";
	int rc = sqlite3_prepare_v2(s->db, sql, -1, st, &tail);

	if ((rc & 0xff) == SQLITE_ERROR || (rc == SQLITE_OK && (!*st || *tail)))
		return fault_set(f, FAULT_BUG, "%s: wrong question: %s: %s", s->path,
		                 rc == SQLITE_OK ? "not one statement" : sqlite3_errmsg(s->db), sql);
	if (rc != SQLITE_OK)
		return store_fault(s, rc, "read it", f);
	for (int i = 0; binds && binds[i]; i++)
		sqlite3_bind_text(*st, i + 1, binds[i], -1, SQLITE_TRANSIENT);
	return 0;
}

/* A reader of a database with a rollback journal holds up the writer's commits for as long as its question is
 * open, and somebody may be paging through the answer. So there the answer is copied first (SQLite puts what
 * is large on disk) and read from the copy. */
static int copy_answer(struct store_rows *r, const char *sql, const char *const *binds, struct fault *f)
{
	struct store *s = r->s;
	uint32_t number = ++s->selects;
	char *text = sqlite3_mprintf("CREATE TEMP TABLE answer_%u AS %s", number, sql);
	sqlite3_stmt *st = NULL;
	int rc = text ? prepare_question(s, text, binds, &st, f) : store_fault(s, SQLITE_NOMEM, "read it", f);

	sqlite3_free(text);
	if (rc == 0 && sqlite3_step(st) != SQLITE_DONE)
		rc = store_fault(s, sqlite3_extended_errcode(s->db), "read it", f);
	sqlite3_finalize(st);
	if (rc != 0)
		return rc;
	sqlite3_finalize(r->st);
	r->st = NULL;
	r->snapshot = number;
	text = sqlite3_mprintf("SELECT * FROM temp.answer_%u ORDER BY rowid", number);
	rc = text ? prepare_question(s, text, NULL, &r->st, f) : store_fault(s, SQLITE_NOMEM, "read it", f);
	sqlite3_free(text);
	return rc;
}

int store_select(struct store *s, const char *sql, const char *const *binds, struct store_rows **out,
                 struct fault *f)
{
	struct store_rows *r;
	int rc;

	*out = NULL;
	if (store_check(s, f) != 0)
		return -1;
	r = calloc(1, sizeof *r);
	if (!r)
		return store_fault(s, SQLITE_NOMEM, "read it", f);
	r->s = s;
	rc = prepare_question(s, sql, binds, &r->st, f);
	if (rc == 0 && !sqlite3_stmt_readonly(r->st))
		rc = fault_set(f, FAULT_BUG, "%s: not a question: %s", s->path, sql);
	if (rc == 0 && s->mode == STORE_READ && !s->wal)
		rc = copy_answer(r, sql, binds, f);
	if (rc != 0) {
		store_rows_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

int store_next(struct store_rows *r, struct fault *f)
{
	int rc = sqlite3_step(r->st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : store_fault(r->s, rc, "read it", f);
}

uint32_t store_columns(const struct store_rows *r)
{
	return (uint32_t)sqlite3_column_count(r->st);
}

const char *store_column_name(const struct store_rows *r, uint32_t i)
{
	const char *name = sqlite3_column_name(r->st, (int)i);

	return name ? name : "";
}

enum store_type store_type(const struct store_rows *r, uint32_t i)
{
	switch (sqlite3_column_type(r->st, (int)i)) {
	case SQLITE_INTEGER:
		return STORE_INT;
	case SQLITE_FLOAT:
		return STORE_REAL;
	case SQLITE_TEXT:
		return STORE_TEXT;
	case SQLITE_BLOB:
		return STORE_BLOB;
	default:
		return STORE_NULL;
	}
}

int64_t store_int(const struct store_rows *r, uint32_t i)
{
	return sqlite3_column_int64(r->st, (int)i);
}

double store_real(const struct store_rows *r, uint32_t i)
{
	return store_column_real(r->st, (int)i);
}

const char *store_text(const struct store_rows *r, uint32_t i)
{
	return store_column_text(r->st, (int)i);
}

const void *store_blob(const struct store_rows *r, uint32_t i, size_t *n)
{
	const void *p = sqlite3_column_blob(r->st, (int)i);

	*n = (size_t)sqlite3_column_bytes(r->st, (int)i);
	return p;
}

void store_rows_close(struct store_rows *r)
{
	char *text;

	if (!r)
		return;
	sqlite3_finalize(r->st);
	if (r->snapshot && (text = sqlite3_mprintf("DROP TABLE temp.answer_%u", r->snapshot))) {
		sqlite3_exec(r->s->db, text, NULL, NULL, NULL);
		sqlite3_free(text);
	}
	free(r);
}
