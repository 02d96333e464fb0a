/* cmd: the verbs. Each is a function of its own words (argv[0] is the verb) that returns the exit status;
 * main.c has the table of them and is the only place that prints a fault. */
#ifndef CMD_H
#define CMD_H

#include "arena.h"
#include "bytes.h"
#include "extent.h"
#include "fault.h"
#include "prior.h"
#include "report.h"
#include "selector.h"
#include "store.h"
#include "study.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CMD_VERSION "0.1.0"

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_results(int argc, char **argv);
int cmd_best(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_schedule(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_cancel(int argc, char **argv);
int cmd_hold(int argc, char **argv);
int cmd_release(int argc, char **argv);
int cmd_delete(int argc, char **argv);
int cmd_priority(int argc, char **argv);

/* The end of a run, for people: the best of each scored phase, what failed and how to look at it. Prints
 * nothing about a database without trials. */
int report_end(const char *db_path, FILE *out, struct fault *f);

/* ---- words of the command line (cmd.c) --------------------------------------------------- */
enum cmd_kind {
	CMD_FLAG,    /* bool: set true */
	CMD_TEXT,    /* const char * */
	CMD_NUMBER,  /* int64_t >= 0 */
	CMD_INTEGER, /* int64_t */
	CMD_DURATION /* int64_t: milliseconds */
};
struct cmd_option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum cmd_kind kind;
	void *into;
	const char *value; /* what stands for the value in the help; NULL for flags */
	const char *help;
};
struct cmd_usage {
	const char *verb;
	const char *words; /* "DB [SELECTOR...]" */
	const char *about; /* a paragraph */
	const struct cmd_option *options;
	const char *examples; /* one a line */
};
/* Options may stand anywhere, `--` ends them. On return argv[0..*argc) are the other words (the verb is
 * gone). 0; 1: --help was asked for and printed; -1. */
int cmd_parse(const struct cmd_usage *u, int *argc, char **argv, struct fault *f);
/* fault_set(USAGE) with "VERB: ..." in front and where to read on. Returns -1. */
int cmd_misuse(const struct cmd_usage *u, struct fault *f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Print the fault as "ranksweep: ..." on stderr; returns its code, for `return cmd_print_fault(&f)`. */
int cmd_print_fault(const struct fault *f);
/* Print every error of a study file on a line of its own (FILE:LINE:COL: ...); `f` becomes their sum. Returns
 * -1. */
int cmd_study_errors(const struct study_errors *errors, struct fault *f);

/* ---- a database to read (db.c) ----------------------------------------------------------------- */
enum cmd_begin {
	CMD_BEGIN_NOTHING,
	CMD_BEGIN_JOBS, /* NAME.db, for scheduled phases */
	CMD_BEGIN_STUDY /* by its study file: it holds the study, as a run would have left it there */
};
struct cmd_db {
	struct arena arena; /* lives until cmd_db_close */
	struct store *store;
	const char *path, *out_dir;
	const struct study *study; /* as stored */
	enum cmd_begin may_begin;  /* a database that is not there */
	bool begun, begun_out;     /* it, and its folder, was not there before */
};
/* `word`: a database, a study file (then NAME.db in the current folder), or NULL: the only database of the
 * current folder. */
int cmd_db_open(struct cmd_db *d, const char *word, struct fault *f);
/* The same in two steps, for who writes: which database (path, out_dir); then, when no run has it, to write.
 * -1 and `busy`: somebody has it, f says who. */
int cmd_db_find(struct cmd_db *d, const char *word, struct fault *f);
int cmd_db_open_writer(struct cmd_db *d, bool *busy, struct fault *f);
/* The same for a verb that may begin a database: one that is not there, or empty. */
int cmd_db_find_or_begin(struct cmd_db *d, const char *word, enum cmd_begin may, struct fault *f);
/* Is this the name of a database, or of a study file? */
bool cmd_is_database(const char *word);
/* Nothing came of it: what was begun is removed again. */
void cmd_db_unmake(struct cmd_db *d);
void cmd_db_close(struct cmd_db *d);
/* The words "[DB] UNIT". */
int cmd_db_and_unit(const struct cmd_usage *u, int argc, char **argv, const char **db, const char **unit,
                    struct fault *f);
/* The output file of a rank in a run. */
const char *cmd_log_path(struct cmd_db *d, int64_t run, int64_t rank);
/* The first row of a query, with printf and no binds: 1, 0 (no row, rows closed) or -1. */
int cmd_query(struct cmd_db *d, struct store_rows **rows, struct fault *f, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What a query counts of a phase, ?1. */
int cmd_count_of(struct cmd_db *d, const char *phase, const char *sql, int64_t *n, struct fault *f);
/* Observations imported for a phase. */
int cmd_count_priors(struct cmd_db *d, const char *phase, int64_t *n, struct fault *f);
/* A text of the current row in the database's arena, NULL for NULL. */
const char *cmd_keep(struct cmd_db *d, const struct store_rows *r, uint32_t column);
/* Set a cell of the last row from a column of the result, by its type. */
void cmd_cell(struct report *r, uint32_t column, const struct store_rows *rows, uint32_t from);
/* Is a run that has noted no end still there, as far as one can tell? */
bool cmd_run_alive(const char *host, int64_t pid, double last_seen);
/* The run that is going on, 0: none. */
int cmd_live_run(struct cmd_db *d, int64_t *run, struct fault *f);

/* key=value words as a condition over the units of this database. */
int cmd_select(struct cmd_db *d, char *const *words, int n, struct selector_sql *out, struct fault *f);

/* ---- parameters (params.c) ---------------------------------------------------------------------- */
struct cmd_params {
	const char *json, *text; /* an object; "lr=0.1 hidden=64" with all digits. NULL: none, inactive */
};
/* A value in a column of a result. */
struct cmd_params cmd_value(struct cmd_db *d, const struct store_rows *rows, uint32_t column);
/* What this trial adds to those it comes after. */
int cmd_own_params(struct cmd_db *d, const struct study_phase *p, const char *trial, struct cmd_params *out,
                   struct fault *f);
/* One of them; NULLs when the trial has no such value. */
int cmd_param(struct cmd_db *d, const struct study_phase *p, const char *name, int64_t trial,
              struct cmd_params *out, struct fault *f);

/* ---- what went wrong (failures.c) --------------------------------------------------------------- */
struct cmd_failure {                        /* units that failed or are blocked alike */
	const char *state, *phase, *reason; /* reason NULL: blocked */
	int64_t units, unit;                /* how many; the first of them */
	int64_t cause, causes;              /* blocked: a unit that failed, and how many such there are */
	int64_t exit_code, signal;          /* -1, 0: none */
	const char *words;                  /* the last line it wrote to stderr, or NULL */
};
int cmd_failures(struct cmd_db *d, struct cmd_failure **out, uint32_t *n, struct fault *f);
/* A line for each, and how to look at one. Nothing when nothing went wrong. */
int cmd_put_failures(struct cmd_db *d, struct bytes *b, struct fault *f);

/* ---- changes (send.c) ---------------------------------------------------------------------------- */
/* Have a request (request.h) carried out: by the run that has the database, or by ourselves when there is
 * none; its answer is printed. Within wait_ms, or it is taken back and FAULT_STOPPED says so. Returns the
 * exit status, or -1. */
int cmd_send(const char *db_word, enum cmd_begin may, const char *const *words, uint32_t nwords,
             int64_t wait_ms, struct fault *f);

/* ---- a table to import (import_from.c) ------------------------------------------------------------ */
/* Rows for a phase, as the words of a request (request.h). */
struct cmd_table {
	const char *from; /* what to call it */
	const char **columns, **cells;
	uint32_t ncolumns;
	size_t ncells, cap;
	int64_t skipped[PRIOR_FITS];
	const char **ignored;
	uint32_t nignored;
};
/* FROM: a database, the study file of one, or a CSV file; of which the rows of phase `from_phase` (NULL: of
 * the same name as p). In d's arena. */
int cmd_read_table(struct cmd_db *d, const struct study_phase *p, const char *from, const char *from_phase,
                   struct cmd_table *out, struct fault *f);

/* ---- output (out.c) ------------------------------------------------------------------------------ */
struct report_style cmd_style(FILE *to);   /* of a terminal; no width and no colour elsewhere */
void cmd_write(FILE *to, struct bytes *b); /* and clears b */
/* What is in b, as a text in the arena; b is finished. */
const char *cmd_keep_bytes(struct arena *a, struct bytes *b);
/* Everything of a report as a table or as JSON. */
void cmd_put_report(struct report *r, bool json, FILE *to);
/* "2026-01-31 17:05:00" in local time, "-" for NaN. */
const char *cmd_time(struct arena *a, double epoch_seconds);
const char *cmd_duration(struct arena *a, double seconds);
/* "SIGSEGV"; NULL for a signal without a name. */
const char *cmd_signal_name(struct arena *a, int64_t signal);
/* Members of a JSON object. */
void cmd_put_string(struct bytes *b, const char *key, const char *s);
void cmd_put_int(struct bytes *b, const char *key, int64_t v);
void cmd_put_int_or_null(struct bytes *b, const char *key, int64_t v, bool known);
void cmd_put_real(struct bytes *b, const char *key, double v); /* null when not known */
void cmd_put_flag(struct bytes *b, const char *key, bool v);

#endif
