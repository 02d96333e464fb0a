#!/usr/bin/env bash
# D2. Jobs depend on jobs. That works when the dependencies are in the database, have no cycle, and a job is ready exactly
# when all its parents are done: in studies of random shape no job starts before its parents' ends are committed.
# (The same on a simulated cluster, with deaths and delays: the property tests.)
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
# Looks into the database at its start: is any parent not done there?
sqlite3 -cmd '.timeout 20000' "file:$1?mode=ro" "select '$RANKSWEEP_UNIT waits for ' || parent from edges join units on unit=parent
    where child=$RANKSWEEP_UNIT and state <> 'done'" >>early 2>&1
echo "@metric m=$RANKSWEEP_SEED"
END
# Six phases; each comes after up to two earlier ones, in any of the ways there are, and has its own kind of folds.
shape() { # SEED
    awk -v seed="$1" 'BEGIN {
        srand(seed)
        print "study: shape" seed "\nseed: " seed "\nmetric: m\ngoal: minimize\nfolds: 3\nphases:"
        for (i = 1; i <= 6; i++) {
            print "  p" i ":\n    command: sh job.sh {study}.db"
            n = i == 1 ? 0 : 1 + (rand() < 0.4)
            after = ""
            flat[i] = i > 1 && rand() < 0.3
            for (j = 0; j < n; j++) {
                p = 1 + int(rand() * (i - 1))
                if (index(after, "p" p ":"))
                    continue
                flat[i] = flat[i] || flat[p]
                after = after (after ? ", " : "") "p" p ": " (rand() < 0.3 ? "best 2" : rand() < 0.2 ? "best 2 as one" : "all")
            }
            if (after)
                print "    after: {" after "}"
            if (flat[i])
                print "    folds: none"
            if (rand() < 0.6)
                print "    params: {x" i ": [1, 2]}\n    search: grid"
        }
    }'
}
for seed in 2 5 9; do
    shape $seed >s.yaml
    exits "shape $seed runs" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
    db=shape$seed.db
    ok "shape $seed: it has dependencies" test "$(sql $db "select count(*) from edges")" -gt 15
    is "shape $seed: without a cycle" "$(sql $db "with recursive below(a, b) as (select parent, child from edges union select a, child from below join edges on parent=b) select count(*) from below where a=b")" 0
    is "shape $seed: all is done" "$(sql $db "select distinct state from units")" "done"
done
is "no job saw a parent that was not done" "$(cat early)" ""
done_testing
