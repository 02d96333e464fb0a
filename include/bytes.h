/* bytes: a growable byte buffer, and a bounds-checked reader over bytes that are not trusted.
 *
 * The buffer owns heap memory (frames and lines grow and shrink, an arena would not fit); a zeroed one is
 * valid and empty. The reader never reads past its end: after the first short read `bad` is set and every
 * later read yields zeros, so a decoder checks once, at its end, with reader_done(). Integers are
 * little-endian. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
	unsigned char *data;
	size_t len, cap;
};

void bytes_finish(struct bytes *b);
void bytes_clear(struct bytes *b);                    /* len = 0, memory kept */
unsigned char *bytes_room(struct bytes *b, size_t n); /* room for n more after len; len unchanged */
void bytes_put(struct bytes *b, const void *p, size_t n);
void bytes_put_u8(struct bytes *b, uint8_t v);
void bytes_put_u16(struct bytes *b, uint16_t v);
void bytes_put_u32(struct bytes *b, uint32_t v);
void bytes_put_u64(struct bytes *b, uint64_t v);
void bytes_put_f64(struct bytes *b, double v);
void bytes_put_text(struct bytes *b, const char *s);           /* u32 length, bytes; NULL as "" */
void bytes_put_blob(struct bytes *b, const void *p, size_t n); /* u32 length, bytes */
void bytes_set_u32(struct bytes *b, size_t at, uint32_t v);    /* patch a length written earlier */
void bytes_drop_front(struct bytes *b, size_t n);

struct reader {
	const unsigned char *p, *end;
	bool bad;
};

void reader_init(struct reader *r, const void *p, size_t n);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
double reader_f64(struct reader *r);
/* Borrowed bytes of the message; *n is their count. Never NULL. */
const unsigned char *reader_blob(struct reader *r, size_t *n);
/* Copy of a text into buf (always terminated; a text that does not fit, or holds NUL, is bad). */
void reader_text(struct reader *r, char *buf, size_t cap);
/* True when nothing was bad and every byte was consumed. */
bool reader_done(const struct reader *r);

#endif
