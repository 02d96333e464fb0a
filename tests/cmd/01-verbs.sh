#!/usr/bin/env bash
# What the reading verbs say of a study that has run: one rank, so no mpirun.
. tests/lib/tap.sh

cat >pre.sh <<'SH'
echo "to out"
echo "@metric err=0.$1 step=1"
case $1 in
7) echo "@metric err=nan step=2" ;;
8) echo "no luck" >&2 && exit 3 ;;
esac
SH
cat >two.yaml <<'YAML'
study: two
seed: 3
metric: err
goal: minimize
folds: 3
defaults: {timeout: 1m}
phases:
  pre:
    command: sh pre.sh {lr}
    params: {lr: [5, 6, 7, 8]}
    search: grid
  fine:
    after: pre
    command: sh -c 'echo "@metric err=0.$0"$1"9 step=4"; echo "@metric err=0.$0$1 step=2"' {pre.lr} {wd}
    params: {wd: [1, 2, 3]}
    search: grid
  last:
    after: {fine: best}
    folds: none
    command: echo {wd} {fine.best_step} @metric test=0.5
    capture: {test: "test=(.*)"}
    metric: test
YAML

exits "the study ends with failures" 1 "$rs" run two.yaml --ranks 1 --progress none
like "the end names the winner" "$(cat out)" "fine +err +0.51"
like "the end says what failed, and how" "$(cat out)" "pre: 3 units failed \(exit 3\), such as unit [0-9]+: no luck"
like "a metric that is no number is a failure of its own" "$(cat out)" "pre: 3 units failed \(bad_metric\)"
like "and what cannot run" "$(cat out)" "fine: 18 units blocked"

# ---- results and best
"$rs" results --json >results.json
is "results --json is JSON with all trials" "$(jq '.trials | length' results.json)" 17
is "the best of a phase has rank 1" "$(jq -c '[.trials[] | select(.phase == "fine" and .rank == 1) | .params]' results.json)" \
    '[{"wd":1,"lr":5}]'
is "what is incomplete has no rank" "$(jq -c '[.trials[] | select(.complete | not) | .rank] | unique' results.json)" '[null]'
is "and comes last" "$(jq -c '[.trials[] | select(.phase == "pre") | .complete]' results.json)" '[true,true,false,false]'
like "the table marks it" "$("$rs" results --phase pre)" "- +[0-9]+ +incomplete \(failed\) +0/3"
like "a limit says how many more" "$("$rs" results --phase fine --limit 2)" "\.\.\. 10 more"
is "best is one trial with its parameters" "$("$rs" best --json | jq -c '.[] | [.phase, .value, .params.wd, .params.lr]')" \
    '["last",0.5,1,5]'
is "best of a phase, several" "$("$rs" best --phase fine -n 3 --json | jq -c '[.[].value]')" '[0.51,0.52,0.53]'
exits "no such phase" 64 "$rs" best --phase fien
like "the nearest is named" "$(cat err)" "did you mean .fine."

# ---- status
"$rs" status --json >status.json
is "status counts by phase" "$(jq -c '[.phases[] | [.phase, .done, .failed, .blocked, .planned]]' status.json)" \
    '[["pre",6,6,0,0],["fine",18,0,18,0],["last",1,0,0,0]]'
is "and knows the run" "$(jq -c '[.run.live, .run.run, .run.units_done]' status.json)" '[false,1,25]'
like "the table shows it" "$("$rs" status)" "fine +18 +- +18 +36"

# ---- list
is "list by state" "$("$rs" list state=failed --json | jq length)" 6
is "by phase and fold" "$("$rs" list phase=fine fold=1 --json | jq length)" 12
is "by parameter: what a trial itself knows by that name" "$("$rs" list lr=5 --json | jq length)" 13
is "of an ancestor phase" "$("$rs" list pre.lr=5,6 phase=fine --json | jq length)" 18
is "a limit" "$("$rs" list --limit 4 --json | jq length)" 4
is "nothing matches: an empty array" "$("$rs" list unit=4711 --json | jq -c .)" '[]'
is "a value is never SQL" "$("$rs" list "lr=5' OR '1'='1" --json | jq length)" 0
exits "an unknown key" 64 "$rs" list stat=done
like "the nearest is named" "$(cat err)" "did you mean .state."

