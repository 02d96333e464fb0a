#!/usr/bin/env bash
# results --importance: which parameters matter, own and inherited; one rank, so no mpirun.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

run() { "$rs" run "$1" --ranks 1 --progress none; }
# share PHASE PARAMETER: in percent
share() { jq -r --arg p "$1" --arg n "$2" '.importance[] | select(.phase == $p and .parameter == $n) | .share * 100 | round' shares.json; }
# between NAME LOW HIGH SHARE
between() { ok "$1 ($4 %)" test "$4" -ge "$2" -a "$4" -le "$3"; }

# ---- planted: a decides, b does a little, c nothing; d only where a is worst ---------------------------------------
cat >grid.yaml <<'YAML'
study: grid
seed: 1
metric: err
goal: minimize
phases:
  look:
    command: sh -c 'echo "@metric err=$((100 * $0 + $1 + 20 * $2))"' {a} {b} {d|0}
    params:
      a: [0, 1, 2, 3]
      b: [0, 1, 2, 3]
      c: [red, green, blue]
      d: "[0, 1] if a == 3"
      same: 7
    search: grid
  fine:
    after: {look: best 4}
    command: sh -c 'echo "@metric score=$(($0 * 10 + $1))"' {wd} {b}
    metric: score
    goal: maximize
    params: {wd: [1, 2, 3, 4, 5]}
    search: grid
  small:
    after: {fine: best}
    command: sh -c 'echo "@metric err=$0"' {e}
    params: {e: [1, 2]}
    search: grid
  plain:
    after: {look: best}
    command: "true"
    metric: none
YAML
exits "the study runs" 0 run grid.yaml
exits "importance" 0 "$rs" results --importance --json
cp out shares.json
between "what decides has most" 65 90 "$(share look a)"
between "what does a little has less" 10 30 "$(share look b)"
between "what does nothing has next to none" 0 3 "$(share look c)"
is "what matters only for choices that are no good does not matter" "$(share look d)" 0
is "how often a parameter is active" "$(jq -c '[.importance[] | select(.phase == "look") | {(.parameter): (.active * 100 | round)}] | add' shares.json)" \
    '{"a":100,"b":100,"c":100,"d":40}'
is "a constant is not listed" "$(share look same)" ""
is "shares sum to 1" "$(jq -c '[.importance | group_by(.phase)[] | [.[].share] | add * 1e6 | round]' shares.json)" '[1000000,1000000]'
is "the largest comes first" "$(jq -c '[.importance[] | select(.phase == "look") | .share] | . == (sort | reverse)' shares.json)" true
between "a maximised phase counts the other way round" 75 100 "$(share fine wd)"
is "inherited parameters are there" "$(jq -c '[.importance[] | select(.phase == "fine") | .parameter] | sort' shares.json)" '["a","b","c","d","wd"]'
is "no rows for a phase with few trials or without metric" "$(jq -c '[.importance[].phase] | unique' shares.json)" '["fine","look"]'
is "the phases are there" "$(jq -c '[.phases[] | [.phase, .trials]] | length' shares.json)" 4

"$rs" results --importance >shares.txt
like "for people" "$(cat shares.txt)" "look: 60 trials, minimize err"$'\n'"parameter +share +active"$'\n'"a +[0-9.]+ % +-"$'\n'"b +[0-9.]+ % "
like "inactive in most" "$(cat shares.txt)" "d +0\.0 % +40\.0 %"
like "too few trials" "$(cat shares.txt)" "small: 2 trials, minimize err"$'\n'"\(2 complete trials: too few to tell, 10 are needed\)"
like "no metric" "$(cat shares.txt)" "plain: 1 trial"$'\n'"\(no metric: nothing to compare\)"
unlike "one phase" "$("$rs" results --importance --phase look)" "fine:"
is "CSV" "$("$rs" results --importance --csv --phase look | head -n 2 | cut -c 1-9)" $'phase,par\nlook,a,0.'
for bad in "--group a" "--sort a" "--limit 3"; do
    # shellcheck disable=SC2086 # two words
    exits "not with $bad" 64 "$rs" results --importance $bad
done

# ---- incomplete trials and values that are none do not count; equal ones say nothing ------------------------------
cat >flat.yaml <<'YAML'
study: flat
seed: 1
metric: err
goal: minimize
phases:
  a:
    command: sh -c 'test $0 != 0 || exit 3; echo "@metric err=1"' {x}
    params: {x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], y: [1, 2]}
    search: grid
YAML
exits "two of 22 trials fail" 1 run flat.yaml
like "all alike: nothing is told" "$("$rs" results flat.db --importance)" "no parameter is told from chance"
is "and shares are 0" "$("$rs" results flat.db --importance --json | jq -c '[.importance[].share]')" '[0,0]'
sql flat.db "update trial set state = 'failed' where trial > 11"
like "those that count are counted" "$("$rs" results flat.db --importance)" "[89] complete trials: too few"

# ---- outer folds are compared by places: that one of them is harder says nothing ----------------------------------
cat >nest.yaml <<'YAML'
study: nest
seed: 1
metric: err
goal: minimize
folds: {outer: 2, inner: 2}
phases:
  a:
    command: sh -c 'echo "@metric err=$(($0 * $2 + 100 * $2))"' {x} {y} {outer_fold}
    params: {x: [0, 1, 2, 3], y: [1, 2, 3]}
    search: grid
YAML
exits "nested" 0 run nest.yaml
"$rs" results nest.db --importance --json >shares.json
is "the parameter that matters in the harder one" "$(share a x)" 100

# ---- scheduled jobs: numbers have an order, other texts are choices ------------------------------------------------
echo 'echo "@metric err=${1#1e-}"' >job.sh
exits "jobs" 0 "$rs" schedule jobs.db --command 'sh job.sh {lr}' phase=train metric=err goal=minimize \
    'lr=1e-{{1,2,3,4,5,6}}' 'opt={{sgd,adam,none}}' fixed=3
exits "they run" 0 run jobs.db
"$rs" results jobs.db --importance --json >shares.json
between "the one that matters" 95 100 "$(share train lr)"
is "a parameter with one value is not listed" "$(jq -c '[.importance[].parameter] | sort' shares.json)" '["lr","opt"]'
done_testing
