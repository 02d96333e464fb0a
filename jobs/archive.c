#include "archive.h"

#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct header {
	char magic[8];
	uint64_t kind, step, length, checksum;
};

static const char magic[8] = "trainer1";

static uint64_t checksum(const struct header *h, const unsigned char *p, size_t n)
{
	uint64_t sum = 0xcbf29ce484222325u ^ h->kind ^ (h->step << 32); /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 0x100000001b3u;
	return sum;
}

static void put(struct archive *a, const void *p, size_t n)
{
	while (a->len + n > a->room) {
		a->room = a->room ? a->room * 2 : 4096;
		a->data = realloc(a->data, a->room);
		if (a->data == NULL)
			report_die(EXIT_FAILED, "no memory for %zu bytes", a->room);
	}
	memcpy(a->data + a->len, p, n);
	a->len += n;
}

void archive_field(struct archive *a, void *p, size_t n_bytes)
{
	if (!a->reading) {
		put(a, p, n_bytes);
	} else if (a->len - a->at < n_bytes) {
		a->bad = true;
	} else {
		memcpy(p, a->data + a->at, n_bytes);
		a->at += n_bytes;
	}
}

void archive_finish(struct archive *a)
{
	free(a->data);
	*a = (struct archive){0};
}

static int write_all(FILE *out, const struct header *h, const struct archive *a)
{
	if (fwrite(h, sizeof *h, 1, out) != 1 || fwrite(a->data, 1, a->len, out) != a->len)
		return -1;
	return fflush(out) == 0 && fsync(fileno(out)) == 0 ? 0 : -1;
}

int archive_save(const struct archive *a, const char *path, uint64_t kind, int step)
{
	struct header h = {.kind = kind, .step = (uint64_t)step, .length = a->len};
	char beside[PATH_MAX];
	FILE *out;
	int bad;

	memcpy(h.magic, magic, sizeof h.magic);
	h.checksum = checksum(&h, a->data, a->len);
	if ((size_t)snprintf(beside, sizeof beside, "%s.tmp", path) >= sizeof beside) {
		errno = ENAMETOOLONG;
		return -1;
	}
	out = fopen(beside, "w");
	if (out == NULL)
		return -1;
	bad = write_all(out, &h, a);
	bad |= fclose(out);
	if (bad == 0)
		return rename(beside, path);
	unlink(beside);
	return -1;
}

static enum archive_result read_all(FILE *in, struct archive *a, uint64_t kind, int *step)
{
	unsigned char chunk[65536];
	struct header h;
	size_t n;

	if (fread(&h, sizeof h, 1, in) != 1 || memcmp(h.magic, magic, sizeof magic) != 0)
		return ARCHIVE_DAMAGED;
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		put(a, chunk, n);
	if (ferror(in) || a->len != h.length || h.checksum != checksum(&h, a->data, a->len) ||
	    h.step > INT_MAX)
		return ARCHIVE_DAMAGED;
	if (h.kind != kind)
		return ARCHIVE_FOREIGN;
	*step = (int)h.step;
	a->reading = true;
	return ARCHIVE_OK;
}

enum archive_result archive_load(struct archive *a, const char *path, uint64_t kind, int *step)
{
	FILE *in = fopen(path, "r");
	enum archive_result result;

	if (in == NULL)
		return errno == ENOENT ? ARCHIVE_ABSENT : ARCHIVE_DAMAGED;
	result = read_all(in, a, kind, step);
	fclose(in);
	return result;
}
