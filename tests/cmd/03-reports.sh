#!/usr/bin/env bash
# What results, show and the end of a run say of phases, folds and picks: one rank, so no mpirun.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

run() { "$rs" run "$1" --ranks 1 --progress none; }

# ---- nested cross-validation ----------------------------------------------------------------------------------
# Value of parameter c in outer fold o, inner fold f, planted: c = o is the best there, at 0.1 (o + 1) -+ 0.01.
cat >inner.sh <<'SH'
o=$RANKSWEEP_OUTER_FOLD
[ "$o" -ge 0 ] || o=3
[ "$1" = "$o" ] && v=$((100 * (o + 1) - 10 + 20 * RANKSWEEP_FOLD)) || v=90$1
echo "@metric loss=$(printf 0.%03d $v) step=$((4 * RANKSWEEP_FOLD + 2))"
SH
cat >nest.yaml <<'YAML'
study: nest
seed: 1
metric: loss
goal: minimize
folds: {outer: 3, inner: 2, full: true}
phases:
  look:
    command: sh inner.sh {c}
    params: {c: [0, 1, 2, 3]}
    search: grid
  middle:
    after: {look: best}
    folds: outer
    command: "true"
    metric: none
  judge:
    after: middle
    folds: outer
    command: sh -c 'test $0 != 1 -o -e ok && echo "@metric score=$((4 * $0 + 2))"' {outer_fold}
    metric: score
  keep:
    after: {look: best}
    folds: none
    command: sh -c 'echo "@metric score=1"; echo "steps $0"' {look.best_step}
    metric: score
YAML
exits "an outer unit fails" 1 run nest.yaml
like "an estimate over some of the outer folds is marked" "$(cat out)" "outer: judge +score +6 +5\.65685 +2/3 incomplete +2 +10"
like "beside that of all the inner searches" "$(cat out)" "inner: look picked for middle +loss +0\.2 +0\.1 +3 +0\.1 +0\.3"
is "in JSON too" "$("$rs" results nest.db --json | jq -c '.outer[] | [.phase, .n, .outer_folds, .complete, .mean]')" '["judge",2,3,false,6]'
: >ok
sed -i 's/^seed: 1/seed: 1\ndefaults: {retries: 3}/' nest.yaml
exits "with more retries it goes on" 0 run nest.yaml
like "the estimate: mean, sd, n, least and largest over the outer folds" "$(cat out)" "outer: judge +score +6 +4 +3 +2 +10"
like "the table of the winners calls the full search by its name" "$(cat out)" "look +full +loss +0\.4 "
"$rs" results nest.db --json >results.json
is "outer estimate in JSON" "$(jq -c '.outer[0] | [.phase, .metric, .n, .complete, .mean, .sd, .min, .max, [.folds[].value]]' results.json)" \
    '["judge","score",3,true,6,4,2,10,[2,6,10]]'
is "and what the searches believed" \
    "$(jq -c '.outer[0].inner[] | [.phase, .for_phase, .n, (.mean * 1000 | round), (.sd * 1000 | round), [.folds[] | (.value * 1000 | round)]]' results.json)" \
    '["look","middle",3,200,100,[100,200,300]]'
is "only phases that test on outer folds have one" "$(jq '.outer | length' results.json)" 1
like "results say it below the phase" "$("$rs" results nest.db --phase judge)" "outer: judge .*"$'\n'"inner: look picked for middle"
unlike "and only there" "$("$rs" results nest.db --phase look)" "outer:"
is "the mean of the folds' best steps is handed on" "$("$rs" log nest.db "$(sql nest.db "select unit from units where phase = 'keep'")" --stdout | tail -n 1)" "steps 4"

# Several winners in an outer fold: their mean counts for it, choosing would spoil the estimate.
cat >three.yaml <<'YAML'
study: three
seed: 1
metric: loss
goal: maximize
folds: {outer: 2, inner: 2}
phases:
  pre:
    command: sh -c 'echo "@metric loss=9"'
  look:
    after: pre
    command: sh -c 'echo "@metric loss=$0"' {c}
    params: {c: [1, 2, 3, 4]}
    search: grid
  judge:
    after: {look: best 2}
    folds: outer
    command: sh -c 'echo "@metric loss=$(($0 + 10 * $1))"' {c} {outer_fold}
YAML
exits "two winners in each outer fold" 0 run three.yaml
like "the mean of each fold's trials" "$(cat out)" "outer: judge, each the mean of 2 +loss +8\.5 .* 2 +3\.5 +13\.5"
like "and of each fold's winners" "$(cat out)" "inner: look picked for judge, each the mean of 2 +loss +3\.5 +0 +2 "
unlike "a phase of which nothing is picked has no part in it" "$(cat out)" "inner: pre"

