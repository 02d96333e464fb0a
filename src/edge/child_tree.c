/* child, processes: children, sessions and environments, as /proc tells them. */
#include "child_keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ENVIRON_BYTES = 8 << 20 };

/* All of a /proc file, at most `most` bytes. Empty when it can't be read. */
static void slurp(const char *path, struct bytes *b, size_t most)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	bytes_clear(b);
	while (n > 0 && b->len < most) {
		unsigned char *room = bytes_room(b, 16384);

		n = read(fd, room, 16384);
		b->len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
}

static void add_pid(struct child_pids *list, pid_t pid)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		pid_t *at = realloc(list->at, cap * sizeof *at);

		if (!at)
			return;
		list->at = at;
		list->cap = cap;
	}
	list->at[list->n++] = pid;
}

/* The fields after the command, which may hold blanks and parentheses itself. */
static bool parse_stat(const char *text, pid_t *parent, struct child_process *p)
{
	const char *s = strrchr(text, ')');
	int ppid, group, session;
	unsigned long long start;

	if (!s ||
	    sscanf(s + 1, " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d %*d %llu",
	           &p->state, &ppid, &group, &session, &p->threads, &start) != 6)
		return false;
	*parent = ppid;
	p->group = group;
	p->session = session;
	p->start_ticks = start;
	return true;
}

static bool read_stat(pid_t pid, pid_t *parent, struct child_process *p)
{
	char path[64], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	p->pid = pid;
	return n > 0 && parse_stat(text, parent, p);
}

bool child_tree_stat(pid_t pid, struct child_process *out)
{
	pid_t parent;

	return read_stat(pid, &parent, out);
}

/* For kernels without CONFIG_PROC_CHILDREN: every process there is, asked for its parent. */
static void walk_all(struct child_pids *out)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct child_process p;
		pid_t parent, pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)atol(e->d_name) : 0;

		if (pid > 0 && read_stat(pid, &parent, &p) && parent == getpid())
			add_pid(out, pid);
	}
	if (d)
		closedir(d);
}

static int open_children(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)getpid());
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void add_all(struct child_pids *list, char *text)
{
	char *end;

	for (;; text = end) {
		long pid = strtol(text, &end, 10);

		if (end == text)
			return;
		add_pid(list, (pid_t)pid);
	}
}

void child_tree_children(struct child_pids *list)
{
	struct bytes text = {0};
	ssize_t n;

	list->n = 0;
	if (!list->file)
		list->file = open_children();
	if (list->file < 0) {
		walk_all(list);
		return;
	}
	do {
		n = pread(list->file, bytes_room(&text, 4096), 4096, (off_t)text.len);
		text.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	bytes_put(&text, "", 1);
	add_all(list, (char *)text.data);
	bytes_finish(&text);
}

void child_tree_finish(struct child_pids *list)
{
	if (list->file > 0)
		close(list->file);
	free(list->at);
	*list = (struct child_pids){0};
}

/* `one` (n bytes, its NUL counted) as a whole entry of the NUL-separated block. */
static bool has_entry(const struct bytes *block, const char *one, size_t n)
{
	const unsigned char *p = block->data, *end = p + block->len, *hit;

	for (; (hit = memmem(p, (size_t)(end - p), one, n)); p = hit + 1)
		if (hit == block->data || hit[-1] == '\0')
			return true;
	return false;
}

bool child_tree_marked(pid_t pid, const char *marks, size_t marks_bytes)
{
	const char *m = marks, *end = marks + marks_bytes;
	struct bytes env = {0};
	char path[64];
	bool all = marks_bytes > 0;

	snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
	if (all)
		slurp(path, &env, ENVIRON_BYTES);
	for (; all && m < end; m += strlen(m) + 1)
		all = env.len && has_entry(&env, m, strlen(m) + 1);
	bytes_finish(&env);
	return all;
}

uint64_t child_tree_ticks(void)
{
	static long hz;
	struct timespec t;

	if (!hz)
		hz = sysconf(_SC_CLK_TCK);
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * (uint64_t)hz + (uint64_t)(t.tv_nsec / (1000000000 / hz));
}

/* ---- for others (child.h) ------------------------------------------------------------------------------ */

static int64_t began_ms(const struct child_process *p)
{
	struct timespec now;
	uint64_t ticks = child_tree_ticks();
	int64_t age = ticks > p->start_ticks ? (int64_t)(ticks - p->start_ticks) : 0;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - age * 1000 / sysconf(_SC_CLK_TCK);
}

/* /proc may hide the processes of other users (hidepid); kill() still knows whether they exist. */
enum child_sight child_look(int64_t pid, int64_t began_by_ms)
{
	struct child_process p;

	if (pid <= 0 || pid > INT_MAX)
		return CHILD_UNSEEN;
	if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
		return CHILD_GONE;
	if (!child_tree_stat((pid_t)pid, &p))
		return CHILD_UNSEEN;
	if (began_ms(&p) > began_by_ms)
		return CHILD_GONE;
	if (p.state == 'T')
		return CHILD_STOPPED;
	return (p.state == 'Z' || p.state == 'X') && p.threads <= 1 ? CHILD_ZOMBIE : CHILD_SEEN;
}
