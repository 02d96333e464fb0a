#!/usr/bin/env bash
# M4. Jobs that crashed are launched again without anybody doing it by hand. That works when retries are automatic,
# bounded, spaced, and only for what crashed or was lost; when the next run knows by itself which jobs died with an
# earlier one; and when after a kill -9 of a job, all workers, rank 0 or everything the same command finishes, doing
# nothing twice that was done.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >train.sh <<'END'
echo "$1" >>started
until [ -e "go.$1" ]; do sleep 0.02; done
echo "$1" >>ended
echo "@metric err=$1"
END
cat >s.yaml <<'END'
study: crash
metric: err
goal: minimize
phases:
  a: {command: 'sh train.sh {x}', params: {x: "range(1, 9, 1)"}, search: grid, retries: 1}
  hopeless: {command: sh -c 'kill -9 $$', retries: 1}
  wrong: {command: sh -c 'echo "@metric err=nan"', retries: 1}
END
run=("$rs" run s.yaml --ranks 3 --progress none)
done_is() { wait_sql 20 crash.db "select count(*) from units where phase='a' and state='done'" "$1"; }
trainers() { here "^sh train.sh"; }
two_run() { [ "$(trainers | wc -l)" = 2 ]; }
let_go() { # those that run now may end
    local p
    for p in $(trainers); do
        touch "go.$(tr '\0' ' ' <"/proc/$p/cmdline" | cut -d' ' -f3)"
    done
}
everything() { here "$rs run|train.sh"; }

passed=0
start timeout 60 "${run[@]}" 2>/dev/null
kill_and_go_on() { # NAME WHOM...: two more end, two more begin, then it is killed
    local name=$1 victims
    shift
    ok "$name: two jobs run" wait_for 20 two_run
    let_go
    passed=$((passed + 2))
    ok "$name: they end" done_is $passed
    ok "$name: two others run" wait_for 20 two_run
    victims=$("$@")
    # shellcheck disable=SC2086 # a list of numbers
    ok "kill -9 of $name" kill -9 $victims
    wait_exit 30 "$pid"
    ok "$name: no job is left running" wait_for 5 none_here "train.sh|$rs run"
    is "$name: the database is sound" "$(sql crash.db 'pragma integrity_check')" ok
    start timeout 60 "${run[@]}" 2>/dev/null
}
workers() { rank_pid 1 && rank_pid 2; }
kill_and_go_on "all workers" workers
kill_and_go_on "rank 0" rank_pid 0
kill_and_go_on "everything" everything

# A job alone: the run goes on, and tries it once more
ok "the last two run" wait_for 20 two_run
ok "kill -9 of a job" kill -9 "$(trainers | head -n 1)"
touch go.1 go.2 go.3 go.4 go.5 go.6 go.7 go.8
wait_exit 30 "$pid"
is "what crashes again and again is given up, which the status tells" $? 1
is "all others are done" "$(sql crash.db "select state, count(*) from units where phase='a' group by 1")" "done|8"
is "once each" "$(sort ended | uniq -c | awk '$1 > 1')" ""
is "the limit of retries holds" "$(sql crash.db "select state, reason, attempts from units where phase='hopeless'")" "failed|signal|2"
is "a result that is wrong is no crash" "$(sql crash.db "select state, reason, attempts from units where phase='wrong'")" "failed|bad_metric|1"
is "a retry waits a second" "$(sql crash.db "select b.started - a.finished >= 1 from attempts a join attempts b using (unit) where a.reason='signal' and b.attempt = a.attempt + 1 and a.run = b.run" | sort -u)" 1
is "what a dead run left is marked as lost, by that run's number" \
    "$(sql crash.db "select count(*) > 0, sum(run = (select max(run) from runs)), sum((select end from runs where runs.run = attempts.run) = 'done') from attempts where reason='lost'")" "1|0|0"
is "and is no failure of the job" "$(sql crash.db "select sum(losses) > 0, sum(failures) from units where phase='a'")" "1|1"
done_testing
