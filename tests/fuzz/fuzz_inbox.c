/* Bytes as a file of the inbox: a request, and an answer. What is let through must be in range, and must be
 * the same when it is written and read again. */
#include "fuzz.h"

#include "ask.h"

#include <string.h>

static void check_request(struct arena *a, const struct ask *x)
{
	struct bytes b = {0};
	struct ask again;

	must(ask_id_valid(x->id) && x->nwords >= 1 && x->words[0][0] && !x->words[x->nwords]);
	must(strlen(x->who) <= ASK_WHO_MAX);
	must(ask_encode(&b, x, NULL) == 0 && ask_decode(a, b.data, b.len, &again, NULL) == 0);
	must(!strcmp(x->id, again.id) && !strcmp(x->who, again.who) && x->nwords == again.nwords);
	for (uint32_t i = 0; i < x->nwords; i++)
		must(!strcmp(x->words[i], again.words[i]));
	bytes_finish(&b);
}

static void check_answer(const struct ask_answer *x, const uint8_t *data, size_t n)
{
	struct bytes b = {0};
	struct ask_answer again;

	must(ask_id_valid(x->id) && x->status >= 0 && x->status <= 255);
	must((const uint8_t *)x->out > data && (const uint8_t *)x->err + x->err_bytes == data + n);
	must(ask_answer_encode(&b, x, NULL) == 0 && ask_answer_decode(b.data, b.len, &again, NULL) == 0);
	must(again.status == x->status && again.out_bytes == x->out_bytes && again.err_bytes == x->err_bytes);
	must(!x->out_bytes || !memcmp(again.out, x->out, x->out_bytes));
	must(!x->err_bytes || !memcmp(again.err, x->err, x->err_bytes));
	bytes_finish(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena a = {0};
	struct fault f;
	struct ask x;
	struct ask_answer y;

	if (ask_decode(&a, data, n, &x, &f) == 0)
		check_request(&a, &x);
	else
		must(f.code == FAULT_IO);
	if (ask_answer_decode(data, n, &y, &f) == 0)
		check_answer(&y, data, n);
	else
		must(f.code == FAULT_IO);
	arena_finish(&a);
	return 0;
}
