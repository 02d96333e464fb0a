#!/usr/bin/env bash
# D13. Every change of the database is a command of the program. That works when whatever a user may need can be done and
# seen without a shell of SQLite: add, hold, release, cancel, delete, reset, priority, edit; when there is one status, not
# two to be kept alike; and when the database itself refuses what cannot be, should somebody write to it all the same.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

echo 'echo "$RANKSWEEP_PHASE $*" >>ran; echo "@metric m=$1"' >job.sh
state() { "$rs" list all.db x="$1" --json | jq -r '.[0].state'; }
core=$(taskset -cp $$ | sed 's/.*: //')
run() { timeout 30 taskset -c "${core%%[-,]*}" "$rs" run all.db --ranks 1 --progress none; } # on one core: one after the other
ok "add" "$rs" schedule all.db --command 'sh job.sh {x}' phase=a metric=m goal=minimize x='{{1,2,3,4,5}}'
is "seen" "$("$rs" list all.db --json | jq -c '[.[].state]')" '["ready","ready","ready","ready","ready"]'
ok "hold" "$rs" hold all.db x=1
ok "cancel" "$rs" cancel all.db x=2
ok "delete" "$rs" delete all.db x=3
ok "priority" "$rs" priority all.db x=5 -p 9
is "seen" "$(state 1) $(state 2) $(state 3) $("$rs" show all.db "$("$rs" list all.db x=5 --json | jq .[0].unit)" --json | jq .priority)" "held cancelled null 9"
run >/dev/null 2>&1
is "what may run has run, by priority" "$(tr '\n' ',' <ran)" "a 5,a 4,"
ok "release" "$rs" release all.db x=1
ok "reset" "$rs" reset all.db x=2,5
exits "and run" 0 run
is "seen" "$(state 1) $(state 2) $(state 5)" "done done done"
is "results" "$(trials all.db | jq -c '[.[].value]')" "[1,2,4,5]"
ok "status" "$rs" status all.db
for key in state reason value attempts host rank started finished params command; do
    ok "a job's $key can be had" sh -c "'$rs' show all.db 1 --json | jq -e 'has(\"$key\") or (.attempts[0] | has(\"$key\"))'"
done

# By hand all the same
raw() { sqlite3 all.db "pragma foreign_keys = on; $1"; }
tables=$(sql all.db "select count(*) from sqlite_schema where type='table' and sql like '%state TEXT%' and name='unit'")
is "a job's state is in one place" "$tables" 1
not_ok "a state that does not exist" raw "update unit set state='finished'"
not_ok "a step that cannot be: from done to running" raw "update unit set state='running' where state='done'"
not_ok "a job of no trial" raw "insert into unit(unit, trial, fold) values (99, 99, -1)"
not_ok "a view is not written to" raw "update units set state='ready'"
is "nothing of it is there" "$("$rs" list all.db state=done --json | jq length)" 4
done_testing
