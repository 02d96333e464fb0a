/* desk: where rank 0 takes what users ask of a run: requests out of the inbox, answers back into it. An
 * answer is kept until what it tells of is committed. */
#ifndef DESK_H
#define DESK_H

#include "bytes.h"
#include "inbox.h"
#include "progress.h"
#include "request.h"

enum { DESK_TURN = 16 }; /* requests at once */

struct desk {
	struct inbox *inbox; /* NULL: it could not be opened, and nobody can ask */
	struct progress *progress;
	struct bytes content;
	struct desk_answer {
		char id[INBOX_ID];
		struct bytes text;
	} answers[DESK_TURN];
	uint32_t nanswers;
};

/* A run goes on without an inbox; stderr says why there is none. A zeroed desk is closed. */
void desk_open(struct desk *d, const char *out_dir, bool network, struct progress *progress);
/* To sleep on; -1: none. */
int desk_fd(const struct desk *d);
int64_t desk_due_ms(const struct desk *d); /* when to call desk_take at the latest */
/* Take requests and carry them out, until there are DESK_TURN answers, or the run is over: whoever comes
 * after that finds the database free in a moment. -1: a failure of the store, or a bug.
 */
int desk_take(struct desk *d, struct request_site *site, bool readable, int64_t now_ms, struct fault *f);
/* What was done is committed: answer. */
void desk_send(struct desk *d);
/* Whoever was not answered finds the database free, and sees to it himself. */
void desk_close(struct desk *d);

#endif
