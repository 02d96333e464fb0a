#!/usr/bin/env bash
# Changing a study between runs: reset, cancel, hold, release, delete, priority. One rank, so no mpirun.
# shellcheck disable=SC2317 # functions called by name
. tests/lib/tap.sh

cat >unit.sh <<'SH'
echo "$RANKSWEEP_PHASE $1 $RANKSWEEP_FOLD resume=$RANKSWEEP_RESUME" >>ran
echo "of an attempt" >"$RANKSWEEP_DIR/file"
[ ! -e "fail.$RANKSWEEP_PHASE.$1" ] || exit 3
echo "@metric m=0.$1 step=1"
SH
cat >ch.yaml <<'YAML'
study: ch
seed: 1
metric: m
goal: minimize
folds: 2
defaults: {timeout: 1m, checkpoint: true}
phases:
  pre:
    command: sh unit.sh {x}
    params: {x: [1, 2, 3]}
    search: grid
  fine:
    after: pre
    command: sh unit.sh {x}{y}
    params: {y: [4, 5]}
    search: grid
  last:
    after: {fine: best}
    folds: none
    command: sh unit.sh {x}{y}
YAML
run=("$rs" run ch.yaml --ranks 1 --progress none)
states() { sql ch.db "select group_concat(n || ' ' || state, ', ') from (select count(*) n, state from units group by state)"; }
state_of() { sql ch.db "select group_concat(distinct state) from units where $1"; }
dump() { sql ch.db .dump; }
x_is() { echo "trial in (select trial from trials where json_extract(params, '\$.x') = $1)"; }
# what has run since the last time, sorted
ran() { sort ran && : >ran; }

exits "a study runs" 0 "${run[@]}"
is "all of it" "$(states)" "19 done"
ran >/dev/null

# ---- counting changes nothing
dump >before
is "a dry run counts: the unit, two that come after it, and the end" \
    "$("$rs" reset ch.db phase=pre x=1 fold=0 --dry-run --json | jq -c '[.verb, .selected, .changed, .descendants, .live, .picks, .dry_run]')" \
    '["reset",1,1,3,0,1,true]'
like "and says so to people" "$("$rs" reset phase=pre x=1 fold=0 --dry-run)" "reset \(dry run.*: 4 units \(1 named, 3 descendants\); 1 pick is void"
for verb in cancel hold release delete "priority -p 3"; do
    # shellcheck disable=SC2086 # two words
    ok "$verb --dry-run" "$rs" $verb all --dry-run
done
is "nothing is changed" "$(dump | cmp - before 2>&1)" ""

# ---- reset cascades, and touches nothing else
like "reset tells what it did" "$("$rs" reset ch.db phase=pre x=1 fold=0)" "^reset: 4 units \(1 named, 3 descendants\); 1 pick is void$"
is "the unit is ready" "$(state_of "phase = 'pre' and fold = 0 and $(x_is 1)")" ready
is "what comes after it waits" "$(state_of "phase = 'fine' and fold = 0 and $(x_is 1)")" waiting
is "what comes after the pick waits" "$(state_of "phase = 'last'")" waiting
is "siblings are untouched" "$(states)" "15 done, 1 ready, 3 waiting"
exits "the next run" 0 "${run[@]}"
is "repeats these, once, from the beginning" "$(ran)" "$(printf '%s\n' "fine 14 0 resume=0" "fine 15 0 resume=0" "last 14 -1 resume=0" "pre 1 0 resume=0")"
is "and all is done" "$(states)" "19 done"
is "the attempt of before is kept" "$(sql ch.db "select count(*) from attempts join units using (unit) where phase = 'pre' and fold = 0 and $(x_is 1)")" 2
is "a reset again finds a value to take back" "$("$rs" reset ch.db phase=last --json | jq -c '[.changed, .descendants]')" "[1,0]"
exits "go on" 0 "${run[@]}"
ran >/dev/null

# ---- what failed, and what it blocks, runs after a reset
touch fail.pre.2
"$rs" reset x=2 phase=pre >/dev/null
exits "two folds fail" 1 "${run[@]}"
is "and block what comes after" "$(state_of "phase = 'fine' and $(x_is 2)")" blocked
rm fail.pre.2
ran >/dev/null
like "reset by state" "$("$rs" reset state=failed)" "^reset: [0-9]+ units \(2 named, "
exits "after the repair" 0 "${run[@]}"
is "they run" "$(states)" "19 done"
is "once" "$(ran | sort | uniq -d)" ""

