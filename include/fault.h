/* fault: one record for everything that can go wrong outside our own bugs.
 *
 * A fallible function returns 0 or -1 and takes a last `struct fault *`. The place that notices fills it
 * (`return fault_set(f, FAULT_STUDY, "...")`), callers add context in front, and only src/cmd prints it,
 * once, and exits with the code. A training program that fails is data, never a fault. */
#ifndef FAULT_H
#define FAULT_H

/* The exit statuses of the program (sysexits.h numbers where one fits). */
enum fault_code {
	FAULT_NONE = 0,
	FAULT_UNITS = 1,    /* done, but units failed or are blocked */
	FAULT_USAGE = 64,   /* wrong command line */
	FAULT_STUDY = 65,   /* wrong study file or arguments that contradict it */
	FAULT_WORKER = 69,  /* no worker left */
	FAULT_BUG = 70,     /* our own mistake */
	FAULT_IO = 74,      /* database or file system */
	FAULT_STOPPED = 75, /* stopped before the end, resumable by the same command */
	FAULT_SEARCH = 76   /* a phase's search program ended, or said what cannot be (EX_PROTOCOL) */
};

struct fault {
	enum fault_code code;
	char text[1024]; /* one line, no newline at the end; cut with "..." when longer */
};

/* Fill `f` (NULL is allowed: the text is dropped) and return -1. */
int fault_set(struct fault *f, enum fault_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "CONTEXT: " in front of what `f` already says and return -1. */
int fault_context(struct fault *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An analyzer of one file at a time cannot know that they return -1, and follows paths that do not exist. */
#ifdef __clang_analyzer__
#define fault_set(...)     ((void)fault_set(__VA_ARGS__), -1)
#define fault_context(...) ((void)fault_context(__VA_ARGS__), -1)
#endif

#endif
