#!/usr/bin/env bash
# import: what others have found, from a table and from a database. One rank, so no mpirun.
. tests/lib/tap.sh

cat >unit.sh <<'UNIT'
awk -v x="$1" 'BEGIN { printf "@metric loss=%.17g\n", (x - 0.3) ^ 2 }'
UNIT
cat >q.yaml <<'YAML'
study: q
seed: 3
metric: loss
goal: minimize
phases:
  train:
    command: sh unit.sh {x} {args}
    params:
      x: uniform(-10, 10)
      opt: [adam, sgd]
      m: uniform(0, 1) if opt == sgd
      c: 5
    search: tpe
    trials: 6
  other:
    command: sh unit.sh {x}
    params: {x: [1, 2, 3]}
    search: grid
YAML
run() { "$rs" run "$1" --ranks 1 --progress none >/dev/null; }
count() { "$rs" import "$@" --json | jq -c '[.rows, .added, .known, .skipped, .dry_run]'; }
dump() { sqlite3 "$1" .dump; }
# quadratic N: so many rows that are spread over the space
quadratic() {
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) { u = 0.5 + i * 0.6180339887498949; x = -10 + 20 * (u - int(u))
        printf "%.17g,%s,%s,%.17g,node%d\n", x, i % 2 ? "sgd" : "adam", i % 2 ? 0.5 : "", (x - 0.3) ^ 2, i } }'
}

# ---- a table, before there is a database
{
    printf '\xef\xbb\xbfx,opt,m,"loss",host,state\r\n'
    quadratic 40 | sed 's/$/,done\r/'
    cat <<'ROWS'

11,adam,,1,h,done
1,,,1,h,done
2,sgd,,3,h,
1,adam,0.5,nan,h,done
1,adam,0.5,2,h,failed
1,adam
2,"adam",0.7,5,h,COMPLETE
"2",adam,,5.0,h,COMPLETE
ROWS
} >prior.csv

