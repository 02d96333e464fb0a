/* batch: what is asked of a batch system, and what its answers mean. Nothing runs here. */
#ifndef BATCH_H
#define BATCH_H

#include "arena.h"

#include <stdbool.h>

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

#endif
