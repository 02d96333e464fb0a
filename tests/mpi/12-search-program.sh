#!/usr/bin/env bash
# `search: {program: ..}`: what the program proposes is what runs, it is told of all trials in every run, whatever it
# does wrong stops the study with one clear error, and nothing of it is left, whoever dies.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh
command -v python3 >/dev/null || skip_all "no python3"

# Answers from a list of its own, and writes down all it hears and says.
cat >sampler.py <<'END_OF'
import json, os, sys, time
def note(kind, what):
    with open(sys.argv[1], "a") as f:
        f.write(json.dumps([kind, what]) + "\n")
note("begin", os.environ.get("GREETING"))
note("opening", json.loads(sys.stdin.readline()))
for line in sys.stdin:
    message = json.loads(line)
    for kind in message:
        note(kind, message[kind])
    if "ask" in message:
        n = message["ask"]["id"]
        answer = {"id": n, "params": {"x": (n % 8 + 1) / 16, "n": float(n % 3), "o": ["sgd", "a b"][n % 2], "m": 0.5}}
        note("answer", answer["params"])
        print(json.dumps(answer))
time.sleep(0.2)
note("end", None)
END_OF
cat >s.yaml <<'END_OF'
study: s
seed: 3
metric: err
goal: minimize
env: {GREETING: hello}
setup: echo this is no answer; read x; cd .
phases:
  a:
    command: sh -c 'echo "@metric err=$1"' sh {x}
    params:
      x: uniform(0, 1)
      n: int(0, 2)
      o: [sgd, a b]
      m: uniform(0, 0.9) if o == sgd
      c: 7
    require: x != 0.125
    search: {program: python3 sampler.py heard}
    trials: 5
    enqueue: [{x: 0.75, n: 1, o: sgd, m: 0.25}]
END_OF
no_sampler() { none_here 'sampler.py|bad.sh'; }
heard() { jq -c "$1" "${2:-heard}"; }

exits "a study whose search is a program" 0 timeout 60 "$rs" run s.yaml --ranks 2 --progress none
is "its proposals are what ran, after what was enqueued" \
    "$(trials s.db -n 0 | jq -c 'sort_by(.trial)[] | .params | del(.c)' | sort)" \
    "$(echo '{"x":0.75,"n":1,"o":"sgd","m":0.25}
{"x":0.0625,"n":0,"o":"sgd","m":0.5}
{"x":0.1875,"n":2,"o":"sgd","m":0.5}
{"x":0.25,"n":0,"o":"a b"}
{"x":0.3125,"n":1,"o":"sgd","m":0.5}' | sort)"
is "it is told study, phase and goal" "$(heard 'select(.[0] == "opening")[1] | [.study, .phase, .goal, .metric, .trials]')" \
    '["s","a","minimize","err",5]'
is "and the domains" "$(heard 'select(.[0] == "opening")[1].params | [.x.low, .x.high, .n.type, .o.choices, .m.if]')" \
    '[0,1,"int",["sgd","a b"],"o == sgd"]'
is "a point against \`require\` is told, and asked again" \
    "$(heard 'select(.[0] == "tell")[1] | select(.state == "infeasible") | [.id, .require]')" '[1,"x != 0.125"]'
is "every trial is told open, then complete with its value" \
    "$(heard 'select(.[0] == "tell")[1] | select(.trial) | [.trial, .state, .value]' | sort)" \
    "$(for t in 1 2 3 4 5; do
        echo "[$t,\"complete\",$(sql s.db "select value from trials where trial = $t")]"
        echo "[$t,\"open\",null]"
    done | sort)"
is "by the question it answered" "$(heard 'select(.[0] == "tell")[1] | select(.state == "complete" and .id == 2) | .params.x')" 0.1875
is "it has the environment of the phase" "$(heard 'select(.[0] == "begin")[1]')" '"hello"'
is "the end of its input is its end, with time to save" "$(heard 'select(.[0] == "end")' | wc -l)" 1
like "what setup says goes to the log" "$(cat s.out/search-a.log)" "# run 1: python3 sampler.py heard
this is no answer"
ok "it is gone" no_sampler

