/* host, files and the file systems they lie on. */
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Magic numbers of linux/magic.h, and of the modules that are not in the kernel's tree: coreutils src/stat.c.
 */
static const struct {
	uint32_t magic;
	enum host_fs kind;
	const char *name;
} file_systems[] = {
    {0x00006969, HOST_FS_NETWORK, "nfs"},    {0x0BD00BD0, HOST_FS_NETWORK, "lustre"},
    {0x47504653, HOST_FS_NETWORK, "gpfs"},   {0x19830326, HOST_FS_NETWORK, "beegfs"},
    {0x00C36400, HOST_FS_NETWORK, "ceph"},   {0xFF534D42, HOST_FS_NETWORK, "cifs"},
    {0xFE534D42, HOST_FS_NETWORK, "smb2"},   {0x0000517B, HOST_FS_NETWORK, "smb"},
    {0x5346414F, HOST_FS_NETWORK, "afs"},    {0x6B414653, HOST_FS_NETWORK, "afs"},
    {0x7461636F, HOST_FS_NETWORK, "ocfs2"},  {0x01161970, HOST_FS_NETWORK, "gfs2"},
    {0xAAD7AAEA, HOST_FS_NETWORK, "panfs"},  {0x20030528, HOST_FS_NETWORK, "orangefs"},
    {0x01021997, HOST_FS_NETWORK, "9p"},     {0x65735546, HOST_FS_UNKNOWN, "fuse"},
    {0x0000EF53, HOST_FS_LOCAL, "ext4"},     {0x58465342, HOST_FS_LOCAL, "xfs"},
    {0x9123683E, HOST_FS_LOCAL, "btrfs"},    {0x2FC12FC1, HOST_FS_LOCAL, "zfs"},
    {0xF2F52010, HOST_FS_LOCAL, "f2fs"},     {0xCA451A4E, HOST_FS_LOCAL, "bcachefs"},
    {0x52654973, HOST_FS_LOCAL, "reiserfs"}, {0x3153464A, HOST_FS_LOCAL, "jfs"},
    {0x01021994, HOST_FS_LOCAL, "tmpfs"},    {0x858458F6, HOST_FS_LOCAL, "ramfs"},
    {0x794C7630, HOST_FS_LOCAL, "overlay"},
};

/* Shortens path to its folder; false at the top. */
static bool to_folder(char *path)
{
	char *slash = strrchr(path, '/');

	if (!strcmp(path, ".") || !strcmp(path, "/"))
		return false;
	if (!slash)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
	return true;
}

enum host_fs host_file_system(const char *path, const char **name)
{
	char at[PATH_MAX];
	struct statfs s;
	int rc;

	*name = "unknown";
	if (!*path || strlen(path) >= sizeof at)
		return HOST_FS_UNKNOWN;
	strcpy(at, path);
	while ((rc = statfs(at, &s)) < 0 && (errno == ENOENT || errno == ENOTDIR) && to_folder(at))
		;
	for (size_t i = 0; rc == 0 && i < sizeof file_systems / sizeof *file_systems; i++)
		if ((uint32_t)s.f_type == file_systems[i].magic) {
			*name = file_systems[i].name;
			return file_systems[i].kind;
		}
	return HOST_FS_UNKNOWN;
}

int host_read_file(const char *path, size_t max_bytes, struct bytes *out, struct fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;
	ssize_t n = 1;

	bytes_clear(out);
	if (fd < 0)
		return fault_set(f, FAULT_IO, "%s: %s", path, strerror(errno));
	while (n != 0 && out->len <= max_bytes) {
		unsigned char *room = bytes_room(out, 65536);

		n = read(fd, room, 65536);
		if (n < 0 && errno != EINTR)
			break;
		out->len += n > 0 ? (size_t)n : 0;
	}
	error = n < 0 ? errno : 0;
	close(fd);
	if (error)
		return fault_set(f, FAULT_IO, "%s: %s", path, strerror(error));
	if (out->len > max_bytes)
		return fault_set(f, FAULT_IO, "%s: larger than %zu bytes", path, max_bytes);
	return 0;
}

int host_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno != EINTR)
			return -1;
		at += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static int write_mode(const char *path, const void *p, size_t n, mode_t mode, struct fault *f)
{
	char beside[PATH_MAX];
	int fd, len = snprintf(beside, sizeof beside, "%s.%ld.tmp", path, (long)getpid()), error;

	if (len < 0 || (size_t)len >= sizeof beside)
		return fault_set(f, FAULT_IO, "%s: %s", path, strerror(ENAMETOOLONG));
	unlink(beside); /* of an earlier process with our number */
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return fault_set(f, FAULT_IO, "%s: %s", beside, strerror(errno));
	error = host_write_all(fd, p, n) < 0 ? errno : 0;
	if (close(fd) < 0 && !error)
		error = errno; /* where NFS tells of a full disk */
	if (!error && rename(beside, path) < 0)
		error = errno;
	if (!error)
		return 0;
	unlink(beside);
	return fault_set(f, FAULT_IO, "%s: %s", path, strerror(error));
}

int host_write_file(const char *path, const void *p, size_t n, struct fault *f)
{
	return write_mode(path, p, n, 0666, f);
}

int host_write_private(const char *path, const void *p, size_t n, struct fault *f)
{
	return write_mode(path, p, n, 0600, f);
}

static bool is_dir(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

int host_make_dirs(const char *path, struct fault *f)
{
	char at[PATH_MAX], *slash = at;

	if (!*path || strlen(path) >= sizeof at)
		return fault_set(f, FAULT_IO, "folder \"%.80s\": %s", path,
		                 strerror(*path ? ENAMETOOLONG : ENOENT));
	strcpy(at, path);
	do {
		int error;

		slash += strspn(slash, "/");
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		error = mkdir(at, 0777) == 0 ? 0 : errno;
		if (error && !is_dir(at))
			return fault_set(f, FAULT_IO, "folder %s: %s", at,
			                 strerror(error == EEXIST ? ENOTDIR : error));
		if (slash)
			*slash++ = '/';
	} while (slash && *slash);
	return 0;
}

bool host_dir_empty(const char *path)
{
	DIR *d = opendir(path);
	bool empty = d || errno == ENOENT;
	struct dirent *e;

	while (d && empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
	if (d)
		closedir(d);
	return empty;
}

const char *host_absolute(struct arena *a, const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof cwd))
		return arena_strdup(a, path);
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	if (!*path || !strcmp(path, "."))
		return arena_strdup(a, cwd);
	return arena_printf(a, "%s/%s", strcmp(cwd, "/") ? cwd : "", path);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

int host_remove_tree(const char *path, struct fault *f)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
		return fault_set(f, FAULT_IO, "%s: cannot be removed: %s", path, strerror(errno));
	return 0;
}
