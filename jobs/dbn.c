/* dbn: a deep belief network in two programs, so that one pretraining can serve many fine-tunings.
 *
 *   dbn pretrain --hidden 128,64 --save FILE    a stack of RBMs, without labels
 *   dbn finetune --load FILE                    a softmax layer on top, all of it trained by backpropagation
 *
 * `dbn pretrain --help` and `dbn finetune --help` list the options. Both cut and scale the data alike when
 * the options of the split are the same: a fine-tuning never validates on rows its pretraining has seen. */
#include "linear.h"
#include "pretrain.h"
#include "report.h"
#include "train.h"

#include <stddef.h>
#include <string.h>

/* What the two have in common. */
struct job {
	struct dataset_options data;
	struct checkpoint checkpoint;
	uint64_t seed;
	const char *save;
};

static void parse(struct job *job, struct options *o, int argc, char **argv)
{
	dataset_options(&job->data, o);
	options_seed(o, "seed", &job->seed, "seed of the training (RANKSWEEP_SEED, else 1)");
	options_text(o, "save", &job->save, "file to write the result to")->free = true;
	checkpoint_options(&job->checkpoint, o);
	options_parse(o, argc, argv, 2);
	checkpoint_open(&job->checkpoint, options_fingerprint(o));
}

static void pretrain(int argc, char **argv)
{
	struct options o = {.usage = "dbn pretrain --save FILE [OPTION]..."};
	struct job job = {0};
	struct pretrain_options want;
	struct net_hidden hidden;
	struct int_list sizes;
	struct dataset data;
	struct random random;
	struct net net = {0};

	pretrain_options(&want, &o);
	net_hidden_options(&hidden, &o);
	parse(&job, &o, argc, argv);
	sizes = net_hidden_sizes(&hidden);
	dataset_open(&data, &job.data);
	random_seed(&random, job.seed);
	if (pretrain_run(&net, &sizes, &data, &want, &random, &job.checkpoint) && job.save != NULL)
		net_save(&net, job.save);
	net_finish(&net);
	dataset_finish(&data);
}

/* The stack of the file with a softmax layer on top, whose weights are random. */
static void make_net(struct net *net, const char *file, const struct dataset *data, struct random *random)
{
	struct net stack;
	int size[NET_DEPTH + 1];

	net_load(&stack, file);
	if (stack.size[0] != data->cols)
		report_die(EXIT_FAILED, "%s is for %d columns, the data has %d", file, stack.size[0],
		           data->cols);
	if (stack.depth == NET_DEPTH)
		report_die(EXIT_FAILED, "%s has %d layers: no room for one more", file, stack.depth);
	memcpy(size, stack.size, sizeof size);
	size[stack.depth + 1] = data->classes;
	net_init(net, stack.depth + 1, size, stack.activation);
	memcpy(net->param, stack.param, stack.count * sizeof *net->param);
	net_randomise(net, stack.depth, random);
	net_finish(&stack);
}

static void finetune(int argc, char **argv)
{
	struct options o = {.usage = "dbn finetune --load FILE [OPTION]..."};
	struct job job = {0};
	struct train_options want;
	const char *load = NULL;
	struct dataset data;
	struct random random;
	struct net net;

	train_options(&want, &o);
	options_text(&o, "load", &load, "file of the pretrained stack");
	parse(&job, &o, argc, argv);
	if (load == NULL && !job.data.print_split)
		report_die(EXIT_USAGE, "finetune needs --load FILE");
	dataset_open(&data, &job.data);
	random_seed(&random, job.seed);
	make_net(&net, load, &data, &random);
	if (train_run(&net, &data, &want, &random, &job.checkpoint) && job.save != NULL)
		net_save(&net, job.save);
	net_finish(&net);
	dataset_finish(&data);
}

int main(int argc, char **argv)
{
	static const struct command {
		const char *name;
		void (*run)(int argc, char **argv);
	} commands[] = {{"pretrain", pretrain}, {"finetune", finetune}};

	report_program("dbn");
	linear_init();
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (argc > 1 && strcmp(argv[1], commands[i].name) == 0) {
			commands[i].run(argc, argv);
			return 0;
		}
	report_die(EXIT_USAGE, "usage: dbn pretrain|finetune [OPTION]... (--help lists the options)");
}
