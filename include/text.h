/* text: numbers and words as people write them. Pure functions of strings. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEXT_NUMBER = 32 };

/* The shortest decimal text that reads back as exactly v ("0.1", "1e-05", "nan", "inf"); integers of
 * magnitude < 1e15 print without exponent or point. Returns its length; buf holds TEXT_NUMBER. */
size_t text_double(char buf[TEXT_NUMBER], double v);
size_t text_int(char buf[TEXT_NUMBER], int64_t v);

/* Whole-string parses: true when all of s (n bytes) is one number. Locale-free; "nan" and "inf" (any case,
 * signed, also "infinity") are numbers for text_parse_double. Hex floats are not. */
bool text_parse_double(const char *s, size_t n, double *out);
bool text_parse_int(const char *s, size_t n, int64_t *out);

/* Durations `90`, `90s`, `10m`, `2h`, `1d12h`, `1h30m`, `[[DD-]HH:]MM:SS`, fractions allowed on the last
 * unit ("1.5h", "0.2s", "200ms"). Milliseconds, > 0 unless the text is zero. */
bool text_parse_duration_ms(const char *s, int64_t *out_ms);
/* Sizes `1048576`, `512K`, `512M`, `4G`, `1T` (powers of 1024; an optional B or iB follows). */
bool text_parse_size_bytes(const char *s, int64_t *out_bytes);
/* 3725000 -> "1h02m", 95000 -> "1m35s", 5200 -> "5.2s", 80 -> "80ms". */
size_t text_duration(char buf[TEXT_NUMBER], int64_t ms);

/* Damerau-Levenshtein distance, bounded by cap (returns cap when larger). */
size_t text_distance(const char *a, const char *b, size_t cap);
/* The nearest of n words to `s`, or NULL when none is near enough to be meant: half of it is the same. */
const char *text_nearest(const char *s, const char *const *words, size_t n);

/* Length of the valid UTF-8 sequence at s (n > 0 bytes), or 0 (RFC 3629: no overlong forms, no surrogates).
 */
size_t text_utf8(const char *s, size_t n);

/* Append `"..."` as JSON to a bounded buffer: invalid UTF-8 becomes U+FFFD. Declared over bytes.h. */
struct bytes;
void text_put_json(struct bytes *b, const char *s, size_t n);
void text_put(struct bytes *b, const char *s);
void text_putf(struct bytes *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
