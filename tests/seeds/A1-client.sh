#!/usr/bin/env bash
# A1. The same for a program that has it done by a library of one header: it asks for its parameters, its folder, whether
# to go on and whether to stop. Killed at epoch 7 of 20 it goes on at 7 and ends as if undisturbed; by hand it runs too.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.c <<'END'
#include <ranksweep.h>

int main(void)
{
	double rate = ranksweep_param_double("rate", 1);
	const char *pause = getenv("PAUSE");
	long long weight = (long long)(ranksweep_seed() % 1000);
	int epoch = 0;
	char path[4096] = "", fresh[4096] = "";
	FILE *f;

	ranksweep_init();
	if (ranksweep_dir()) {
		snprintf(path, sizeof path, "%s/state", ranksweep_dir());
		snprintf(fresh, sizeof fresh, "%s/new", ranksweep_dir());
	}
	if (ranksweep_resume() && (f = fopen(path, "r"))) {
		if (fscanf(f, "%d %lld", &epoch, &weight) != 2)
			return 1;
		fclose(f);
	}
	if ((f = fopen("log", "a"))) {
		fprintf(f, "from %d\n", epoch);
		fclose(f);
	}
	while (epoch < 20) {
		epoch++;
		weight = (weight * 48271 + epoch) % 2147483647;
		ranksweep_metric_step("loss", (double)weight * rate, epoch);
		if (*path && (f = fopen(fresh, "w"))) {
			fprintf(f, "%d %lld", epoch, weight);
			fclose(f);
			rename(fresh, path);
		}
		while (pause && epoch == atoi(pause) && !ranksweep_should_stop())
			usleep(20000);
		if (ranksweep_should_stop())
			return RANKSWEEP_REQUEUE;
	}
	return 0;
}
END
ok "it compiles" cc -Wall -Werror -D_DEFAULT_SOURCE -I "$top/include" -o train train.c
cat >s.yaml <<'END'
study: client
seed: 3
metric: loss
goal: minimize
phases:
  a: {command: ./train, params: {rate: [0.5]}, search: grid, checkpoint: true, grace: 20s}
END
run=(timeout 60 "$rs" run s.yaml --ranks 1 --progress none)
exits "undisturbed" 0 "${run[@]}" --db calm.db
rm log
start env PAUSE=7 "${run[@]}"
ok "it is at epoch 7" wait_for 20 grep -qs '^7 ' client.out/dir/a/t1/state
kill_tree KILL "$pid"
start env PAUSE=13 "${run[@]}"
ok "it goes on, to epoch 13" wait_for 20 grep -qs '^13 ' client.out/dir/a/t1/state
kill -TERM "$(pgrep -P "$pid" -f "$rs run")"
wait_exit 30 "$pid"
is "told to end, it asks to be run again" $? 75
exits "and is, to its end" 0 "${run[@]}"
is "from where it was each time" "$(tr '\n' ' ' <log)" "from 0 from 7 from 13 "
is "with the undisturbed result" "$(sql client.db "select value from units")" "$(sql calm.db "select value from units")"
exits "by hand it runs too" 0 ./train
done_testing
