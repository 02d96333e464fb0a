#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_finish(struct bytes *b)
{
	free(b->data);
	memset(b, 0, sizeof *b);
}

void bytes_clear(struct bytes *b)
{
	b->len = 0;
}

unsigned char *bytes_room(struct bytes *b, size_t n)
{
	if (n > SIZE_MAX / 2 - b->len)
		abort();
	if (b->cap - b->len < n) {
		size_t cap = b->cap ? b->cap : 256;
		unsigned char *p;

		while (cap - b->len < n)
			cap *= 2;
		p = realloc(b->data, cap);
		if (!p) {
			fprintf(stderr, "ranksweep: out of memory (%zu bytes wanted)\n", cap);
			abort();
		}
		b->data = p;
		b->cap = cap;
	}
	return b->data + b->len;
}

void bytes_put(struct bytes *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(bytes_room(b, n), p, n);
	b->len += n;
}

static void put_le(struct bytes *b, uint64_t v, size_t n)
{
	unsigned char *p = bytes_room(b, n);

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
	b->len += n;
}

void bytes_put_u8(struct bytes *b, uint8_t v)
{
	put_le(b, v, 1);
}

void bytes_put_u16(struct bytes *b, uint16_t v)
{
	put_le(b, v, 2);
}

void bytes_put_u32(struct bytes *b, uint32_t v)
{
	put_le(b, v, 4);
}

void bytes_put_u64(struct bytes *b, uint64_t v)
{
	put_le(b, v, 8);
}

void bytes_put_f64(struct bytes *b, double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof u);
	put_le(b, u, 8);
}

void bytes_put_blob(struct bytes *b, const void *p, size_t n)
{
	bytes_put_u32(b, (uint32_t)n);
	bytes_put(b, p, n);
}

void bytes_put_text(struct bytes *b, const char *s)
{
	bytes_put_blob(b, s, s ? strlen(s) : 0);
}

void bytes_set_u32(struct bytes *b, size_t at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		b->data[at + i] = (unsigned char)(v >> (8 * i));
}

void bytes_drop_front(struct bytes *b, size_t n)
{
	if (n)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void reader_init(struct reader *r, const void *p, size_t n)
{
	r->p = p;
	r->end = r->p + n;
	r->bad = false;
}

static uint64_t get_le(struct reader *r, size_t n)
{
	uint64_t v = 0;

	if (r->bad || (size_t)(r->end - r->p) < n) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)r->p[i] << (8 * i);
	r->p += n;
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return get_le(r, 8);
}

double reader_f64(struct reader *r)
{
	uint64_t u = get_le(r, 8);
	double v;

	memcpy(&v, &u, sizeof v);
	return v;
}

const unsigned char *reader_blob(struct reader *r, size_t *n)
{
	const unsigned char *p;

	*n = reader_u32(r);
	if (r->bad || (size_t)(r->end - r->p) < *n) {
		r->bad = true;
		*n = 0;
		return (const unsigned char *)"";
	}
	p = r->p;
	r->p += *n;
	return p;
}

void reader_text(struct reader *r, char *buf, size_t cap)
{
	size_t n;
	const unsigned char *p = reader_blob(r, &n);

	buf[0] = 0;
	if (n >= cap || memchr(p, 0, n)) {
		r->bad = true;
		return;
	}
	memcpy(buf, p, n);
	buf[n] = 0;
}

bool reader_done(const struct reader *r)
{
	return !r->bad && r->p == r->end;
}
