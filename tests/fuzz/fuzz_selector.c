/* Bytes as the words of a selector, each ended by NUL. What is let through binds all that was typed: the SQL
 * has nothing of it, and asks for as many texts as there are. */
#include "fuzz.h"

#include "selector.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 64 };

static void check_sql(const struct selector_sql *q)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            " _.,()=<>?'*+-|$\"";
	bool numbered = strchr(q->where, '?') != NULL;

	must(q->where[strspn(q->where, plain)] == '\0');
	must(numbered == (q->nbinds > 0));
	for (uint32_t i = 0; i < q->nbinds; i++) {
		char name[16];

		must(q->binds[i] != NULL);
		snprintf(name, sizeof name, "?%u", i + 1);
		must(strstr(q->where, name) != NULL);
	}
	must(q->binds[q->nbinds] == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const phases[] = {"train", "a.b"}, *const params[] = {"lr", "train.lr", "h"};
	const struct selector_names names = {phases, 2, params, 3};
	char *bytes = malloc(n + 1);
	const char *words[WORDS_MAX];
	struct arena a = {0};
	struct fault f = {0};
	struct selector_sql q;
	uint32_t nwords = 0;

	must(bytes != NULL);
	memcpy(bytes, data, n);
	bytes[n] = '\0';
	for (size_t at = 0; at <= n && nwords < WORDS_MAX; at += strlen(bytes + at) + 1) {
		words[nwords++] = bytes + at;
		selector_like(bytes + at);
	}
	if (!selector_parse(&a, words, nwords, &names, &q, &f))
		check_sql(&q);
	else
		must(f.code == FAULT_USAGE && f.text[0]);
	arena_finish(&a);
	free(bytes);
	return 0;
}
