#include "pretrain.h"

#include "linear.h"
#include "rbm.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 }; /* rows that are reconstructed at once */

struct pretraining {
	int depth;
	struct rbm stack[LIST_MAX];
	const struct dataset *data;
	const struct pretrain_options *want;
	struct random *random;
	struct rbm_work work[LIST_MAX];
	float *input; /* what the current layer is trained on: train.rows x stack[layer].visible */
	float *velocity, *gradient; /* of the current layer; room for the largest */
	float *batch;               /* want->batch x the widest visible side */
	float *level[LIST_MAX + 1]; /* CHUNK x size, for reconstruction */
	int *order;
	double *error; /* history: [step - 1] */
};

void pretrain_options(struct pretrain_options *p, struct options *o)
{
	*p = (struct pretrain_options){
	    .lr = 0.05, .l2 = 2e-4, .momentum = 0.9, .epochs = 20, .batch = 32, .cd = 1};
	options_real(o, "lr", &p->lr, 0, 1e6, "learning rate (0.05)");
	options_real(o, "l2", &p->l2, 0, 1e6, "weight of the L2 penalty (2e-4)");
	options_real(o, "momentum", &p->momentum, 0, 1, "momentum; 0.5 in the first 5 epochs (0.9)");
	options_round(o, "epochs", &p->epochs, 1, 1000000,
	              "passes over the training part, for each layer (20)");
	options_int(o, "batch", &p->batch, 1, 1000000, "rows of a minibatch (32)");
	options_int(o, "cd", &p->cd, 1, 1000, "steps of Gibbs sampling, the k of CD-k (1)");
}

static void init(struct pretraining *p, const struct int_list *hidden)
{
	int rows = p->data->train.rows, visible = p->data->cols, widest = visible;
	size_t largest = 0;

	p->level[0] = must_alloc(area(CHUNK, visible), sizeof(float));
	for (p->depth = 0; p->depth < hidden->n; visible = hidden->v[p->depth++]) {
		struct rbm *m = &p->stack[p->depth];

		rbm_init(m, visible, hidden->v[p->depth]);
		rbm_work_init(&p->work[p->depth], m, p->want->batch);
		p->level[p->depth + 1] = must_alloc(area(CHUNK, m->hidden), sizeof(float));
		largest = m->count > largest ? m->count : largest;
		widest = visible > widest ? visible : widest;
	}
	p->input = must_alloc(area(rows, widest), sizeof *p->input);
	p->velocity = must_alloc(largest, sizeof *p->velocity);
	p->gradient = must_alloc(largest, sizeof *p->gradient);
	p->batch = must_alloc(area(p->want->batch, widest), sizeof *p->batch);
	p->order = must_alloc((size_t)rows, sizeof *p->order);
	p->error = must_alloc(area(p->depth, p->want->epochs), sizeof *p->error);
}

static void finish(struct pretraining *p)
{
	for (int l = 0; l < p->depth; l++) {
		rbm_finish(&p->stack[l]);
		rbm_work_finish(&p->work[l]);
		free(p->level[l + 1]);
	}
	free(p->level[0]);
	free(p->input);
	free(p->velocity);
	free(p->gradient);
	free(p->batch);
	free(p->order);
	free(p->error);
}

static int layer_of(const struct pretraining *p, int step)
{
	return (step - 1) / p->want->epochs;
}

/* Everything the next epoch depends on; a layer that is not begun yet is made from the random state. */
static void fields(struct archive *a, int step, void *state)
{
	struct pretraining *p = state;
	int layer = layer_of(p, step);

	archive_field(a, p->random, sizeof *p->random);
	for (int l = 0; l <= layer; l++)
		archive_field(a, p->stack[l].param, p->stack[l].count * sizeof(float));
	archive_field(a, p->velocity, p->stack[layer].count * sizeof(float));
	archive_field(a, p->error, (size_t)step * sizeof *p->error);
}

/* ---- one layer ----------------------------------------------------------------------------------- */

/* The input of layer l: the training part, up through the layers below. */
static void compute_input(struct pretraining *p, int layer)
{
	int rows = p->data->train.rows;

	memcpy(p->input, p->data->train.x, area(rows, p->data->cols) * sizeof *p->input);
	for (int l = 0; l < layer; l++) {
		struct rbm *m = &p->stack[l];
		float *up = must_alloc(area(rows, m->hidden), sizeof *up);

		rbm_up(m, p->input, rows, up);
		memcpy(p->input, up, area(rows, m->hidden) * sizeof *up);
		free(up);
	}
}

static void start_layer(struct pretraining *p, int layer)
{
	struct rbm *m = &p->stack[layer];

	rbm_start(m, p->input, p->data->train.rows, p->random);
	memset(p->velocity, 0, m->count * sizeof *p->velocity);
}

