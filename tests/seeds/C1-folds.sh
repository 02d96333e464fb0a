#!/usr/bin/env bash
# C1. A data set takes the number of folds and the number of this fold. That works when one word in the study makes
# k jobs with the numbers 0 to k-1 and the same k, both reach the job, and the trainers that come with it honour them:
# the parts to validate on do not overlap, and together they are all the training data.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

ln -s "$top/jobs" jobs
cat >s.yaml <<'END'
study: folds
metric: m
goal: minimize
folds: 4
phases:
  a:
    command: sh -c 'd=$1; shift; "$@" >$d/split; echo "$4 $6" >>told; echo "@metric m=$6"' sh {dir} jobs/bin/mlp --print-split --nb-cross-fold {folds} --id-cross-fold {fold}
    params: {lr: [1, 2]}
    search: grid
  whole:
    after: {a: best}
    folds: none
    command: sh -c 'd=$1; shift; "$@" >$d/split; echo "@metric m=0"' sh {dir} jobs/bin/mlp --print-split --nb-cross-fold {folds} --id-cross-fold {fold}
END
exits "two trials in four folds, then one on all" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "each fold once a trial, of the same number of folds" "$(sort told | uniq -c | tr -s ' ' | tr '\n' ';')" " 2 4 0; 2 4 1; 2 4 2; 2 4 3;"
is "the environment says the same" "$(sql folds.db "select group_concat(fold, ' ') from (select fold from units where trial=1 order by fold)")" "0 1 2 3"
rows() { sed -n "s/^$1//p" "$2" | tr ' ' '\n' | grep '[0-9]' | sort; }
for t in 1 2; do
    for f in 0 1 2 3; do
        rows valid folds.out/dir/a/t$t/f$f/split >valid.$t.$f
        rows train folds.out/dir/a/t$t/f$f/split >train.$t.$f
        is "trial $t, fold $f: no row is both trained on and validated on" "$(comm -12 valid.$t.$f train.$t.$f)" ""
    done
done
rows train folds.out/dir/whole/t3/split >all
ok "there is training data" test "$(wc -l <all)" -gt 1000
is "the folds' parts together are all of it" "$(sort valid.1.* | cmp - all 2>&1)" ""
is "and no row is in two of them" "$(sort valid.1.* | uniq -d)" ""
is "another trial is cut in the same way" "$(cat valid.1.? | cksum)" "$(cat valid.2.? | cksum)"
done_testing
