#!/usr/bin/env bash
# Phases of other shapes: coarser and finer children, several parents, groups of the best, phases added later; odd
# paths and values on their way from the study file to the trainer.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'END'
study: shapes
seed: 1
metric: m
goal: minimize
folds: 3
setup: PREPARED=yes; export PREPARED
phases:
  prep:
    folds: none
    command: sh -c 'echo $PREPARED >$1/data; echo "@metric m=0"' sh {dir}
  fit:
    after: prep
    command: sh -c 'read -r p <$1/data && echo $p $RANKSWEEP_TRIAL.$RANKSWEEP_FOLD >$2/f && echo "@metric m={x}"' sh {prep.dir} {dir}
    params: {x: [3, 1, 2], kind: [a, b]}
    search: grid
  polish:
    after: {fit: best per kind}
    command: sh -c 'cat $1/f; echo "@metric m={y}{x}"' sh {fit.dir}
    params: {y: [2, 1]}
    search: grid
  other:
    after: prep
    command: sh -c 'echo "@metric m={z}"'
    params: {z: [7, 8]}
    search: grid
  both:
    after: [fit, other]
    command: sh -c 'echo "@metric m={x}{z}"'
  ensemble:
    after: {fit: best 2 as one}
    folds: none
    command: sh -c 'for d; do cat $d/f; done; echo "@metric m=$#"' sh {fit.dirs}
END
exits "it runs" 0 timeout 60 mpirun -n 4 "$rs" run s.yaml --progress none
count() { sql shapes.db "select count(distinct trial) || ' ' || count(*) || ' ' || min(fold) || '..' || max(fold) from units where phase='$1'"; }
parents() { # how many parents of which phase each unit of a phase has
    sql shapes.db "select distinct group_concat(n) from (select c.unit, p.phase || ' ' || count(*) as n from edges e
        join units c on c.unit=e.child join units p on p.unit=e.parent where c.phase='$1' group by 1, p.phase) group by unit"
}
is "one unit prepares" "$(count prep)" "1 1 -1..-1"
is "for all folds of all trials" "$(count fit), $(parents fit)" "6 18 0..2, prep 1"
is "the best of each kind" "$(count polish), $(parents polish)" "4 12 0..2, fit 1"
is "which were picked with their values" "$(sql shapes.db "select distinct json_extract(t.params,'$.kind'), p.value from picks p join trials t using (trial) where p.for_phase='polish' order by 1" | tr '\n' ' ')" "a|1.0 b|1.0 "
is "two parents: the product" "$(count both), $(parents both)" "12 36 0..2, fit 1,other 1"
is "with both parents' parameters" "$(sql shapes.db "select group_concat(distinct u.value) from units u join trials t using (trial) where u.phase='both' and json_extract(t.params,'$.x')=3 order by 1")" "37.0,38.0"
is "two as one: one child of all their folds" "$(count ensemble), $(parents ensemble)" "1 1 -1..-1, fit 6"
is "given their folders in order" "$("$rs" log shapes.db "$(sql shapes.db "select unit from units where phase='ensemble'")" --stdout | grep -v @ | cut -d. -f2 | tr '\n' ' ')" "0 1 2 0 1 2 "
is "setup came before every command" "$("$rs" log shapes.db "$(sql shapes.db "select unit from units where phase='ensemble'")" --stdout | grep -c '^yes ')" 6
is "no unit started before its parents ended" \
    "$(sql shapes.db 'select count(*) from edges e join units p on p.unit=e.parent join units c on c.unit=e.child where c.started < p.finished')" 0

# A phase more: the others are not touched
cat >>s.yaml <<'END'
  late:
    after: {both: best}
    folds: none
    command: sh -c 'echo "@metric m={both.value}"'
END
exits "a phase is added" 0 timeout 60 mpirun -n 2 "$rs" run s.yaml --progress none
is "and only that one runs" "$(sql shapes.db "select sum(attempts) || ' ' || count(*) from units")" "75 75"
is "after the best of before" "$(sql shapes.db "select value from units where phase='late'")" 17.0

# Any text gets through unchanged, from a folder with any name, to a database elsewhere
odd="it's a \"folder\" \$HOME"
mkdir "$odd" "$odd/data base"
cd "$odd" || exit
cat >'my study.yaml' <<'END'
study: odd
seed: 1
metric: m
goal: minimize
env: {GREETING: "a  b\nc='d' \"e\" $f"}
phases:
  a:
    command: sh -c 'printf "%s|" "$@" "$GREETING" "$PWD"; echo; printf "%s" "$RANKSWEEP_PARAMS" >params.$RANKSWEEP_TRIAL; echo "@metric m=1"' sh {p} {dir}
    params: {p: ["x  y", "it's", "$HOME", "*", "back\\slash", "new\nline", "größe", "-n", ""]}
    search: grid
END
db="data base/x y.db"
exits "a study in a folder with an odd name" 0 timeout 60 mpirun -n 3 "$rs" run 'my study.yaml' --db "$db" --progress none
said() { "$rs" log "$db" "$1" --stdout | sed '$d'; }
greeting=$'a  b\nc=\'d\' "e" $f'
i=0
for text in 'x  y' "it's" '$HOME' '*' 'back\slash' $'new\nline' 'größe' '-n' ''; do
    i=$((i + 1))
    is "text ${text@Q}" "$(said $i)" "$text|$PWD/data base/x y.out/dir/a/t$i|$greeting|$PWD|"
    is "also as JSON" "$(jq -j .p <params.$i; echo .)" "$text."
done
sed -i 's/env:/defaults: {retries: 1}\nenv:/' 'my study.yaml'
cat >>'my study.yaml' <<'END'
  b: {command: pwd, metric: none}
END
here=$PWD
cd / || exit
exits "from another folder" 0 timeout 60 "$rs" run "$here/my study.yaml" --db "$here/$db" --ranks 1 --progress none
is "trainers run where the study began" "$("$rs" log "$here/$db" 10)" "$here"
exits "and by the database alone" 0 timeout 60 "$rs" run "$here/$db" --ranks 2 --progress none
done_testing
