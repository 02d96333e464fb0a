#!/usr/bin/env bash
# M5. The results as tables: sorted by any parameter, grouped by the values of one, and as CSV for other tools.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: table
metric: err
goal: minimize
folds: 2
phases:
  train:
    command: sh -c 'echo "@metric err=$(($1 * 10 + $2 + RANKSWEEP_FOLD))"' sh {nh} {l2}
    params: {nh: [3, 1, 2], l2: [6, 5], note: ['a, "b"']}
    search: grid
END
exits "six trials in two folds" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "sorted by a parameter" "$(trials table.db -s nh | jq -c '[.[].params.nh]')" "[1,1,2,2,3,3]"
exits "grouped by one" 0 "$rs" results table.db -g nh --json
is "a line for each value, the best first" "$(jq -c '[.groups[] | [.group.nh, .trials, .best, .mean]]' out)" "[[1,2,15.5,16],[2,2,25.5,26],[3,2,35.5,36]]"
exits "as CSV" 0 "$rs" results table.db --csv
if command -v python3 >/dev/null; then
    is "which other tools read" "$(python3 -c '
import csv, sys
rows = list(csv.DictReader(open("out")))
print(len(rows), rows[0]["nh"], rows[0]["note"])')" '6 1 a, "b"'
else
    like "which has a title" "$(head -n 1 out)" "nh"
fi
exits "an unknown name is a mistake" 64 "$rs" results table.db -g nosuch
done_testing
