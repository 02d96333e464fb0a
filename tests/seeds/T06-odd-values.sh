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
done_testing
