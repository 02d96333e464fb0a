/* msg: what rank 0 and the workers say to each other. One format, versioned, little-endian, bounds-checked: a
 * message is untrusted until decoded, and decoding never reads past the frame nor allocates more than the
 * frame could hold.
 *
 * A frame is what the wire carries: u32 MSG_MAGIC, u16 MSG_VERSION, u16 0, then messages back to back, each
 * u8 kind, u32 payload length, payload. A receiver drops a whole frame of a foreign version and a message of
 * unknown kind.
 *
 *   worker                       rank 0
 *     HELLO ------------------------>      who I am, what my node has
 *     <------------------------ WELCOME    where we work, how much I may run at once
 *     <-------------------------- PHASE *  what all units of a phase share
 *     <------------------------- ASSIGN    one attempt: lease, command line
 *     STARTED ---------------------->      only of those that do not end at once
 *     METRIC, OUTPUT * ------------->      as they come
 *     FINISHED --------------------->
 *     BEAT <------------------------>      each few seconds; rank 0 sends it back
 *     <----------------- CANCEL, RECALL    RECALL of what has not started is answered by RECALLED
 *     <--------------------------- STOP    end your children and yourself
 *
 * Lease: a number given to each assignment of a run; a message whose lease is not the unit's live one changes
 * nothing.
 *
 * Life: a worker whose beats stay without answer for lost_after gives up all that it has, and says HELLO
 * again when nothing of it runs any more, with the next life. What comes before the WELCOME of that life is
 * for the one before, and is dropped. */
#ifndef MSG_H
#define MSG_H

#include "arena.h"
#include "bytes.h"
#include "fault.h"
#include "metric.h"
#include "study.h"

enum {
	MSG_MAGIC = 0x31575352, /* "RSW1" */
	MSG_VERSION = 3,
	MSG_FRAME_MAX = 2 * 1024 * 1024, /* bytes of a frame, header included */
	MSG_TAIL_MAX = 4096,             /* bytes of stderr that travel with FINISHED */
	MSG_HOST_MAX = 256,
	MSG_ARGS_MAX = 65536 /* words of a command line */
};

enum msg_kind {
	MSG_HELLO = 1,
	MSG_WELCOME,
	MSG_PHASE,
	MSG_ASSIGN,
	MSG_CANCEL,
	MSG_RECALL,
	MSG_STOP,
	MSG_STARTED,
	MSG_METRIC,
	MSG_OUTPUT,
	MSG_FINISHED,
	MSG_RECALLED,
	MSG_BEAT,
	MSG_KIND_END
};

struct msg_hello {
	const char *host;
	uint32_t pid, keeper_pid;
	uint64_t space; /* where these numbers mean something: host_pid_space() */
	uint32_t life;  /* from 1 up */
	uint32_t cpus;  /* this rank's share of its node's cores, at least 1 */
	uint32_t gpus;
	int64_t memory_bytes; /* its share; 0 unknown */
};
struct msg_welcome {
	uint64_t run; /* number of this run in the database */
	const char *study;
	const char *cwd;      /* where trainers run */
	const char *out_dir;  /* absolute: output files, directories */
	const char *env_file; /* snapshot of the user's environment of before mpirun, "" when there is none */
	int64_t deadline_ms;  /* epoch: what runs then is stopped; 0: not known */
	uint32_t life;        /* the HELLO that this answers */
	int64_t lost_after_ms;
	uint32_t pid; /* of rank 0 */
	uint64_t space;
};
struct msg_phase {
	uint32_t phase;
	const char *name;
	const char *metric; /* "" : none */
	bool maximize;
	struct limits limits;
	const char *setup; /* "": no shell */
	struct text_pair *env;
	uint32_t nenv;
	struct capture *captures;
	uint32_t ncaptures;
};
struct msg_assign {
	uint32_t unit, lease, attempt, trial, phase;
	int32_t fold, outer_fold;
	uint32_t folds, outer_folds;
	uint64_t seed;
	const char *dir;    /* "": none is made */
	const char *params; /* JSON */
	const char **argv;  /* NULL-terminated */
	uint32_t argc;
};
struct msg_lease { /* CANCEL, RECALL, RECALLED */
	uint32_t unit, lease;
};
struct msg_beat {
	int64_t sent_ms; /* on the worker's clock, which nobody else knows: it comes back as it was */
};
struct msg_started {
	uint32_t unit, lease, pid;
	int64_t at_ms; /* epoch */
};
struct msg_metric {
	uint32_t unit, lease;
	bool has_step;
	double step;
	struct text_number {
		const char *name;
		double value;
	} * values;
	uint32_t nvalues;
};
struct msg_output { /* a segment of the worker's output file */
	uint32_t unit, lease;
	uint8_t stream;  /* 1 stdout, 2 stderr */
	uint64_t offset; /* of the bytes in the file */
	uint32_t bytes;
	uint64_t skipped_bytes; /* left out before this segment because of the cap */
};
struct msg_finished {
	uint32_t unit, lease;
	enum reason reason; /* NONE: exit 0 */
	int32_t exit_code, signal;
	bool requeue;
	int32_t spawn_errno;             /* reason spawn */
	uint32_t pid;                    /* 0: no program ran */
	int64_t started_ms, finished_ms; /* epoch; not negative */
	double user_seconds, system_seconds;
	uint64_t max_rss_kb;
	/* objective over this attempt */
	struct metric_summary objective;
	const unsigned char *tail; /* end of stderr (of stdout when stderr is empty) */
	size_t tail_bytes;
};

struct msg {
	enum msg_kind kind;
	union {
		struct msg_hello hello;
		struct msg_welcome welcome;
		struct msg_phase phase;
		struct msg_assign assign;
		struct msg_lease lease;
		struct msg_beat beat;
		struct msg_started started;
		struct msg_metric metric;
		struct msg_output output;
		struct msg_finished finished;
	} u;
};

/* Append one message to a frame under construction (an empty buffer gets the frame header first). Returns 0,
 * or -1 with the buffer unchanged when the frame would grow past MSG_FRAME_MAX (send it and start another).
 */
int msg_encode(struct bytes *frame, const struct msg *m);

/* Walk through a received frame. open: 0, or -1 with why (foreign magic or version, FAULT_WORKER). next: 1
 * and *m, 0 at the end, -1 when the rest is damaged. Texts and arrays of *m live in `a` and, for blobs, in
 * the frame itself. */
struct msg_reader {
	struct reader r;
};
int msg_open(struct msg_reader *it, const void *frame, size_t n, struct fault *f);
int msg_next(struct msg_reader *it, struct arena *a, struct msg *m, struct fault *f);

#endif
