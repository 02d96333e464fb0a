#!/usr/bin/env bash
# Every way to fail has its reason; descendants are blocked, siblings go on.
# Waits most of its time.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

cat >train.sh <<'EOF'
case $1 in
good) echo "@metric err=0.1" ;;
exit) echo "no such data set" >&2; exit 3 ;;
signal) kill -SEGV $$ ;;
timeout) trap '' TERM; while :; do echo x; sleep 0.05; done ;;
stall) sleep 60 ;;
no_metric) echo "all is well" ;;
bad_metric) echo "@metric err=nan" ;;
esac
EOF
cat >s.yaml <<'EOF'
study: fail
seed: 1
metric: err
goal: minimize
defaults: {timeout: 1.5s, stall: 1s, grace: 0.2s, retries: 1, retry_on: [exit]}
phases:
  a:
    command: sh train.sh {how}
    params: {how: [good, exit, signal, timeout, stall, no_metric, bad_metric]}
    search: grid
  b:
    after: a
    command: sh train.sh good
  c:
    command: ./not-there
EOF
exits "units failed: exit status 1" 1 timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
is "each failure has its reason" \
    "$(sql fail.db "select json_extract(t.params,'$.how'), u.state, u.reason from units u join trials t using (trial) where u.phase='a' order by u.unit" | tr '\n' ' ')" \
    "good|done| exit|failed|exit signal|failed|signal timeout|failed|timeout stall|failed|stall no_metric|failed|no_metric bad_metric|failed|bad_metric "
is "a program that is not there" "$(sql fail.db "select reason from units where phase='c'")" spawn
is "only what may be retried is retried" \
    "$(sql fail.db "select group_concat(attempts, ' ') from (select attempts from units where phase='a' order by unit)")" "1 2 1 1 1 1 1"
is "exit code and signal are kept" "$(sql fail.db "select exit_code, signal from attempts where reason in ('exit','signal') group by 1, 2 order by 1" | tr '\n' ' ')" "|11 3| "
is "the good one's child ran, the others' are blocked" "$(sql fail.db "select state, count(*) from units where phase='b' group by 1" | tr '\n' ' ')" "blocked|6 done|1 "
like "a blocked unit names its cause" "$(sql fail.db "select reason from units where state='blocked' limit 1")" "unit [0-9]"
like "show gives the end of stderr" "$("$rs" show fail.db "$(sql fail.db "select unit from units where reason='exit'")")" "no such data set"

# The first ten all fail alike: a mistake of the study, not bad luck
cat >alike.yaml <<'EOF'
study: alike
seed: 1
metric: err
goal: minimize
phases:
  a:
    command: sh alike.sh {x}
    params: {x: "uniform(0, 1)"}
    search: random
    trials: 60
EOF
echo 'echo "cannot find the module" >&2; exit 9' >alike.sh
exits "it stops" 1 timeout 60 mpirun -n 3 "$rs" run alike.yaml --progress none
like "says which error" "$(cat err)" "exit.* 9"
like "and shows the end of stderr" "$(cat err)" "cannot find the module"
like "after few attempts" "$(sql alike.db 'select count(*) from attempts')" "^1[0-9]$"
echo 'echo "err=$1"' >alike.sh
exits "so does one that exits with 0 and reports nothing" 1 timeout 60 mpirun -n 3 "$rs" run alike.yaml --progress none
like "says what is missing" "$(cat err)" "failed alike .no_metric"
like "and shows what it wrote instead" "$(cat err)" "\\| err="
echo 'echo "@metric err=$1"' >alike.sh
exits "mended, the same command finishes" 0 timeout 60 mpirun -n 3 "$rs" run alike.yaml --progress none
is "all of it" "$(sql alike.db "select state, count(*) from units group by 1")" "done|60"

# wrong input
printf 'study: x\nphases:\n  a:\n    comand: true\n' >bad.yaml
exits "a wrong study file: exit status 65" 65 timeout 30 mpirun -n 3 "$rs" run bad.yaml
is "each mistake is told once" "$(grep -c 'bad.yaml:4:5' err)" 1
like "with the nearest key" "$(cat err)" "command"
not_ok "and nothing is left behind" test -e x.db

# edits
sed -i 's/trials: 60/trials: 62/' alike.yaml
exits "more trials extend a study" 0 timeout 60 "$rs" run alike.yaml --ranks 1 --progress none
is "by those" "$(sql alike.db "select count(*), max(attempts) from units where unit > 60")" "2|1"
sed 's/seed: 1/seed: 2/' alike.yaml >seed.yaml
exits "the seed never changes" 65 timeout 30 "$rs" run seed.yaml --db alike.db --ranks 1
like "and is named" "$(cat err)" "seed"
sed 's/alike.sh {x}/alike.sh {x} more/; s/trials: 62/trials: 63/' alike.yaml >cmd.yaml
exits "a command does not change by itself" 65 timeout 30 "$rs" run cmd.yaml --db alike.db --ranks 1
like "the key is named" "$(cat err)" "command"
exits "but when accepted" 0 timeout 30 "$rs" run cmd.yaml --db alike.db --ranks 1 --accept
like "for what had not begun" "$(sql alike.db "select command from attempts where unit = 63")" "more"

# a domain that changes: what has begun stays as it was, the rest is drawn anew
cat >dom.yaml <<'END'
study: dom
seed: 1
metric: err
goal: minimize
phases:
  a:
    command: sh wait.sh {x}
    params: {x: "uniform(0, 1)"}
    search: random
    trials: 20
  b: {after: a, command: sh -c 'echo "@metric err=1"'}
END
echo 'while [ ! -e go ]; do sleep 0.05; done; echo "@metric err=$1"' >wait.sh
start timeout 60 "$rs" run dom.yaml --ranks 1 --progress none
ok "some units have begun" wait_sql 20 dom.db "select count(*) > 0 from units where state='running'" 1
kill_tree KILL "$pid"
begun=$(sql dom.db "select count(*) from units where phase='a' and attempts > 0")
like "and most have not" "$begun" "^[1-9]$"
: >go
sed 's/uniform(0, 1)/uniform(2, 3)/' dom.yaml >dom2.yaml
exits "a domain does not change by itself" 65 timeout 30 "$rs" run dom2.yaml --ranks 1
exits "but when accepted" 0 timeout 60 "$rs" run dom2.yaml --ranks 1 --accept --progress none
is "begun trials keep their values, the others are drawn anew" \
    "$(sql dom.db "select json_extract(params,'$.x') > 1, count(*) from trials where phase='a' group by 1" | tr '\n' ' ')" "0|$begun 1|$((20 - begun)) "
is "each with its child" "$(sql dom.db "select state, count(*) from units where phase='b' group by 1")" "done|20"
exits "and once more: nothing to do" 0 timeout 60 "$rs" run dom2.yaml --ranks 1 --progress none
done_testing
