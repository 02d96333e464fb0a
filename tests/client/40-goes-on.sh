#!/usr/bin/env bash
# Trainers on the C and on the Python client over real ranks: killed, timed out or stopped ahead of it, they go on
# where they were and end with the very numbers of one that was left alone.
# Waits most of its time.
# shellcheck disable=SC2317 # functions are called by name
. tests/lib/tap.sh
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS-}" # Open MPI leaks

cp "$top/include/ranksweep.py" "$top/tests/client/trainer.py" .
ok "a trainer in C" cc -std=c99 -O2 -ffp-contract=off -iquote "$top/include" -o trainer "$top/tests/client/trainer.c"
phases() { # PREFIX COMMAND
    cat <<END_OF_PHASES
  ${1}calm: {command: $2, checkpoint: true, params: $params}
  ${1}killed: {command: $2, checkpoint: true, params: $params, env: {DIE_AT: 7}}
  ${1}forgets: {command: $2, params: $params, env: {DIE_AT: 7}}
  ${1}timed: {command: $2, checkpoint: true, params: $params, retries: 0, timeout: 4s, env: {WAIT_AT: 7, WAIT_FOR: term}}
  ${1}ahead: {command: $2, checkpoint: true, params: $params, retries: 0, timeout: 5s, env: {WAIT_AT: 7}}
END_OF_PHASES
}
params='{lr: 0.3, start: 12345}'
python=$(python3 -c 'import sys; print(sys.executable)')
{
    cat <<'END_OF_HEAD'
study: on
seed: 1
metric: valid_error
goal: minimize
defaults: {retries: 1, grace: 20s}
phases:
END_OF_HEAD
    phases c_ ./trainer
    phases py_ "$python -B trainer.py"
} >on.yaml
exits "a study whose trainers suffer" 0 timeout 120 mpirun -n 3 "$rs" run on.yaml --progress none

ends() { # PHASE: how its attempts ended
    sql on.db "select group_concat(a.state || ' ' || coalesce(a.exit_code, '') || ' ' || coalesce(nullif(a.signal, 0), ''), ', ')
        from attempts a join units u using (unit) where u.phase = '$1'"
}
metric() { # PHASE NAME: its values over all attempts, steps reported alike twice once
    sql on.db "select group_concat(printf('%g=%.17g', step, value), ' ') from
        (select distinct m.step, m.value from metrics m join units u using (unit)
         where u.phase = '$1' and m.name = '$2' order by m.step)"
}
whole=$(./trainer | sed -n 's/^@metric valid_error=\([^ ]*\) step=20$/\1/p') # by hand: another lr, another start
series=$(metric c_calm valid_error)
is "undisturbed: 20 epochs" "$(wc -w <<<"$series")" 20
unlike "by hand it runs with its own parameters" "$series" "${whole:?}"
for l in c py; do
    is "$l: undisturbed, in one attempt" "$(metric ${l}_calm began_at)" "1=1"
    is "$l: more metrics than tables have columns" \
        "$(sql on.db "select count(*) from metrics m join units u using (unit) where phase='${l}_calm' and m.name like 'layer%'")" 300
    is "$l: killed in epoch 7: goes on at 7" "$(metric ${l}_killed began_at)" "1=1 2=7"
    like "$l: it was a signal" "$(ends ${l}_killed)" "^failed -?[0-9]* 9, done 0 $"
    is "$l: one that saves nothing starts clean" "$(metric ${l}_forgets began_at)" "1=1 2=1"
    is "$l: TERM at its timeout: saves, goes on at 7" "$(metric ${l}_timed began_at)" "1=1 2=7"
    is "$l: it was TERM" "$(metric ${l}_timed terms)" "0=1"
    is "$l: which is no failure" "$(ends ${l}_timed)" "requeue 75 , done 0 "
    is "$l: ahead of the deadline: the same" "$(metric ${l}_ahead began_at)" "1=1 2=7"
    is "$l: without TERM" "$(metric ${l}_ahead terms)" "0=0"
    for phase in calm killed forgets timed ahead; do
        is "$l: $phase: each epoch's error is that of an undisturbed run" "$(metric ${l}_$phase valid_error)" "$series"
    done
    for phase in killed timed ahead; do
        is "$l: $phase: and the saved state, byte for byte" "$(cmp on.out/dir/${l}_$phase/*/state on.out/dir/${l}_calm/*/state 2>&1)" ""
    done
done
is "all values are one" "$(sql on.db "select count(distinct value) || ' ' || count(*) from units")" "1 10"
is "nothing of the metrics is in the output" "$("$rs" log on.db 1 | grep -c metric)" 0

# Started by a program that does not hand the descriptor down: not a metric gets lost, and none into a foreign file
cat >between.py <<'END_OF_SCRIPT'
import subprocess, sys
log = open("foreign.log", "w")
subprocess.run(["sh", "-c", "exec ./trainer 3>foreign"], check=True)
subprocess.run(["./trainer"], check=True)
END_OF_SCRIPT
cat >between.yaml <<END_OF_STUDY
study: between
seed: 1
metric: valid_error
goal: minimize
phases:
  a: {command: $python -B between.py}
END_OF_STUDY
exits "a program between" 0 timeout 60 mpirun -n 2 "$rs" run between.yaml --progress none
is "its trainer's metrics are there" "$(sql between.db "select count(*) from metrics where name='valid_error'")" 40
is "and nothing in files of others" "$(cat foreign foreign.log)" ""
done_testing
