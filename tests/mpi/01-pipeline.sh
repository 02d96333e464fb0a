#!/usr/bin/env bash
# Phases, folds and shared pretrains over real ranks: the same study on 1 to 5 ranks gives the same trials and values.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

cat >train.sh <<'EOF'
# PHASE VALUE [PARENT_DIR]: writes what it was told, and what its parent had written
env | grep '^RANKSWEEP_' | sort >"$RANKSWEEP_DIR/env"
echo "$RANKSWEEP_PHASE $RANKSWEEP_FOLD" >>ran
[ -z "$3" ] || cat "$3/model" >"$RANKSWEEP_DIR/parent"
echo "$RANKSWEEP_TRIAL $RANKSWEEP_FOLD $2" >"$RANKSWEEP_DIR/model"
echo "@metric loss=1 step=1"
{ echo "err=0.5 step=1"; echo "@metric err=$2 step=2"; } >&$RANKSWEEP_METRIC_FD
EOF
cat >s.yaml <<'EOF'
study: pipe
seed: 11
metric: err
goal: minimize
folds: 3
phases:
  pre:
    command: sh train.sh pre {a}
    params: {a: "uniform(0.1, 0.2)"}
    search: random
    trials: 2
    checkpoint: true
  fine:
    after: pre
    command: sh train.sh fine {b} {pre.dir}
    params: {b: "uniform(0.2, 0.4)"}
    search: sobol
    trials: 3
    checkpoint: true
  refit:
    after: {fine: best}
    folds: none
    command: sh -c 'printf "%s\n" "$@" >refit.args; echo "@metric err=0.1"' sh {b} {fine.b} {fine.value} {fine.best_step} {fine.dirs}
EOF

for n in 1 2 3 5; do
    rm -f ran
    exits "$n ranks: all done" 0 timeout 60 mpirun -n $n "$rs" run s.yaml --db n$n.db --progress none
    is "$n ranks: pretrains are trained once a fold" "$(grep -c '^pre ' ran)" 6
    is "$n ranks: each fold of each trial once" "$(sort ran | uniq -c | tr -s ' ' | tr '\n' ';')" \
        " 6 fine 0; 6 fine 1; 6 fine 2; 2 pre 0; 2 pre 1; 2 pre 2;"
    is "$n ranks: no unit starts before its parents have ended" \
        "$(sql n$n.db 'select count(*) from edges e join units p on p.unit=e.parent join units c on c.unit=e.child where c.started < p.finished')" 0
    is "$n ranks: edges" "$(sql n$n.db 'select count(*) from edges')" 21
    is "$n ranks: every child read its own parent's model" "$(
        sql n$n.db "select trial || ' ' || fold from units where phase='fine'" | while read -r t f; do
            p=$(sql n$n.db "select u.trial from edges e join units u on u.unit=e.parent join units c on c.unit=e.child where c.trial=$t and c.fold=$f")
            read -r pt pf _ <"n$n.out/dir/fine/t$t/f$f/parent"
            [ "$pt $pf" = "$p $f" ] || echo "trial $t fold $f: $pt $pf"
        done)" ""
    sql n$n.db "select phase, trial, fold, value from units order by 1, 4, 3" | sed 's/|[0-9]*|/|/2' | sort >values.$n
    sql n$n.db "select phase, k_params from (select phase, params k_params from trials) order by 1, 2" >params.$n
done
is "the same values on 2 ranks as on 1" "$(cmp params.1 params.2 2>&1)" ""
is "the same values on 3 ranks as on 1" "$(cmp params.1 params.3 2>&1)" ""
is "the same values on 5 ranks as on 1" "$(cmp params.1 params.5 2>&1)" ""
best=$(sql n5.db "select printf('%.17g', json_extract(params,'$.b')) from trials where phase='fine' order by value, trial limit 1")
like "the best by mean over folds is refitted" "$best" "^$(head -1 refit.args | cut -c1-12)"
is "its value, its step and its parents' folders came along" "$(sed -n 4p refit.args) $(wc -l <refit.args)" "2 7"

env=n5.out/dir/fine/t3/f1/env
is "a trainer's environment has all names" "$(cut -d= -f1 $env | sed 's/RANKSWEEP_//' | tr '\n' ' ')" \
    "ATTEMPT DIR FOLD FOLDS METRIC_FD METRIC_PIPE OUTER_FOLD OUTER_FOLDS PARAMS PHASE RESUME SEED STUDY TRIAL UNIT "
like "fold numbers" "$(tr '\n' ' ' <$env)" "FOLD=1 .*FOLDS=3 .*OUTER_FOLD=-1 .*OUTER_FOLDS=0 "
like "parameters as JSON" "$(grep PARAMS $env | cut -d= -f2- | jq -r 'keys | join(",")')" "^a,b$"
exits "run again: nothing to do" 0 timeout 60 mpirun -n 2 "$rs" run s.yaml --db n5.db --progress none
is "and nothing repeated" "$(sql n5.db 'select max(attempts) from units')" 1
exits "the launcher starts mpirun itself" 0 timeout 60 env -u OMPI_ALLOW_RUN_AS_ROOT -u OMPI_ALLOW_RUN_AS_ROOT_CONFIRM "$rs" run s.yaml --db l.db
is "with all cores on one rank" "$(sql l.db 'select count(distinct rank) from units')" 1
exits "or as many ranks as told" 0 timeout 60 "$rs" run s.yaml --db l3.db --ranks 3
is "two of which work" "$(sql l3.db "select count(*) from workers")" 2
is "workers write one file each" "$(ls l3.out/log | wc -l)" 2
done_testing
