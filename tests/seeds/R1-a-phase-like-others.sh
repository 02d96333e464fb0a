#!/usr/bin/env bash
# R1. Training again is one more phase, and nothing else. That works when it is written with the words that any phase is
# written with, at any place of a chain and under any name.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

# A pick in the middle: the phase after it has parameters and folds, and is picked from in turn, twice.
cat >s.yaml <<'END'
study: more
metric: m
goal: minimize
folds: 2
phases:
  coarse:
    command: sh -c 'echo "@metric m=$(($1 * 10))"' sh {x}
    params: {x: [3, 1, 2]}
    search: grid
  narrow:
    after: {coarse: best 2}
    command: sh -c 'echo "@metric m=$(($1 * 10 + $2))"' sh {x} {y}
    params: {y: [5, 4]}
    search: grid
  everything: # on all data
    after: {narrow: best}
    folds: none
    command: sh -c 'echo "$@" >>last; echo "@metric m=0"' sh {phase} {x} {y} {fold} {narrow.value}
  everything_as_well: # the worst would be 25
    after: {narrow: best 3 as one}
    folds: none
    command: sh -c 'echo "$1 $(($# - 1))" >>last; for d; do echo $d >>dirs; done; echo "@metric m=0"' sh {phase} {narrow.dirs}
  and_on:
    after: everything_as_well
    folds: none
    command: sh -c 'echo "$1" >>last; echo "@metric m=0"' sh {phase}
END
exits "chosen from, searched on, chosen from again" 0 timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none
is "two were taken on, each with its own search" "$(sql more.db "select json_extract(params,'$.x'), json_extract(params,'$.y'), value from trials where phase='narrow' order by value" | tr '\n' ' ')" \
    "1|4|14.0 1|5|15.0 2|4|24.0 2|5|25.0 "
is "the winner of these goes on alone, on all data" "$(grep '^everything ' last)" "everything 1 4 -1 14"
is "and the three best of them together" "$(grep as_well last)" "everything_as_well 6"
is "which can be a parent like any other" "$(sql more.db "select p.phase from edges join units c on c.unit=child join units p on p.unit=parent where c.phase='and_on'")" everything_as_well
is "one job each" "$(wc -l <last)" 3
is "the winners are on record, for each phase that chose" "$(sql more.db "select for_phase, count(distinct trial) from picks group by 1 order by 1" | tr '\n' ' ')" \
    "everything|1 everything_as_well|3 narrow|2 "
done_testing
