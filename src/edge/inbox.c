/* inbox: see inbox.h. All is done relative to the open folder, and no link is ever followed. */
#include "inbox.h"

#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 2000, LOOK_NETWORK_MS = 1000, MAX_NAMES = 10000, STALE_SECONDS = 24 * 3600 };

static const char REQUEST[] = ".request", TAKEN[] = ".taken", ANSWER[] = ".answer", BAD[] = ".bad";

struct inbox {
	char path[PATH_MAX];
	int dir, watch;
	size_t max_bytes;
	bool network;
	bool dirty;     /* there may be something new */
	bool resumed;   /* what a dead run had taken is in the list */
	int64_t due_ms; /* 0: not looked yet */
	char **names;   /* of requests to be taken, in order: names[at .. count) */
	size_t at, count, cap;
	char id[NAME_MAX + 1];
};

/* ---- names ------------------------------------------------------------------------------------ */

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && !strcmp(s + n - m, end);
}

static size_t stem(const char *name)
{
	return (size_t)(strrchr(name, '.') - name);
}

static bool name_of(char out[NAME_MAX + 1], const char *id, const char *suffix)
{
	int n = snprintf(out, NAME_MAX + 1, "%s%s", id, suffix);

	return n > 0 && n <= NAME_MAX;
}

static bool path_of(char out[PATH_MAX], const char *out_dir)
{
	int n = snprintf(out, PATH_MAX, "%s/inbox", out_dir);

	return n > 0 && n < PATH_MAX;
}

/* For a message: what a stranger has called a file must not reach a terminal as it is. */
static const char *printable(char buf[NAME_MAX + 1], const char *name)
{
	size_t i = 0;

	for (; i < NAME_MAX && name[i]; i++)
		buf[i] = (unsigned char)name[i] < ' ' || name[i] == 127 ? '?' : name[i];
	buf[i] = '\0';
	return buf;
}

void inbox_id(char id[INBOX_ID], const char *host, int64_t epoch_ms)
{
	static unsigned count;
	char name[33];
	size_t n = 0;

	for (; n < sizeof name - 1 && host[n]; n++)
		name[n] = (host[n] >= 'a' && host[n] <= 'z') || (host[n] >= 'A' && host[n] <= 'Z') ||
		                  (host[n] >= '0' && host[n] <= '9')
		              ? host[n]
		              : '_';
	name[n] = '\0';
	snprintf(id, INBOX_ID, "%013lld-%s-%ld-%u", (long long)epoch_ms, name, (long)getpid(), ++count);
}

/* ---- one file --------------------------------------------------------------------------------- */

