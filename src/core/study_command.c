/* Commands: split into words as a shell would, then placeholders, each resolved and checked here, once. */
#include "command_word.h"
#include "study_draft.h"
#include "text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct word_text {
	const struct yaml_node *node;
	size_t at; /* in the node's text */
	const char *text;
	bool quoted;
};

/* ---- words ------------------------------------------------------------------------------------- */

struct splitter {
	struct draft *d;
	const char *what; /* in messages: command or program */
	const struct yaml_node *node;
	const char *s;
	char *out;
	size_t n;
};

/* A quoted part; s stands behind its first quote. False: it has no end. */
static bool split_quoted(struct splitter *x, char quote)
{
	while (*x->s && *x->s != quote) {
		if (quote == '"' && *x->s == '\\' && x->s[1] && strchr("\"\\$`\n", x->s[1]))
			x->s++;
		x->out[x->n++] = *x->s++;
	}
	return *x->s++ == quote;
}

static bool split_word(struct splitter *x, struct word_text *w)
{
	const char *start = x->s;
	size_t from = x->n;

	*w = (struct word_text){.node = x->node, .at = (size_t)(start - x->node->text)};
	while (*x->s && !isspace((unsigned char)*x->s)) {
		char c = *x->s++;

		if (c == '\'' || c == '"') {
			const char *quote = x->s - 1;

			w->quoted = true;
			if (split_quoted(x, c))
				continue;
			draft_error_at(x->d, x->node, (size_t)(quote - x->node->text),
			               arena_printf(x->d->a, "%s: a quote without its end", x->what));
			return false;
		}
		if (c == '\\' && *x->s) {
			w->quoted = true;
			c = *x->s++;
		}
		x->out[x->n++] = c;
	}
	x->out[x->n++] = 0;
	w->text = x->out + from;
	return true;
}

static bool split_text(struct draft *d, const char *what, const struct yaml_node *v, struct word_text *words,
                       uint32_t *n)
{
	struct splitter x = {
	    .d = d, .what = what, .node = v, .s = v->text, .out = arena_alloc(d->a, 2 * v->len + 2)};

	for (;;) {
		x.s += strspn(x.s, " \t\r\n\v\f");
		if (!*x.s)
			return true;
		if (!split_word(&x, &words[*n]))
			return false;
		++*n;
	}
}

static bool split_list(struct draft *d, const char *what, const struct yaml_node *v, struct word_text *words,
                       uint32_t *n)
{
	for (const struct yaml_node *x = v->first; x; x = x->next) {
		if (x->kind != YAML_TEXT && !(x->kind == YAML_NULL && x->len)) {
			draft_error(d, x, "%s: each argument is a text (quote one that starts with {)", what);
			return false;
		}
		words[(*n)++] = (struct word_text){.node = x, .text = x->text, .quoted = true};
	}
	return true;
}

/* People forget that no shell reads the command. */
static void check_shell_word(struct draft *d, const char *what, const struct word_text *w)
{
	static const char *const words[] = {"|", ">", ">>", "<", "&&", "||", ";", "&", "2>", "2>&1", "&>"};

	for (size_t i = 0; !w->quoted && i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i], w->text)) {
			draft_error_at(
			    d, w->node, w->at,
			    arena_printf(d->a,
			                 "%s: no shell reads it, so '%s' would be an argument: quote it if "
			                 "that is meant, or run sh -c '..'",
			                 what, w->text));
		}
}

/* ---- placeholders ------------------------------------------------------------------------------ */

static const struct builtin {
	const char *name;
	enum piece_kind kind;
} builtins[] = {{"study", PIECE_STUDY},
                {"phase", PIECE_PHASE},
                {"trial", PIECE_TRIAL},
                {"unit", PIECE_UNIT},
                {"attempt", PIECE_ATTEMPT},
                {"seed", PIECE_SEED},
                {"fold", PIECE_FOLD},
                {"folds", PIECE_FOLDS},
                {"outer_fold", PIECE_OUTER_FOLD},
                {"outer_folds", PIECE_OUTER_FOLDS},
                {"dir", PIECE_DIR},
                {"params", PIECE_PARAMS}};
enum { NBUILTINS = sizeof builtins / sizeof *builtins };

/* One word being read. */
struct reading {
	struct draft *d;
	struct draft_phase *t;
	const struct word_text *w;
	struct command_word *out;
	struct command_piece *pieces;
	size_t at; /* of the placeholder in the word */
};

