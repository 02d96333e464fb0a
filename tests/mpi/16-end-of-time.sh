#!/usr/bin/env bash
# The end of the allocation: who says when it is, what is still started before it, and what signals ask for.
# Waits most of its time.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

# ---- who says when ---------------------------------------------------------------------------
cat >told.yaml <<'END'
study: told
metric: none
phases:
  a: {command: sh -c 'echo "$RANKSWEEP_DEADLINE" >told'}
END
mkdir slurm only_scontrol torque openpbs deaf
cat >slurm/squeue <<'END'
#!/bin/sh
echo "squeue $*" >>asked
echo "77 ${LEFT-1:00:00}"
END
cat >only_scontrol/scontrol <<'END'
#!/bin/sh
echo "scontrol $*" >>asked
echo "JobId=77 JobName=x RunTime=00:30:00 TimeLimit=01:30:00 TimeMin=N/A"
END
cat >openpbs/qstat <<'END'
#!/bin/sh
echo "qstat $*" >>asked
cat <<EOT
Job Id: 99.server
    Job_Name = x
    resources_used.walltime = 00:10:00
    Resource_List.walltime = 02:00:00
    stime = $(LC_ALL=C date -d '60 minutes ago' '+%a %b %e %H:%M:%S %Y')
EOT
END
sed 's/stime.*/Walltime.Remaining = 3600/' openpbs/qstat >torque/qstat
for asked in squeue scontrol qstat; do
    printf '#!/bin/sh\nexit 1\n' >deaf/$asked
done
chmod +x ./*/squeue ./*/scontrol ./*/qstat

# told_in SECONDS: a trainer is told an end in so many seconds, less the 15 s that a stop may take
told_in() { [ "$(cat told)" -ge $((before + $1 - 15 - 1)) ] && [ "$(cat told)" -le $(($(date +%s) + $1 - 15)) ]; }
run() { # DIRECTORY VARIABLE... -- OPTION...: a run, where these programs answer
    local path=$1 set=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        set+=("$1")
        shift
    done
    shift
    rm -rf told told.db told.out asked
    before=$(date +%s)
    env PATH="$PWD/$path:$PWD/deaf:$PATH" "${set[@]}" timeout 60 "$rs" run told.yaml --progress none "$@" >/dev/null 2>err
}
exits "Slurm says so in the environment" 0 run deaf SLURM_JOB_ID=77 SLURM_JOB_END_TIME=$(($(date +%s) + 3600)) -- --ranks 1
ok "and trainers are told" told_in 3600
like "and so is the user" "$(cat err)" "slurm:77\) will be ended in (1h00m|59m5.s)"
exits "where it does not, squeue is asked" 0 run slurm SLURM_JOB_ID=77 -- --ranks 1
ok "and trainers are told" told_in 3600
exits "also by rank 0 of several, and by it alone" 0 run slurm SLURM_JOB_ID=77 -- --ranks 3
ok "and trainers are told" told_in 3600
is "once" "$(cat asked)" "squeue -h -j 77 -o %A %L"
exits "an end that is over means nothing" 0 run slurm SLURM_JOB_ID=77 SLURM_JOB_END_TIME=1700000000 -- --ranks 1
ok "and squeue knows better" told_in 3600
exits "without squeue, scontrol is asked" 0 run only_scontrol SLURM_JOB_ID=77 -- --ranks 1
ok "and trainers are told" told_in 3600
exits "OpenPBS says when the job has begun" 0 run openpbs PBS_JOBID=99.server -- --ranks 1
ok "and trainers are told" told_in 3600
exits "Torque says what is left" 0 run torque PBS_JOBID=99.server -- --ranks 1
ok "and trainers are told" told_in 3600
is "asked by the job's number" "$(cat asked)" "qstat -f 99.server"
exits "the earlier end counts: the option's" 0 run slurm SLURM_JOB_ID=77 -- --ranks 1 --time-limit 30m
ok "and trainers are told" told_in 1800
exits "the earlier end counts: the job's" 0 run slurm SLURM_JOB_ID=77 -- --ranks 1 --time-limit 2h
ok "and trainers are told" told_in 3600
exits "a job without an end" 0 run slurm SLURM_JOB_ID=77 LEFT=UNLIMITED -- --ranks 1
is "has none" "$(cat told)$(grep -c ended err)" "0"
exits "nobody answers: the study runs all the same" 0 run deaf SLURM_JOB_ID=77 -- --ranks 1
is "without an end" "$(cat told)" ""
like "and the user is told what to do" "$(cat err)" "when the job \(slurm:77\) will be ended is not known: scontrol does not say; use --time-limit"
exits "who gave it needs no advice" 0 run deaf SLURM_JOB_ID=77 -- --ranks 1 --time-limit 30m
is "and gets none" "$(cat err)" ""

# ---- the job's end is a time limit -----------------------------------------------------------
cat >save.sh <<'END'
trap 'echo saved >"$RANKSWEEP_DIR/state"; exit 75' TERM
[ "$RANKSWEEP_RESUME" = 0 ] || { echo "@metric m=1 step=2"; exit; }
echo "@metric m=5 step=1"
echo started >>started
[ ! -e deaf_trainers ] || trap '' TERM
while [ ! -e go ]; do sleep 0.05; done
echo "@metric m=2 step=3"
END
cat >save.yaml <<'END'
study: save
metric: m
goal: minimize
defaults: {checkpoint: true, grace: 5s, retries: 0}
phases:
  a:
    command: sh save.sh
    params: {x: [1, 2, 3, 4]}
    search: grid
END
afresh() { rm -rf save.db save.out started go deaf_trainers err; }
afresh
exits "the end of the job comes" 75 env PATH="$PWD/slurm:$PATH" SLURM_JOB_ID=77 LEFT=0:02 timeout 60 "$rs" run save.yaml --ranks 3 --progress none
is "what ran has saved, and nothing has failed" "$(sql save.db "select state, failures from units" | sort -u)" "ready|0"
is "its metrics are kept" "$(sql save.db "select distinct value from metrics where step = 1")" 5.0
: >go
exits "the requeued job goes on" 0 timeout 60 "$rs" run save.yaml --ranks 3 --progress none
is "from where it was stopped" "$(sql save.db "select distinct value from units where attempts = 2")" 1.0

# ---- what cannot end in time is not started --------------------------------------------------
cat >slow.yaml <<'END'
study: slow
metric: none
phases:
  slow:
    command: sh -c 'sleep 1.2; echo {trial} >>ran'
    params: {x: "uniform(0, 1)"}
    search: random
    trials: 1
  quick:
    command: sh -c 'echo {trial} >>quick'
    params: {x: "uniform(0, 1)"}
    search: random
    trials: 1
END
exits "a first run" 0 timeout 60 "$rs" run slow.yaml --ranks 1 --progress none
sed -i 's/trials: 1/trials: 4/' slow.yaml
exits "too little time for one of two phases" 75 timeout 60 "$rs" run slow.yaml --ranks 1 --progress none --time-limit 1500ms 2>err
is "what cannot end is not begun" "$(sql slow.db "select count(*) from attempts join units using (unit) where phase='slow'")" 1
is "what can is done" "$(sort -u quick | wc -l)" 4
like "the user is told" "$(cat err)" "a unit of phase slow needs [0-9.]+s, and [0-9.]+m?s are left"
exits "with more time all of it ends" 0 timeout 60 "$rs" run slow.yaml --ranks 1 --progress none --time-limit 10m
is "each once" "$(sort -u ran | wc -l) $(wc -l <ran)" "4 4"

# ---- signals ---------------------------------------------------------------------------------
begun() { [ "$(wc -l <started)" = "$1" ]; }
launcher() { pgrep -P "$pid" -f "$rs run|mpirun"; }
signalled() { # NAME SIGNAL COMMAND...: two run, then SIGNAL to the command
    local name=$1 signal=$2
    shift 2
    start timeout 60 "$@" 2>err
    ok "$name: all ranks have something to do" wait_for 20 begun 2
    kill -s "$signal" "$(launcher)"
}
for signal in INT TERM HUP USR1 USR2; do
    afresh
    signalled "$signal" $signal "$rs" run save.yaml --ranks 3 --progress none
    wait_exit 20 "$pid"
    is "$signal: exit status 75" $? 75
    is "$signal: time to save, and no failure" "$(cat save.out/dir/a/t*/state | wc -l) $(sql save.db "select sum(failures) from units")" "2 0"
    is "$signal: nothing was started after it" "$(wc -l <started)" 2
