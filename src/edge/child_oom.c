/* child, memory: was a death caused by memory? What can be told, and what not:
 *
 *   - The kernel's oom killer sends SIGKILL and says so nowhere but in a counter, of our control group
 *     (version 2, else 1), else of the machine. A SIGKILL (or a shell's exit 137) that we did not send while
 *     the counter rose is charged to it. Two trainers killed at once, one of them by hand, can be mixed up.
 *   - A trainer with a memory limit (RLIMIT_DATA) is refused memory; what it does then is its own affair: it
 *     aborts, crashes or exits. It is called out of memory when it failed after having used nine tenths of
 *     its limit. One that asks for far more at once and fails for it never used what it was refused: only
 *     its last words can tell (ending.h). */
#include "child_keeper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The number after `oom_kill ` at the start of a line. */
static bool read_count(const char *path, uint64_t *count)
{
	static const char key[] = "oom_kill ";
	char text[16384], *at = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0, got;

	if (fd < 0)
		return false;
	while (n < (ssize_t)sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - (size_t)n)) > 0)
		n += got;
	close(fd);
	text[n] = '\0';
	while ((at = strstr(at, key)) && at != text && at[-1] != '\n')
		at++;
	if (at)
		*count = strtoull(at + sizeof key - 1, NULL, 10);
	return at != NULL;
}

static bool use(struct child_oom *m, const char *fmt, const char *root, const char *group)
{
	int n = snprintf(m->path, sizeof m->path, fmt, root, group);

	if (n > 0 && (size_t)n < sizeof m->path && read_count(m->path, &m->seen))
		return true;
	m->path[0] = '\0';
	return false;
}

/* Version 2: the nearest group upwards that counts memory; a kill is counted in all groups above it. In a
 * container that shows the host's path the files of our group are at the root. */
static bool use_version_2(struct child_oom *m, const char *root, char *path)
{
	for (;;) {
		char *slash = strrchr(path, '/');

		if (use(m, "%s%s/memory.events", root, path))
			return true;
		if (!slash)
			return false;
		*slash = '\0';
	}
}

/* Version 1 counts in the group of the process that is killed only. */
static bool use_version_1(struct child_oom *m, const char *root, const char *path)
{
	return use(m, "%s/memory%s/memory.oom_control", root, path) ||
	       use(m, "%s/memory%s/memory.oom_control", root, "");
}

/* HIERARCHY:CONTROLLERS:PATH */
static bool use_group(struct child_oom *m, const char *root, char *line)
{
	char *controllers, *path;

	line[strcspn(line, "\n")] = '\0';
	controllers = strchr(line, ':');
	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path)
		return false;
	*path++ = '\0';
	if (!strcmp(controllers, ":"))
		return use_version_2(m, root, path);
	return !strcmp(controllers, ":memory") && use_version_1(m, root, path);
}

void child_oom_find(struct child_oom *m, const char *groups, const char *root, const char *machine)
{
	FILE *file = fopen(groups, "re");
	char line[512];
	bool found = false;

	*m = (struct child_oom){0};
	while (file && !found && fgets(line, sizeof line, file))
		found = use_group(m, root, line);
	if (file)
		fclose(file);
	if (!found)
		use(m, "%s%s", machine, "");
}

void child_oom_init(struct child_oom *m)
{
	child_oom_find(m, "/proc/self/cgroup", "/sys/fs/cgroup", "/proc/vmstat");
}

static bool kernel_killed(struct child_oom *m)
{
	uint64_t count;

	if (!m->path[0] || !read_count(m->path, &count))
		return false;
	if (count > m->seen)
		m->free += count - m->seen;
	m->seen = count;
	if (!m->free)
		return false;
	m->free--;
	return true;
}

bool child_oom_died(struct child_oom *m, int status, bool ours, const struct rusage *used,
                    int64_t limit_bytes)
{
	bool killed = (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	              (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);

	if (ours || status == 0)
		return false;
	if (killed && kernel_killed(m))
		return true;
	return limit_bytes > 0 && used->ru_maxrss >= limit_bytes / 1024 / 10 * 9;
}
