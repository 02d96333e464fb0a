#!/usr/bin/env bash
# Trap 10. NaN and infinity broke the database's queries, or won. Now they come back as they went in, in every output,
# and are never the best, whichever way better is.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

study() { # NAME GOAL METRIC
    cat <<END
study: $1
metric: $3
goal: $2
phases:
  a: {command: 'sh job.sh {v}', params: {v: ["nan", "inf", "-inf", "0.5", "-nan", "0.25"]}, search: grid}
  next: {after: {a: best}, command: 'sh job.sh {v}'}
END
}
echo 'echo "@metric m=$1 step=1"; echo "@metric side=$1 m=$1 step=2"; echo "@metric fine=1"' >job.sh
best() { "$rs" best "$1.db" -p a --json | jq -c '[.[] | .value]'; }
study least minimize m >s.yaml
exits "less is better" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "minus infinity does not win" "$(best least)" "[0.25]"
study most maximize m >s.yaml
exits "more is better" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "infinity does not win" "$(best most)" "[0.5]"
is "nor is it followed" "$(sql most.db "select json_extract(params, '$.v') from trials where phase='next'")" 0.5
is "what is no number has failed, for that reason" "$(sql most.db "select state, reason, count(*) from units where phase='a' group by 1, 2" | tr '\n' ' ')" "done||2 failed|bad_metric|4 "
for rank in 3 4 5 6; do
    is "place $rank has no rank" "$(trials most.db -p a | jq -c ".[$((rank - 1))].rank")" null
done

# Beside the objective they are values like others
study beside minimize fine >s.yaml
exits "as values of other metrics they harm nothing" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "and are kept as they were" "$(sql beside.db "select lower(value) from metrics where name='side' and unit in (select unit from units where phase='a') order by unit" | sed 's/-nan/nan/' | tr '\n' ' ')" \
    "nan inf -inf 0.5 nan 0.25 "
for unit in 1 2 3; do
    ok "unit $unit: JSON stays JSON" sh -c "'$rs' show beside.db $unit --json | jq -e .metrics"
done
is "SQL's own minimum is not disturbed by what is no number" "$(sql beside.db "select min(value) from metrics where name='side' and typeof(value) <> 'text' and abs(value) < 1e308")" 0.25
is "the database is sound" "$(sql beside.db 'pragma integrity_check')" ok
done_testing
