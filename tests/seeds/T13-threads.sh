#!/usr/bin/env bash
# Trap 13. Four jobs on a node of four cores started sixteen threads, because nobody had told them. Now each job's
# environment says how many threads it may have: as many as its cpus, and it is held to as many cores.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cores=$(nproc)
cat >job.sh <<'END'
echo "$OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS $NUMEXPR_NUM_THREADS" >"threads.$RANKSWEEP_PHASE"
nproc --all >/dev/null
env -u OMP_NUM_THREADS nproc >"cores.$RANKSWEEP_PHASE"
END
cat >s.yaml <<END
study: threads
metric: none
phases:
  one: {command: sh job.sh}
  all: {command: sh job.sh, cpus: $cores}
  own: {command: sh job.sh, cpus: $cores, env: {OMP_NUM_THREADS: 1}}
END
exits "jobs with one cpu, with all, and with a wish of their own" 0 env -u OMP_NUM_THREADS -u OPENBLAS_NUM_THREADS timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "one cpu: one thread of each kind" "$(cat threads.one)" "1 1 1 1"
is "all cpus: as many threads" "$(cat threads.all)" "$cores $cores $cores $cores"
is "what the study says goes before" "$(cat threads.own)" "1 $cores $cores $cores"
is "a job is held to its cores" "$(cat cores.one) $(cat cores.all)" "1 $cores"
done_testing