static bool bad(const struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool bad(const struct reading *r, const char *fmt, ...)
{
	char text[700];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	draft_error_at(r->d, r->w->node, r->w->at + r->at, text);
	return false;
}

/* (In a scheduled phase each job has parents of its own: see command_check.) */
static bool several_units(const struct draft *d, const struct draft_phase *t, uint32_t q)
{
	return t->reach[q] == REACH_SEVERAL ||
	       (d->phases[q].p.folds == FOLDS_EACH && t->p.folds != FOLDS_EACH && d->s->folds.inner > 1);
}

static bool read_parent_dir(struct reading *r, struct command_piece *p, bool list)
{
	struct study_phase *q = &r->d->phases[p->phase].p;
	const char *name = q->name;

	/* Most of its units are done, and have none. */
	if (r->t->p.scheduled && !q->makes_dir)
		return bad(
		    r,
		    "{%s}: the units of phase '%s' have no directory: its command does not name {dir}; "
		    "`checkpoint: true` in the study file gives them one",
		    p->name, name);
	q->makes_dir = true;
	p->kind = PIECE_PARENT_DIR;
	if (list) {
		if (r->w->text[0] != '{' || strlen(r->w->text) != strlen(p->name) + 2)
			return bad(r, "{%s.dirs} is several arguments: it must be a word of its own", name);
		r->out->kind = WORD_DIRS;
		r->out->phase = p->phase;
		return true;
	}
	if (!r->t->p.scheduled && several_units(r->d, r->t, p->phase))
		return bad(r, "{%s.dir}: '%s' has several units here; {%s.dirs} names them all", name, name,
		           name);
	return true;
}

static bool read_parent_number(struct reading *r, struct command_piece *p, const char *attribute)
{
	const struct draft_phase *q = &r->d->phases[p->phase];

	p->kind = !strcmp(attribute, "value")   ? PIECE_PARENT_VALUE
	          : !strcmp(attribute, "trial") ? PIECE_PARENT_TRIAL
	                                        : PIECE_PARENT_STEP;
	if (r->t->reach[p->phase] == REACH_SEVERAL && !r->t->p.scheduled)
		return bad(r, "{%s}: several trials of '%s' lead here (as one)", p->name, q->p.name);
	if (p->kind != PIECE_PARENT_TRIAL && draft_metric_none(q) && !(r->t->p.scheduled && p->text))
		return bad(r, "{%s}: the metric of phase '%s' is none", p->name, q->p.name);
	if (p->kind == PIECE_PARENT_VALUE && q->p.nmore)
		return bad(r, "{%s}: phase '%s' has several metrics", p->name, q->p.name);
	return true;
}

/* PHASE.dir and the like. 1: it was one (told if wrong: -1), 0: it is something else. */
static int read_attribute(struct reading *r, struct command_piece *p)
{
	static const char *const attributes[] = {"dir", "dirs", "value", "best_step", "trial"};
	const char *dot = strchr(p->name, '.');
	size_t i = 0;
	int q;

	enum { COUNT = sizeof attributes / sizeof *attributes };

	while (dot && i < COUNT && strcmp(dot + 1, attributes[i]) != 0)
		i++;
	if (!dot || i == COUNT)
		return 0;
	q = draft_find_phase(r->d, arena_strndup(r->d->a, p->name, (size_t)(dot - p->name)));
	if (q < 0)
		return 0;
	p->phase = (uint32_t)q;
	if (p->phase == r->t->p.index && i == 0) {
		p->kind = PIECE_DIR;
		r->t->p.makes_dir = true;
		return 1;
	}
	if (!r->t->ancestor[q]) {
		bad(r, "{%s}: phase '%s' does not come after '%s'%s", p->name, r->t->p.name,
		    r->d->phases[q].p.name,
		    r->t->p.scheduled ? ": name jobs of it before the first --" : ": add it to `after`");
		return -1;
	}
	return (i < 2 ? read_parent_dir(r, p, i == 1) : read_parent_number(r, p, attributes[i])) ? 1 : -1;
}

static bool unknown_placeholder(struct reading *r, const struct command_piece *p)
{
	const char *words[NBUILTINS + 3], *near = draft_nearest(r->d, r->t->p.index, p->name), *hint;
	size_t n = 0;

	for (size_t i = 0; i < NBUILTINS; i++)
		words[n++] = builtins[i].name;
	words[n++] = "args";
	words[n++] = "budget";
	if (near)
		words[n++] = near;
	hint = draft_hint(r->d, p->name, words, n);
	return bad(r, "unknown placeholder {%.64s}%s", p->name,
	           *hint ? hint : " ({{ and }} are literal braces)");
}

/* *cond: the text of a parameter that is not always active. */
static int find_param(struct reading *r, struct command_piece *p, const char **cond, struct fault *f)
{
	struct expr_ref ref = {0};
	struct command_ref *one;
	int found;

	if (r->t->p.scheduled)
		return draft_find_all(r->d, r->t->p.index, p->name, &p->refs, &p->nrefs, f);
	found = draft_find(r->d, r->t->p.index, p->name, &ref, f);
	*cond = found == 1 && ref.param->cond ? ref.param->text : NULL;
	p->refs = one = arena_alloc(r->d->a, sizeof *one);
	p->nrefs = 1;
	*one = (struct command_ref){ref.phase, ref.index};
	return found;
}

static bool read_param(struct reading *r, struct command_piece *p)
{
	struct fault f = {0};
	const char *cond = NULL;
	int found = find_param(r, p, &cond, &f);

	if (found < 0)
		return *f.text ? bad(r, "{%.64s}: %s", p->name, f.text) : false;
	if (!found)
		return unknown_placeholder(r, p);
	if (cond && !p->text)
		return bad(r,
		           "{%s} is not always active (%.200s): use {args}, or give a fallback as in {%s|0}",
		           p->name, cond, p->name);
	p->kind = PIECE_PARAM;
	return true;
}

static bool read_args(struct reading *r)
{
	if (strcmp(r->w->text, "{args}") != 0)
		return bad(r, "{args} is several arguments: it must be a word of its own");
	r->out->kind = WORD_ARGS;
	return true;
}

/* Without rungs nobody says how far to train, but for a fallback. */
static bool read_budget(struct reading *r, struct command_piece *p)
{
	const struct prune *x = r->t->p.prune;

	r->t->uses_budget = true;
	if (x && prune_has_rungs(x)) {
		p->kind = PIECE_BUDGET;
		return true;
	}
	if (p->text) {
		p->kind = PIECE_TEXT;
		return true;
	}
	return bad(r, "{budget} is what `prune: {asha: ..}` or `hyperband` gives: this phase has neither");
}

static bool read_placeholder(struct reading *r, struct command_piece *p)
{
	int attribute;

	if (!strcmp(p->name, "args"))
		return read_args(r);
	if (!strcmp(p->name, "budget"))
		return read_budget(r, p);
	for (size_t i = 0; i < NBUILTINS; i++)
		if (!strcmp(builtins[i].name, p->name)) {
			p->kind = builtins[i].kind;
			if (p->kind == PIECE_DIR)
				r->t->p.makes_dir = true;
			return true;
		}
	attribute = read_attribute(r, p);
	return attribute ? attribute > 0 : read_param(r, p);
}

static void add_text(struct reading *r, const char *s, size_t n)
{
	if (n)
		r->pieces[r->out->npieces++] =
		    (struct command_piece){.kind = PIECE_TEXT, .text = arena_strndup(r->d->a, s, n)};
}

/* s stands behind the '{'. Returns what follows the '}', NULL after a mistake that ends the word. */
static const char *take_placeholder(struct reading *r, const char *s)
{
	size_t n = strcspn(s, "{}");
	const char *bar = memchr(s, '|', n);
	struct command_piece *p = &r->pieces[r->out->npieces];

	if (s[n] != '}') {
		bad(r, "a { without its }: write {{ for a literal brace, and quote a placeholder that holds "
		       "blanks");
		return NULL;
	}
	*p = (struct command_piece){.name = arena_strndup(r->d->a, s, bar ? (size_t)(bar - s) : n)};
	if (bar)
		p->text = arena_strndup(r->d->a, bar + 1, n - (size_t)(bar - s) - 1);
	if (!read_placeholder(r, p))
		p->kind = PIECE_TEXT; /* told */
	r->out->npieces++;
	return s + n + 1;
}

static void read_word(struct draft *d, struct draft_phase *t, const struct word_text *w,
                      struct command_word *out)
{
	struct reading r = {.d = d, .t = t, .w = w, .out = out};
	const char *s = w->text;

	/* A placeholder or a literal brace takes two braces, and there may be text before it. */
	size_t braces = 0;

	for (const char *c = s; *c; c++)
		braces += *c == '{' || *c == '}';
	r.pieces = arena_array(d->a, braces + 1, sizeof *r.pieces);
	out->pieces = r.pieces;
	while (s && *s) {
		size_t n = strcspn(s, "{}");

		add_text(&r, s, n);
		s += n;
		if (!*s)
			break;
		r.at = (size_t)(s - w->text);
		if (s[1] == s[0]) {
			add_text(&r, s, 1);
			s += 2;
		} else if (*s == '}') {
			bad(&r, "a } without its {: write }} for a literal brace");
			s++;
		} else {
			s = take_placeholder(&r, s + 1);
		}
	}
}

/* ---- a command --------------------------------------------------------------------------------- */

static bool too_long(struct draft *d, const char *what, const struct yaml_node *v)
{
	size_t bytes = v->len;

	for (const struct yaml_node *x = v->first; x; x = x->next)
		bytes += x->len + 1;
	if (bytes <= DRAFT_MAX_COMMAND)
		return false;
	draft_error(d, v, "a %s of more than %d bytes", what, DRAFT_MAX_COMMAND);
	return true;
}

/* Its words, which may be none; NULL: told. */
static struct word_text *split_words(struct draft *d, const char *what, const struct yaml_node *v,
                                     uint32_t *n)
{
	struct word_text *words;

	if (too_long(d, what, v))
		return NULL;
	words = arena_array(d->a, v->len / 2 + v->count + 2, sizeof *words);
	if (v->kind == YAML_LIST ? !split_list(d, what, v, words, n)
	                         : !draft_text(d, v, what) || !split_text(d, what, v, words, n))
		return NULL;
	for (uint32_t i = 0; i < *n; i++)
		check_shell_word(d, what, &words[i]);
	return words;
}

/* At least one; NULL: told. */
static struct word_text *split(struct draft *d, const struct yaml_node *v, const char *phase, uint32_t *n)
{
	struct word_text *words = split_words(d, "command", v, n);

	if (!words || (*n && *words[0].text))
		return words;
	draft_error(d, v, "the command of phase '%s' is empty", phase);
	return NULL;
}

static const char *canonical(struct draft *d, const struct word_text *words, uint32_t n)
{
	const char **texts = arena_array(d->a, n + 1, sizeof *texts);

	for (uint32_t i = 0; i < n; i++)
		texts[i] = words[i].text;
	return command_line(d->a, texts);
}

const char *draft_command_text(struct draft *d, const struct yaml_node *v, const char *phase)
{
	uint32_t n = 0;
	const struct word_text *words = split(d, v, phase, &n);

	return words ? canonical(d, words, n) : NULL;
}

/* It is one process for many trials: what a placeholder would stand for it is told in messages. */
static void check_no_placeholder(struct draft *d, const struct word_text *w)
{
	const char *open = strchr(w->text, '{');
	size_t n = open ? strcspn(open, "}") : 0;

	if (n > 1 && open[n] == '}' && draft_name_ok(arena_strndup(d->a, open + 1, n - 1), "-.|"))
		draft_error_at(
		    d, w->node, w->at,
		    arena_printf(d->a,
		                 "program: '%.100s' is no placeholder here: the program is told of "
		                 "study, phase and seed on its stdin",
		                 w->text));
}

const char **draft_program(struct draft *d, const struct yaml_node *v, const char **text)
{
	uint32_t n = 0;
	const struct word_text *words = split_words(d, "program", v, &n);
	const char **argv;

	if (!words)
		return NULL;
	if (!n || !*words[0].text) {
		draft_error(d, v, "`program` is empty: name one, as in `search: {program: ./my_sampler}`");
		return NULL;
	}
	argv = arena_array(d->a, n + 1, sizeof *argv);
	for (uint32_t i = 0; i < n; i++) {
		check_no_placeholder(d, &words[i]);
		argv[i] = words[i].text;
	}
	*text = canonical(d, words, n);
	return argv;
}

static void read_command(struct draft *d, struct draft_phase *t, const struct yaml_node *v,
                         struct command *command, const char **text)
{
	uint32_t n = 0;
	const struct word_text *words = split(d, v, t->p.name, &n);
	struct command_word *out;

	if (!words)
		return;
	out = arena_array(d->a, n, sizeof *out);
	for (uint32_t i = 0; i < n; i++)
		read_word(d, t, &words[i], &out[i]);
	if (out[0].kind != WORD_PIECES)
		draft_error(d, v, "the command of phase '%s' must start with a program", t->p.name);
	*command = (struct command){out, n};
	*text = canonical(d, words, n);
}

static void read_scheduled(struct draft *d, struct draft_phase *t)
{
	struct command *commands = arena_array(d->a, t->p.ncommands, sizeof *commands);
	const char **texts = arena_array(d->a, t->p.ncommands, sizeof *texts);

	for (uint32_t i = 0; i < t->p.ncommands; i++)
		read_command(d, t, t->commands[i], &commands[i], &texts[i]);
	t->p.commands = commands;
	t->p.command_texts = texts;
	t->p.command = commands[0];
	t->p.command_text = texts[0];
}

/* Call while `broken` still means that a phase's ancestors are not known. */
void draft_read_commands(struct draft *d)
{
	for (uint32_t i = 0; i < d->nphases; i++) {
		struct draft_phase *t = &d->phases[i];

		if (t->command && !t->broken && t->p.scheduled)
			read_scheduled(d, t);
		else if (t->command && !t->broken)
			read_command(d, t, t->command, &t->p.command, &t->p.command_text);
		if (t->p.limits.checkpoint)
			t->p.makes_dir = true;
	}
}
