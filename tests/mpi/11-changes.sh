#!/usr/bin/env bash
# Changing a study while a run is on: requests reach rank 0 through the inbox.
# shellcheck disable=SC2317 # functions called by name
. tests/lib/tap.sh

# One core for the only worker: it runs one unit, and holds one more.
read -r _ core < <(grep Cpus_allowed_list /proc/self/status)
one_core=(taskset -c "${core%%[-,]*}" timeout 120 mpirun -n 2)

# Each unit begins, and goes on when there is a file go or go.X
cat >unit.sh <<'SH'
[ "$1" != deaf ] || trap 'echo "@metric m=0.1"; exit 0' TERM
echo "$1 $RANKSWEEP_ATTEMPT $RANKSWEEP_RESUME" >>ran
while [ ! -e go ] && [ ! -e "go.$1" ]; do sleep 0.02; done
echo "@metric m=0.5"
SH
study() { # NAME VALUES
    cat >"$1.yaml" <<YAML
study: $1
seed: 1
metric: m
goal: minimize
defaults: {timeout: 2m, checkpoint: true, grace: 20s}
phases:
  a:
    command: sh unit.sh {x}
    params: {x: [$2]}
    search: grid
  b:
    after: {a: best}
    command: sh -c 'echo "b \$0 1" >>ran; echo "@metric m=1"' {x}
YAML
}
begin() { # NAME: a run in the background; $pid
    rm -f go go.* ran
    : >ran
    start "${one_core[@]}" "$rs" run "$1.yaml" --progress none 2>err.run
}
kill_run() { # NAME: rank 0 first; one that is stopped would go on when mpirun dies
    kill -KILL "$(leader "$1")"
    # shellcheck disable=SC2046
    kill -KILL $(here "$rs run $1.yaml")
}
leader() { sql "$1.db" "select pid from runs order by run desc limit 1"; }
began() { ok "$1 begins" wait_for 20 grep -q "^$1 ${2:-1} " ran; }
unit() { sql "$1.db" "select unit from units join trials using (trial) where units.phase = 'a' and json_extract(params, '\$.x') = '$2'"; }
state_of() { sql "$1.db" "select state from units where unit = $(unit "$1" "$2")"; }
becomes() { ok "$2 becomes $3" wait_sql 20 "$1.db" "select state from units where unit = $(unit "$1" "$2")" "$3"; }

# ---- each verb, on a run of one unit at a time
study live "deaf, u2, u3, u4, u5, u6, u7"
begin live
began deaf
is "hold keeps one from starting" "$("$rs" hold live.db x=u6)" "hold: 1 unit"
is "it is held at once" "$(state_of live u6)" held
like "hold does not stop what runs" "$("$rs" hold live.db x=deaf)" "nothing to change"$'\n'"left as they are: 1 running \(hold does not"
is "a dry run asks the run, and changes nothing" "$("$rs" cancel live.db x=deaf --dry-run --json | jq -c '[.changed, .live]')" "[1,1]"
is "it goes on" "$(state_of live deaf)" running

is "cancel stops what runs" "$("$rs" cancel live.db x=deaf)" "cancel: 1 unit; 1 running one is stopped"
becomes live deaf cancelled
is "for good: its end with success is nothing" "$(sql live.db "select state, value from units where unit = $(unit live deaf)")" "cancelled|"
began u2
is "priority" "$("$rs" priority live.db x=u5 -p 7)" "priority: 1 unit, now 7"
is "delete" "$("$rs" delete live.db x=u4 --json | jq -c '[.changed, .trials]')" "[1,1]"
is "it is gone" "$(unit live u4)" ""

like "reset stops what runs, first" "$("$rs" reset live.db x=u2)" "^reset: 1 unit; 1 running one is stopped first$"
touch go.u3 go.u5
began u2 2
is "it began again, from nothing" "$(grep "^u2 2" ran)" "u2 2 0"
is "after what has priority" "$(cut -d' ' -f1 ran | tr '\n' ' ')" "deaf u2 u3 u5 u2 "
touch go.u2
becomes live u2 "done"
began u7
is "what is held has not begun, what is deleted neither" "$(grep -cE "^u[46]" ran)" 0
is "release" "$("$rs" release live.db x=u6)" "release: 1 unit"
touch go.u7
began u6
is "each has run once, but for the one that was reset" "$(cut -d' ' -f1,2 ran | tr '\n' ' ')" "deaf 1 u2 1 u3 1 u5 1 u2 2 u7 1 u6 1 "

# ---- many at once, and no files left
for i in 1 2 3 4 5 6 7 8; do
    "$rs" priority live.db x=u6 -p "$i" >"many.$i" 2>&1 &
    many+=($!)
done
for i in 0 1 2 3 4 5 6 7; do
    wait "${many[i]}" || echo "status $? of $i"
done >many
is "eight verbs at once are all answered" "$(cat many many.? | sort | uniq -c | grep -vc "priority: 1 unit, now")" 0
is "each with a row of the audit" "$(sql live.db "select count(*) from audit where command like 'priority -p _ x=u6'")" 8
is "the inbox is empty" "$(ls live.out/inbox)" ""
touch go
wait_exit 60 "$pid"
status=$?
is "the end: all but the cancelled one" "$(sql live.db "select group_concat(n || ' ' || state, ', ') from (select state, count(*) n from units where phase = 'a' group by state)")" "1 cancelled, 5 done"
is "which is no failure" "$status" 0
like "but told" "$(cat err.run)" "1 unit is cancelled"
is "the audit has them in order" "$(sql live.db "select group_concat(command, ', ') from (select * from audit where command not like 'priority%x=u6' order by at)")" \
    "hold x=u6, cancel x=deaf, priority -p 7 x=u5, delete x=u4, reset x=u2, release x=u6"
