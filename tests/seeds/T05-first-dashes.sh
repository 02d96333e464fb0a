#!/usr/bin/env bash
# Trap 5. The parser of options swallowed the first `--`, and with it the first part. Now the parts are told apart before
# options are looked at: these stand in front.
# shellcheck disable=SC1083,SC2016,SC2317 # braces, scripts in quotes, functions called by name
. tests/lib/tap.sh

exits "two jobs" 0 "$rs" schedule d.db --command true phase=a x='{{1,2}}'
edges() { sql d.db "select count(*) from edges join units on unit=child where phase='$1'"; }
exits "options before" 0 "$rs" schedule d.db --command true phase=a -- -- phase=b
is "three parts" "$(edges b)" 2
exits "the middle part filled" 0 "$rs" schedule d.db --command true phase=a -- x={{}} -- phase=c
is "three parts" "$(sql d.db "select count(*) from trials where phase='c'")|$(edges c)" "2|2"
exits "options in front of the database too" 0 "$rs" schedule --command true --dry-run d.db phase=a -- -- phase=e
is "are options" "$(sql d.db "select count(*) from trials where phase='e'")" 0
exits "dashes as the value of one" 0 "$rs" schedule d.db --command -- phase=a -- -- phase=g
is "are its value: the parts begin after it" "$(edges g) $("$rs" list d.db phase=g --json | jq length)" "2 1"
exits "an option in the first part" 64 "$rs" schedule d.db --command true phase=a --dry-run -- -- phase=e
exits "an option right before the dashes" 64 "$rs" schedule d.db --command true --dry-run -- -- phase=e
like "swallows none of them" "$(cat err)" "nothing before the first"
exits "nothing in front of the first" 64 "$rs" schedule d.db --command true -- -- phase=e
exits "one of them only" 64 "$rs" schedule d.db --command true phase=a -- phase=e
exits "three of them" 64 "$rs" schedule d.db --command true phase=a -- -- phase=e -- x=1
is "nothing came of these" "$(sql d.db "select count(*) from trials where phase='e'")" 0
exits "a value of dashes is a value" 0 "$rs" schedule d.db --command 'true {x}' phase=f x=--
is "as it is" "$(sql d.db "select json_extract(params, '$.x') from trials where phase='f'")" "--"
done_testing
