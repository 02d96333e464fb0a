#!/usr/bin/env bash
# D1. A child gets its parents' results: where it starts as soon as the same fold of its parent is done, that fold's value,
# the same whenever it starts.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: result
metric: err
goal: minimize
folds: 3
phases:
  pre:
    command: sh -c 'echo "@metric err=$((RANKSWEEP_FOLD + 1)) step=$((RANKSWEEP_FOLD * 10))"'
  fine:
    after: pre
    command: sh -c 'echo "$1 $2 $3" >>told; echo "@metric err=1"' sh {fold} {pre.value} {pre.best_step}
  all:
    after: pre
    folds: none
    command: sh -c 'echo "$1 $2 $3" >>told; echo "@metric err=1"' sh {fold} {pre.value} {pre.best_step}
END
for ranks in 1 4; do
    rm -f told
    exits "$ranks ranks" 0 timeout 30 "$rs" run s.yaml --db r$ranks.db --ranks $ranks --progress none
    is "$ranks ranks: each fold is told its own parent's, the whole one the mean" "$(sort -n told | tr '\n' ',')" "-1 2 10,0 1 0,1 2 10,2 3 20,"
done
done_testing
