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
	bool leader_known;
	int leader_fd;          /* readable when rank 0 has ended; -1: not known, or on another host */
	int64_t leader_gone_ms; /* then: so long its last word may take to come; INT64_MAX */
};

/* Forks the keeper, then joins the launch (or stands alone outside of one). */
int rank_open(struct rank *r, struct fault *f);
/* A worker's whole life: until rank 0 says STOP. -1 too when rank 0 has died, with "" in f on all ranks of a
 * node but the first: it is said once. */
int rank_work(struct rank *r, struct fault *f);
/* Rank 0 cannot go on (a wrong study file): let the workers end. */
void rank_dismiss(struct rank *r);
/* broken: without waiting for ranks that may be dead. status: what this process is about to end with. */
void rank_close(struct rank *r, bool broken, int status);

#endif
