/* wire: MPI, and nothing else of ours knows it. Frames of bytes between rank 0 and the others, a wait that
 * sleeps.
 *
 * One receive is always posted; sends never block and at most one frame is under way to each peer, the rest
 * waits in its outbox. A rank may send to itself (rank 0 that runs units): the frame comes back in order
 * through the same door. */
#ifndef WIRE_H
#define WIRE_H

#include "bytes.h"
#include "fault.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct wire;
struct wire_info {
	uint32_t rank, size;
	uint32_t node_rank, node_size; /* among the ranks of this node */
	bool node_has_leader;          /* rank 0 is on this node */
	bool single;                   /* not started by an MPI launcher */
	bool any_thread;               /* it may be used by other threads too, by one at a time */
};

/* MPI_Init, under an alarm. max_frame: largest frame in bytes. */
int wire_open(struct wire **out, size_t max_frame, struct wire_info *info, struct fault *f);
/* True when the environment says that an MPI launcher started us (mpirun, srun --mpi=pmix): no MPI call. */
bool wire_launched(void);
/* Which rank it will be, as the environment says; 0 outside of a launch. No MPI call either. */
uint32_t wire_launch_rank(void);
/* Put a frame into the outbox of a peer (never ourselves); it is sent when the one before has left. Copies.
 */
int wire_send(struct wire *w, uint32_t to, const void *data, size_t n, struct fault *f);
/* This peer is taken for dead: what waits for it is dropped, and nothing waits for it any more, nor at the
 * end. regain: it has been heard again. */
void wire_lose(struct wire *w, uint32_t to);
void wire_regain(struct wire *w, uint32_t to);
/* Frames waiting or under way to this peer. */
uint32_t wire_pending(const struct wire *w, uint32_t to);
/* Sleep until a frame came, one of fds is ready, or timeout_ms passed (-1: no limit). Progresses sends.
 * Returns with revents set. busy: something is going on (short sleeps, answers within a millisecond); else
 * longer ones that cost next to nothing. */
int wire_wait(struct wire *w, struct pollfd *fds, nfds_t n, int64_t timeout_ms, bool busy, struct fault *f);
/* Next received frame, borrowed until the next call of wire_next or wire_wait: 1, or 0 when there is none
 * now. */
int wire_next(struct wire *w, uint32_t *from, const unsigned char **frame, size_t *n);
/* Try to get everything out for at most timeout_ms, then MPI_Finalize, unless a peer was lost: then the
 * process is to end without it. When that takes too long (a worker waits for rank 0 there, and for much
 * longer than rank 0 for workers) the process ends with `status`. NULL is allowed. */
void wire_close(struct wire *w, int64_t timeout_ms, int status);
/* End the whole launch at once (MPI_Abort). */
_Noreturn void wire_abort(int status);

#endif