static int open_folder(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A listing of its own; NULL: errno. */
static DIR *open_listing(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* To the owner it has: a client of a network file system asks its server then what the folder holds. */
static void refresh_folder(int dir)
{
	struct stat st;

	if (fstat(dir, &st) == 0)
		(void)!fchown(dir, st.st_uid, (gid_t)-1);
}

/* 0, or an errno. Readable by all who may enter the folder: root asks in runs of others. */
static int put_file(int dir, const char *id, const char *suffix, const void *p, size_t n)
{
	char beside[NAME_MAX + 1], name[NAME_MAX + 1];
	int fd, error;

	if (snprintf(beside, sizeof beside, ".%s.tmp", id) > NAME_MAX || !name_of(name, id, suffix))
		return ENAMETOOLONG;
	unlinkat(dir, beside, 0);
	fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	error = fchmod(fd, 0644) < 0 || host_write_all(fd, p, n) < 0 ? errno : 0;
	if (close(fd) < 0 && !error)
		error = errno; /* where NFS tells of a full disk */
	if (!error && renameat(dir, beside, dir, name) < 0)
		error = errno;
	if (error)
		unlinkat(dir, beside, 0);
	return error;
}

static int read_bounded(int fd, size_t max_bytes, struct bytes *out)
{
	ssize_t n = 1;

	bytes_clear(out);
	while (n != 0 && out->len <= max_bytes) {
		n = read(fd, bytes_room(out, 65536), 65536);
		if (n < 0 && errno != EINTR)
			return errno;
		out->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The content of a regular file; ours: it must be the user's own, or root's. -1: f says what is wrong with
 * it; 1: it is not there. */
static int read_file(int dir, const char *name, bool ours, size_t max_bytes, struct bytes *out,
                     struct fault *f)
{
	/* Not blocking: it may be a FIFO. */
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;
	struct stat st = {0};

	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0)
		return fault_set(f, FAULT_IO, "%s", errno == ELOOP ? "it is a link" : strerror(errno));
	error = fstat(fd, &st) < 0 ? errno : 0;
	if (!error && S_ISREG(st.st_mode) && (!ours || st.st_uid == geteuid() || st.st_uid == 0) &&
	    st.st_size <= (off_t)max_bytes)
		error = read_bounded(fd, max_bytes, out);
	close(fd);
	if (error)
		return fault_set(f, FAULT_IO, "%s", strerror(error));
	if (!S_ISREG(st.st_mode))
		return fault_set(f, FAULT_IO, "it is no regular file");
	if (ours && st.st_uid != geteuid() && st.st_uid != 0)
		return fault_set(f, FAULT_IO, "it belongs to user %ld", (long)st.st_uid);
	if (st.st_size > (off_t)max_bytes || out->len > max_bytes)
		return fault_set(f, FAULT_IO, "it is larger than %zu bytes", max_bytes);
	return 0;
}

/* ---- being told of new names ----------------------------------------------------------------------- */

static int watch_folder(const char *path)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd >= 0 && inotify_add_watch(fd, path, IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool inbox_heard(int watch, const char *suffix)
{
	_Alignas(struct inotify_event) char buf[8192];
	bool heard = false;
	ssize_t n;

	while ((n = read(watch, buf, sizeof buf)) > 0)
		for (const char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const void *)p;

			heard |= (e->mask & IN_Q_OVERFLOW) || (e->len && ends_in(e->name, suffix));
			p += sizeof *e + e->len;
		}
	return heard;
}

/* ---- rank 0: the folder ------------------------------------------------------------------------- */

/* Answers that nobody has fetched, and what was never renamed in. */
static void remove_stale(const struct inbox *x)
{
	DIR *d = open_listing(x->dir);
	time_t now = time(NULL);

	for (const struct dirent *e; d && (e = readdir(d));) {
		struct stat st;

		if ((ends_in(e->d_name, ANSWER) || (e->d_name[0] == '.' && ends_in(e->d_name, ".tmp"))) &&
		    fstatat(x->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now - st.st_mtime > STALE_SECONDS)
			unlinkat(x->dir, e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static int enter_folder(struct inbox *x, struct fault *f)
{
	struct stat st;

	if (mkdir(x->path, 0700) < 0 && errno != EEXIST)
		return fault_set(f, FAULT_IO, "%s: %s", x->path, strerror(errno));
	x->dir = open_folder(x->path);
	if (x->dir < 0 || fstat(x->dir, &st) < 0)
		return fault_set(f, FAULT_IO, "%s: %s", x->path, strerror(errno));
	if (st.st_uid != geteuid())
		return fault_set(f, FAULT_IO, "%s: it belongs to user %ld", x->path, (long)st.st_uid);
	if ((st.st_mode & 077) && fchmod(x->dir, 0700) < 0)
		return fault_set(f, FAULT_IO, "%s: others may write there: %s", x->path, strerror(errno));
	x->watch = watch_folder(x->path);
	x->dirty = true;
	return 0;
}

static void leave_folder(struct inbox *x)
{
	if (x->watch >= 0)
		close(x->watch);
	if (x->dir >= 0)
		close(x->dir);
	x->watch = x->dir = -1;
}

int inbox_open(const struct inbox_options *o, struct inbox **out, struct fault *f)
{
	struct inbox *x = calloc(1, sizeof *x);

	*out = NULL;
	if (!x)
		return fault_set(f, FAULT_BUG, "out of memory");
	x->dir = x->watch = -1;
	x->max_bytes = o->max_bytes;
	x->network = o->network;
	if (!path_of(x->path, o->out_dir)) {
		free(x);
		return fault_set(f, FAULT_IO, "%.80s/inbox: %s", o->out_dir, strerror(ENAMETOOLONG));
	}
	if (enter_folder(x, f)) {
		inbox_close(x);
		return -1;
	}
	remove_stale(x);
	*out = x;
	return 0;
}

static void forget_names(struct inbox *x)
{
	while (x->at < x->count)
		free(x->names[x->at++]);
	x->at = x->count = 0;
}

void inbox_close(struct inbox *x)
{
	if (!x)
		return;
	forget_names(x);
	free(x->names);
	leave_folder(x);
	free(x);
}

int inbox_fd(const struct inbox *x)
{
	return x->watch;
}

int64_t inbox_due_ms(const struct inbox *x)
{
	return x->at < x->count || x->dirty ? 0 : x->due_ms;
}

/* ---- rank 0: looking ---------------------------------------------------------------------------- */

static void add_name(struct inbox *x, const char *name)
{
	if (x->count == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 16;
		char **p = realloc(x->names, cap * sizeof *p);

		if (!p)
			return; /* the next look finds it again */
		x->names = p;
		x->cap = cap;
	}
	x->names[x->count] = strdup(name);
	x->count += x->names[x->count] != NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_names(struct inbox *x)
{
	DIR *d = open_listing(x->dir);

	if (!d)
		return;
	for (const struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' &&
		    (ends_in(e->d_name, REQUEST) || (!x->resumed && ends_in(e->d_name, TAKEN)))) {
			x->dirty = x->count == MAX_NAMES;
			if (x->dirty)
				break;
			add_name(x, e->d_name);
		}
	closedir(d);
	x->resumed = x->resumed || !x->dirty;
	if (x->count)
		qsort(x->names, x->count, sizeof *x->names, by_name);
}

/* Somebody has removed the folder: the one under its name is the inbox now. */
static void find_again(struct inbox *x)
{
	struct stat st;
	struct fault f;

	if (x->dir >= 0 && (fstat(x->dir, &st) < 0 || st.st_nlink > 0))
		return;
	leave_folder(x);
	if (enter_folder(x, &f))
		leave_folder(x);
}

void inbox_look(struct inbox *x, bool readable, int64_t now_ms)
{
	if (readable && x->watch >= 0 && inbox_heard(x->watch, REQUEST))
		x->dirty = true;
	if (x->at < x->count || (!x->dirty && now_ms < x->due_ms))
		return;
	x->due_ms = now_ms + (x->network || x->watch < 0 ? LOOK_NETWORK_MS : LOOK_MS);
	x->dirty = false;
	x->at = x->count = 0;
	find_again(x);
	if (x->dir < 0)
		return;
	if (x->network)
		refresh_folder(x->dir);
	list_names(x);
}

/* ---- rank 0: taking ----------------------------------------------------------------------------- */

/* f: why. Renamed where that can be, else removed. */
static int put_aside(struct inbox *x, const char *name, const char *id, struct fault *f)
{
	char bad[NAME_MAX + 1], shown[NAME_MAX + 1], why[256];
	const char *now = "it is called .bad now";

	snprintf(why, sizeof why, "%.255s", f ? f->text : "");
	if (!name_of(bad, id, BAD) || renameat(x->dir, name, x->dir, bad) < 0)
		now = unlinkat(x->dir, name, 0) < 0 ? "remove it" : "it is removed";
	return fault_set(f, FAULT_IO, "%s/%s%s is no request: %s; %s", x->path, printable(shown, id), REQUEST,
	                 why, now);
}

static int take(struct inbox *x, const char *name, struct bytes *content, struct fault *f)
{
	char taken[NAME_MAX + 1];
	int got;

	snprintf(x->id, sizeof x->id, "%.*s", (int)stem(name), name);
	if (!name_of(taken, x->id, TAKEN))
		return 0;
	if (!ends_in(name, TAKEN) && renameat(x->dir, name, x->dir, taken) < 0)
		return 0; /* taken back */
	got = read_file(x->dir, taken, true, x->max_bytes, content, f);
	return got < 0 ? put_aside(x, taken, x->id, f) : got == 0;
}

int inbox_take(struct inbox *x, const char **id, struct bytes *content, struct fault *f)
{
	int got = 0;

	*id = x->id;
	while (!got && x->at < x->count) {
		char *name = x->names[x->at++];

		got = take(x, name, content, f);
		free(name);
	}
	return got;
}

int inbox_reject(struct inbox *x, const char *id, struct fault *f)
{
	char taken[NAME_MAX + 1];

	return name_of(taken, id, TAKEN) ? put_aside(x, taken, id, f) : -1;
}

int inbox_answer(struct inbox *x, const char *id, const void *p, size_t n, struct fault *f)
{
	char taken[NAME_MAX + 1];
	int error = put_file(x->dir, id, ANSWER, p, n);

	if (error)
		return fault_set(f, FAULT_IO, "%s/%s%s: %s", x->path, id, ANSWER, strerror(error));
	if (name_of(taken, id, TAKEN))
		unlinkat(x->dir, taken, 0);
	return 0;
}

/* ---- an asker ----------------------------------------------------------------------------------- */

int inbox_put(const char *out_dir, const char *id, const void *p, size_t n, struct fault *f)
{
	char path[PATH_MAX];
	int dir, error;

	if (!path_of(path, out_dir))
		return fault_set(f, FAULT_IO, "%.80s: %s", out_dir, strerror(ENAMETOOLONG));
	dir = open_folder(path);
	if (dir < 0 && errno == ENOENT)
		return 1;
	error = dir < 0 ? errno : put_file(dir, id, REQUEST, p, n);
	if (dir >= 0)
		close(dir);
	if (error == ENOENT)
		return 1; /* removed under us */
	if (error)
		return fault_set(f, FAULT_IO, "%s: the run cannot be asked: %s", path, strerror(error));
	return 0;
}

bool inbox_take_back(const char *out_dir, const char *id, bool taken)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	int dir = path_of(path, out_dir) ? open_folder(path) : -1;
	bool done = dir >= 0 && name_of(name, id, REQUEST) && unlinkat(dir, name, 0) == 0;

	if (!done && taken)
		done = dir >= 0 && name_of(name, id, TAKEN) && unlinkat(dir, name, 0) == 0;
	if (dir >= 0)
		close(dir);
	return done;
}

int inbox_get(const char *out_dir, const char *id, size_t max_bytes, bool refresh, struct bytes *answer,
              struct fault *f)
{
	char path[PATH_MAX], name[NAME_MAX + 1];
	int dir = path_of(path, out_dir) ? open_folder(path) : -1, got;

	if (dir < 0 || !name_of(name, id, ANSWER)) {
		if (dir >= 0)
			close(dir);
		return 0;
	}
	if (refresh)
		refresh_folder(dir);
	got = read_file(dir, name, false, max_bytes, answer, f);
	if (got == 0)
		unlinkat(dir, name, 0);
	/* A run that was killed just now may not have come to it. */
	if (got == 0 && name_of(name, id, TAKEN))
		unlinkat(dir, name, 0);
	close(dir);
	return got < 0 ? fault_context(f, "%s/%s%s", path, id, ANSWER) : got == 0;
}

int inbox_watch(const char *out_dir)
{
	char path[PATH_MAX];

	return path_of(path, out_dir) ? watch_folder(path) : -1;
}
