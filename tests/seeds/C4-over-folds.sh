#!/usr/bin/env bash
# C4. The tools understand cross-validation. That works when mean, deviation and number over the folds are told for each
# configuration, an incomplete set is marked and never ranked as a complete one, and a fold that was tried again counts
# once.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
case $1.$RANKSWEEP_FOLD.$RANKSWEEP_ATTEMPT in
even.*) e=$((RANKSWEEP_FOLD + 4)) ;;                           # 4 5 6
lucky.2.*) exit 1 ;;                                           # 1 2, and never a third
lucky.*) e=$((RANKSWEEP_FOLD + 1)) ;;
again.1.1) echo "@metric err=-90 step=1" && exit 1 ;;          # 2 8 8: the 8 at its second attempt
again.*) e=8 && [ "$RANKSWEEP_FOLD" -gt 0 ] || e=2 ;;
esac
echo "@metric err=$e step=1"
END
cat >s.yaml <<'END'
study: over
metric: err
goal: minimize
folds: 3
phases:
  a: {command: 'sh train.sh {x}', params: {x: [again, lucky, even]}, search: grid, retries: 1}
END
exits "three configurations, one of which lacks a fold" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
trials over.db >r.json
row() { jq -c ".[] | select(.params.x == \"$1\") | $2" r.json; }
is "mean, deviation, least, most and number of folds" "$(row even '[.rank, .value, .sd, .min, .max, .folds_done, .folds]')" "[1,5,1,4,6,3,3]"
is "a fold that was tried again counts once, as it came out at last" "$(row again '[.rank, .value, (.sd * 1e6 | round), .folds_done]')" "[2,6,3464102,3]"
is "what lacks a fold has no rank, whatever its mean" "$(row lucky '[.rank, .complete, .folds_done, .folds]')" "[null,false,2,3]"
is "and comes last" "$(jq -r '.[-1].params.x' r.json)" lucky
like "the table marks it" "$("$rs" results over.db)" "- +2 +incomplete \(failed\) +2/3"
is "the best is a complete one" "$("$rs" best over.db --json | jq -r '.[].params.x')" even
is "the view says the same" "$(sql over.db "select value, sd, folds_done || '/' || folds from trials where trial=3")" "5.0|1.0|3/3"
done_testing
