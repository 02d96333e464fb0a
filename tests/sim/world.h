/* world: a whole cluster in one process, on virtual time.
 *
 *   rank 0: rank.c, leader.c, desk, ledger, store (SQLite in memory) ─┐   as they are, each rank
 *   ranks 1..: rank.c, worker.c                                      ─┤   a fiber of its own
 *                                                                     │
 *   edge_wire.c   frames with delays, some of them twice             ─┤   virtual: what include/wire.h,
 *   edge_child.c  keepers and training programs                      ─┤   child.h, inbox.h and the clock
 *   edge_host.c   clocks, signals, cpus                              ─┤   of host.h promise
 *   edge_inbox.c  users                                              ─┘
 *   oracle.c      what is committed, and what must hold
 *
 * A fiber runs until it waits (wire_wait); then the next thing happens: the time jumps to it. All chance
 * comes from one generator, so a seed is a whole history. Whatever a dead rank still does on its way out of
 * its functions is swallowed here: nothing of it reaches a store, a wire or a program. */
#ifndef WORLD_H
#define WORLD_H

#include "arena.h"
#include "bytes.h"
#include "child.h"
#include "leader.h"
#include "msg.h"
#include "rank.h"
#include "rng.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

enum { MAX_RANKS = 6, NOBODY = MAX_RANKS, MAX_SIGNALS = 8, MAX_EVENTS = 64, LAUNCHES_IN_TROUBLE = 8 };
/* Descriptors that are none of the kernel's. */
enum { FD_SIGNALS = 1 << 20, FD_KEEPER = 1 << 21, FD_PROCESS = 1 << 22, FD_CHILD = 1 << 23 };

/* What a seed makes of the study and of the world. */
struct setting {
	bool trouble;      /* deaths, crashes, stops, frames that come twice, programs that fail by chance */
	bool users;        /* ask for changes */
	uint32_t requests; /* that are still to come */
	bool slow;         /* programs run for minutes */
	void (*each_hour)(void);
	const char *text; /* the study file */
	size_t text_bytes;
};

struct frame {
	struct frame *next;
	uint32_t from;
	bool again; /* it came before */
	size_t n;
	unsigned char data[];
};

struct wire {
	uint32_t rank;
};
struct keeper {
	uint32_t rank;
};

struct sim_rank {
	struct wire wire;
	struct keeper keeper;
	struct wire_info info;
	struct rank r;
	/* its fiber */
	ucontext_t context;
	void *stack;
	bool alive;   /* the fiber has not returned */
	bool dead;    /* the process is no more */
	bool waiting; /* in wire_wait */
	bool opened;
	struct pollfd *fds;
	nfds_t nfds;
	int64_t wake_ms;
	int64_t cut_ms;   /* nothing gets through between it and rank 0 until then */
	int64_t lease_ms; /* its keeper lets programs run until then */
	bool fenced;      /* and has ended them */
	uint32_t node;
	int64_t frozen_ms; /* it gets no cpu until then */
	/* its edges */
	struct frame *in, **in_end, *at; /* at: borrowed by wire_next */
	int64_t last_ms[MAX_RANKS];      /* to each peer: a channel keeps its order */
	uint32_t pending[MAX_RANKS];     /* frames under way to each peer */
	int signals[MAX_SIGNALS], nsignals;
	struct child_event events[MAX_EVENTS]; /* of its keeper, in order */
	int64_t events_at[MAX_EVENTS];         /* not before */
	uint32_t nevents;
	uint32_t cpus, gpus; /* as it said hello */
	int64_t memory_bytes;
};

enum happening_kind {
	A_FRAME,
	A_CHILD,
	A_KILL,
	A_TERM,
	A_REQUEST,
	A_SIGNAL,
	A_DEATH,
	A_FREEZE,
	A_CUT,
	A_FENCE,
	A_JOB_END,
	A_CLOCK
};
struct happening {
	int64_t at_ms;
	uint64_t order;
	enum happening_kind kind;
	uint32_t rank, from, child;
	uint64_t serial; /* of the child */
	int number;
	struct frame *frame;
};

