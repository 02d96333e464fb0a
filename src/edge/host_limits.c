/* What this process may use, of a folder and of the system. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int try_lock(int fd, const char *dir, struct fault *f)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	if (write(fd, "x", 1) != 1)
		return fault_set(f, FAULT_IO, "%s: nothing can be written: %s", dir, strerror(errno));
	if (fcntl(fd, F_SETLK, &lock))
		return fault_set(f, FAULT_IO, "%s: a file cannot be locked: %s", dir, strerror(errno));
	return 0;
}

int host_try_folder(const char *dir, struct fault *f)
{
	char path[PATH_MAX];
	int fd, bad;

	if (snprintf(path, sizeof path, "%s/.ranksweep-%ld", dir, (long)getpid()) >= (int)sizeof path)
		return fault_set(f, FAULT_IO, "the name of the folder is too long");
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault_set(f, FAULT_IO, "%s: no file can be made: %s", dir, strerror(errno));
	bad = try_lock(fd, dir, f);
	close(fd);
	unlink(path);
	return bad;
}

int64_t host_free_bytes(const char *dir)
{
	struct statvfs s;

	return statvfs(dir, &s) ? -1 : (int64_t)(s.f_bavail * s.f_frsize);
}

static int64_t limit_of(int which)
{
	struct rlimit x;

	if (getrlimit((__rlimit_resource_t)which, &x) || x.rlim_cur > INT64_MAX)
		return -1;
	return (int64_t)x.rlim_cur;
}

void host_limits(struct host_limits *out)
{
	*out = (struct host_limits){.files = limit_of(RLIMIT_NOFILE),
	                            .processes = limit_of(RLIMIT_NPROC),
	                            .memory_bytes = limit_of(RLIMIT_AS)};
}
