/* launch: `ranksweep run` outside of mpirun starts mpirun itself, passes signals on, and brings the verdict
 * back.
 *
 * mpirun's own exit status is not a verdict (a rank that ends with 1 makes it print a page of advice), so
 * rank 0 writes its exit status into a file named by RANKSWEEP_VERDICT_FILE and exits with 0. The environment
 * of before mpirun travels in another file, RANKSWEEP_ENV_FILE: what mpirun adds must not reach trainers that
 * are MPI programs themselves. A third one, RANKSWEEP_LEADER_FILE, says which process rank 0 is. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "arena.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

struct launch_options {
	uint32_t ranks;          /* 0: what mpirun finds in the allocation */
	const char *const *argv; /* NULL-terminated; argv[0] is this program */
	const char *dir;         /* where the two files go; must exist and be visible to rank 0 */
};

/* Runs to the end; the exit status of the run. -1: it could not be started. The first INT, TERM, HUP or USR1
 * asks the run to end in good order (USR1 to mpirun, which forwards it), a second one ends it at once (TERM),
 * a third one does not wait for mpirun. A USR2 before all that is passed on as it is. */
int launch_run(const struct launch_options *o, struct fault *f);
/* Rank 0's side: tell the launcher which process this is; its death without a verdict ends the launch. */
void launch_lead(void);
/* How many of us srun has started, where these are several; NULL else. Without PMIx (no MPI launch is seen)
 * they know nothing of each other, and each would be a run of its own. */
const char *launch_copies(void);
/* Does this launch go on without a rank that died? What of mpirun's flags for that is missing, as typed
 * (NULL: nothing, or it is not mpirun). In `a`. */
bool launch_recovers(void);
const char *launch_missing(struct arena *a);
/* Rank 0's side: hand over the exit status. Returns the status the process itself must end with. */
int launch_verdict(int status);
const char *launch_env_file(void); /* "" when there is none */

#endif
