/* regex: one compiled PCRE2 pattern. The only user of pcre2.h.
 *
 * Patterns work on bytes (output need not be UTF-8). Matching is bounded: a pattern that backtracks without
 * end on some line simply does not match it. */
#ifndef REGEX_H
#define REGEX_H

#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct regex;
enum { REGEX_MAX_PATTERN = 4096 };

/* NULL and a fault (FAULT_STUDY) when it does not compile; the text says why and where. */
struct regex *regex_open(const char *pattern, struct fault *f);
void regex_close(struct regex *r); /* NULL is allowed */
uint32_t regex_groups(const struct regex *r);
/* Does `line` match? Then *start and *len are the first group (len 0 when it took no part). */
bool regex_match(struct regex *r, const char *line, size_t n, size_t *start, size_t *len);

#endif
