#!/usr/bin/env bash
# D9. Ask the cluster whether a job lives: on each of its clusters the lab had another scheduler. That works when
# processes are looked at first, where that is possible; when otherwise the scheduler of the allocation is asked, Slurm or
# PBS; and when what cannot be known is "unknown", never "crashed".
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

unshare --uts true 2>/dev/null || skip_all "needs another host name, which only root can give itself here"
cat >s.yaml <<'END'
study: far
metric: m
goal: minimize
phases:
  a: {command: sh -c 'echo "@metric m=1"; exec sleep 100'}
END
mkdir bin
monitor() { PATH="$PWD/bin:$PATH" "$rs" monitor "$1.db"; }
scheduler() { # NAME SCRIPT
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}
dead() { # NAME VARIABLE=VALUE: a run on another host in such an allocation, killed, ten minutes ago
    start env "$2" unshare --uts sh -c 'hostname n17 && exec "$@"' sh "$rs" run s.yaml --db "$1.db" --ranks 1 --progress none
    wait_sql 20 "$1.db" "select count(*) from metrics" 1
    kill_tree KILL "$pid"
    wait_for 10 none_here "sleep 100"
    sqlite3 "$1.db" "update run set last_seen_ms = last_seen_ms - 600000, started_ms = started_ms - 600000"
}
dead slurm SLURM_JOB_ID=77
scheduler squeue 'echo "$@" >asked; echo RUNNING'
like "Slurm has the allocation: nobody has crashed" "$(monitor slurm)" "job slurm:77 is alive"
like "it was asked for that one" "$(cat asked)" "77"
scheduler squeue 'exit 0'
like "Slurm has it no more: the run died" "$(monitor slurm)" "died"
scheduler squeue 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1'
out=$(monitor slurm)
like "Slurm does not answer: unknown" "$out" "unknown"
unlike "which is no crash" "$out" "died|crashed"

dead pbs PBS_JOBID=99.server
scheduler qstat 'printf "Job id Name User Time S Queue\n------ ---- ---- ---- - -----\n99.server t me 00:01 R q\n"'
like "PBS has it" "$(monitor pbs)" "job pbs:99.server is alive"
scheduler qstat 'echo "qstat: Unknown Job Id 99.server" >&2; exit 153'
like "PBS has it no more" "$(monitor pbs)" "died"

dead none NOTHING=1
out=$(monitor none)
like "no scheduler that we know: unknown" "$out" "unknown"
unlike "which is no crash" "$out" "died|crashed"

# Here one can look
start env SLURM_JOB_ID=77 "$rs" run s.yaml --db here.db --ranks 1 --progress none
ok "a run on this host" wait_sql 20 here.db "select count(*) from metrics" 1
kill_tree KILL "$pid"
wait_for 10 none_here "$rs run"
sqlite3 here.db "update run set last_seen_ms = last_seen_ms - 60000" # a while ago
scheduler squeue 'echo RUNNING'
like "whose process is gone has died, whatever the scheduler says" "$(monitor here)" "died: process [0-9]+ is gone"
done_testing
