#!/usr/bin/env bash
# Every way an attempt can go wrong, and what show says of it: the reason, status or signal, resources, times, last words.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >grow.sh <<'EOF'
# 1 MB more at a time, until somebody has enough
a=() x=$(printf '%01000000d' 0)
while :; do a+=("$x"); done
EOF
cat >train.sh <<'EOF'
echo "about to $1" >&2
case $1 in
exit) i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); done; exit 3 ;;
in_a_shell) sh -c 'kill -SEGV $$'; exit $? ;;
not_found) no-such-program; exit $? ;;
signal) kill -SEGV $$ ;;
timeout) trap '' TERM; while :; do echo x; sleep 0.05; done ;;
stall) exec sleep 60 ;;
no_metric) echo "@metric loss=3 a/c.c=4" ;;
bad_metric) echo "@metric err=0.5 step=1"; echo "@metric err=nan step=2" ;;
infinite) echo "@metric err=-inf" ;;
idle) echo "@metric err=1 step=1"; exit 75 ;;
again) echo "@metric err=1 step=$RANKSWEEP_ATTEMPT"; [ "$RANKSWEEP_ATTEMPT" = 2 ] || exit 75 ;;
esac
EOF
cat >s.yaml <<'EOF'
study: ends
seed: 1
metric: err
goal: minimize
defaults: {grace: 0.2s}
phases:
  a:
    command: sh train.sh {how}
    params: {how: [exit, in_a_shell, not_found, signal, timeout, stall, no_metric, bad_metric, infinite, idle, again]}
    search: grid
    timeout: 3s
    stall: 1s
  below:
    after: a
    command: sh -c 'echo "@metric err=1"'
  refused: # one large piece: it never has it, but says so
    command: sh -c 'dd if=/dev/zero of=/dev/null bs=200M count=1'
    memory: 64M
  eats: # it says nothing, but has used its limit
    command: bash -c '. ./grow.sh 2>/dev/null'
    memory: 48M
  program:
    command: ./not-there
EOF
exits "a study of failures" 1 timeout 120 mpirun -n 3 "$rs" run s.yaml --progress none
cp out end

unit_of() { sql ends.db "select u.unit from units u join trials t using (trial) where u.phase = '${2:-a}' and ('$1' = '' or json_extract(t.params, '$.how') = '$1')"; }
# told NAME HOW PHASE REASON CODE SIGNAL WHY: the last attempt, as JSON and for people
told() {
    local unit
    unit=$(unit_of "$2" "$3")
    "$rs" show ends.db "$unit" --json >show.json
    like "$1: reason, status, signal" "$(jq -c '.attempts[-1] | [.reason, .exit_code, .signal_name]' show.json)" "^\[\"$4\",$5,$6\]$"
    like "$1: why" "$(jq -r '.attempts[-1].why' show.json)" "$7"
    is "$1: for people" "$("$rs" show ends.db "$unit" | grep '^   [a-z]' | tail -n 1)" "   $4: $(jq -r '.attempts[-1].why' show.json)"
}
told "exit" exit a exit 3 null "it ended with status 3$"
is "what it used, and when" "$(jq -c '.attempts[0] | [.user_seconds + .system_seconds > 0, .max_rss_kb > 500, .seconds > 0, .finished > .started, .host != null, .pid > 1, .command]' show.json)" \
    '[true,true,true,true,true,true,"sh train.sh exit"]'
is "its last words" "$(jq -c '[.tail, .attempts[0].tail]' show.json)" '["about to exit\n","about to exit\n"]'
like "for people" "$("$rs" show ends.db "$(unit_of exit)")" "the end of its stderr \(or stdout\), attempt 1"$'\n'"  \| about to exit"
told "a signal below a shell" in_a_shell a exit 139 null "status 139, which a shell gives for a program that SIGSEGV killed"
told "no such program, in a shell" not_found a exit 127 null "status 127, which a shell gives for a program it does not find"
told "signal, by its name" signal a signal null '"SIGSEGV"' "SIGSEGV .signal 11. killed it"
is "its number too" "$(jq '.attempts[0].signal' show.json)" 11
like "a table with the name" "$("$rs" show ends.db "$(unit_of signal)")" "failed +signal +SIGSEGV "
told "timeout" timeout a timeout null '"SIGKILL"' "it ran longer than its .timeout. of 3\.0s, so it was stopped"
told "stall" stall a stall null '"SIGTERM"' "it wrote nothing for its .stall. of 1\.0s, so it was stopped"
told "no metric" no_metric a no_metric 0 null "without a value of .err.; it reported (loss, a/c.c|a/c.c, loss)"
told "NaN" bad_metric a bad_metric 0 null "its .err. is nan"
told "infinity" infinite a bad_metric 0 null "its .err. is -inf"
told "out of memory, by its last words" "" refused oom 1 null "out of memory: it used [0-9]+ MiB, and its .memory. is 64 MiB"
told "out of memory, by what it used" "" eats oom '[0-9]+' null "out of memory: it used (4[4-9]|5[0-9]) MiB, and its .memory. is 48 MiB"
told "no such program" "" program spawn null null "cannot start the program .exec.: No such file or directory"
told "75 without a new step" idle a requeue 75 null "status 75 .run me again. three times in a row without a new step"
is "is a failure of the unit" "$(jq -c '[.state, .reason, (.attempts | length)]' show.json)" '["failed","exit",4]'
"$rs" show ends.db "$(unit_of again)" --json >show.json
is "75 and a new step: an attempt more, and done" "$(jq -c '[.state, [.attempts[] | [.state, .exit_code, .why]]]' show.json)" \
    '["done",[["requeue",75,"status 75: it asked to be run again"],["done",0,null]]]'
