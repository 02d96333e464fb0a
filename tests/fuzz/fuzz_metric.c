/* Bytes as the output of a training program. The first byte says in pieces of which size they arrive; lines
 * must not depend on it, and what is parsed must be in range. */
#include "fuzz.h"

#include "metric.h"
#include "rng.h"

#include <math.h>
#include <string.h>

static void check_line(const char *line, size_t n, bool prefix)
{
	static struct metric_line l;
	struct metric_summary sum;
	int parsed = metric_parse(line, n, prefix, &l);

	must(parsed >= -1 && parsed <= 1);
	must(l.count <= METRIC_PER_LINE && (parsed == 1) == (l.count > 0));
	must(!l.has_step || (parsed == 1 && isfinite(l.step)));
	metric_summary_init(&sum);
	for (uint32_t i = 0; i < l.count; i++) {
		size_t length = strnlen(l.samples[i].name, sizeof l.samples[i].name);

		must(length >= 1 && length <= METRIC_NAME_MAX && strcmp(l.samples[i].name, "step") != 0);
		metric_summary_add(&sum, i & 1, l.samples[i].value, l.has_step, l.step);
	}
	must(sum.count == l.count);
}

struct digest {
	uint64_t lines, hash;
};

static void on_line(void *ctx, const char *line, size_t n)
{
	struct digest *d = ctx;

	must(n <= METRIC_LINE_MAX && !memchr(line, '\n', n));
	d->lines++;
	d->hash = rng_hash(d->hash, line, n);
	check_line(line, n, true);
	check_line(line, n, false);
}

static struct digest split(const uint8_t *data, size_t n, size_t piece)
{
	static struct metric_splitter s;
	struct digest d = {0};

	for (size_t i = 0; i < n; i += piece)
		metric_split(&s, (const char *)data + i, n - i < piece ? n - i : piece, false, on_line, &d);
	metric_split(&s, NULL, 0, true, on_line, &d);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct digest whole, pieces;

	if (n < 2)
		return 0;
	whole = split(data + 1, n - 1, n);
	pieces = split(data + 1, n - 1, (size_t)data[0] + 1);
	must(whole.lines == pieces.lines && whole.hash == pieces.hash);
	return 0;
}
