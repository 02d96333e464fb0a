#!/usr/bin/env bash
# Trap 12. The runner ended with 0 whatever had happened. Now its own status tells, through the launcher, through mpirun
# and alone: done, units failed, wrong command, wrong study, no storage, stopped.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >good.yaml <<'END'
study: good
metric: none
phases: {a: {command: 'true', params: {x: [1, 2, 3]}, search: grid}}
END
sed "s/study: good/study: bad/; s/'true'/'test {x} = 2'/" good.yaml >bad.yaml
sed "s/study: good/study: slow/; s/'true'/sleep 60/" good.yaml >slow.yaml
sed 's/command:/comand:/' good.yaml >wrong.yaml
for how in "--ranks 1" "--ranks 2"; do
    # shellcheck disable=SC2086 # two words
    {
        exits "$how: all done" 0 timeout 30 "$rs" run good.yaml $how --progress none
        exits "$how: nothing to do is done too" 0 timeout 30 "$rs" run good.yaml $how --progress none
        exits "$how: some failed" 1 timeout 30 "$rs" run bad.yaml $how --progress none
        exits "$how: they still are" 1 timeout 30 "$rs" run bad.yaml $how --progress none
        exits "$how: a wrong study" 65 timeout 30 "$rs" run wrong.yaml $how
        exits "$how: no such file" 74 timeout 30 "$rs" run nosuch.yaml $how
        exits "$how: a wrong command line" 64 timeout 30 "$rs" run good.yaml $how --nonsense
        exits "$how: a time limit" 75 timeout 30 "$rs" run slow.yaml $how --progress none --time-limit 1s
    }
    rm -f good.db bad.db slow.db
done
exits "under mpirun: all done" 0 timeout 30 mpirun -n 2 "$rs" run good.yaml --progress none
not_ok "under mpirun: some failed" timeout 30 mpirun -n 2 "$rs" run bad.yaml --progress none
mkdir -p only.db/x
exits "no database where a folder is" 74 timeout 30 "$rs" run good.yaml --ranks 1 --db only.db
mkdir path && ln -s "$(command -v sh)" path/sh
exits "no mpirun: said, and no success" 64 env PATH="$PWD/path" "$rs" run good.yaml --db m.db --ranks 2
done_testing
