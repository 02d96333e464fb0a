/* child_keeper: what the files of module child share with each other; nobody else includes it.
 *
 * child.c is the rank's side, child_keeper.c the keeper's loop, child_spawn.c the step from keeper to running
 * trainer, child_tree.c what /proc tells of processes (child_look too), child_oom.c whether memory was the
 * cause of a death.
 */
#ifndef CHILD_KEEPER_H
#define CHILD_KEEPER_H

#include "arena.h"
#include "bytes.h"
#include "child.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* ---- the socket ---------------------------------------------------------------------------------------
 * A stream. Both ends are the same program on the same machine, so heads and events travel as they lie in
 * memory; lengths and counts are checked all the same. The keeper answers with whole struct child_events. */
enum child_request_kind {
	CHILD_REQUEST_START = 1,
	CHILD_REQUEST_STOP,
	CHILD_REQUEST_CLOSE,
	CHILD_REQUEST_LEASE
};
enum { CHILD_REQUEST_BYTES = 16 << 20, CHILD_CPUS = 8192, CHILD_PIPES = 3 };

/* A START is followed by ncpus uint32 and then 1 + argc + envc strings with their NULs: cwd, argv, envp. The
 * writing ends of out, err, metric (of a companion: out, err, and the reading end of its descriptor 0) ride
 * on its first byte. `error` is an errno found by the rank already: the keeper sends it back as the event. */
struct child_request {
	uint32_t bytes; /* of the whole request, this head included */
	uint32_t kind, id, ncpus, argc, envc;
	int32_t error, unused;
	int64_t grace_ms, memory_bytes;
	int64_t until_ms; /* LEASE */
};

/* The keeper's life; `socket` is its end. */
_Noreturn void child_keeper_main(int socket);

/* ---- starting (child_spawn.c) -------------------------------------------------------------------------- */
struct child_order {
	const char *const *argv, *const *envp;
	const char *cwd;
	int pipes[CHILD_PIPES]; /* >= 4 */
	bool companion;         /* the third is its descriptor 0, and it has no metric descriptor */
	int64_t memory_bytes;   /* 0: none */
	const unsigned char *cpu_mask;
	size_t cpu_mask_bytes; /* 0: leave the affinity */
};
/* Start it in a session of its own. Returns its pid, or -1 with *error and *stage. `scratch` gives memory.
 * The caller has all signals blocked (SIGCHLD may have a handler that does nothing but set a flag), default
 * dispositions otherwise, /dev/null as descriptor 0 and no descriptor >= 4 without close-on-exec. */
pid_t child_spawn(const struct child_order *o, struct arena *scratch, int *error, const char **stage);

/* ---- processes (child_tree.c) -------------------------------------------------------------------------- */
struct child_process {
	pid_t pid, group, session;
	char state;
	int threads;          /* of its main thread alone `state` is told */
	uint64_t start_ticks; /* clock ticks since boot */
};
struct child_pids {
	pid_t *at;
	size_t n, cap;
	int file; /* the kernel's list, open from the first question on; 0: not yet, -1: there is none */
};
/* The direct children of the calling (single-threaded or main) thread, zombies too. One list is for one
 * process. A zeroed list is ready for use. */
void child_tree_children(struct child_pids *list);
void child_tree_finish(struct child_pids *list);
bool child_tree_stat(pid_t pid, struct child_process *out);
/* Whether the environment pid was started with holds all the NAME=VALUE texts in `marks` (NUL after each). */
bool child_tree_marked(pid_t pid, const char *marks, size_t marks_bytes);
/* Now, in the unit of start_ticks; never later than the start of a process made after this call. */
uint64_t child_tree_ticks(void);

/* ---- memory (child_oom.c) ------------------------------------------------------------------------------ */
struct child_oom {
	char path[512];      /* the kernel's file that counts oom kills; "" none */
	uint64_t seen, free; /* the count when last read; kills seen that no trainer was charged with yet */
};
void child_oom_init(struct child_oom *m);
/* From such files: groups like /proc/self/cgroup, root like /sys/fs/cgroup, machine like /proc/vmstat. */
void child_oom_find(struct child_oom *m, const char *groups, const char *root, const char *machine);
/* Whether a trainer that ended with `status` died for memory. `ours`: we sent it SIGKILL. */
bool child_oom_died(struct child_oom *m, int status, bool ours, const struct rusage *used,
                    int64_t limit_bytes);

#endif
