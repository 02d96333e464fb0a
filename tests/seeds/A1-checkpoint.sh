#!/usr/bin/env bash
# A1. Checkpoints: people ignore them, handle them by hand, or have a library do it, and all of that must be possible.
# That works when a job keeps one folder over all its attempts; when its environment tells its number, its attempt and
# whether there is something to go on from; when it is warned before the end and can say "run me again" by its exit
# status. Killed at epoch 7 of 20 it goes on at 7 and ends with the same result as undisturbed; and a job that knows
# nothing of checkpoints starts clean.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
# A training of 20 epochs, each of which hangs on the one before and on the seed; saves after each
epoch=0 weight=$RANKSWEEP_SEED
[ "$RANKSWEEP_RESUME" = 0 ] || read -r epoch weight <"$RANKSWEEP_DIR/state"
echo "$RANKSWEEP_UNIT attempt $RANKSWEEP_ATTEMPT starts at $epoch in $(basename "$RANKSWEEP_DIR")" >>log
trap 'stop=1' TERM
while [ $epoch -lt 20 ]; do
    epoch=$((epoch + 1)) weight=$(((weight * 48271 + epoch) % 2147483647))
    echo "@metric loss=$weight step=$epoch"
    echo "$epoch $weight" >"$RANKSWEEP_DIR/new" && mv "$RANKSWEEP_DIR/new" "$RANKSWEEP_DIR/state"
    [ -z "$stop" ] || exit 75
    while [ $epoch = "$PAUSE" ] && [ -z "$stop" ]; do sleep 0.02; done
done
END
cat >plain.sh <<'END'
# Knows nothing of all this
echo "resume=$RANKSWEEP_RESUME files=$(ls -A "${RANKSWEEP_DIR:-nowhere}" 2>/dev/null)" >>plain
echo "@metric loss=1 step=1"
[ "$PAUSE" != 7 ] || sleep 60
END
cat >s.yaml <<'END'
study: check
seed: 4
metric: loss
goal: minimize
phases:
  train: {command: sh train.sh, checkpoint: true, grace: 20s}
  plain: {command: sh plain.sh}
END
run=(timeout 60 "$rs" run s.yaml --progress none)
final() { sql "$1.db" "select value, (select count(*) from metrics join units using (unit) where phase='train' and name='loss') from units where phase='train'"; }
exits "undisturbed" 0 env PAUSE= "${run[@]}" --ranks 3 --db calm.db
rm log plain

start env PAUSE=7 "${run[@]}" --ranks 3
ok "it is at epoch 7 of 20" wait_for 20 grep -qs '^7 ' check.out/dir/train/t1/state
ok "and everything is killed" kill_tree KILL "$pid"
wait_exit 20 "$pid"
start env PAUSE=13 "${run[@]}" --ranks 3
ok "it goes on, to epoch 13" wait_for 20 grep -qs '^13 ' check.out/dir/train/t1/state
is "from epoch 7, in the same folder" "$(cat log)" "1 attempt 1 starts at 0 in t1
1 attempt 2 starts at 7 in t1"
kill -TERM "$(pgrep -P "$pid" -f "$rs run")"
wait_exit 30 "$pid"
is "told to end, it says that it is to be run again" $? 75
exits "and is, to its end" 0 env PAUSE= "${run[@]}" --ranks 3
is "from where it had stopped" "$(tail -n 1 log | cut -d' ' -f3-)" "3 starts at 14 in t1"
is "with the result, and the curve, of the undisturbed run" "$(final check)" "$(final calm)"
is "what was taken from it is no failure" "$(sql check.db "select failures from units where phase='train'")" 0
is "the one without checkpoints started clean each time" "$(sort -u plain)" "resume=0 files="
is "and is done" "$(sql check.db "select state, value from units where phase='plain'")" "done|1.0"

# The trainers that come with it
ln -s "$top/jobs" jobs
cat >mlp.yaml <<'END'
study: mlp
seed: 4
metric: valid_error
goal: minimize
phases:
  a: {command: 'jobs/bin/mlp --epochs 20 --hidden 16 --held-out 0.2 --checkpoint 1 --lr 0.1', checkpoint: true, grace: 20s}
END
exits "a network, undisturbed" 0 timeout 60 "$rs" run mlp.yaml --ranks 1 --progress none --db calm2.db
start timeout 60 "$rs" run mlp.yaml --ranks 1 --progress none
ok "a network is in the middle of its epochs" wait_sql 20 mlp.db "select count(*) > 0 from units where state='running'" 1
ok "it has saved" wait_for 20 test -s mlp.out/dir/a/t1/checkpoint
kill_tree KILL "$pid"
exits "it goes on" 0 timeout 60 "$rs" run mlp.yaml --ranks 1 --progress none
is "to the same errors" "$(sql mlp.db "select step, value from metrics where name='valid_error' group by step order by step")" \
    "$(sql calm2.db "select step, value from metrics where name='valid_error' order by step")"
done_testing
