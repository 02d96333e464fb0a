#include "cmd.h"
#include "wire.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct report_style cmd_style(FILE *to)
{
	struct report_style style = {0};
	struct winsize size;
	int fd = fileno(to);
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	/* A rank's stdout is a terminal of mpirun's own making, whatever the user's is. */
	if (fd < 0 || !isatty(fd) || (wire_launched() && !getenv("RANKSWEEP_TERMINAL")))
		return style;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0)
		style.width = size.ws_col;
	style.colour = !(no_colour && *no_colour) && term && *term && strcmp(term, "dumb") != 0;
	return style;
}

void cmd_write(FILE *to, struct bytes *b)
{
	if (b->len)
		fwrite(b->data, 1, b->len, to);
	bytes_clear(b);
}

const char *cmd_keep_bytes(struct arena *a, struct bytes *b)
{
	const char *text = b->len ? arena_strndup(a, (const char *)b->data, b->len) : "";

	bytes_finish(b);
	return text;
}

void cmd_put_report(struct report *r, bool json, FILE *to)
{
	struct report_style style = cmd_style(to);
	struct bytes b = {0};

	if (json) {
		report_put_json(r, &b);
		report_finish_json(r, &b);
		text_put(&b, "\n");
	} else {
		report_put_table(r, &style, &b);
	}
	cmd_write(to, &b);
	bytes_finish(&b);
}

const char *cmd_time(struct arena *a, double epoch_seconds)
{
	time_t t;
	struct tm tm;
	char buf[32];

	if (!isfinite(epoch_seconds) || fabs(epoch_seconds) > 1e11)
		return "-";
	t = (time_t)epoch_seconds;
	if (!localtime_r(&t, &tm) || !strftime(buf, sizeof buf, "%Y-%m-%d %H:%M:%S", &tm))
		return "-";
	return arena_strdup(a, buf);
}

const char *cmd_duration(struct arena *a, double seconds)
{
	char buf[TEXT_NUMBER];

	if (!(seconds >= 0 && seconds < 1e12))
		return "-";
	text_duration(buf, (int64_t)(seconds * 1000));
	return arena_strdup(a, buf);
}

const char *cmd_signal_name(struct arena *a, int64_t signal)
{
	const char *name = signal > 0 && signal < NSIG ? sigabbrev_np((int)signal) : NULL;

	return name ? arena_printf(a, "SIG%s", name) : NULL;
}

/* ---- JSON ------------------------------------------------------------------------------------ */
void cmd_put_string(struct bytes *b, const char *key, const char *s)
{
	report_key(b, key);
	report_put_string(b, s);
}

void cmd_put_int(struct bytes *b, const char *key, int64_t v)
{
	report_key(b, key);
	report_put_int(b, v);
}

void cmd_put_int_or_null(struct bytes *b, const char *key, int64_t v, bool known)
{
	if (known)
		cmd_put_int(b, key, v);
	else
		cmd_put_string(b, key, NULL);
}

void cmd_put_real(struct bytes *b, const char *key, double v)
{
	report_key(b, key);
	report_put_number(b, v);
}

void cmd_put_flag(struct bytes *b, const char *key, bool v)
{
	report_key(b, key);
	text_put(b, v ? "true" : "false");
}
