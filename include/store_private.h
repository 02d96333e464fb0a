/* store_private: what the files of the store share. Nobody else includes this but its tests. */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "store.h"

#include <sqlite3.h>

enum {
	STORE_APPLICATION_ID = 0x52535750, /* "RSWP" */
	STORE_OWNER_FRESH_MS = 60000,      /* an owner seen more recently than this may still be alive */
	STORE_WRITER_PATIENCE_MS = 60000,  /* how long a reader may hold up a commit */
	STORE_READER_PATIENCE_MS = 20000,
	STORE_ATTEMPT_BITS = 20 /* attempt_text's key is unit << 20 | attempt */
};

/* ---- schema (store_schema.c) ---- */
struct store_migration {
	int version; /* user_version after it */
	const char *sql;
};
extern const struct store_migration store_migrations[];
extern const size_t store_nmigrations;
extern const char *const store_views[];
extern const size_t store_nviews;
int store_newest_version(void);

/* Steps beyond `from`, the views anew and the new user_version, in the transaction that is open. The SQLite
 * code of the first failure, or SQLITE_OK. */
int store_migrate(sqlite3 *db, int from, const struct store_migration *steps, size_t n);

/* ---- the writer's lock (store_lock.c) ---- */
struct store_lock {
	int fd; /* -1: not held */
};
int store_lock_take(struct store_lock *l, const char *lock_path, const char *db_path, const char *host,
                    int64_t wait_ms, int64_t now_ms, bool *busy, struct fault *f);
void store_lock_drop(struct store_lock *l);
/* "2026-01-31 17:05:00" in local time. */
void store_time_text(char buf[32], int64_t epoch_ms);

