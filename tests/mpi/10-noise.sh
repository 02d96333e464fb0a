#!/usr/bin/env bash
# Trainers that write too much, close what they were given, leave children behind, or stop themselves: each is told
# from the others, and none harms the run.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: noise
seed: 1
metric: m
goal: minimize
defaults: {grace: 0.3s, timeout: 60s}
phases:
  one_line:
    command: sh -c 'head -c 100000000 /dev/zero | tr "\0" x; echo; echo "@metric m=1"'
  binary:
    command: sh -c 'head -c 30000000 /dev/urandom >&2; echo "@metric m=1"'
  metrics:
    command: awk 'BEGIN {{ for (i = 1; i <= 100000; i++) print "@metric m=" i " step=" i }}'
  on_descriptor:
    command: sh -c 'awk "BEGIN {{ for (i = 1; i <= 100000; i++) print \"m=\" i \" step=\" i }}" >&3'
  no_newline:
    command: sh -c 'printf "@metric m=4"'
  wrong_lines:
    command: sh -c 'printf "@metric m=\n@metric =3\n@metric m=1 step=x\n@metricm=1\nx @metric m=2\n@metric\n@metric m=5 other=nan\n"'
  orphan:
    command: sh -c '(setsid sh -c "touch orphan.up; sleep 977" >/dev/null 2>&1 &); while [ ! -e orphan.up ]; do sleep 0.02; done; echo "@metric m=1"'
  holds_pipe:
    command: sh -c '(setsid sh -c "touch pipe.up; sleep 978" &); while [ ! -e pipe.up ]; do sleep 0.02; done; echo "@metric m=1"'
  stops_itself:
    command: sh -c 'kill -STOP $$; echo "@metric m=1"'
    timeout: 1s
  closes_all:
    command: sh -c 'exec 0<&- 1>&- 2>&- 3>&-; sleep 0.2; exit 0'
    metric: none
  long_argument:
    command: sh -c 'echo "@metric m=$(printf %s "$1" | wc -c)"' sh ARGUMENT
  kills_its_parent:
    command: sh -c 'kill -TERM $PPID; echo "@metric m=1"'
  not_executable:
    command: ./plain.txt
    metric: none
  empty_script:
    command: ./empty
    metric: none
  by_captures:
    command: sh -c 'echo "epoch 1 loss 3.5"; echo "epoch 2 loss 2.5"; echo "epoch 3 loss 3.0" >&2; echo "loss n/a"'
    capture: {m: 'loss ([-0-9.e]+)'}
    report: best
END
sed -i "s/ARGUMENT/$(head -c 100000 /dev/zero | tr '\0' y)/" s.yaml
: >plain.txt
: >empty
chmod +x empty
exits "the run goes to its end" 1 timeout 120 mpirun -n 3 "$rs" run s.yaml --progress none
phase() { sql noise.db "select state, reason, value from units where phase = '$1'"; }
steps() { sql noise.db "select count(*) || ' ' || count(distinct step) from metrics m join units using (unit) where phase='$1'"; }
log_of() { "$rs" log noise.db "$(sql noise.db "select unit from units where phase='$1'")" --std"$2"; }
is "a line of 100 MB: the metric after it is found" "$(phase one_line)" "done||1.0"
like "its log is bounded" "$(log_of one_line out | wc -c)" "^[89][0-9]{6}$"
is "30 MB of random bytes" "$(phase binary)" "done||1.0"
is "100,000 metric lines" "$(phase metrics), $(steps metrics)" "done||100000.0, 100000 100000"
is "also on the descriptor" "$(phase on_descriptor), $(steps on_descriptor)" "done||100000.0, 100000 100000"
is "a last line without its end" "$(phase no_newline)" "done||4.0"
is "lines that only look like metrics" "$(phase wrong_lines)" "done||5.0"
is "a child left behind does not hold the unit up" "$(phase orphan)" "done||1.0"
is "nor does one that holds its output open" "$(phase holds_pipe)" "done||1.0"
ok "and none is alive" none_here "sleep 97[78]"
is "a trainer that stops itself runs out of time" "$(phase stops_itself)" "failed|timeout|"
is "one that closes everything is waited for" "$(phase closes_all)" "done||"
ok "to its end" test "$(sql noise.db "select seconds >= 0.2 from units where phase='closes_all'")" = 1
is "an argument of 100 kB" "$(phase long_argument)" "done||100000.0"
like "a signal to its parent is no way out" "$(phase kills_its_parent)" "^(done\|\|1.0|failed\|signal\|)$"
is "a file that is no program" "$(phase not_executable)" "failed|spawn|"
like "says so" "$(log_of not_executable err)" "[Pp]ermission"
like "a file with nothing in it" "$(phase empty_script)" "^(done\|\||failed\|spawn\|)$"
is "captures on both outputs, the best of them" "$(phase by_captures)" "done||2.5"
is "two files of output for two workers" "$(find noise.out/log -type f | wc -l)" 2

# What is in the files is what the index says, also after another run
exits "once more" 1 timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
is "all output is where the index says" "$(sql noise.db "select o.run || ' ' || o.rank || ' ' || max(o.offset + o.bytes) from outputs o group by o.run, o.rank" |
    while read -r run rank end; do
        [ "$(stat -c %s "noise.out/log/run$run-rank$rank.log")" -ge "$end" ] || echo "$run $rank"
    done)" ""
done_testing
