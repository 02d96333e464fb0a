/* A study while it is read: shared by src/core/study*.c only.
 *
 * Reading goes through three steps that all collect mistakes and go on: read (YAML -> drafts, in file order),
 * graph (after -> order, ancestors, names), check (whatever needs names: expressions, folds, commands,
 * searches). A mistake that would only cause others marks its phase as broken and later steps skip it.
 *
 * Scheduled phases (study_jobs.c) join the drafts behind those of the study file and take the same steps. */
#ifndef STUDY_DRAFT_H
#define STUDY_DRAFT_H

#include "expr.h"
#include "study.h"
#include "yaml.h"

enum {
	DRAFT_MAX_PHASES = 256,
	DRAFT_MAX_PARAMS = 1000,     /* of one phase */
	DRAFT_MAX_ALL_PARAMS = 4096, /* of all phases */
	DRAFT_MAX_PARENTS = 64,      /* of one phase */
	DRAFT_MAX_COMMAND = 1 << 17, /* bytes */
	DRAFT_MAX_COMMANDS = 10000,  /* of all scheduled phases */
	DRAFT_MAX_COMMANDS_BYTES = 1 << 22,
	DRAFT_MAX_NOTES = 2000, /* mistakes remembered before they are sorted */
	DRAFT_MAX_ERRORS = 100  /* mistakes told */
};

/* Lines of the text of scheduled phases mean nothing to people: its nodes have this bit and the number of
 * their phase instead (from 1; 0: of none). */
#define DRAFT_JOBS 0x80000000u

/* How many trials of phase q a trial of phase p stems from. */
enum reach { REACH_NONE, REACH_ONE, REACH_SEVERAL /* best N as one lies between */ };

struct draft_after {
	const struct yaml_node *node; /* where it was named */
	const char *name;
	const char *pick; /* its text; NULL: all */
	const char *by;   /* name of a metric; NULL: not said */
	const char **per; /* names */
	uint32_t nper;
	struct after to; /* resolved */
};

struct draft_phase {
	struct study_phase p;
	bool has_metric, has_goal;
	bool metric_here, goal_here; /* said in this map, not inherited from the top */
	bool broken;                 /* its place among the phases is not known: names can't be checked */
	const struct yaml_node *node, *command, *params_node, *require, *enqueue, *search, *trials, *folds;
	const struct yaml_node *metric, *metrics, *goal, *report, *keep,
	    *prune_node;     /* metrics: also in `metric` */
	const char *judge;   /* name of the phase in `metric: best(NAME)` */
	struct prune *prune; /* being read, as is `compare` in it */
	struct prune_compare *compare;
	bool uses_budget;
	const struct yaml_node **commands; /* scheduled: p.ncommands */
	struct param *params;
	const struct yaml_node **param_nodes;
	uint32_t nparams;
	struct expr **requires;
	const struct yaml_node **require_nodes;
	const char **require_texts;
	uint32_t nrequires;
	struct draft_after *after;
	uint32_t nafter;
	enum reach *reach; /* by phase index */
	bool *ancestor;
	bool search_grid, search_given;
};

struct draft_name {
	const char *name;
	uint32_t phase, index;
	struct draft_name *next; /* of the same slot */
	/* All this name can mean in phase refs_of - 1, when this is the nearest (draft_find_all). */
	uint32_t refs_of, nrefs;
	const struct command_ref *refs;
};

struct draft_note {
	uint32_t line, col, nth;
	const char *text;
};

struct draft {
	struct arena *a;
	struct study *s;
	struct draft_phase top; /* what phases inherit */
	struct draft_phase *phases;
	uint32_t nphases;
	const struct yaml_node *phases_node, *stop_target;
	struct draft_name **names;
	uint32_t nslots, all_params;
	struct draft_note *notes;
	uint32_t nnotes, dropped;
	uint64_t work;          /* spent on looking for feasible points */
	const char **job_names; /* scheduled phases in the order of their text */
	uint32_t njobs, all_commands;
	size_t command_bytes;
};

