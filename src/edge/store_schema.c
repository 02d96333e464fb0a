/* The tables, the public views over them, and how an older database becomes a newer one.
 *
 * Tables are named in the singular and are ours to change; views are named in the plural and are what users
 * query. A migration may do anything to the tables; the views are always made anew after it, so they are
 * written down once.
 *
 * What is written often is narrow: the texts of a trial and of an attempt lie in rows beside theirs, so that
 * a change of state does not write them again. Rows are clustered by how they are asked for
 * (metrics and output by unit), so that a million units need few indexes. States are checked with OR: an IN
 * list would be built as a table for each statement. */
#include "store_private.h"

#include <stdio.h>

#define STATES(column)                                                                                       \
	"CHECK (" column " = 'waiting' OR " column " = 'ready' OR " column " = 'running' OR " column         \
	" = 'done' OR " column " = 'failed' OR " column " = 'blocked' OR " column " = 'paused' OR " column   \
	" = 'pruned' OR " column " = 'cancelled' OR " column " = 'held')"

static const char schema_1[] =
    "CREATE TABLE study(one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"

    /* Who may write. Only the file lock decides on one machine; see store.c for more of them. */
    "CREATE TABLE owner(one INTEGER PRIMARY KEY CHECK (one = 1), host TEXT NOT NULL, pid INTEGER NOT NULL,"
    " started_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL);"

    "CREATE TABLE position(one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);"
    "INSERT INTO position VALUES(1, 0);"

    "CREATE TABLE phase(phase INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, metric TEXT, goal TEXT,"
    " aggregate TEXT, folds TEXT, search TEXT, command TEXT);"

    "CREATE TABLE run(run INTEGER PRIMARY KEY AUTOINCREMENT, started_ms INTEGER NOT NULL,"
    " last_seen_ms INTEGER NOT NULL, finished_ms INTEGER, ranks INTEGER NOT NULL, host TEXT NOT NULL,"
    " pid INTEGER NOT NULL, end TEXT);"

    "CREATE TABLE worker(run INTEGER NOT NULL, rank INTEGER NOT NULL, host TEXT NOT NULL,"
    " pid INTEGER NOT NULL, PRIMARY KEY(run, rank)) WITHOUT ROWID;"

    "CREATE TABLE trial(trial INTEGER PRIMARY KEY, phase INTEGER NOT NULL, outer_fold INTEGER NOT NULL,"
    " k INTEGER NOT NULL, key_hi INTEGER NOT NULL, key_lo INTEGER NOT NULL, first_unit INTEGER NOT NULL,"
    " nunits INTEGER NOT NULL, first_fold INTEGER NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'waiting' " STATES(
        "state") ", value REAL, sd REAL,"
                 " folds_done INTEGER NOT NULL DEFAULT 0);"
                 "CREATE INDEX trial_phase ON trial(phase);"
                 /* own: the encoded own values. params_json is NULL where it equals own_json. */
                 "CREATE TABLE trial_text(trial INTEGER PRIMARY KEY, own BLOB, own_json TEXT, params_json "
                 "TEXT);"

                 /* All ancestors; nth is the position of a direct parent, NULL for the others. */
                 "CREATE TABLE lineage(trial INTEGER NOT NULL, ancestor INTEGER NOT NULL, nth INTEGER,"
                 " PRIMARY KEY(trial, ancestor)) WITHOUT ROWID;"
                 "CREATE INDEX lineage_down ON lineage(ancestor, trial, nth);"

                 "CREATE TABLE unit(unit INTEGER PRIMARY KEY, trial INTEGER NOT NULL, fold INTEGER NOT NULL,"
                 " state TEXT NOT NULL DEFAULT 'waiting' " STATES(
                     "state") ", reason TEXT,"
                              " cause INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,"
                              " failures INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0,"
                              " idle_requeues INTEGER NOT NULL DEFAULT 0, value REAL, best_step REAL);"
                              "CREATE INDEX unit_trial ON unit(trial);"

                              "CREATE TABLE attempt(unit INTEGER NOT NULL, attempt INTEGER NOT NULL, run "
                              "INTEGER NOT NULL,"
                              " rank INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'assigned' CHECK (state = "
                              "'assigned' OR"
                              " state = 'running' OR state = 'done' OR state = 'failed' OR state = 'lost' OR "
                              "state = 'requeue' OR"
                              " state = 'pruned' OR state = 'cancelled' OR state = 'paused'), reason TEXT, "
                              "exit_code INTEGER,"
                              " signal INTEGER, pid INTEGER, begun_ms INTEGER NOT NULL, started_ms INTEGER, "
                              "finished_ms INTEGER,"
                              " user_seconds REAL, system_seconds REAL, max_rss_kb INTEGER,"
                              " PRIMARY KEY(unit, attempt)) WITHOUT ROWID;"
                              "CREATE TABLE attempt_text(id INTEGER PRIMARY KEY, command TEXT, tail BLOB);"

                              "CREATE TABLE metric_name(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
                              "CREATE TABLE metric(unit INTEGER NOT NULL, name INTEGER NOT NULL, attempt "
                              "INTEGER NOT NULL,"
                              " seq INTEGER NOT NULL, step REAL, value REAL NOT NULL,"
                              " PRIMARY KEY(unit, name, attempt, seq)) WITHOUT ROWID;"

                              "CREATE TABLE output(unit INTEGER NOT NULL, attempt INTEGER NOT NULL, seq "
                              "INTEGER NOT NULL,"
                              " run INTEGER NOT NULL, rank INTEGER NOT NULL, stream INTEGER NOT NULL, offset "
                              "INTEGER NOT NULL,"
                              " bytes INTEGER NOT NULL, skipped INTEGER NOT NULL, PRIMARY KEY(unit, attempt, "
                              "seq)) WITHOUT ROWID;"

                              "CREATE TABLE pick(id INTEGER PRIMARY KEY AUTOINCREMENT, phase INTEGER NOT "
                              "NULL,"
                              " child_phase INTEGER NOT NULL, outer_fold INTEGER NOT NULL, trial INTEGER NOT "
                              "NULL,"
                              " bucket INTEGER NOT NULL, rank INTEGER NOT NULL, value REAL, last INTEGER NOT "
                              "NULL);"

                              "CREATE TABLE audit_log(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER "
                              "NOT NULL, who TEXT,"
                              " command TEXT, units INTEGER);";

