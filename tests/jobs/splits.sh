#!/bin/sh
# Which rows a run may see: folds are disjoint and cover, are stratified, and never hold a test row.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/jobs/check.sh
. "$(dirname "$0")/check.sh"

data=jobs/data/digits.csv
rows=$(wc -l <$data)

# rows_of PART OPTION...: the rows of one part, one a line
rows_of() {
    part=$1
    shift
    jobs/bin/mlp --print-split "$@" | sed -n "s/^$part//p" | tr -s ' ' '\n' | sed '/^$/d'
}

# numbers FILE...: their lines are 0 .. rows-1, each once
all_once() {
    cat "$@" | sort -n | awk -v n="$rows" '$1 != NR - 1 { bad = 1 } END { exit bad || NR != n }'
}

disjoint() {
    [ -z "$(sort "$1" | uniq >"$tmp/a"; sort "$2" | uniq | comm -12 "$tmp/a" -)" ]
}

same_rows() {
    sort "$1" >"$tmp/a"
    sort "$2" | cmp -s "$tmp/a" -
}

# stratified SLACK FILE...: in each class, and in all, the files' counts differ by at most SLACK
stratified() {
    slack=$1
    shift
    awk -F, -v slack="$slack" '
        FILENAME == ARGV[1] { class[FNR - 1] = $NF; next }
        { n[class[$1], FILENAME]++; total[FILENAME]++; classes[class[$1]] }
        function spread(count, c,    i, v, low, high) {
            for (i = 2; i < ARGC; i++) {
                v = c == "" ? count[ARGV[i]] : count[c, ARGV[i]]
                if (i == 2 || v < low) low = v
                if (i == 2 || v > high) high = v
            }
            return high - low
        }
        END {
            for (c in classes) if (spread(n, c) > slack) exit 1
            exit spread(total, "") > slack
        }' "$data" "$@"
}

# ---- folds of the training data -----------------------------------------------------------------------
rows_of test >"$tmp/test"
rows_of train >"$tmp/training"
check "training data and held-out fifth are all rows, each once" all_once "$tmp/test" "$tmp/training"
check "the held-out fifth is a fifth" test $((($(wc -l <"$tmp/test") * 5 - rows) / 5)) -eq 0
for k in 0 1 2 3 4; do
    rows_of valid --nb-cross-fold 5 --id-cross-fold $k >"$tmp/valid$k"
    rows_of train --nb-cross-fold 5 --id-cross-fold $k >"$tmp/train$k"
    check "fold $k: training and validation rows are the rest, each once" \
        all_once "$tmp/train$k" "$tmp/valid$k" "$tmp/test"
    check "fold $k: the run has no test rows" test -z "$(rows_of test --nb-cross-fold 5 --id-cross-fold $k)"
done
check "the five folds are disjoint and cover the training data" \
    all_once "$tmp/valid0" "$tmp/valid1" "$tmp/valid2" "$tmp/valid3" "$tmp/valid4" "$tmp/test"
check "the five folds are stratified" \
    stratified 1 "$tmp/valid0" "$tmp/valid1" "$tmp/valid2" "$tmp/valid3" "$tmp/valid4"
rows_of valid --nb-cross-fold 5 --id-cross-fold 2 --seed 99 >"$tmp/other"
check "the seed of the training moves no row" cmp -s "$tmp/other" "$tmp/valid2"

# ---- without folds -------------------------------------------------------------------------------------
rows_of valid --held-out 0.2 >"$tmp/valid"
rows_of train --held-out 0.2 >"$tmp/train"
check "--held-out: the parts and the test rows are all rows, each once" \
    all_once "$tmp/train" "$tmp/valid" "$tmp/test"
check "--held-out 0.2 is a fifth of the training data" \
    true_of "$(wc -l <"$tmp/valid") / $(wc -l <"$tmp/training") > 0.19 && $(wc -l <"$tmp/valid") / $(wc -l <"$tmp/training") < 0.21"

# ---- outer folds ---------------------------------------------------------------------------------------
for o in 0 1 2; do
    outer="--nb-outer-fold 3 --id-outer-fold $o"
    # shellcheck disable=SC2086 # options, to be split
    {
        rows_of test $outer --nb-cross-fold 4 --id-cross-fold -1 >"$tmp/outer$o"
        rows_of train $outer --nb-cross-fold 4 --id-cross-fold -1 >"$tmp/rest"
        : >"$tmp/validated"
        for k in 0 1 2 3; do
            jobs/bin/mlp --print-split $outer --nb-cross-fold 4 --id-cross-fold $k | tr -s ' ' '\n' |
                grep '^[0-9]' >"$tmp/seen"
            check "outer fold $o, inner fold $k: no test row is seen" disjoint "$tmp/seen" "$tmp/outer$o"
            check "outer fold $o, inner fold $k: all the rest is" same_rows "$tmp/seen" "$tmp/rest"
            rows_of valid $outer --nb-cross-fold 4 --id-cross-fold $k >>"$tmp/validated"
        done
    }
    check "outer fold $o: the inner folds are disjoint and cover the rest" all_once "$tmp/validated" "$tmp/outer$o"
done
check "the outer folds are disjoint and cover all rows" all_once "$tmp/outer0" "$tmp/outer1" "$tmp/outer2"
check "the outer folds are stratified" stratified 1 "$tmp/outer0" "$tmp/outer1" "$tmp/outer2"
rows_of valid --nb-outer-fold 3 --id-outer-fold -1 --nb-cross-fold 5 --id-cross-fold 2 >"$tmp/other"
check "outer fold -1 is the split without outer folds" cmp -s "$tmp/other" "$tmp/valid2"
jobs/bin/mlp --print-split --nb-cross-fold 5 --id-cross-fold 1 >"$tmp/mlp"
jobs/bin/dbn pretrain --print-split --nb-cross-fold 5 --id-cross-fold 1 >"$tmp/pretrain"
jobs/bin/dbn finetune --print-split --nb-cross-fold 5 --id-cross-fold 1 >"$tmp/finetune"
check "pretraining and fine-tuning cut alike" cmp -s "$tmp/pretrain" "$tmp/finetune"
check "and so does the mlp" cmp -s "$tmp/pretrain" "$tmp/mlp"
finish