struct world {
	struct setting set;
	uint64_t seed;
	struct rng rng;
	struct arena arena; /* of the seed */
	int64_t now_ms;     /* monotonic time of all ranks */
	int64_t epoch_off;  /* what a clock says beyond it */
	struct sim_rank ranks[MAX_RANKS];
	uint32_t nranks, current;
	struct happening *list;
	uint32_t nlist, cap_list;
	uint64_t order;
	uint64_t turns;
	int64_t hour_ms; /* when the next one begins */
	ucontext_t main;
	/* the launch */
	uint32_t launch;
	uint32_t launch_starts; /* of programs */
	bool ending;            /* the launch is to be over: nothing new befalls it */
	bool troubled;          /* somebody has died or was cut off */
	bool stop_asked;        /* a signal was given, or there is a limit of time or an end of the job */
	bool stop_known;        /* rank 0 has taken a signal: it starts nothing any more */
	bool clock_jumped;      /* whoever has an end by the clock is wrong about it */
	int64_t crash_after;    /* crash points of rank 0 until it dies; < 0: it does not */
	bool leader_done;       /* leader_run has returned, alive */
	int leader_status;
	struct fault verdict;
	int64_t job_ms, job_end_ms; /* the batch system ends all after so long, by the clock then; 0: never */
	int64_t time_limit_ms;
	char db_path[32], out_dir[64];
	/* the result */
	bool tracing;
	struct bytes trace;
	char wrong[1024];
	struct {
		uint64_t launches, deaths, starts, commits, requests, again;
	} count; /* over all seeds */
};
extern struct world w;

bool chance(uint32_t permille);
int64_t between(int64_t from, int64_t to); /* both included */
/* A line of the history; costs nothing when nobody wants it. */
void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An invariant does not hold. The first one counts; everything ends soon. */
void wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct happening *happen(int64_t at_ms, enum happening_kind kind, uint32_t rank);
bool is_dead(uint32_t rank);
enum { PID_RANK = 5000, PID_KEEPER = 6000, LOST_AFTER_MS = 8000 };
/* Has this process ended? Keepers end when nothing is left of what they started. */
bool process_ended(uint32_t pid);
/* The process is no more, from now on. */
void rank_dies(uint32_t rank);
/* Somewhere where rank 0 may die. True: it has died now or before. */
bool crash_point(void);
/* From one wait to the next happening. False: the launch is over. */
void fiber_wait(uint32_t rank, struct pollfd *fds, nfds_t n, int64_t timeout_ms);
void world_launch(uint32_t nranks, const uint32_t *node_of);

/* edge_wire.c */
void wire_arrive(struct happening *h);
void wire_reset(void);
void wire_describe(struct bytes *to, const void *frame, size_t n);
void wire_disturb(void);
/* edge_child.c */
void children_reset(void); /* all are ended; nothing of them is left */
void child_goes_on(struct happening *h);
void keeper_fences(struct happening *h);
void child_gets_term(struct happening *h);
void child_gets_kill(struct happening *h);
short child_fd_ready(int fd);
void children_of_rank_end(uint32_t rank);
/* What the last attempt of this unit has said last. False: nothing. */
bool child_said(uint32_t unit, uint32_t attempt, double *value);
uint32_t children_of_unit(uint32_t unit);
void children_forget(void);
uint32_t children_busy(uint32_t rank, uint32_t *cpus, uint32_t *gpus, int64_t *memory);
/* edge_host.c */
short host_fd_ready(int fd);
/* edge_inbox.c */
void users_reset(void);
void user_asks(bool come_after); /* for jobs after all that there are of a phase */
bool inbox_has_some(void);
bool inbox_is_watched_by(int fd); /* which outlives the launch */
void users_alone(bool all);
void users_finish(void);
/* edge_sqlite.c */
void database_new(void); /* empty; what was there is gone */
void database_finish(void);
/* oracle.c */
void oracle_reset(void);
void oracle_launch(void);
void oracle_started(uint32_t rank, uint32_t unit, uint32_t attempt);
void oracle_sends(uint32_t to, const void *frame, size_t n);
void oracle_stale(bool on);
enum audit { AUDIT_NONE, AUDIT_OPEN, AUDIT_COMMITTED };
enum audit oracle_audit(const char *id);
void oracle_idle(void);
void oracle_end(void);
uint32_t oracle_units(void);
bool oracle_unit_limits(uint32_t unit, uint32_t *cpus, uint32_t *gpus, int64_t *memory);
const char *oracle_trials(struct arena *a);
/* studies.c */
void study_make(struct setting *s, struct arena *a, struct rng *r, bool same_trials);

#endif