/* When a row came to rank 0, and the batch job a run is in: what `monitor` needs to see silence and death. */
static const char schema_2[] = "ALTER TABLE metric ADD COLUMN at_ms INTEGER;"
                               "ALTER TABLE output ADD COLUMN at_ms INTEGER;"
                               "ALTER TABLE run ADD COLUMN job TEXT;";

/* What users change. archived: attempts up to this one do not count any more (they were reset). pending: what
 * is to become of the unit when attempts have ended (enum pending). gone: 1 deleted, and its key is not to be
 * made again; 2 superseded by another winner of its pick; nothing hangs on it any more. candidate: what a
 * scheduled trial picks among; its parents in `lineage` are the winners. */
static const char schema_3[] =
    "ALTER TABLE unit ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE unit ADD COLUMN resets INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE unit ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE unit ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trial ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trial ADD COLUMN best_n INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX trial_gone ON trial(gone) WHERE gone <> 0;"
    "CREATE TABLE candidate(trial INTEGER NOT NULL, candidate INTEGER NOT NULL, nth INTEGER NOT NULL,"
    " PRIMARY KEY(trial, candidate)) WITHOUT ROWID;"
    "CREATE INDEX candidate_of ON candidate(candidate);"
    "ALTER TABLE pick ADD COLUMN for_trial INTEGER;"
    "ALTER TABLE study ADD COLUMN jobs TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE audit_log ADD COLUMN request TEXT;"
    "CREATE INDEX audit_request ON audit_log(request) WHERE request IS NOT NULL;";

/* What can never be, whoever writes: a unit of no trial, an end that is taken back without a reset, a start
 * of what has ended. */
static const char schema_4[] =
    "CREATE TRIGGER unit_has_trial BEFORE INSERT ON unit"
    " WHEN NOT EXISTS (SELECT 1 FROM trial WHERE trial = NEW.trial)"
    " BEGIN SELECT raise(ABORT, 'no such trial'); END;"
    "CREATE TRIGGER unit_done_stays BEFORE UPDATE OF state ON unit"
    " WHEN OLD.state = 'done' AND NEW.state <> 'done' AND NEW.resets <= OLD.resets"
    " BEGIN SELECT raise(ABORT, 'only `ranksweep reset` takes back what is done'); END;"
    "CREATE TRIGGER unit_starts_ready BEFORE UPDATE OF state ON unit"
    " WHEN NEW.state = 'running' AND (OLD.state = 'done' OR OLD.state = 'failed' OR OLD.state = 'pruned'"
    "  OR OLD.state = 'cancelled')"
    " BEGIN SELECT raise(ABORT, 'what has ended does not start again without a reset'); END;";

