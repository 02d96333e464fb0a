#!/usr/bin/env bash
# C2. All folds in parallel. That works when the folds of one configuration run at the same time, given as many workers.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
# Each waits for the other folds of its trial: if they do not run at the same time, it runs out of time.
touch "here.$RANKSWEEP_TRIAL.$RANKSWEEP_FOLD"
for f in 0 1 2; do
    until [ -e "here.$RANKSWEEP_TRIAL.$f" ]; do sleep 0.02; done
done
echo "@metric err=$1"
END
cat >s.yaml <<'END'
study: together
metric: err
goal: minimize
folds: 3
phases:
  a: {command: 'sh train.sh {x}', params: {x: [4, 3, 2, 1]}, search: grid, timeout: 10s}
END
exits "four configurations of three folds on three workers" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
is "all folds met the others of theirs" "$(sql together.db "select state, count(*) from trials group by 1")" "done|4"
is "each at a worker of its own" "$(sql together.db "select count(distinct rank) from units group by trial" | sort -u)" 3
done_testing
