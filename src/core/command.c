#include "command.h"
#include "bytes.h"
#include "command_word.h"
#include "study.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What Linux gives a process: a page less than 128 KiB for one argument; for all of them 1 MiB leaves room
 * for the environment under the usual limit of 2 MiB. */
enum { ARGUMENT_MAX = 128 * 1024 - 4096, COMMAND_MAX = 1024 * 1024 };

/* Arguments as they grow: their bytes end to end, and where each starts. */
struct line {
	struct bytes bytes, starts;
	size_t start; /* of the argument being built */
	const struct command_context *x;
	struct arena *arena;
};

static int check_size(const struct line *l, struct fault *f)
{
	if (l->bytes.len - l->start >= ARGUMENT_MAX)
		return fault_set(f, FAULT_STUDY, "an argument of more than %d bytes", ARGUMENT_MAX);
	if (l->bytes.len + l->starts.len * 2 >= COMMAND_MAX)
		return fault_set(f, FAULT_STUDY, "a command line of more than %d bytes", COMMAND_MAX);
	return 0;
}

static void begin_argument(struct line *l)
{
	l->start = l->bytes.len;
}

static int end_argument(struct line *l, struct fault *f)
{
	bytes_put_u8(&l->bytes, 0);
	bytes_put_u32(&l->starts, (uint32_t)l->start);
	return check_size(l, f);
}

static int put_argument(struct line *l, const char *s, struct fault *f)
{
	begin_argument(l);
	text_put(&l->bytes, s);
	return end_argument(l, f);
}

/* ---- pieces ------------------------------------------------------------------------------------ */

/* A placeholder without a value: 0 when it has a fallback. */
static int check_fallback(const struct command_piece *p, const char *why, struct fault *f)
{
	if (p->text)
		return 0;
	return fault_set(f, FAULT_STUDY, "{%.64s} %s and has no fallback, as in {%.64s|0}", p->name, why,
	                 p->name);
}

static int put_fallback(struct line *l, const struct command_piece *p, const char *why, struct fault *f)
{
	if (check_fallback(p, why, f))
		return -1;
	text_put(&l->bytes, p->text);
	return 0;
}

/* NULL: it has none. */
static const struct value *value_in(const struct scope *s, uint32_t phase, uint32_t index)
{
	const struct value *v = phase < s->nphases ? s->by_phase[phase] : NULL;

	return v && v[index].kind != VALUE_NONE ? &v[index] : NULL;
}

static const struct value *first_value(const struct scope *s, const struct command_piece *p)
{
	const struct value *v = NULL;

	for (uint32_t i = 0; i < p->nrefs && !v; i++)
		v = value_in(s, p->refs[i].phase, p->refs[i].index);
	return v;
}

static const char *without_value(const struct command_context *x)
{
	return x->phase->scheduled ? "has no value in this job" : "is not active";
}

static int put_param(struct line *l, const struct command_piece *p, struct fault *f)
{
	const struct value *v = first_value(&l->x->scope, p);
	char buf[TEXT_NUMBER];

	if (!v)
		return put_fallback(l, p, without_value(l->x), f);
	text_put(&l->bytes, value_text(v, buf));
	return 0;
}

static const char no_parent[] = "is of a phase that this job does not come after,";

static int check_dir(const struct command_piece *p, uint32_t ndirs, struct fault *f)
{
	if (ndirs == 1)
		return 0;
	if (ndirs == 0)
		return check_fallback(p, no_parent, f);
	return fault_set(f, FAULT_STUDY, "{%.64s} stands for %u folders here: {%.64ss} names them all",
	                 p->name, ndirs, p->name);
}

static int put_parent(struct line *l, const struct command_piece *p, struct fault *f)
{
	const struct command_parent *q = &l->x->parents[p->phase];
	char buf[TEXT_NUMBER];

	if (p->kind == PIECE_PARENT_DIR) {
		if (check_dir(p, q->ndirs, f))
			return -1;
		text_put(&l->bytes, q->ndirs ? q->dirs[0] : p->text);
	} else if (p->kind == PIECE_PARENT_VALUE) {
		if (isnan(q->value))
			return put_fallback(l, p, "has no value", f);
		text_double(buf, q->value);
		text_put(&l->bytes, buf);
	} else if (p->kind == PIECE_PARENT_TRIAL) {
		if (!q->trial)
			return put_fallback(l, p, "is of several trials here, or of none", f);
		text_putf(&l->bytes, "%u", q->trial);
	} else {
		if (!(fabs(q->best_step) < 0x1p62))
			return put_fallback(l, p, "has no value (no step was reported)", f);
		text_int(buf, (int64_t)llround(q->best_step));
		text_put(&l->bytes, buf);
	}
	return 0;
}

