/* worker: runs units on one rank: takes ASSIGNs, starts trainers through the keeper, reads their output,
 * sends what came of it.
 *
 * It knows no MPI: frames come in through worker_frame() and go out through worker_out(), so rank 0 can embed
 * one. */
#ifndef WORKER_H
#define WORKER_H

#include "bytes.h"
#include "child.h"
#include "fault.h"
#include "msg.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct worker;

/* What this rank may use of its node. cpus borrowed during the call; ncpus 0: no masks (oversubscribed node).
 */
struct worker_share {
	uint32_t rank;
	uint32_t slots; /* cpus it counts as, at least 1 */
	const uint32_t *cpus;
	uint32_t ncpus;
	const char *const *gpus; /* device names for CUDA_VISIBLE_DEVICES */
	uint32_t ngpus;
	int64_t memory_bytes;
};

int worker_open(struct worker **out, struct keeper *k, const struct worker_share *share, struct fault *f);
void worker_close(struct worker *w);
/* One frame from rank 0. -1: it cannot be understood or our outputs cannot be written at all. */
int worker_frame(struct worker *w, const void *frame, size_t n, struct fault *f);
/* Descriptors to wait for; returns how many were written (at most worker_fd_count()). hold_back: rank 0 is
 * behind, read no output for now (the trainers' pipes fill and they wait). */
uint32_t worker_fd_count(const struct worker *w);
uint32_t worker_fds(struct worker *w, struct pollfd *fds, bool hold_back);
/* Monotonic ms of the next timer (timeout, stall, flush), INT64_MAX: none. */
int64_t worker_next_timer_ms(const struct worker *w);
/* After a wait: read what is ready, take the keeper's events, run timers. -1: the keeper is gone, or rank 0
 * has been silent for too long. */
int worker_step(struct worker *w, const struct pollfd *fds, uint32_t nfds, int64_t now_ms, struct fault *f);
/* The frame to send to rank 0, empty when there is nothing; clear it after sending. */
struct bytes *worker_out(struct worker *w);
bool worker_busy(const struct worker *w);    /* something runs or waits to run */
bool worker_stopped(const struct worker *w); /* STOP came: nothing more to do */
/* The process that is rank 0, and where its number means something (host_identity("pid")); 0 before WELCOME.
 */
struct worker_leader {
	uint32_t pid;
	uint64_t space;
};
struct worker_leader worker_leader(const struct worker *w);

#endif