like "and says who" "$(sql live.db "select distinct who from audit" | head -n 1)" "^[^ @]+@[^ ]+ pid [0-9]+$"

# ---- a run that does not answer; verbs that are stopped
study still "u1, u2, u3, u4, u5"
begin still
began u1
leader=$(leader still)
asked() { ls still.out/inbox/*.request; }
kill -STOP "$leader"
exits "no answer in time" 75 "$rs" hold still.db x=u4 --wait 0.3s
like "it says so" "$(cat err)" "in use by a run on .* pid $leader.*no answer within 300ms: the request is taken back, nothing was changed"
is "the request is gone" "$(ls still.out/inbox)" ""
start "$rs" hold still.db x=u4 >out 2>err
verb=$pid
ok "a verb that waits" wait_for 10 asked
kill -TERM "$verb"
wait_exit 10 "$verb"
is "and is stopped" "$?" 75
like "takes its request back too" "$(ls still.out/inbox)$(cat err)" "^ranksweep: stopped: .*nothing was changed$"
start "$rs" hold still.db x=u5 >out 2>err
verb=$pid
ok "another one" wait_for 10 asked
kill -CONT "$leader"
wait_exit 20 "$verb"
is "is answered when the run goes on" "$?|$(cat out)" "0|hold: 1 unit"
is "only that" "$(state_of still u5)|$(state_of still u4)" "held|ready"

# ---- what is no request
mkdir still.out/inbox/folder.request
ln -s /etc/passwd still.out/inbox/link.request
echo rubbish >still.out/inbox/.tmp && mv still.out/inbox/.tmp still.out/inbox/rubbish.request
aside() { [ "$(find still.out/inbox -name "*.bad" | wc -l)" = 3 ]; }
ok "what is no request is put aside" wait_for 10 aside
is "and reported once each" "$(grep -c "is no request" err.run)" 3
like "the run goes on" "$("$rs" release still.db all)" "^release: 1 unit"
rm -r still.out/inbox
is "also without its inbox: it makes another" "$("$rs" hold still.db x=u5)" "hold: 1 unit"

# ---- a run that ends under a verb
kill -STOP "$leader"
start "$rs" reset still.db x=u1 --json >out 2>err
verb=$pid
ok "a verb waits" wait_for 10 asked
kill_run still
wait_exit 30 "$verb"
is "the run dies, and the verb does it itself" "$?|$(jq -c .changed out)" "0|1"
is "once" "$(sql still.db "select count(*) from audit where command = 'reset x=u1'")|$(ls still.out/inbox)" "1|"
is "as it should be" "$(state_of still u1)" ready
# ---- a run that claims a request and gets no further
begin still
ok "u1 begins again" wait_for 20 grep -q "^u1 " ran
kill -STOP "$(leader still)"
claim() { mv still.out/inbox/*.request "$(echo still.out/inbox/*.request | sed 's/request$/taken/')"; }
start "$rs" priority still.db x=u4 -p 4 >out 2>err
verb=$pid
ok "a request" wait_for 10 asked
claim
stopped() { kill -TERM "$verb" 2>/dev/null; gone "$verb"; }
ok "that is claimed cannot be taken back, but left" wait_for 20 stopped
wait_exit 1 "$verb"
is "with status 75" "$?" 75
like "and where to look" "$(cat err)" "taken the request and not answered: the view .audit. tells"
start "$rs" priority still.db x=u5 -p 5 >out 2>err
verb=$pid
ok "another one" wait_for 10 asked
claim
kill_run still
wait_exit 30 "$verb"
is "is carried out by its asker when the run dies" "$?|$(cat out)" "0|priority: 1 unit, now 5"
begin still
touch go
"$rs" release still.db all >/dev/null 2>&1
ok "a verb at the very end of a run" "$rs" reset still.db all
wait_exit 60 "$pid"
exits "the next run ends it" 0 timeout 60 mpirun -n 2 "$rs" run still.yaml --progress none
is "what was claimed and left is carried out by the next run, all once" \
    "$(sql still.db "select group_concat(command) from (select command from audit where command like 'priority%' order by command)")" \
    "priority -p 4 x=u4,priority -p 5 x=u5"
is "the database is sound" "$(sql still.db 'pragma integrity_check')" ok

# ---- a run that dies while it waits for what is to be reset
cat >stubborn.sh <<'SH'
trap '' TERM
echo "$1 $RANKSWEEP_ATTEMPT $RANKSWEEP_RESUME" >>ran
while [ ! -e go ]; do sleep 0.02; done
echo "@metric m=0.5"
SH
study late "u1, u2, u3"
sed -i 's/unit.sh/stubborn.sh/; s/grace: 20s/grace: 100s/' late.yaml
begin late
began u1
# A crash before the run has heard of the beginning makes it none, and its number is given again.
ok "the run knows" wait_sql 20 late.db "select count(*) from attempts where started is not null" 1
like "a reset that has to wait" "$("$rs" reset late.db all)" "^reset: [12] units?; [12] running ones? (is|are) stopped first"
kill_run late
wait_exit 30 "$pid"
ok "nothing of it is left" wait_for 10 none_here stubborn.sh
dump() { sql late.db .dump | grep -v "INSERT INTO owner"; } # who has it, for a moment
dump >before
ok "a dry run after a crash" "$rs" hold late.db all --dry-run
is "writes nothing down, not even the crash" "$(dump | cmp - before 2>&1)" ""
touch go
exits "the next run" 0 "${one_core[@]}" "$rs" run late.yaml --progress none
is "carries it out" "$(grep -c "^u1 2 0" ran)" 1
is "once" "$(grep -c "^u1" ran)" 2

done_testing
