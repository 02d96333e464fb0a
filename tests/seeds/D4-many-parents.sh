#!/usr/bin/env bash
# D4. A job can depend on many at the same time. That works when, of five parents, four are done and the child waits; with
# the fifth it starts, once.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >part.sh <<'END'
[ "$1" != 3 ] || until [ -e go ]; do sleep 0.02; done
echo "part $1" >>log
echo "$1" >"$2/part"
echo "@metric m=$1"
END
cat >s.yaml <<'END'
study: fan
metric: m
goal: minimize
phases:
  part: {command: 'sh part.sh {x} {dir}', params: {x: [1, 2, 3, 4, 5]}, search: grid}
  whole:
    after: {part: best 5 as one}
    command: sh -c 'echo whole >>log; for d; do cat $d/part; done >parts; echo "@metric m=$(wc -l <parts)"' sh {part.dirs}
END
start timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
ok "four of five are done" wait_sql 20 fan.db "select count(*) from units where state='done'" 4
is "nothing has begun that depends on all five" "$(grep -c whole log)" 0
touch go
wait_exit 20 "$pid"
is "with the fifth it goes on by itself" $? 0
is "after the fifth, once" "$(tail -n 2 log | tr '\n' ' ')$(grep -c whole log)" "part 3 whole 1"
is "with all five at hand" "$(sql fan.db "select value from units where phase='whole'")" 5.0
is "it has five parents" "$(sql fan.db "select count(*) from edges")" 5

# The same with folds: what has none comes after all five of them
cat >f.yaml <<'END'
study: folds
metric: m
goal: minimize
folds: 5
phases:
  part:
    command: sh -c '[ $1 != 3 ] || until [ -e go2 ]; do sleep 0.02; done; echo "part $1" >>log2; echo "@metric m=$1"' sh {fold}
  whole:
    after: part
    folds: none
    command: sh -c 'echo whole >>log2; echo "@metric m=1"'
END
start timeout 60 mpirun -n 4 "$rs" run f.yaml --progress none
ok "four of five folds are done" wait_sql 20 folds.db "select count(*) from units where state='done'" 4
is "the one after them waits" "$(sql folds.db "select state, attempts from units where phase='whole'")" "waiting|0"
touch go2
wait_exit 20 "$pid"
is "and is run with the fifth" "$(tail -n 2 log2 | tr '\n' ' ')$(grep -c whole log2)" "part 3 whole 1"
done_testing
