#!/usr/bin/env bash
# Trap 3. A job that was saving its state looked like one that had failed, so people started it a second time. Now it is
# "running" while it saves, and "ready" afterwards; no failure is counted or shown, whether it stopped by itself or was
# told to.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
save() {
    : >"saving.$1"
    until [ -e "saved.$1" ]; do sleep 0.02; done
    echo state >"$RANKSWEEP_DIR/state"
    exit 75
}
trap 'save told' TERM
if [ "$RANKSWEEP_ATTEMPT" = 1 ]; then
    echo "@metric err=5 step=1"
    save itself
elif [ "$RANKSWEEP_ATTEMPT" = 2 ]; then
    echo "@metric err=4 step=2"
    : >waiting
    while :; do sleep 0.02; done
fi
echo "@metric err=1 step=3"
END
cat >s.yaml <<'END'
study: save
metric: err
goal: minimize
phases:
  a: {command: sh job.sh, checkpoint: true, grace: 20s}
END
seen() { # state of the unit; failures; what status and the selectors make of it
    echo "$(sql save.db "select state, coalesce(reason, ''), failures from units") $("$rs" status save.db --json | jq -c '.phases[0].failed') $("$rs" list save.db state=failed --json | jq length)"
}
start timeout 60 "$rs" run s.yaml --ranks 2 --progress none 2>err
ok "it saves by itself" wait_for 20 test -e saving.itself
ok "meanwhile it runs" wait_sql 20 save.db "select state from units" running
is "and nothing has failed" "$(seen)" "running||0 0 0"
touch saved.itself
ok "it is run again at once" wait_for 20 test -e waiting
like "which is no failure" "$(seen)" "^running\|(requeue)?\|0 0 0$"
is "nor is the attempt" "$(sql save.db "select state, reason from attempts where attempt=1")" "requeue|requeue"

kill -TERM "$(pgrep -P "$pid" -f "$rs run")"
ok "it is told to save" wait_for 20 test -e saving.told
like "meanwhile it runs" "$(seen)" "^running\|(requeue)?\|0 0 0$"
touch saved.told
wait_exit 30 "$pid"
is "the run says that it can go on" $? 75
like "with a unit that is ready, not failed" "$(seen)" "^ready\|(requeue)?\|0 0 0$"
exits "and does" 0 timeout 30 "$rs" run s.yaml --ranks 2 --progress none
is "to its end" "$(sql save.db "select state, attempts, failures, value from units")" "done|3|0|1.0"
done_testing
