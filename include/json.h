/* json: one JSON value (RFC 8259) as a tree, from bytes that are not trusted. Strict: what programs of others
 * say must be what they mean. Depth and the number of values are bounded, texts are UTF-8 without NUL, and a
 * map has no key twice. */
#ifndef JSON_H
#define JSON_H

#include "arena.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 32, JSON_MAX_VALUES = 100000 };
enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_TEXT, JSON_LIST, JSON_MAP };

struct json {
	enum json_kind kind;
	const char *text; /* TEXT; NUMBER as written; the words null, false, true; else "" */
	size_t len;
	uint32_t count;  /* LIST, MAP */
	const char *key; /* of a map's entry; else NULL */
	struct json *first, *next;
};

/* The value that n bytes are, blanks around it allowed. NULL: a fault (FAULT_STUDY) says what is wrong at
 * byte *at. */
const struct json *json_parse(struct arena *a, const char *s, size_t n, size_t *at, struct fault *f);
/* The entry of a map; NULL: there is none, or it is no map. */
const struct json *json_get(const struct json *map, const char *key);

#endif
