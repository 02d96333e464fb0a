#!/usr/bin/env bash
# Verbs, options, help; and check, which needs no run.
. tests/lib/tap.sh

verbs="run check schedule status monitor list show log results best graph reset cancel hold release delete priority help version"
exits "no verb" 64 "$rs"
exits "help" 0 "$rs" help
for verb in $verbs; do
    like "$verb is listed" "$("$rs" --help)" $'\n'"  $verb "
    exits "$verb --help" 0 "$rs" "$verb" --help
    like "it shows how" "$(cat out)" "usage: ranksweep $verb"
    exits "help $verb" 0 "$rs" help "$verb"
done
like "--version" "$("$rs" --version)" "^ranksweep [0-9]+\.[0-9]+"
exits "an unknown verb" 64 "$rs" staus
like "the nearest is named" "$(cat err)" "did you mean .status."
exits "what others call it" 64 "$rs" resume s.yaml
like "is understood" "$(cat err)" "did you mean .run."
exits "nothing stops a run but a signal" 64 "$rs" stop
like "and that is said" "$(cat err)" "TERM"
for verb in watch serve; do
    exits "$verb is no verb yet" 64 "$rs" "$verb"
done
exits "an unknown option" 64 "$rs" results --jsn
like "the nearest is named" "$(cat err)" "did you mean .--json."
exits "an option without its value" 64 "$rs" results --limit
exits "a value that is no number" 64 "$rs" list --limit many
exits "a flag with a value" 64 "$rs" list --json=yes
exits "no unit" 64 "$rs" show

cat >s.yaml <<'YAML'
study: s
metric: err
goal: minimize
folds: 5
defaults: {timeout: 1m}
phases:
  pre:
    command: true --lr {lr} --act {act} --save {dir}/x --fold {fold}
    params: {lr: "log(1e-3, 1)", act: [relu, "it's"]}
    trials: 4
  fine:
    after: pre
    command: true --load {pre.dir}/x --lr {pre.lr} {args}
    params: {wd: [1, 2]}
    trials: 2
  last:
    after: {fine: best}
    folds: none
    command: true {fine.best_step} {wd} {params}
    metric: none
YAML
"$rs" check s.yaml --json >plan.json
is "check: units of each phase and in all" "$(jq -c '[.phases[].units, .units]' plan.json)" '[20,40,1,61]'
is "auto is resolved" "$(jq -c '[.phases[] | [.search, .auto]]' plan.json)" '[["auto",true],["grid",true],[null,false]]'
like "and shown" "$("$rs" check s.yaml)" "auto -> grid"
like "the first command line" "$(jq -r '.phases[0].command' plan.json)" "^true --lr 0\.[0-9]+ --act .* --save s.out/dir/pre/t1/f0/x --fold 0$"
like "below a parent" "$(jq -r '.phases[1].command' plan.json)" "^true --load s.out/dir/pre/t1/f0/x --lr 0\.[0-9]+ --wd 1$"
is "no warning" "$(jq -c .warnings plan.json)" '[]'
is "nothing was written" "$(ls)" "$(printf 'err\nout\nplan.json\ns.yaml')"

sed 's/trials: 4/trials: 1000000000/; s/command: true --lr/command: no-such-program --lr/; /timeout/d' s.yaml >big.yaml
is "a billion trials take no time" "$(timeout 20 "$rs" check big.yaml --json | jq .units)" 15000000001
like "a program that is not there" "$("$rs" check big.yaml)" "warning: phase pre: no program .no-such-program."
like "nothing that ends a unit that hangs" "$("$rs" check big.yaml)" "warning: no timeout"

sed 's/goal: minimize/goal: minimise/; s/lr: "log(1e-3, 1)"/lr: "log(1, 1e-3)"/' s.yaml >bad.yaml
exits "a wrong study" 65 "$rs" check bad.yaml
is "all errors, each with its place" "$(grep -cE '^bad.yaml:[0-9]+:[0-9]+: ' err)" 2
is "and nothing else on stdout" "$(cat out)" ""
sed 's/    trials: 4/    trials: 4\n    require: [lr > 2]/' s.yaml >empty.yaml
exits "a space without a feasible point" 65 timeout 60 "$rs" check empty.yaml
like "says which phase" "$(cat err)" "phase .pre."
exits "no such file" 74 "$rs" check nosuch.yaml

done_testing
