/* params: the parameters of a trial, in the order of the study file. */
#include "cmd.h"

#include "text.h"

#include <string.h>

static bool find_param(const struct study_phase *p, const char *name, uint32_t *index)
{
	for (uint32_t i = 0; i < p->space.nparams; i++)
		if (!strcmp(p->space.params[i].name, name)) {
			*index = i;
			return true;
		}
	return false;
}

struct cmd_params cmd_value(struct cmd_db *d, const struct store_rows *rows, uint32_t column)
{
	struct cmd_params v;
	struct bytes b = {0};
	char buf[TEXT_NUMBER];

	if (store_type(rows, column) == STORE_REAL || store_type(rows, column) == STORE_INT) {
		text_double(buf, store_real(rows, column));
		v.text = v.json = arena_strdup(&d->arena, buf);
		return v;
	}
	report_put_string(&b, store_text(rows, column));
	v.json = cmd_keep_bytes(&d->arena, &b);
	v.text = cmd_keep(d, rows, column);
	return v;
}

static void join_values(struct cmd_db *d, const struct study_phase *p, const struct cmd_params *values,
                        struct cmd_params *out)
{
	struct bytes json = {0}, text = {0};

	text_put(&json, "{");
	for (uint32_t i = 0; i < p->space.nparams; i++) {
		if (!values[i].json)
			continue;
		report_key(&json, p->space.params[i].name);
		text_put(&json, values[i].json);
		text_putf(&text, "%s%s=%s", text.len ? " " : "", p->space.params[i].name, values[i].text);
	}
	text_put(&json, "}");
	out->json = cmd_keep_bytes(&d->arena, &json);
	out->text = cmd_keep_bytes(&d->arena, &text);
}

int cmd_param(struct cmd_db *d, const struct study_phase *p, const char *name, int64_t trial,
              struct cmd_params *out, struct fault *f)
{
	const char *binds[] = {arena_printf(&d->arena, "%lld", (long long)trial), p->name, name, NULL};
	struct store_rows *rows;
	int got;

	*out = (struct cmd_params){0};
	if (store_select(d->store,
	                 "SELECT value FROM params WHERE trial = CAST(?1 AS INTEGER) AND phase = ?2"
	                 " AND name = ?3",
	                 binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	if (got > 0 && store_type(rows, 0) != STORE_NULL)
		*out = cmd_value(d, rows, 0);
	store_rows_close(rows);
	return got < 0 ? -1 : 0;
}

int cmd_own_params(struct cmd_db *d, const struct study_phase *p, const char *trial, struct cmd_params *out,
                   struct fault *f)
{
	const char *binds[] = {trial, p->name, NULL};
	struct cmd_params *values = arena_array(&d->arena, p->space.nparams + 1, sizeof *values);
	struct store_rows *rows;
	uint32_t i;
	int got;

	if (store_select(d->store,
	                 "SELECT name, value FROM params WHERE trial = CAST(?1 AS INTEGER) AND phase = ?2",
	                 binds, &rows, f))
		return -1;
	while ((got = store_next(rows, f)) > 0)
		if (find_param(p, store_text(rows, 0), &i) && store_type(rows, 1) != STORE_NULL)
			values[i] = cmd_value(d, rows, 1);
	store_rows_close(rows);
	join_values(d, p, values, out);
	return got;
}
