#!/usr/bin/env bash
# The studies that come with it, and a script that knows nothing of ranksweep.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

ln -s "$top/jobs" jobs
for study in jobs/*.yaml; do
    exits "$study is right" 0 "$rs" check "$study"
done
sed 's/trials: .*/trials: 2/' jobs/mlp_cv.yaml | sed 's/folds: 5/folds: 2/' >mlp.yaml
exits "the MLP with cross-validation" 0 timeout 100 mpirun -n 3 "$rs" run mlp.yaml --db mlp.db --progress none
is "ends with one network on all data" "$(sql mlp.db "select count(*) from units where fold=-1 and state='done'")" 1
if /usr/bin/python3 -c 'import sklearn' 2>/dev/null; then
    sed 's/trials: .*/trials: 2/; s/folds: .*/folds: 2/' jobs/sklearn_svm.yaml >svm.yaml
    exits "an unmodified Python script, by capture" 0 timeout 100 mpirun -n 3 "$rs" run svm.yaml --db svm.db --progress none
    is "all its units have values" "$(sql svm.db "select count(*) from units where value is null or state <> 'done'")" 0
else
    skip "an unmodified Python script" "python3-sklearn is not installed"
fi
done_testing
