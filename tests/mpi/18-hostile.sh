#!/usr/bin/env bash
# Trainers that do what no trainer should: crowds of children that hear nothing, comets, thousands of names, full disks,
# and an end for their keepers. The study goes on beside them, and nothing of them is left.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh
hostile=hs.$$ # by its name it is told from all others on this machine
cc -O1 -o "$hostile" "$top/tests/mpi/hostile.c" || exit 1
children=${HOSTILE_CHILDREN:-2000} # 10,000 work too, where nobody else needs the machine

cat >s.yaml <<END
study: hostile
seed: 1
metric: m
goal: minimize
defaults: {grace: 200ms}
phases:
  crowd: {command: ./$hostile crowd $children}
  crowd_stays: {command: ./$hostile crowd-stays $children, timeout: 4s}
  comets: {command: ./$hostile comets 20}
  names: {command: ./$hostile names 10000}
  elsewhere: {command: ./$hostile elsewhere, timeout: 2s}
  good:
    command: ./$hostile
    params: {x: "range(1, 101, 1)"}
    search: grid
END
left() { pgrep -x "$hostile"; }
none_left() { [ -z "$(left)" ]; }
exits "the study goes to its end" 1 timeout 120 "$rs" run s.yaml --ranks 4 --progress none
phase() { sql hostile.db "select state, reason, value from units where phase = '$1'"; }
is "a crowd left behind" "$(phase crowd)" "done||1.0"
is "a crowd whose leader stays" "$(phase crowd_stays)" "failed|timeout|"
is "comets" "$(phase comets)" "done||1.0"
is "thousands of names, and lines that only look like metrics" "$(phase names)" "done||1.0"
is "all names are kept" "$(sql hostile.db "select count(distinct name) from metrics where name like 'name%'")" 10000
is "and no other" "$(sql hostile.db "select distinct name from metrics where name not like 'name%'")" m
not_ok "no line was run" test -e pwned
is "a trainer that has gone elsewhere" "$(phase elsewhere)" "done||1.0"
is "all others are done" "$(sql hostile.db "select state, count(*) from units where phase = 'good' group by 1")" "done|100"
ok "nothing of them is left" none_left
is "no worker was lost" "$(sql hostile.db "select lost from runs")" 0

# Its own disk, then that of the study
if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=4m none small 2>/dev/null; then
    cat >fill.yaml <<END
study: fill
seed: 1
metric: m
goal: minimize
phases:
  bad: {command: ./$hostile fill small}
  good:
    command: ./$hostile
    params: {x: "range(1, 101, 1)"}
    search: grid
END
    exits "a trainer fills a disk" 1 timeout 60 "$rs" run fill.yaml --ranks 3 --progress none
    is "that is its own failure" "$(sql fill.db "select state, reason from units where phase = 'bad'")" "failed|exit"
    is "all others are done" "$(sql fill.db "select state, count(*) from units where phase = 'good' group by 1")" "done|100"
    rm small/fill
    exits "a trainer fills the disk of the study: the run stops" 74 timeout 60 "$rs" run fill.yaml --db small/fill.db --ranks 3 --progress none
    like "which is said" "$(cat err)" "disk full"
    rm small/fill && mkdir small/fill # so it can't again
    exits "with room again the same command goes on" 1 timeout 60 "$rs" run fill.yaml --db small/fill.db --ranks 3 --progress none
    is "to its end" "$(sql small/fill.db "select count(*) from units where phase = 'good' and state = 'done'")" 100
    is "the database is sound" "$(sql small/fill.db 'pragma integrity_check')" ok
    umount small
else
    skip "full disks" "needs root and tmpfs"
fi

# It kills its keeper, each time: the rank goes with it. After lost_limit it gets no further one.
cat >poison.yaml <<END
study: poison
seed: 1
metric: m
goal: minimize
defaults: {lost_limit: 2}
phases:
  good:
    command: ./$hostile
    params: {x: "range(1, 101, 1)"}
    search: grid
  bad: {after: {good: best}, command: ./$hostile kill-parent}
END
exits "a trainer that kills its keeper takes its rank along" 1 timeout 60 "$rs" run poison.yaml --ranks 5 --progress none
is "but not for ever" "$(sql poison.db "select state, reason, attempts from units where phase = 'bad'")" "failed|lost|3"
is "all others are done" "$(sql poison.db "select state, count(*) from units where phase = 'good' group by 1")" "done|100"
ok "nothing of it is left" none_left

# It stops its keeper
sed "s/after.*kill-parent/command: .\/$hostile stop-parent, timeout: 1s, grace: 200ms/; s/study: poison/study: stopped/" poison.yaml >stopped.yaml
exits "a trainer that stops its keeper does not hold up the study" 1 timeout 60 "$rs" run stopped.yaml --ranks 3 --lost-after 2s --progress none
is "it runs out of time" "$(sql stopped.db "select state, reason from units where phase = 'bad'")" "failed|timeout"
is "all others are done" "$(sql stopped.db "select state, count(*) from units where phase = 'good' group by 1")" "done|100"
ok "nothing of it is left" none_left
done_testing
