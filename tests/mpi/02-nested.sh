#!/usr/bin/env bash
# Nested cross-validation on a rigged task: each outer fold has a winner of its own, and no inner unit ever reads a row of
# its outer test part.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

# 12 rows; row r is in outer fold r % 3. The error of parameter c in outer fold o is smallest for c = o; over all data for c = 3.
cat >train.sh <<'EOF'
o=$RANKSWEEP_OUTER_FOLD f=$RANKSWEEP_FOLD c=$1
i=0
for r in 0 1 2 3 4 5 6 7 8 9 10 11; do
    if [ "$o" -ge 0 ] && [ $((r % 3)) -eq "$o" ]; then
        [ "$f" -ge 0 ] || echo "test $o $r" >>"rows.$RANKSWEEP_PHASE"
        continue
    fi
    echo "inner $o $f $r" >>"rows.$RANKSWEEP_PHASE"
done
want=$o
[ "$o" -ge 0 ] || want=3
[ "$c" -eq "$want" ] && echo "@metric err=0.1" || echo "@metric err=0.$((5 + c))"
EOF
cat >s.yaml <<'EOF'
study: nest
seed: 1
metric: err
goal: minimize
folds: {outer: 3, inner: 2, full: true}
phases:
  search:
    command: sh train.sh {c}
    params: {c: [0, 1, 2, 3]}
    search: grid
  outer:
    after: {search: best}
    folds: outer
    command: sh train.sh {c}
  final:
    after: {search: best}
    folds: none
    command: sh -c 'echo "@metric err=0.0{c}"'
EOF
exits "a nested study runs" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
is "4 trials x 2 inner folds in each of 3 outer folds and the full search" \
    "$(sql nest.db "select outer_fold, count(*) from units where phase='search' group by 1" | tr '\n' ' ')" "-1|8 0|8 1|8 2|8 "
is "each outer fold picks its own winner" \
    "$(sql nest.db "select p.outer_fold, json_extract(t.params,'$.c') from picks p join trials t on t.trial=p.trial where p.for_phase='outer' order by 1" | tr '\n' ' ')" "0|0 1|1 2|2 "
is "outer phases run once for each outer fold, without an inner fold" \
    "$(sql nest.db "select outer_fold, fold from units where phase='outer' order by 1" | tr '\n' ' ')" "0|-1 1|-1 2|-1 "
is "the final model follows the winner of the full search" \
    "$(sql nest.db "select value from units where phase='final'")" 0.03
is "no inner unit read a row of its outer test part" \
    "$(awk '$1 == "inner" && $2 >= 0 && $4 % 3 == $2' rows.search)" ""
is "the outer units tested on theirs" "$(sort rows.outer | grep -c '^test')" 12
like "results give the outer estimate" "$("$rs" results nest.db --phase outer)" "0\.1"

# The real trainers: rows of the test part are in no array of an inner unit.
sed "s#jobs/bin/#$top/jobs/bin/#; s#jobs/data/#$top/jobs/data/#" "$top/jobs/dbn_nested.yaml" >dbn.yaml
exits "the shipped nested study is right" 0 "$rs" check dbn.yaml
cat >rows.yaml <<'EOF'
study: rows
seed: 1
metric: err
goal: minimize
folds: {outer: 3, inner: 2, full: true}
phases:
  search:
    command: sh rows.sh --nb-outer-fold {outer_folds} --id-outer-fold {outer_fold} --nb-cross-fold {folds} --id-cross-fold {fold}
    params: {x: [1, 2]}
    search: grid
  outer:
    after: {search: best}
    folds: outer
    command: sh rows.sh --nb-outer-fold {outer_folds} --id-outer-fold {outer_fold}
EOF
cat >rows.sh <<EOF
'$top/jobs/bin/mlp' --data '$top/jobs/data/digits.csv' --print-split "\$@" \
    >"rows.\$RANKSWEEP_PHASE.\$RANKSWEEP_TRIAL.\$RANKSWEEP_OUTER_FOLD.\$RANKSWEEP_FOLD"
echo "@metric err=1"
EOF
exits "the real trainers are asked for their rows" 0 timeout 60 mpirun -n 3 "$rs" run rows.yaml --progress none
rows() { cat "$@" | tr ' ' '\n' | grep '[0-9]' | sort; }
covered=0 read_by_inner=
for o in 0 1 2; do
    part=$(sed -n 's/^test//p' rows.outer.*.$o.-1 | rows)
    covered=$((covered + $(wc -w <<<"$part")))
    read_by_inner+=$(comm -12 <(uniq <<<"$part") <(rows rows.search.*.$o.[01] | uniq))
done
is "the outer test parts cover the data" "$covered" "$(wc -l <"$top/jobs/data/digits.csv")"
is "each row once" "$(sed -n 's/^test//p' rows.outer.* | rows | uniq -d)" ""
is "and no inner unit has one of its own outer test part" "$read_by_inner" ""
done_testing