static void put_context(struct line *l, enum piece_kind kind)
{
	const struct command_context *x = l->x;
	struct bytes *b = &l->bytes;

	switch (kind) {
	case PIECE_STUDY:
		text_put(b, x->study->name);
		break;
	case PIECE_PHASE:
		text_put(b, x->phase->name);
		break;
	case PIECE_TRIAL:
		text_putf(b, "%llu", (unsigned long long)x->trial);
		break;
	case PIECE_UNIT:
		text_putf(b, "%llu", (unsigned long long)x->unit);
		break;
	case PIECE_ATTEMPT:
		text_putf(b, "%u", x->attempt);
		break;
	case PIECE_SEED:
		text_putf(b, "%llu", (unsigned long long)x->seed);
		break;
	case PIECE_FOLD:
		text_putf(b, "%d", x->fold);
		break;
	case PIECE_FOLDS:
		text_putf(b, "%u", x->study->folds.inner);
		break;
	case PIECE_OUTER_FOLD:
		text_putf(b, "%d", x->outer_fold);
		break;
	case PIECE_OUTER_FOLDS:
		text_putf(b, "%u", x->study->folds.outer);
		break;
	case PIECE_DIR:
		text_put(b, x->dir);
		break;
	case PIECE_BUDGET:
		text_putf(b, "%lld", (long long)x->budget);
		break;
	default:
		text_put(b, command_params_json(l->arena, x->study, x->phase, &x->scope, false));
		break;
	}
}

static int put_piece(struct line *l, const struct command_piece *p, struct fault *f)
{
	switch (p->kind) {
	case PIECE_TEXT:
		text_put(&l->bytes, p->text ? p->text : "");
		return 0;
	case PIECE_PARAM:
		return put_param(l, p, f);
	case PIECE_PARENT_DIR:
	case PIECE_PARENT_VALUE:
	case PIECE_PARENT_STEP:
	case PIECE_PARENT_TRIAL:
		return put_parent(l, p, f);
	default:
		put_context(l, p->kind);
		return 0;
	}
}

/* ---- words ------------------------------------------------------------------------------------- */

static int put_args(struct line *l, struct fault *f)
{
	const struct study_phase *p = l->x->phase;
	const struct value *own = l->x->scope.by_phase[p->index];
	char buf[TEXT_NUMBER];

	for (uint32_t i = 0; own && i < p->space.nparams; i++) {
		if (own[i].kind == VALUE_NONE)
			continue;
		begin_argument(l);
		text_put(&l->bytes, "--");
		text_put(&l->bytes, p->space.params[i].name);
		if (end_argument(l, f) || put_argument(l, value_text(&own[i], buf), f))
			return -1;
	}
	return 0;
}

static int put_dirs(struct line *l, uint32_t phase, struct fault *f)
{
	const struct command_parent *q = &l->x->parents[phase];

	for (uint32_t i = 0; i < q->ndirs; i++)
		if (put_argument(l, q->dirs[i], f))
			return -1;
	return 0;
}

static int put_word(struct line *l, const struct command_word *w, struct fault *f)
{
	if (w->kind == WORD_ARGS)
		return put_args(l, f);
	if (w->kind == WORD_DIRS)
		return put_dirs(l, w->phase, f);
	begin_argument(l);
	for (uint32_t i = 0; i < w->npieces; i++)
		if (put_piece(l, &w->pieces[i], f) || check_size(l, f))
			return -1;
	return end_argument(l, f);
}

static const char **take_argv(struct line *l)
{
	size_t n = l->starts.len / 4;
	const char **argv = arena_array(l->arena, n + 1, sizeof *argv);
	const char *text = arena_strndup(l->arena, (const char *)l->bytes.data, l->bytes.len);
	struct reader r;

	reader_init(&r, l->starts.data, l->starts.len);
	for (size_t i = 0; i < n; i++)
		argv[i] = text + reader_u32(&r);
	return argv;
}

int command_render(struct arena *a, const struct command *c, const struct command_context *x,
                   const char ***argv, struct fault *f)
{
	struct line l = {.x = x, .arena = a};
	int rc = 0;

	for (uint32_t i = 0; i < c->nwords && !rc; i++)
		rc = put_word(&l, &c->words[i], f);
	if (!rc)
		*argv = take_argv(&l);
	bytes_finish(&l.bytes);
	bytes_finish(&l.starts);
	return rc;
}

