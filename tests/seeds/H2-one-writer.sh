#!/usr/bin/env bash
# H2. SQLite, so that no database has to be installed, with one writer. That works when only rank 0 opens the file; when a
# second run is refused and told who has it; when that guard does not outlive its holder; and when a kill -9 in the middle
# of writing leaves a sound database that goes on.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
echo "$1" >>ran
[ "$1" -lt 20 ] || until [ -e go ]; do sleep 0.02; done
for i in 1 2 3 4 5 6 7 8 9 10; do echo "@metric err=$i step=$i other=$i$i"; done
END
cat >s.yaml <<'END'
study: one
metric: err
goal: minimize
phases:
  a: {command: 'sh train.sh {x}', params: {x: "range(0, 1000, 1)"}, search: grid}
END
sed 's/study: one/study: watched/; s/1000/60/; s/train.sh {x}/train.sh 1/' s.yaml >w.yaml

# While one run is on (it waits), a second one tries for some seconds
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none 2>/dev/null
run=$pid
ok "a run is on" wait_for 20 grep -qsx 20 ran
start timeout 30 "$rs" run s.yaml --ranks 1 --progress none 2>err
second=$pid

if strace -o /dev/null true 2>/dev/null; then
    # Every file that any process of the whole tree opens, with the process; each rank writes a log of its own.
    exits "a run over four ranks, watched" 0 timeout 60 strace -f -qq -e trace=open,openat,creat -o trace mpirun -n 4 "$rs" run w.yaml --progress none
    openers() { grep -E "$1" trace | grep -v ENOENT | awk '{ print $1 }' | sort -u | wc -l; }
    is "one process alone opens the database" "$(openers '"[^"]*watched\.db(-wal|-shm|-journal)?"')" 1
    is "though three write output" "$(openers '"[^"]*watched\.out/log/run1-rank[123]\.log"')" 3
else
    skip "which process opens the database" "no strace here, or it may not trace"
fi
wait_exit 30 "$second"
is "the second one is refused" $? 74
like "and told by whom" "$(cat err)" "one.db is in use by a run on $(hostname -s).*, pid $(rank_pid 0), since [0-9: -]+"

# kill -9 while it writes, and once more
pid=$run
touch go
last=0
for round in 1 2; do
    enough() { [ "$(wc -l <ran)" -ge $((last + 60)) ]; }
    ok "round $round: it works" wait_for 20 enough
    kill_tree KILL "$pid"
    ok "round $round: all is gone" wait_for 10 none_here "$rs run|train.sh"
    last=$(wc -l <ran)
    is "round $round: the database is sound" "$(sql one.db 'pragma integrity_check')" ok
    is "round $round: what is done has all its numbers" "$(sql one.db "select count(*) from units u where state='done' and (select count(*) from metrics m where m.unit=u.unit and m.attempt=u.attempts) <> 20")" 0
    start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none 2>/dev/null
done
wait_exit 60 "$pid"
is "the dead one's guard keeps nobody out, and the work gets done" $? 0
is "all of it" "$(sql one.db "select state, count(*) from units group by 1")" "done|1000"
is "each to its end once" "$(sql one.db "select count(*) from (select unit from attempts where state='done' group by 1 having count(*) > 1)")" 0
done_testing