static void update(struct pretraining *p, struct rbm *m, float momentum)
{
	float lr = (float)p->want->lr;

	for (size_t i = 0; i < m->count; i++) {
		p->velocity[i] = momentum * p->velocity[i] + lr * p->gradient[i];
		m->param[i] += p->velocity[i];
	}
}

static void run_epoch(struct pretraining *p, int layer, int epoch)
{
	enum { GENTLE_EPOCHS = 5 }; /* the practical guide, section 9 */
	struct rbm *m = &p->stack[layer];
	int rows = p->data->train.rows;

	for (int i = 0; i < rows; i++)
		p->order[i] = i;
	random_shuffle(p->random, p->order, rows);
	for (int at = 0; at < rows; at += p->want->batch) {
		int n = rows - at < p->want->batch ? rows - at : p->want->batch;

		for (int i = 0; i < n; i++)
			memcpy(p->batch + area(i, m->visible), p->input + area(p->order[at + i], m->visible),
			       (size_t)m->visible * sizeof *p->batch);
		rbm_gradient(m, &p->work[layer], p->batch, n, p->want->cd, p->want->l2, p->random,
		             p->gradient);
		update(p, m,
		       (float)(epoch < GENTLE_EPOCHS ? fmin(0.5, p->want->momentum) : p->want->momentum));
	}
}

/* ---- measuring ----------------------------------------------------------------------------------- */

/* Sum of squared differences of n rows of x and their reconstruction through layers 0 .. layer. */
static double reconstruct(struct pretraining *p, int layer, const float *x, int n)
{
	double sum = 0;

	memcpy(p->level[0], x, area(n, p->data->cols) * sizeof *x);
	for (int l = 0; l <= layer; l++)
		rbm_up(&p->stack[l], p->level[l], n, p->level[l + 1]);
	for (int l = layer; l >= 0; l--)
		rbm_down(&p->stack[l], p->level[l + 1], n, p->level[l]);
	for (size_t i = 0; i < area(n, p->data->cols); i++)
		sum += pow((double)x[i] - (double)p->level[0][i], 2);
	return sum;
}

static double recon_error(struct pretraining *p, int layer)
{
	const struct part *on = p->data->valid.rows > 0 ? &p->data->valid : &p->data->train;
	double sum = 0;

	for (int at = 0; at < on->rows; at += CHUNK)
		sum += reconstruct(p, layer, on->x + area(at, p->data->cols),
		                   on->rows - at < CHUNK ? on->rows - at : CHUNK);
	return sum / on->rows / p->data->cols;
}

/* ---- the stack ----------------------------------------------------------------------------------- */

static bool run(struct pretraining *p, const struct checkpoint *c)
{
	int last = p->depth * p->want->epochs, done = checkpoint_resume(c, last, fields, p);

	for (int s = 1; s <= done; s++)
		report_metric("recon_error", p->error[s - 1], s);
	for (int step = done + 1; step <= last; step++) {
		int layer = layer_of(p, step), epoch = (step - 1) % p->want->epochs;

		if (epoch == 0 || step == done + 1)
			compute_input(p, layer);
		if (epoch == 0)
			start_layer(p, layer);
		run_epoch(p, layer, epoch);
		p->error[step - 1] = recon_error(p, layer);
		report_metric("recon_error", p->error[step - 1], step);
		if (!isfinite(p->error[step - 1]))
			return false;
		checkpoint_step(c, step, fields, p);
	}
	return true;
}

/* The layers' weights and hidden biases, without the visible biases: a network of sigmoid units. */
static void make_net(struct net *net, const struct pretraining *p)
{
	int size[LIST_MAX + 1] = {p->data->cols};

	for (int l = 0; l < p->depth; l++)
		size[l + 1] = p->stack[l].hidden;
	net_init(net, p->depth, size, NET_SIGMOID);
	for (int l = 0; l < p->depth; l++) {
		const struct rbm *m = &p->stack[l];

		memcpy(net_weights(net, l), m->param, area(m->visible, m->hidden) * sizeof(float));
		memcpy(net_biases(net, l), m->param + area(m->visible, m->hidden) + m->visible,
		       (size_t)m->hidden * sizeof(float));
	}
}

bool pretrain_run(struct net *net, const struct int_list *hidden, const struct dataset *data,
                  const struct pretrain_options *want, struct random *random, const struct checkpoint *c)
{
	struct pretraining p = {.data = data, .want = want, .random = random};
	bool ok;

	init(&p, hidden);
	ok = run(&p, c);
	if (ok)
		make_net(net, &p);
	finish(&p);
	return ok;
}