# ---- going on ---------------------------------------------------------------------------------------------------
mv heard heard1
sed -i 's/trials: 5/trials: 8/' s.yaml
exits "more trials, another run" 0 timeout 60 "$rs" run s.yaml --ranks 1 --progress none
is "all trials are told before the first question" \
    "$(heard 'select(.[0] != "begin" and .[0] != "opening") | if .[0] == "tell" then [.[1].id, .[1].trial, .[1].state] else .[0] end' | head -n 6)" \
    '[null,1,"complete"]
[null,2,"complete"]
[null,3,"complete"]
[null,4,"complete"]
[null,5,"complete"]
"ask"'
is "8 trials" "$(sql s.db "select count(*) from trials where state = 'done'")" 8
sed 's/sampler.py heard/sampler.py other/' s.yaml >t.yaml
exits "another program is another search" 65 "$rs" run t.yaml --ranks 1 --progress none
like "which --accept takes" "$(cat err)" '`search` of phase .a. has changed: --accept'

# ---- parents, folds, outer folds -----------------------------------------------------------------------------------
cat >nested.yaml <<'END_OF'
study: nested
metric: err
goal: minimize
folds: {outer: 2, inner: 2}
phases:
  pre:
    command: sh -c 'echo "@metric err=1"' sh
    params: {h: [64, 128]}
    search: grid
  a:
    after: pre
    command: sh -c 'echo "@metric err=$1"' sh {x}
    params: {x: "uniform(0, 1)", n: "int(0, 2)", o: [sgd, a b], m: "uniform(0, 1)"}
    search: {program: [python3, sampler.py, heard-nested]}
    trials: 3
  b:
    after: pre
    command: sh -c 'echo "@metric err=$1"' sh {x}
    params: {x: "uniform(0, 1)", n: "int(0, 2)", o: [sgd, a b], m: "uniform(0, 1)"}
    search: {program: [python3, sampler.py, heard-total]}
    trials: 4 total
END_OF
exits "after parents, in nested folds" 0 timeout 60 "$rs" run nested.yaml --ranks 3 --progress none
is "all trials of all parents" "$(sql nested.db "select phase, outer_fold, count(*) from trials where state = 'done' group by 1, 2")" \
    "a|0|6
a|1|6
b|0|4
b|1|4
pre|0|2
pre|1|2"
is "one program for each outer fold" "$(heard 'select(.[0] == "opening")[1].outer_fold' heard-nested | sort)" "0
1"
is "it is told the parents' parameters" "$(heard 'select(.[0] == "opening")[1].parents.h.choices' heard-nested | sort -u)" "[64,128]"
is "and asked for each parent" "$(heard 'select(.[0] == "ask")[1].parents.h' heard-nested | sort | uniq -c | tr -s ' ')" " 6 128
 6 64"
is "of a total, for parents in turn" "$(heard 'select(.[0] == "ask")[1].parents.h' heard-total | sort | uniq -c | tr -s ' ')" " 4 128
 4 64"
ok "logs tell them apart" test -s nested.out/search-a-0.log -a -s nested.out/search-a-1.log

# ---- no more points --------------------------------------------------------------------------------------------------
cat >few.py <<'END_OF'
import json, sys
opening = sys.stdin.readline()
for line in sys.stdin:
    message = json.loads(line)
    if "ask" in message and message["ask"]["id"] < 3:
        print(json.dumps({"id": message["ask"]["id"], "params": {"x": 0.5}}))
    elif "ask" in message:
        print(json.dumps({"id": message["ask"]["id"], "exhausted": True}))
        break
