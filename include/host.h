/* host: clock, signals, cpus, gpus, files: what the machine is and says. No decisions. */
#ifndef HOST_H
#define HOST_H

#include "arena.h"
#include "bytes.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int64_t host_monotonic_ms(void);
int64_t host_epoch_ms(void);
const char *host_name(void); /* short name, cached */
const char *host_user(void); /* name of the user, or its number; cached */
/* Equal for two processes where they are on one host (one kernel since its boot, one name) and in one name
 * space of this kind: "pid", where process numbers mean the same; "net". */
uint64_t host_identity(const char *name_space);
/* Readable when the process has ended. -1 with errno: ESRCH, it has; else it cannot be watched. */
int host_process_fd(uint32_t pid);
/* From now on we end when our parent process does (a launcher's daemon, whatever ended it). */
void host_end_with_parent(void);

/* A deputy: a thread that calls act(ctx) when its owner has been away for after_ms, and then each after_ms;
 * never while the owner is there. NULL (there is no thread to be had) is allowed everywhere else. */
struct host_deputy;
struct host_deputy *host_deputy_open(int64_t after_ms, void (*act)(void *ctx), void *ctx);
void host_deputy_begin(struct host_deputy *d); /* the owner goes */
void host_deputy_end(struct host_deputy *d);   /* and is back, when what the deputy does is done */
void host_deputy_close(struct host_deputy *d);

/* The cpus this rank's node share may use, in topology order (cores of one package together; hwloc). The mask
 * is the union of the process's own and, when its parent is an MPI daemon (orted, prted, mpirun, ...), the
 * parent's: mpirun binds ranks to single cores, the allocation is what the daemon has. Returns the count, at
 * most cap. */
uint32_t host_cpus(uint32_t *cpus, uint32_t cap);
/* Confine process `pid` (0: ours) and what it starts from now on to these cpus. False: the system does not
 * let us, nothing has changed. */
bool host_bind(pid_t pid, const uint32_t *cpus, uint32_t n);
/* Distinct physical cores among them. */
uint32_t host_cores(void);
/* Of the machine, whoever may use them. */
uint32_t host_cpus_there(void);
uint32_t host_gpus(
    void); /* nvidia devices visible: CUDA_VISIBLE_DEVICES, else /proc/driver/nvidia/gpus; 0 when none */
int64_t host_memory_bytes(void); /* physical, or the cgroup's limit when smaller */

/* SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 are counted and readable through a descriptor; SIGPIPE is
 * ignored. */
int host_signals_open(struct fault *f); /* returns the descriptor to poll */
int host_signals_take(int fd);          /* the next pending signal, 0: none */

enum host_fs { HOST_FS_LOCAL, HOST_FS_NETWORK, HOST_FS_UNKNOWN };
enum host_fs host_file_system(const char *path, const char **name); /* by statfs of path or its folder */

/* May this process write there, and lock what it writes, as a database must? -1: FAULT_IO says what it may
 * not. */
int host_try_folder(const char *dir, struct fault *f);
int64_t host_free_bytes(const char *dir); /* for this user; -1: not known */
struct host_limits {
	int64_t files, processes, memory_bytes; /* of this process, of this user; -1: none */
};
void host_limits(struct host_limits *out);

int host_read_file(const char *path, size_t max_bytes, struct bytes *out, struct fault *f);
int host_write_all(int fd, const void *p, size_t n); /* -1: errno tells why */
/* Written beside and renamed. */
int host_write_file(const char *path, const void *p, size_t n, struct fault *f);
/* The same, readable by the owner only. */
int host_write_private(const char *path, const void *p, size_t n, struct fault *f);
int host_make_dirs(const char *path, struct fault *f); /* mkdir -p */
/* Remove a folder and all below it; links are removed, not followed. 0 also when it does not exist. */
int host_remove_tree(const char *path, struct fault *f);
bool host_dir_empty(const char *path); /* true also when it does not exist */
const char *host_absolute(struct arena *a,
                          const char *path); /* relative to the current folder, not resolved */

/* The environment of trainers: base (the NUL-separated snapshot file when given and readable, else our own)
 * without the launchers' variables (OMPI_ PMIX_ PMI_ ORTE_ PRTE_ HYDI_ SLURM_ and what Open MPI adds),
 * without RANKSWEEP_ ones; SLURM_JOB_ID is kept as RANKSWEEP_SLURM_JOB_ID. NULL-terminated, in `a`. */
const char **host_trainer_env(struct arena *a, const char *snapshot_path, uint32_t *n);
/* The batch job this process is in, "slurm:1234" or "pbs:99.server"; NULL: none that we know of. In `a`. */
const char *host_batch_job(struct arena *a);
/* Write the snapshot of this process's environment; readable by the owner only, it may hold secrets. */
int host_save_env(const char *path, struct fault *f);
bool host_is_launcher_variable(const char *name);

#endif
