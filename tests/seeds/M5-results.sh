#!/usr/bin/env bash
# M5. The results can be looked at without another tool. That works when tables sort and select, JSON goes to other
# programs, names come out as they went in, and a missing metric or NaN never wins.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
case $1 in
sgd) e=0.3 ;;
adam) e=0.1 ;;
broken) e=nan ;;
silent) exit 0 ;;
rmsprop) e=0.2 ;;
below) e=-inf ;;
esac
echo "@metric valid.error_rate=$e valid/top-5=0.9"
END
cat >s.yaml <<'END'
study: looks
metric: valid.error_rate
goal: minimize
phases:
  train:
    command: sh train.sh {optim.name} {weight_decay} {n-hidden}
    params: {optim.name: [sgd, adam, broken, silent, rmsprop, below], weight_decay: [1e-3], n-hidden: [20]}
    search: grid
END
exits "six trials, three of them without a usable number" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
names() { jq -c '[.[].params["optim.name"]]'; }
is "the best first" "$(trials looks.db | jq -c '[.[] | select(.rank != null) | [.rank, .value, .params["optim.name"]]]')" \
    '[[1,0.1,"adam"],[2,0.2,"rmsprop"],[3,0.3,"sgd"]]'
is "what has no number has no rank, and is last" "$(trials looks.db | jq -c '[.[3:][] | .rank]')" '[null,null,null]'
is "or in the order of the trials" "$(trials looks.db -s trial | names)" '["sgd","adam","broken","silent","rmsprop","below"]'
is "so many of them" "$(trials looks.db -n 2 | names)" '["adam","rmsprop"]'
is "the best one" "$("$rs" best looks.db --json | names)" '["adam"]'
is "never more than there are" "$("$rs" best looks.db -n 9 --json | names)" '["adam","rmsprop","sgd"]'
is "names as they were" "$("$rs" best looks.db --json | jq -c '.[0].params | keys')" '["n-hidden","optim.name","weight_decay"]'
table=$("$rs" results looks.db)
like "in the table too" "$table" "rank +trial .*valid.error_rate +optim.name"
like "which has the best in its first line" "$(sed -n 3p <<<"$table")" "^ *1 +2 .*0\.1 +adam"
is "a value with its number of digits, for a shell" "$("$rs" list looks.db optim.name=rmsprop --json | jq .[0].value)" 0.2
is "SQL has them all" "$(sql "file:looks.db?mode=ro" "select name, value from metrics where unit=1 order by 1" | tr '\n' ' ')" "valid.error_rate|0.3 valid/top-5|0.9 "
done_testing
