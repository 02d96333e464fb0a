#!/usr/bin/env bash
# Trap 7. Repeating a call with random values repeated the values. Now --repeat draws new ones, the same call without it
# adds nothing, and both are the same again on another machine.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

add() { "$rs" schedule "$1.db" "${@:2}" --seed 5 -n 3 --command 'true {x}' phase=a 'x={{uniform(0,1)}}'; }
drawn() { sql "$1.db" "select count(*), count(distinct json_extract(params, '$.x')) from trials"; }
exits "three random values" 0 add one
is "are three" "$(drawn one)" "3|3"
exits "the same call" 0 add one
is "adds nothing" "$(drawn one)" "3|3"
exits "repeated" 0 add one --repeat
is "draws three others" "$(drawn one)" "6|6"
exits "repeated once more" 0 add one --repeat
is "and three others" "$(drawn one)" "9|9"
add two >/dev/null
add two --repeat >/dev/null
is "from the seed alone" "$(sql two.db "select json_extract(params, '$.x') from trials order by trial")" "$(sql one.db "select json_extract(params, '$.x') from trials order by trial limit 6")"
done_testing
