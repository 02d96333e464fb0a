#!/usr/bin/env bash
# D5. The middle part makes groups of the chosen jobs. That works when P parents, G groups and J new jobs give G x J jobs
# with the right edges, in both ways of reading it: values that the parents have make groups of those that agree; new
# values make a group for each parent and value. An empty part is one group of all.
# shellcheck disable=SC1083,SC2016,SC2317 # braces, scripts in quotes, functions called by name
. tests/lib/tap.sh

echo 'echo "@metric m=1"' >job.sh
schedule() { "$rs" schedule groups.db --command 'sh job.sh' "$@"; }
exits "six parents" 0 schedule phase=pre width='{{10,20,30}}' act='{{tanh,relu}}'
shape() { # PHASE: jobs, parents of each, how many different sets of parents
    sql groups.db "select count(*), min(n), max(n), count(distinct parents) from (select child, count(*) n, group_concat(parent) parents from (select * from edges order by 1, 2) join units on unit=child where phase='$1' group by child)"
}
values() { sql groups.db "select group_concat(v, ' ') from (select json_extract(params, '$.$2') || '.' || count(*) v from trials where phase='$1' group by json_extract(params, '$.$2') order by 1)"; }
exits "groups of those with the same width" 0 schedule phase=pre -- width={{}} -- phase=by_width lr='{{1,2}}'
is "three groups of two parents, two jobs each" "$(shape by_width)" "6|2|2|3"
is "each with its group's width" "$(values by_width width)" "10.2 20.2 30.2"
exits "groups of two values" 0 schedule phase=pre -- width={{}} act={{}} -- phase=by_both lr='{{1,2,3}}'
is "six groups of one parent, three jobs each" "$(shape by_both)" "18|1|1|6"
exits "new values: for each parent and value" 0 schedule phase=pre -- drop='{{0,0.5}}' -- phase=with_new lr='{{1,2}}'
is "six by two groups of one parent, two jobs each" "$(shape with_new)" "24|1|1|6"
is "with the new values" "$(values with_new drop)" "0.12 0.5.12"
exits "both at once" 0 schedule phase=pre -- act={{}} drop='{{0,1}}' -- phase=mixed
is "two by two groups" "$(shape mixed)" "4|3|3|2"
exits "an empty part: a barrier" 0 schedule phase=pre -- -- phase=barrier lr='{{1,2,3,4}}'
is "one group of all six, four jobs" "$(shape barrier)" "4|6|6|1"
exits "each by itself" 0 schedule phase=pre act=relu -- trial={{}} -- phase=each
is "three of one parent each" "$(shape each)" "3|1|1|3"
exits "no group at all is an error" 64 schedule phase=pre -- nosuch={{}} -- phase=never
is "and makes nothing" "$(sql groups.db "select count(*) from trials where phase='never'")" 0
done_testing
