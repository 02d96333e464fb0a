#!/usr/bin/env bash
# monitor on what is in the database: runs that ended, died, or are elsewhere. The rows of copies are edited, so
# that nobody has to wait for time to pass; what a live run looks like is in mpi/11-monitor.
# Waits most of its time.
# shellcheck disable=SC2016 # scripts in quotes
. tests/lib/tap.sh

cat >train.sh <<'SH'
echo "@metric err=$1"
[ "$1" -lt 21 ] && exit
touch begun
while [ ! -e go ]; do sleep 0.05; done
SH
cat >s.yaml <<'YAML'
study: s
metric: err
goal: minimize
phases:
  train:
    command: sh train.sh {x}
    params: {x: "range(1, 22, 1)"}
    search: grid
YAML
host=$(hostname -s)

# monitor ARGUMENT...: finds no batch system but what is in ./bin
mkdir bin
monitor() { PATH=$PWD/bin "$rs" monitor "$@"; }
well() {
    exits "$1: nothing is suspicious" 0 monitor "${@:2}"
    is "and nothing is said" "$(cat out)" ""
}

# ---- a run that is over
touch go
exits "a study ends" 0 env PBS_JOBID=99.server "$rs" run s.yaml --db over.db --ranks 1 --progress none
is "its batch job is noted" "$(sql over.db "select job from runs")" "pbs:99.server"
well "over" over.db
is "as JSON: an empty array" "$(monitor over.db --json)" "[]"
well "repeated, it ends at once" over.db --interval 1h

# ---- a run that was killed: twenty units done, one running
rm go begun
start env SLURM_JOB_ID=77 "$rs" run s.yaml --ranks 1 --progress none
ok "the last unit runs" wait_sql 30 s.db "select count(*), (select count(*) from units where state='done') from attempts where state='running' and last_heard > started" "1|20"
kill_tree KILL "$pid"
wait_for 10 none_here "train.sh"
sqlite3 s.db "vacuum into 'dead.db'"
unit=$(sql dead.db "select unit from units where state='running'")

# edit SQL: a copy with other rows; NOW stands for the time in milliseconds
edit() {
    rm -f x.db*
    cp dead.db x.db
    sqlite3 x.db "${1//NOW/$(date +%s%3N)}"
}
ago() { echo "update run set started_ms = NOW - 7200000, last_seen_ms = NOW - ${1}000;"; }

edit "$(ago 100)"
exits "its process is gone" 1 monitor x.db
is "one line says so, and what to do" "$(cat out)" \
    "run 1 on $host: died: process $pid is gone, 1 unit still marked running; \`ranksweep run x.db\` goes on"
exits "as JSON" 1 monitor x.db --json
is "the same in parts" "$(jq -c '.[] | [.kind, .about, .run, .unit, .pid]' out)" "[\"died\",\"run\",1,null,$pid]"
exits "repeated, it ends, as there is no run to wait for" 1 monitor x.db --interval 0.2s
is "with one line" "$(grep -c 'died: process' out)" 1

edit "$(ago 100) update run set finished_ms = NOW, end = 'stopped'"
exits "it ended, a unit did not" 1 monitor x.db
like "which is said" "$(cat out)" "^run 1 on $host: ended .stopped., 1 unit still marked running; .ranksweep run x.db. goes on$"

edit "$(ago 100) update run set pid = $$, host = '$host'"
exits "its number is somebody else's now" 1 monitor x.db
like "who is not taken for it" "$(cat out)" "^run 1 on $host: died: process $$ is gone"

# This test began before the run, so it can stand for rank 0.
alive="update run set pid = $$, started_ms = NOW, last_seen_ms = NOW; update worker set pid = $$;"
edit "$alive update run set last_seen_ms = NOW - 600000"
exits "there, and notes nothing" 1 monitor x.db
like "says for how long" "$(cat out)" "^run 1 on $host: nothing was noted for 10m.*, though process $$ is there; look at process $$"

# Signs of life count more than a process that cannot be seen: a container has numbers of its own.
edit "$(ago -3600) update attempt set started_ms = NOW - 60000; update metric set at_ms = NOW - 60000; update output set at_ms = NOW - 60000"
start env PATH="$PWD/bin" "$rs" monitor x.db --interval 0.1s --stall 30s >watch
watch=$pid
ok "what is noted is judged all the same" wait_for 20 grep -q "unit $unit .*no output or metric for 1m" watch
kill -TERM "$watch"
wait_exit 10 "$watch"
is "a signal ends it like the end of the run" "$?" 1
is "and it says nothing else" "$(wc -l <watch)" 1

