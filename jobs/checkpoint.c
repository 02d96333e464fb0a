#include "checkpoint.h"

#include "ranksweep.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void checkpoint_options(struct checkpoint *c, struct options *o)
{
	*c = (struct checkpoint){0};
	options_int(o, "checkpoint", &c->every, 1, INT_MAX, "epochs between checkpoints in RANKSWEEP_DIR")
	    ->free = true;
}

void checkpoint_open(struct checkpoint *c, uint64_t fingerprint)
{
	const char *dir = ranksweep_dir();

	c->fingerprint = fingerprint;
	c->resume = ranksweep_resume();
	c->on = dir != NULL && (c->every > 0 || c->resume);
	if (!c->on)
		return;
	if (c->every == 0)
		c->every = 1;
	if ((size_t)snprintf(c->path, sizeof c->path, "%s/checkpoint", dir) >= sizeof c->path)
		report_die(EXIT_FAILED, "RANKSWEEP_DIR is too long");
	ranksweep_init();
}

int checkpoint_resume(const struct checkpoint *c, int max_step, checkpoint_fields *fields, void *state)
{
	static const char *const why[] = {
	    [ARCHIVE_DAMAGED] = "is damaged", [ARCHIVE_FOREIGN] = "has other options"};
	struct archive a = {0};
	enum archive_result result;
	int step = 0;

	if (!c->on || !c->resume)
		return 0;
	result = archive_load(&a, c->path, c->fingerprint, &step);
	if (result == ARCHIVE_OK && step <= max_step) {
		fields(&a, step, state);
		if (a.bad || a.at != a.len)
			report_die(EXIT_FAILED, "%s is not from this program: remove it", c->path);
		report_note("going on after epoch %d", step);
	} else {
		if (result != ARCHIVE_ABSENT)
			report_warning("%s %s: starting anew", c->path,
			               result ? why[result] : "is past the end");
		step = 0;
	}
	archive_finish(&a);
	return step;
}

static int save(const struct checkpoint *c, int step, checkpoint_fields *fields, void *state)
{
	struct archive a = {0};
	int bad;

	fields(&a, step, state);
	bad = archive_save(&a, c->path, c->fingerprint, step);
	if (bad != 0)
		report_warning("cannot write %s: %s", c->path, strerror(errno));
	archive_finish(&a);
	return bad;
}

void checkpoint_step(const struct checkpoint *c, int step, checkpoint_fields *fields, void *state)
{
	bool stopping = c->on && ranksweep_should_stop();

	if (!c->on || (!stopping && step % c->every != 0))
		return;
	if (save(c, step, fields, state) == 0 && stopping)
		exit(RANKSWEEP_REQUEUE);
	if (stopping)
		exit(EXIT_FAILED);
}
