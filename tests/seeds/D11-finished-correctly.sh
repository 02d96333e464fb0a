#!/usr/bin/env bash
# D11. Tell whether a job finished correctly. That works when a job is done only if it ended with status 0 and the
# declared metric came and is a number; and when every other end can be told apart, with its exit code or signal and
# the last words of the program.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "now: $1" >&2
case $1 in
good) echo "@metric err=0.5" ;;
status) echo "@metric err=0.1" && exit 41 ;;
signal) echo "@metric err=0.1" && kill -ABRT $$ ;;
memory) echo "@metric err=0.1" && exec tail /dev/zero ;;
time) echo "@metric err=0.1" && while :; do echo . && sleep 0.1; done ;;
silence) echo "@metric err=0.1" && exec sleep 60 ;;
other_metric) echo "@metric loss=0.1" ;;
no_number) echo "@metric err=low" ;;
not_finite) echo "@metric err=inf" ;;
esac
END
cat >s.yaml <<'END'
study: ends
metric: err
goal: minimize
defaults: {timeout: 2s, stall: 1s, grace: 0.1s}
phases:
  a:
    command: sh job.sh {how}
    params: {how: [good, status, signal, time, silence, other_metric, no_number, not_finite]}
    search: grid
  m: {command: sh job.sh memory, memory: 64M, timeout: none, stall: none}
  n: {command: ./no-such-program}
END
exits "ten jobs, one of which is fine" 1 timeout 60 "$rs" run s.yaml --ranks 3 --progress none
is "each end has its name, whatever the metric was before" "$(
    sql ends.db "select coalesce(json_extract(params, '$.how'), u.phase), u.state, u.reason from units u join trials using (trial) order by 1" | tr '\n' ' ')" \
    "good|done| m|failed|oom n|failed|spawn no_number|failed|no_metric not_finite|failed|bad_metric other_metric|failed|no_metric signal|failed|signal silence|failed|stall status|failed|exit time|failed|timeout "
unit() { sql ends.db "select unit from units u join trials using (trial) where coalesce(json_extract(params, '$.how'), u.phase)='$1'"; }
is "with the exit code" "$("$rs" show ends.db "$(unit status)" --json | jq '.attempts[0].exit_code')" 41
is "or the signal" "$("$rs" show ends.db "$(unit signal)" --json | jq '.attempts[0].signal')" 6
like "and the end of stderr" "$("$rs" show ends.db "$(unit status)")" "now: status"
like "what could not be started says why" "$("$rs" show ends.db "$(unit n)")" "No such file or directory"
is "only the good one counts" "$(trials ends.db -p a | jq -c '[.[] | select(.rank != null) | .params.how]')" '["good"]'
is "a selector finds them by reason" "$("$rs" list ends.db reason=oom,timeout,stall --json | jq length)" 3
is "failed ones only" "$("$rs" list ends.db state=failed --json | jq length)" 9
done_testing
