#!/usr/bin/env bash
# One study is killed again and again, each time another part of it and at another place, and gone on with: at its
# end it is what it is when nobody disturbs it, and what was done was done once.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
echo "@metric err=$1 step=1"
sleep 0.12
echo "@metric err=$1 step=2"
END
cat >s.yaml <<'END'
study: kills
seed: 3
metric: err
goal: minimize
folds: 2
phases:
  a:
    command: sh train.sh 0.{x}
    params: {x: "range(1, 13, 1)"}
    search: grid
  b:
    after: a
    command: sh train.sh {y}
    params: {y: "uniform(0, 1)"}
    search: random
    trials: 2
  c:
    after: {b: best 2}
    folds: none
    command: sh train.sh {b.value}
END
exits "undisturbed" 0 timeout 60 mpirun -n 3 "$rs" run s.yaml --db calm.db --progress none

# Of what a run consists of
keeper() { pgrep -P "$(rank_pid "$1")" -x rs-keeper; }
launcher() { pgrep -o -P "$pid" -f "$rs run"; }
mpirun_process() { here "^mpirun" | tail -n 1; }
all() { here "$rs run|train.sh"; }

done_units() { sql wild.db "select unit || ':' || attempts from units where state='done' order by unit"; }
has_done() { [ "$(sql wild.db "select count(*) from units where state='done'" 2>&1)" -ge "$1" ]; }

disturb() { # WHOM [RANK]: killed when five more units are done
    local name="kill -9 of $*" victims status
    : >>before
    start timeout 60 "$rs" run s.yaml --db wild.db --ranks 3 --progress none >out 2>err
    ok "$name: some units end" wait_for 20 has_done $(($(sort -u before | wc -l) + 5))
    victims=$("$@")
    # shellcheck disable=SC2086 # a list of numbers
    ok "$name" kill -9 $victims
    wait_exit 30 "$pid"
    status=$?
    like "$name: the command's status tells" $status "^(69|75|137)$"
    ok "$name: no trainer is left 2 s later" wait_for 2 none_here "^sh train.sh"
    ok "$name: nor anything else" wait_for 10 none_here "$rs run"
    is "$name: the database is sound" "$(sql wild.db 'pragma integrity_check')" ok
    done_units >>before
}
disturb all
disturb rank_pid 0
disturb launcher
disturb mpirun_process

# The rest of them do not end the run: a worker, and another one's keeper, which takes its rank along.
start timeout 60 "$rs" run s.yaml --db wild.db --ranks 4 --progress none >out 2>err
for victim in "rank_pid 1" "keeper 2"; do
    ok "$victim: some units end" wait_for 20 has_done $(($(sort -u before | wc -l) + 3))
    # shellcheck disable=SC2046 # a list of numbers
    ok "kill -9 of $victim" kill -9 $($victim)
    done_units >>before
done
wait_exit 60 "$pid"
is "the run finishes without them" $? 0
is "it has counted them" "$(sql wild.db "select lost from runs order by run desc limit 1")" 2
done_units >after
is "what was done was not done again" "$(sort -u before | comm -23 - <(sort after))" ""
is "the result is that of the calm run" "$(outcome wild.db | cksum)" "$(outcome calm.db | cksum)"
is "no failure was counted" "$(sql wild.db "select sum(failures) from units")" 0
is "what was lost was not their fault" "$(sql wild.db "select count(*) from attempts where state <> 'done' and reason not in ('lost', 'requeue')")" 0
is "no file of a launch is left" "$(find wild.out -name 'launch-*')" ""
done_testing
