/* child: starting and ending training programs, and search programs, their companions; the only module that
 * forks, waits and kills.
 *
 * A small keeper process, forked before MPI_Init, starts and supervises all trainers of its rank. It talks to
 * the rank over one socket pair. The rank makes the pipes and keeps their reading ends; the keeper gets the
 * writing ends with the request. Every trainer has its own session; the keeper is the subreaper of them all;
 * when a trainer ends, what is left of its tree is ended too; when the rank is gone (end of file), TERM,
 * grace, KILL until no descendant is left.
 *
 * Trainers may run on a lease: when it ends the keeper ends them by itself, whatever its rank does or cannot
 * do. So nobody needs to hear from this host to know that nothing of a unit runs here any more. */
#ifndef CHILD_H
#define CHILD_H

#include "fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;

/* Fork the keeper. Call before MPI_Init, with no thread and no descriptor beyond 2 open that the keeper must
 * not have. The calling process gets PR_SET_PDEATHSIG-independent guarantees: see the essay in child.c. */
int keeper_start(struct keeper **out, struct fault *f);
/* The descriptor to poll for reading: events are waiting. */
int keeper_fd(const struct keeper *k);
pid_t keeper_pid(const struct keeper *k);
/* End every trainer (TERM, grace, KILL) and the keeper; waits until it is gone (bounded by grace + 2 s). NULL
 * is allowed. */
void keeper_close(struct keeper *k, int64_t grace_ms);

struct child_spec {
	uint32_t id; /* the caller's number for it; unique among the live ones */
	const char *const
	    *argv; /* NULL-terminated; argv[0] is looked up in PATH of envp when it has no slash */
	const char *const *envp; /* NULL-terminated, complete */
	const char
	    *setup; /* NULL, or shell text run before by /bin/sh: sh -c 'SETUP\nexec "$@"' sh ARGV... */
	const char *cwd;
	int64_t grace_ms;     /* between TERM and KILL where the lease ends it */
	int64_t memory_bytes; /* RLIMIT_DATA and RLIMIT_AS-like limit; 0 none */
	const uint32_t *cpus; /* affinity; ncpus 0: leave */
	uint32_t ncpus;
	/* A companion, whose id is from CHILD_COMPANION up: its descriptor 0 is a pipe instead of /dev/null,
	 * its stderr is err_fd, it has no metric descriptor, and what `setup` prints goes to its stderr. */
	int err_fd;
};
#define CHILD_COMPANION 0x80000000u
struct child_pipes { /* our ends, non-blocking, close-on-exec; the caller closes them; -1: there is none */
	int out, err, metric;
	int in; /* of a companion: to write to */
};
/* Ask the keeper to start it. The trainer's metric descriptor is number CHILD_METRIC_FD, and
 * RANKSWEEP_METRIC_PIPE in its environment is the inode of that pipe. -1 only when the keeper is gone or we
 * are out of descriptors; whether the program could be started is told by an event. */
enum { CHILD_METRIC_FD = 3 };
int child_start(struct keeper *k, const struct child_spec *s, struct child_pipes *pipes, struct fault *f);
/* TERM to its group now, KILL after grace_ms to all of its tree. An ended or unknown id is ignored. */
int child_stop(struct keeper *k, uint32_t id, int64_t grace_ms, struct fault *f);
/* Trainers may run until then (CLOCK_MONOTONIC); a later call extends it. When it ends every trainer gets
 * TERM, and KILL after its grace_ms; CHILD_FENCED tells, and what is asked to start fails (SPAWN_FAILED,
 * ETIME) until there is a new lease. Without any call there is no end. */
int child_lease(struct keeper *k, int64_t until_ms, struct fault *f);

enum child_event_kind { CHILD_STARTED, CHILD_SPAWN_FAILED, CHILD_EXITED, CHILD_FENCED };
struct child_event {
	enum child_event_kind kind;
	uint32_t id;
	pid_t pid;
	int error;      /* SPAWN_FAILED: errno */
	char stage[16]; /* SPAWN_FAILED: "exec", "chdir", "fork", ... */
	int exit_code;  /* EXITED: 0..255, -1 when it was a signal */
	int signal;     /* EXITED: 0 none */
	bool oom; /* EXITED: killed for memory (cgroup oom_kill seen, or its memory limit made it die), as far
	             as can be told */
	double user_seconds, system_seconds;
	uint64_t max_rss_kb;
};
/* Next waiting event of a trainer: 1 and *e, 0 none now, -1 the keeper is gone (FAULT_IO). Never blocks.
 * CHILD_EXITED comes when the whole tree is gone. */
int keeper_next(struct keeper *k, struct child_event *e, struct fault *f);
/* The same of companions, whose events keeper_next puts aside: only what it has come across is here. */
int keeper_next_companion(struct keeper *k, struct child_event *e);

/* How a process of this host looks to anybody, whoever started it. */
enum child_sight {
	CHILD_UNSEEN, /* it cannot be told */
	CHILD_SEEN,
	CHILD_STOPPED, /* by a signal; not by a debugger */
	CHILD_ZOMBIE,  /* ended, and its parent has not asked */
	CHILD_GONE     /* nothing has its number, or something that began after `began_by_ms` (epoch) */
};
enum child_sight child_look(int64_t pid, int64_t began_by_ms);

#endif