END_OF
cat >few.yaml <<'END_OF'
study: few
metric: err
goal: minimize
phases:
  a:
    command: sh -c 'echo "@metric err=$1"' sh {x}
    params: {x: "uniform(0, 1)"}
    search: {program: python3 few.py}
    trials: 10
  b:
    after: {a: best}
    command: sh -c 'echo "@metric err=$1"' sh {a.x}
END_OF
exits "a program without more points" 0 timeout 60 "$rs" run few.yaml --ranks 1 --progress none
is "has its trials, the same point again if it likes, and the next phase begins" \
    "$(sql few.db "select phase, count(*), sum(value) from trials where state = 'done' group by phase")" "a|3|1.5
b|1|0.5"

# ---- the example of the README ---------------------------------------------------------------------------------------
sed -n '/^# my_sampler.py/,/^```/p' "$top/README.md" | sed '$d' >my_sampler.py
echo 'BEGIN { print "@metric err=" (ARGV[1] - 0.3) ^ 2 + (ARGV[2] - 0.6) ^ 2 }' >err.awk
cat >readme.yaml <<'END_OF'
study: readme
metric: err
goal: minimize
phases:
  a:
    command: awk -f err.awk {x} {y}
    params: {x: "uniform(0, 1)", y: "uniform(0, 1)"}
    search: {program: python3 my_sampler.py}
    trials: 60
END_OF
exits "the README's sampler" 0 timeout 100 "$rs" run readme.yaml --ranks 1 --progress none
is "finds the minimum" "$(sql readme.db "select min(value) < 0.01, count(*) from trials where state = 'done'")" "1|60"

# ---- a study that grows meanwhile ------------------------------------------------------------------------------------
sed 's/^study: s/study: grow/; s/sampler.py heard/sampler.py heard-grow/' s.yaml |
    sed "s/sh -c '/sh -c 'until [ -e go ]; do sleep 0.02; done; /" >grow.yaml
start timeout 60 "$rs" run grow.yaml --ranks 3 --progress none >out 2>err
ok "a run that waits" wait_sql 20 grow.db "select count(*) > 0 from units where state = 'running'" 1
exits "gets another phase" 0 "$rs" schedule grow.db --command true phase=extra metric=none
touch go
wait_exit 50 "$pid"
is "all is done" "$? $(sql grow.db "select group_concat(n) from (select count(*) as n from units where state = 'done' group by phase)")" "0 8,1"
is "by the same program" "$(heard 'select(.[0] == "begin")' heard-grow | wc -l)" 1
is "which is told everything once" \
    "$(heard 'select(.[0] == "tell")[1] | select(.trial) | [.trial, .state]' heard-grow | sort | uniq -c | awk '{ print $1 }' | sort -u)" 1
is "its answers that came to nothing are told gone" \
    "$(heard 'select(.[0] == "tell")[1] | select(.state == "open" or .state == "gone" or .state == "infeasible") | .id // empty' heard-grow | sort -n)" \
    "$(heard 'select(.[0] == "ask")[1].id' heard-grow)"

# ---- a parent that goes while the program thinks ---------------------------------------------------------------------
cat >thinks.py <<'END_OF'
import json, os, sys, time
sys.stdin.readline()
for line in sys.stdin:
    ask = json.loads(line).get("ask")
    if ask:
        with open("asked.new", "w") as f:
            f.write(str(ask["parents"]["h"]))
        os.rename("asked.new", "asked")
        while not os.path.exists("thought"):
            time.sleep(0.02)
        print(json.dumps({"id": ask["id"], "params": {"x": ask["id"] / 100}}), flush=True)
END_OF
for trials in "2 total" 2; do
    cat >thinks.yaml <<END_OF
study: thinks
metric: err
goal: minimize
phases:
  pre:
    command: sh -c 'echo "@metric err=1"' sh
    params: {h: [1, 2, 3]}
    search: grid
  a:
    after: pre
    command: sh -c 'echo "@metric err=\$1"' sh {x}
    params: {x: "uniform(0, 1)"}
    search: {program: python3 thinks.py}
    trials: $trials
