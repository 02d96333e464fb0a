/* yaml: a YAML 1.2 document as a tree of nodes with positions. The only user of libfyaml.
 *
 * Built from libfyaml's event stream, not from its document tree: events are iterative, so nesting costs no
 * stack, and duplicate keys, aliases and depth are judged here. Untrusted input: size of the tree and depth
 * are bounded, bytes that are no UTF-8 and NUL are refused, aliases are refused (no expansion, no bombs). */
#ifndef YAML_H
#define YAML_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum yaml_kind { YAML_NULL, YAML_TEXT, YAML_LIST, YAML_MAP };
enum { YAML_MAX_DEPTH = 64, YAML_MAX_NODES = 1000000, YAML_MAX_LINE = 1 << 20 };

struct yaml_node {
	enum yaml_kind kind;
	bool plain;              /* TEXT without quotes (and not a block text) */
	bool exact;              /* TEXT stands on one line byte for byte as here: column = col + offset */
	uint32_t line, col;      /* from 1 */
	uint32_t count;          /* LIST, MAP: children */
	size_t len;              /* TEXT */
	const char *text;        /* TEXT; NULL-terminated, no NUL inside. "" for NULL */
	struct yaml_node *key;   /* this node is the value of a map's entry; always YAML_TEXT */
	struct yaml_node *first; /* LIST, MAP */
	struct yaml_node *next;  /* sibling, in file order */
};

/* Called for each mistake. Positions count from 1. */
typedef void yaml_report_fn(void *ctx, uint32_t line, uint32_t col, const char *text);

/* The single document in n bytes; NULL after a mistake that leaves no tree (reported). Mistakes that leave a
 * usable tree are reported too: duplicate keys (the first stays), and values in {..} or [..] cut at a comma
 * inside parentheses (they are joined again). */
struct yaml_node *yaml_parse(struct arena *a, const char *bytes, size_t n, yaml_report_fn *report, void *ctx);

/* Does this text come back byte for byte from a document where it stands as text_put_json writes it, beside
 * many like it? Not when it is no UTF-8, or opens brackets that it does not close. */
bool yaml_holds(const char *s, size_t n);

#endif
