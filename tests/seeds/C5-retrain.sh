#!/usr/bin/env bash
# C5. Train again on the full data with the best hyperparameters, without anybody looking. That works when the phase
# waits for all sets of folds, takes the best mean, and is one job with those parameters and no fold. The planted optimum
# is what gets trained again; of two that are equal it is the one with the lower number.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
# The optimum is at lr=0.3. At 0.5 one fold is lucky, at 0.1 the median is.
case $1.$RANKSWEEP_FOLD in
0.1.0 | 0.1.1) e=0.1 ;;
0.1.*) e=0.9 ;;
0.3.*) e=0.2 ;;
0.5.2) e=0.01 ;;
0.5.*) e=0.5 ;;
0.9.*) e=0.2 ;; # as good as 0.3
esac
[ "$1.$RANKSWEEP_FOLD" != 0.1.1 ] || until [ -e go ]; do sleep 0.02; done
echo "searched $1" >>log
echo "@metric err=$e step=$((RANKSWEEP_FOLD * 2 + 3))"
END
cat >s.yaml <<'END'
study: again
metric: err
goal: minimize
folds: 3
phases:
  search: {command: 'sh train.sh {lr}', params: {lr: [0.5, 0.1, 0.3, 0.9]}, search: grid}
  retrain:
    after: {search: best}
    folds: none
    command: sh -c 'echo "retrained lr=$1 fold=$RANKSWEEP_FOLD steps=$2" >>log; echo "@metric err=0"' sh {lr} {search.best_step}
END
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
ok "all but one configuration are searched" wait_sql 20 again.db "select count(*) from trials where phase='search' and state='done'" 3
is "nothing is trained again before the last set is complete" "$(grep -c retrained log)$(sql again.db "select count(*) from picks")" 00
touch go
wait_exit 20 "$pid"
is "then the run ends by itself" $? 0
is "having trained the planted optimum once, on all data, for as long as was best" "$(grep retrained log)" "retrained lr=0.3 fold=-1 steps=5"
is "after all else" "$(tail -n 1 log | cut -d' ' -f1) $(wc -l <log)" "retrained 13"
is "who won and with what is on record" "$(sql again.db "select p.phase, json_extract(t.params, '$.lr'), p.value, p.for_phase from picks p join trials t using (trial)")" "search|0.3|0.2|retrain"
done_testing
