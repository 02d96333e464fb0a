/* fixture: a folder of its own for each test, a store in it, and short questions. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_private.h"
#include "text.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char dir[64], db[96], lock[96];
	struct fault f;
};

static inline int fixture_new(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);

	strcpy(x->dir, "/tmp/ranksweep-store-XXXXXX");
	if (!mkdtemp(x->dir))
		return -1;
	snprintf(x->db, sizeof x->db, "%s/study.db", x->dir);
	snprintf(x->lock, sizeof x->lock, "%s/lock", x->dir);
	*state = x;
	return 0;
}

static inline int fixture_remove(const char *path, const struct stat *st, int type, struct FTW *w)
{
	(void)st, (void)type, (void)w;
	return remove(path);
}

static inline int fixture_drop(void **state)
{
	struct fixture *x = *state;

	nftw(x->dir, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(x);
	return 0;
}

static inline struct store_open_options fixture_options(const struct fixture *x, enum store_mode mode)
{
	return (struct store_open_options){
	    .mode = mode, .lock_path = x->lock, .host = "node1", .now_ms = 1700000000000};
}

/* 0 is fine, else the fault is shown. */
static inline void fine(struct fixture *x, int rc)
{
	if (rc != 0)
		fail_msg("%s", x->f.text);
}

static inline void refused(struct fixture *x, int rc, enum fault_code code, const char *part)
{
	assert_int_equal(rc, -1);
	assert_int_equal(x->f.code, code);
	if (!strstr(x->f.text, part))
		fail_msg("no \"%s\" in: %s", part, x->f.text);
}

static inline struct store *fixture_open(struct fixture *x, enum store_mode mode)
{
	struct store_open_options o = fixture_options(x, mode);
	struct store *s;

	fine(x, store_open(x->db, &o, &s, &x->f));
	return s;
}

static inline void append(char *buf, size_t cap, const char *s)
{
	size_t n = strlen(buf);

	snprintf(buf + n, cap - n, "%s", s);
}

/* All rows of a question as text: columns by '|', rows by '\n'; NULL is "-". In a static buffer. */
static inline const char *ask(struct fixture *x, struct store *s, const char *sql)
{
	static char buf[65536];
	struct store_rows *r;
	int row;

	buf[0] = '\0';
	fine(x, store_select(s, sql, NULL, &r, &x->f));
	while ((row = store_next(r, &x->f)) == 1) {
		if (buf[0])
			append(buf, sizeof buf, "\n");
		for (uint32_t i = 0; i < store_columns(r); i++) {
			enum store_type type = store_type(r, i);
			char number[TEXT_NUMBER];

			if (i)
				append(buf, sizeof buf, "|");
			if (type == STORE_REAL)
				text_double(number, store_real(r, i));
			append(buf, sizeof buf,
			       type == STORE_NULL   ? "-"
			       : type == STORE_REAL ? number
			                            : store_text(r, i));
		}
	}
	store_rows_close(r);
	fine(x, row);
	return buf;
}

static inline void expect_integrity(struct store *s)
{
	sqlite3_stmt *st;

	assert_int_equal(sqlite3_prepare_v2(s->db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
}

/* ---- a small study: two phases, two folds; one pretrain shared by two fine-tunes, the first of which won
 * and is retrained without folds ---- */
static inline void put_small_phases(struct fixture *x, struct store *s)
{
	static const struct store_phase phases[] = {
	    {0, "pretrain", "recon", "minimize", "mean", "each", "random", "./dbn pre"},
	    {1, "finetune", "valid", "maximize", "mean", "each", "sobol", "./dbn fine"},
	    {2, "retrain", NULL, "minimize", "mean", "none", "grid", "./dbn again"},
	};

	for (size_t i = 0; i < 3; i++)
		fine(x, store_put_phase(s, &phases[i], &x->f));
}

static inline void put_small_trials(struct fixture *x, struct store *s)
{
	static const uint32_t one[] = {1}, two[] = {2};
	const struct store_trial trials[] = {
	    {1, "pretrain", -1, 0, 0xffffffffffffffff, 2, NULL, 0, "\0a", 2,
	     "{\"lr\":0.1,\"act\":\"it's é\"}", "{\"lr\":0.1,\"act\":\"it's é\"}", 1, 2, 0, NULL, 0, 0, 0},
	    {2, "finetune", -1, 0, 3, 4, one, 1, "b", 1, "{\"l2\":3}", "{\"lr\":0.1,\"l2\":3}", 3, 2, 0, NULL,
	     0, 0, 0},
	    {3, "finetune", -1, 1, 5, 6, one, 1, "", 0, "{\"l2\":4}", "{\"lr\":0.1,\"l2\":4}", 5, 2, 0, NULL,
	     0, 0, 0},
	    {4, "retrain", -1, 0, 7, 8, two, 1, NULL, 0, NULL, NULL, 7, 1, -1, NULL, 0, 0, 0},
	};
	static const struct store_pick pick = {"finetune", "retrain", -1, 2, 0, 0, 0.25, true, 0};

	for (size_t i = 0; i < 3; i++)
		fine(x, store_put_trial(s, &trials[i], &x->f));
	fine(x, store_put_pick(s, &pick, &x->f));
	fine(x, store_put_trial(s, &trials[3], &x->f));
}

#endif
