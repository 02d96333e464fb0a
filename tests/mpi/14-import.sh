#!/usr/bin/env bash
# import into a run that is going on: its search knows at once, and again after a resume.
. tests/lib/tap.sh

# A trial waits until its number is let through. It takes so long that there is time for gp.
cat >unit.sh <<'UNIT'
sleep 0.1
until [ "$(cat upto)" -ge "$RANKSWEEP_TRIAL" ]; do sleep 0.02; done
awk -v x="$1" 'BEGIN { printf "@metric loss=%.17g\n", (x - 0.3) ^ 2 }'
UNIT
cat >live.yaml <<'YAML'
study: live
seed: 3
metric: loss
goal: minimize
phases:
  train:
    command: sh unit.sh {x}
    params: {x: 'uniform(-10, 10)'}
    search: gp
    trials: 40
YAML
awk 'BEGIN { print "x,loss"; for (i = 0; i < 40; i++) { u = 0.5 + i * 0.6180339887498949; x = -10 + 20 * (u - int(u))
    printf "%.17g,%.17g\n", x, (x - 0.3) ^ 2 } }' >prior.csv
far() { sql live.db "select count(*) from trials where $1 and abs(json_extract(params, '\$.x') - 0.3) > 3"; }
made() { sql live.db "select count(*) from trials"; }

echo 0 >upto
start mpi 2 run live.yaml --progress none
wait_for 30 test -e live.db
wait_sql 30 live.db "select count(*) > 0 from units where state = 'running'" 1
before=$(made)
is "a dry run asks the run" "$("$rs" import live.db prior.csv --dry-run --json | jq -c '[.added, .dry_run]')" "[40,true]"
is "a run takes an import" "$("$rs" import live.db prior.csv --json | jq -c '[.added, .known]')" "[40,0]"
is "which is there when it has answered" "$(sql live.db 'select count(*) from priors')" 40
is "and not taken twice" "$("$rs" import live.db prior.csv --json | jq -c '[.added, .known]')" "[0,40]"
is "the audit has it" "$(sql live.db "select command, units from audit")" "import --phase=train prior.csv|40"
# The next two are asked for without anything that the run itself has found.
echo $((before + 1)) >upto
wait_sql 60 live.db "select count(*) > $((before + 1)) from trials" 1
is "the next trials are near the best" "$(far "trial > $before and trial <= $before + 2")" 0
awk 'BEGIN { print "x,loss"; for (i = 0; i < 120000; i++) printf "%.70f,%.70f\n", i / 12000, i }' >large.csv
exits "what is too large for a run" 64 "$rs" import live.db large.csv
like "is refused, and says what to do" "$(cat err)" "too much to ask of a run \(more than 16 MB\): wait for its end"
is "nothing of it is there" "$(sql live.db 'select count(*) from priors')" 40

# ---- a resume
{
    kill_tree KILL "$pid"
    wait "$pid"
} 2>/dev/null
echo 1000 >upto
exits "a resume" 0 mpi 2 run live.yaml --progress none
is "has all trials" "$(sql live.db "select count(*) from trials where state = 'done'")" 40
is "and still knows" "$(far "trial > $before and value < 4 and trial <= $before + 6")" 0
is "the best is found" "$(sql live.db 'select min(value) < 1e-6 from trials')" 1
ok "without a run the large one is taken" "$rs" import live.db large.csv
is "all of it" "$(sql live.db 'select count(*) from priors')" 120040
done_testing
