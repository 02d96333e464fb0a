#!/usr/bin/env bash
# Trap 2. A job that called exit(), or died by a signal, stayed "running" for ever. Now each such end is a failure, even
# behind a good metric, and nothing is left running.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >end.c <<'END'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int c, char **v)
{
	volatile char *null = NULL;
	size_t n = 1 << 20;
	puts("@metric err=0.5");
	fflush(stdout);
	if (c < 2 || !strcmp(v[1], "return"))
		return 0;
	if (!strcmp(v[1], "exit"))
		exit(9);
	if (!strcmp(v[1], "_exit"))
		_exit(255);
	if (!strcmp(v[1], "abort"))
		abort();
	if (!strcmp(v[1], "segv"))
		*null = 1;
	if (!strcmp(v[1], "kill"))
		kill(getpid(), SIGKILL);
	if (!strcmp(v[1], "term"))
		kill(getpid(), SIGTERM);
	while (!strcmp(v[1], "memory"))
		memset(malloc(n), 1, n);
	return 0;
}
END
cc -w -o end end.c
cat >s.yaml <<'END'
study: ends
metric: err
goal: minimize
phases:
  a: {command: './end {how}', params: {how: [return, exit, _exit, abort, segv, kill, term]}, search: grid}
  m: {command: ./end memory, memory: 100M}
END
exits "eight ends" 1 timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none
is "each is what it was" "$(
    sql ends.db "select coalesce(json_extract(params, '$.how'), 'memory'), u.state, u.reason, a.exit_code, a.signal from units u join trials using (trial) join attempts a using (unit) order by u.phase, u.trial" | tr '\n' ' ')" \
    "return|done||0| exit|failed|exit|9| _exit|failed|exit|255| abort|failed|signal||6 segv|failed|signal||11 kill|failed|signal||9 term|failed|signal||15 memory|failed|oom||11 "
is "nothing is left running" "$(sql ends.db "select count(*) from units where state in ('running', 'ready', 'waiting')")" 0
is "a good number from a job that failed counts for nothing" "$(trials ends.db -p a | jq -c '[.[] | select(.rank != null) | .params.how]')" '["return"]'
done_testing
