/* host, the environment of trainers: what the user had, without what launchers added.
 *
 * A trainer that is an MPI program itself fails to start, silently, when it sees the variables of the rank
 * that started it; others take their values for their own (accelerate, Lightning). Inside a Slurm allocation
 * a trainer's own mpirun that sees SLURM_ hangs: it asks the allocation for cpus that are busy. What the user
 * set on purpose looks the same (OMPI_MCA_btl=...), so the launcher saves the environment of before mpirun:
 * from such a snapshot only the batch system's variables are taken. A snapshot made inside of another launch
 * is not trusted so. */
#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SNAPSHOT_BYTES = 16 << 20 };

static const char *const launcher_prefixes[] = {"OMPI_", "PMIX_", "PMI_",  "ORTE_",
                                                "PRTE_", "HYDI_", "SLURM_"};
static const char *const batch_prefixes[] = {"PMIX_", "PMI_", "SLURM_"};
/* What Open MPI sets unless the user did (ompi/runtime, orte/mca/schizo). */
static const char *const added[] = {"HFI_NO_BACKTRACE=1", "IPATH_NO_BACKTRACE=1", "PSM2_DEVICES=self,shm",
                                    "PSM2_DEVICES=self"};
/* Set by the user's will only, and needed by a trainer's own mpirun in a container. */
static const char KEPT[] = "OMPI_ALLOW_RUN_AS_ROOT",
                  JOB[] = "SLURM_JOB_ID=", OUR_JOB[] = "RANKSWEEP_SLURM_JOB_ID=";

#define COUNT(a)        (sizeof(a) / sizeof *(a))
#define STARTS(s, with) (!strncmp(s, with, strlen(with)))

static bool has_prefix(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (STARTS(s, list[i]))
			return true;
	return false;
}

bool host_is_launcher_variable(const char *name)
{
	size_t n = strcspn(name, "=");

	for (size_t i = 0; i < COUNT(added); i++)
		if (strcspn(added[i], "=") == n && !strncmp(name, added[i], n))
			return true;
	return !STARTS(name, KEPT) && has_prefix(name, launcher_prefixes, COUNT(launcher_prefixes));
}

static bool dropped(const char *entry, bool snapshot)
{
	if (STARTS(entry, "RANKSWEEP_"))
		return true;
	if (snapshot)
		return has_prefix(entry, batch_prefixes, COUNT(batch_prefixes));
	for (size_t i = 0; i < COUNT(added); i++)
		if (!strcmp(entry, added[i]))
			return true;
	return !STARTS(entry, KEPT) && has_prefix(entry, launcher_prefixes, COUNT(launcher_prefixes));
}

struct list {
	struct arena *arena;
	const char **at;
	uint32_t n, cap;
};

static void add(struct list *l, const char *entry)
{
	if (l->n == l->cap) {
		uint32_t cap = l->cap ? l->cap * 2 : 128;

		l->at = arena_grow(l->arena, l->at, l->n * sizeof *l->at, cap * sizeof *l->at);
		l->cap = cap;
	}
	l->at[l->n++] = entry;
}

/* The entries of a NUL-separated block; what has no name is left out. */
static bool split(struct list *l, const struct bytes *b)
{
	const char *p = (const char *)b->data, *end = p + b->len;
	bool inside = false;

	while (p < end) {
		const char *entry = arena_strndup(l->arena, p, strnlen(p, (size_t)(end - p)));

		inside |= STARTS(entry, "OMPI_COMM_WORLD_SIZE=") || STARTS(entry, "PMIX_RANK=");
		if (strchr(entry, '=') && entry[0] != '=')
			add(l, entry);
		p += strlen(entry) + 1;
	}
	return !inside;
}

static bool load(struct list *l, const char *snapshot_path)
{
	struct bytes b = {0};
	bool trusted = false;

	if (snapshot_path && host_read_file(snapshot_path, SNAPSHOT_BYTES, &b, NULL) == 0 && b.len)
		trusted = split(l, &b);
	bytes_finish(&b);
	for (char **e = l->n ? NULL : environ; e && *e; e++)
		add(l, arena_strdup(l->arena, *e));
	return trusted;
}

/* The job's number under a name that no program acts on; a ranksweep under ranksweep hands its own on. */
static void add_job(struct list *to, const struct list *from)
{
	const char *job = NULL;

	for (uint32_t i = 0; i < from->n; i++) {
		if (STARTS(from->at[i], JOB))
			job = arena_printf(to->arena, "%s%s", OUR_JOB, from->at[i] + strlen(JOB));
		else if (!job && STARTS(from->at[i], OUR_JOB))
			job = from->at[i];
	}
	if (job)
		add(to, job);
}

const char **host_trainer_env(struct arena *a, const char *snapshot_path, uint32_t *n)
{
	struct list all = {.arena = a}, kept = {.arena = a};
	bool snapshot = load(&all, snapshot_path);

	for (uint32_t i = 0; i < all.n; i++)
		if (!dropped(all.at[i], snapshot))
			add(&kept, all.at[i]);
	add_job(&kept, &all);
	*n = kept.n;
	add(&kept, NULL);
	return kept.at;
}

const char *host_batch_job(struct arena *a)
{
	static const struct {
		const char *variable, *system;
	} jobs[] = {{"SLURM_JOB_ID", "slurm"}, {"RANKSWEEP_SLURM_JOB_ID", "slurm"}, {"PBS_JOBID", "pbs"}};

	for (size_t i = 0; i < COUNT(jobs); i++) {
		const char *id = getenv(jobs[i].variable);

		if (id && *id)
			return arena_printf(a, "%s:%s", jobs[i].system, id);
	}
	return NULL;
}

int host_save_env(const char *path, struct fault *f)
{
	struct bytes b = {0};
	int rc;

	for (char **e = environ; e && *e; e++)
		bytes_put(&b, *e, strlen(*e) + 1);
	rc = host_write_private(path, b.data, b.len, f);
	bytes_finish(&b);
	return rc;
}
