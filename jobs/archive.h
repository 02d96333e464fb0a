/* archive: the bytes of a trained model or of a training in progress, in one file.
 *
 * One function of the caller names its fields with archive_field(), and serves for both directions: what is
 * written in an order is read in that order. The file is written beside its place, synced and renamed in, so
 * a reader finds the old one or the new one, whole. A header gives the kind and a checksum; a file that is
 * cut, changed or of another kind is never taken. Bytes are in the machine's own order. */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive {
	bool reading;
	bool bad; /* a read went past the end; what it should have filled is unchanged */
	unsigned char *data;
	size_t len, room, at;
};

enum archive_result { ARCHIVE_OK, ARCHIVE_ABSENT, ARCHIVE_DAMAGED, ARCHIVE_FOREIGN };

/* A zeroed archive is empty and ready to be written to. */
void archive_field(struct archive *a, void *p, size_t n_bytes);
void archive_finish(struct archive *a);

/* `kind` tells apart files that must not be taken for one another; `step` is a number for the reader. */
int archive_save(const struct archive *a, const char *path, uint64_t kind, int step); /* 0, or -1 and errno */
enum archive_result archive_load(struct archive *a, const char *path, uint64_t kind, int *step);

#endif
