/* host, what can be computed with: cpus, gpus, memory.
 *
 * A rank that mpirun bound to one core may widen its mask again, up to what the batch system gave (the kernel
 * cuts it to the cpuset). The mask of the MPI daemon, our parent, is exactly that; "all bits" would be too
 * much where the batch system uses affinity and no cpuset. The masks are read once, so a rank that later
 * binds itself still knows what it had. */
#include "host.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CPUS = 8192, MASK_BYTES = CPUS / 8, NO_CORE = -1 };

struct place {
	bool known;
	uint32_t cpus[CPUS], n, cores;
};

/* ---- masks --------------------------------------------------------------------------------------------- */

/* Adds the cpus of process pid (0: ours). The raw call, as glibc's returns a fixed size only. */
static void add_mask(unsigned char mask[MASK_BYTES], pid_t pid)
{
	unsigned char one[MASK_BYTES] = {0};
	long n = syscall(SYS_sched_getaffinity, pid, sizeof one, one);

	for (long i = 0; i < n; i++)
		mask[i] |= one[i];
}

static bool parent_is_daemon(void)
{
	static const char *const names[] = {"orted",  "prted",   "prterun", "prte",
	                                    "mpirun", "orterun", "mpiexec", "hydra_pmi_proxy"};
	char path[64], name[32] = "";
	bool hit = false;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/comm", (long)getppid());
	f = fopen(path, "re");
	if (f && fgets(name, sizeof name, f))
		name[strcspn(name, "\n")] = '\0';
	if (f)
		fclose(f);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		hit |= !strcmp(name, names[i]);
	return hit;
}

static bool in_mask(const unsigned char *mask, uint32_t cpu)
{
	return cpu < CPUS && mask[cpu / 8] >> cpu % 8 & 1;
}

/* ---- order --------------------------------------------------------------------------------------------- */

/* Only what gives the order; the backends that ask devices or hop from cpu to cpu are left out. */
static bool load_topology(hwloc_topology_t *t)
{
	static const hwloc_obj_type_t kept[] = {HWLOC_OBJ_PACKAGE, HWLOC_OBJ_GROUP, HWLOC_OBJ_L3CACHE,
	                                        HWLOC_OBJ_CORE};

	if (hwloc_topology_init(t) < 0)
		return false;
	hwloc_topology_set_all_types_filter(*t, HWLOC_TYPE_FILTER_KEEP_NONE);
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		hwloc_topology_set_type_filter(*t, kept[i], HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	hwloc_topology_set_type_filter(*t, HWLOC_OBJ_CORE, HWLOC_TYPE_FILTER_KEEP_ALL);
	hwloc_topology_set_flags(*t, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
	hwloc_topology_set_components(*t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
	if (hwloc_topology_load(*t) == 0)
		return true;
	hwloc_topology_destroy(*t);
	return false;
}

/* Takes the mask's cpus in hwloc's order and counts their cores (neighbours in that order share theirs). */
static void take_in_order(struct place *p, hwloc_topology_t t, unsigned char *mask)
{
	hwloc_obj_t pu = NULL, core, last = NULL;

	while ((pu = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_PU, pu))) {
		if (!in_mask(mask, pu->os_index))
			continue;
		mask[pu->os_index / 8] &= (unsigned char)~(1u << pu->os_index % 8);
		p->cpus[p->n++] = pu->os_index;
		core = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_CORE, pu);
		p->cores += !core || core != last;
		last = core;
	}
}

/* What hwloc did not know, by number. */
static void take_rest(struct place *p, const unsigned char *mask)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		if (in_mask(mask, cpu)) {
			p->cpus[p->n++] = cpu;
			p->cores++;
		}
}

static const struct place *place(void)
{
	static struct place p;
	unsigned char mask[MASK_BYTES] = {0};
	hwloc_topology_t t;

	if (p.known)
		return &p;
	add_mask(mask, 0);
	if (parent_is_daemon())
		add_mask(mask, getppid());
	if (load_topology(&t)) {
		take_in_order(&p, t, mask);
		hwloc_topology_destroy(t);
	}
	take_rest(&p, mask);
	p.known = true;
	return &p;
}

uint32_t host_cpus(uint32_t *cpus, uint32_t cap)
{
	const struct place *p = place();
	uint32_t n = p->n < cap ? p->n : cap;

	if (n)
		memcpy(cpus, p->cpus, n * sizeof *cpus);
	return n;
}

bool host_bind(pid_t pid, const uint32_t *cpus, uint32_t n)
{
	unsigned char mask[MASK_BYTES] = {0};

	for (uint32_t i = 0; i < n; i++)
		if (cpus[i] < CPUS)
			mask[cpus[i] / 8] |= (unsigned char)(1u << cpus[i] % 8);
	return syscall(SYS_sched_setaffinity, pid, sizeof mask, mask) == 0;
}

uint32_t host_cores(void)
{
	return place()->cores;
}

uint32_t host_cpus_there(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? (uint32_t)n : 1;
}

/* ---- gpus ---------------------------------------------------------------------------------------------- */

/* As CUDA reads it: the list ends before the first word that names no device ("-1", "NoDevFiles"). */
static uint32_t count_devices(const char *s)
{
	uint32_t n = 0;

	for (;; s++) {
		s += strspn(s, " ");
		if (!isdigit((unsigned char)*s) && strncmp(s, "GPU-", 4) && strncmp(s, "MIG-", 4))
			return n;
		n++;
		s += strcspn(s, ",");
		if (!*s)
			return n;
	}
}

static uint32_t count_entries(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	uint32_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

uint32_t host_gpus(void)
{
	const char *visible = getenv("CUDA_VISIBLE_DEVICES");

	return visible ? count_devices(visible) : count_entries("/proc/driver/nvidia/gpus");
}

/* ---- memory -------------------------------------------------------------------------------------------- */

/* The number in a file; "max" and what can't be read are no limit. */
static int64_t read_limit(const char *path)
{
	FILE *f = fopen(path, "re");
	char text[64] = "";
	long long v = 0;

	if (f && fgets(text, sizeof text, f) && isdigit((unsigned char)text[0]))
		v = strtoll(text, NULL, 10);
	if (f)
		fclose(f);
	return v > 0 ? v : INT64_MAX;
}

/* The least limit of a control group and those above it. */
static int64_t group_limit(const char *base, char *group, const char *leaf)
{
	int64_t least = INT64_MAX;
	char path[1024], *slash;

	for (;;) {
		int64_t v;

		snprintf(path, sizeof path, "%s%s/%s", base, group, leaf);
		v = read_limit(path);
		least = v < least ? v : least;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static int64_t line_limit(char *line)
{
	char *name = strchr(line, ':'), *group = name ? strchr(name + 1, ':') : NULL;

	line[strcspn(line, "\n")] = '\0';
	if (!group)
		return INT64_MAX;
	*group++ = '\0';
	if (!strcmp(name, ":"))
		return group_limit("/sys/fs/cgroup", group, "memory.max");
	if (!strcmp(name, ":memory"))
		return group_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
	return INT64_MAX;
}

int64_t host_memory_bytes(void)
{
	int64_t least = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
	FILE *groups = fopen("/proc/self/cgroup", "re");
	char line[768];

	while (groups && fgets(line, sizeof line, groups)) {
		int64_t v = line_limit(line);

		least = v < least ? v : least;
	}
	if (groups)
		fclose(groups);
	return least;
}
