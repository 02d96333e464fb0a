#!/usr/bin/env bash
# D14. Relaunch and look at one phase, in a study of several. That works when status and results are told for each phase,
# a ranking stays within its phase, and the lineage of a final model can be printed.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: dbn
metric: valid
goal: minimize
phases:
  pre:
    metric: recon
    command: sh -c 'echo "@metric recon=0.0$1"' sh {width}
    params: {width: [2, 1, 3]}
    search: grid
  fine:
    after: pre
    command: sh -c 'echo "@metric valid=$1$2"' sh {width} {lr}
    params: {lr: [5, 4]}
    search: grid
  final:
    after: {fine: best}
    metric: score
    goal: maximize
    command: sh -c 'echo "@metric score=0.9$1"' sh {seed}
    params: {x: [1, 2]}
    search: grid
  broken: {command: sh -c 'exit 1', metric: none}
END
exits "three phases and one that fails" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "status for each" "$("$rs" status dbn.db --json | jq -c '[.phases[] | [.phase, .done, .failed]]')" '[["pre",3,0],["fine",6,0],["final",2,0],["broken",0,1]]'
is "results of one, by its own metric" "$(trials dbn.db --phase fine | jq -c '[.[] | [.rank, .value]]')" "[[1,14],[2,15],[3,24],[4,25],[5,34],[6,35]]"
is "each phase has a first place" "$(trials dbn.db | jq -c '[.[] | select(.rank == 1) | .phase]')" '["pre","fine","final"]'
is "the best of one phase, however good another is" "$("$rs" best dbn.db -p pre --json | jq -c '[.[] | [.phase, .params.width]]')" '[["pre",1]]'
like "what is better is each phase's own" "$("$rs" results dbn.db -p final)" "maximize score"
is "in numbers too" "$(trials dbn.db -p final | jq -c '[.[].value] | . == (sort | reverse)')" true
unit=$(sql dbn.db "select min(unit) from units where phase='final'")
is "the lineage of a final model, with parameters and values" \
    "$("$rs" show dbn.db "$unit" --json | jq -c '[.lineage[] | [.phase, .params, .value]][1:]')" '[["fine",{"lr":4},14],["pre",{"width":1},0.01]]'
like "for people too" "$("$rs" show dbn.db "$unit" | grep -A 4 lineage | tail -n 1)" "pre .*width=1"
is "one phase's units" "$("$rs" list dbn.db phase=fine pre.width=3 --json | jq length)" 2
done_testing
