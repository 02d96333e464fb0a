#!/usr/bin/env bash
# One unit over several attempts: retries, checkpoints (exit status 75), ends in good order, what a trainer is told.
# Waits most of its time.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >flaky.sh <<'END'
echo "$RANKSWEEP_ATTEMPT $RANKSWEEP_SEED" >>flaky.ran
[ "$RANKSWEEP_ATTEMPT" -gt 2 ] || { echo "@metric m=7 step=$RANKSWEEP_ATTEMPT"; exit 4; }
echo "@metric m=2 step=3"
END
cat >steps.sh <<'END'
# One step each time it is run; the state is in the folder
n=0
[ "$RANKSWEEP_RESUME" = 0 ] || read -r n <"$RANKSWEEP_DIR/n"
n=$((n + 1))
echo $n >"$RANKSWEEP_DIR/n"
echo "@metric m=$((10 - n)) step=$n"
[ $n -ge 4 ] || exit 75
END
cat >s.yaml <<'END'
study: tries
seed: 2
metric: m
goal: minimize
defaults: {retries: 2}
phases:
  flaky:
    command: sh flaky.sh
  steps:
    command: sh steps.sh
    checkpoint: true
    retries: 0
  stuck:
    command: sh -c 'echo "@metric m=1 step=1"; exit 75'
    retries: 0
  noisy:
    command: sh -c 'echo "@metric m=1"; exit 1'
    params: {x: [1, 2]}
    search: grid
    retries: 0
  after_noisy:
    after: {noisy: best}
    command: sh -c 'echo "@metric m=1"'
  best_of:
    command: sh -c 'for m in 5 3 8; do s=$((s + 1)); echo "@metric m=$m step=$s"; done'
    report: best
  last_of:
    command: sh -c 'for m in 5 3 8; do s=$((s + 1)); echo "@metric m=$m step=$s"; done'
  after_best:
    after: best_of
    command: sh -c 'echo "@metric m=$1"' sh {best_of.best_step}
END
exits "some fail for good" 1 timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
phase() { sql tries.db "select state, reason, attempts, value from units where phase = '$1' order by unit"; }
is "retried until it works" "$(phase flaky)" "done||3|2.0"
is "each attempt is told its number" "$(cut -d' ' -f1 flaky.ran | tr '\n' ' ')" "1 2 3 "
is "and the same seed" "$(cut -d' ' -f2 flaky.ran | sort -u | wc -l)" 1
is "its attempts are kept" "$(sql tries.db "select group_concat(a.state || ' ' || a.exit_code) from attempts a join units using (unit) where phase='flaky'")" \
    "failed 4,failed 4,done 0"
is "exit status 75 is not a failure" "$(phase steps)" "done||4|6.0"
is "and steps add up over the attempts" \
    "$(sql tries.db "select group_concat(step || '=' || m.value) from metrics m join units using (unit) where phase='steps'")" \
    "1.0=9.0,2.0=8.0,3.0=7.0,4.0=6.0"
like "without a new step it is one, the third time" "$(phase stuck)" "^failed\|exit\|4\|"
is "a metric does not make up for a bad exit" "$(phase noisy | tr '\n' ' ')" "failed|exit|1| failed|exit|1| "
like "no valid candidate: blocked, never a default" "$(phase after_noisy)$(sql tries.db "select count(*) from units where phase='after_noisy'")" \
    "^(blocked.*1|0)$"
is "report: best" "$(phase best_of)" "done||1|3.0"
is "report: last" "$(phase last_of)" "done||1|8.0"
is "the step of the best" "$(phase after_best)" "done||1|2.0"

# What it is told
cat >told.yaml <<'END'
study: told
seed: 2
metric: m
goal: minimize
env: {FROM_STUDY: "a  b", OMP_NUM_THREADS: 3}
phases:
  a:
    command: sh -c 'env -0 | sort -z >env.$RANKSWEEP_TRIAL; echo "@metric m=1"' sh {args} {y|none} {params}
    params:
      opt: [sgd, adam]
      y: "uniform(0, 1) if opt == sgd"
    search: random
    trials: 8
    timeout: 100s
