#!/usr/bin/env bash
# Killed at any place, the same command goes on: nothing done is repeated, no trainer is left, the database is sound.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

cat >train.sh <<'EOF'
echo "$RANKSWEEP_UNIT" >>started
while [ ! -e go ] && [ "$1" -gt 6 ]; do sleep 0.05; done
echo "$RANKSWEEP_UNIT" >>ended
echo "@metric err=0.$1"
EOF
cat >s.yaml <<'EOF'
study: again
seed: 5
metric: err
goal: minimize
phases:
  a:
    command: sh train.sh {x}
    params: {x: "range(1, 13, 1)"}
    search: grid
  b:
    after: {a: best 2}
    command: sh -c 'echo "@metric err={x}"'
EOF

try() { # NAME WHOM: run, kill WHOM (a function of the started pid) when 6 units are done and others hang
    rm -rf again* started ended go
    start timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
    ok "$1: six units end" wait_sql 20 again.db "select count(*) from units where state='done'" 6
    ok "$1: others run" wait_for 10 some_here "^sh train.sh"
    "$2" "$pid"
    ok "$1: no trainer is left 2 s later" wait_for 2 none_here "^sh train.sh"
    wait_exit 20 "$pid"
    is "$1: the database is sound" "$(sql again.db 'pragma integrity_check')" ok
    is "$1: what was done stays done" "$(sql again.db "select count(*) from units where state='done'")" 6
    cp ended before
    : >go
    exits "$1: the same command goes on" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
    is "$1: everything is done" "$(sql again.db "select state, count(*) from units group by 1")" "done|14"
    is "$1: nothing done was repeated" "$(sort ended | uniq -d)" ""
    is "$1: the lost attempts are told apart" "$(sql again.db "select count(*) > 0 from attempts where reason='lost'")" 1
}
ranks() { here "$rs run" | while read -r p; do [ "$(ps -o comm= -p "$p")" = ranksweep ] && echo "$p"; done; }
all_at_once() { kill_tree KILL "$1"; }
try "kill -9 of everything" all_at_once # of its parts: 07-kills.sh

# ^C and its friends end in good order
rm -rf again* started ended go
start timeout 60 "$rs" run s.yaml --ranks 3 --progress none
ok "six units end" wait_sql 20 again.db "select count(*) from units where state='done'" 6
kill -INT "$(pgrep -P "$pid" ranksweep)"
wait_exit 20 "$pid"
is "^C: exit status 75" $? 75
is "no failure is counted" "$(sql again.db "select count(*) from units where state='failed'")" 0
is "the run says how it ended" "$(sql again.db "select end from runs")" stopped
: >go
exits "and goes on" 0 timeout 60 "$rs" run s.yaml --ranks 3 --progress none
rm -rf again* started ended go
exits "a time limit: exit status 75" 75 timeout 60 "$rs" run s.yaml --ranks 2 --progress none --time-limit 2s
ok "no trainer is left" wait_for 2 none_here "^sh train.sh"
: >go
exits "and goes on too" 0 timeout 60 "$rs" run again.db --ranks 2 --progress none
is "each unit once" "$(sort ended | uniq -d)" ""

# one writer
rm -rf again* started ended go
start timeout 60 "$rs" run s.yaml --ranks 1 --progress none
ok "a run goes on" wait_sql 20 again.db "select count(*) > 0 from units where state='running'" 1
exits "a second one is refused" 74 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
like "and told by whom" "$(cat err)" "in use.*$(hostname -s).*pid [0-9]+"
: >go
wait_exit 20 "$pid"
is "the first one is not disturbed" $? 0

rm -rf again* started ended go
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
ok "a run over ranks goes on" wait_sql 20 again.db "select count(*) from units where state='done'" 6
holders=$(for p in $(ranks); do find "/proc/$p/fd" -lname '*again.db*' -printf "$p\n" 2>/dev/null; done | sort -u | wc -l)
is "only one rank has the database open" "$holders" 1
: >go
wait_exit 20 "$pid"
is "it ends well" $? 0
done_testing
