#!/usr/bin/env bash
# `doctor`: what stands in the way of a run is said before it, with what to do about it.
. tests/lib/tap.sh
state() { PATH=${path:-$PATH} "$rs" doctor "${@:2}" --json | jq -r ".[] | select(.about == \"$1\") | .state"; }

exits "here all is well" 0 "$rs" doctor
is "it looks at all of it" "$("$rs" doctor --json | jq -r '.[].about' | sort -u | tr '\n' ' ')" "cpus end folder limits lost ranks mpi "
like "people read the same" "$(cat out)" "^mpi +ok +mpirun \(Open MPI\) [0-9.]+"
exits "one folder is enough" 64 "$rs" doctor a b

mkdir empty fake
is "without mpirun" "$(path=$PWD/empty state mpi)" fix
PATH=$PWD/empty exits "it is not well" 1 "$rs" doctor
like "and what helps is said" "$(cat out)" "there is no mpirun here
 +install openmpi-bin"
printf '#!/bin/sh\necho "mpirun (Open MPI) 6.0.0"\n' >fake/mpirun
chmod +x fake/mpirun
is "another MPI is worth a note" "$(path=$PWD/fake:$PATH state mpi)" note
is "srun without PMIx makes runs of its own" "$(SLURM_STEP_NUM_TASKS=4 state mpi)" fix

mpi 3 doctor >out 2>err
is "under mpirun one speaks" "$(grep -c '^mpi ' out)" 1
like "and says which flags are missing" "$(cat out)" "lost ranks +fix .*mpirun lacks --enable-recovery --mca async_mpi_finalize 1 --mca routed direct"
mpi_flags=(--enable-recovery --mca async_mpi_finalize 1 --mca routed direct)
mpi 2 doctor >out 2>err
like "with them nothing is" "$(cat out)" "lost ranks +ok "

is "a folder where nothing can be made" "$(state folder /proc)" fix
is "one that is not there" "$(state folder "$PWD/nowhere")" fix
is "nothing is left behind" "$(find . -name '.ranksweep-*')" ""
(ulimit -n 200 && "$rs" doctor >out)
like "few open files" "$(cat out)" "limits +fix +200 open files
 +ulimit -n 4096"

export SLURM_JOB_ID=77
is "a job whose end nobody knows" "$(path=$PWD/empty state end)" fix
SLURM_JOB_END_TIME=$(($(date +%s) + 7200)) "$rs" doctor >out
like "one whose end is known" "$(cat out)" "end +ok +the job \(slurm:77\) will be ended in (1h59m|2h)"
done_testing
