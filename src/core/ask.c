#include "ask.h"

#include "text.h"

#include <string.h>

static const char request_magic[] = "ranksweep request", answer_magic[] = "ranksweep answer";

bool ask_id_valid(const char *id)
{
	size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	return n > 0 && n <= ASK_ID_MAX && !id[n];
}

static bool who_valid(const char *who)
{
	size_t n = strlen(who);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)who[i] < ' ' || who[i] == 127)
			return false;
	return n > 0 && n <= ASK_WHO_MAX;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_word(struct bytes *b, const char *s)
{
	bytes_put(b, s, strlen(s) + 1);
}

static void put_number(struct bytes *b, int64_t v)
{
	char buf[TEXT_NUMBER];

	text_int(buf, v);
	put_word(b, buf);
}

static int bounded(const struct bytes *b, size_t from, const char *what, struct fault *f)
{
	if (b->len - from <= ASK_MAX_BYTES)
		return 0;
	return fault_set(f, FAULT_USAGE, "the %s is larger than %d bytes", what, ASK_MAX_BYTES);
}

int ask_encode(struct bytes *out, const struct ask *x, struct fault *f)
{
	size_t from = out->len;

	put_word(out, request_magic);
	put_number(out, ASK_VERSION);
	put_word(out, x->id);
	put_word(out, x->who);
	for (uint32_t i = 0; i < x->nwords; i++)
		put_word(out, x->words[i]);
	return bounded(out, from, "request", f);
}

int ask_answer_encode(struct bytes *out, const struct ask_answer *x, struct fault *f)
{
	size_t from = out->len;

	put_word(out, answer_magic);
	put_number(out, ASK_VERSION);
	put_word(out, x->id);
	put_number(out, x->status);
	put_number(out, (int64_t)x->out_bytes);
	if (x->out_bytes)
		bytes_put(out, x->out, x->out_bytes);
	if (x->err_bytes)
		bytes_put(out, x->err, x->err_bytes);
	return bounded(out, from, "answer", f);
}

/* ---- reading --------------------------------------------------------------------------------- */

struct words {
	const char *p, *end;
};

/* The next word, NULL when there is none that is ended. */
static const char *next_word(struct words *w)
{
	const char *word = w->p, *nul = w->p < w->end ? memchr(w->p, 0, (size_t)(w->end - w->p)) : NULL;

	if (!nul)
		return NULL;
	w->p = nul + 1;
	return word;
}

static bool next_number(struct words *w, int64_t least, int64_t most, int64_t *out)
{
	const char *word = next_word(w);

	return word && text_parse_int(word, strlen(word), out) && *out >= least && *out <= most;
}

/* Magic, version and id, which both begin with. */
static int open_words(struct words *w, const void *p, size_t n, const char *magic, const char **id,
                      struct fault *f)
{
	const char *word;
	int64_t version;

	if (n > ASK_MAX_BYTES)
		return fault_set(f, FAULT_IO, "it is larger than %d bytes", ASK_MAX_BYTES);
	*w = (struct words){p, n ? (const char *)p + n : p};
	word = next_word(w);
	if (!word || strcmp(word, magic) != 0)
		return fault_set(f, FAULT_IO, "it does not begin with `%s`", magic);
	if (!next_number(w, 1, INT32_MAX, &version))
		return fault_set(f, FAULT_IO, "it has no version");
	if (version != ASK_VERSION)
		return fault_set(f, FAULT_IO, "another ranksweep wrote it (form %d, this one knows %d)",
		                 (int)version, ASK_VERSION);
	*id = next_word(w);
	if (!*id || !ask_id_valid(*id))
		return fault_set(f, FAULT_IO, "it has no id of letters, digits, `-` and `_`");
	return 0;
}

static uint32_t count_words(const char *p, const char *end)
{
	uint32_t n = 0;

	for (; p < end; p++)
		n += !*p;
	return n;
}

int ask_decode(struct arena *a, const void *p, size_t n, struct ask *out, struct fault *f)
{
	struct words w;
	const char **words;

	*out = (struct ask){0};
	if (open_words(&w, p, n, request_magic, &out->id, f))
		return -1;
	if (w.end[-1])
		return fault_set(f, FAULT_IO, "its last word is not ended: it was cut");
	out->who = next_word(&w);
	if (!out->who || !who_valid(out->who))
		return fault_set(f, FAULT_IO, "it does not say who asks");
	out->nwords = count_words(w.p, w.end);
	if (!out->nwords || !*w.p)
		return fault_set(f, FAULT_IO, "it has no verb");
	words = arena_array(a, (size_t)out->nwords + 1, sizeof *words);
	for (uint32_t i = 0; i < out->nwords; i++)
		words[i] = next_word(&w);
	out->words = words;
	return 0;
}

int ask_answer_decode(const void *p, size_t n, struct ask_answer *out, struct fault *f)
{
	struct words w;
	int64_t status, bytes;

	*out = (struct ask_answer){0};
	if (open_words(&w, p, n, answer_magic, &out->id, f))
		return -1;
	if (!next_number(&w, 0, 255, &status))
		return fault_set(f, FAULT_IO, "it has no exit status");
	if (!next_number(&w, 0, ASK_MAX_BYTES, &bytes) || bytes > w.end - w.p)
		return fault_set(f, FAULT_IO, "it was cut");
	out->status = (int32_t)status;
	out->out = w.p;
	out->out_bytes = (size_t)bytes;
	out->err = w.p + bytes;
	out->err_bytes = (size_t)(w.end - w.p) - (size_t)bytes;
	return 0;
}
