#!/usr/bin/env bash
# monitor beside a live run: silent while all is well, a line when a trainer or a rank is stopped, when one is
# silent, when the run dies, and one when it is resolved.
# Waits most of its time.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'SH'
echo "@metric err=$1"
while [ ! -e go ]; do
    [ "$1" = 2 ] && [ -e hush ] || echo "@metric err=$1"
    sleep 0.1
done
SH
cat >s.yaml <<'YAML'
study: s
metric: err
goal: minimize
phases:
  train:
    command: sh train.sh {x}
    params: {x: "range(1, 7, 1)"}
    search: grid
YAML
host=$(hostname -s)
run() { start timeout 120 mpirun -n 3 "$rs" run "$1" --progress none; }
busy() { wait_sql 30 s.db "select count(distinct unit) from attempts where state = 'running' and last_heard > started" 2; }
of() { sql s.db "select $1 from attempts where unit = $2 and state = 'running'"; }
# watch ARGUMENT...: in the background; what it prints goes to ./watch
watch() {
    start "$rs" monitor "$@" --interval 0.2s >watch
    watch=$pid
}
says() { wait_for 40 grep -Eq -- "$1" watch; }

run s.yaml
job=$pid
ok "two units run" busy
watch s.db
exits "all is well" 0 "$rs" monitor s.db
is "so nothing is printed" "$(cat out)" ""
is "as JSON neither" "$("$rs" monitor s.db --json)" "[]"

trainer=$(of pid 1) rank=$(of rank 1)
kill -STOP "$trainer"
exits "a trainer that is stopped" 1 "$rs" monitor s.db
is "has its line" "$(cat out)" "unit 1 (train, rank $rank on $host): process $trainer is stopped; \`kill -CONT $trainer\` lets it go on"
ok "it appears where looks are repeated" says "^[0-9-]+ [0-9:]+ unit 1 .*: process $trainer is stopped;"
other=$(of pid 2)
kill -STOP "$other"
ok "as does another" says " unit 2 .*: process $other is stopped;"
kill -CONT "$trainer" "$other"
ok "it is resolved" says "^[0-9-]+ [0-9:]+ unit 1 .train, rank $rank on $host.: resolved .stopped.$"
ok "as is the other" says " unit 2 .*: resolved .stopped.$"
exits "what is resolved is no news" 0 "$rs" monitor s.db
is "each was told once" "$(wc -l <watch)" 4

touch hush
ok "a trainer that falls silent is told" wait_for 30 sh -c "'$rs' monitor s.db --stall 0.5s | grep -q '^unit 2 .*: no output or metric for'"
is "and no other" "$("$rs" monitor s.db --stall 0.5s --json | jq -c '[.[] | [.kind, .unit, .limit]]')" '[["silent",2,0.5]]'
rm hush

worker=$(sql s.db "select pid from workers where rank = 2")
kill -STOP "$worker"
ok "a rank that is stopped" says " rank 2 on $host: process $worker is stopped; .kill -CONT $worker."
kill -CONT "$worker"
ok "is let go on" says " rank 2 on $host: resolved"
leader=$(sql s.db "select pid from runs")
kill -STOP "$leader"
ok "rank 0, too" says " run 1 on $host: process $leader is stopped; .kill -CONT $leader."
is "what it cannot note is not held against its units" "$("$rs" monitor s.db --stall 0.1s --json | jq -c '[.[] | .about]')" '["run"]'
kill -CONT "$leader"
ok "and goes on" says " run 1 on $host: resolved"

kill -KILL "$leader"
wait_exit 30 "$job"
ok "a run that died is told" says " run 1 on $host: died: process $leader is gone, [0-9]+ units still marked running; .ranksweep run s.db. goes on$"
wait_exit 30 "$watch"
is "that ends the watch" "$?" 1
is "nothing else was told meanwhile" "$(grep -cv -e 'is stopped' -e 'resolved' watch)" 1

touch go
exits "the run is gone on with" 0 timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
exits "and is forgiven" 0 "$rs" monitor s.db
is "without a word" "$(cat out)" ""

# ---- at full rate
cat >rate.sh <<'SH'
i=0
while [ $i -lt 100 ]; do echo "@metric err=$1 loss=$i step=$i"; i=$((i + 1)); done
SH
sed 's/study: s/study: rate/; s/train.sh/rate.sh/; s/range(1, 7, 1)/range(1, 7, 0.02)/' s.yaml >rate.yaml
run rate.yaml
job=$pid
ok "units end" wait_sql 30 rate.db "select count(*) > 0 from units where state = 'done'" 1
watch rate.db
looks=0
while ! gone "$job" 2>/dev/null; do
    "$rs" monitor rate.db || echo "status $?"
    looks=$((looks + 1))
done >often 2>&1
wait_exit 60 "$job"
is "the run is not disturbed" "$?" 0
wait_exit 30 "$watch"
is "the watch ends with it, and all is well" "$?" 0
is "nothing was told" "$(cat watch often)" ""
ok "though many looked" test "$looks" -ge 3
is "all was done" "$(sql rate.db "select group_concat(distinct state) from units")" "done"

# ---- ^C
sed 's/study: s/study: c/' s.yaml >c.yaml
rm go
run c.yaml
job=$pid
ok "one more run" wait_sql 30 c.db "select count(*) from attempts where state = 'running'" 2
trainer=$(sql c.db "select min(pid) from attempts where state = 'running'")
kill -STOP "$trainer"
watch c.db --json
ok "as JSON, an object a line" says '^."event": "appeared", "at": [0-9.]+, "kind": "stopped", "about": "unit", .*\}$'
kill -INT "$watch"
wait_exit 10 "$watch"
is "^C ends it in good order: something was suspicious" "$?" 1
is "each line is JSON" "$(jq -c '[.event, .kind, .pid]' watch)" "[\"appeared\",\"stopped\",$trainer]"
kill -CONT "$trainer"
touch go
wait_exit 60 "$job"
is "the run ends" "$?" 0
done_testing
