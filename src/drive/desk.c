#include "desk.h"

#include <stdio.h>
#include <string.h>

static void complain(struct desk *d, const struct fault *f)
{
	progress_end(d->progress);
	fprintf(stderr, "ranksweep: %s\n", f->text);
}

void desk_open(struct desk *d, const char *out_dir, bool network, struct progress *progress)
{
	const struct inbox_options o = {.out_dir = out_dir, .max_bytes = ASK_MAX_BYTES, .network = network};
	struct fault f;

	d->progress = progress;
	if (inbox_open(&o, &d->inbox, &f)) {
		fault_context(&f, "this run cannot be asked for changes");
		complain(d, &f);
	}
}

int desk_fd(const struct desk *d)
{
	return d->inbox ? inbox_fd(d->inbox) : -1;
}

int64_t desk_due_ms(const struct desk *d)
{
	return d->inbox ? inbox_due_ms(d->inbox) : INT64_MAX;
}

static int put_answer(struct desk *d, const char *id, const struct request_answer *x)
{
	struct desk_answer *to = &d->answers[d->nanswers];
	struct ask_answer a = {.id = id,
	                       .status = x->status,
	                       .out = x->out.data,
	                       .out_bytes = x->out.len,
	                       .err = x->err.data,
	                       .err_bytes = x->err.len};
	static const char large[] = "ranksweep: it is done, but the answer is too large to be told\n";

	snprintf(to->id, sizeof to->id, "%s", id);
	bytes_clear(&to->text);
	d->nanswers++;
	if (ask_answer_encode(&to->text, &a, NULL) == 0)
		return 0;
	bytes_clear(&to->text);
	a.out_bytes = 0;
	a.err = large;
	a.err_bytes = strlen(large);
	return ask_answer_encode(&to->text, &a, NULL);
}

static int take(struct desk *d, struct request_site *site, const char *id, struct fault *f)
{
	struct ask ask;
	struct fault why = {0};
	struct request_answer answer;
	int bad = ask_decode(site->scratch, d->content.data, d->content.len, &ask, &why);

	if (!bad && strcmp(ask.id, id) != 0)
		bad = fault_set(&why, FAULT_IO, "its id is another than its name");
	if (bad) {
		inbox_reject(d->inbox, id, &why);
		complain(d, &why);
		return 0;
	}
	bad = request_apply(site, &ask, &answer, f) || put_answer(d, id, &answer);
	request_answer_finish(&answer);
	return bad;
}

int desk_take(struct desk *d, struct request_site *site, bool readable, int64_t now_ms, struct fault *f)
{
	if (!d->inbox)
		return 0;
	inbox_look(d->inbox, readable, now_ms);
	while (d->nanswers < DESK_TURN && !*site->over) {
		const char *id;
		struct fault why = {0};
		int got = inbox_take(d->inbox, &id, &d->content, &why);

		if (!got)
			return 0;
		if (got < 0)
			complain(d, &why);
		else if (take(d, site, id, f))
			return -1;
	}
	return 0;
}

void desk_send(struct desk *d)
{
	for (uint32_t i = 0; i < d->nanswers; i++) {
		const struct desk_answer *a = &d->answers[i];
		struct fault f = {0};

		if (inbox_answer(d->inbox, a->id, a->text.data, a->text.len, &f))
			complain(d, &f);
	}
	d->nanswers = 0;
}

void desk_close(struct desk *d)
{
	inbox_close(d->inbox);
	d->inbox = NULL;
	bytes_finish(&d->content);
	for (uint32_t i = 0; i < DESK_TURN; i++)
		bytes_finish(&d->answers[i].text);
}
