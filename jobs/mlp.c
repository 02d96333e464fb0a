/* mlp: train a multi-layer perceptron on a CSV file. `mlp --help` lists the options. */
#include "linear.h"
#include "report.h"
#include "train.h"

#include <stddef.h>

struct job {
	struct dataset_options data;
	struct train_options train;
	struct net_hidden hidden;
	struct int_list sizes; /* of the hidden layers */
	struct checkpoint checkpoint;
	int activation;
	uint64_t seed;
	const char *save;
};

static void parse(struct job *job, int argc, char **argv)
{
	struct options o = {.usage = "mlp [OPTION]..."};

	*job = (struct job){.activation = NET_TANH};
	dataset_options(&job->data, &o);
	net_hidden_options(&job->hidden, &o);
	train_options(&job->train, &o);
	options_choice(&o, "activation", &job->activation, "tanh relu",
	               "of the hidden units: tanh or relu (tanh)");
	options_seed(&o, "seed", &job->seed, "seed of the training (RANKSWEEP_SEED, else 1)");
	options_text(&o, "save", &job->save, "file to write the trained network to")->free = true;
	checkpoint_options(&job->checkpoint, &o);
	options_parse(&o, argc, argv, 1);
	job->sizes = net_hidden_sizes(&job->hidden);
	checkpoint_open(&job->checkpoint, options_fingerprint(&o));
}

static void make_net(struct net *net, const struct job *job, const struct dataset *data,
                     struct random *random)
{
	const struct int_list *hidden = &job->sizes;
	int size[NET_DEPTH + 1] = {data->cols};

	for (int l = 0; l < hidden->n; l++)
		size[l + 1] = hidden->v[l];
	size[hidden->n + 1] = data->classes;
	net_init(net, hidden->n + 1, size, job->activation);
	net_randomise(net, 0, random);
}

int main(int argc, char **argv)
{
	struct job job;
	struct dataset data;
	struct random random;
	struct net net;

	report_program("mlp");
	linear_init();
	parse(&job, argc, argv);
	dataset_open(&data, &job.data);
	random_seed(&random, job.seed);
	make_net(&net, &job, &data, &random);
	if (train_run(&net, &data, &job.train, &random, &job.checkpoint) && job.save != NULL)
		net_save(&net, job.save);
	net_finish(&net);
	dataset_finish(&data);
	return 0;
}
