#!/usr/bin/env bash
# Trap 8. A worker left when nothing was ready though parents still ran, and one bad job took its worker along. Now a
# worker survives whatever a job does, and does the next one.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
case $1 in
crash) kill -SEGV $$ ;;
its_group) kill -9 0 ;;
floods) head -c 3000000 /dev/urandom; echo; exit 1 ;;
closes_all) exec 0<&- 1>&- 2>&- 3>&-; exit 1 ;;
deaf) trap '' TERM INT HUP; while :; do sleep 0.05; done ;;
leaves_a_child) sleep 1000 & exit 2 ;;
its_session) kill -9 -$$; exit 5 ;;
no_such_folder) cd /nowhere || exit 3 ;;
too_long) head -c 100000 /dev/zero | tr '\0' x; echo "@metric m=$(head -c 5000 /dev/zero | tr '\0' 9)x"; exit 4 ;;
esac
echo "@metric m=1"
END
cat >s.yaml <<'END'
study: bad
metric: m
goal: minimize
defaults: {timeout: 1s, grace: 0.1s}
phases:
  bad:
    command: sh job.sh {how}
    params: {how: [crash, its_group, floods, closes_all, deaf, leaves_a_child, its_session, no_such_folder, too_long]}
    search: grid
  good: {command: sh -c 'sleep 0.2; echo "@metric m=1"'}
  child: {after: good, command: sh -c 'echo "@metric m=2"'}
END
exits "nine bad jobs and two good ones on one worker" 1 timeout 60 mpirun -n 2 "$rs" run s.yaml --progress none
is "the bad ones failed" "$(sql bad.db "select state, count(*) from units where phase='bad' group by 1")" "failed|9"
is "the good ones are done" "$(sql bad.db "select phase, state from units where phase<>'bad' order by 1" | tr '\n' ' ')" "child|done good|done "
is "in one launch, by one and the same worker" "$(sql bad.db "select (select count(*) from runs), count(distinct rank), count(distinct run), min(rank) from attempts")" "1|1|1|1"
is "which had to be lost for none of them" "$(sql bad.db "select count(*) from attempts where reason='lost'")" 0
ok "nothing that they left goes on" none_here "sleep 1000|job.sh"
done_testing
