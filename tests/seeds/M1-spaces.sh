#!/usr/bin/env bash
# M1. The space to search is written on a command line. That works when braces give exactly the product, in a fixed order;
# when several braces in one argument, blanks, quotes and escapes mean what they say; when ranges, lines, logarithmic and
# random values can be had, these from a seed; when the number can be had beforehand; when a malformed brace inserts
# nothing; when the same call again adds nothing, and a job is never taken for another that has some of its values; and when
# a call is inserted as a whole or not at all.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

add() { # NAME ARGUMENT...
    local name=$1
    shift
    "$rs" schedule "$name.db" --command 'sh job.sh {args}' "$@"
}
count() { sql "$1.db" "select count(*) from trials"; }
points() { # NAME PARAMETER...
    local db=$1.db list='' p
    shift
    for p; do list="$list${list:+ || ' ' || }json_extract(params, '\$.$p')"; done
    sql "$db" "select $list from trials order by trial" | tr '\n' ','
}
cat >job.sh <<'END'
line=$(printf '%s|' "$@")
printf '%s\n' "$line" >>args
echo "@metric m=1"
END

exits "a product" 0 add product phase=train lr='{{1,2}}' nh='{{50,100,200}}'
is "is exactly that, the last changing fastest" "$(points product lr nh)" "1 50,1 100,1 200,2 50,2 100,2 200,"
exits "the same once more" 0 add product phase=train lr='{{1,2}}' nh='{{50,100,200}}'
is "adds nothing" "$(count product)" 6
exits "some of the same" 0 add product phase=train lr='{{1}}' nh='{{200}}'
is "adds nothing" "$(count product)" 6
exits "more of it" 0 add product phase=train lr='{{1,2,3}}' nh='{{50,100,200}}'
is "adds what is new" "$(count product)" 9
exits "fewer parameters" 0 add product phase=train lr='{{1,2}}'
is "are other jobs" "$(count product)" 11
exits "more parameters" 0 add product phase=train lr=1 nh=50 wd=0
is "too" "$(count product)" 12
exits "repeated, because that is asked for" 0 add product --repeat phase=train lr=1 nh=50 wd=0
is "it is one more" "$(count product)" 13

exits "how many would it be?" 0 add dry --dry-run phase=train lr='{{1,2}}' nh='{{1,2,3}}' wd='{{linspace(0,1,5)}}'
like "thirty" "$(cat out)" "(^|[^0-9])30([^0-9]|$)"
ok "which are not there, nor is a database" test ! -e dry.db
exits "then for real" 0 add dry phase=train lr='{{1,2}}' nh='{{1,2,3}}' wd='{{linspace(0,1,5)}}'
is "they are" "$(count dry)" 30

exits "two braces in one argument" 0 add braces phase=train 'layers={{10,20}}x{{3,4}}'
is "are a product too" "$(points braces layers)" "10x3,10x4,20x3,20x4,"
exits "values with blanks, commas, quotes, braces and dollars" 0 add odd phase=train 'v={{a b, "c, d", e\,f, it'"'"'s, $HOME, "{{x}}"}}'
is "are what they are" "$(points odd v)" "a b,c, d,e,f,it's,\$HOME,{{x}},"
exits "and reach the job so" 0 timeout 30 "$rs" run odd.db --ranks 1 --progress none
is "as one argument each" "$(LC_ALL=C sort args)" "$(LC_ALL=C sort <<<'--v|a b|
--v|c, d|
--v|e,f|
--v|it'"'"'s|
--v|$HOME|
--v|{{x}}|')"

exits "lines and ranges" 0 add lines phase=train 'a={{linspace(0,1,3)}}' 'b={{range(1,7,3)}}'
is "have their points" "$(sql lines.db "select printf('%g %g', json_extract(params, '\$.a'), json_extract(params, '\$.b')) from trials order by trial" | tr '\n' ',')" "0 1,0 4,0.5 1,0.5 4,1 1,1 4,"
exits "a logarithmic line" 0 add logs phase=train 'a={{logspace(1e-4,1e-1,4)}}'
is "has its own" "$(sql logs.db "select printf('%g', json_extract(params, '\$.a')) from trials order by trial" | tr '\n' ',')" "0.0001,0.001,0.01,0.1,"
exits "random values" 0 add random -n 5 --seed 3 phase=train 'x={{uniform(0,1)}}' 'y={{1,2}}'
is "five for each" "$(count random)" 10
add again -n 5 --seed 3 phase=train 'x={{uniform(0,1)}}' 'y={{1,2}}' >/dev/null
is "follow from the seed" "$(points again x y)" "$(points random x y)"
add other -n 5 --seed 4 phase=train 'x={{uniform(0,1)}}' 'y={{1,2}}' >/dev/null
unlike "another seed, other values" "$(points other x y)" "^$(points random x y)$"
is "all between the bounds" "$(sql random.db "select count(*) from trials where json_extract(params, '\$.x') between 0 and 1")" 10

for bad in 'lr={{1,2' 'lr=1}}' 'lr={{1,{{2}}}}' 'lr={{}}' 'lr={{1,,2}}' 'lr={{linspace(0,1)}}' 'lr={{range(1,2,0)}}' 'lr={{"1,2}}' nolr; do
    exits "malformed: $bad" 64 add product phase=train nh='{{7,8}}' "$bad"
    like "it says where" "$(cat err)" "argument 3"
done
is "nothing of these is inserted" "$(count product)" 13

# A call that is killed
start add big phase=train 'x={{range(0,60000,1)}}'
ok "sixty thousand, while they are written" wait_for 20 test -e big.db
kill_tree KILL "$pid"
like "are all there, or none" "$(sql big.db "select count(*) from trials" 2>/dev/null)" "^(0|60000|)$"
exits "again" 0 add big phase=train 'x={{range(0,60000,1)}}'
is "they are" "$(count big)" 60000
done_testing
