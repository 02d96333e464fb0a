#!/usr/bin/env bash
# A real Slurm: the end of a job is known, the job is put back into the queue and goes on, in each of the ways in
# which it can be started; signals and scancel do what they should.
#
# All of it is this test's own: its slurmctld, slurmd and munged listen on the loopback interface only, and their
# files are in its folder. Slurm's shortest limit is a minute: one job has it, others are told less.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

for program in slurmctld slurmd munged sbatch; do
    PATH=$PATH:/usr/sbin command -v $program >/dev/null ||
        skip_all "no $program here; Debian: apt-get install --no-install-recommends slurmctld slurmd munge"
done
[ "$(id -u)" = 0 ] || skip_all "only root can run a slurmd"
export PATH=$PATH:/usr/sbin SLURM_CONF=$tmp/slurm.conf

# ---- the cluster -----------------------------------------------------------------------------
host=$(hostname -s)
port=$((20000 + $$ % 10000))
mkdir munge state spool
chmod 755 . munge && chmod 700 state
dd if=/dev/urandom of=munge/key bs=128 count=1 2>/dev/null && chmod 400 munge/key
# cred_expire: also how long a job waits after a requeue.
cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SrunPortRange=$((port + 10))-$((port + 99))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$tmp/munge/socket,cred_expire=5
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$tmp/state
SlurmdSpoolDir=$tmp/spool
SlurmctldPidFile=$tmp/slurmctld.pid
SlurmdPidFile=$tmp/slurmd.pid
SlurmctldLogFile=$tmp/slurmctld.log
SlurmdLogFile=$tmp/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=100000
ReturnToService=2
KillWait=10
NodeName=$host NodeAddr=127.0.0.1 CPUs=16 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
END
daemons=()
daemon() { # NAME COMMAND...
    local name=$1
    shift
    start "$@" >"$name.out" 2>&1
    daemons=("$pid" "${daemons[@]}")
}
jobs_gone() { [ -z "$(squeue -h -o %A)" ] && [ -z "$(here slurmstepd)" ]; }
down() {
    local status=$? daemon
    timeout 10 scancel -u root 2>/dev/null
    wait_for 20 jobs_gone
    for daemon in "${daemons[@]}"; do
        kill "$daemon" 2>/dev/null && wait_for 10 gone "$daemon"
    done
    (exit "$status")
    tap_finish
}
trap down EXIT
daemon munged munged -F --force --key-file="$tmp/munge/key" --socket="$tmp/munge/socket" --pid-file="$tmp/munge/pid" \
    --log-file="$tmp/munge/log" --seed-file="$tmp/munge/seed"
ok "munge is there" wait_for 10 test -S munge/socket
daemon slurmctld slurmctld -D -f "$SLURM_CONF"
ok "slurmctld answers" wait_for 20 scontrol ping
daemon slurmd slurmd -D -f "$SLURM_CONF" -N "$host"
node_is_idle() { [ "$(sinfo -h -o %t)" = idle ]; }
ok "a node is there" wait_for 30 node_is_idle || cat slurmctld.log slurmd.log

# ---- jobs ------------------------------------------------------------------------------------
mkdir bin
ln -s "$rs" bin/ranksweep
export PATH=$tmp/bin:$PATH

cat >train.sh <<'END'
trap 'echo saved >"$RANKSWEEP_DIR/state"; exit 75' TERM
echo "$RANKSWEEP_DEADLINE" >>deadline
[ "$RANKSWEEP_RESUME" = 0 ] || { echo "@metric m=1 step=2"; exit; }
echo "@metric m=5 step=1"
echo started >>started
while :; do sleep 0.1; done
END
cat >study.yaml <<'END'
study: s
metric: m
goal: minimize
defaults: {checkpoint: true, grace: 5s, retries: 0}
phases:
  a:
    command: sh ../train.sh
    params: {x: [1, 2]}
    search: grid
END
submit() { # NAME SCRIPT OPTION...: its number is in $job
    local name=$1 script=$2
    shift 2
    mkdir "$name"
    cp study.yaml "$name"
    job=$(sbatch --parsable --chdir="$tmp/$name" --nodes=1 --ntasks-per-node=3 --oversubscribe --time=1 "$@" \
        --output="$tmp/$name/log" --open-mode=append "$script" study.yaml --progress none)
    : >"$name/deadline"
}
state() { scontrol -o show job "$1" | grep -o "JobState=[A-Z]*\|Restarts=[0-9]*" | cut -d= -f2 | tr '\n' ' '; }
is_over() { [[ $(state "$1") =~ ^(COMPLETED|FAILED|TIMEOUT|CANCELLED|NODE) ]]; }
begun() { [ -e "$1/started" ] && [ "$(wc -l <"$1/started")" = "$2" ]; }
went_on() { # NAME JOB WHAT: it stopped in its first life, and ended in its second one
    wait_for 120 is_over "$2"
    is "$3: the job is requeued once and completes" "$(state "$2")" "COMPLETED 1 " || cat "$1/log"
    is "$3: nothing has failed or was lost, all is done" \
        "$(sql "$1/s.db" "select group_concat(distinct state || failures || attempts) from units") $(sql "$1/s.db" "select group_concat(distinct state) from attempts where attempt = 1")" \
        "done02 requeue"
    is "$3: programs were given the time to save" "$(cat "$1"/s.out/dir/a/t*/state | wc -l)" 2
}

template=$top/scripts/ranksweep.sbatch
# Its --signal would come at once where the limit is as short.
sed '/--signal/d' "$template" >alone.sbatch
sed 's|^run=.*|run=(srun --mpi=pmix ranksweep run)|' alone.sbatch >srun.sbatch
sed 's|^run=.*|run=(mpirun -n 3 ranksweep run)|' alone.sbatch >mpirun.sbatch
submit alone alone.sbatch
alone=$job
submit mpirun mpirun.sbatch --export=ALL,SLURM_JOB_END_TIME=$(($(date +%s) + 20))
mpirun=$job
submit srun srun.sbatch --export=ALL,SLURM_JOB_END_TIME=$(($(date +%s) + 20))
srun=$job
submit warned "$template" --time=10
warned=$job
submit unwanted "$template" --time=10
unwanted=$job

ok "USR1 to the batch script: the job runs" wait_for 60 begun warned 2
scancel --batch --signal=USR1 "$warned"
ok "scancel: the job runs" wait_for 60 begun unwanted 2
scancel "$unwanted"

went_on warned "$warned" "USR1"
went_on srun "$srun" "srun"
went_on mpirun "$mpirun" "mpirun"
went_on alone "$alone" "a minute's limit"
wait_for 40 is_over "$unwanted"
is "scancel: the job is over" "$(state "$unwanted")" "CANCELLED 0 "
go_on() { cd unwanted && "$rs" run study.yaml --ranks 1 --progress none; }
exits "scancel: the same command goes on all the same" 0 go_on
is "scancel: nothing has failed" "$(sql s.db "select sum(failures) from units")" 0
cd ..
unlike "it has stopped by itself" "$(cat alone/log)" "ending the running units|TIME LIMIT"
like "Slurm was asked for the end" "$(cat alone/log)" "the job \(slurm:$alone\) will be ended in (1m00s|[45][0-9]s)"
scancel -u root
ok "no job is left" wait_for 20 jobs_gone
done_testing
