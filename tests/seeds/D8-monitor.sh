#!/usr/bin/env bash
# D8. A monitor that repeats its check and prints only what has possibly crashed. That works when a healthy run prints
# nothing; when a job that hangs, or is stopped, or is over its time, is shown in one line within the time that was asked
# for; when the line goes away as the job comes back; and when it only reads, and disturbs no writer.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$1" >>ran
while [ ! -e "go.$1" ]; do
    echo "@metric m=$1"
    sleep 0.1
done
echo "@metric m=$1"
END
cat >s.yaml <<'END'
study: watch
metric: m
goal: minimize
phases:
  a: {command: 'sh job.sh {x}', params: {x: [1, 2, 3]}, search: grid}
END
start timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
run=$pid
ok "three jobs run" wait_sql 20 watch.db "select count(distinct unit) from metrics" 3
exits "all is well: status 0" 0 "$rs" monitor watch.db --stall 2s
is "and not a word" "$(cat out)" ""
before=$(sql watch.db "select count(*) from attempts")

unit=$(sql watch.db "select unit from units join trials using (trial) where json_extract(params, '$.x')=2")
job=$(sql watch.db "select pid from attempts where unit=$unit")
kill -STOP "$job"
start "$rs" monitor watch.db --interval 0.3s --stall 2s >seen
monitor=$pid
ok "one job is stopped: it is shown" wait_for 20 grep -q "unit $unit " seen
exits "a single look says so by its status" 1 "$rs" monitor watch.db --stall 2s --json
is "of that job only" "$(jq -c '[.[].unit]' out)" "[$unit]"
is "in one line" "$("$rs" monitor watch.db --stall 2s | wc -l)" 1
kill -CONT "$job"
well() { "$rs" monitor watch.db --stall 2s; }
ok "it goes on: nothing is shown any more" wait_for 20 well
touch go.1 go.2 go.3
wait_exit 30 "$run"
is "the run was not disturbed" $? 0
wait_exit 20 "$monitor"
is "and the monitor ends with it" $? 0
is "nothing was written" "$(sql watch.db "select count(*) from attempts")" "$before"
is "nothing else was ever shown" "$(grep -c . seen)" "$(grep -c "unit $unit " seen)"

# A run that died
rm go.?
sed 's/study: watch/study: dead/' s.yaml >d.yaml
start timeout 60 mpirun -n 4 "$rs" run d.yaml --progress none 2>/dev/null
ok "another run" wait_sql 20 dead.db "select count(distinct unit) from metrics" 3
kill_tree KILL "$pid"
wait_for 10 none_here "$rs run"
sqlite3 dead.db 'update run set last_seen_ms = last_seen_ms - 60000' # a while ago
exits "which is killed" 1 "$rs" monitor dead.db
like "is told in one line, with what to do" "$(cat out)" "^run 1 .*died.*ranksweep run dead.db"
is "one line" "$(wc -l <out)" 1
done_testing