# ---- show and log
unit=$(sql two.db "select min(unit) from units where phase = 'fine' and state = 'done' and fold = 2")
"$rs" show "$unit" --json >show.json
is "show: lineage up to the root" "$(jq -c '[.lineage[].phase]' show.json)" '["fine","pre"]'
is "the parent of the same fold" "$(jq -c '[.parents[] | [.phase, .fold]]' show.json)" '[["pre",2]]'
is "the step of the best value" "$(jq .best_step show.json)" 2
like "the command line" "$(jq -r '.attempts[0].command' show.json)" "^sh -c "
like "for people" "$("$rs" show two.db "$unit")" "phase fine, trial [0-9]+, fold 2"
failed=$(sql two.db "select min(unit) from units where reason = 'exit'")
is "log: both streams" "$("$rs" log "$failed" | grep -c -e 'to out' -e 'no luck')" 2
is "log --stderr" "$("$rs" log "$failed" --stderr)" "no luck"
is "log --stdout" "$("$rs" log "$failed" --stdout | head -n 1)" "to out"
is "log -f ends with a unit that is done" "$("$rs" log "$failed" -f --stderr)" "no luck"
is "log --json" "$("$rs" log "$failed" --json | jq -r '.[] | select(.stream == "stderr").text')" "no luck"
exits "no such attempt" 64 "$rs" log "$failed" --attempt 9
exits "no such unit" 64 "$rs" log 4711
blocked=$(sql two.db "select min(unit) from units where state = 'blocked'")
exits "nothing to print of what never began" 0 "$rs" log "$blocked"
like "but it says so" "$(cat err)" "has not begun"
log=$(ls two.out/log/*.log)
head -c 40 "$log" >"$tmp/short" && cp "$tmp/short" "$log"
exits "an output file that was cut" 74 "$rs" log "$unit"

# ---- graph
like "graph of phases" "$("$rs" graph)" '"pre" -> "fine"'
is "graph of units has an edge for each" "$("$rs" graph --level unit --json | jq '.edges | length')" \
    "$(sql two.db 'select count(*) from edges')"
is "graph of trials" "$("$rs" graph --level trial --json | jq '[.nodes, .edges] | map(length)' -c)" '[17,13]'
if command -v dot >/dev/null; then
    ok "Graphviz reads it" sh -c "'$rs' graph --level trial | dot -Tsvg"
else
    skip "Graphviz reads it" "no dot here"
fi

# ---- which database
is "the study file names it too" "$("$rs" best two.yaml --json | jq length)" 1
is "and so does its name" "$("$rs" best two --json | jq length)" 1
cp two.db other.db
exits "two of them: which?" 64 "$rs" status
like "both are named" "$(cat err)" "2 ranksweep databases .*(two.db, other.db|other.db, two.db)"
rm other.db
exits "none of that name" 74 "$rs" status nosuch.db
echo "this is no database, but long enough to be one" >fake.db
exits "a file that is none" 74 "$rs" status fake.db
sqlite3 foreign.db 'create table t(x)'
exits "somebody else's" 74 "$rs" status foreign.db
rm fake.db
is "is not taken for ours" "$("$rs" best --json | jq length)" 1

# ---- output
exec {pipe}> >(true)
wait $!
"$rs" list 1>&"$pipe" 2>err
is "a reader that is gone ends it like any filter" "$?" 141
is "without a word" "$(cat err)" ""
exits "a full disk is one" 74 sh -c "'$rs' list >/dev/full"
is "no colour in a file" "$("$rs" list | grep -c $'\033')" 0

done_testing
