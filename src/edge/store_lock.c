/* The writer's lock: an open-file-description lock on a file beside the outputs, kept open while the store
 * is.
 *
 * It is not on the database: closing any descriptor of that file would drop SQLite's own (POSIX) locks. It
 * dies with its holder, so nothing stale is ever left; what the file says (host, pid, since) is only for the
 * message of those who are refused. A file system that knows no locks lets us pass: there the owner row in
 * the database is the only guard. */
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 50 };

void store_time_text(char buf[32], int64_t epoch_ms)
{
	time_t t = (time_t)(epoch_ms / 1000);
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(buf, 32, "an unknown time");
}

static int refuse(int fd, const char *db_path, struct fault *f)
{
	char text[400] = "", host[257] = "", since[32];
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	int64_t pid, since_ms;

	if (n <= 0 || sscanf(text, "%256s %" SCNd64 " %" SCNd64, host, &pid, &since_ms) != 3)
		return fault_set(f, FAULT_IO, "%s is in use by another run (it does not say which)", db_path);
	store_time_text(since, since_ms);
	return fault_set(f, FAULT_IO,
	                 "%s is in use by a run on %s, pid %" PRId64
	                 ", since %s; stop it, or wait until it has ended",
	                 db_path, host, pid, since);
}

/* 0: ours; 1: somebody else's; -1: errno says why not. */
static int try_lock(int fd)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &fl) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return 1;
	return errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL ? 0 : -1;
}

/* The lock is on an inode: does the path still lead to it? */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int sign(int fd, const char *host, int64_t now_ms)
{
	char text[400];
	int n = snprintf(text, sizeof text, "%.256s %ld %" PRId64 "\n", host, (long)getpid(), now_ms);

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return -1;
	return 0;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

int store_lock_take(struct store_lock *l, const char *lock_path, const char *db_path, const char *host,
                    int64_t wait_ms, int64_t now_ms, bool *busy, struct fault *f)
{
	for (int64_t waited = 0;; waited += POLL_MS) {
		int rc;

		l->fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (l->fd < 0)
			return fault_set(f, FAULT_IO, "%s: cannot open the lock file: %s", lock_path,
			                 strerror(errno));
		rc = try_lock(l->fd);
		if (rc < 0)
			fault_set(f, FAULT_IO, "%s: cannot lock: %s", lock_path, strerror(errno));
		else if (rc == 0 && still_there(l->fd, lock_path) && sign(l->fd, host, now_ms) == 0)
			return 0;
		else if (rc == 0 && still_there(l->fd, lock_path))
			rc = fault_set(f, FAULT_IO, "%s: cannot write the lock file: %s", lock_path,
			               strerror(errno));
		else if (rc == 1 && waited >= wait_ms) {
			if (busy)
				*busy = true;
			rc = refuse(l->fd, db_path, f);
		}
		store_lock_drop(l);
		if (rc < 0)
			return -1;
		pause_ms(POLL_MS);
	}
}

void store_lock_drop(struct store_lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
