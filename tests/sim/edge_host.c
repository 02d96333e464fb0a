/* The machine: clocks that are the world's, signals, a small node. */
#include "world.h"

#include "host.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int64_t __wrap_host_monotonic_ms(void);
int64_t __wrap_host_epoch_ms(void);
const char *__wrap_host_name(void);
uint32_t __wrap_host_cpus(uint32_t *cpus, uint32_t cap);
bool __wrap_host_bind(pid_t pid, const uint32_t *cpus, uint32_t n);
uint32_t __wrap_host_gpus(void);
int64_t __wrap_host_memory_bytes(void);
int __wrap_host_signals_open(struct fault *f);
int __wrap_host_signals_take(int fd);
int __wrap_host_make_dirs(const char *path, struct fault *f);
bool __wrap_host_dir_empty(const char *path);
int __wrap_host_remove_tree(const char *path, struct fault *f);
const char **__wrap_host_trainer_env(struct arena *a, const char *snapshot_path, uint32_t *n);
int __wrap_output_open(struct output_file *o, const char *path, struct fault *f);
int __real_output_open(struct output_file *o, const char *path, struct fault *f);

uint64_t __wrap_host_identity(const char *name_space);
int __wrap_host_process_fd(uint32_t pid);
void __wrap_host_end_with_parent(void);
pid_t __wrap_getpid(void);

enum { CPUS = 4 };

uint64_t __wrap_host_identity(const char *name_space)
{
	(void)name_space;
	return w.current == NOBODY ? 99 : 100 + w.ranks[w.current].node;
}

int __wrap_host_process_fd(uint32_t pid)
{
	if (!process_ended(pid))
		return FD_PROCESS + (int)pid;
	errno = ESRCH;
	return -1;
}

void __wrap_host_end_with_parent(void)
{
}

pid_t __wrap_getpid(void)
{
	return (pid_t)(PID_RANK + (w.current == NOBODY ? 999 : w.current));
}

int64_t __wrap_host_monotonic_ms(void)
{
	return w.now_ms;
}

int64_t __wrap_host_epoch_ms(void)
{
	return 1700000000000 + w.now_ms + w.epoch_off;
}

const char *__wrap_host_name(void)
{
	return "sim";
}

uint32_t __wrap_host_cpus(uint32_t *cpus, uint32_t cap)
{
	uint32_t n = cap < CPUS ? cap : CPUS;

	for (uint32_t i = 0; i < n; i++)
		cpus[i] = i;
	return n;
}

bool __wrap_host_bind(pid_t pid, const uint32_t *cpus, uint32_t n)
{
	(void)pid;
	(void)cpus;
	(void)n;
	return true;
}

uint32_t __wrap_host_gpus(void)
{
	return 2;
}

int64_t __wrap_host_memory_bytes(void)
{
	return (int64_t)8 << 30;
}

int __wrap_host_signals_open(struct fault *f)
{
	(void)f;
	return FD_SIGNALS + (int)w.current;
}

int __wrap_host_signals_take(int fd)
{
	struct sim_rank *x = &w.ranks[fd - FD_SIGNALS];
	int sig;

	if (!x->nsignals)
		return 0;
	sig = x->signals[0];
	if (x == &w.ranks[0] && !x->dead)
		w.stop_known = true;
	memmove(x->signals, x->signals + 1, (size_t)--x->nsignals * sizeof *x->signals);
	return sig;
}

short host_fd_ready(int fd)
{
	if (fd >= FD_KEEPER) {
		const struct sim_rank *x = &w.ranks[fd - FD_KEEPER];

		return x->nevents && x->events_at[0] <= w.now_ms ? POLLIN : 0;
	}
	return w.ranks[fd - FD_SIGNALS].nsignals ? POLLIN : 0;
}

/* No unit's folder is ever looked into here. */
int __wrap_host_make_dirs(const char *path, struct fault *f)
{
	(void)path;
	(void)f;
	return 0;
}

bool __wrap_host_dir_empty(const char *path)
{
	(void)path;
	return true;
}

int __wrap_host_remove_tree(const char *path, struct fault *f)
{
	(void)path;
	(void)f;
	return 0;
}

const char **__wrap_host_trainer_env(struct arena *a, const char *snapshot_path, uint32_t *n)
{
	const char **env = arena_array(a, 2, sizeof *env);

	(void)snapshot_path;
	env[0] = "PATH=/bin";
	*n = 1;
	return env;
}

int __wrap_output_open(struct output_file *o, const char *path, struct fault *f)
{
	(void)path;
	return __real_output_open(o, "/dev/null", f);
}
