#!/usr/bin/env bash
# Optuna behind `search: {program: ..}`: every kind of parameter it can have, a requirement, a run that goes on, each
# sampler of the example; and what it cannot do is said.
. tests/lib/tap.sh
python=/usr/bin/python3
"$python" -c 'import optuna' 2>/dev/null || skip_all "no python3-optuna"

cat >s.yaml <<END
study: s
seed: 5
metric: err
goal: minimize
phases:
  a:
    command: sh -c 'echo "@metric err=\$1"' sh {x}
    params:
      x: log(1e-3, 1)
      n: int(1, 9, 2)
      k: logint(1, 64)
      o: [sgd, 'a "b"']
      m: uniform(0, 0.9) if o == sgd
      z: [1, 2.5]
      c: 7
    require: x > 0.002
    search: {program: [$python, $top/jobs/optuna_search.py, --sampler, tpe]}
    trials: 20
    enqueue: [{x: 0.5, n: 1, k: 3, o: sgd, m: 0.5, z: 1}]
END
all_done() { sql "$1" "select count(*) from trials where state = 'done'"; }
exits "20 trials" 0 timeout 120 "$rs" run s.yaml --ranks 2 --progress none
is "are done" "$(all_done s.db)" 20
sed -i 's/trials: 20/trials: 24/' s.yaml
exits "4 more" 0 timeout 120 "$rs" run s.yaml --ranks 3 --progress none
is "are done too" "$(all_done s.db)" 24
is "none of them against the requirement" "$(sql s.db "select count(*) from trials where value <= 0.002")" 0
learned="(select avg(value) from trials where trial > 16) < (select avg(value) from trials where trial <= 10)"
is "it learns: the last are better than the first" "$(sql s.db "select $learned")" 1
for sampler in random qmc; do
    sed "s/tpe/$sampler/; s/trials: 24/trials: 4/" s.yaml >"$sampler.yaml"
    exits "$sampler" 0 timeout 120 "$rs" run "$sampler.yaml" --db "$sampler.db" --ranks 1 --progress none
done
sed 's/int(1, 9, 2)/int(1, k)/' s.yaml >bound.yaml
exits "a bound that depends on another parameter" 76 timeout 60 "$rs" run bound.yaml --db bound.db --ranks 1 --progress none
like "is told in the program's own words" "$(cat err)" "\| n: Optuna has no normal distribution, and no bounds"
done_testing
