/* ask: what the files in a run's inbox say: a request of somebody who has typed a verb, and the answer.
 *
 *   request: words, each ended by NUL: magic, version, id, who, verb, its arguments
 *   answer:  words, each ended by NUL: magic, version, id, exit status, number of bytes for stdout; then
 *            these bytes; then what is left: the bytes for stderr
 *
 * Pure: files are the inbox's (inbox.h), what a verb means is request.h's. A file may come from anywhere, so
 * everything is checked here. A change of either form is a new ASK_VERSION. */
#ifndef ASK_H
#define ASK_H

#include "arena.h"
#include "bytes.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ASK_VERSION = 1, ASK_MAX_BYTES = 16 << 20, ASK_ID_MAX = 96, ASK_WHO_MAX = 255 };

/* Exit status of an answer that says: nothing was done, ask whoever has the database now. */
enum { ASK_AGAIN = FAULT_STOPPED };

struct ask {
	const char *id;           /* names the request for good: its file, its row of the audit */
	const char *who;          /* "user@host pid 4711", as the asker says it */
	const char *const *words; /* the verb and its arguments; NULL-terminated */
	uint32_t nwords;          /* at least 1 */
};
struct ask_answer {
	const char *id;
	int32_t status; /* of the verb: 0 .. 255 */
	const void *out, *err;
	size_t out_bytes, err_bytes;
};

/* Letters, digits, `-` and `_`: fit for the name of a file. */
bool ask_id_valid(const char *id);
/* Append to `out`. FAULT_USAGE when it is larger than ASK_MAX_BYTES. */
int ask_encode(struct bytes *out, const struct ask *x, struct fault *f);
int ask_answer_encode(struct bytes *out, const struct ask_answer *x, struct fault *f);
/* FAULT_IO says what is wrong with it. Words in `a` or borrowed from `p`; out and err borrowed from `p`. */
int ask_decode(struct arena *a, const void *p, size_t n, struct ask *out, struct fault *f);
int ask_answer_decode(const void *p, size_t n, struct ask_answer *out, struct fault *f);

#endif