# ---- units
# lived SECONDS [HOST]: the unit that runs began so long ago, elsewhere, and was heard of ever since
lived() { echo "$alive update worker set host = '${2-elsewhere}'; update attempt set started_ms = NOW - ${1}000 where state = 'running'; update metric set at_ms = NOW; update output set at_ms = NOW;"; }
edit "$(lived 10 "$host") update attempt set pid = $$ where state = 'running'"
well "a unit that runs" x.db
edit "$(lived 50 "$host") update attempt set pid = 4000000 where state = 'running'"
exits "its process is gone" 1 monitor x.db
like "which no end was noted of" "$(cat out)" "^unit $unit .train, rank 0 on $host.: process 4000000 is gone, and no end was noted; "
edit "$(lived 50) update attempt set pid = 4000000 where state = 'running'"
well "of processes elsewhere nothing is said" x.db
sleep 1000 &
later=$!
started+=("$later")
edit "$(lived 7200 "$host") update attempt set pid = $later where state = 'running'"
exits "its number is somebody else's now" 1 monitor x.db
like "who is not taken for it" "$(cat out)" "process $later is gone"

few="update unit set state = 'failed', resets = 1 where unit = 3;" # too few are done to call one long
heard() { echo "update metric set at_ms = NOW - ${1}000; update output set at_ms = NOW - ${1}000;"; }
edit "$(lived 3000) $few $(heard 500)"
well "silent, though not for ten minutes" x.db
exits "but for what was asked" 1 monitor x.db --stall 8m
like "it is told" "$(cat out)" "^unit $unit .*: no output or metric for 8m[23].s; .ranksweep log x.db $unit. shows"
edit "$(lived 3000) $(heard 650)"
exits "silent for ten minutes" 1 monitor x.db --json
is "is what the rest of the world calls long" "$(jq -c '.[] | [.kind, .unit, .limit, .seconds >= 650]' out)" "[\"silent\",$unit,600,true]"
exits "not when it is of no interest" 1 monitor x.db --stall 0
unlike "though other things are" "$(cat out)" "no output"
edit "$(lived 3000) $(heard 650) delete from metric; update output set at_ms = null"
like "never heard of at all" "$(monitor x.db)" "^unit $unit .*: no output or metric for 50m"
edit "$(lived 3000) $(heard 650) insert into output select unit, 1, 99, 1, 0, 1, 0, 8388608, 0, NOW - 650000 from unit where unit = $unit"
unlike "beyond the head of its output it is not heard, which is not silence" "$(monitor x.db)" "no output"

# What a rank that is stopped cannot note is not held against its units.
sleep 999 &
asleep=$!
started+=("$asleep")
kill -STOP "$asleep"
edit "$(lived 3000) $(heard 650) update run set pid = $asleep"
is "rank 0 is stopped: that alone is told" "$(monitor x.db --json | jq -c '[.[] | [.kind, .about, .pid]]')" "[[\"stopped\",\"run\",$asleep]]"
edit "$(lived 3000) $(heard 650) update run set ranks = 2; update attempt set rank = 1; insert into worker(run, rank, host, pid) values(1, 1, '$host', $asleep)"
is "or the unit's rank" "$(monitor x.db --json | jq -c '[.[] | [.kind, .about, .rank, .pid]]')" "[[\"stopped\",\"rank\",1,$asleep]]"
edit "$(lived 3000) $(heard 650) update run set ranks = 2; update attempt set rank = 1; insert into worker(run, rank, host, pid) values(1, 1, '$host', 4000000)"
exits "or it is gone" 1 monitor x.db
like "with what to do" "$(cat out)" "^rank 1 on $host: process 4000000 is gone, and the run goes on without it; if its units stay as they are, stop the run, and .ranksweep run x.db. goes on$"

edit "$(lived 59)"
well "long, compared with very short ones" x.db
edit "$(lived 90)"
exits "much longer than all that are done" 1 monitor x.db
like "is a hint" "$(cat out)" "^unit $unit .*: running for 1m[34].s, the longest of 20 that are done took [0-9.]+m?s; "
edit "$(lived 90) update attempt set started_ms = finished_ms - 10000 where unit = 3"
well "one of them took long, too" x.db
edit "$(lived 90) $few"
well "too few are done to compare with" x.db

