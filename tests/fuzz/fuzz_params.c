/* Bytes as RANKSWEEP_PARAMS, read by the public header. What is read lies in as many bytes as were given, and
 * is whole names and values; an object that was cut anywhere is none; bent in one place it does no harm. */
#include "fuzz.h"

#include "ranksweep.h"

#include <stdint.h>

/* Memory of the very sizes that ranksweep_read_params_() has: a sanitizer sees one byte too many. */
static int read_text(const char *text)
{
	char *copy = strdup(text), *params = malloc(strlen(text) + 1);
	struct ranksweep_reader_ r = {copy, params};
	int bad;

	must(copy && params);
	bad = ranksweep_read_object_(&r);
	must(bad == 0 || bad == -1);
	must(r.at <= copy + strlen(text) && r.to <= params + strlen(text) + 1);
	if (!bad) {
		int words = 0;

		for (const char *p = params; p != r.to; p += strlen(p) + 1, words++)
			must(p < r.to);
		must(words % 2 == 0);
	}
	free(copy);
	free(params);
	return bad;
}

static void bend(char *text)
{
	static const char with[] = "\\\"u{}[]:, 0\xff";
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		char was = text[i];

		for (size_t k = 0; with[k]; k++) {
			text[i] = with[k];
			read_text(text);
		}
		text[i] = was;
	}
}

static void cut(char *text)
{
	char *end = strrchr(text, '}');

	for (char *p = text; p <= end; p++) {
		char was = *p;

		*p = '\0';
		must(read_text(text) == -1);
		*p = was;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum { LOOK_CLOSELY = 300 };
	char *text = malloc(n + 1);
	int bad;

	must(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	bad = read_text(text);
	if (!bad && n < LOOK_CLOSELY) {
		cut(text);
		bend(text);
	}
	free(text);
	return 0;
}
