#!/usr/bin/env bash
# Trap 15. Resuming wrote before it had read, and started again what was running. Now a run that may not go on changes
# nothing: not while another one has the database, not with another study, not when there is nothing to do.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$1" >>ran
until [ -e go ]; do sleep 0.02; done
echo "@metric m=$1"
END
cat >s.yaml <<'END'
study: resume
seed: 1
metric: m
goal: minimize
phases:
  a: {command: 'sh job.sh {x}', params: {x: [1, 2, 3]}, search: grid}
END
contents() { sql resume.db .dump | grep -vE 'INSERT INTO "?owner' | cksum; }
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
ok "two jobs run, one is to come" wait_sql 20 resume.db "select count(*) from attempts where state='running'" 2
before=$(contents)
exits "the same command, while it is on" 74 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "has changed nothing" "$(contents)" "$before"
is "and started nothing a second time" "$(sort ran | uniq -d)" ""
touch go
wait_exit 30 "$pid"
is "the first one ends as if nothing had been" $? 0

before=$(contents)
refused() { # NAME EDIT
    sed "$2" s.yaml >other.yaml
    exits "$1 is refused" 65 timeout 30 "$rs" run other.yaml --db resume.db --ranks 1 --progress none
    is "$1: nothing is changed" "$(contents)" "$before"
}
refused "another seed" 's/seed: 1/seed: 2/'
refused "another command" 's/job.sh/jab.sh/'
refused "another goal" 's/minimize/maximize/'
sed 's/metric: m/metric: [/' s.yaml >other.yaml
exits "a file that is no study is refused" 65 timeout 30 "$rs" run other.yaml --db resume.db --ranks 1
is "nothing is changed" "$(contents)" "$before"
exits "a run with nothing to do" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "runs nothing" "$(sort ran | tr '\n' ' ')" "1 2 3 "
is "and leaves every result as it was" "$(sql resume.db "select state, attempts, value from units order by unit" | tr '\n' ' ')" "done|1|1.0 done|1|2.0 done|1|3.0 "
done_testing
