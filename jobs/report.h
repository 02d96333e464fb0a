/* report: what a trainer tells the world. Metrics go to the runner, or to stdout by hand, one line each and
 * at once, so that an epoch is seen when it ends; what went wrong goes to stderr, and ends the program.
 *
 * Errors are fractions 0..1. A metric that cannot be computed is reported as `nan`: the runner then knows
 * that this configuration is bad, which is a result, not a crash. */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* `@metric NAME=VALUE step=STEP` */
void report_metric(const char *name, double value, int step);

/* One line on stderr, `PROGRAM: ...`; report_program names the program first. */
void report_program(const char *name);
void report_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void report_die(int status, const char *fmt, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Zeroed memory for n things of `size` bytes, aligned for vector code; no memory ends the program.
 * Released with free(). */
void *must_alloc(size_t n, size_t size);

/* n floats in rows x cols. */
static inline size_t area(int rows, int cols)
{
	return (size_t)rows * (size_t)cols;
}

#endif
