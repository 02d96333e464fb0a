/* Makes one call of the C client and prints what came of it: `probe COMMAND ARGUMENT...`. It is C and C++ at
 * once; probe.py understands the same commands, so that one table of cases serves all three. */
#include "ranksweep.h"

#include <fcntl.h>
#include <sys/wait.h>

#ifdef __cplusplus
extern "C" {
#endif
int other_should_stop(void); /* probe_other.c: another file of the same program */
#ifdef __cplusplus
}
#endif

static const char *word(char **argv, int i)
{
	int n = 0;

	while (argv[n])
		n++;
	return i < n ? argv[i] : "";
}

static double number(char **argv, int i)
{
	double v = 0;

	ranksweep_get_number_(word(argv, i), &v);
	return v;
}

static int ids(void)
{
	printf("%s %s %ld %ld %d %llu %d %d %d %d %s %d\n", ranksweep_study(), ranksweep_phase(),
	       ranksweep_trial(), ranksweep_unit(), ranksweep_attempt(), ranksweep_seed(), ranksweep_fold(),
	       ranksweep_folds(), ranksweep_outer_fold(), ranksweep_outer_folds(),
	       ranksweep_dir() ? ranksweep_dir() : "none", ranksweep_resume());
	return 0;
}

/* n values m0, m1, ... of one step */
static int many(int n, double step)
{
	static struct ranksweep_value values[2000];
	static char names[2000][16];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(names[i], sizeof names[i], "m%d", i);
		values[i].name = names[i];
		values[i].value = i;
	}
	return ranksweep_metrics(values, (size_t)n, step);
}

/* One more metric into a pipe that is full and does not wait */
static int full(void)
{
	int fd = (int)ranksweep_number_of_("RANKSWEEP_METRIC_FD", -1);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, "\n", 1) == 1)
		;
	printf("full\n");
	fflush(stdout);
	return ranksweep_metric("m", 1);
}

/* Until it is time to stop; what was printed on the way says that we are ready for it */
static int wait_for_it(const char *margin)
{
	ranksweep_init();
	if (*margin)
		ranksweep_stop_margin(strtod(margin, NULL));
	printf("ready\n");
	fflush(stdout);
	while (!ranksweep_should_stop())
		poll(NULL, 0, 5);
	printf("stopping, says another file: %d\n", other_should_stop());
	return RANKSWEEP_REQUEUE;
}

static volatile sig_atomic_t called;

static void earlier(int sig)
{
	(void)sig;
	called = called + 1;
}

static int chain(void)
{
	signal(SIGTERM, earlier);
	ranksweep_init();
	raise(SIGTERM);
	printf("%d %d\n", ranksweep_should_stop(), (int)called);
	return 0;
}

/* TERM to a child that does not ask, and to one that does */
static int children(void)
{
	int asks;

	ranksweep_init();
	for (asks = 0; asks < 2; asks++) {
		int status = 0;
		pid_t child = fork();

		if (child == 0) {
			int stops = asks && ranksweep_should_stop();

			raise(SIGTERM);
			_exit(!stops && ranksweep_should_stop() ? RANKSWEEP_REQUEUE : 1);
		}
		waitpid(child, &status, 0);
		printf("%s %d\n", WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	printf("%d\n", ranksweep_should_stop());
	return 0;
}

static int params(const char *command, char **argv)
{
	const char *otherwise = word(argv, 3);

	if (!strcmp(command, "text"))
		printf("%s\n", ranksweep_param_text(word(argv, 2), otherwise));
	else if (!strcmp(command, "int"))
		printf("%lld\n", ranksweep_param_int(word(argv, 2), strtoll(otherwise, NULL, 10)));
	else
		ranksweep_metric("v", ranksweep_param_double(word(argv, 2), number(argv, 3)));
	return 0;
}

int main(int argc, char **argv)
{
	const char *command = word(argv, 1);

	setlocale(LC_ALL, "");
	if (!strcmp(command, "ids"))
		return ids();
	if (!strcmp(command, "metric"))
		return ranksweep_metric_step(word(argv, 2), number(argv, 3),
		                             argc > 4 ? number(argv, 4) : -1) != 0;
	if (!strcmp(command, "many"))
		return many((int)number(argv, 2), number(argv, 3)) != 0;
	if (!strcmp(command, "full"))
		return full() != 0;
	if (!strcmp(command, "now"))
		return printf("%d\n", ranksweep_should_stop()) < 0;
	if (!strcmp(command, "wait"))
		return wait_for_it(word(argv, 2));
	if (!strcmp(command, "chain"))
		return chain();
	if (!strcmp(command, "children"))
		return children();
	return params(command, argv);
}
