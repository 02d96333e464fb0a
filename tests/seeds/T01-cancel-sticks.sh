#!/usr/bin/env bash
# Trap 1. Cancelling a job that ran did not last: its end wrote "done" over it, or the next launch started it again. Now
# it is stopped, and stays cancelled whatever it ends with, in this run and the next.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
# Ends well when it is told to stop
echo "$1" >>ran
trap 'echo "@metric m=0"; exit 0' TERM
until [ -e "go.$1" ]; do sleep 0.02; done
echo "@metric m=$1"
END
cat >s.yaml <<'END'
study: stop
metric: m
goal: minimize
phases:
  a: {command: 'sh job.sh {x}', params: {x: [1, 2]}, search: grid}
  b: {after: a, command: sh -c 'echo "@metric m=1"'}
END
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
ok "two jobs run" wait_sql 20 stop.db "select count(*) from attempts where state='running'" 2
job=$(sql stop.db "select a.pid from attempts a join units u using (unit) join trials using (trial) where json_extract(params, '$.x')=1")
ok "one is cancelled" "$rs" cancel stop.db phase=a x=1
ok "it is stopped" wait_for 10 gone "$job"
touch go.1 go.2
wait_exit 30 "$pid"
state() { "$rs" list stop.db x=1 --json | jq -c '[.[] | [.phase, .state]]'; }
is "it is cancelled, though it ended with success and a value" "$(state)" '[["a","cancelled"],["b","blocked"]]'
is "its value counts for nothing" "$(trials stop.db -p a | jq -c '[.[] | select(.rank != null) | .params.x]')" "[2]"
is "the other chain is done" "$("$rs" list stop.db x=2 state=done --json | jq length)" 2
timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none >/dev/null 2>&1
is "the next run leaves it so" "$(state)" '[["a","cancelled"],["b","blocked"]]'
is "and does not start it" "$(sort ran | tr '\n' ' ')" "1 2 "
ok "until it is reset" "$rs" reset stop.db phase=a x=1
exits "then it runs" 0 timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none
is "and all is done" "$("$rs" list stop.db state=done --json | jq length)" 4
done_testing
