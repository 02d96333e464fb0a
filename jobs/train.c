#include "train.h"

#include "linear.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct training {
	struct net *net;
	const struct dataset *data;
	const struct train_options *want;
	struct random *random;
	struct net_work work;
	float *velocity, *gradient; /* net->count */
	int *order;                 /* training rows in the order of this epoch */
	double *loss, *error;       /* history: [epoch - 1] */
};

void train_options(struct train_options *t, struct options *o)
{
	*t = (struct train_options){.lr = 0.05, .l2 = 1e-4, .momentum = 0.9, .epochs = 30, .batch = 32};
	options_real(o, "lr", &t->lr, 0, 1e6, "learning rate (0.05)");
	options_real(o, "l2", &t->l2, 0, 1e6, "weight of the L2 penalty (1e-4)");
	options_real(o, "momentum", &t->momentum, 0, 1, "momentum (0.9)");
	options_round(o, "epochs", &t->epochs, 1, 1000000, "passes over the training part (30)")->free = true;
	options_int(o, "batch", &t->batch, 1, 1000000, "rows of a minibatch (32)");
	options_int(o, "patience", &t->patience, 0, 1000000,
	            "stop after so many epochs without a better valid_error; 0: never (0)");
}

static void init(struct training *t)
{
	enum { EVALUATE_ROWS = 256 };
	size_t epochs = (size_t)t->want->epochs;

	net_work_init(&t->work, t->net, t->want->batch > EVALUATE_ROWS ? t->want->batch : EVALUATE_ROWS);
	t->velocity = must_alloc(t->net->count, sizeof *t->velocity);
	t->gradient = must_alloc(t->net->count, sizeof *t->gradient);
	t->order = must_alloc((size_t)t->data->train.rows, sizeof *t->order);
	t->loss = must_alloc(epochs, sizeof *t->loss);
	t->error = must_alloc(epochs, sizeof *t->error);
}

static void finish(struct training *t)
{
	net_work_finish(&t->work);
	free(t->velocity);
	free(t->gradient);
	free(t->order);
	free(t->loss);
	free(t->error);
}

/* Everything the next epoch depends on. */
static void fields(struct archive *a, int step, void *state)
{
	struct training *t = state;

	archive_field(a, t->random, sizeof *t->random);
	archive_field(a, t->net->param, t->net->count * sizeof *t->net->param);
	archive_field(a, t->velocity, t->net->count * sizeof *t->velocity);
	archive_field(a, t->loss, (size_t)step * sizeof *t->loss);
	archive_field(a, t->error, (size_t)step * sizeof *t->error);
}

static void fill_batch(struct training *t, int at, int n)
{
	const struct part *from = &t->data->train;
	int cols = t->data->cols;

	for (int i = 0; i < n; i++) {
		int row = t->order[at + i];

		memcpy(t->work.a[0] + area(i, cols), from->x + area(row, cols), (size_t)cols * sizeof(float));
		t->work.label[i] = from->label[row];
	}
}

/* v = momentum v - lr g; w = w + v */
static void update(struct training *t)
{
	float momentum = (float)t->want->momentum, lr = (float)t->want->lr;

	for (size_t i = 0; i < t->net->count; i++) {
		t->velocity[i] = momentum * t->velocity[i] - lr * t->gradient[i];
		t->net->param[i] += t->velocity[i];
	}
}

static double run_epoch(struct training *t)
{
	int rows = t->data->train.rows;
	double loss = 0;

	for (int i = 0; i < rows;
	     i++) /* from the same start, so that the order hangs on the random state only */
		t->order[i] = i;
	random_shuffle(t->random, t->order, rows);
	for (int at = 0; at < rows; at += t->want->batch) {
		int n = rows - at < t->want->batch ? rows - at : t->want->batch;

		fill_batch(t, at, n);
		loss += net_gradient(t->net, &t->work, n, t->want->l2, t->gradient) * n / rows;
		update(t);
	}
	return loss;
}

static void report(const struct training *t, int step)
{
	report_metric("train_loss", t->loss[step - 1], step);
	if (t->data->valid.rows > 0)
		report_metric("valid_error", t->error[step - 1], step);
}

/* True when the best error is `patience` epochs old. */
static bool stalled(const struct training *t, int step)
{
	int best = 0;

	for (int e = 1; e < step; e++)
		if (t->error[e] < t->error[best])
			best = e;
	return t->want->patience > 0 && t->data->valid.rows > 0 && step - (best + 1) >= t->want->patience;
}

static bool run(struct training *t, const struct checkpoint *c)
{
	int step = checkpoint_resume(c, t->want->epochs, fields, t);

	for (int s = 1; s <= step; s++)
		report(t, s);
	while (step < t->want->epochs && !stalled(t, step)) {
		double loss = run_epoch(t);

		if (!isfinite(loss)) {
			report_metric(t->data->valid.rows > 0 ? "valid_error" : "test_error", NAN, step + 1);
			return false;
		}
		t->loss[step] = loss;
		t->error[step] = net_error(t->net, &t->work, &t->data->valid);
		report(t, ++step);
		checkpoint_step(c, step, fields, t);
	}
	if (t->data->test.rows > 0)
		report_metric("test_error", net_error(t->net, &t->work, &t->data->test), step);
	return true;
}

bool train_run(struct net *net, const struct dataset *data, const struct train_options *want,
               struct random *random, const struct checkpoint *c)
{
	struct training t = {.net = net, .data = data, .want = want, .random = random};
	bool ok;

	init(&t);
	ok = run(&t, c);
	finish(&t);
	return ok;
}
