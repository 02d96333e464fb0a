#!/usr/bin/env bash
# Searches that learn, over real ranks: their trials come as slots are free, they find what is to be found, and
# in a reproducible study they are the same on any number of ranks and in any order of their ends.
. tests/lib/tap.sh

cat >bowl.sh <<'SH'
#!/bin/bash
# bowl.sh A B OFFSET: a parabola, after a time that nobody knows beforehand, and that is long enough for gp
sleep "0.$((10 + RANDOM % 10))"
echo "@metric loss=$(awk "BEGIN { print ($1 - 0.3)^2 + ($2 - 0.6)^2 + $3 }")"
SH
chmod +x bowl.sh

study() { # NAME SEARCH TRIALS
    cat <<YAML
study: $1
metric: loss
goal: minimize
$2
phases:
  top:
    command: ./bowl.sh 0.3 0.6 {o}
    params: {o: [0, 1]}
    search: grid
  below:
    after: top
    command: ./bowl.sh {a} {b} {o}
    params: {a: "uniform(0, 1)", b: "uniform(0, 1)"}
    search: $3
    trials: $4
YAML
}

for search in tpe gp cmaes auto; do
    study "$search" "" "$search" "30 total" >"$search.yaml"
    mpi 3 run "$search.yaml" >out 2>&1
    is "$search: all trials" "$(sql "$search.db" "select count(*) from trials where phase = 'below' and state = 'done'")" 30
    is "$search: finds the place" "$(sql "$search.db" "select min(value) < 0.03 from trials where phase = 'below'")" 1
done
is "a good parent gets more children" \
    "$(sql gp.db "select sum(json_extract(params, '\$.o') = 0) > 20 from trials where phase = 'below'")" 1

points() { sql "$1.db" "select params from trials where phase = 'below' order by params"; }
for search in tpe auto; do
    for ranks in 2 3 5; do
        study "r$ranks$search" "reproducible: 4" "$search" 12 >s.yaml
        mpi "$ranks" run s.yaml >out 2>&1
        points "r$ranks$search" >"$ranks.points"
    done
    is "$search, reproducible: 24 trials" "$(wc -l <2.points)" 24
    is "$search, reproducible: the same on 2 and 3 ranks" "$(cmp 2.points 3.points 2>&1)" ""
    is "$search, reproducible: and on 5" "$(cmp 2.points 5.points 2>&1)" ""
done

study rlearns "reproducible: 4" tpe 40 >s.yaml
mpi 3 run s.yaml >out 2>&1
is "reproducible: it learns from what came before" \
    "$(sql rlearns.db "select avg(value) filter (where k >= 25) < 0.8 * avg(value) filter (where k < 10) from trials where phase = 'below' and json_extract(params, '\$.o') = 0")" 1

study few "" tpe "6 total" | sed 's/uniform(0, 1)/int(1, 3)/; s/, b: .*/}/; s/{b}/0.6/' >few.yaml
mpi 3 run few.yaml >out 2>&1
is "a finite space below several parents: each point once" \
    "$(sql few.db "select count(*), count(distinct params) from trials where phase = 'below'")" "6|6"
done_testing
