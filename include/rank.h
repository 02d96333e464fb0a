/* rank: what every rank of a launch has (keeper, signals, wire, its share of the node), and the worker's
 * loop. */
#ifndef RANK_H
#define RANK_H

#include "child.h"
#include "fault.h"
#include "leader.h"
#include "wire.h"
#include "worker.h"

struct rank {
	struct keeper *keeper;
	struct wire *wire;
	struct wire_info info;
	struct worker *worker; /* NULL on a rank 0 that only schedules */
	int signal_fd;
};

/* Forks the keeper, then joins the launch (or stands alone outside of one). */
int rank_open(struct rank *r, struct fault *f);
/* A worker's whole life: until rank 0 says STOP. */
int rank_work(struct rank *r, struct fault *f);
/* Rank 0 cannot go on (a wrong study file): let the workers end. */
void rank_dismiss(struct rank *r);
void rank_close(struct rank *r);

#endif