/* ---- study_read.c: mistakes, and values of one YAML node ------------------------------------------- */
void draft_error(struct draft *d, const struct yaml_node *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* At byte `offset` of a text. An empty text is no error (it was told already). */
void draft_error_at(struct draft *d, const struct yaml_node *at, size_t offset, const char *text);
/* ", did you mean 'X'?" or "" */
const char *draft_hint(struct draft *d, const char *word, const char *const *words, size_t n);

typedef void draft_read_fn(struct draft *d, struct draft_phase *t, const struct yaml_node *v);
struct draft_key {
	const char *name;
	draft_read_fn *read;
};
struct draft_keys {
	const struct draft_key *keys;
	size_t n;
};
/* Calls the reader of each key of a map; `what` names the map in messages, `hint` may explain a key that is
 * known elsewhere. */
void draft_read_map(struct draft *d, struct draft_phase *t, const struct yaml_node *map, const char *what,
                    const struct draft_keys *tables, size_t ntables, const char *(*hint)(const char *key));
/* The same for one entry; false: its key is not in the tables. */
bool draft_read_key(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                    const struct draft_keys *tables, size_t ntables);
/* The entry of a map with this key; NULL: none, or it is no map. */
const struct yaml_node *draft_entry(const struct yaml_node *v, const char *key);
const char *draft_text(struct draft *d, const struct yaml_node *v, const char *what); /* NULL: told */
bool draft_bool(struct draft *d, const struct yaml_node *v, const char *what, bool *out);
bool draft_int(struct draft *d, const struct yaml_node *v, const char *what, int64_t min, int64_t max,
               int64_t *out);
/* Index of the word, or -1 (told). */
int draft_word(struct draft *d, const struct yaml_node *v, const char *what, const char *const *words,
               size_t n);
bool draft_duration(struct draft *d, const struct yaml_node *v, const char *what, int64_t *out_ms);
bool draft_name_ok(const char *s, const char *extra);

/* ---- study_limits.c -------------------------------------------------------------------------------- */
extern const struct draft_keys draft_limit_keys;
void draft_default_limits(struct limits *l);

/* ---- study_phase.c: the keys of a phase, and those it shares with the top -------------------------- */
extern const struct draft_keys draft_shared_keys;
void draft_read_phases(struct draft *d);
void draft_check_param_names(struct draft *d);
bool draft_metric_none(const struct draft_phase *t); /* says so; one that could not be read is no none */

/* ---- study_prune.c --------------------------------------------------------------------------------- */
void draft_read_prune(struct draft *d, struct draft_phase *t, const struct yaml_node *v);
void draft_check_prune(struct draft *d, struct draft_phase *t);

/* ---- study_jobs.c: scheduled phases ----------------------------------------------------------------- */
void draft_read_jobs(struct draft *d, struct yaml_node *root);

/* ---- study_graph.c --------------------------------------------------------------------------------- */
void draft_graph(struct draft *d);
int draft_find_phase(const struct draft *d, const char *name); /* -1: none */
/* What `name` means in phase p; as expr_find_fn. */
int draft_find(const struct draft *d, uint32_t p, const char *name, struct expr_ref *out, struct fault *f);
/* In a scheduled phase: all that `name` can mean there, the nearest first. */
int draft_find_all(const struct draft *d, uint32_t p, const char *name, const struct command_ref **refs,
                   uint32_t *n, struct fault *f);
const char *draft_nearest(const struct draft *d, uint32_t p, const char *name);

/* ---- study_check.c, study_search.c, study_command.c ------------------------------------------------- */
void draft_check_spaces(struct draft *d);
void draft_check_folds(struct draft *d);
void draft_check_phases(struct draft *d);
void draft_check_searches(struct draft *d);
void draft_read_commands(struct draft *d);
/* The canonical text of a command of that phase; NULL: told. */
const char *draft_command_text(struct draft *d, const struct yaml_node *v, const char *phase);
/* The words of a search program, NULL-terminated, and its canonical text; NULL: told. */
const char **draft_program(struct draft *d, const struct yaml_node *v, const char **text);

#endif
