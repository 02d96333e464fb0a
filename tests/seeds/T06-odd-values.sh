#!/usr/bin/env bash
# Trap 6. Two braces in one argument broke the parser; blanks and commas broke values apart. Now every value arrives at the
# job byte by byte as it was written.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
printf '%s\n' "$1" >>got
echo "@metric m=1"
END
add() { "$rs" schedule odd.db --command 'sh job.sh {v}' phase="$1" "v=$2"; }
values=('a b' ' leading' 'comma, comma' "it's" 'say "hi"' '$HOME `id` $(id)' '*' 'back\slash' 'x=y=z' '-n' 'ünï' '{one}' 'semi;colon & pipe|' 'tab	tab' '#no comment' '%d%s')
i=0
for v in "${values[@]}"; do
    i=$((i + 1))
    exits "plain: $v" 0 add "plain$i" "$v"
    quoted=${v//\\/\\\\}
    exits "in braces: $v" 0 add "braced$i" "{{\"${quoted//\"/\\\"}\"}}"
done
exits "two braces in one argument, with text around" 0 add product 'in {{a b,"c,d"}} and {{1,2}} out'
exits "all is run" 0 timeout 60 "$rs" run odd.db --ranks 1 --progress none
{
    for v in "${values[@]}"; do printf '%s\n%s\n' "$v" "$v"; done
    printf 'in %s and %s out\n' 'a b' 1 'a b' 2 'c,d' 1 'c,d' 2
} | sort >wanted
is "every job got its value, byte by byte" "$(sort got | diff - wanted 2>&1)" ""
is "and a selector finds one" "$("$rs" list odd.db 'v=comma\, comma' --json | jq length)" 2

# Nothing of a value is ever code: not for a shell, not for SQL, not for the terminal
cat >evil.yaml <<'END'
study: evil
seed: 1
metric: m
goal: minimize
phases:
  a:
    command: sh job.sh {v}
    params:
      v: ["two\nlines", "'; drop table unit; --", "\"); delete from trial; --", "$(touch pwned)", "`touch pwned`", "; touch pwned", "\e[31mred"]
    search: grid
END
rm got
exits "values that would be code" 0 timeout 60 "$rs" run evil.yaml --ranks 1 --progress none
is "arrive byte by byte" "$(sort got)" "$(printf '%s\n' $'two\nlines' "'; drop table unit; --" '"); delete from trial; --' '$(touch pwned)' \
    '`touch pwned`' '; touch pwned' $'\e[31mred' | sort)"
for verb in "list evil.db" "results evil.db" "status evil.db" "show evil.db 1"; do
    # shellcheck disable=SC2086 # a verb and its words
    unlike "harm nothing that shows them: $verb" "$("$rs" $verb 2>&1)" $'\e'
done
for v in "'; drop table unit; --" '$(touch pwned)' '"); delete from trial; --'; do
    is "and one is a selector like any other: $v" "$("$rs" list evil.db "v=$v" --json | jq length)" 1
    exits "which a change takes" 0 "$rs" reset evil.db "v=$v"
done
is "all is where it was" "$(sql evil.db "select count(*) from units")" 7
not_ok "no value was run" test -e pwned
sed 's/two.nlines/a\\0b/' evil.yaml >nul.yaml
exits "a NUL, which no program could be given, is refused" 65 timeout 30 "$rs" run nul.yaml --ranks 1
like "by its place" "$(cat err)" "nul.yaml:9:[0-9]+: a text holds .0"
done_testing
