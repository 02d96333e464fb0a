#include "roster.h"

#include "host.h"
#include "pulse.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { RANK, KEEPER, PROCESSES };

struct member {
	char host[MSG_HOST_MAX];
	uint32_t life; /* of its last HELLO */
	bool in;       /* counted in; else lost, or not yet come */
	bool watched;
	int fd[PROCESSES]; /* -1: that process has ended, or is not watched */
};

struct roster {
	struct pulse pulse;
	struct member *all;
	uint32_t *watched, nwatched; /* their ranks */
	uint32_t n, self;
	uint64_t space;
	bool any_gone; /* somebody's processes have ended */
};

struct roster *roster_new(struct arena *a, uint32_t ranks, uint32_t self, int64_t patience_ms)
{
	struct roster *r = arena_alloc(a, sizeof *r);
	int64_t now = host_monotonic_ms();

	r->n = ranks;
	r->self = self;
	r->space = host_identity("pid");
	r->all = arena_array(a, ranks, sizeof *r->all);
	r->watched = arena_array(a, ranks, sizeof *r->watched);
	pulse_init(&r->pulse, a, ranks, patience_ms);
	for (uint32_t i = 0; i < ranks; i++)
		if (i != self)
			pulse_answer(&r->pulse, i, now);
	return r;
}

static void unwatch(struct roster *r, uint32_t rank)
{
	struct member *m = &r->all[rank];

	if (!m->watched)
		return;
	for (int i = 0; i < PROCESSES; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->watched = false;
	for (uint32_t i = 0; i < r->nwatched; i++)
		if (r->watched[i] == rank)
			r->watched[i] = r->watched[--r->nwatched];
}

void roster_close(struct roster *r)
{
	while (r && r->nwatched)
		unwatch(r, r->watched[0]);
}

void roster_set_patience(struct roster *r, int64_t patience_ms)
{
	pulse_set_patience(&r->pulse, patience_ms);
}

static bool is_gone(const struct member *m)
{
	return m->watched && m->fd[RANK] < 0 && m->fd[KEEPER] < 0;
}

/* Both or neither: that one of them has ended tells nothing. */
static void watch(struct roster *r, uint32_t rank, const struct msg_hello *h)
{
	struct member *m = &r->all[rank];
	const uint32_t pid[PROCESSES] = {h->pid, h->keeper_pid};

	if (h->space != r->space)
		return;
	m->watched = true;
	r->watched[r->nwatched++] = rank;
	for (int i = 0; i < PROCESSES; i++)
		m->fd[i] = -1;
	for (int i = 0; i < PROCESSES; i++) {
		m->fd[i] = host_process_fd(pid[i]);
		if (m->fd[i] < 0 && errno != ESRCH) {
			unwatch(r, rank);
			return;
		}
	}
	r->any_gone = r->any_gone || is_gone(m);
}

bool roster_is_new(const struct roster *r, uint32_t rank, const struct msg_hello *h)
{
	return h->life > r->all[rank].life;
}

void roster_hello(struct roster *r, uint32_t rank, const struct msg_hello *h)
{
	struct member *m = &r->all[rank];

	unwatch(r, rank);
	m->life = h->life;
	m->in = true;
	memcpy(m->host, h->host, strlen(h->host) + 1);
	if (rank == r->self)
		return;
	pulse_answer(&r->pulse, rank, host_monotonic_ms());
	watch(r, rank, h);
}

bool roster_beat(struct roster *r, uint32_t rank)
{
	if (!r->all[rank].in)
		return false;
	pulse_answer(&r->pulse, rank, host_monotonic_ms());
	return true;
}

void roster_drop(struct roster *r, uint32_t rank)
{
	r->all[rank].in = false;
	pulse_forget(&r->pulse, rank);
	unwatch(r, rank);
}

const char *roster_host(const struct roster *r, uint32_t rank)
{
	return r->all[rank].host;
}

uint32_t roster_fd_count(const struct roster *r)
{
	return PROCESSES * r->nwatched;
}

uint32_t roster_fds(const struct roster *r, struct pollfd *fds)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->nwatched; i++)
		for (int k = 0; k < PROCESSES; k++)
			fds[n++] = (struct pollfd){.fd = r->all[r->watched[i]].fd[k], .events = POLLIN};
	return n;
}

void roster_look(struct roster *r, const struct pollfd *fds, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct member *m = &r->all[r->watched[i / PROCESSES]];
		int *fd = &m->fd[i % PROCESSES];

		if (fds[i].fd < 0 || !fds[i].revents)
			continue;
		close(*fd);
		*fd = -1;
		r->any_gone = r->any_gone || is_gone(m);
	}
}

static bool find_gone(struct roster *r, uint32_t *rank)
{
	for (uint32_t i = 0; r->any_gone && i < r->nwatched; i++)
		if (is_gone(&r->all[r->watched[i]])) {
			*rank = r->watched[i];
			return true;
		}
	r->any_gone = false;
	return false;
}

bool roster_lost(struct roster *r, int64_t now_ms, uint32_t *rank, const char **why, struct arena *scratch)
{
	if (find_gone(r, rank)) {
		*why = "its process has ended";
		return true;
	}
	*rank = pulse_silent(&r->pulse, now_ms);
	if (*rank == PULSE_NOBODY)
		return false;
	*why = arena_printf(scratch, "nothing heard of it for %lld s",
	                    (long long)(now_ms - r->pulse.all[*rank].answered_ms) / 1000);
	return true;
}

int64_t roster_due_ms(const struct roster *r)
{
	return r->any_gone ? 0 : pulse_due_ms(&r->pulse);
}