END_OF
    rm -rf asked thought thinks.db* thinks.out
    start timeout 60 "$rs" run thinks.yaml --ranks 2 --progress none >out 2>err
    ok "trials: $trials: it is asked for a trial below a parent" wait_for 20 test -e asked
    exits "which is deleted" 0 "$rs" delete thinks.db phase=pre "h=$(cat asked)"
    touch thought
    wait_exit 50 "$pid"
    is "the others have their trials" "$? $(sql thinks.db "select group_concat(phase || n) from (select phase, count(*) as n
        from trials where state = 'done' group by phase order by phase)")" "0 a$([ "$trials" = 2 ] && echo 4 || echo 2),pre2"
done

# ---- what it can do wrong --------------------------------------------------------------------------------------------
cat >bad.sh <<'END_OF'
read -r opening
while read -r line; do
    case $line in '{"ask": {"id": '*) ;; *) continue ;; esac
    id=${line#*'"id": '}
    id=${id%%,*}
    case $1 in
    good) echo && echo "  {\"id\": $id, \"params\": {\"x\": 0.$id, \"n\": 2e0}}  " ;;
    crash) echo 'Traceback: no such thing' >&2 && exit 3 ;;
    leave) exit 0 ;;
    signal) kill -9 $$ ;;
    hello) echo 'hello there' ;;
    bytes) printf '{"id": \377\001}\n' ;;
    list) echo '[1, 2]' ;;
    old) echo '{"id": 77, "params": {"x": 0.5, "n": 1}}' ;;
    noid) echo '{"params": {"x": 0.5, "n": 1}}' ;;
    neither) echo "{\"id\": $id}" ;;
    key) echo "{\"id\": $id, \"param\": {}}" ;;
    missing) echo "{\"id\": $id, \"params\": {\"x\": 0.5}}" ;;
    unknown) echo "{\"id\": $id, \"params\": {\"x\": 0.5, \"n\": 1, \"xx\": 1}}" ;;
    domain) echo "{\"id\": $id, \"params\": {\"x\": 5, \"n\": 1}}" ;;
    whole) echo "{\"id\": $id, \"params\": {\"x\": 0.5, \"n\": 1.5}}" ;;
    nan) echo "{\"id\": $id, \"params\": {\"x\": NaN, \"n\": 1}}" ;;
    never) echo "{\"id\": $id, \"params\": {\"x\": 1, \"n\": 1}}" ;;
    twice) echo "{\"id\": $id, \"params\": {\"x\": 0.$id, \"n\": 1}}" && echo 'and more' ;;
    flood) head -c 3000000 /dev/zero | tr '\0' x ;;
    closed) exec >&- && sleep 60 ;;
    silent) sleep 60 ;;
    blank) yes '' ;;
    esac
done
END_OF
cat >bad.yaml <<'END_OF'
study: bad
metric: err
goal: minimize
phases:
  train:
    command: sh -c 'echo "@metric err=$1"' sh {x}
    params: {x: "uniform(0, 1)", n: "int(0, 2)"}
    require: x < 1
    search: {program: sh bad.sh good, timeout: 60s}
    trials: 4
END_OF
it='phase train: its search program `sh bad.sh'
while IFS='|' read -r how says; do
    sed "s/bad.sh good/bad.sh $how/; s/60s/$([ "$how" = silent ] && echo 300ms || echo 60s)/" bad.yaml >now.yaml
    exits "$how: status 76" 76 timeout 60 "$rs" run now.yaml --db "$how.db" --ranks 1 --progress none
    like "$how: says what and who" "$(cat err)" "$it $how\`: $says"
    ok "$how: nothing is left" wait_for 5 no_sampler
    is "$how: the database is sound" "$(sql "$how.db" 'pragma integrity_check')" ok
