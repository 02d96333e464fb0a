#!/usr/bin/env bash
# A phase with several metrics: what counts as done, the Pareto front, picks by one of them, and a run that goes
# on after it was killed.
. tests/lib/tap.sh

cat >two.sh <<'SH'
#!/bin/bash
# two.sh X Y: a unit is small, or good; what is bad in Y is bad in both. 0.4 < X < 0.5 says only one of them.
awk -v x="$1" -v y="$2" 'BEGIN {
    print "@metric err=" 2 * (1 - x) + y
    if (x < 0.4 || x > 0.5) print "@metric size=" x + y
}'
SH
chmod +x two.sh
cat >s.yaml <<'YAML'
study: two
folds: 2
metrics: {err: minimize, size: minimize}
phases:
  a:
    command: ./two.sh {x} {y}
    params: {x: "uniform(0, 1)", y: [0, 1, 2]}
    trials: 100
  small:
    after: {a: best by size}
    folds: none
    metric: none
    command: echo {a.x}
  good:
    after: {a: best 2 by err}
    folds: none
    metric: none
    command: echo {a.x}
YAML
like "check names the search and the pick" "$("$rs" check s.yaml)" "auto -> nsga2"
like "and by what" "$("$rs" check s.yaml)" "best 2 of a by err"
"$rs" run s.yaml --ranks 3 >out 2>&1 &
launch=$!
wait_for 60 sql_is two.db "select count(*) >= 20 from trials where state = 'done'" 1
kill -9 "$launch"
wait "$launch" 2>/dev/null
mpi 3 run s.yaml >out 2>&1
is "a unit that does not report both has failed" \
    "$(sql two.db "select count(*) from units u join params p on p.trial = u.trial and p.name = 'x' where u.phase = 'a' and (u.state = 'done') = (p.value > 0.4 and p.value < 0.5)")" 0
is "for want of a metric" "$(sql two.db "select distinct reason from units where state = 'failed'")" no_metric
bad=$(sql two.db "select min(unit) from units where state = 'failed'")
like "which one, says show" "$("$rs" show two.db "$bad")" "without a value of .size."
is "a trial has a mean and an sd of each" \
    "$(sql two.db "select count(*), count(o.sd) from objectives o join trials t using (trial) where t.state = 'done' and o.value is not null" | tr '|' ' ')" \
    "$(sql two.db "select 2 * count(*), 2 * count(*) from trials where phase = 'a' and state = 'done'" | tr '|' ' ')"

# a front by its definition
front="with t as (select trial, max(o.value) filter (where name = 'err') e, max(o.value) filter (where name = 'size') s
    from objectives o join trials t using (trial) where t.state = 'done' group by trial)
    select group_concat(trial) from (select trial from t a where not exists
    (select 1 from t b where b.e <= a.e and b.s <= a.s and (b.e < a.e or b.s < a.s)) order by trial)"
"$rs" results two.db --phase a --json >results.json
is "rank 1 is the Pareto front" "$(jq -r '[.trials[] | select(.rank == 1) | .trial] | sort | map(tostring) | join(",")' results.json)" "$(sql two.db "$front")"
is "nobody outside has a rank without a value" "$(jq '[.trials[] | select((.rank == null) == (.state == "done"))] | length' results.json)" 0
is "each metric, as JSON" "$(jq -c '.trials[0].metrics | keys' results.json)" '["err","size"]'
is "best is the front" "$("$rs" best two.db --phase a --json | jq -r '[.[].trial] | sort | map(tostring) | join(",")')" "$(sql two.db "$front")"
is "or the first N of it" "$("$rs" best two.db --phase a -n 2 --json | jq length)" 2
like "for people too" "$("$rs" best two.db --phase a -n 1)" ", err = .*, size = .* over 2 folds"
is "the table has them all" "$("$rs" results two.db --phase a | grep -c '^ *1 ')" "$("$rs" best two.db --phase a --json | jq length)"
like "CSV has a column for each" "$("$rs" results two.db --csv | head -1)" "metric.err,metric.err.sd,metric.size,metric.size.sd"
is "the pick by size" "$(sql two.db "select trial from picks where for_phase = 'small'")" \
    "$(sql two.db "select trial from objectives join trials using (trial) where name = 'size' and state = 'done' order by objectives.value, trial limit 1")"
is "the picks by err" "$(sql two.db "select trial from picks where for_phase = 'good' order by rank" | tr '\n' ' ')" \
    "$(sql two.db "select trial from objectives join trials using (trial) where name = 'err' and state = 'done' order by objectives.value, trial limit 2" | tr '\n' ' ')"
is "it learns: later trials are better in both" \
    "$(sql two.db "select avg(value) < 0.75 from (select trial from trials where phase = 'a' order by trial desc limit 50) join params using (trial) where name = 'y'")" 1

# how long a unit took is known without its help
cat >t.yaml <<'YAML'
study: timed
metrics: {err: minimize, seconds: minimize}
phases:
  a: {command: "./slow.sh {x}", params: {x: [1, 2]}, search: grid}
YAML
# shellcheck disable=SC2016 # for the shell that runs it
printf '#!/bin/sh\nsleep 0.$((4 - 3 * ($1 - 1)))\necho "@metric err=$1"\n' >slow.sh
chmod +x slow.sh
mpi 2 run t.yaml >out 2>&1
is "seconds are those of the unit" \
    "$(sql timed.db "select count(*) from objectives o join units u using (trial) where o.name = 'seconds' and abs(o.value - u.seconds) < 1e-6")" 2
is "and both trials are on the front" "$("$rs" best timed.db --json | jq length)" 2

cat >nest.yaml <<'YAML'
study: nest
folds: {outer: 2, inner: 2}
metrics: {err: minimize, size: maximize}
phases:
  a: {command: "./both.sh {x} {outer_fold}", params: {x: [1, 2, 3]}, search: grid}
  b: {after: {a: best by size}, folds: outer, command: "./both.sh {a.x} {outer_fold}"}
YAML
# shellcheck disable=SC2016 # for the shell that runs it
printf '#!/bin/sh\necho "@metric err=$(($1 + $2)) size=$((10 * $1 + $2))"\n' >both.sh
chmod +x both.sh
mpi 2 run nest.yaml >out 2>&1
is "nested: the estimate is of the metric that was picked by" \
    "$("$rs" results nest.db --json | jq -c '.outer[0] | [.metric, .mean, .inner[0].metric, .inner[0].mean]')" '["size",30.5,"size",30.5]'
done_testing