# ---- lineage ----------------------------------------------------------------------------------------------------
final=$(sql nest.db "select unit from units where phase = 'keep'")
"$rs" show nest.db "$final" --json >show.json
is "lineage of a final model: up to the root, in its own search" "$(jq -c '[.lineage[] | [.phase, .outer_fold, .params]]' show.json)" \
    '[["keep",-1,{}],["look",-1,{"c":3}]]'
is "how it was picked: which of how many, with what value" "$(jq -c '.lineage[1].picks' show.json)" \
    "[{\"for_phase\":\"keep\",\"for_trial\":$(jq .trial show.json),\"rank\":1,\"of\":4,\"value\":0.4,\"per\":null}]"
like "for people" "$("$rs" show nest.db "$final")" "look +full +done +loss +0\.4 +0\.0141421 +2 +best of 4 for keep +c=3"
outer=$(sql nest.db "select unit from units where phase = 'judge' and outer_fold = 1")
is "through a phase between, in its outer fold" "$("$rs" show nest.db "$outer" --json | jq -c '[.lineage[] | [.phase, .outer_fold, .value, .params.c, .picks[].for_phase]]')" \
    '[["judge",1,6,null],["middle",1,null,null],["look",1,0.2,1,"middle"]]'

cat >fan.yaml <<'YAML'
study: fan
seed: 1
metric: err
goal: minimize
folds: 2
phases:
  pre:
    command: sh -c 'echo "@metric err=0.$0"' {lr}
    params: {lr: [5, 6, 7], act: [relu, tanh]}
    search: grid
  data:
    command: sh -c 'echo "@metric err=1"'
    metric: none
    params: {size: [10, 20]}
    search: grid
  fine:
    after: [pre, data]
    command: sh -c 'echo "@metric err=0.$0$1"' {pre.lr} {wd}
    params: {wd: [1, 2]}
    search: grid
  together:
    after: {fine: best 12 as one}
    folds: none
    command: sh -c 'echo "@metric err=0.1" $#' {fine.dirs}
    metric: none
  per:
    after: {fine: best 2 per act}
    folds: none
    command: sh -c 'echo "@metric err=0.3"'
YAML
exits "fan-in" 0 run fan.yaml
"$rs" show fan.db phase=together --json >show.json
is "each of the parents, in the order they were picked in" \
    "$(jq -c '[.lineage[] | select(.phase == "fine") | .picks[0] | [.rank, .of]] | [.[0], .[1], .[11]]' show.json)" "[[1,24],[2,24],[12,24]]"
is "all of them" "$(jq '[.lineage[] | select(.phase == "fine")] | length' show.json)" 12
is "and who comes after whom" "$(jq -c '.lineage[0].after == ([.lineage[] | select(.phase == "fine") | .trial] | sort)' show.json)" true
is "the product of two phases comes after both" "$(jq -c '[.lineage[] | select(.phase == "fine") | .after | length] | unique' show.json)" '[2]'
"$rs" show fan.db phase=together >show.txt
like "the table has the first ten of a phase" "$(cat show.txt)" "10th best of 24 for together"
unlike "and no more" "$(cat show.txt)" "11th best"
like "it says how many more there are" "$(cat show.txt)" "\.\.\. 2 more of fine"
like "and of the units before it" "$(cat show.txt)" "\.\.\. 4 more \(--json has all\)"
per=$(sql fan.db "select for_trial from picks where for_phase = 'per' and bucket = 1 and rank = 1")
is "among those with the same value: best 2 per act" "$("$rs" show fan.db trial="$per" --json | jq -c '.lineage[1].picks[0] | [.rank, .of, .per.act]')" '[2,12,"tanh"]'
like "for people" "$("$rs" show fan.db trial="$per")" "2nd best of 12 with act=tanh for per"

# A pick that was made stays made: what came later was not among the candidates.
sed -i 's/lr: \[5, 6, 7\]/lr: [5, 6, 7, 8]/' fan.yaml
exits "a larger grid" 0 "$rs" run fan.yaml --ranks 1 --progress none --accept
is "more trials than the pick chose from" "$("$rs" results fan.db --json | jq '.phases[] | select(.phase == "fine").ranked')" 32
is "the pick still says how many there were" "$("$rs" show fan.db phase=together --json | jq -c '[.lineage[] | select(.phase == "fine") | .picks[0].of] | unique')" '[24]'

