/* batch: what is asked of a batch system, and what its answers mean. Nothing runs here. */
#ifndef BATCH_H
#define BATCH_H

#include "arena.h"

#include <stdbool.h>
#include <stdint.h>

enum batch_life {
	BATCH_UNKNOWN, /* the answer says neither: never to be taken for GONE */
	BATCH_ALIVE,   /* the job has its nodes */
	BATCH_GONE     /* it is over, or waits to be started again */
};

enum { BATCH_WORDS = 8 };
/* The command that asks for a job ("slurm:1234", "pbs:99.server"), NULL-terminated, in `a`. False: a system
 * that we do not know, or no job number. */
bool batch_question(struct arena *a, const char *job, const char *argv[BATCH_WORDS]);
/* What that command answered: its exit status, stdout and stderr. */
enum batch_life batch_answer(const char *job, int status, const char *out, const char *err);

/* The n-th command, from 0, that asks when the job will be ended; the next one is for where this one has no
 * answer. False: there is none. */
bool batch_end_question(struct arena *a, const char *job, uint32_t n, const char *argv[BATCH_WORDS]);
struct batch_end {
	bool unlimited;
	int64_t left_ms;  /* of its time; 0: not told */
	int64_t limit_ms; /* the whole of it; 0: not told, as with Slurm */
	/* Its beginning in local time: year, month (1..12), day, hour, minute, second; year 0: not told. */
	int32_t start[6];
};
/* What that command printed. False: nothing that says when. */
bool batch_end_answer(const char *job, const char *out, struct batch_end *end);

#endif
