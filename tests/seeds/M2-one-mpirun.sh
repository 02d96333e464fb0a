#!/usr/bin/env bash
# M2. One `mpirun -n N` does all the dispatching: rank 0 owns the database, the others pull work from it. That works
# when a thousand jobs of unequal length run once each, and no worker waits while anything is ready.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
case $1 in
0) until [ "$(wc -l <ran)" -ge 999 ]; do sleep 0.02; done ;; # the longest: all others are done before it
*00) sleep 0.1 ;;
*50) sleep 0.03 ;;
esac
echo "$1" >>ran
END
cat >s.yaml <<'END'
study: many
metric: none
phases:
  a: {command: 'sh train.sh {x}', params: {x: "range(0, 1000, 1)"}, search: grid, timeout: 25s}
END
: >ran
exits "a thousand jobs on three workers" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
is "all of them" "$(sort -n ran | tr '\n' ' ' | cksum)" "$(seq 0 999 | tr '\n' ' ' | cksum)"
is "in one attempt each" "$(sql many.db "select state, attempts, count(*) from units group by 1, 2")" "done|1|1000"
# A job that waits in a worker's queue behind the longest one is never started, so the longest never ends.
is "the one with the longest job ran nothing else" "$(sql many.db "select count(*) from units where rank = (select rank from units where unit = 1)")" 1
is "the other two did the rest" "$(sql many.db "select count(distinct rank), count(*) from units where unit > 1")" "2|999"
is "rank 0 gave it out, and ran none" "$(sql many.db "select count(*) from units where rank = 0")" 0
done_testing