# ---- cancel
"$rs" reset phase=pre x=3 fold=1 >/dev/null
like "cancel blocks what comes after" "$("$rs" cancel phase=pre x=3 fold=1)" "^cancel: 1 unit; [0-9]+ that come after it are blocked$"
is "of the cancelled unit" "$(state_of "phase = 'pre' and fold = 1 and $(x_is 3)")|$(state_of "phase = 'fine' and fold = 1 and $(x_is 3)")" "cancelled|blocked"
ran >/dev/null
"${run[@]}" >out 2>err
is "a run does not start it" "$(ran | grep -c "pre 3 1")" 0
is "it stays so" "$(state_of "phase = 'pre' and fold = 1 and $(x_is 3)")" cancelled
like "what has ended is left alone" "$("$rs" cancel phase=pre x=1)" "^cancel: nothing to change"$'\n'"left as they are: 2 done$"
is "which --json tells too" "$("$rs" cancel phase=pre x=1 --json | jq -c '[.selected, .changed, .left]')" '[2,0,{"done":2}]'
"$rs" reset phase=pre x=3 fold=1 >/dev/null
exits "reset takes it back" 0 "${run[@]}"
is "all is done again" "$(states)" "19 done"

# ---- hold and release
"$rs" reset phase=last >/dev/null
is "hold" "$("$rs" hold phase=last)" "hold: 1 unit"
is "held" "$(state_of "phase = 'last'")" held
is "again: it is so already" "$("$rs" hold phase=last --json | jq -c '[.changed, .left]')" '[0,{"held":1}]'
ran >/dev/null
exits "a run that has nothing else ends, and says so by its status" 1 "${run[@]}"
is "it did not start it" "$(ran)" ""
is "release" "$("$rs" release phase=last)" "release: 1 unit"
exits "then it may" 0 "${run[@]}"
is "and does" "$(ran)" "last 14 -1 resume=0"

# ---- delete
trial=$(sql ch.db "select trial from trials where phase = 'fine' and json_extract(params, '\$.x') = 3 and json_extract(params, '\$.y') = 5")
is "delete takes the whole trial, and the one after it" "$("$rs" delete trial="$trial" fold=0 --json | jq -c '[.selected, .changed, .trials]')" '[1,2,2]'
is "it is gone from the units" "$(sql ch.db "select count(*) from units where trial = $trial")" 0
is "and from the results" "$("$rs" results --json | jq "[.trials[] | select(.trial == $trial)] | length")" 0
is "with what comes after it" "$("$rs" delete phase=pre x=3 --json | jq -c '.trials')" 2
exits "a run" 0 "${run[@]}"
is "does not make them again" "$(sql ch.db "select count(*) from units where phase = 'pre'")" 4
is "the rest is as it was" "$(sql ch.db "select count(*) from units where phase = 'fine' and state = 'done'")" 8

# ---- audit
is "each change left a row" "$(sql ch.db "select command from audit where command like 'delete%' order by at")" \
    "delete trial=$trial fold=0"$'\n'"delete phase=pre x=3"
like "with who and how many" "$(sql ch.db "select who || '|' || units from audit order by at limit 1")" "^[^ @]+@[^ ]+ pid [0-9]+\|4$"
is "a dry run left none, nor did what changed nothing" "$(sql ch.db "select count(*) from audit where command like 'priority%' or units = 0")" 0

# ---- priority: one at a time, in this order
cat >prio.yaml <<YAML
study: prio
seed: 1
metric: none
defaults: {timeout: 1m, cpus: $(nproc)}
phases:
  p:
    command: sh -c 'echo \$0 >>order' {x}
    params: {x: [1, 2, 3, 4, 5, 6]}
    search: grid
YAML
exits "six units" 0 "$rs" run prio.yaml --ranks 1 --progress none
rm order
"$rs" reset prio.db all >/dev/null
is "priority" "$("$rs" priority prio.db x=5 -p 10)" "priority: 1 unit, now 10"
"$rs" priority prio.db x=2 --priority 5 >/dev/null
is "below zero" "$("$rs" priority prio.db x=1 -p -1 --json | jq -c '[.verb, .changed]')" '["priority",1]'
exits "again" 0 "$rs" run prio.yaml --ranks 1 --progress none
is "in the order of priority" "$(tr '\n' ' ' <order)" "5 2 3 4 6 1 "

