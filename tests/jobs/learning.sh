#!/bin/sh
# The trainers learn, and the same seed gives the same network.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/jobs/check.sh
. "$(dirname "$0")/check.sh"

# repeatable COMMAND...: twice the same output and the same file, and another one for another seed
repeatable() {
    "$@" --seed 3 --save "$tmp/a" >"$tmp/a.out" && "$@" --seed 3 --save "$tmp/b" >"$tmp/b.out" &&
        RANKSWEEP_SEED=4 "$@" --save "$tmp/c" >"$tmp/c.out" && cmp -s "$tmp/a" "$tmp/b" &&
        cmp -s "$tmp/a.out" "$tmp/b.out" && ! cmp -s "$tmp/a" "$tmp/c"
}

# falls NAME FILE: the metric ends at less than half of what it began with
falls() {
    true_of "$(last "$1" "$2") < 0.5 * $(sed -n "s/^@metric $1=\([^ ]*\) step=1$/\1/p" "$2")"
}

fold="--nb-cross-fold 5 --id-cross-fold 0"

check "pretraining succeeds" exits 0 jobs/bin/dbn pretrain --hidden 128 --save "$tmp/rbm"
cp "$tmp/out" "$tmp/pretrain"
check "recon_error falls by more than half" falls recon_error "$tmp/pretrain"
check "one recon_error for each of the 20 epochs" test "$(grep -c '^@metric recon_error=' "$tmp/pretrain")" -eq 20
check "two layers: steps count on" exits 0 jobs/bin/dbn pretrain --hidden 64,64 --epochs 4 --save "$tmp/two"
check "(to 8)" grep -q '^@metric recon_error=.* step=8$' "$tmp/out"

check "fine-tuning succeeds" exits 0 jobs/bin/dbn finetune --load "$tmp/rbm" --lr 0.2 --epochs 30
check "it errs on at most 4 % of the held-out fifth" true_of "$(last test_error "$tmp/out") <= 0.04"
check "the loss falls by more than half" falls train_loss "$tmp/out"
check "a run without validation part reports no valid_error" test -z "$(last valid_error "$tmp/out")"
# shellcheck disable=SC2086 # options, to be split
{
    jobs/bin/dbn pretrain --hidden 64 --epochs 10 $fold --save "$tmp/fold0" >/dev/null
    check "fine-tuning of a fold succeeds" exits 0 jobs/bin/dbn finetune --load "$tmp/fold0" --lr 0.2 --epochs 20 $fold
    check "its valid_error beats chance clearly" true_of "$(last valid_error "$tmp/out") <= 0.1"
    check "a run with a validation part reports no test_error" test -z "$(last test_error "$tmp/out")"
}
check "a stack serves as a prefix: few epochs do more after pretraining than after none" \
    exits 0 jobs/bin/dbn pretrain --hidden 128 --lr 0 --epochs 1 --save "$tmp/raw"
jobs/bin/dbn finetune --load "$tmp/rbm" --epochs 3 >"$tmp/pretrained"
jobs/bin/dbn finetune --load "$tmp/raw" --epochs 3 >"$tmp/untrained"
check "(test_error after 3 epochs)" true_of "$(last test_error "$tmp/pretrained") < $(last test_error "$tmp/untrained")"

check "the mlp learns" exits 0 jobs/bin/mlp --epochs 20
check "(test_error)" true_of "$(last test_error "$tmp/out") <= 0.06"
check "with standardised columns, two layers and relu too" \
    exits 0 jobs/bin/mlp --epochs 20 --scale standard --activation relu --hidden 64 --hidden2 32 --lr 0.02
check "(test_error)" true_of "$(last test_error "$tmp/out") <= 0.06"
check "patience ends a training early" exits 0 jobs/bin/mlp --epochs 500 --held-out 0.2 --patience 5
check "(before its 500 epochs)" test "$(grep -c '^@metric valid_error=' "$tmp/out")" -lt 500

check "mlp: the same seed, the same network" repeatable jobs/bin/mlp --epochs 3
check "dbn pretrain: the same seed, the same stack" repeatable jobs/bin/dbn pretrain --epochs 3 --cd 2
check "dbn finetune: the same seed, the same network" repeatable jobs/bin/dbn finetune --load "$tmp/rbm" --epochs 3
finish
