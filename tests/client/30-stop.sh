#!/usr/bin/env bash
# When it is time to stop, in C, C++ and Python: TERM, the deadline, and whose TERM it is.
# Waits most of its time.
# shellcheck disable=SC2317 # functions are called by name
. tests/lib/tap.sh

here=$top/tests/client
cp "$top/include/ranksweep.py" "$here/probe.py" .
ok "the probe in C" cc -std=c11 -Os -iquote "$top/include" -o c "$here/probe.c" "$here/probe_other.c"
ok "in C++" c++ -x c++ -iquote "$top/include" -o c++ "$here/probe.c" "$here/probe_other.c"
for name in $(compgen -e RANKSWEEP_); do
    unset "$name"
done
now() { date +%s; }

for program in ./c ./c++ "python3 -B probe.py"; do
    is "${program##*/}: not yet" "$($program now)" 0
    is "${program##*/}: a deadline far away" "$(RANKSWEEP_DEADLINE=$(($(now) + 1000)) $program now)" 0
    is "${program##*/}: a deadline that is over" "$(RANKSWEEP_DEADLINE=$(($(now) - 1)) $program now)" 1
    is "${program##*/}: a short time is not over at once" "$(RANKSWEEP_DEADLINE=$(($(now) + 4)) $program now)" 0
    is "${program##*/}: a deadline that is none" "$(RANKSWEEP_DEADLINE=soon $program now)" 0

    rm -f said
    # shellcheck disable=SC2086 # a command and its argument
    start $program wait >said
    ok "${program##*/}: waits" wait_for 10 grep -q ready said
    kill -TERM "$pid"
    wait_exit 10 "$pid"
    is "${program##*/}: TERM: goes on to its own end, with status 75" "$?" 75
    is "${program##*/}: and knew why" "$(tail -n 1 said)" "stopping, says another file: 1"

    RANKSWEEP_DEADLINE=$(($(now) + 4)) $program wait >said
    is "${program##*/}: a deadline: status 75" "$?" 75
    is "${program##*/}: without TERM" "$(tail -n 1 said)" "stopping, says another file: 0"
    RANKSWEEP_DEADLINE=$(($(now) + 1000)) $program wait 1001 >said
    is "${program##*/}: a margin of its own" "$?$(tail -n 1 said)" "75stopping, says another file: 0"

    is "${program##*/}: a handler of before is called too" "$($program chain)" "1 1"
    is "${program##*/}: a forked process dies of TERM, unless it asks" "$($program children | tr '\n' ' ')" "signal 15 status 75 0 "
done
done_testing
