#!/bin/sh
# Mistakes on the command line and in files: a message that names the place, status 2 or 1, never a crash.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/jobs/check.sh
. "$(dirname "$0")/check.sh"

# refuses STATUS TEXT COMMAND...: ends with the status and says TEXT
refuses() {
    status=$1 text=$2
    shift 2
    exits "$status" "$@" && grep -qF -e "$text" "$tmp/err" && ! grep -q '^@metric' "$tmp/out"
}

usage() {
    text=$1
    shift
    check "mlp $*" refuses 2 "$text" jobs/bin/mlp "$@"
}

usage "unknown option --learning-rate" --learning-rate 0.1
usage "'fast' is not an option" fast
usage "--lr needs a value" --lr
usage "--lr: '0.1x' is not a number" --lr 0.1x
usage "--lr: 'nan' is not a number" --lr nan
usage "--lr: -1 is out of range" --lr -1
usage "--hidden: '64;32' is not a list" --hidden '64;32'
usage "--hidden: '1,1,1,1,1' is not a list" --hidden 1,1,1,1,1
usage "--hidden: 0 is out of range" --hidden 0
usage "--batch: '1.5' is not a whole number" --batch 1.5
usage "--epochs: 0 is out of range" --epochs 0
usage "--activation: 'swish' is none of: tanh relu" --activation swish
usage "--seed: '-3'" --seed=-3
usage "--seed: '99999999999999999999'" --seed=99999999999999999999
usage "--print-split takes no value" --print-split=yes
usage "--id-cross-fold 0 needs" --id-cross-fold 0
usage "there are 5 folds" --nb-cross-fold 5 --id-cross-fold 5
usage "there are 3 folds" --nb-outer-fold 3 --id-outer-fold 3
usage "--held-out is for runs without folds" --nb-cross-fold 5 --held-out 0.2
check "RANKSWEEP_SEED that is none" refuses 2 RANKSWEEP_SEED env RANKSWEEP_SEED=x jobs/bin/mlp
check "dbn without a command" refuses 2 pretrain jobs/bin/dbn
check "dbn with another command" refuses 2 pretrain jobs/bin/dbn train
check "finetune without --load" refuses 2 --load jobs/bin/dbn finetune

# bad_data CONTENT TEXT
bad_data() {
    printf %b "$1" >"$tmp/bad.csv"
    check "data $(printf '%s' "$1" | cut -c 1-20): $2" refuses 1 "$2" jobs/bin/mlp --data "$tmp/bad.csv"
}

check "data that is not there" refuses 1 "cannot open" jobs/bin/mlp --data "$tmp/none.csv"
bad_data '' "holds no rows"
bad_data 'a,b,c\n' "holds no rows"
bad_data '1,2,0\n1,x,0\n' "bad.csv:2: 'x' is not a number"
bad_data '1,2,0\n1,2\n' "bad.csv:2: not as many columns"
bad_data '1,2,0\n1,2,3,0\n' "bad.csv:2: not as many columns"
bad_data '1,2,0.5\n' "bad.csv:1: the last column"
bad_data '1,2,-1\n' "bad.csv:1: the last column"
bad_data '1,inf,0\n' "bad.csv:1: 'inf' is not a number"
bad_data '7\n' "bad.csv:1: need"
bad_data '1,2,0\n' "too few"
check "a network that is not there" refuses 1 "there is no file" jobs/bin/dbn finetune --load "$tmp/none"
check "a network that is none" refuses 1 "is damaged" jobs/bin/dbn finetune --load jobs/data/digits.csv
check "a file that cannot be written" exits 1 jobs/bin/mlp --epochs 1 --save "$tmp/none/net"

check "a diverging training is a nan, not a crash" \
    exits 0 jobs/bin/mlp --held-out 0.2 --activation relu --lr 1e5 --epochs 5
check "and its error is reported so" grep -q '^@metric valid_error=nan step=' "$tmp/out"
check "a diverging pretraining too" exits 0 jobs/bin/dbn pretrain --lr 1e6 --epochs 5 --save "$tmp/rbm"
check "and its error is reported so" grep -q '^@metric recon_error=nan step=' "$tmp/out"
check "and nothing is saved" test ! -e "$tmp/rbm"
check "names with _, values with =, a mean as epochs" \
    exits 0 jobs/bin/mlp --nb_cross_fold=5 --id_cross_fold=0 --epochs 2.6 --hidden=8
check "2.6 epochs are 3" grep -q '^@metric valid_error=.* step=3$' "$tmp/out"
finish
