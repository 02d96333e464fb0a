#!/usr/bin/env bash
# Trap 11. A job that was reset while it ran ran twice at the same time, and both wrote into one folder. Now the first one
# has ended before the second one starts, and nothing that the first one still says counts.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
mkdir inside || echo overlap >>overlaps
trap 'sleep 0.5; echo "@metric m=-1"; rmdir inside; exit 0' TERM
echo "$RANKSWEEP_ATTEMPT resume=$RANKSWEEP_RESUME" >>ran
echo x >"$RANKSWEEP_DIR/x"
echo "@metric m=5"
until [ -e "go.$RANKSWEEP_ATTEMPT" ]; do sleep 0.02; done
rmdir inside
END
cat >s.yaml <<'END'
study: twice
metric: m
goal: minimize
phases:
  a: {command: sh job.sh, checkpoint: true, grace: 20s}
END
attempt_runs() { wait_for 20 grep -qs "^$1 " ran; }
start timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
ok "it runs, two workers idle" attempt_runs 1
ok "reset" "$rs" reset twice.db all
ok "it runs again" attempt_runs 2
ok "and once more" "$rs" reset twice.db all
ok "it runs again" attempt_runs 3
touch go.3
wait_exit 30 "$pid"
is "to its end" $? 0
is "never two at the same time" "$(cat overlaps 2>/dev/null)" ""
is "three attempts, each from an empty folder" "$(tr '\n' ',' <ran)" "1 resume=0,2 resume=0,3 resume=0,"
is "of which the last one counts" "$(sql twice.db "select state, value, failures from units")" "done|5.0|0"
done_testing
