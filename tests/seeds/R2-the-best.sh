#!/usr/bin/env bash
# R2. A job must know how "the best" is determined. That works when metric, direction and aggregate are declared; when
# the winner is found at the moment its followers are released, from what is stored, and is stored with its number and
# value; when a tie goes to the lower number; and when nobody wins where there is no valid candidate: the followers are
# blocked, and no default is taken.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
# CANDIDATE: three folds each
case $1 in
a) v="1 1 10" ;;  # mean 4, median 1, least 1, most 10
b) v="3 3 3" ;;   # mean 3, median 3
c) v="0 5 7" ;;   # mean 4, least 0
d) v="3 3 3" ;;
esac
set -- $v
shift "$RANKSWEEP_FOLD"
[ "$RANKSWEEP_TRIAL.$RANKSWEEP_FOLD" != 4.2 ] || until [ -e go ]; do sleep 0.02; done
echo run >>ran
echo "@metric err=$1 score=$((10 - $1))"
END
study() { # NAME METRIC GOAL AGGREGATE
    cat <<END
study: $1
metric: $2
goal: $3
aggregate: $4
folds: 3
phases:
  search: {command: 'sh job.sh {c}', params: {c: [a, b, c, d]}, search: grid}
  after:
    after: {search: best}
    folds: none
    command: sh -c 'echo "@metric $2=1"; echo "$1 \$1 \$2" >>winners' sh {c} {search.value}
END
}
winner() { sql "$1.db" "select p.trial, json_extract(t.params, '$.c'), p.value, p.for_trial is not null from picks p join trials t using (trial)"; }
touch go
study mean err minimize mean >s.yaml
exits "least mean" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "a tie goes to the lower number" "$(winner mean)" "2|b|3.0|1"
study median err minimize median >s.yaml
exits "least median" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "another aggregate, another winner" "$(winner median)" "1|a|1.0|1"
study least err minimize min >s.yaml
exits "least of all" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "yet another" "$(winner least)" "3|c|0.0|1"
study most err maximize max >s.yaml
exits "most of all" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "the other direction" "$(winner most)" "1|a|10.0|1"
study score score maximize mean >s.yaml
exits "another metric of the same jobs" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "turned round: the same winner" "$(winner score)" "2|b|7.0|1"
is "what follows was told the winner and its value" "$(tr '\n' ',' <winners)" "mean b 3,median a 1,least c 0,most a 10,score b 7,"

# From what is stored: values of an earlier run, which was killed, count as those of this one
rm -f go ran
study stored err minimize mean >s.yaml
start timeout 60 "$rs" run s.yaml --ranks 1 --progress none
ok "all but one fold are done" wait_sql 20 stored.db "select count(*) from units where state='done'" 11
kill_tree KILL "$pid"
is "nobody has won yet" "$(winner stored)" ""
touch go
exits "the same command" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "finds the winner among the stored" "$(winner stored)" "2|b|3.0|1"
is "without running them again" "$(wc -l <ran)" 12

# Nobody
study nobody err minimize mean | sed 's/sh job.sh {c}/sh -c "test {fold} = 1 || echo @metric err=nan"/' >s.yaml
exits "no valid candidate" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
like "is said" "$(cat err)" "phase after is blocked: no trial of search is complete with a finite value"
is "and no default is taken" "$(sql nobody.db "select count(*) from picks")$(grep -c nobody winners)" 00
done_testing