END
before=$(date +%s)
exits "a study runs" 0 env FROM_SHELL=$'two\nlines' SLURM_PROCID=3 timeout 60 mpirun -n 2 "$rs" run told.yaml --progress none
told() { tr '\n\0' ' \n' <env.1 | sed -n "s/^$1=//p"; }
is "variables of the shell come through" "$(told FROM_SHELL)" "two lines"
is "and of the study" "$(told FROM_STUDY)" "a  b"
is "which wins over a default" "$(told OMP_NUM_THREADS)" 3
is "other thread variables follow cpus" "$(told OPENBLAS_NUM_THREADS)" 1
is "the launcher's are gone" "$(tr '\n\0' ' \n' <env.1 | grep -E '^(OMPI_COMM|OMPI_MCA_(ess|orte)|PMIX_|PMI_|SLURM_|RANKSWEEP_(ENV|VERDICT|PROGRESS))')" ""
is "the study's name" "$(told RANKSWEEP_STUDY)" told
ok "the deadline is the timeout's" test "$(told RANKSWEEP_DEADLINE)" -ge $((before + 99)) -a "$(told RANKSWEEP_DEADLINE)" -le $(($(date +%s) + 100))
is "no folder where none is asked for" "$(told RANKSWEEP_DIR)$(find told.out -name dir)" ""
cp env.1 env.first
like "an inactive parameter is left out of {args}" "$(sql told.db "select command from attempts join units using (unit) join trials t using (trial) where json_extract(t.params, '$.opt')='adam' limit 1")" \
    "sh --opt adam none "
like "an active one is there" "$(sql told.db "select command from attempts join units using (unit) join trials t using (trial) where json_extract(t.params, '$.opt')='sgd' limit 1")" \
    "sh --opt sgd --y 0\.[0-9]+ 0\.[0-9]+ "
exits "alone" 0 timeout 60 "$rs" run told.yaml --db alone.db --ranks 1 --progress none
is "the same seeds" "$(told RANKSWEEP_SEED)" "$(tr '\n\0' ' \n' <env.first | sed -n 's/^RANKSWEEP_SEED=//p')"
cp env.1 env.first
exits "under the launcher" 0 timeout 60 "$rs" run told.yaml --db launched.db --ranks 2 --progress none
is "the same environment, whatever the launcher sets for itself" "$(tr '\0' '\n' <env.1 | grep -vE 'DEADLINE|METRIC_PIPE|^OMPI_MCA_')" "$(tr '\0' '\n' <env.first | grep -vE 'DEADLINE|METRIC_PIPE|^OMPI_MCA_')"
is "one each" "$(cat env.? | tr '\0' '\n' | grep RANKSWEEP_SEED | sort -u | wc -l)" 8

# An end in good order: TERM, time to save, another attempt in the next run
cat >save.sh <<'END'
trap 'echo saved >"$RANKSWEEP_DIR/state"; exit 75' TERM
echo "$RANKSWEEP_DEADLINE" >deadline
if [ "$RANKSWEEP_RESUME" = 1 ]; then
    echo "@metric m=1 step=2"
    exit
fi
echo "@metric m=5 step=1"
echo started >>started
sleep 60 &
wait
END
cat >save.yaml <<'END'
study: save
seed: 2
metric: m
goal: minimize
defaults: {checkpoint: true, grace: 5s}
phases:
  a:
    command: sh save.sh
    params: {x: [1, 2]}
    search: grid
END
both_started() { [ "$(wc -l <started)" = 2 ]; }
end_in_order() { # NAME KILL_COMMAND... ; the command to start is in the array run
    local name=$1
    shift
    rm -rf save.db save.out started
    start timeout 60 "${run[@]}"
    ok "$name: both run" wait_for 20 both_started
    "$@"
    wait_exit 20 "$pid"
    is "$name: exit status 75" $? 75
    is "$name: they were given the time to save" "$(cat save.out/dir/a/t*/state | tr '\n' ' ')" "saved saved "
    is "$name: nothing has failed" "$(sql save.db "select state, failures from units" | sort -u)" "ready|0"
    exits "$name: the same command goes on" 0 timeout 60 "${run[@]}"
    is "$name: from where it stopped" "$(sql save.db "select attempts, value from units" | sort -u)" "2|1.0"
}
mpirun_pid() { pgrep -P "$pid" mpirun; }
usr1_mpirun() { kill -USR1 "$(mpirun_pid)"; }
usr1_launcher() { kill -USR1 "$(pgrep -P "$pid")"; }
term_launcher() { kill -TERM "$(pgrep -P "$pid")"; }
run=(mpirun -n 3 "$rs" run save.yaml --progress none)
end_in_order "USR1 to mpirun" usr1_mpirun
run=("$rs" run save.yaml --ranks 1 --progress none)
end_in_order "USR1 to a rank alone" usr1_launcher
run=("$rs" run save.yaml --ranks 3 --progress none --time-limit 2s)
before=$(date +%s)
end_in_order "a time limit" true
ok "a time limit: trainers are told when TERM will come" test "$(cat deadline)" -ge $((before + 1)) -a "$(cat deadline)" -le $(($(date +%s) + 2))