# ---- which unit, which trial ------------------------------------------------------------------------------------
trial=$(sql fan.db "select min(trial) from trials where phase = 'fine'")
"$rs" show fan.db trial="$trial" --json >trial.json
is "a trial of several folds is shown with them" "$(jq -c '[.trial, .folds_done, .folds, [.units[].fold]]' trial.json)" "[$trial,2,2,[0,1]]"
like "for people" "$("$rs" show fan.db trial="$trial")" "trial $trial: phase fine"$'\n\n'"state +done, 2 of 2 folds done"$'\n'"value +err = 0\.[0-9]+ \(mean\), sd 0, min"
is "a selector for one unit shows that" "$("$rs" show fan.db trial="$trial" fold=1 --json | jq -c '[.trial, .fold]')" "[$trial,1]"
exits "for several trials it says so" 64 "$rs" show fan.db phase=fine
like "and how many" "$(cat err)" "64 units of 32 trials"
exits "for none too" 64 "$rs" show fan.db trial=4711
like "best names the unit of a trial that has one" "$("$rs" best nest.db)" "keep: trial [0-9]+ \(unit $final\), score = 1"

# ---- by parameters ----------------------------------------------------------------------------------------------
"$rs" results fan.db --phase fine --group lr --json >groups.json
is "by a parameter" "$(jq -c '[.groups[] | [.group.lr, .trials, .complete, .best]]' groups.json)" '[[5,8,8,0.51],[6,8,8,0.61],[7,8,8,0.71],[8,8,8,0.81]]'
is "mean and sd over its trials" "$(jq -c '.groups[0] | [(.mean * 1000 | round), (.sd * 1e6 | round), .min, .max]' groups.json)" '[515,5345,0.51,0.52]'
is "by two, one of them another phase's" "$("$rs" results fan.db --phase fine --group pre.lr,wd --json | jq -c '.groups | length')" 8
like "for people" "$("$rs" results fan.db --phase fine --group wd)" "wd +trials +complete +best trial +best +mean +sd +min +max"$'\n'" +1 +16 +16 +"
is "within an outer fold only" "$("$rs" results nest.db --group c --phase look --json | jq -c '[.groups[] | select(.group.c == 0) | [.outer_fold, .trials]]')" '[[-1,1],[0,1],[1,1],[2,1]]'
exits "by none there is" 64 "$rs" results fan.db --group wdd
like "the nearest is named" "$(cat err)" "did you mean .wd."
is "sorted by a parameter" "$("$rs" results fan.db --phase fine --sort wd --json | jq -c '[.trials[].params.wd] == ([.trials[].params.wd] | sort)')" true
is "the rank stays the value's" "$("$rs" results fan.db --phase fine --sort wd --limit 1 --json | jq -c '[.trials[] | [.rank, .value]]')" '[[1,0.51]]'
exits "sorted by none there is" 64 "$rs" results fan.db --sort wdd

# ---- CSV --------------------------------------------------------------------------------------------------------
"$rs" results fan.db --csv >all.csv
is "CSV: a column for each parameter of any phase" "$(head -n 1 all.csv)" \
    "phase,rank,trial,outer_fold,state,complete,folds_done,folds,value,sd,min,max,first_unit,lr,act,size,wd"
is "a line for each trial" "$(wc -l <all.csv)" "$(($(sql fan.db 'select count(*) from trials') + 1))"
like "an empty field where there is no value" "$(grep '^data' all.csv | head -n 1)" '^data,,[0-9]+,-1,done,true,2,2,,,,,[0-9]+,,,10,$'
is "SQLite reads it" "$(sqlite3 :memory: '.import --csv all.csv t' "select count(*), min(value + 0.0) from t where phase = 'fine'")" "32|0.51"

