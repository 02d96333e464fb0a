#!/usr/bin/env bash
# D7. Jobs start by themselves when what they depend on is done. That works when workers stay, idle, as long as anything
# runs; when a child starts without anybody doing anything; and when a run ends as soon as nothing can become ready any
# more, saying why and with a status of its own if something is blocked.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >slow.sh <<'END'
until [ -e go ]; do sleep 0.02; done
echo "@metric m=1"
END
cat >meet.sh <<'END'
# Three at the same time need three workers.
touch "here.$1"
until [ -e here.1 ] && [ -e here.2 ] && [ -e here.3 ]; do sleep 0.02; done
echo "@metric m=$1"
END
cat >s.yaml <<'END'
study: wait
metric: m
goal: minimize
defaults: {timeout: 15s}
phases:
  slow: {command: sh slow.sh}
  meet: {after: slow, command: 'sh meet.sh {x}', params: {x: [1, 2, 3]}, search: grid}
  last: {after: {meet: best}, command: sh -c 'echo "@metric m=0"'}
END
start timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
ok "one job runs, two workers have nothing to do" wait_sql 20 wait.db "select count(*) from units where state='running'" 1
ok "all three workers are known" wait_sql 20 wait.db "select count(*) from workers" 3
touch go
wait_exit 40 "$pid"
is "all goes on by itself, to its end" $? 0
is "the idle workers had stayed" "$(sql wait.db "select count(distinct rank) from units where phase='meet'")" 3
is "one after the other" "$(sql wait.db "select phase from units group by phase order by min(started)" | tr '\n' ' ')" "slow meet last "

# What can't go on is told
sed 's/study: wait/study: stuck/; s/sh slow.sh/sh -c "exit 3"/' s.yaml >b.yaml
exits "a run that is blocked ends, with a status that tells" 1 timeout 30 mpirun -n 3 "$rs" run b.yaml --progress none
like "what failed, and how" "$(cat out)" "slow: 1 unit failed \(exit 3\)"
like "and how much did not run because of it" "$(cat err)$(cat out)" "meet: 3 units blocked by unit 1"
is "nothing is left waiting" "$(sql stuck.db "select distinct state from units order by 1" | tr '\n' ' ')" "blocked failed "
sed 's/study: wait/study: none/; s/@metric m=/@metric other=/' s.yaml | sed 's/after: slow, //; s/sh meet.sh {x}/sh -c "echo @metric m=nan"/' >n.yaml
exits "so does one that has nothing to choose from" 1 timeout 30 mpirun -n 3 "$rs" run n.yaml --progress none
like "which it says" "$(cat err)" "phase last is blocked: no trial of meet is complete with a finite value"
done_testing
