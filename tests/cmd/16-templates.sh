#!/usr/bin/env bash
# The scripts for Slurm and PBS: when they put the job back, when they do not, and that signals reach the run.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

mkdir bin
cat >bin/ranksweep <<'END'
#!/bin/bash
printf '%s\n' "$@" >args
trap 'echo USR1 >>heard' USR1
trap 'echo TERM >>heard' TERM
: >up
[ ! -e endless ] || while [ ! -e over ]; do sleep 0.02; done
[ "$STATUS" -le 128 ] || kill -s $((STATUS - 128)) $$
exit "$STATUS"
END
for asked in scontrol qsub; do
    printf '#!/bin/sh\nprintf "%%s\\n" %s "$*" >asked\nexit ${REFUSED:-0}\n' $asked >bin/$asked
done
chmod +x bin/*
slurm() { env PATH="$PWD/bin:$PATH" SLURM_JOB_ID=42 "$@" bash "$top/scripts/ranksweep.sbatch" 'my study.yaml' --progress none; }
pbs() { env PATH="$PWD/bin:$PATH" PBS_JOBID=42.s PBS_O_WORKDIR="$PWD" STUDY='my study.yaml' "$@" bash "$top/scripts/ranksweep.pbs"; }
afresh() { rm -f args heard up endless over asked err; }

for system in slurm pbs; do
    for status in 0 1 64 65 70 74 76; do
        afresh
        exits "$system: status $status is the job's" "$status" "$system" STATUS=$status
        ok "$system: status $status: it ends" test ! -e asked
    done
    for status in 69 75 137 139; do
        afresh
        exits "$system: status $status is the job's" "$status" "$system" STATUS=$status 2>err
        ok "$system: status $status: it goes on" test -e asked
    done
    like "$system: it says so" "$(cat err)" "status 139: (requeue|job) 1 of 20"
    like "$system: names stay whole" "$(head -n 2 args | tail -n 1)" "^my study.yaml$"
done
is "PBS: the next job follows this one, and counts on" "$(cat asked)" \
    "qsub
-W depend=afterany:42.s -v STUDY=my study.yaml,MAX_JOBS=20,JOBS_DONE=1 ranksweep.pbs"
afresh
slurm STATUS=75 2>err
is "Slurm: the same job" "$(cat asked)" "scontrol
requeue 42"
is "Slurm: options get through" "$(tail -n 2 args | tr '\n' ' ')" "--progress none "
afresh
exits "Slurm: a refused requeue is a failure" 1 slurm STATUS=75 REFUSED=1
bounded() { # SYSTEM COMMAND COUNT BOUND LAST: how often it has come back, and how often it may
    afresh
    exits "$1: as often as is said" 75 "$2" STATUS=75 "$3=$5" "$4=3"
    ok "$1: the last time" test -e asked
    afresh
    exits "$1: not more often" 75 "$2" STATUS=75 "$3=$(($5 + 1))" "$4=3"
    ok "$1: it ends" test ! -e asked
}
bounded Slurm slurm SLURM_RESTART_COUNT MAX_REQUEUES 2
bounded PBS pbs JOBS_DONE MAX_JOBS 2

# script SYSTEM: the shell of the template that was started
script() { pgrep -P "$pid" -f "scripts/ranksweep"; }
runs() { # SYSTEM
    afresh
    : >endless
    start "$1" STATUS=75 2>err
    ok "$1: it runs" wait_for 10 test -e up
}
ends() { # NAME
    : >over
    wait_exit 10 "$pid"
    is "$1: the run's status counts" $? 75
}
runs slurm
kill -s USR1 "$(script)"
ok "Slurm: a warning is passed on" wait_for 10 grep -qx USR1 heard
kill -s USR1 "$(script)"
ends "Slurm: after a warning"
is "Slurm: which was passed on once" "$(cat heard)" USR1
ok "Slurm: and the job goes on" test -e asked
for system in slurm pbs; do
    runs $system
    kill -s TERM "$(script)" "$(here bin/ranksweep)" # as the batch systems do
    ok "$system: it is told to end" wait_for 10 test -e heard
    ends "$system: a job that is to end"
    is "$system: was told so once" "$(cat heard)" TERM
    ok "$system: it does not come back" test ! -e asked
done
done_testing