exits "a dry run" 0 "$rs" import q.yaml prior.csv --dry-run
is "makes no database" "$(ls)" "$(printf '%s\n' err out prior.csv q.yaml unit.sh)"
like "and counts" "$(cat out)" "^import \(dry run, nothing is changed\): 41 observations for phase train added; 1 there already"
exits "an import begins a database" 0 "$rs" import q.yaml prior.csv
is "says what came of it" "$(cat out)" "import: 41 observations for phase train added; 1 there already
skipped: 1 row without a finite value (\`nan\`)
skipped: 1 row not complete
skipped: 2 rows without a parameter (the first: no value of opt)
skipped: 1 row out of the domain (x=11 does not lie in uniform(-10, 10))
skipped: 1 row with too few or too many fields
ignored, as they are no parameters of the phase: host"
is "no warnings" "$(cat err)" ""
dump q.db >before
is "the same again adds nothing" "$(count q.db prior.csv)" "[48,0,42,6,false]"
is "and changes nothing" "$(dump q.db | cmp - before)" ""
is "the view" "$(sql q.db "select phase, params, value, source, at > 1e9, outer_fold is null from priors where json_extract(params, '\$.x') = 2")" \
    'train|{"x": 2, "opt": "adam", "c": 5}|5.0|prior.csv|1|1'
is "the audit" "$(sql q.db "select command, units from audit")" "import --phase=train prior.csv|41"
like "results say so" "$("$rs" results q.db)" "train: 0 trials, minimize loss
41 prior observations imported"
is "as JSON" "$("$rs" results q.db --json | jq -c '[.phases[] | [.phase, .trials, .priors]]')" '[["train",0,41],["other",0,0]]'
like "status, too" "$("$rs" status q.db)" "train: 41 prior observations imported"
is "as JSON" "$("$rs" status q.db --json | jq -c '[.phases[] | .priors]')" '[41,0]'

# ---- the search begins with them
exits "the first run" 0 run q.yaml
is "has its trials, and no others" "$(sql q.db "select count(*), min(state), max(state) from trials where phase = 'train'")" "6|done|done"
is "near the best from the first on" "$(sql q.db "select min(value) < 0.5 from trials where phase = 'train'")" 1
is "which cannot be without" "$("$rs" import q.db --forget --json)" '{"verb":"import","phase":"train","forgotten":41,"dry_run":false}'
exits "nothing is left to forget" 1 "$rs" import q.db --forget
is "they are gone" "$(sql q.db 'select count(*) from priors')" 0
is "the audit knows" "$(sql q.db "select command, units from audit order by at desc limit 1")" "import --phase=train --forget|41"
first="select params from trials where phase = 'train' order by trial limit 1"
mkdir cold && cp q.yaml unit.sh cold
(cd cold && run q.yaml)
ok "a cold run of the same seed begins elsewhere" test "$(sql cold/q.db "$first")" != "$(sql q.db "$first")"

# ---- of a database
sed 's/^study: q/study: p/; s/seed: 3/seed: 4/' q.yaml >p.yaml
is "another study's trials" "$(count p.yaml q.db)" "[6,6,0,0,false]"
is "by its study file, they are there" "$(count p.db q.yaml)" "[6,0,6,0,false]"
is "values as they were" "$(sql p.db "attach 'q.db' as q; select count(*) from priors p join q.trials t on t.value = p.value and t.params = p.params")" 6
is "where they are from" "$(sql p.db "select distinct source from priors")" "q.db phase train"
is "of a phase with another name" "$(count p.db q.db --from-phase other)" "[3,0,0,3,false]"
exits "nothing of it fits" 1 "$rs" import p.db q.db --from-phase other
like "is said" "$(cat err)" "import: no row fits"
"$rs" results q.db --csv >q.csv
is "and a table of results is the same" "$(count p.db q.csv --dry-run)" "[6,0,6,0,true]"

cat >done.sh <<'UNIT'
[ "$RANKSWEEP_TRIAL" != 5 ] || exit 3
sh unit.sh "$1"
UNIT
sed 's/^study: q/study: r/; s/unit.sh/done.sh/' q.yaml >r.yaml
exits "a study of which a trial failed" 1 run r.yaml
is "gives the others" "$(count p.db r.db)" "[6,5,0,1,false]"

# ---- what is refused
exits "a search that takes none" 64 "$rs" import p.db q.csv --phase other
like "is named" "$(cat err)" "the search of phase other is grid, which takes no observations; tpe, cmaes, gp and auto do"
exits "no such phase" 64 "$rs" import p.db q.csv --phase x
exits "its own trials" 64 "$rs" import q.db q.yaml
like "it knows" "$(cat err)" "knows its own trials"
exits "no such phase there" 64 "$rs" import p.db q.db --from-phase x
sed 's/^study: q/study: g/; s/^goal: .*/goal: maximize/' q.yaml >g.yaml
exits "another goal" 64 "$rs" import g.yaml q.db
like "does not compare" "$(cat err)" "train of q.db minimizes loss, and train maximizes loss: their values do not compare"
is "and leaves nothing behind" "$(ls -d g.*)" g.yaml
printf 'a\0b\n' >binary.csv
exits "bytes that are no table" 65 "$rs" import p.db binary.csv
like "say why" "$(cat err)" "binary.csv: line 1: there is a NUL byte"
: >empty.csv
exits "an empty one" 65 "$rs" import p.db empty.csv
printf 'a;x;loss\n1;2;3\n' >semicolons.csv
exits "no column that is known" 65 "$rs" import p.db semicolons.csv
printf 'x,opt\n1,adam\n' >valueless.csv
exits "no column of values" 65 "$rs" import p.db valueless.csv
like "says which" "$(cat err)" "no column \`loss\` or \`value\`"
printf 'x,opt,loss,x\n1,adam,1,2\n' >twice.csv
exits "a column twice" 65 "$rs" import p.db twice.csv
printf 'x,opt,loss\n1,adam,"1\n' >open.csv
exits "an open quote" 65 "$rs" import p.db open.csv
exits "no file" 74 "$rs" import p.db nowhere.csv
exits "no database" 74 "$rs" import nowhere.db q.csv
exits "nothing" 64 "$rs" import
exits "too much" 64 "$rs" import p.db q.csv q.db
exits "help" 0 "$rs" import --help
like "in the list of verbs" "$("$rs" help)" "import +\[DB\] FROM"

# ---- Optuna's columns; standard input
printf 'number,value,datetime_start,params_x,params_opt,state\n0,1.5,2024-01-01,1.25,adam,COMPLETE\n1,,2024,2,adam,RUNNING\n' >optuna.csv
is "a table of Optuna" "$(count p.db optuna.csv)" "[2,1,0,1,false]"
is "standard input" "$(count p.db - <optuna.csv)" "[2,0,1,1,false]"

# ---- nested folds are kept apart, parents' parameters are known by name
cat >n.yaml <<'YAML'
study: n
seed: 3
metric: loss
goal: minimize
folds: {outer: 2, inner: 2}
phases:
  pre:
    command: sh unit.sh {h}
    params: {h: 'uniform(0, 1)'}
    search: sobol
    trials: 2
  fine:
    after: pre
    command: sh unit.sh {x}
    params: {x: 'uniform(0, h)'}
    search: gp
    trials: 3
YAML
exits "a nested study" 0 run n.yaml
sed 's/^study: n/study: o/; s/seed: 3/seed: 5/' n.yaml >o.yaml
is "its trials" "$(count o.yaml n.db)" "[12,12,0,0,false]"
is "each in its outer fold" "$(sql o.db "select outer_fold, count(*) from priors group by 1")" "0|6
1|6"
is "with what they came after" "$(sql o.db "select count(*) from priors where json_extract(params, '\$.h') >= json_extract(params, '\$.x')")" 12
exits "and they are learned from" 0 run o.yaml
printf 'x,loss\n0.5,1\n' >x.csv
exits "a row whose bounds are not known" 1 "$rs" import o.db x.csv
like "is skipped" "$(cat out)" "1 row without a parameter \(no value of pre.h\)"
printf 'x,pre.h,loss,outer_fold\n0.5,0.7,1,\n0.5,0.7,1,1\n0.5,0.7,1,2\n' >x.csv
is "outer folds of a table" "$(count o.db x.csv)" "[3,2,0,1,false]"

# ---- a study that has been edited: what does not lie in it any more is not learned from
sed 's/uniform(0, h)/uniform(0, h * 0.5)/; s/trials: 3/trials: 4/' o.yaml >o2.yaml
ok "a run goes on after an edit" "$rs" run o2.yaml --accept --ranks 1 --progress none
is "and nothing is lost" "$(sql o.db "select count(*) from priors")" 14
done_testing
