#!/usr/bin/env bash
# Trap 4. Scheduling the same twice took jobs with some of the same values for equal, or made them twice. Now a job's
# identity is exact: phase, command and all values, in whatever order and spelling, and the database holds it once.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

add() { "$rs" schedule twice.db --command 'true {args}' "$@"; }
count() { sql twice.db "select count(*) from trials"; }
same() { # NAME ARGUMENT...
    local name=$1 before
    before=$(count)
    shift
    exits "$name" 0 add "$@"
    is "$name: nothing is added" "$(count)" "$before"
}
other() { # NAME ARGUMENT...
    local name=$1 before
    before=$(count)
    shift
    exits "$name" 0 add "$@"
    is "$name: one is added" "$(count)" $((before + 1))
}
exits "a job" 0 add phase=a lr=0.1 nh=5 name=x
same "once more" phase=a lr=0.1 nh=5 name=x
same "in another order" phase=a name=x nh=5 lr=0.1
same "spelled in another way" phase=a lr=1e-1 nh=5.0 name=x
same "out of braces" phase=a 'lr={{0.1}}' 'nh={{5}}' 'name={{x}}'
same "twice in one call" phase=a 'lr={{0.1,0.10}}' nh=5 name=x
other "some of its values" phase=a lr=0.1 nh=5
other "none of them" phase=a
other "all of them and one more" phase=a lr=0.1 nh=5 name=x wd=0
other "another phase" phase=b lr=0.1 nh=5 name=x
other "another text" phase=a lr=0.1 nh=5 name=X
exits "another command" 0 "$rs" schedule twice.db --command 'true {args} --more' phase=a lr=0.1 nh=5 name=x
is "another command: one is added" "$(count)" 7
exits "all are run" 0 timeout 30 "$rs" run twice.db --ranks 1 --progress none
same "done ones" phase=a lr=0.1 nh=5 name=x
for name in race race race race; do add phase=a lr=7 nh=7 name=$name >/dev/null 2>&1 & done
wait
is "four at the same time make one" "$(sql twice.db "select count(*) from trials where json_extract(params, '$.lr')=7")" 1
# Whoever comes second finds the database there, and leaves it there.
begin() { "$rs" schedule first.db "$@" --command 'true {args}' phase=a 'lr={{1,2}}' >/dev/null 2>>begin.err & }
kept=0
for _ in {1..25}; do
    rm -rf first.db* first.out
    begin && begin --dry-run && begin && begin
    wait
    kept=$((kept + $(sql first.db "select count(*) from trials")))
done
is "begun by several at the same time, it is there" "$kept" 50
is "and none complains" "$(cat begin.err)" ""
done_testing
