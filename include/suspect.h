/* suspect: what looks wrong in a run, from facts alone. Who gathers them (rows of the database, a look at the
 * processes of this host, an answer of the batch system) says UNKNOWN of what could not be seen, and nothing
 * is concluded from that. All times are epoch milliseconds. */
#ifndef SUSPECT_H
#define SUSPECT_H

#include "batch.h"

#include <stdbool.h>
#include <stdint.h>

enum suspect_process {
	PROCESS_UNKNOWN, /* of another host, or not to be seen */
	PROCESS_ALIVE,
	PROCESS_STOPPED, /* by a signal */
	PROCESS_ZOMBIE,
	PROCESS_GONE
};

#define SUSPICIONS(X)                                                                                        \
	X(NONE, "none")                                                                                      \
	X(STOPPED, "stopped")     /* its process is */                                                       \
	X(ZOMBIE, "zombie")       /* a trainer or a rank that has ended, and nobody takes notice */          \
	X(GONE, "gone")           /* the same, and its process is not there any more */                      \
	X(OVER_TIME, "over_time") /* a unit beyond its timeout and grace */                                  \
	X(SILENT, "silent")       /* a unit without output or metric for too long */                         \
	X(LONG, "long")           /* a unit far beyond all of its phase that are done: a hint */             \
	X(DIED, "died")           /* a run that noted no end */                                              \
	X(STUCK, "stuck")         /* a run that is there, and writes nothing */                              \
	X(UNKNOWN, "unknown")     /* a run that writes nothing; no more can be told from here */             \
	X(LEFT, "left")           /* a run that ended while units were running */                            \
	X(WAIT, "wait")           /* a run that may have died: look again soon, say nothing yet */
enum suspicion {
#define X(name, text) SUSPECT_##name,
	SUSPICIONS(X)
#undef X
	    SUSPECT_COUNT
};
const char *suspicion_text(enum suspicion s);

enum {
	SUSPECT_LAG_MS = 2000,     /* from a trainer's word to the database at most, on a good day */
	SUSPECT_SETTLE_MS = 5000,  /* a unit that began or must end within this is left alone */
	SUSPECT_LATE_MS = 60000,   /* rank 0 notes a sign of life every 15 s */
	SUSPECT_MISSED_MS = 20000, /* one of these signs was missed */
	SUSPECT_TWICE_MS = 1,
	SUSPECT_PROOF_MS = 3000,       /* see suspect_proof_ms() */
	SUSPECT_STALL_MS = 10 * 60000, /* silence in a phase without `stall` */
	SUSPECT_LONG_FACTOR = 10,
	SUSPECT_LONG_DONE = 20, /* so many must be done before a unit is called long */
	SUSPECT_LONG_MS = 60000 /* and so long it must have run */
};

/* A unit that is marked as running. */
struct suspect_unit {
	int64_t now_ms, started_ms, heard_ms;
	int64_t stall_ms, timeout_ms, grace_ms; /* stall, timeout 0: none */
	int64_t longest_ms;                     /* of its phase's units that are done ... */
	uint64_t done;                          /* ... and how many these are */
	enum suspect_process process;
	bool noted;     /* rank 0 and its own rank are well: what it says, and its end, would be noted */
	bool heard_all; /* what it says still gets to rank 0 (not so beyond the head of its output that is
	                   kept) */
};
enum suspicion suspect_unit(const struct suspect_unit *u);

/* A rank other than 0 of a run that is going on. */
enum suspicion suspect_rank(enum suspect_process p);

/* The last run there was. */
struct suspect_run {
	int64_t now_ms, last_seen_ms;
	bool ended;                   /* it has noted its end */
	uint64_t running;             /* units marked as running; only asked for when it has ended */
	enum suspect_process process; /* of rank 0 */
	enum batch_life batch;        /* only asked for when suspect_ask_batch() says so */
};
enum suspicion suspect_run(const struct suspect_run *r);
bool suspect_ask_batch(const struct suspect_run *r);

/* What is seen in the moment between an end and the note of it may be wrong. So a suspicion must stand for so
 * long, from one look to another: 0, no doubt; SUSPECT_TWICE_MS, any second look will do, as a run notes its
 * end before its process ends; more where the note follows the end. */
int64_t suspect_proof_ms(enum suspicion s);

#endif
