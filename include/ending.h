/* ending: how an attempt came to its end, in words a user can act on. The reasons themselves are in study.h.
 *
 * Pure: what is said follows from what the database and the study say. */
#ifndef ENDING_H
#define ENDING_H

#include "bytes.h"
#include "study.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ending {
	const char *reason;              /* of the attempt; NULL: it did not go wrong (yet) */
	bool gave_up;                    /* the unit has failed with it: no further attempt */
	const struct study_phase *phase; /* its limits and its metric */
	int64_t exit_code, signal;       /* -1, 0: none */
	const char *signal_name; /* "SIGSEGV", also of an exit status 128 + n; NULL when it has none */
	int64_t max_rss_kb;      /* 0: not known */
	const char *host;        /* NULL: not known */
	int64_t rank;
	const char *metric; /* that it speaks of; NULL: that of the phase */
	bool has_value;     /* the metric was reported; `value` is the last one */
	double value;
	const char *others; /* "loss, accuracy": other metrics it reported; NULL none */
	const char *tail;   /* the end of what it wrote; may be NULL */
	size_t tail_bytes;
};

/* One sentence without a full stop; nothing for an attempt that did not go wrong. */
void ending_put(struct bytes *out, const struct ending *e);

/* Do the last words of a program that failed say that it was refused memory? The kernel tells nobody when a
 * limit refuses an allocation; but what language runtimes print then is known. */
bool ending_speaks_of_memory(const void *tail, size_t n);

#endif
