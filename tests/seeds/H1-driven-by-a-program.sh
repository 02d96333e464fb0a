#!/usr/bin/env bash
# H1. A search is driven by a program, which adds jobs as it learns. That works when nothing has to be typed, answers are
# JSON, exit statuses can be relied on, and jobs can be added while a run is on. Here: successive halving, in a script.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
# The more epochs, the more clearly lr=0.3 is best
awk -v lr="$1" -v epochs="$2" 'BEGIN { d = lr - 0.3; print "@metric err=" d * d + 1 / epochs }'
END
cat >halving.sh <<'END'
# DB: eight configurations; half of them go on, with three times the epochs, until one is left
set -e
db=$1 rs=$2 rung=0 epochs=1 lrs=0.05,0.1,0.2,0.3,0.5,0.7,1.1,1.3
while :; do
    n=$(echo "$lrs" | tr , '\n' | wc -l)
    "$rs" schedule "$db" --json --command 'sh job.sh {lr} {epochs}' phase="rung$rung" metric=err goal=minimize \
        "lr={{$lrs}}" epochs=$epochs >>answers
    until [ "$("$rs" list "$db" phase="rung$rung" state=done --json | jq length)" = "$n" ]; do sleep 0.05; done
    [ "$n" -gt 1 ] || break
    lrs=$("$rs" results "$db" --phase "rung$rung" --json | jq -r "if type == \"object\" then .trials else . end | [.[:$((n / 2))][].params.lr | tostring] | join(\",\")")
    rung=$((rung + 1)) epochs=$((epochs * 3))
done
echo "$lrs" >winner
END
exits "something that keeps the run going" 0 "$rs" schedule sh.db --command "sh -c 'until [ -e over ]; do sleep 0.02; done'" phase=open metric=none
start timeout 100 mpirun -n 4 "$rs" run sh.db --progress none
ok "a run is on" wait_sql 20 sh.db "select state from units" running
exits "the program finds its way" 0 timeout 80 sh halving.sh sh.db "$rs"
touch over
wait_exit 30 "$pid"
is "the run ends well" $? 0
is "to the best configuration" "$(cat winner)" 0.3
is "in rungs of 8, 4, 2 and 1" "$(sql sh.db "select count(*) from trials where phase<>'open' group by phase order by phase" | tr '\n' ' ')" "8 4 2 1 "
is "with more and more epochs" "$(sql sh.db "select distinct json_extract(params, '$.epochs') from trials where phase<>'open' order by 1" | tr '\n' ' ')" "1 3 9 27 "
is "all in one run" "$(sql sh.db "select count(*) from runs")" 1
ok "every answer was JSON" jq -e . answers
exits "nothing new is a success as well" 0 "$rs" schedule sh.db --json --command 'sh job.sh {lr} {epochs}' phase=rung3 metric=err goal=minimize lr=0.3 epochs=27
exits "a mistake is none" 64 "$rs" schedule sh.db --json phase=rung3 'lr={{'
echo text >file
exits "nor is a database that cannot be" 74 "$rs" schedule file/x.db --json --command true phase=a
done_testing
