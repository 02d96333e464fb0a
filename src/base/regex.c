#include "regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct regex {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
};

enum { MATCH_LIMIT = 200000, DEPTH_LIMIT = 5000, HEAP_KIB = 8192 };

static int compile(struct regex *r, const char *pattern, struct fault *f)
{
	PCRE2_UCHAR why[200];
	PCRE2_SIZE at;
	int code;

	r->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), 0, &code, &at, NULL);
	if (r->code)
		return 0;
	pcre2_get_error_message(code, why, sizeof why);
	return fault_set(f, FAULT_STUDY, "%s at character %zu of '%.100s'", (const char *)why, (size_t)at + 1,
	                 pattern);
}

struct regex *regex_open(const char *pattern, struct fault *f)
{
	struct regex *r;

	if (strlen(pattern) > REGEX_MAX_PATTERN) {
		fault_set(f, FAULT_STUDY, "the pattern is longer than %d bytes", REGEX_MAX_PATTERN);
		return NULL;
	}
	r = calloc(1, sizeof *r);
	if (!r || compile(r, pattern, f)) {
		free(r);
		return NULL;
	}
	r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (!r->data || !r->limits) {
		fault_set(f, FAULT_STUDY, "out of memory");
		regex_close(r);
		return NULL;
	}
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(r->limits, HEAP_KIB);
	return r;
}

void regex_close(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	free(r);
}

uint32_t regex_groups(const struct regex *r)
{
	uint32_t n = 0;

	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &n);
	return n;
}

bool regex_match(struct regex *r, const char *line, size_t n, size_t *start, size_t *len)
{
	int rc = pcre2_match(r->code, (PCRE2_SPTR)line, n, 0, 0, r->data, r->limits);
	const PCRE2_SIZE *v = pcre2_get_ovector_pointer(r->data);

	if (rc < 1)
		return false;
	*start = 0;
	*len = 0;
	if (rc > 1 && v[2] != PCRE2_UNSET && v[3] >= v[2]) {
		*start = v[2];
		*len = v[3] - v[2];
	}
	return true;
}
