/* output: one rank's append-only file of all its units' stdout and stderr.
 *
 * A segment is a header of OUTPUT_HEADER bytes (magic, unit, attempt, stream, bytes; little-endian) and the
 * bytes, so the file can be read without its index. A stream is written as it comes up to OUTPUT_HEAD_BYTES;
 * of what follows only the last OUTPUT_TAIL_BYTES are kept, and written when the unit ends. Memory per
 * running unit is bounded by both buffers. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "bytes.h"
#include "fault.h"

#include <stdbool.h>
#include <stdint.h>

enum {
	OUTPUT_HEADER = 24,
	OUTPUT_MAGIC = 0x31475352, /* "RSG1" */
	OUTPUT_HEAD_BYTES = 8 * 1024 * 1024,
	OUTPUT_TAIL_BYTES = 256 * 1024,
	OUTPUT_CHUNK_BYTES = 64 * 1024, /* written at the latest when so much is waiting */
	OUTPUT_LAST_BYTES = 4096        /* what travels with the result */
};

struct output_file {
	int fd;
	uint64_t end; /* bytes written */
	bool broken;  /* a write failed (disk full): what follows is dropped, and counted as skipped */
};

struct output_stream {
	uint8_t number;       /* 1 stdout, 2 stderr */
	struct bytes pending; /* not written yet */
	struct bytes tail;    /* beyond the head: the last OUTPUT_TAIL_BYTES */
	struct bytes last;    /* the last OUTPUT_LAST_BYTES of all */
	uint64_t written, skipped;
};

/* Told where a segment went. */
typedef void output_segment_fn(void *ctx, uint8_t stream, uint64_t offset, uint32_t bytes, uint64_t skipped);

int output_open(struct output_file *o, const char *path, struct fault *f);
void output_close(struct output_file *o);
void output_put(struct output_file *o, struct output_stream *s, uint32_t unit, uint32_t attempt,
                const void *data, size_t n, output_segment_fn *fn, void *ctx);
/* Write what is pending; at the end of a unit also the tail. */
void output_flush(struct output_file *o, struct output_stream *s, uint32_t unit, uint32_t attempt, bool end,
                  output_segment_fn *fn, void *ctx);
void output_stream_finish(struct output_stream *s);

#endif