/* Pruning. rung: the one a unit runs to or has paused at, counted from the first of its trial. step: how far
 * a unit had come that paused or was pruned. */
static const char schema_5[] =
    "ALTER TABLE unit ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE unit ADD COLUMN step REAL;"
    "CREATE TABLE rung(trial INTEGER NOT NULL, rung INTEGER NOT NULL, value REAL NOT NULL,"
    " PRIMARY KEY(trial, rung)) WITHOUT ROWID;";

/* Observations from elsewhere, for the searches: by what they say, so that the same ones are there once.
 * outer_fold: -2 where they hold for all. */
static const char schema_priors[] =
    "CREATE TABLE prior(prior INTEGER PRIMARY KEY, phase INTEGER NOT NULL, outer_fold INTEGER NOT NULL,"
    " key_hi INTEGER NOT NULL, key_lo INTEGER NOT NULL, value REAL NOT NULL, at_values BLOB NOT NULL,"
    " params_json TEXT NOT NULL, source TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " UNIQUE(phase, key_hi, key_lo));";

/* Several metrics that count. objective: of units, those after the first; trial_objective: of trials, all. */
static const char schema_objectives[] =
    "CREATE TABLE objective(unit INTEGER NOT NULL, number INTEGER NOT NULL, value REAL NOT NULL,"
    " PRIMARY KEY(unit, number)) WITHOUT ROWID;"
    "CREATE TABLE trial_objective(trial INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " goal TEXT NOT NULL, value REAL, sd REAL, PRIMARY KEY(trial, number)) WITHOUT ROWID;";

/* Workers that were given up, and what tells a later run whether something of an earlier one may still go on
 * somewhere. */
static const char schema_losses[] = "ALTER TABLE run ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE run ADD COLUMN patience_ms INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE worker ADD COLUMN keeper_pid INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE worker ADD COLUMN space INTEGER NOT NULL DEFAULT 0;"
                                    "ALTER TABLE worker ADD COLUMN lost_ms INTEGER;"
                                    "ALTER TABLE worker ADD COLUMN why TEXT;";

const struct store_migration store_migrations[] = {
    {1, schema_1}, {2, schema_2},      {3, schema_3},          {4, schema_4},
    {5, schema_5}, {6, schema_priors}, {7, schema_objectives}, {8, schema_losses},
};
const size_t store_nmigrations = sizeof store_migrations / sizeof store_migrations[0];

/* Times are epoch seconds; counts is what `units` grouped by phase and state gives, in half the time. fold
 * and outer_fold are -1 where there is none. Of an edge's two units one may be without a fold: a coarser
 * child comes after all folds of its parent, a finer one after the only unit. last_heard looks at the last
 * row of each metric and of the output, not at all of them. In pieces, as C promises no more than 4095
 * characters for one. */
