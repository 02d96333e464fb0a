/* metric: what a training program says. Lines come in any pieces; a line longer than METRIC_LINE_MAX is
 * passed over (its output is kept, it is only not parsed). Untrusted: counts, names and lengths are bounded,
 * nothing is interpreted.
 *
 *   @metric valid_error=0.031 step=5       on stdout; the same without @metric on the metric descriptor
 *
 * A line that starts with @metric and is malformed is ignored as a whole and counted. */
#ifndef METRIC_H
#define METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { METRIC_NAME_MAX = 64, METRIC_PER_LINE = 256, METRIC_LINE_MAX = 16384 };

struct metric_sample {
	char name[METRIC_NAME_MAX + 1]; /* letters, digits, _ . - / : @ % + , first not a digit or sign */
	double value;
};

struct metric_line {
	uint32_t count;
	bool has_step;
	double step;
	struct metric_sample samples[METRIC_PER_LINE];
};

/* One line without its newline. prefix: must it start with "@metric "? 1: parsed, 0: no metric line, -1:
 * malformed. */
int metric_parse(const char *line, size_t n, bool prefix, struct metric_line *out);

/* Cuts a byte stream into lines. A zeroed splitter is fresh. */
struct metric_splitter {
	size_t len;
	bool skipping; /* inside a line that was too long */
	char buf[METRIC_LINE_MAX];
};
/* Calls line() for each complete line found in data; keeps the rest. flush: the stream ended, the rest is a
 * line too. */
void metric_split(struct metric_splitter *s, const char *data, size_t n, bool flush,
                  void (*line)(void *ctx, const char *line, size_t n), void *ctx);

/* The objective over the steps of one attempt, in O(1). */
struct metric_summary {
	uint64_t count;
	double last, last_step;
	double best, best_step; /* NaN step: none given. NaN values never become best */
	double max_step;        /* largest step seen, NaN when none */
	bool overwritten;       /* a step was reported twice or out of order: best must be recomputed from the
	                           stored series */
};
void metric_summary_init(struct metric_summary *m);
void metric_summary_add(struct metric_summary *m, bool maximize, double value, bool has_step, double step);

#endif
