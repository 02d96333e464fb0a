#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

int output_open(struct output_file *o, const char *path, struct fault *f)
{
	off_t end;

	o->broken = false;
	o->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (o->fd < 0)
		return fault_set(f, FAULT_IO, "%s: %s", path, strerror(errno));
	end = lseek(o->fd, 0, SEEK_END);
	o->end = end < 0 ? 0 : (uint64_t)end;
	return 0;
}

void output_close(struct output_file *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void put_le32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static bool write_all(int fd, struct iovec *v, int n)
{
	while (n > 0) {
		ssize_t got = writev(fd, v, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		while (n > 0 && (size_t)got >= v->iov_len) {
			got -= (ssize_t)v->iov_len;
			v++;
			n--;
		}
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + got;
			v->iov_len -= (size_t)got;
		}
	}
	return true;
}

static void write_segment(struct output_file *o, struct output_stream *s, uint32_t unit, uint32_t attempt,
                          struct bytes *b, output_segment_fn *fn, void *ctx)
{
	unsigned char head[OUTPUT_HEADER] = {0};
	struct iovec v[2] = {{head, sizeof head}, {b->data, b->len}};

	if (!b->len && !s->skipped)
		return;
	put_le32(head, OUTPUT_MAGIC);
	put_le32(head + 4, unit);
	put_le32(head + 8, attempt);
	put_le32(head + 12, s->number);
	put_le32(head + 16, (uint32_t)b->len);
	if (!o->broken && !write_all(o->fd, v, b->len ? 2 : 1)) {
		o->broken = true;
		if (ftruncate(o->fd, (off_t)o->end)) /* best effort: no half segment */
			o->end = 0;
	}
	if (o->broken) {
		s->skipped += b->len;
	} else {
		fn(ctx, s->number, o->end + OUTPUT_HEADER, (uint32_t)b->len, s->skipped);
		o->end += OUTPUT_HEADER + b->len;
		s->skipped = 0;
	}
	bytes_clear(b);
}

/* Keep only the last `keep` bytes, moving memory once in a while rather than each time. Returns what fell
 * out. */
static size_t keep_last(struct bytes *b, size_t keep, bool exact)
{
	size_t drop = b->len > keep ? b->len - keep : 0;

	if (!drop || (!exact && b->len < 2 * keep))
		return 0;
	bytes_drop_front(b, drop);
	return drop;
}

static void put_last(struct bytes *last, const unsigned char *p, size_t n)
{
	if (n > OUTPUT_LAST_BYTES) {
		p += n - OUTPUT_LAST_BYTES;
		n = OUTPUT_LAST_BYTES;
	}
	bytes_put(last, p, n);
	keep_last(last, OUTPUT_LAST_BYTES, false);
}

void output_put(struct output_file *o, struct output_stream *s, uint32_t unit, uint32_t attempt,
                const void *data, size_t n, output_segment_fn *fn, void *ctx)
{
	const unsigned char *p = data;
	uint64_t taken = s->written + s->pending.len;
	size_t head = taken < OUTPUT_HEAD_BYTES ? (size_t)(OUTPUT_HEAD_BYTES - taken) : 0;

	put_last(&s->last, p, n);
	if (head > n)
		head = n;
	bytes_put(&s->pending, p, head);
	if (s->pending.len >= OUTPUT_CHUNK_BYTES || (head < n && s->pending.len)) {
		s->written += s->pending.len;
		write_segment(o, s, unit, attempt, &s->pending, fn, ctx);
	}
	if (head < n) {
		bytes_put(&s->tail, p + head, n - head);
		s->skipped += keep_last(&s->tail, OUTPUT_TAIL_BYTES, false);
	}
}

void output_flush(struct output_file *o, struct output_stream *s, uint32_t unit, uint32_t attempt, bool end,
                  output_segment_fn *fn, void *ctx)
{
	if (s->pending.len) {
		s->written += s->pending.len;
		write_segment(o, s, unit, attempt, &s->pending, fn, ctx);
	}
	if (end) {
		s->skipped += keep_last(&s->tail, OUTPUT_TAIL_BYTES, true);
		keep_last(&s->last, OUTPUT_LAST_BYTES, true);
		write_segment(o, s, unit, attempt, &s->tail, fn, ctx);
	}
}

void output_stream_finish(struct output_stream *s)
{
	bytes_finish(&s->pending);
	bytes_finish(&s->tail);
	bytes_finish(&s->last);
}
