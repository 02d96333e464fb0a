#!/usr/bin/env bash
# R1. Training again on all data, written with the three parts of a command line and nothing else: it depends on all jobs of
# the search, of which the best one is picked.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

echo 'echo "$*" >>ran; echo "@metric err=$(((RANKSWEEP_FOLD + 1) * $1))"' >job.sh
exits "a search in three folds" 0 "$rs" schedule again.db --command 'sh job.sh {lr} {fold}' phase=search metric=err goal=minimize folds=3 lr='{{3,1,2}}'
exits "then the best, on all data" 0 "$rs" schedule again.db --command 'sh job.sh {lr} {fold}' phase=search best=1 -- -- phase=retrain metric=err goal=minimize folds=none
exits "it runs" 0 timeout 30 mpirun -n 3 "$rs" run again.db --progress none
is "three by three, and one" "$(wc -l <ran)" 10
is "the best one, after all" "$(tail -n 1 ran)" "1 -1"
is "the pick is on record" "$(sql again.db "select p.phase, json_extract(t.params, '$.lr'), p.value from picks p join trials t using (trial)")" "search|1|2.0"
done_testing