# A timeout is no failure of who then saves and asks for another attempt; that takes a step forward each time
cat >slices.sh <<'END'
trap 'exit 75' TERM
n=0
[ "$RANKSWEEP_RESUME" = 0 ] || read -r n <"$RANKSWEEP_DIR/n"
n=$((n + $1))
echo $n >"$RANKSWEEP_DIR/n"
echo "@metric m=$((10 - n)) step=$n"
[ $n -lt 3 ] || exit 0
sleep 60 &
wait
END
cat >slices.yaml <<'END'
study: slices
seed: 2
metric: m
goal: minimize
defaults: {checkpoint: true, grace: 20s, retries: 0}
phases:
  slices: {command: sh slices.sh 1, timeout: 1s}
  quiet: {command: sh slices.sh 1, stall: 1s}
  idle: {command: sh slices.sh 0, timeout: 1s}
END
exits "a run of slices" 1 timeout 60 mpirun -n 2 "$rs" run slices.yaml --progress none
slices() { sql slices.db "select state, reason, attempts, failures, value from units where phase = '$1'"; }
is "75 after the TERM of a timeout: run again" "$(slices slices)" "done||3|0|7.0"
is "and of a stall" "$(slices quiet)" "done||3|0|7.0"
like "a trainer that gets nowhere fails at last" "$(slices idle)" "^failed\|exit\|[34]\|1\|"

# Whichever is earlier
cat >ends.yaml <<'END'
study: ends
seed: 2
metric: none
phases:
  soon: {command: sh -c 'echo $RANKSWEEP_DEADLINE >soon', timeout: 100s}
  late: {command: sh -c 'echo $RANKSWEEP_DEADLINE >late', timeout: 3h}
  never: {command: sh -c 'echo $RANKSWEEP_DEADLINE >never'}
END
before=$(date +%s)
exits "with a time limit" 0 timeout 60 mpirun -n 2 "$rs" run ends.yaml --progress none --time-limit 2h
after=$(date +%s)
told_between() { [ "$(cat "$1")" -ge $((before + $2 - 1)) ] && [ "$(cat "$1")" -le $((after + $2)) ]; }
ok "the deadline is the timeout's where that is earlier" told_between soon 100
ok "else what comes 15 s before the time limit" told_between late 7185
ok "also without a timeout" told_between never 7185

# Whoever does not listen is killed, and a second signal waits for nobody
sed 's/trap .*/trap "" TERM/' save.sh >deaf.sh
sed 's/save.sh/deaf.sh/; s/study: save/study: deaf/; s/grace: 5s/grace: 0.5s/' save.yaml >deaf.yaml
rm -f started
start timeout 60 mpirun -n 3 "$rs" run deaf.yaml --progress none
ok "deaf trainers run" wait_for 20 both_started
usr1_mpirun
wait_exit 20 "$pid"
is "they are killed after grace" $? 75
ok "and all below them" wait_for 2 none_here "deaf.sh|sleep 60"
rm -rf started deaf.db deaf.out
sed -i 's/grace: .*}/grace: 50s}/' deaf.yaml
start timeout 60 "$rs" run deaf.yaml --ranks 3 --progress none 2>err
ok "deaf trainers run, with much grace" wait_for 20 both_started
usr1_launcher
ok "the first one has been heard" wait_for 10 grep -q "ending the running units" err
term_launcher
wait_exit 15 "$pid"
like "a second signal does not wait for it" $? "^(75|69)$"
ok "nothing is left" wait_for 5 none_here "deaf.sh|sleep 60|$rs run"
is "the database is sound" "$(sql deaf.db 'pragma integrity_check')" ok

# mpirun itself may hang at its end: here one that does so always
mkdir hung
cat >hung/mpirun <<'END'
#!/bin/sh
trap 'echo heard >>heard' USR1
trap '' TERM
echo up >up
while :; do sleep 0.1; done
END
chmod +x hung/mpirun
start env PATH="$PWD/hung:$PATH" timeout 60 "$rs" run deaf.yaml --ranks 3 --progress none 2>err
ok "an mpirun that hangs" wait_for 10 test -e up
usr1_launcher
ok "is asked first" wait_for 10 test -e heard
term_launcher
wait_exit 15 "$pid"
is "and not waited for after the second signal" $? 75
is "nor left behind" "$(here "hung/mpirun")" ""
done_testing