/* ---- before there is anything to render ---------------------------------------------------------- */

static int check_number(const struct command_context *x, const struct command_piece *p, struct fault *f)
{
	uint32_t n = x->parents[p->phase].ntrials;

	if (p->kind != PIECE_PARENT_TRIAL && !x->study->phases[p->phase].metric)
		return check_fallback(p, "has no value, as the metric of its phase is none,", f);
	if (n == 0)
		return check_fallback(p, no_parent, f);
	return n == 1 ? 0 : check_fallback(p, "is of several trials here", f);
}

static int check_piece(const struct command_context *x, const struct command_piece *p, struct fault *f)
{
	switch (p->kind) {
	case PIECE_PARAM:
		return first_value(&x->scope, p) ? 0 : check_fallback(p, without_value(x), f);
	case PIECE_PARENT_DIR:
		return check_dir(p, x->parents[p->phase].ndirs, f);
	case PIECE_PARENT_VALUE:
	case PIECE_PARENT_STEP:
	case PIECE_PARENT_TRIAL:
		return check_number(x, p, f);
	default:
		return 0;
	}
}

int command_check(const struct command *c, const struct command_context *x, struct fault *f)
{
	for (uint32_t i = 0; i < c->nwords; i++)
		for (uint32_t k = 0; c->words[i].kind == WORD_PIECES && k < c->words[i].npieces; k++)
			if (check_piece(x, &c->words[i].pieces[k], f))
				return -1;
	return 0;
}

/* ---- other texts ------------------------------------------------------------------------------- */

static void put_json_value(struct bytes *b, const struct value *v)
{
	char buf[TEXT_NUMBER];

	if (v->kind == VALUE_CHOICE && !v->u.choice->is_num) {
		text_put_json(b, v->u.choice->text, strlen(v->u.choice->text));
		return;
	}
	if (v->kind == VALUE_CHOICE)
		text_double(buf, v->u.choice->num);
	text_put(b, v->kind == VALUE_CHOICE ? buf : value_text(v, buf));
}

/* In a scheduled phase the nearest parameter that has a value goes by its plain name. */
static const char *json_name(struct arena *a, const struct study *s, const struct study_phase *p,
                             const struct visible *w, const struct scope *scope)
{
	const char *name;
	uint32_t i = w->nearer;

	if (!p->scheduled)
		return w->name;
	while (i != VISIBLE_NEAREST && !value_in(scope, p->visible[i].phase, p->visible[i].index))
		i = p->visible[i].nearer;
	name = s->phases[w->phase].space.params[w->index].name;
	return i == VISIBLE_NEAREST ? name : arena_printf(a, "%s.%s", s->phases[w->phase].name, name);
}

const char *command_params_json(struct arena *a, const struct study *s, const struct study_phase *p,
                                const struct scope *scope, bool own_only)
{
	struct bytes b = {0};
	const char *out, *name;

	text_put(&b, "{");
	for (uint32_t i = 0; i < p->nvisible; i++) {
		const struct visible *w = &p->visible[i];
		const struct value *v = value_in(scope, w->phase, w->index);

		if ((own_only && w->phase != p->index) || !v)
			continue;
		if (b.len > 1)
			text_put(&b, ", ");
		name = json_name(a, s, p, w, scope);
		text_put_json(&b, name, strlen(name));
		text_put(&b, ": ");
		put_json_value(&b, v);
	}
	text_put(&b, "}");
	out = arena_strndup(a, (const char *)b.data, b.len);
	bytes_finish(&b);
	return out;
}

static bool needs_quotes(const char *s)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	return !*s || strspn(s, safe) != strlen(s);
}

static void put_quoted(struct bytes *b, const char *s)
{
	text_put(b, "'");
	for (; *s; s++) {
		if (*s == '\'')
			text_put(b, "'\\''");
		else
			bytes_put_u8(b, (uint8_t)*s);
	}
	text_put(b, "'");
}

const char *command_line(struct arena *a, const char *const *argv)
{
	struct bytes b = {0};
	const char *out;

	for (size_t i = 0; argv[i]; i++) {
		if (i)
			text_put(&b, " ");
		if (needs_quotes(argv[i]))
			put_quoted(&b, argv[i]);
		else
			text_put(&b, argv[i]);
	}
	out = b.len ? arena_strndup(a, (const char *)b.data, b.len) : "";
	bytes_finish(&b);
	return out;
}
