#!/usr/bin/env bash
# R2. Who was picked as the best holds only as long as the candidates: when one of them is reset, the pick is void, and is
# made again from what is there then.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: void
metric: err
goal: minimize
phases:
  search:
    command: sh -c 'echo "@metric err=$(cat value.$1)"' sh {c}
    params: {c: [a, b, c]}
    search: grid
  after:
    after: {search: best}
    command: sh -c 'echo "$1 $2" >>winners; echo "@metric err=0"' sh {c} {search.value}
END
echo 3 >value.a
echo 2 >value.b
echo 5 >value.c
run=(timeout 30 "$rs" run s.yaml --ranks 1 --progress none)
picked() { sql void.db "select json_extract(t.params, '$.c'), p.value from picks p join trials t using (trial)" | tr '\n' ' '; }
exits "one wins" 0 "${run[@]}"
is "b" "$(picked)" "b|2.0 "
echo 1 >value.c
ok "another candidate is reset" "$rs" reset void.db phase=search c=c
is "nobody has won any more" "$(picked)" ""
exits "run again" 0 "${run[@]}"
is "c wins now" "$(picked)" "c|1.0 "
echo 9 >value.c
ok "the winner itself is reset" "$rs" reset void.db phase=search c=c
exits "run again" 0 "${run[@]}"
is "b wins again" "$(picked)" "b|2.0 "
is "what follows ran for each" "$(tr '\n' ',' <winners)" "b 2,c 1,b 2,"
done_testing