done
afresh
signalled "USR2 to mpirun" USR2 mpirun -n 3 "$rs" run save.yaml --progress none
wait_exit 20 "$pid"
is "USR2 to mpirun: exit status 75" $? 75
is "USR2 to mpirun: time to save, and no failure" "$(cat save.out/dir/a/t*/state | wc -l) $(sql save.db "select sum(failures) from units")" "2 0"

# Where the end is known, USR2 lets running units end by themselves
for how in "$rs run save.yaml --ranks 3" "mpirun -n 3 $rs run save.yaml"; do
    name=$(basename "${how%% *}")
    afresh
    # shellcheck disable=SC2086 # a command and its arguments
    signalled "USR2 to $name" USR2 $how --progress none --time-limit 1h
    ok "it is heard" wait_for 10 grep -q "starting nothing any more; what runs may go on for 59m" err
    : >go
    wait_exit 20 "$pid"
    is "exit status 75" $? 75
    is "what ran has ended by itself" "$(sql save.db "select state, attempts, value, count(*) from units group by 1, 2, 3")" "done|1|2.0|2
ready|0||2"
done
afresh
signalled "USR2, then another one" USR2 "$rs" run save.yaml --ranks 3 --progress none --time-limit 1h
ok "it is heard" wait_for 10 grep -q "starting nothing any more" err
kill -s TERM "$(launcher)"
wait_exit 20 "$pid"
is "exit status 75" $? 75
is "they were given the time to save" "$(cat save.out/dir/a/t*/state | wc -l)" 2

# A second one, after the end of units was asked for
for how in "$rs run save.yaml --ranks 3" "mpirun -n 3 $rs run save.yaml"; do
    afresh
    : >deaf_trainers
    sed 's/grace: 5s/grace: 50s/' save.yaml >deaf.yaml
    # shellcheck disable=SC2086
    signalled "twice to $how" USR1 ${how/save.yaml/deaf.yaml} --progress none --db save.db
    ok "the first one is heard" wait_for 10 grep -q "ending the running units" err
    kill -s USR1 "$(launcher)"
    wait_exit 20 "$pid"
    is "a second one stops at once" $? 75
    ok "nothing is left" wait_for 5 none_here "save.sh|$rs run"
    rm deaf_trainers
    : >go
    exits "the same command goes on" 0 timeout 60 "$rs" run save.yaml --db save.db --ranks 1 --progress none --accept
    is "nothing was lost or failed by it" "$(sql save.db "select count(*) from attempts where reason = 'lost' or state = 'failed'")" 0
done

# `stop: time` that is not reached does not make an interruption a success
afresh
sed 's/^goal/stop: {time: 1h}\ngoal/' save.yaml >stop.yaml
signalled "a study with a time of its own" TERM "$rs" run stop.yaml --ranks 3 --progress none
wait_exit 20 "$pid"
is "is not over when it is interrupted" $? 75
done_testing