# ---- names, many of them, numbers that are none -------------------------------------------------------------------
{
    echo 'study: many'
    echo 'seed: 1'
    echo 'metric: valid/err.top-1_x'
    echo 'goal: minimize'
    echo 'folds: 2'
    echo 'phases:'
    echo '  a:'
    echo '    command: sh many.sh {fold} {args}'
    echo '    search: grid'
    echo '    params:'
    echo '      how: [ok, nan, inf, minus]'
    for i in $(seq 100); do echo "      net.layer-$i.w_d: [0.$i]"; done
} >many.yaml
cat >many.sh <<'SH'
line=@metric
for i in $(seq 100); do line="$line m_$i.a-b/c=$i"; done
echo "$line step=1"
echo "@metric m_1.a-b/c=nan m_2.a-b/c=-inf step=2"
case $3 in
ok) echo "@metric valid/err.top-1_x=0.$((5 + $1))" ;;
nan) echo "@metric valid/err.top-1_x=nan" ;;
inf) echo "@metric valid/err.top-1_x=inf" ;;
minus) [ "$1" = 0 ] && echo "@metric valid/err.top-1_x=-inf" || echo "@metric valid/err.top-1_x=0.001" ;;
esac
SH
exits "a hundred parameters and a hundred metrics" 1 run many.yaml
is "NaN and infinities never win" "$("$rs" best many.db --json | jq -c '[.[] | [.value, .params.how]]')" '[[0.55,"ok"]]'
is "nor have they a rank" "$("$rs" results many.db --json | jq -c '[.trials[] | [.rank, .params.how]]')" '[[1,"ok"],[null,"nan"],[null,"inf"],[null,"minus"]]'
like "an incomplete trial with the smallest value is marked" "$("$rs" results many.db)" "- +[0-9]+ +incomplete \(failed\) +1/2 +0\.001 "
is "parameters: all of them, unmangled" "$("$rs" results many.db --json | jq -c '.trials[0].params | [length, ."net.layer-77.w_d"]')" '[101,0.77]'
unit=$(sql many.db "select min(unit) from units where state = 'done'")
"$rs" show many.db "$unit" --json >show.json
is "metrics: all of them, unmangled" "$(jq -c '[.metrics[] | select(.metric | test("^m_[0-9]+.a-b/c$"))] | length' show.json)" 100
is "NaN and infinities go in and out as texts" "$(jq -c '[.metrics[:2][] | [.n, .not_finite, .min, .max, .last]]' show.json)" '[[2,1,1,1,"nan"],[2,1,2,2,"-inf"]]'
is "in the view NaN is a text, so that it is not lost" "$(sql many.db "select typeof(value), value from metrics where unit = $unit and name = 'm_1.a-b/c' and step = 2")" "text|nan"
is "in the views too" "$(sql many.db "select count(*), count(distinct name) from params where trial = (select trial from units where unit = $unit)")" "101|101"
is "list" "$("$rs" list many.db net.layer-7.w_d=0.7 how=ok --json | jq -c '[length, (.[0].params | length)]')" '[2,101]'
is "best, for people" "$("$rs" best many.db | grep -c 'net\.layer-[0-9]*\.w_d  *0\.')" 100
is "CSV" "$("$rs" results many.db --csv | head -n 1 | tr , '\n' | grep -c '^net\.layer')" 100

# A trial whose folds are all done has a finite value. Should one ever not have, it would still not win.
cp fan.db odd.db
sql odd.db "update trial set value = 'nan' where trial = $("$rs" best fan.db --phase fine --json | jq '.[0].trial')"
sql odd.db "update trial set value = -9e999 where trial = $("$rs" best fan.db --phase fine -n 2 --json | jq '.[1].trial')"
is "NaN and infinity come last among the complete" "$("$rs" results odd.db --phase fine --json | jq -c '[.trials[] | .rank] | [.[0], .[29], .[30], .[31]]')" '[1,30,null,null]'
is "as they are" "$("$rs" results odd.db --phase fine --json | jq -c '[.trials[30:][] | .value] | sort')" '["-inf","nan"]'

# ---- a fold counts once --------------------------------------------------------------------------------------------
cat >once.sh <<'SH'
# Each fold reports steps 1 and 2; fold 1 fails once, fold 2 dies with the run.
echo "@metric err=0.$RANKSWEEP_FOLD step=1"
[ "$RANKSWEEP_FOLD" != 1 ] || [ "$RANKSWEEP_ATTEMPT" -gt 1 ] || exit 1
[ "$RANKSWEEP_FOLD" != 2 ] || [ -e go ] || { : >here; exec sleep 60; }
echo "@metric err=0.$((RANKSWEEP_FOLD + 1)) step=2"
SH
cat >once.yaml <<'YAML'
study: once
seed: 1
metric: err
goal: minimize
folds: 3
defaults: {retries: 1}
phases:
  a: {command: sh once.sh}
YAML
start "$rs" run once.yaml --ranks 1 --progress none
ok "the others are done, one hangs" wait_sql 30 once.db "select count(*) from units where state = 'done'" 2
is "an incomplete trial has no rank" "$("$rs" results once.db --json | jq -c '.trials[] | [.rank, .complete, .folds_done, .folds]')" '[null,false,2,3]'
like "nor a place in the table" "$("$rs" results once.db)" "- +1 +incomplete \(running\) +2/3 +0\.15 "
kill_tree KILL "$pid"
: >go
exits "the run goes on" 0 run once.yaml
is "five attempts" "$(sql once.db "select count(*) from attempts")" 5
is "three folds" "$("$rs" results once.db --json | jq -c '.trials[] | [.rank, .folds_done, .folds, (.value * 10 | round), (.min * 10 | round), (.max * 10 | round)]')" '[1,3,3,2,1,3]'
is "a step that two attempts reported counts once" "$("$rs" show once.db trial=1 fold=2 --json | jq -c '[(.attempts | length), (.metrics[] | [.metric, .n])]')" '[2,["err",2]]'
done_testing