below=$(sql ends.db "select child from edges where parent = $(unit_of timeout)")
like "what comes after a failure names it, and why" "$("$rs" show ends.db "$below")" "state +blocked by unit $(unit_of timeout) \(a: failed, timeout\)"
is "and in JSON" "$("$rs" show ends.db "$below" --json | jq -c '[.state, .cause]')" "[\"blocked\",$(unit_of timeout)]"
like "the end of the run tells statuses apart" "$(cat end)" "1 unit failed \(exit 139\).*"
like "and names signals" "$(cat end)" "1 unit failed \(signal SIGSEGV\)"

# ---- lost and stopped --------------------------------------------------------------------------------------------
cat >hang.yaml <<'EOF'
study: hang
seed: 1
metric: err
goal: minimize
defaults: {grace: 0.2s, lost_limit: 1}
phases:
  a: {command: sh hang.sh}
EOF
cat >hang.sh <<'EOF'
[ ! -e go ] || { echo "@metric err=1"; exit; }
echo $$ >>here
exec sleep 60
EOF
hangs() { [ "$(wc -l <here)" -ge "$1" ]; }
start timeout 60 "$rs" run hang.yaml --ranks 1 --progress none
ok "a unit hangs" wait_for 20 hangs 1
ok "its start is known" wait_sql 20 hang.db "select count(pid) from attempts" 1
kill_tree KILL "$pid"
start timeout 60 "$rs" run hang.yaml --ranks 1 --progress none
ok "it hangs again" wait_for 20 hangs 2
kill -TERM "$(pgrep -P "$pid")"
wait_exit 20 "$pid"
is "the run is stopped" $? 75
"$rs" show hang.db 1 --json >show.json
is "lost and requeue are told apart" "$(jq -c '[.attempts[] | [.state, .reason]]' show.json)" '[["lost","lost"],["requeue","requeue"]]'
like "lost: who had it" "$(jq -r '.attempts[0].why' show.json)" "^the run died while rank 0 on [^ ]+ had it$"
like "requeue: it was we" "$(jq -r '.attempts[1].why' show.json)" "^it was stopped with the run"
is "neither counts" "$(jq -c '[.state, .failures, .losses]' show.json)" '["ready",0,1]'
start timeout 60 "$rs" run hang.yaml --ranks 1 --progress none
ok "once more" wait_for 20 hangs 3
ok "its start is known" wait_sql 20 hang.db "select count(pid) from attempts" 3
kill_tree KILL "$pid"
exits "lost more often than it may be" 1 timeout 60 "$rs" run hang.yaml --ranks 1 --progress none
like "it says so" "$("$rs" show hang.db 1)" "lost: the run died while rank 0 on [^ ]+ had it; that was more than its .lost_limit. of 1"

# ---- the kernel's oom killer ---------------------------------------------------------------------------------------
group=$(awk -F: '$2 == "memory" { print "/sys/fs/cgroup/memory" $3 }' /proc/self/cgroup)/rs-test.$$ limit=memory.limit_in_bytes
[ -n "${group%/rs-test.*}" ] || group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/rs-test.$$ limit=memory.max
cat >killed.yaml <<'EOF'
study: killed
seed: 1
metric: err
goal: minimize
phases:
  eats: {command: bash grow.sh}
  by_hand: {command: sh -c 'kill -KILL $$'}
EOF
in_group() {
    echo $BASHPID >"$group/cgroup.procs" && exec "$rs" run killed.yaml --ranks 1 --progress none
}
if mkdir "$group" 2>/dev/null && echo 120M 2>/dev/null >"$group/$limit"; then
    (in_group) >out 2>err
    is "the kernel kills a trainer of a control group that is full" $? 1
    "$rs" show killed.db phase=eats --json >show.json
    is "out of memory" "$(jq -c '.attempts[-1] | [.reason, .signal_name]' show.json)" '["oom","SIGKILL"]'
    like "it says whose doing it was" "$(jq -r '.attempts[-1].why' show.json)" "^out of memory: it used [0-9]+ MiB, and the kernel killed it$"
    is "another SIGKILL is none" "$("$rs" show killed.db phase=by_hand --json | jq -c '.attempts[-1] | [.reason, .signal_name]')" '["signal","SIGKILL"]'
    ok "the group is empty" wait_for 10 rmdir "$group"
else
    rmdir "$group" 2>/dev/null
    skip "the kernel's oom killer" "no control group of memory can be made here"
fi
done_testing
