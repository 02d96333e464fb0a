#include "metric.h"

#include "text.h"

#include <math.h>
#include <string.h>

/* ---- one line ------------------------------------------------------------------------------ */

static const char mark[] = "@metric";
enum { MARK = sizeof mark - 1 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c, bool first)
{
	if (is_letter(c) || (c && strchr("_./:@%", c)))
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '-' || c == '+');
}

static bool is_name(const char *s, size_t n)
{
	if (n == 0 || n > METRIC_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(s[i], i == 0))
			return false;
	return true;
}

/* The sample of that name, made when there is none yet; NULL when the line is full. */
static struct metric_sample *sample_of(struct metric_line *out, const char *name, size_t n)
{
	struct metric_sample *s;

	for (uint32_t i = 0; i < out->count; i++) {
		s = &out->samples[i];
		if (!memcmp(s->name, name, n) && !s->name[n])
			return s;
	}
	if (out->count == METRIC_PER_LINE)
		return NULL;
	s = &out->samples[out->count++];
	memcpy(s->name, name, n);
	s->name[n] = 0;
	return s;
}

/* name=value, or step=value */
static bool parse_pair(const char *s, size_t n, struct metric_line *out)
{
	const char *equals = memchr(s, '=', n);
	size_t name = equals ? (size_t)(equals - s) : 0;
	struct metric_sample *sample;
	double v;

	if (!equals || !is_name(s, name) || !text_parse_double(equals + 1, n - name - 1, &v))
		return false;
	if (name == 4 && !memcmp(s, "step", 4)) {
		out->has_step = true;
		out->step = v;
		return isfinite(v);
	}
	sample = sample_of(out, s, name);
	if (sample)
		sample->value = v;
	return sample;
}

/* All pairs up to end; false when one is malformed. *any: was there one? */
static bool parse_pairs(const char *s, const char *end, struct metric_line *out, bool *any)
{
	*any = false;
	for (;;) {
		const char *word;

		while (s < end && is_blank(*s))
			s++;
		if (s == end)
			return true;
		*any = true;
		word = s;
		while (s < end && !is_blank(*s))
			s++;
		if (!parse_pair(word, (size_t)(s - word), out))
			return false;
	}
}

static bool is_marked(const char *line, size_t n)
{
	return n >= MARK && !memcmp(line, mark, MARK) && (n == MARK || is_blank(line[MARK]));
}

int metric_parse(const char *line, size_t n, bool prefix, struct metric_line *out)
{
	bool marked, any;

	out->count = 0;
	out->has_step = false;
	out->step = NAN;
	if (n && line[n - 1] == '\r')
		n--;
	marked = is_marked(line, n);
	if (prefix && !marked)
		return 0;
	if (parse_pairs(marked ? line + MARK : line, line + n, out, &any)) {
		if (out->count)
			return 1;
		if (!any && !marked)
			return 0; /* an empty line on the metric descriptor */
	}
	out->count = 0;
	out->has_step = false;
	return -1;
}

/* ---- lines of a stream ----------------------------------------------------------------------- */

/* Keep the start of a line whose end is still to come. */
static void keep(struct metric_splitter *s, const char *data, size_t n)
{
	if (s->skipping)
		return;
	if (n > METRIC_LINE_MAX - s->len) {
		s->skipping = true;
		s->len = 0;
		return;
	}
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

/* Every byte is looked at once and copied at most once, however long the line and small the pieces. */
void metric_split(struct metric_splitter *s, const char *data, size_t n, bool flush,
                  void (*line)(void *ctx, const char *line, size_t n), void *ctx)
{
	while (n) {
		const char *newline = memchr(data, '\n', n);
		size_t piece = newline ? (size_t)(newline - data) : n;

		if (newline && !s->len && !s->skipping && piece <= METRIC_LINE_MAX) {
			line(ctx, data, piece); /* whole in data: no copy */
		} else {
			keep(s, data, piece);
			if (newline && !s->skipping)
				line(ctx, s->buf, s->len);
			if (newline) {
				s->len = 0;
				s->skipping = false;
			}
		}
		piece += newline ? 1 : 0;
		data += piece;
		n -= piece;
	}
	if (flush) {
		if (s->len)
			line(ctx, s->buf, s->len);
		s->len = 0;
		s->skipping = false;
	}
}

/* ---- the objective over an attempt ------------------------------------------------------------- */

void metric_summary_init(struct metric_summary *m)
{
	*m = (struct metric_summary){
	    .last = NAN, .last_step = NAN, .best = NAN, .best_step = NAN, .max_step = NAN};
}

/* Finite before infinite before NaN, whatever the goal: minus infinity is a diverged run, not a small error.
 * Equal values stay with the earlier one. */
static bool is_better(bool maximize, double v, double than)
{
	if (isnan(v) || isnan(than))
		return !isnan(v);
	if (!isfinite(v) || !isfinite(than))
		return isfinite(v) && !isfinite(than);
	return maximize ? v > than : v < than;
}

void metric_summary_add(struct metric_summary *m, bool maximize, double value, bool has_step, double step)
{
	m->count++;
	m->last = value;
	m->last_step = has_step ? step : NAN;
	if (is_better(maximize, value, m->best)) {
		m->best = value;
		m->best_step = m->last_step;
	}
	if (!has_step)
		return;
	if (step <= m->max_step)
		m->overwritten = true;
	else
		m->max_step = step;
}