sed 's/phases:/defaults: {timeout: 30m, stall: 20m}\nphases:/' s.yaml >limits.yaml
timed="update study set text = readfile('limits.yaml');"
edit "$(lived 1809) $timed $few"
well "at its timeout, and the grace after it" x.db
edit "$(lived 1900) $timed $few"
exits "beyond" 1 monitor x.db
like "is told" "$(cat out)" "^unit $unit .*: running for 31m[45].s, though its timeout is 30m00s; see what holds process [0-9]+ on elsewhere"
edit "$(lived 1600) $timed $(heard 1100) $few"
well "the phase has a stall of its own" x.db
edit "$(lived 1600) $timed $(heard 1300)"
like "which counts" "$(monitor x.db)" "no output or metric for 21m"

# ---- another host: the batch system is asked
elsewhere="$(ago 600) update run set host = 'n17', pid = 5;"
edit "$(ago 30) update run set host = 'n17'"
well "elsewhere, with signs of life" x.db
edit "$elsewhere update run set job = null"
exits "elsewhere, in no job" 1 monitor x.db
is "it is unknown whether it lives" "$(cat out)" \
    "run 1 on n17: nothing was noted for 10m00s; whether it lives is unknown here (it was in no batch job); look for process 5 on n17; when it is gone, \`ranksweep run x.db\` goes on"
edit "$elsewhere"
exits "in a job, but there is no scheduler" 1 monitor x.db
like "unknown" "$(cat out)" "unknown here .there is no squeue here."

# fake PROGRAM SCRIPT
fake() {
    printf '#!/bin/sh\necho "$*" >asked\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}
fake squeue 'echo RUNNING'
exits "Slurm says it lives" 1 monitor x.db
like "so it hangs" "$(cat out)" "^run 1 on n17: nothing was noted for 10m.*, though job slurm:77 is alive; look at process 5 on n17"
is "Slurm is asked for that job" "$(cat asked)" "-h -j 77 -o %T"
fake squeue 'exit 0'
exits "Slurm does not have it any more" 1 monitor x.db
like "so it died" "$(cat out)" "^run 1 on n17: died: nothing was noted for 10m.*, and job slurm:77 is gone, 1 unit still marked running; .ranksweep run x.db. goes on"
fake squeue 'echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1'
like "or does not know it any more" "$(monitor x.db)" "died: .* job slurm:77 is gone"
fake squeue 'echo "squeue: error: Unable to contact slurm controller" >&2; echo more >&2; exit 1'
exits "Slurm is out of order" 1 monitor x.db
like "that is no answer" "$(cat out)" "unknown here .squeue ended with status 1: squeue: error: Unable to contact slurm controller."
unlike "and no death" "$(cat out)" "died"
fake squeue 'PATH=/usr/bin:/bin sleep 998'
exits "Slurm hangs" 1 monitor x.db
like "that is no answer" "$(cat out)" "unknown here .squeue gave no answer in 5 s."
ok "and does not stay" none_here "^sleep 998$|bin/squeue"

edit "$elsewhere update run set job = 'pbs:99.server'"
like "PBS is not there" "$(monitor x.db)" "unknown here .there is no qstat here."
fake qstat 'printf "Job id  Name  User  Time Use S Queue\n------ ---- ---- ---- - -----\n99.server train me 00:01:00 R workq\n"'
like "PBS says it lives" "$(monitor x.db)" "though job pbs:99.server is alive"
is "it is asked for that job" "$(cat asked)" "99.server"
fake qstat 'echo "qstat: Unknown Job Id 99.server" >&2; exit 153'
like "PBS does not know it" "$(monitor x.db)" "died: .* job pbs:99.server is gone"
fake qstat 'echo "qstat: cannot connect to server" >&2; exit 255'
like "PBS is out of order" "$(monitor x.db)" "unknown here .qstat ended with status 255: qstat: cannot connect"
edit "$elsewhere update run set job = 'lsf:1'"
like "another system" "$(monitor x.db)" "unknown here .job lsf:1 is of no known kind."

# ---- words
exits "--interval has a least" 64 monitor x.db --interval 0
exits "one database" 64 monitor x.db s.db
done_testing
