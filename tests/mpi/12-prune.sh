#!/usr/bin/env bash
# Pruning with real programs: who is given up and who goes on is known beforehand, as the curves are.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

# A trainer: the loss of step s is Q + 1/s. It writes down each step it makes, goes on where its folder says (and
# says again what it had there, as what was said last before a crash is lost), and ends with 0 when told to stop.
# Who is to be stopped on the way (STOPPED) is slow, and never comes to its end, however late that word.
cat >train.sh <<'END'
q=$1 n=$2 s=0
case ${STOPPED-} in *$q*) n=600 PACE=0.2 ;; esac
say() { echo "@metric loss=$(awk "BEGIN { print $q + 1 / $s }") step=$s"; }
[ "$RANKSWEEP_RESUME" != 1 ] || { read -r s <"$RANKSWEEP_DIR/at" && say; }
trap 'echo "$q" >>told; exit 0' TERM
while [ "$s" -lt "$n" ]; do
    s=$((s + 1))
    say
    echo "$q ${RANKSWEEP_FOLD:-0} $s" >>steps
    [ -z "${RANKSWEEP_DIR-}" ] || { echo $s >"$RANKSWEEP_DIR/new" && mv "$RANKSWEEP_DIR/new" "$RANKSWEEP_DIR/at"; }
    sleep "${PACE:-0.01}"
done
END
study() { # NAME PRUNE [COMMAND]
    cat >"$1.yaml" <<END
study: $1
metric: loss
goal: minimize
phases:
  a:
    command: sh train.sh {q} ${3:-9}
    params: {q: [9, 1, 8, 2, 7, 3, 6, 4, 5]}
    search: grid
    grace: 5s
    $2
  b:
    after: {a: best}
    command: sh train.sh {q} 1
END
}
states() { sql "$1.db" "select group_concat(q || ':' || state, ' ') from (select p.value q, u.state from units u join params p on p.trial = u.trial and p.name = 'q' where u.phase = 'a' order by 1)"; }
best() { sql "$1.db" "select value from params where trial = (select trial from trials where phase = 'b') and name = 'q'"; }
steps() { wc -l <steps; }
run_one() { # NAME: on one rank, so that the order is known
    rm -f steps told
    exits "$1: ends well" 0 timeout 60 "$rs" run "$1.yaml" --ranks 1 --progress none
}

study whole "" 9
run_one whole
is "without pruning all steps are made" "$(steps)" 82

# ---- promotion: a trial pauses at a rung with its checkpoint and goes on as a new attempt
study asha "prune: {asha: {resource: epochs, min: 1, max: 9, eta: 3}}" "{budget}"
run_one asha
is "asha: the best of each rung go on" "$(states asha)" \
    "1:done 2:pruned 3:pruned 4:pruned 5:pruned 6:pruned 7:pruned 8:pruned 9:pruned"
is "asha: what it found" "$(best asha)" 1
is "asha: no step is made twice" "$(sort steps | uniq -d | wc -l)" 1 # (that of the last phase)
is "asha: each rung is an attempt that goes on" \
    "$(sql asha.db "select group_concat(state) from attempts where unit = (select unit from units where phase = 'a' and state = 'done')")" \
    "paused,paused,done"
is "asha: rungs are in the database" \
    "$(sql asha.db "select group_concat(rung || ':' || n) from (select rung, count(*) n from rungs group by 1)")" "0:9,1:3"
is "asha: far less is run" "$(($(steps) < 40))" 1
is "asha: what is pruned has its step and value" \
    "$(sql asha.db "select u.reason || ' ' || u.end_step || ' ' || u.value from units u join params p on p.trial = u.trial where u.phase = 'a' and p.value = 9")" "asha 1.0 10.0"

# ---- stopping: the program is told, and whatever it ends with, it is pruned
study stop "prune: {asha: {min: 1, max: 9, type: stop}}" 9
STOPPED=2345678 run_one stop
# (The 9 may be the first to come to a rung, and so the best one for a moment.)
is "stop: at a rung the worse two thirds are stopped" "$(states stop | cut -d' ' -f1-8)" \
    "1:done 2:pruned 3:pruned 4:pruned 5:pruned 6:pruned 7:pruned 8:pruned"
is "stop: they were told" "$(grep -v 9 told | sort | tr '\n' ' ')" "2 3 4 5 6 7 8 "
is "stop: with status 0, and are pruned all the same" \
    "$(sql stop.db "select distinct state || ' ' || reason || ' ' || exit_code from attempts where state <> 'done'")" \
    "pruned asha 0"

study median "prune: {median: {startup: 2}, patience: {steps: 100}, threshold: {upper: 8.9}}" 9
STOPPED=3456789 run_one median
is "median: what is worse than half of the others is given up; rules add up" "$(states median)" \
    "1:done 2:done 3:pruned 4:pruned 5:pruned 6:pruned 7:pruned 8:pruned 9:pruned"

# ---- folds: one that is given up takes the others of its trial along; what comes after is no failure
cat >folds.yaml <<'END'
study: folds
metric: loss
goal: minimize
folds: 2
phases:
  a:
    command: sh train.sh {q} 9
    params: {q: [1, 2, 9]}
    search: grid
    prune: {threshold: {upper: 5}}
  b:
    after: a
    command: sh train.sh {q} 1
END
PACE=0.1 exits "folds: ends well" 0 timeout 60 mpirun -n 3 "$rs" run folds.yaml --progress none
is "folds: a fold prunes its trial, and its children wait for ever" \
    "$(sql folds.db "select group_concat(phase || ' ' || state) from (select distinct phase, state from trials where trial in (select trial from params where name = 'q' and value = 9) order by 1)")" \
    "a pruned,b blocked"

# ---- killed in the midst, it goes on from the rungs
study wild "prune: {asha: {min: 1, max: 9, eta: 3}}" "{budget}"
rm -f steps
PACE=0.05 start mpirun -n 2 "$rs" run wild.yaml --progress none
has_rungs() { [ "$(sql wild.db "select count(*) from rungs" 2>/dev/null)" -ge 5 ]; }
ok "some have come to a rung" wait_for 20 has_rungs
kill -9 "$(rank_pid 0)"
wait "$pid" 2>/dev/null
before=$(sql wild.db "select group_concat(trial || ':' || rung || ':' || value) from rungs")
exits "killed, and gone on with" 0 timeout 60 mpirun -n 2 "$rs" run wild.yaml --progress none
is "the rungs of before still stand" \
    "$(sql wild.db "select group_concat(trial || ':' || rung || ':' || value) from rungs" | grep -c "${before%%,*}")" 1
is "and so it ends as if nothing had been" "$(states wild)" "$(states asha)"
is "what had paused was not run again" \
    "$(sql wild.db "select count(*) from (select unit from attempts where state = 'paused' group by unit, (select u.rung from units u where u.unit = attempts.unit) having count(*) > 2)")" 0

# ---- what users ask for
"$rs" reset asha.db unit=1 >/dev/null
is "a reset takes a pruned one back" "$(sql asha.db "select state, reason, rung, end_step from units where unit = 1")" "ready||0|"
is "with the rung it had reached" "$(sql asha.db "select count(*) from rungs where trial = 1")" 0
exits "and it is run again" 0 timeout 60 mpirun -n 2 "$rs" run asha.yaml --progress none
is "once more to the first rung" "$(sql asha.db "select state, attempts, end_step from units where unit = 1")" "pruned|2|1.0"

done_testing
