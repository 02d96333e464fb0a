/* show, a trial: its value over the folds, where it comes from, and its units. */
#include "show.h"

#include "ranking.h"
#include "text.h"

/* ?1 is the trial everywhere. */
static const char sql_trial[] =
    "SELECT trial, phase, outer_fold, state, value, sd,"
    "  (SELECT min(u.value) FROM units u WHERE u.trial = trials.trial AND u.state = 'done'),"
    "  (SELECT max(u.value) FROM units u WHERE u.trial = trials.trial AND u.state = 'done'),"
    "  folds_done, folds, first_unit, CASE WHEN json_valid(params) THEN params ELSE '{}' END"
    " FROM trials WHERE trial = CAST(?1 AS INTEGER)";
enum { T_TRIAL, T_PHASE, T_OUTER, T_STATE, T_VALUE, T_SD, T_MIN, T_MAX, T_DONE, T_FOLDS, T_FIRST, T_PARAMS };

static const char sql_units[] =
    "SELECT unit, fold, state, reason, value, best_step, attempts, host, seconds FROM units"
    " WHERE trial = CAST(?1 AS INTEGER) ORDER BY unit";

static void put_value(struct show *s, const struct store_rows *rows)
{
	static const struct {
		uint32_t column;
		const char *title;
	} parts[] = {{T_VALUE, ""}, {T_SD, ", sd "}, {T_MIN, ", min "}, {T_MAX, ", max "}};
	char buf[TEXT_NUMBER];

	if (!s->phase->metric || store_type(rows, T_VALUE) == STORE_NULL)
		return;
	text_putf(&s->out, "value      %s = ", s->phase->metric);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (store_type(rows, parts[i].column) == STORE_NULL)
			continue;
		text_double(buf, store_real(rows, parts[i].column));
		text_putf(&s->out, "%s%s", parts[i].title, buf);
		if (parts[i].column == T_VALUE && store_int(rows, T_FOLDS) > 1)
			text_putf(&s->out, " (%s)", aggregate_text(s->phase->aggregate));
	}
	text_put(&s->out, "\n");
}

/* Of several metrics, those after the first. */
static int put_more(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	char buf[TEXT_NUMBER];
	int got;

	if (ranking_objectives(&s->db, s->trial, &rows, f))
		return -1;
	for (uint32_t i = 0; (got = store_next(rows, f)) > 0; i++) {
		if (i == 0 || store_type(rows, 1) == STORE_NULL)
			continue;
		text_double(buf, store_real(rows, 1));
		text_putf(&s->out, "           %s = %s", store_text(rows, 0), buf);
		text_double(buf, store_real(rows, 2));
		text_putf(&s->out, store_type(rows, 2) == STORE_NULL ? "\n" : ", sd %s\n", buf);
	}
	store_rows_close(rows);
	return got;
}

static int put_head(struct show *s, const struct store_rows *rows, struct fault *f)
{
	const char *state = store_text(rows, T_STATE),
	           *colour = s->style.colour ? report_state_colour(state) : "";

	text_putf(&s->out, "trial %lld: phase %s", (long long)s->trial, s->phase->name);
	if (store_int(rows, T_OUTER) >= 0)
		text_putf(&s->out, ", outer fold %lld", (long long)store_int(rows, T_OUTER));
	text_putf(&s->out, "\n\nstate      %s%s%s, %lld of %lld folds done\n", colour, state,
	          *colour ? "\033[0m" : "", (long long)store_int(rows, T_DONE),
	          (long long)store_int(rows, T_FOLDS));
	put_value(s, rows);
	if (s->phase->nmore && put_more(s, f))
		return -1;
	return show_put_params(s, cmd_keep(&s->db, rows, T_PARAMS), f);
}

static void put_head_json(struct show *s, const struct store_rows *rows)
{
	static const char *const keys[] = {"trial", "phase", "outer_fold", "state", "value",     "sd",
	                                   "min",   "max",   "folds_done", "folds", "first_unit"};
	struct report r;

	report_init(&r, &s->db.arena);
	for (uint32_t i = 0; i < T_PARAMS; i++)
		report_column(&r, keys[i], NULL, 0);
	report_column(&r, "params", NULL, 0);
	report_row(&r);
	for (uint32_t i = 0; i < T_PARAMS; i++)
		cmd_cell(&r, i, rows, i);
	report_json(&r, T_PARAMS, store_text(rows, T_PARAMS), NULL);
	text_put(&s->out, "{");
	report_put_fields(&r, &s->out);
}

static int put_trial_head(struct show *s, struct fault *f)
{
	struct store_rows *rows;
	int got, bad = 0;

	if (store_select(s->db.store, sql_trial, s->binds, &rows, f))
		return -1;
	got = store_next(rows, f);
	s->phase = got > 0 ? study_find_phase(s->db.study, store_text(rows, T_PHASE)) : NULL;
	if (got >= 0 && !s->phase)
		bad = fault_set(f, FAULT_IO, "trial %s is of a phase that the study does not have",
		                s->binds[0]);
	else if (got > 0 && s->json)
		put_head_json(s, rows);
	else if (got > 0)
		bad = put_head(s, rows, f);
	store_rows_close(rows);
	return got < 0 || bad ? -1 : 0;
}

int show_put_trial(struct show *s, struct fault *f)
{
	static const struct show_column columns[] = {
	    {"unit", NULL, REPORT_RIGHT},
	    {"fold", NULL, REPORT_RIGHT},
	    {"state", NULL, REPORT_STATE},
	    {"reason", NULL, REPORT_HIDE_EMPTY},
	    {"value", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"best_step", "best step", REPORT_RIGHT | REPORT_HIDE_EMPTY},
	    {"attempts", NULL, REPORT_RIGHT},
	    {"host", NULL, REPORT_HIDE_EMPTY},
	    {"seconds", NULL, REPORT_RIGHT | REPORT_HIDE_EMPTY},
	};

	return put_trial_head(s, f) || show_put_lineage(s, f) ||
	               show_put_query(s, "units", "its units", sql_units, columns, SHOW_COUNT(columns), f)
	           ? -1
	           : 0;
}
