/* leader: rank 0. Turns frames, signals and the clock into scheduler events; commits what the scheduler
 * records; then, and only then, sends what it decided. See the essay in leader.c. */
#ifndef LEADER_H
#define LEADER_H

#include "fault.h"
#include "study.h"
#include "wire.h"
#include "worker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_mode { PROGRESS_NONE, PROGRESS_LINES, PROGRESS_TTY };

struct leader_config {
	const struct study *study;
	const char *text; /* the study file as read */
	size_t text_bytes;
	const char *db_path, *out_dir; /* out_dir absolute */
	const char *env_file;          /* snapshot of the environment of before mpirun, "" none */
	bool accept;
	int64_t time_limit_ms; /* 0: none */
	int64_t lost_after_ms; /* so long a worker may run without an answer of rank 0 */
	int64_t job_end_ms;    /* epoch: when the batch system ends us; 0: not known */
	enum progress_mode progress;
	struct wire *wire;
	struct wire_info info;
	struct keeper *keeper;
	struct worker *own; /* rank 0's own worker, NULL when others do the work */
	int signal_fd;
};

struct leader;
/* Opens the database (refused while another run holds it), replays it, begins a run. */
int leader_open(const struct leader_config *c, struct leader **out, struct fault *f);
/* Runs to the end. 0: `verdict` says how it ended (code 0: all done; text may be ""). -1: f (database
 * failure, our own bug); what was committed stays. Workers have been told to stop in either case. */
int leader_run(struct leader *l, struct fault *verdict, struct fault *f);
void leader_close(struct leader *l);

#endif
