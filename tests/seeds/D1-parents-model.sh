#!/usr/bin/env bash
# D1. A job belongs to a phase and knows which, and can start from what an earlier phase made. That works when the
# phase is passed to the job, and a child gets its parents' folders, parameters and results: a fine-tuning reads the model
# of its own parent, checked by content.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
case $RANKSWEEP_PHASE in
pretrain)
    echo "model of $RANKSWEEP_PARAMS, fold $RANKSWEEP_FOLD" >"$1/model"
    echo "@metric err=$(($2 + 2 * RANKSWEEP_FOLD))"
    ;;
finetune)
    cp "$3/model" "$1/start"
    echo "@metric err=0.$2"
    ;;
final)
    echo "$@" >final
    echo "@metric err=0"
    ;;
esac
END
cat >s.yaml <<'END'
study: chain
metric: err
goal: minimize
folds: 2
phases:
  pretrain: {command: 'sh job.sh {dir} {width}', params: {width: [1, 2, 3]}, search: grid}
  finetune: {after: pretrain, command: 'sh job.sh {dir} {lr} {pretrain.dir}', params: {lr: [8, 7]}, search: grid}
  final: {after: {finetune: best}, folds: none, command: 'sh job.sh {width} {lr} {pretrain.value} {finetune.value} {finetune.dirs}'}
END
exits "three phases with one and the same script" 0 timeout 30 mpirun -n 4 "$rs" run s.yaml --progress none
is "three by two pretrainings, six by two fine-tunings" "$(sql chain.db "select phase, count(*) from units group by 1" | tr '\n' ' ')" "final|1 finetune|12 pretrain|6 "
other_models() { # the fine-tunings that started from another model than the one of their own width and fold
    sql chain.db "select trial, fold, json_extract(params, '$.width') from units join trials using (trial) where units.phase='finetune'" |
        while IFS='|' read -r t f width; do
            [ "$(cat "chain.out/dir/finetune/t$t/f$f/start")" = "model of {\"width\": $width}, fold $f" ] || echo "trial $t fold $f"
        done
}
is "each started from its own parent's model" "$(other_models)" ""
winner=$(sql chain.db "select trial from picks")
is "the last one was told its parents' parameters, results and folders" "$(sed "s|$PWD/||g" final)" \
    "1 7 2 0.7 chain.out/dir/finetune/t$winner/f0 chain.out/dir/finetune/t$winner/f1"
is "one can ask whom it came from" "$("$rs" show chain.db "$(sql chain.db "select unit from units where phase='final'")" --json | jq -c '[[.parents[].phase], [.lineage[].phase]]')" \
    '[["finetune","finetune"],["final","finetune","pretrain"]]'
done_testing
