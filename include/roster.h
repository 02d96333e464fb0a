/* roster: which workers rank 0 counts in, and how it learns that one is gone.
 *
 * A worker is lost when it has been silent for too long (pulse.h), or at once when its process and its
 * keeper's have ended, where rank 0 can see that: on its own host. A keeper ends when nothing is left of what
 * it started, so in both cases nothing of the worker's units runs any more. */
#ifndef ROSTER_H
#define ROSTER_H

#include "arena.h"
#include "msg.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct roster;
/* patience_ms: as for pulse_init. All ranks but `self` are expected to come. */
struct roster *roster_new(struct arena *a, uint32_t ranks, uint32_t self, int64_t patience_ms);
void roster_close(struct roster *r);
void roster_set_patience(struct roster *r, int64_t patience_ms);
/* Is this HELLO that of a life which is not known yet? */
bool roster_is_new(const struct roster *r, uint32_t rank, const struct msg_hello *h);
void roster_hello(struct roster *r, uint32_t rank, const struct msg_hello *h);
/* A beat came: is it to be answered? Not of one that is lost. */
bool roster_beat(struct roster *r, uint32_t rank);
/* Not one of ours any more, until its next HELLO. */
void roster_drop(struct roster *r, uint32_t rank);
const char *roster_host(const struct roster *r, uint32_t rank); /* "" before HELLO */
/* Descriptors to wait for, at most roster_fd_count(). */
uint32_t roster_fd_count(const struct roster *r);
uint32_t roster_fds(const struct roster *r, struct pollfd *fds);
/* After a wait that returned these. */
void roster_look(struct roster *r, const struct pollfd *fds, uint32_t n);
/* One that is lost and not yet dropped: true, and why. `scratch` gives memory. */
bool roster_lost(struct roster *r, int64_t now_ms, uint32_t *rank, const char **why, struct arena *scratch);
int64_t roster_due_ms(const struct roster *r);

#endif
