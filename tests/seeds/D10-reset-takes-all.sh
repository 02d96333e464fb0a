#!/usr/bin/env bash
# D10. Setting a job back to START takes all along that depends on it. That works when all descendants, however far, are
# set back in one step; those that run are stopped first; old results are kept but neither counted nor ranked; ancestors and
# siblings are not touched; and the number is told.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$RANKSWEEP_PHASE $1 resume=$RANKSWEEP_RESUME" >>ran
echo "$RANKSWEEP_ATTEMPT" >"$RANKSWEEP_DIR/file"
[ "$RANKSWEEP_PHASE $1" != "c 2" ] || until [ -e go ]; do sleep 0.02; done
echo "@metric m=$1.$RANKSWEEP_ATTEMPT"
END
cat >s.yaml <<'END'
study: deep
metric: m
goal: minimize
defaults: {checkpoint: true, grace: 1s}
phases:
  root: {command: 'sh job.sh 0'}
  a: {after: root, command: 'sh job.sh {x}', params: {x: [1, 2]}, search: grid}
  b: {after: a, command: 'sh job.sh {x}'}
  c: {after: b, command: 'sh job.sh {x}'}
END
start timeout 60 mpirun -n 3 "$rs" run s.yaml --progress none
ok "one chain is at its end, the other in its last job" wait_sql 20 deep.db "select (select count(*) from units where state='done'), (select count(*) from attempts where state='running')" "6|1"
running=$(sql deep.db "select pid from attempts where state='running'")
is "a reset of the second chain's start says how many go along" \
    "$("$rs" reset deep.db phase=a x=2 --json | jq -c '[.changed, .descendants]')" "[1,2]"
ok "the one that ran is stopped" wait_for 10 gone "$running"
touch go
wait_exit 30 "$pid"
is "all ends well" $? 0
of() { sql deep.db "select u.phase, attempts from units u join trials using (trial) where json_extract(params, '$.x') is $1 order by 1" | tr '\n' ' '; }
is "the chain was run again" "$(of 2)" "a|2 b|2 c|2 "
is "the other one was not" "$(of 1)" "a|1 b|1 c|1 "
is "nor what both come from" "$(of null)" "root|1 "
is "they began with empty folders" "$(grep -c 'resume=1' ran)" 0
is "whose old content is kept beside them" "$(find deep.out -name file -exec cat {} + | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 7 1; 3 2;"
is "results are those of the new attempts" "$(trials deep.db -p b | jq -c '[.[] | .value]')" "[1.1,2.2]"
is "the old attempts are kept" "$(sql deep.db "select count(*) from attempts")" 10
is "one row tells of it" "$(sql deep.db "select units, command from audit")" "3|reset phase=a x=2"

# Between runs: at once, and together
ok "the root" "$rs" reset deep.db phase=root
is "one is ready, all others wait" "$(sql deep.db "select state, count(*) from units group by 1 order by 1" | tr '\n' ' ')" "ready|1 waiting|6 "
is "nothing is ranked" "$(trials deep.db | jq '[.[] | select(.rank != null)] | length')" 0
exits "and all is run again" 0 timeout 30 mpirun -n 3 "$rs" run s.yaml --progress none
done_testing
