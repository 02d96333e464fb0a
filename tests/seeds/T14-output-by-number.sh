#!/usr/bin/env bash
# Trap 14. Log files were named by a hash that nobody found again. Now a job's number is enough to print what it wrote,
# and in which file that is; and what is looked for in the output leads to the number.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: logs
metric: m
goal: minimize
folds: 2
phases:
  a:
    command: sh -c 'echo "this is {x}, fold {fold}"; echo "and its stderr" >&2; echo "@metric m={x}"'
    params: {x: [7, 8, 9]}
    search: grid
END
exits "six jobs over two workers" 0 timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none
wrong=
for unit in 1 2 3 4 5 6; do
    says="this is $((7 + (unit - 1) / 2)), fold $(((unit - 1) % 2))"
    [ "$("$rs" log logs.db $unit --stdout | head -n 1)" = "$says" ] || wrong="$wrong $unit"
    file=$("$rs" show logs.db $unit --json | jq -r '.output[0]')
    grep -aq "$says" "$file" || wrong="$wrong $unit:$file"
done
is "each job's output by its number, and the file it is in" "$wrong" ""
is "stderr alone" "$("$rs" log logs.db 3 --stderr)" "and its stderr"
like "the file's name for people" "$("$rs" show logs.db 3)" "logs\.out/log/run1-rank[12]\.log"
is "from parameters to the number" "$("$rs" list logs.db x=9 fold=1 --json | jq .[0].unit)" 6
is "no file for each job" "$(find logs.out/log -type f | wc -l)" 2
done_testing
