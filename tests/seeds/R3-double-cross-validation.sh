#!/usr/bin/env bash
# R3. Double cross-validation, by more phases. That works when each outer fold has a search of its own, on inner folds
# only, with its own winner, which is trained on the rest and tested on the outer fold; when mean and deviation of the
# outer scores are told; and when nothing leaks: data made so that each outer fold must have another winner gives other
# winners, and no inner job sees a number of an outer test part.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

# 36 rows: "id x y". The rows of outer fold o (id mod 3) follow y = (o + 2) x; so on the other two folds the slope that
# fits best is the one between theirs: 3.5, 3, 2.5 for o = 0, 1, 2. Over all data it is 3.
awk 'BEGIN { for (i = 0; i < 36; i++) print i, i % 4 + 1, (i % 3 + 2) * (i % 4 + 1) }' >data
cat >job.sh <<'EOF'
# SLOPE OUTER NB_OUTER FOLD NB_FOLD: logs the ids of the rows it reads, and their part
awk -v slope="$1" -v o="$2" -v no="$3" -v f="$4" -v nf="$5" -v seen="seen.$RANKSWEEP_UNIT" '
    o >= 0 && $1 % no == o { if (f >= 0) next; part = "test" }   # a search does not read its test part
    !(o >= 0 && $1 % no == o) { part = f >= 0 && int($1 / no) % nf == f ? "valid" : "train" }
    { print part, $1 >>seen }
    part == (f >= 0 ? "valid" : o >= 0 ? "test" : "train") { d = $3 - slope * $2; sum += d * d; n++ }
    END { print "@metric err=" sum / n }' data
EOF
cat >s.yaml <<'END'
study: double
metric: err
goal: minimize
folds: {outer: 3, inner: 4, full: true}
phases:
  search:
    command: sh job.sh {slope} {outer_fold} {outer_folds} {fold} {folds}
    params: {slope: [2.5, 3, 3.5]}
    search: grid
  assess:
    after: {search: best}
    folds: outer
    command: sh job.sh {slope} {outer_fold} {outer_folds} {fold} {folds}
  keep:
    after: {search: best}
    folds: none
    command: sh job.sh {slope} {outer_fold} {outer_folds} {fold} {folds}
END
exits "it runs" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
cp out end
is "three searches and one over all data, each in four folds" "$(sql double.db "select outer_fold, count(distinct trial), count(*) from units where phase='search' group by 1" | tr '\n' ' ')" \
    "-1|3|12 0|3|12 1|3|12 2|3|12 "
is "each outer fold has the winner that was planted in the rest of the data" \
    "$(sql double.db "select t.outer_fold, json_extract(t.params, '$.slope') from trials t where phase='assess' order by 1" | tr '\n' ' ')" "0|3.5 1|3 2|2.5 "
is "the model to keep has the winner of all data" "$(sql double.db "select json_extract(params, '$.slope') from trials where phase='keep'")" 3
seen_by() { # PHASE OUTER_FOLD: what its jobs have read; whose fold it is says the database, not the job
    sql double.db "select 'seen.' || unit from units where phase='$1' and outer_fold=$2" | xargs cat
}
for o in 0 1 2; do
    is "outer fold $o: its search read none of its rows" "$(seen_by search $o | awk -v o=$o '$2 % 3 == o')" ""
    is "outer fold $o: and validated on each of the others, for each slope" "$(seen_by search $o | grep valid | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | tr -s ' ')" " 24 3"
    is "outer fold $o: the winner was tested on its rows only" "$(seen_by assess $o | awk -v o=$o '$1 == "test" && $2 % 3 != o')$(seen_by assess $o | grep -c test)" 12
done
# slopes 3.5, 3, 2.5 on data of slopes 2, 3, 4; the mean square of x is 7.5
like "the outer scores, with mean and deviation" "$("$rs" results double.db -p assess)" "11\.25.* 9\.74|mean 11\.25"
like "which the end of the run tells too" "$(cat end)" "11\.25"
done_testing