const char *const store_views[] = {
    "DROP VIEW IF EXISTS units;"
    "CREATE VIEW units(unit, phase, trial, outer_fold, fold, state, reason, value, attempts, host, rank,"
    " started, finished, seconds, best_step, failures, losses, cause, resets, priority, rung, end_step) AS"
    " SELECT u.unit, p.name, u.trial, t.outer_fold, u.fold, u.state,"
    "  coalesce(u.reason, CASE WHEN u.cause > 0 THEN 'unit ' || u.cause END), u.value, u.attempts, w.host,"
    "  a.rank, a.started_ms / 1000.0, a.finished_ms / 1000.0, (a.finished_ms - a.started_ms) / 1000.0,"
    "  u.best_step, u.failures, u.losses, nullif(u.cause, 0), u.resets, u.priority, u.rung, u.step"
    " FROM unit u JOIN trial t ON t.trial = u.trial JOIN phase p ON p.phase = t.phase"
    "  LEFT JOIN attempt a ON a.unit = u.unit AND a.attempt > u.archived"
    "   AND a.attempt = (SELECT max(l.attempt) FROM attempt l WHERE l.unit = u.unit)"
    "  LEFT JOIN worker w ON w.run = a.run AND w.rank = a.rank"
    " WHERE t.gone = 0;"

    "DROP VIEW IF EXISTS counts;"
    "CREATE VIEW counts(phase, state, units) AS"
    " SELECT p.name, u.state, count(*)"
    " FROM unit u JOIN trial t ON t.trial = u.trial JOIN phase p ON p.phase = t.phase"
    " WHERE t.gone = 0"
    " GROUP BY t.phase, u.state;"

    "DROP VIEW IF EXISTS trials;"
    "CREATE VIEW trials(trial, phase, outer_fold, state, value, sd, folds_done, folds, params, k,"
    " first_unit) AS"
    " SELECT t.trial, p.name, t.outer_fold, t.state, t.value, t.sd, t.folds_done, t.nunits,"
    "  ifnull(x.params_json, x.own_json), t.k, t.first_unit"
    " FROM trial t JOIN phase p ON p.phase = t.phase LEFT JOIN trial_text x ON x.trial = t.trial"
    " WHERE t.gone = 0;"

    "DROP VIEW IF EXISTS rungs;"
    "CREATE VIEW rungs(trial, phase, rung, value) AS"
    " SELECT r.trial, p.name, r.rung, r.value"
    " FROM rung r JOIN trial t ON t.trial = r.trial JOIN phase p ON p.phase = t.phase"
    " WHERE t.gone = 0;"

    "DROP VIEW IF EXISTS objectives;"
    "CREATE VIEW objectives(trial, phase, outer_fold, name, goal, value, sd, number) AS"
    " SELECT o.trial, p.name, t.outer_fold, o.name, o.goal, o.value, o.sd, o.number"
    " FROM trial_objective o JOIN trial t ON t.trial = o.trial JOIN phase p ON p.phase = t.phase"
    " WHERE t.gone = 0;"

    "DROP VIEW IF EXISTS params;"
    "CREATE VIEW params(trial, phase, name, value) AS"
    " SELECT t.trial, p.name, j.key, j.value"
    " FROM trial t JOIN phase p ON p.phase = t.phase JOIN trial_text x ON x.trial = t.trial"
    "  JOIN json_each(x.own_json) j"
    " WHERE t.gone = 0"
    " UNION ALL"
    " SELECT l.trial, p.name, j.key, j.value"
    " FROM lineage l JOIN trial t ON t.trial = l.ancestor JOIN phase p ON p.phase = t.phase"
    "  JOIN trial_text x ON x.trial = l.ancestor JOIN json_each(x.own_json) j;",

    "DROP VIEW IF EXISTS metrics;"
    "CREATE VIEW metrics(unit, attempt, name, step, value, seq, at) AS"
    " SELECT m.unit, m.attempt, n.name, m.step, m.value, m.seq, m.at_ms / 1000.0"
    " FROM metric m JOIN metric_name n ON n.id = m.name LEFT JOIN unit u ON u.unit = m.unit"
    " WHERE m.attempt > ifnull(u.archived, 0);"

    "DROP VIEW IF EXISTS archive;"
    "CREATE VIEW archive(unit, attempt, name, step, value, seq, at) AS"
    " SELECT m.unit, m.attempt, n.name, m.step, m.value, m.seq, m.at_ms / 1000.0"
    " FROM metric m JOIN metric_name n ON n.id = m.name JOIN unit u ON u.unit = m.unit"
    " WHERE m.attempt <= u.archived;"

    "DROP VIEW IF EXISTS attempts;"
    "CREATE VIEW attempts(unit, attempt, state, reason, exit_code, signal, host, rank, pid, command,"
    " started, finished, user_seconds, system_seconds, max_rss_kb, run, begun, tail, last_heard,"
    " archived) AS"
    " SELECT a.unit, a.attempt, a.state, a.reason, a.exit_code, a.signal, w.host, a.rank, a.pid, x.command,"
    "  a.started_ms / 1000.0, a.finished_ms / 1000.0, a.user_seconds, a.system_seconds, a.max_rss_kb,"
    "  a.run, a.begun_ms / 1000.0, x.tail,"
    "  nullif(max(ifnull(a.started_ms, 0),"
    "   ifnull((SELECT max((SELECT m.at_ms FROM metric m WHERE m.unit = a.unit AND m.name = n.id"
    "    AND m.attempt = a.attempt ORDER BY m.seq DESC LIMIT 1)) FROM metric_name n), 0),"
    "   ifnull((SELECT o.at_ms FROM output o WHERE o.unit = a.unit AND o.attempt = a.attempt"
    "    ORDER BY o.seq DESC LIMIT 1), 0)), 0) / 1000.0,"
    "  ifnull((SELECT a.attempt <= u.archived FROM unit u WHERE u.unit = a.unit), 1)"
    " FROM attempt a LEFT JOIN worker w ON w.run = a.run AND w.rank = a.rank"
    "  LEFT JOIN attempt_text x ON x.id = (a.unit << 20 | a.attempt);"

    "DROP VIEW IF EXISTS edges;"
    "CREATE VIEW edges(parent, child) AS"
    " SELECT above.unit, below.unit"
    " FROM lineage l JOIN unit below ON below.trial = l.trial JOIN unit above ON above.trial = l.ancestor"
    " WHERE l.nth IS NOT NULL AND (below.fold = above.fold OR below.fold < 0 OR above.fold < 0);"

    "DROP VIEW IF EXISTS picks;"
    "CREATE VIEW picks(phase, outer_fold, trial, value, for_trial, for_phase, bucket, rank) AS"
    " SELECT p.name, k.outer_fold, k.trial, k.value, c.trial, q.name, k.bucket, k.rank"
    " FROM pick k JOIN phase p ON p.phase = k.phase JOIN phase q ON q.phase = k.child_phase"
    "  LEFT JOIN (lineage l JOIN trial c ON c.trial = l.trial)"
    "   ON l.ancestor = k.trial AND l.nth IS NOT NULL AND c.phase = k.child_phase"
    "    AND l.trial = ifnull(k.for_trial, l.trial);"

    "DROP VIEW IF EXISTS audit;"
    "CREATE VIEW audit(at, who, command, units, request) AS"
    " SELECT at_ms / 1000.0, who, command, units, request FROM audit_log;"

    "DROP VIEW IF EXISTS runs;"
    "CREATE VIEW runs(run, started, last_seen, finished, ranks, host, end, pid, job, lost) AS"
    " SELECT run, started_ms / 1000.0, last_seen_ms / 1000.0, finished_ms / 1000.0, ranks, host, end, pid, "
    "job, lost"
    " FROM run;"

    "DROP VIEW IF EXISTS priors;"
    "CREATE VIEW priors(phase, params, value, source, at, outer_fold) AS"
    " SELECT p.name, x.params_json, x.value, x.source, x.at_ms / 1000.0,"
    "  CASE WHEN x.outer_fold >= -1 THEN x.outer_fold END"
    " FROM prior x JOIN phase p ON p.phase = x.phase;"

    "DROP VIEW IF EXISTS workers;"
    "CREATE VIEW workers(run, rank, host, pid, lost, why) AS"
    " SELECT run, rank, host, pid, lost_ms / 1000.0, why FROM worker;"

    "DROP VIEW IF EXISTS phases;"
    "CREATE VIEW phases(phase, metric, goal, aggregate, folds, search, command, number) AS"
    " SELECT name, metric, goal, aggregate, folds, search, command, phase FROM phase;"

    "DROP VIEW IF EXISTS outputs;"
    "CREATE VIEW outputs(unit, attempt, run, rank, stream, offset, bytes, skipped, seq, at) AS"
    " SELECT unit, attempt, run, rank, stream, offset, bytes, skipped, seq, at_ms / 1000.0 FROM output;",
};
const size_t store_nviews = sizeof store_views / sizeof store_views[0];

int store_newest_version(void)
{
	return store_migrations[store_nmigrations - 1].version;
}

int store_migrate(sqlite3 *db, int from, const struct store_migration *steps, size_t n)
{
	char pragmas[96];
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		if (steps[i].version > from)
			rc = sqlite3_exec(db, steps[i].sql, NULL, NULL, NULL);
	for (size_t i = 0; i < store_nviews && rc == SQLITE_OK; i++)
		rc = sqlite3_exec(db, store_views[i], NULL, NULL, NULL);
	snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	         STORE_APPLICATION_ID, steps[n - 1].version);
	return rc == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : rc;
}
