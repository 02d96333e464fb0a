#!/usr/bin/env bash
# M3. Set the status of jobs back to START without touching the database by hand. That works when jobs are selected by
# number, state, parameter and phase; when a dry run says how many it would be; when a job that runs is stopped first; when
# each change leaves a row that says who did it; and when a done job that is reset runs once more, and no other does.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$RANKSWEEP_PHASE $1" >>ran
[ "$RANKSWEEP_PHASE $1" != "slow one" ] || [ -e go ] || exec sleep 60
[ "$1" != bad ] || [ -e mended ] || exit 3
echo "@metric m=1"
END
cat >s.yaml <<'END'
study: back
metric: m
goal: minimize
phases:
  a: {command: 'sh job.sh {x}', params: {x: [one, two, three, bad]}, search: grid}
  b: {command: 'sh job.sh {x}', params: {x: [one, two]}, search: grid}
END
run=(timeout 60 "$rs" run s.yaml --ranks 1 --progress none)
ran() { sort ran | tr '\n' ',' && : >ran; }
exits "one of six jobs fails" 1 "${run[@]}"
ran >/dev/null

before=$(sql back.db "select * from units")
ok "a dry run" "$rs" reset back.db state=done phase=a --dry-run --json
is "says how many it would be" "$("$rs" reset back.db state=done phase=a --dry-run --json | jq .changed)" 3
is "and does nothing" "$(sql back.db "select * from units")" "$before"

ok "by number" "$rs" reset back.db unit="$("$rs" list back.db phase=b x=two --json | jq .[0].unit)"
exits "the next run" 1 "${run[@]}"
is "runs that one, once, and no other" "$(ran)" "b two,"
ok "by phase and parameter" "$rs" reset back.db phase=a x=one,three
exits "the next run" 1 "${run[@]}"
is "runs these two" "$(ran)" "a one,a three,"
touch mended
ok "by state" "$rs" reset back.db state=failed
exits "the next run has no failure any more" 0 "${run[@]}"
is "and has run what had failed" "$(ran)" "a bad,"
is "what was done stays done" "$("$rs" list back.db state=done --json | jq length)" 6
is "each change is on record, the dry run is not" "$(sql back.db "select units, command from audit order by at" | cut -d' ' -f1 | tr '\n' ' ')" "1|reset 2|reset 1|reset "
is "with who did it" "$(sql back.db "select count(*) from audit where who like '%$(id -un)%'")" 3
exits "nothing that is selected is no success" 1 "$rs" reset back.db x=four
exits "a wrong key is a wrong command" 64 "$rs" reset back.db nosuch=1

# One that runs is stopped, and started again: never two of it
sed -i 's/  b: {/  slow: {/' s.yaml && sed -i 's/study: back/study: live/' s.yaml
start timeout 60 "$rs" run s.yaml --ranks 2 --progress none
ok "a job runs" wait_sql 20 live.db "select count(*) from attempts where state='running' and unit in (select unit from units where phase='slow')" 1
unit=$(sql live.db "select min(u.unit) from attempts a join units u using (unit) where a.state='running' and phase='slow'")
old=$(sql live.db "select pid from attempts where unit=$unit and attempt=1")
touch go
ok "reset while it runs" "$rs" reset live.db unit="$unit"
ok "it is stopped" wait_for 10 gone "$old"
wait_exit 30 "$pid"
is "and the run ends well" $? 0
is "after a second attempt, which alone counts" "$(sql live.db "select state, attempts, failures from units where unit=$unit")" "done|2|0"
done_testing
