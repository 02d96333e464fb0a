#!/usr/bin/env bash
# A cluster of three hosts, made of network name spaces. One is cut off, crashes, is slow: the rest goes on.
# Waits most of its time.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh
. "$top/tests/lib/cluster.sh"
why=$(cluster_missing)
[ -z "$why" ] || skip_all "no make-believe cluster: $why"
cluster_up 3
. "$top/tests/lib/doubles.sh"

begin() { # NAME: the run of this study, with units running on all hosts
    rm -f go
    study "$1" 12 >"$1.yaml"
    start cluster_run "$1.yaml" --ranks 3 --lost-after 5s --progress none >out 2>err
    ok "$1: units run on all hosts" wait_sql 30 "$1.db" \
        "select count(distinct host) from units where state='running' and started is not null" 3 || cat err
}
lost() { # NAME HOST
    ok "$1: $2 is given up" wait_sql 20 "$1.db" \
        "select count(*) from audit where command like 'rank % on $2 is lost: nothing heard of it for % s'" 1
}
finish() { # NAME LOST
    : >go
    wait_exit 60 "$pid"
    is "$1: the run ends well" $? 0
    is "$1: all units are done" "$(sql "$1.db" "select state, count(*) from units group by 1")" "done|12"
    is "$1: no failure was counted" "$(sql "$1.db" "select sum(failures) from units")" 0
    is "$1: nothing ran twice at a time" "$(cat doubles)" ""
    is "$1: the view runs tells how many were lost" "$(sql "$1.db" "select sum(lost) from runs")" "$2"
}
not_empty() { ! cluster_empty "$1" "^sh train.sh"; }
none_but_ours() { # HOST...
    local host
    for host; do
        cluster_empty "$host" "^[^ ]*(ranksweep|orted)|^sh train.sh" || return 1
    done
}

# ---- its cable is pulled, for good -------------------------------------------------------------------------
begin cut
cluster_cut n1
ok "cut: its keeper ends its trainers by itself" wait_for 10 cluster_empty n1 "sh train.sh"
lost cut n1
finish cut 1
ok "cut: nothing is left on the other hosts" wait_for 10 none_but_ours n0 n2
cluster_kill n1
cluster_heal n1

# ---- its power fails ----------------------------------------------------------------------------------------
begin crashed
cluster_crash n2
lost crashed n2
finish crashed 1
ok "crashed: nothing is left on the other hosts" wait_for 10 none_but_ours n0 n1
cluster_heal n2

# ---- cut off, given up, and back --------------------------------------------------------------------------------
begin healed
cluster_cut n1
lost healed n1
cluster_heal n1
ok "healed: n1 is taken in anew" wait_sql 30 healed.db "select count(*) from workers where lost is not null" 0 || cat err
ok "healed: and gets units" wait_for 20 sql_is healed.db \
    "select count(*) > 0 from attempts where host='n1' and state='running' and started is not null" 1
finish healed 1

# ---- slow: it says nothing for a while, but not for long enough ----------------------------------------------------
begin slow
slowed=$(cluster_pids n1)
# shellcheck disable=SC2086 # lists of numbers
{
    kill -STOP $slowed
    sleep 1 # that is the fault, not a wait
    kill -CONT $slowed
}
finish slow 0

# ---- it is there, but lets all units die -------------------------------------------------------------------------------
: >go
study bad 40 >bad.yaml
sed -i 's/retries: 0/retries: 2/; s/sh train.sh/sh broken.sh/' bad.yaml
cat >broken.sh <<'END'
[ "$(hostname)" != n1 ] || exit 3
sleep 0.2
echo "@metric err=$1"
END
exits "bad: the run ends well" 0 timeout 60 "$BASH" -c '. "$1"; cluster=$2 rs=$3; cluster_run bad.yaml --ranks 3 --progress none' \
    sh "$top/tests/lib/cluster.sh" "$cluster" "$rs"
is "bad: all units are done" "$(sql bad.db "select state, count(*) from units group by 1")" "done|40"
is "bad: nothing is tried twice there" \
    "$(sql bad.db "select count(*) from (select unit from attempts where host='n1' group by unit having count(*) > 1)")" 0
like "bad: n1 is set aside" "$(sql bad.db "select command from audit")" "^bad node n1: "
like "bad: people are told" "$(cat err)" "bad node n1: "

# ---- the whole launch is killed ----------------------------------------------------------------------------------------
begin killed
# shellcheck disable=SC2046 # lists of numbers
kill -9 "$pid" $(cluster_pids n0 "^mpirun")
ok "killed: no trainer is left on any host 2 s later" wait_for 2 none_here "^sh train.sh"
ok "killed: nor anything else" wait_for 10 none_but_ours n0 n1 n2

# ---- rank 0's host is cut off and taken for dead: its command goes on there, while the others still have their units -----
begin behind
cluster_cut n1
# shellcheck disable=SC2046 # lists of numbers
kill -9 "$pid" $(cluster_pids n0 "^mpirun")
ok "behind: rank 0 is gone" wait_for 10 none_but_ours n0
ok "behind: n1 has not heard of it" not_empty n1
start cluster_run behind.yaml --ranks 1 --progress none >out 2>err
ok "behind: what n1 had waits" wait_for 10 grep -q "the last run left .* on hosts that cannot be seen" err
finish behind 0
cluster_heal n1
done_testing