done <<'END_OF'
crash|ended with status 3
leave|ended with status 0 though it was asked
signal|was killed by signal 9
hello|said hello there: no JSON \(at byte 1\): no JSON value
bytes|said \{"id": .xff.x01\}: no JSON \(at byte 8\)
list|said \[1, 2\]: no JSON object
old|said \{"id": 77, .*: "id" is not that of the question, which is 0
noid|said .*: no "id"
neither|said .*: neither "params" nor "exhausted"
key|said .*: unknown key "param"
missing|said .*: no value for n: int\(0, 2\)
unknown|said .*: the phase has no parameter .xx.
domain|said .*: x=5 does not lie in uniform\(0, 1\)
whole|said .*: 1.5 is no value of n: int\(0, 2\)
nan|said .*: no JSON \(at byte 27\)
never|said .*: 1000 proposals in a row, this the last, are against .require: x < 1
twice|said and more: (nothing is asked|no JSON)
flood|said a line of more than 1048576 bytes
closed|closed its stdout and went on
silent|gave no answer in 300ms
END_OF
sed "s/bad.sh good/bad.sh blank/; s/60s/300ms/" bad.yaml >now.yaml
exits "blank lines without end hold nobody up" 76 timeout 10 "$rs" run now.yaml --db blank.db --ranks 1 --progress none
like "and are no answer" "$(cat err)" "gave no answer in 300ms"
ok "nothing is left of them either" wait_for 5 no_sampler
"$rs" run crash.db --ranks 1 --progress none >/dev/null 2>err
like "a crash's last words are quoted" "$(cat err)" "search-train.log; its end:
  \| Traceback: no such thing"
is "it is what the run is known by" "$(sql crash.db 'select end from runs limit 1' | cut -c1-40)" "phase train: its search program \`sh bad."
sed 's/sh bad.sh good/.\/not-there/' bad.yaml >now.yaml
exits "a program that is not there" 76 timeout 60 "$rs" run now.yaml --db none.db --ranks 1 --progress none
like "is told so" "$(cat err)" 'cannot be started \(exec\): No such file'
exits "with another program it goes on" 0 timeout 60 "$rs" run bad.yaml --db twice.db --ranks 1 --progress none --accept
is "to the end" "$(sql twice.db "select count(*) from trials where state = 'done'")" 4

# ---- whoever dies ----------------------------------------------------------------------------------------------------
sed 's/echo "@metric err=$1"/echo "@metric err=$1"; sleep 60/' bad.yaml >slow.yaml
some_sampler() { some_here 'bad.sh good'; }
start timeout 60 "$rs" run slow.yaml --db slow.db --ranks 3 --progress none >out 2>err
ok "a long run" wait_sql 20 slow.db "select count(*) > 0 from units where state = 'running'" 1
ok "with its program" some_sampler
kill -9 "$(rank_pid 0)"
wait_exit 30 "$pid"
ok "kill -9 of rank 0: the program is gone too" wait_for 5 no_sampler
start timeout 60 "$rs" run slow.yaml --db slow2.db --ranks 2 --progress none >out 2>err
ok "another one" wait_sql 20 slow2.db "select count(*) > 0 from units where state = 'running'" 1
ok "its program is killed by somebody" kill -9 "$(here 'bad.sh good')"
wait_exit 30 "$pid"
is "ends the run" $? 76
like "and is told" "$(cat err)" "was killed by signal 9"
is "what ran is ready to run again" "$(sql slow2.db "select distinct state from units")" ready
start timeout 60 "$rs" run slow.yaml --db slow3.db --ranks 2 --progress none >out 2>err
ok "a third one" wait_sql 20 slow3.db "select count(*) > 0 from units where state = 'running'" 1
kill -TERM "$(rank_pid 0)"
wait_exit 30 "$pid"
is "is stopped" $? 75
ok "and the program with it" wait_for 5 no_sampler
done_testing
