/* A small trainer on ranksweep.h, with all that a trainer may do: 20 epochs of arithmetic whose last number
 * hangs on each of them. trainer.py does the same in Python, to the last bit. What it is to suffer in its
 * first attempt comes by the environment:
 *
 *   DIE_AT=7         kill -9 to itself in epoch 7
 *   WAIT_AT=7        hang in epoch 7 until it should stop, then save and ask for another attempt
 *   WAIT_FOR=term    and not stop before TERM comes, whatever the deadline */
#include "ranksweep.h"

#include <stdint.h>

enum { EPOCHS = 20 };

struct training {
	int epoch; /* done */
	uint64_t random;
	double weight;
};

static volatile sig_atomic_t terms;

static void count_term(int sig)
{
	(void)sig;
	terms = terms + 1;
}

static const char *in_dir(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof path, "%s/%s", ranksweep_dir(), name);
	return path;
}

static int load(struct training *t)
{
	FILE *f = fopen(in_dir("state"), "r");
	unsigned long long random;
	int n;

	if (!f)
		return 0;
	n = fscanf(f, "%d %llu %lf", &t->epoch, &random, &t->weight);
	t->random = random;
	fclose(f);
	return n == 3;
}

/* Beside its place and then into it: whoever reads finds the old state or the new one, whole. */
static int save(const struct training *t)
{
	char beside[4096];
	FILE *f;

	if (!ranksweep_dir())
		return 0;
	strcpy(beside, in_dir("state.new"));
	f = fopen(beside, "w");
	if (!f)
		return 0;
	fprintf(f, "%d %llu %a\n", t->epoch, (unsigned long long)t->random, t->weight);
	return fclose(f) == 0 && rename(beside, in_dir("state")) == 0;
}

static double train(struct training *t, double lr)
{
	t->random = t->random * 6364136223846793005u + 1442695040888963407u;
	t->weight += lr * ((double)(t->random >> 11) / 9007199254740992.0 - t->weight);
	t->epoch++;
	return 1 / (1 + t->weight * t->weight);
}

static int set_to(const char *variable, int epoch)
{
	const char *text = getenv(variable);

	return text && atoi(text) == epoch;
}

/* Only once: a file in the directory remembers it, where there is one. */
static int is_first(void)
{
	FILE *f;

	if (!ranksweep_dir())
		return ranksweep_attempt() == 1;
	f = fopen(in_dir("seen"), "r");
	if (f)
		return fclose(f) * 0;
	f = fopen(in_dir("seen"), "w");
	return f && fclose(f) == 0;
}

static void suffer(int epoch)
{
	if (set_to("DIE_AT", epoch) && is_first())
		kill(getpid(), SIGKILL);
	if (!set_to("WAIT_AT", epoch) || !is_first())
		return;
	if (getenv("WAIT_FOR"))
		ranksweep_stop_margin(-1e9);
	while (!ranksweep_should_stop())
		poll(NULL, 0, 5);
}

/* More values than any table has columns */
static void report_layers(const struct training *t)
{
	static struct ranksweep_value values[300];
	static char names[300][32];
	int i;

	for (i = 0; i < 300; i++) {
		snprintf(names[i], sizeof names[i], "layer%d/weight", i);
		values[i].name = names[i];
		values[i].value = t->weight + i;
	}
	ranksweep_metrics(values, 300, t->epoch);
}

int main(void)
{
	struct training t = {0, 0, 0};
	double lr = ranksweep_param_double("lr", 0.1);

	signal(SIGTERM, count_term);
	ranksweep_init();
	t.random = (uint64_t)ranksweep_param_int("start", 1);
	if (ranksweep_resume() && !load(&t))
		fprintf(stderr, "nothing to go on from\n");
	ranksweep_metric_step("began_at", t.epoch + 1, ranksweep_attempt());
	while (t.epoch < EPOCHS) {
		double error;

		suffer(t.epoch + 1);
		if (ranksweep_should_stop()) {
			ranksweep_metric("terms", terms);
			return save(&t) ? RANKSWEEP_REQUEUE : 1;
		}
		error = train(&t, lr);
		ranksweep_metric_step("valid_error", error, t.epoch);
		save(&t);
	}
	report_layers(&t);
	return 0;
}
