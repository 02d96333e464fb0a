/* What a text with braces is made of: shared by src/core/expand*.c only. */
#ifndef EXPAND_PIECE_H
#define EXPAND_PIECE_H

#include "expand.h"
#include "space.h"

enum expand_piece_kind {
	EXPAND_TEXT, /* one item, a text: outside braces */
	EXPAND_LIST, /* what is between braces; no item: {{}} */
	EXPAND_DRAW  /* one item, a domain without end */
};

/* One value, or the points of a domain. */
struct expand_item {
	const char *text;           /* NULL: the domain's */
	const struct param *domain; /* bounds are bound and checked */
	uint64_t end;               /* values of the list up to here, this item's included */
};

struct expand_piece {
	enum expand_piece_kind kind;
	const struct expand_item *items;
	uint32_t nitems;
	uint64_t count; /* LIST: values; else 1 */
};

/* ---- expand_brace.c: one text ----------------------------------------------------------------------- */
struct expand_reading {
	struct arena *arena;
	const char *word, *p; /* the word, and where reading is in it */
	uint32_t number;      /* of the word */
	bool group;           /* {{}} is allowed */
	bool no_braces;
	uint32_t samples, points; /* -n; points of domains so far, in the whole call */
	struct fault *fault;
};

/* `argument 3, column 9: ..` */
int expand_fail(const struct expand_reading *r, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* From r->p to the end of the word: fills pieces, npieces, text, existing, drawn and count. */
int expand_read_text(struct expand_reading *r, struct expand_arg *arg);

/* ---- expand_value.c ----------------------------------------------------------------------------------- */
/* A parameter as a space of its own. */
struct space expand_space(const struct param *p);
/* When all arguments are read: combinations, strides, the hash of what is constant. */
void expand_count_up(struct expand_args *x, struct expand_arg *args, uint32_t samples);

#ifdef __clang_analyzer__
#define expand_fail(...) ((void)expand_fail(__VA_ARGS__), -1)
#endif

#endif