/* ---- statements: X(name, what it does in a message, SQL) ---- */
#define STORE_STATEMENTS(X)                                                                                  \
	X(BEGIN, "begin a transaction", "BEGIN IMMEDIATE")                                                   \
	X(COMMIT, "commit", "COMMIT")                                                                        \
	X(SEQ, "record a position", "UPDATE position SET seq = ?1")                                          \
	X(STUDY_PUT, "record the study",                                                                     \
	  "INSERT INTO study(one, name, text) VALUES(1, ?1, ?2) "                                            \
	  "ON CONFLICT DO UPDATE SET name = ?1, text = ?2")                                                  \
	X(STUDY_GET, "read the study", "SELECT name, text FROM study")                                       \
	X(META_PUT, "record a fact about the study", "INSERT OR REPLACE INTO meta VALUES(?1, ?2)")           \
	X(META_GET, "read a fact about the study", "SELECT value FROM meta WHERE key = ?1")                  \
	X(PHASE_PUT, "record a phase",                                                                       \
	  "INSERT OR REPLACE INTO phase VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                             \
	X(RUN_BEGIN, "record a run",                                                                         \
	  "INSERT INTO run(started_ms, last_seen_ms, ranks, host, pid) VALUES(?1, ?1, ?2, ?3, ?4)")          \
	X(RUN_JOB, "record the batch job of a run", "UPDATE run SET job = ?2 WHERE run = ?1")                \
	X(RUN_END, "record the end of a run",                                                                \
	  "UPDATE run SET last_seen_ms = ?2, finished_ms = ?2, end = ?3 WHERE run = ?1")                     \
	X(RUN_TOUCH, "record a sign of life", "UPDATE run SET last_seen_ms = ?2 WHERE run = ?1")             \
	X(OWNER_TOUCH, "record a sign of life", "UPDATE owner SET last_seen_ms = ?1")                        \
	X(RUN_PATIENCE, "record how long a run is waited for",                                               \
	  "UPDATE run SET patience_ms = ?2 WHERE run = ?1")                                                  \
	X(RUN_LOSES, "record a lost worker", "UPDATE run SET lost = lost + 1 WHERE run = ?1")                \
	X(WORKER_PUT, "record a worker",                                                                     \
	  "INSERT OR REPLACE INTO worker(run, rank, host, pid, keeper_pid, space) "                          \
	  "VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                                                                  \
	X(WORKER_LOSE, "record a lost worker",                                                               \
	  "UPDATE worker SET lost_ms = ?3, why = ?4 WHERE run = ?1 AND rank = ?2")                           \
	X(LEFT, "read what the last run left",                                                               \
	  "SELECT u.unit, w.rank, w.host, w.pid, w.keeper_pid, w.space, r.last_seen_ms, r.patience_ms "      \
	  "FROM unit u JOIN attempt a ON a.unit = u.unit AND a.attempt = u.attempts "                        \
	  "JOIN worker w ON w.run = a.run AND w.rank = a.rank JOIN run r ON r.run = a.run "                  \
	  "WHERE u.state = 'running'")                                                                       \
	X(TRIAL_PUT, "record a trial",                                                                       \
	  "INSERT INTO trial(trial, phase, outer_fold, k, key_hi, key_lo, first_unit, nunits, first_fold, "  \
	  "best_n) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                                         \
	X(CANDIDATE_PUT, "record a trial", "INSERT INTO candidate VALUES(?1, ?2, ?3)")                       \
	X(CANDIDATES_DROP, "record a trial's parents", "DELETE FROM candidate WHERE trial = ?1")             \
	X(PARENTS_DROP, "record a trial's parents", "DELETE FROM lineage WHERE trial = ?1")                  \
	X(BEST_N_PUT, "record a trial's parents", "UPDATE trial SET best_n = ?2 WHERE trial = ?1")           \
	X(BELOW, "read what comes after a trial",                                                            \
	  "WITH RECURSIVE down(d) AS (SELECT trial FROM lineage WHERE ancestor = ?1 AND nth IS NOT NULL "    \
	  "UNION SELECT l.trial FROM lineage l JOIN down ON l.ancestor = down.d AND l.nth IS NOT NULL) "     \
	  "SELECT d FROM down ORDER BY d")                                                                   \
	X(ANCESTORS_DROP, "record a trial's parents",                                                        \
	  "DELETE FROM lineage WHERE trial = ?1 AND nth IS NULL")                                            \
	X(ANCESTORS_FIND, "record a trial's parents",                                                        \
	  "WITH RECURSIVE up(a) AS (SELECT ancestor FROM lineage WHERE trial = ?1 AND nth IS NOT NULL "      \
	  "UNION SELECT l.ancestor FROM lineage l JOIN up ON l.trial = up.a AND l.nth IS NOT NULL) "         \
	  "INSERT OR IGNORE INTO lineage SELECT ?1, a, NULL FROM up")                                        \
	X(TRIAL_PARAMS_PUT, "record a trial's parents",                                                      \
	  "UPDATE trial_text SET params_json = ?2 WHERE trial = ?1")                                         \
	X(GONE_PUT, "take a trial out", "UPDATE trial SET gone = ?2 WHERE trial = ?1")                       \
	X(GONE_UNITS, "take a trial out", "UPDATE unit SET archived = attempts WHERE trial = ?1")            \
	X(GONE_LINEAGE, "take a trial out", "DELETE FROM lineage WHERE trial = ?1 OR ancestor = ?1")         \
	X(GONE_CANDIDATES, "take a trial out", "DELETE FROM candidate WHERE trial = ?1 OR candidate = ?1")   \
	X(GONE_PICKS, "take a trial out", "DELETE FROM pick WHERE trial = ?1 OR for_trial = ?1")             \
	X(UNPICK, "take a pick back",                                                                        \
	  "DELETE FROM pick WHERE phase = ?1 AND outer_fold = ?2 AND child_phase = ?3 "                      \
	  "AND for_trial IS NULL")                                                                           \
	X(UNPICK_JOB, "take a pick back", "DELETE FROM pick WHERE for_trial = ?1")                           \
	X(ARCHIVE, "put results away", "UPDATE unit SET archived = attempts WHERE unit = ?1")                \
	X(RUNG_PUT, "record a rung", "INSERT OR REPLACE INTO rung(trial, rung, value) VALUES(?1, ?2, ?3)")   \
	X(RUNGS_DROP, "put results away",                                                                    \
	  "DELETE FROM rung WHERE trial = (SELECT trial FROM unit WHERE unit = ?1)")                         \
	X(GONE_RUNGS, "take a trial out", "DELETE FROM rung WHERE trial = ?1")                               \
	X(LOAD_RUNGS, "read the rungs", "SELECT trial, rung, value FROM rung ORDER BY trial, rung")          \
	X(OBJECTIVE_PUT, "record an objective", "INSERT OR REPLACE INTO objective VALUES(?1, ?2, ?3)")       \
	X(TRIAL_OBJECTIVE_PUT, "record an objective",                                                        \
	  "INSERT OR REPLACE INTO trial_objective VALUES(?1, ?2, ?3, ?4, ?5, ?6)")                           \
	X(LOAD_OBJECTIVES, "read the objectives",                                                            \
	  "SELECT unit, number, value FROM objective ORDER BY unit, number")                                 \
	X(LAST_VALUE, "read a metric",                                                                       \
	  "SELECT value FROM metric WHERE unit = ?1 AND name = ?2 "                                          \
	  "AND attempt > ifnull((SELECT archived FROM unit WHERE unit = ?1), 0) ORDER BY attempt DESC, seq " \
	  "DESC LIMIT 1")                                                                                    \
	X(SECONDS_BEFORE, "read how long a unit took",                                                       \
	  "SELECT ifnull(sum(finished_ms - started_ms), 0) / 1000.0 FROM attempt WHERE unit = ?1 AND "       \
	  "attempt < ?2 "                                                                                    \
	  "AND attempt > ifnull((SELECT archived FROM unit WHERE unit = ?1), 0)")                            \
	X(LOAD_METRICS, "read the metrics of a phase",                                                       \
	  "SELECT m.unit, m.attempt, m.step, m.value FROM trial t JOIN unit u ON u.trial = t.trial "         \
	  "JOIN metric m ON m.unit = u.unit AND m.name = ?2 AND m.attempt > u.archived "                     \
	  "WHERE t.phase = ?1 AND t.gone = 0 AND m.step IS NOT NULL ORDER BY m.unit, m.attempt, m.seq")      \
	X(JOBS_PUT, "record scheduled phases",                                                               \
	  "INSERT INTO study(one, name, text, jobs) VALUES(1, ?1, '', ?2) "                                  \
	  "ON CONFLICT DO UPDATE SET jobs = ?2")                                                             \
	X(JOBS_GET, "read the scheduled phases", "SELECT jobs FROM study")                                   \
	X(AUDIT_FIND, "look for a request", "SELECT 1 FROM audit_log WHERE request = ?1")                    \
	X(LOAD_CANDIDATES, "read the trials", "SELECT trial, candidate, nth FROM candidate ORDER BY trial")  \
	X(TRIAL_TEXT_PUT, "record a trial", "INSERT INTO trial_text VALUES(?1, ?2, ?3, ?4)")                 \
	X(PARENT_PUT, "record a trial", "INSERT INTO lineage VALUES(?1, ?2, ?3)")                            \
	X(ANCESTORS_PUT, "record a trial",                                                                   \
	  "INSERT OR IGNORE INTO lineage SELECT ?1, ancestor, NULL FROM lineage WHERE trial = ?2")           \
	X(UNIT_NEW, "record a unit", "INSERT INTO unit(unit, trial, fold, state) VALUES(?1, ?2, ?3, ?4)")    \
	X(UNIT_PUT, "record a unit",                                                                         \
	  "UPDATE unit SET state = ?2, reason = ?3, cause = ?4, attempts = ?5, failures = ?6, losses = ?7, " \
	  "idle_requeues = ?8, value = ?9, best_step = ?10, resets = ?11, priority = ?12, pending = ?13, "   \
	  "rung = ?14, step = ?15 "                                                                          \
	  "WHERE unit = ?1")                                                                                 \
	X(TRIAL_VALUE_PUT, "record a trial's value",                                                         \
	  "UPDATE trial SET state = ?2, value = ?3, sd = ?4, folds_done = ?5 WHERE trial = ?1")              \
	X(ATTEMPT_BEGIN, "record an attempt",                                                                \
	  "INSERT INTO attempt(unit, attempt, run, rank, begun_ms) VALUES(?1, ?2, ?3, ?4, ?5)")              \
	X(ATTEMPT_TEXT, "record an attempt", "INSERT INTO attempt_text(id, command) VALUES(?1, ?2)")         \
	X(ATTEMPT_START, "record the start of an attempt",                                                   \
	  "UPDATE attempt SET state = 'running', pid = ?3, started_ms = ?4 "                                 \
	  "WHERE unit = ?1 AND attempt = ?2")                                                                \
	X(ATTEMPT_DROP, "drop an attempt", "DELETE FROM attempt WHERE unit = ?1 AND attempt = ?2")           \
	X(UNSTARTED_HEARD, "take back what never started",                                                   \
	  "UPDATE attempt SET state = 'running' WHERE state = 'assigned' AND "                               \
	  "(EXISTS (SELECT 1 FROM metric m WHERE m.unit = attempt.unit AND m.attempt = attempt.attempt) OR " \
	  "EXISTS (SELECT 1 FROM output o WHERE o.unit = attempt.unit AND o.attempt = attempt.attempt))")    \
	X(UNSTARTED_UNITS, "take back what never started",                                                   \
	  "UPDATE unit SET state = 'ready', attempts = attempts - 1 WHERE unit IN "                          \
	  "(SELECT unit FROM attempt WHERE state = 'assigned')")                                             \
	X(UNSTARTED_TEXTS, "take back what never started",                                                   \
	  "DELETE FROM attempt_text WHERE id IN "                                                            \
	  "(SELECT unit << 20 | attempt FROM attempt WHERE state = 'assigned')")                             \
	X(UNSTARTED_ATTEMPTS, "take back what never started",                                                \
	  "DELETE FROM attempt WHERE state = 'assigned'")                                                    \
	X(ATTEMPT_TEXT_DROP, "drop an attempt", "DELETE FROM attempt_text WHERE id = ?1")                    \
	X(ATTEMPT_END, "record the end of an attempt",                                                       \
	  "UPDATE attempt SET state = ?3, reason = ?4, exit_code = ?5, signal = ?6, "                        \
	  "started_ms = ifnull(?7, started_ms), finished_ms = ifnull(?8, finished_ms), user_seconds = ?9, "  \
	  "system_seconds = ?10, max_rss_kb = ?11, pid = ifnull(?12, pid) "                                  \
	  "WHERE unit = ?1 AND attempt = ?2")                                                                \
	X(ATTEMPT_TAIL, "record the end of an attempt", "UPDATE attempt_text SET tail = ?2 WHERE id = ?1")   \
	X(METRIC_PUT, "record a metric", "INSERT INTO metric VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")            \
	X(NAME_FIND, "find a metric's name", "SELECT id FROM metric_name WHERE name = ?1")                   \
	X(NAME_PUT, "record a metric's name", "INSERT INTO metric_name(name) VALUES(?1)")                    \
	X(OUTPUT_PUT, "record output", "INSERT INTO output VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)") \
	X(PICK_PUT, "record a pick",                                                                         \
	  "INSERT INTO pick(phase, child_phase, outer_fold, trial, bucket, rank, value, last, for_trial) "   \
	  "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                                      \
	X(AUDIT_PUT, "record an action",                                                                     \
	  "INSERT INTO audit_log(at_ms, who, command, units, request) VALUES(?1, ?2, ?3, ?4, ?5)")           \
	X(PRIOR_PUT, "record an observation",                                                                \
	  "INSERT OR IGNORE INTO prior(phase, outer_fold, key_hi, key_lo, value, at_values, params_json, "   \
	  "source, at_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                       \
	X(PRIOR_FIND, "look for an observation",                                                             \
	  "SELECT 1 FROM prior WHERE phase = ?1 AND key_hi = ?2 AND key_lo = ?3")                            \
	X(PRIORS_COUNT, "count observations", "SELECT count(*) FROM prior WHERE phase = ?1")                 \
	X(PRIORS_DROP, "forget observations", "DELETE FROM prior WHERE phase = ?1")                          \
	X(LOAD_PRIORS, "read the observations",                                                              \
	  "SELECT phase, outer_fold, value, at_values FROM prior ORDER BY prior")                            \
	X(SERIES, "read a metric",                                                                           \
	  "SELECT attempt, seq, step, value FROM metric WHERE unit = ?1 AND name = ?2 AND step IS NULL "     \
	  "AND attempt > ifnull((SELECT archived FROM unit WHERE unit = ?1), 0) "                            \
	  "UNION ALL SELECT max(attempt << 40 | seq) >> 40, seq, step, value FROM metric "                   \
	  "WHERE unit = ?1 AND name = ?2 AND step IS NOT NULL "                                              \
	  "AND attempt > ifnull((SELECT archived FROM unit WHERE unit = ?1), 0) GROUP BY step")              \
	X(NEW_STEP, "read a metric's steps",                                                                 \
	  "SELECT 1 FROM metric WHERE unit = ?1 AND attempt <= ?2 AND step IS NOT NULL "                     \
	  "AND attempt > ifnull((SELECT archived FROM unit WHERE unit = ?1), 0) "                            \
	  "GROUP BY step HAVING min(attempt) = ?2 LIMIT 1")                                                  \
	X(LOAD_TRIALS, "read the trials",                                                                    \
	  "SELECT t.trial, phase, outer_fold, k, key_hi, key_lo, first_unit, nunits, first_fold, own, "      \
	  "own_json, ifnull(params_json, own_json), gone, best_n "                                           \
	  "FROM trial t LEFT JOIN trial_text x ON x.trial = t.trial ORDER BY t.trial")                       \
	X(LOAD_PARENTS, "read the trials",                                                                   \
	  "SELECT trial, ancestor, nth FROM lineage WHERE nth IS NOT NULL ORDER BY trial")                   \
	X(LOAD_PICKS, "read the picks",                                                                      \
	  "SELECT phase, child_phase, outer_fold, trial, bucket, rank, value, last, for_trial FROM pick "    \
	  "ORDER BY id")                                                                                     \
	X(LOAD_UNITS, "read the units",                                                                      \
	  "SELECT unit, state, reason, cause, attempts, failures, losses, idle_requeues, value, best_step, " \
	  "resets, priority, pending, rung, step FROM unit WHERE (state <> 'waiting' OR attempts <> 0 OR "   \
	  "failures <> 0 "                                                                                   \
	  "OR losses <> 0 OR idle_requeues <> 0 OR resets <> 0 OR priority <> 0 OR pending <> 0) "           \
	  "AND trial NOT IN (SELECT trial FROM trial WHERE gone <> 0) ORDER BY unit")

enum store_statement {
#define X(name, what, sql) STORE_SQL_##name,
	STORE_STATEMENTS(X)
#undef X
	    STORE_STATEMENT_COUNT
};

/* ---- the store ---- */
enum { STORE_NAME_SLOTS = 128, STORE_NAME_CACHED = 64 };
struct store_name {
	char name[STORE_NAME_CACHED + 1]; /* "": free */
	int64_t id;
};
struct store_phase_name {
	char *name;
	int64_t id;
};

struct store {
	sqlite3 *db;
	char *path;
	enum store_mode mode;
	bool wal, in_transaction;
	struct fault broken; /* FAULT_NONE: sound; else what every call answers from now on */
	uint64_t wal_inode;  /* of our WAL, once there is something in it */
	struct store_lock lock;
	sqlite3_stmt *statements[STORE_STATEMENT_COUNT]; /* prepared at their first use */
	int64_t seq, stored_seq;                         /* order of arrival of metrics and output */
	int64_t now_ms;                                  /* what is put down as their time, 0: none */
	struct store_phase_name *phases;
	size_t nphases;
	struct store_name names[STORE_NAME_SLOTS];
	uint32_t selects; /* numbers the snapshots of store_select */
};

/* "PATH: cannot WHAT: WHY" for an SQLite code; does not change the store. */
int store_fault(const struct store *s, int rc, const char *what, struct fault *f);
/* The same, and the store is broken from now on: what was not committed is rolled back. */
int store_break(struct store *s, int rc, const char *what, struct fault *f);
/* 0, or -1 and the fault of a broken store. */
int store_check(const struct store *s, struct fault *f);
/* What was found in the database cannot be: breaks the store. */
int store_damaged(struct store *s, struct fault *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One use of a kept statement: query_init, query_put_* for each parameter in order, then query_run, or
 * query_row until it says 0 and query_end. A failure breaks the store. */
struct query {
	struct store *s;
	sqlite3_stmt *st;
	enum store_statement which;
	int n; /* parameters bound */
};
int query_init(struct query *q, struct store *s, enum store_statement which, struct fault *f);
void query_put_int(struct query *q, int64_t v);
void query_put_null(struct query *q);
void query_put_real(struct query *q, double v);         /* non-finite: 'nan', 'inf', '-inf' */
void query_put_real_or_null(struct query *q, double v); /* the same, NaN: NULL */
void query_put_text(struct query *q, const char *s);    /* borrowed until the end of the query; NULL: NULL */
void query_put_word(struct query *q, const char *s);    /* the same, "" is NULL too */
void query_put_text_n(struct query *q, const char *s, size_t n);
void query_put_blob(struct query *q, const void *p, size_t n); /* NULL p: NULL */
int query_run(struct query *q, struct fault *f);
int query_row(struct query *q, struct fault *f); /* 1 a row, 0 the end, -1 */
/* The first row of what is asked with two numbers; as query_row, so query_end follows. */
int query_first(struct query *q, struct store *s, enum store_statement which, int64_t a, int64_t b,
                struct fault *f);
void query_end(struct query *q);

/* Column i as a number; a NULL is NaN, 'nan' and 'inf' are what they say. */
double store_column_real(sqlite3_stmt *st, int i);
/* Column i as text; NULL is "". */
const char *store_column_text(sqlite3_stmt *st, int i);

int store_load_phases(struct store *s, struct fault *f);
int store_phase_id(struct store *s, const char *name, int64_t *id, struct fault *f);
const char *store_phase_name(const struct store *s, int64_t id); /* NULL: none */
/* Number of a metric's name: 1 found, 0 unknown, -1. */
int store_find_name(struct store *s, const char *name, int64_t *id, struct fault *f);
int store_remember_phase(struct store *s, const char *name, int64_t id);

#endif
