#!/usr/bin/env bash
# D6. The last part says which jobs are made for each group. That works when they take over their parents' parameters
# unless they say otherwise; when their own braces are a product; when repeating the call makes nothing new; and when
# parents that came later get the jobs that are missing, and no others.
# shellcheck disable=SC1083,SC2016,SC2317 # braces, scripts in quotes, functions called by name
. tests/lib/tap.sh

echo 'echo "$RANKSWEEP_PHASE $*" >>ran; echo "@metric m=1"' >job.sh
schedule() { "$rs" schedule new.db "$@"; }
force=
jobs_of() { sql new.db "select count(*) from trials where phase='$1'"; }
pre() { schedule --command 'sh job.sh {width} {act}' phase=pre width="{{$1}}" act='{{tanh,relu}}'; }
fine() { schedule --command 'sh job.sh {width} {act} {lr} {wd}' phase=pre -- trial={{}} -- phase=fine act=relu lr='{{1,2}}' wd='{{3,4}}'; }
whole() { schedule ${force:+"$force"} --command 'sh job.sh {width}' phase=pre -- width={{}} -- phase=whole; }
exits "four parents" 0 pre 10,20
exits "for each a product of two by two" 0 fine
is "sixteen" "$(jobs_of fine)" 16
is "with their parent's width, and their own act" "$(sql new.db "select json_extract(params, '$.width'), json_extract(params, '$.act'), count(*) from trials where phase='fine' group by 1, 2" | tr '\n' ' ')" "10|relu|8 20|relu|8 "
exits "again" 0 fine
is "nothing new" "$(jobs_of fine)" 16
exits "one for each width" 0 whole
is "two" "$(jobs_of whole)" 2
exits "they run" 0 timeout 60 "$rs" run new.db --ranks 1 --progress none
is "told what they took over" "$(grep '^fine' ran | sort -u | head -n 2 | tr '\n' ',')$(grep -c '^fine' ran)" "fine 10 relu 1 3,fine 10 relu 1 4,16"
: >ran

exits "two more parents" 0 pre 10,20,30
is "are the only new ones" "$(jobs_of pre)" 6
exits "the same call as before" 0 fine
is "makes what is missing" "$(jobs_of fine)" 24
exits "for groups too" 0 whole
is "one more" "$(jobs_of whole)" 3
exits "they run" 0 timeout 60 "$rs" run new.db --ranks 1 --progress none
is "they alone" "$(cut -d' ' -f1,2 ran | sort | uniq -c | tr -s ' ' | tr '\n' ',')" " 8 fine 30, 2 pre 30, 1 whole 30,"

# A group that has grown
exits "another parent of width 10" 0 schedule --command 'sh job.sh {width} {act}' phase=pre width=10 act=sigmoid
whole >out 2>err
like "its job has run already: that is said, with what to do" "$(cat out err)" "--force"
is "and nothing is done" "$(sql new.db "select count(*) from edges join units on unit=child where phase='whole'")" 6
force=--force
exits "unless it is asked for" 0 whole
is "then it hangs on that one too" "$(sql new.db "select count(*) from edges join units on unit=child where phase='whole'")" 7
done_testing
