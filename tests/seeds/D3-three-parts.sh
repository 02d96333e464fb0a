#!/usr/bin/env bash
# D3. The line `sqlschedules p0={{}} -- p1={{}} -- p2=`: the first part says which jobs, the second makes groups of them, the
# third says what is new. That works when the literal line is accepted from a shell; when no matching job is an error; and
# when the groups can be seen before anything is done.
# shellcheck disable=SC1083,SC2016,SC2317 # braces, scripts in quotes, functions called by name
. tests/lib/tap.sh

echo 'echo "$RANKSWEEP_PHASE $*" >>ran; echo "@metric m=1"' >job.sh
schedule() { "$rs" schedule note.db "$@"; }
exits "four jobs to begin with" 0 schedule --command 'sh job.sh {p0} {p1}' phase=first p0='{{1,2}}' p1='{{a,b}}'
exits "and one without p0" 0 schedule --command 'sh job.sh {p1}' phase=alone p1=a

exits "what would the line do?" 0 schedule --explain --dry-run --command 'sh job.sh {p1} {p2|empty}' p0={{}} -- p1={{}} -- phase=second p2=
cp out explained
like "it makes one group of p1=a" "$(cat explained)" "p1=a"
like "and one of p1=b" "$(cat explained)" "p1=b"
is "nothing is done" "$(sql note.db "select count(*) from trials where phase='second'")" 0
exits "the line itself" 0 schedule --command 'sh job.sh {p1} {p2|empty}' p0={{}} -- p1={{}} -- phase=second p2=
is "makes a job for each group" "$(sql note.db "select json_extract(params, '$.p1') from trials where phase='second' order by 1" | tr '\n' ' ')" "a b "
is "which hangs on all jobs of it that have a p0" "$(sql note.db "select count(*) from edges e join units u on u.unit=e.child where phase='second' group by e.child" | tr '\n' ' ')" "2 2 "
exits "no such jobs" 64 schedule --command 'sh job.sh' p0=3 -- -- phase=third
exits "an unknown word" 64 schedule --command 'sh job.sh' nosuch=3 -- -- phase=third
exits "two parts are not three" 64 schedule --command 'sh job.sh' p0=1 -- phase=third
is "nothing comes of these" "$(sql note.db "select count(*) from trials where phase='third'")" 0
exits "all is run" 0 timeout 30 "$rs" run note.db --ranks 1 --progress none
is "the new ones after all others of theirs" "$(grep -n second ran | cut -d: -f2 | sort | tr '\n' ',')" "second a ,second b ,"
is "no job before what it hangs on" "$(sql note.db 'select count(*) from edges e join units p on p.unit=e.parent join units c on c.unit=e.child where c.started < p.finished')" 0
done_testing
