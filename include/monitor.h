/* monitor: what the files of this verb share. monitor.c is the verb and its loop, monitor_look.c gathers the
 * facts of one look and holds them against the rules of suspect.h, monitor_say.c has the words. */
#ifndef MONITOR_H
#define MONITOR_H

#include "cmd.h"
#include "suspect.h"

/* Something suspicious: about a unit, a rank, or the run itself. */
struct monitor_item {
	enum suspicion kind;
	int64_t run, unit, attempt; /* unit 0: about a rank or the run */
	int64_t rank;               /* -1: about the run */
	int64_t pid;                /* 0: none */
	const char *host, *phase;   /* may be NULL */
	int64_t ms, limit_ms;       /* for how long; how long is usual or allowed; 0: that is not the point */
	uint64_t count;             /* a run: units marked as running; LONG: units done */
	const char *note;           /* why nothing is known; how it ended; the batch job; or NULL */
	int64_t since_ms;           /* seen without a break since; monotonic */
	bool told;                  /* beyond doubt, and printed when looks are repeated */
};

/* What one look found, in the order of monitor_order(). */
struct monitor_list {
	struct arena arena;
	struct monitor_item *items;
	uint32_t count, cap;
	bool over; /* there is no run, or no more */
	bool wait; /* no verdict yet: look again soon */
};
/* By subject, as an order; the kind does not matter. */
int monitor_order(const struct monitor_item *a, const struct monitor_item *b);

/* What is remembered from look to look because it is dear to learn. */
struct monitor_batch {
	int64_t run, asked_ms; /* run 0: not asked */
	enum batch_life life;
	char why[256]; /* UNKNOWN */
};
struct monitor_past {                /* by phase: the units that are done */
	int64_t run, begun_ms, upto; /* read up to that unit */
	uint32_t nphases;
	struct monitor_phase {
		uint64_t done;
		int64_t longest_ms;
	} * phases;
};

struct monitor {
	const char *db;   /* as named, then as found */
	int64_t stall_ms; /* of all phases; -1: as the study says */
	int64_t interval_ms;
	bool json;
	struct arena arena; /* what outlives a look */
	struct monitor_batch batch;
	struct monitor_past past;
};

int monitor_look(struct monitor *m, struct monitor_list *out, struct fault *f);

/* "unit 12 (train, rank 2 on vm)", "process 4711 is stopped", "`kill -CONT 4711` lets it go on" */
const char *monitor_subject(struct arena *a, const struct monitor_item *i);
const char *monitor_finding(struct arena *a, const struct monitor_item *i);
const char *monitor_advice(struct arena *a, const struct monitor_item *i, const char *db);

#endif
