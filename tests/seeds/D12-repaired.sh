#!/usr/bin/env bash
# D12. What was blocked by a failed job runs when that one was repaired and reset.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$RANKSWEEP_PHASE $1" >>ran
[ "$RANKSWEEP_PHASE $1" != "pre bad" ] || [ -e repaired ] || exit 5
echo "@metric m=1"
END
cat >s.yaml <<'END'
study: block
metric: m
goal: minimize
phases:
  pre: {command: 'sh job.sh {x}', params: {x: [good, bad]}, search: grid}
  fine: {after: pre, command: 'sh job.sh {x}'}
  test: {after: fine, command: 'sh job.sh {x}'}
END
run=(timeout 30 "$rs" run s.yaml --ranks 1 --progress none)
exits "one of two chains breaks" 1 "${run[@]}"
: >ran
touch repaired
exits "repaired, but not reset" 1 "${run[@]}"
is "nothing happens" "$(cat ran)" ""
ok "what failed is reset" "$rs" reset block.db state=failed
is "what it blocked waits for it again" "$(sql block.db "select phase, state from units where state <> 'done' order by 1" | tr '\n' ' ')" "fine|waiting pre|ready test|waiting "
exits "then all is done" 0 "${run[@]}"
is "by the broken chain's three jobs" "$(tr '\n' ',' <ran)" "pre bad,fine bad,test bad,"
done_testing
