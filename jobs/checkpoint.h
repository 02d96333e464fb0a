/* checkpoint: stop and go on without a trace in the result.
 *
 *   RANKSWEEP_DIR        the folder this unit keeps over its attempts; without it there are no checkpoints
 *   RANKSWEEP_RESUME=1   it holds an earlier attempt's files: go on from `checkpoint` there
 *   --checkpoint N       write one every N epochs
 *
 * A training that is to resume puts everything the next epoch depends on into its fields: parameters,
 * velocities, the state of the random numbers, and what it has measured so far. Then a run that was killed at
 * any instant and resumed ends bit for bit like one that was not. On SIGTERM, or when the deadline is near,
 * the epoch under way is finished, a checkpoint written, and the program ends with 75: "run me again". A
 * checkpoint that is damaged, or of a run with other options, is not used: a warning, and a clean start. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "archive.h"
#include "options.h"

#include <limits.h>

struct checkpoint {
	bool on, resume;
	int every; /* epochs */
	uint64_t fingerprint;
	char path[PATH_MAX];
};

/* Name the fields of `state` after `step` epochs to the archive, for writing and for reading. */
typedef void checkpoint_fields(struct archive *a, int step, void *state);

void checkpoint_options(struct checkpoint *c, struct options *o);
void checkpoint_open(struct checkpoint *c, uint64_t fingerprint); /* after options_parse */

/* The number of epochs that are done, their state read in; 0, nothing read, for a new start. */
int checkpoint_resume(const struct checkpoint *c, int max_step, checkpoint_fields *fields, void *state);

/* After each epoch, its metrics reported. Does not return when the program has been told to stop. */
void checkpoint_step(const struct checkpoint *c, int step, checkpoint_fields *fields, void *state);

#endif
