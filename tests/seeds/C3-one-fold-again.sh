#!/usr/bin/env bash
# C3. Relaunch folds, one by one. That works when resetting one fold runs that fold again and no other, and then what was
# made of all folds: mean, pick, and what came after.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$RANKSWEEP_PHASE $1 $RANKSWEEP_FOLD" >>ran
case $1.$RANKSWEEP_FOLD in
a.*) e=2 ;;
b.1) e=$(cat third) ;; # what is wrong at first
b.*) e=1 ;;
esac
echo "@metric err=$e"
END
cat >s.yaml <<'END'
study: fold
metric: err
goal: minimize
folds: 3
phases:
  search: {command: 'sh job.sh {x}', params: {x: [a, b]}, search: grid}
  final: {after: {search: best}, folds: none, command: 'sh job.sh {x}', metric: none}
END
run=(timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none)
echo 10 >third
exits "a study with one wrong fold" 0 "${run[@]}"
is "whose mean loses" "$(sql fold.db "select json_extract(params, '$.x'), value from trials where phase='search' order by value" | tr '\n' ' ')" "a|2.0 b|4.0 "
is "so the other one is used" "$(tail -n 1 ran)" "final a -1"
: >ran
echo 1 >third
ok "one fold is reset" "$rs" reset fold.db phase=search x=b fold=1
exits "and run" 0 "${run[@]}"
is "it alone, and what hangs on all folds" "$(cat ran)" "search b 1
final b -1"
is "the mean is of the new value" "$(sql fold.db "select value, folds_done from trials where phase='search' and json_extract(params, '$.x')='b'")" "1.0|3"
is "the pick is made anew" "$("$rs" best fold.db -p search --json | jq -r '.[0].params.x') $(sql fold.db "select json_extract(t.params, '$.x') from picks p join trials t using (trial)")" "b b"
is "no other fold has another attempt" "$(sql fold.db "select count(*) from units where phase='search' and attempts > 1")" 1
done_testing
