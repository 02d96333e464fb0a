#!/bin/sh
# A training that was killed, or told to stop, and resumed ends like one that was left alone.
# Waits most of its time.
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/jobs/check.sh
. "$(dirname "$0")/check.sh"

# until_step S: copy the trainer's output (descriptor 3) to a log until it reports step S
until_step() {
    while IFS= read -r line <&3; do
        echo "$line"
        case $line in *" step=$1") return 0 ;; esac
    done
    return 1
}

# stop_at SIGNAL STEP COMMAND...: signal the trainer when it has reported the step; its status is $status
stop_at() {
    signal=$1 step=$2
    shift 2
    rm -f "$tmp/pipe"
    mkfifo "$tmp/pipe"
    "$@" >"$tmp/pipe" 2>>"$tmp/err" &
    pid=$!
    exec 3<"$tmp/pipe"
    until_step "$step" >"$tmp/log"
    kill -"$signal" $pid
    cat <&3 >>"$tmp/log"
    exec 3<&-
    wait $pid
    status=$?
}

# same_end NAME SAVED COMMAND...: stopped in every way, the command reports and saves what it does undisturbed
same_end() {
    name=$1
    shift
    "$@" --save "$tmp/whole" >"$tmp/whole.out"
    RANKSWEEP_DIR=$tmp/dir
    export RANKSWEEP_DIR
    rm -rf "$RANKSWEEP_DIR" && mkdir "$RANKSWEEP_DIR"

    stop_at KILL 7 "$@" --checkpoint 3 --save "$tmp/parts"
    check "$name: killed in mid-run" test $status -eq 137
    RANKSWEEP_RESUME=1
    export RANKSWEEP_RESUME
    stop_at TERM 20 "$@" --checkpoint 3 --save "$tmp/parts"
    check "$name: told to stop, ends with 75" test $status -eq 75
    check "$name: had not begun anew" grep -q "going on after epoch [1-9]" "$tmp/err"
    exits 0 "$@" --save "$tmp/parts"
    check "$name: has gone on to the end" grep -q "going on after epoch" "$tmp/err"
    check "$name: reports what the undisturbed run reports" cmp -s "$tmp/out" "$tmp/whole.out"
    check "$name: saves the same bytes" cmp -s "$tmp/parts" "$tmp/whole"

    exits 0 "$@" --save "$tmp/parts"
    check "$name: once more, at its end, reports the same" cmp -s "$tmp/out" "$tmp/whole.out"
    printf X | dd of="$RANKSWEEP_DIR/checkpoint" bs=1 seek=1000 conv=notrunc 2>/dev/null
    exits 0 "$@" --save "$tmp/parts"
    check "$name: warns of a damaged checkpoint" grep -q "is damaged: starting anew" "$tmp/err"
    check "$name: and gets there from the start" cmp -s "$tmp/parts" "$tmp/whole"
    head -c 2000 "$RANKSWEEP_DIR/checkpoint" >"$tmp/short" && cp "$tmp/short" "$RANKSWEEP_DIR/checkpoint"
    exits 0 "$@" --save "$tmp/parts"
    check "$name: and of one that is cut" grep -q "is damaged: starting anew" "$tmp/err"
    exits 0 "$@" --seed 5
    check "$name: and of one of another run" grep -q "has other options: starting anew" "$tmp/err"
    unset RANKSWEEP_DIR RANKSWEEP_RESUME
}

same_end "mlp" jobs/bin/mlp --hidden 300,200 --epochs 60 --batch 20 --held-out 0.2
same_end "dbn pretrain" jobs/bin/dbn pretrain --hidden 250,150 --epochs 25 --nb-cross-fold 5 --id-cross-fold 1
jobs/bin/dbn pretrain --hidden 300,200 --epochs 2 --save "$tmp/rbm" >/dev/null
same_end "dbn finetune" jobs/bin/dbn finetune --load "$tmp/rbm" --epochs 60

RANKSWEEP_DIR=$tmp/dir RANKSWEEP_RESUME=0
export RANKSWEEP_DIR RANKSWEEP_RESUME
check "RANKSWEEP_RESUME=0 begins anew without a word" \
    exits 0 jobs/bin/dbn finetune --load "$tmp/rbm" --epochs 2 --checkpoint 1
check "(nothing on stderr)" test ! -s "$tmp/err"
finish