# ---- what is refused
exits "no selector" 64 "$rs" reset ch.db
like "it says what would be right" "$(cat err)" "SELECTOR.* or .all."
exits "all and a selector" 64 "$rs" hold ch.db all phase=pre
exits "an unknown key" 64 "$rs" reset ch.db fase=pre
like "the nearest is named" "$(cat err)" "reset: no key .fase.; did you mean .phase."
exits "an unknown state" 64 "$rs" reset ch.db state=dead
exits "no priority" 64 "$rs" priority ch.db all
exits "one that is none" 64 "$rs" priority ch.db all -p high
exits "one that is too high" 64 "$rs" priority ch.db all -p 1000001
exits "priority is of the verb priority" 64 "$rs" hold ch.db all -p 1
exits "nothing is selected: exit status 1" 1 "$rs" reset ch.db unit=4711
like "and said" "$(cat err)" "reset unit=4711: nothing is selected"
exits "with --json too" 1 "$rs" reset ch.db unit=4711 --json
is "and counted" "$(jq -c '[.selected, .changed]' out)" "[0,0]"
exits "no database" 74 "$rs" reset nosuch.db all
: >empty.db
exits "an empty file is none" 74 "$rs" reset empty.db all
is "and stays so" "$(wc -c <empty.db)" 0
rm empty.db
sqlite3 foreign.db 'create table t(x)'
exits "somebody else's is refused" 74 "$rs" reset foreign.db all
exits "two databases: which?" 64 "$rs" reset all
exits "a value is never SQL" 1 "$rs" reset ch.db "x=1' OR '1'='1"
is "the study file names it too" "$("$rs" hold ch.yaml phase=last --dry-run --json | jq .selected)" 1

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 . && chmod -R a+rX .
    exits "a folder that cannot be written" 74 setpriv --reuid 65534 --regid 65534 --clear-groups "$rs" reset ch.db all
    like "is named" "$(cat err)" "Permission denied"
else
    skip "a folder that cannot be written" "needs root and setpriv"
fi
is "the database is sound" "$(sql ch.db 'pragma integrity_check')" ok

# ---- several at once, also where no run has made an inbox yet
for inbox in with without; do
    [ $inbox = with ] || rm -r ch.out/inbox
    many=()
    for i in 1 2 3 4 5 6; do
        "$rs" reset ch.db phase=last --dry-run >"many.$i" 2>&1 &
        many+=($!)
    done
    for verb in "${many[@]}"; do
        wait "$verb"
    done
    is "six verbs at once, $inbox an inbox, all have their turn" "$(cat many.? | grep -c "^reset (dry run.*: 1 unit$")" 6
done
mkdir -p ch.out/inbox

# ---- a request that somebody has left between two runs, by hand as a verb leaves it
leave() { # ID WORD...
    local id=$1
    shift
    printf 'ranksweep request\0001\0%s\0me@here pid 1\0' "$id" >ch.out/inbox/."$id".tmp
    printf '%s\0' "$@" >>ch.out/inbox/."$id".tmp
    mv ch.out/inbox/."$id".tmp ch.out/inbox/"$id".request
}
ran >/dev/null
leave 1-a reset -- phase=last
exits "a run finds a request" 0 "${run[@]}"
is "and carries it out" "$(ran)" "last 14 -1 resume=0"
is "it is answered" "$(ls ch.out/inbox)" 1-a.answer
is "and in the audit by its name" "$(sql ch.db "select who || '|' || command from audit where request = '1-a'")" "me@here pid 1|reset phase=last"
rm ch.out/inbox/1-a.answer
leave 1-a reset -- phase=last
mv ch.out/inbox/1-a.request ch.out/inbox/1-a.taken
exits "one that a dead run has carried out and not answered" 0 "${run[@]}"
is "is not carried out again" "$(ran)" ""
like "but answered" "$(tr '\0' ' ' <ch.out/inbox/1-a.answer)" "carried out before"
leave 1-b reboot -- all
leave 1-c reset
leave 1-d reset -- nosuch=1
echo rubbish >ch.out/inbox/1-e.request
leave 1-f reset -- phase=last
mv ch.out/inbox/1-f.request ch.out/inbox/1-g.request # its id is another than its name
exits "wrong ones" 0 "${run[@]}"
is "are answered by status 64" "$(cd ch.out/inbox && for f in 1-[bcd].answer; do tr '\0' ' ' <"$f" | cut -d' ' -f5; done | tr '\n' ' ')" "64 64 64 "
is "or put aside when they are none" "$(cd ch.out/inbox && echo *.bad)" "1-e.bad 1-g.bad"
is "and told once" "$(grep -c "1-e.request is no request" err)" 1
is "nothing has run" "$(ran)" ""

done_testing
