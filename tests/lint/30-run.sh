#!/usr/bin/env bash
# The closing line of tests/run can be believed: whatever way a test fails, it is counted.
. tests/lib/tap.sh

# tests NAME TEXT [NAME TEXT]...: a tree with these shell tests, run; its output in $out, its status in $status
tests() {
    rm -rf tree
    mkdir -p tree/tests/{unit,mpi,lib}
    cp "$top/tests/lib/tap.sh" tree/tests/lib/
    while [ $# -gt 0 ]; do
        printf '%b\n' "$2" >"tree/tests/$1.sh"
        shift 2
    done
    out=$(cd tree && BUILD=build TEST_TIMEOUT=${limit:-60} "$top/tests/run" "${kinds[@]}" 2>&1)
    status=$?
    last=$(tail -n 1 <<<"$out")
}
kinds=()

tests unit/01-a 'echo ok 1 - x; echo "ok 2 - y # SKIP no need"; echo 1..2' mpi/01-b 'echo ok 1'
is "passes are counted" "$last" "2 passed, 0 failed, 1 skipped"
is "and the status is 0" "$status" 0
tests unit/01-a 'echo ok 1; echo not ok 2 - the reason; exit 1' mpi/01-b 'echo ok 1'
is "a failure is counted once, the rest goes on" "$last" "2 passed, 1 failed"
is "and the status is 1" "$status" 1
like "and shown" "$out" "not ok 2 - the reason"
tests unit/01-a 'echo ok 1; echo "not ok 2 # SKIP test_x"'
is "a skipped test of cmocka is no failure" "$last" "1 passed, 0 failed, 1 skipped"
tests unit/01-a 'echo 1..4; echo ok 1; echo "[       OK ] a"; echo "[  SKIPPED ] b"; echo "[  FAILED  ] c"
    echo "[==========] 4 test(s) run."; echo "[  FAILED  ] c"; exit 1'
is "cmocka's own words are understood" "$last" "2 passed, 1 failed, 1 skipped"
tests unit/01-a 'echo ok 1; kill -SEGV $$'
is "a crash is a failure" "$last" "1 passed, 1 failed"
like "with its signal" "$out" "signal 11"
tests unit/01-a 'echo ok 1; exit 3'
is "a status without a reason is a failure" "$last" "1 passed, 1 failed"
tests unit/01-a 'echo 1..3; echo ok 1; echo ok 2'
is "a short plan is a failure" "$last" "2 passed, 1 failed"
tests unit/01-a 'exit 0'
is "a test that runs nothing is a failure" "$last" "0 passed, 1 failed"
limit=1 tests unit/01-a 'echo ok 1; exec tail -f /dev/null'
is "a test that hangs is a failure" "$last" "1 passed, 1 failed"
mkdir -p tree/tests/unit
tests unit/01-a 'echo ok 1'
touch tree/tests/unit/test_gone.c
out=$(cd tree && BUILD=build "$top/tests/run" 2>&1)
is "a program that was not built is a failure" "$(tail -n 1 <<<"$out")" "1 passed, 1 failed"

tests unit/01-a 'echo ok 1' mpi/01-b '# Waits most of its time.\necho ok 1; echo not ok 2 - beside; exit 1'
is "what runs beside the others is counted" "$last" "2 passed, 1 failed"
like "and shown" "$out" "not ok 2 - beside"
tests mpi/01-a 'until [ -e ../here ]; do :; done; rm ../here; echo ok 1' \
    mpi/02-b '# Waits most of its time.\ntouch ../here; while [ -e ../here ]; do :; done; echo ok 1'
is "it does run beside them" "$last" "2 passed, 0 failed"

kinds=(unit/02-b)
tests unit/01-a 'echo ok 1' unit/02-b 'echo ok 1' mpi/01-c 'echo ok 1'
is "one test can be chosen" "$last" "1 passed, 0 failed"
kinds=(units)
tests unit/01-a 'echo ok 1'
is "an unknown kind is refused" "$status" 64
kinds=()
tests
is "no test at all is a failure" "$status" 1

# The library of the shell tests itself.
lib='. tests/lib/tap.sh\n'
tests unit/01-a "${lib}is a 1 1; is b 1 2; like c xyz y; not_ok d false; ok e false; exits f 3 sh -c 'exit 3'\ndone_testing"
is "tap.sh tells passes from failures" "$last" "4 passed, 2 failed"
tests unit/01-a "${lib}is a 1 1; exit 0"
is "a test that stops early has failed" "$last" "1 passed, 1 failed"
tests unit/01-a "${lib}start sh -c 'sleep 1000 & echo \$! >pid; wait'; wait_for 10 test -s pid; \n
    echo \$tmp >$tmp/folder; cp pid $tmp/pid; is a 1 1; done_testing"
is "what a test starts" "$last" "1 passed, 0 failed"
ok "ends with it" gone "$(cat pid)"
not_ok "and so does its folder" test -e "$(cat folder)"
tests unit/01-a "${lib}start sh -c 'exit 7'; wait_exit 10 \$pid; is a \$? 7; wait_for 0 false; is b \$? 1; done_testing"
is "waiting is for an event, and bounded" "$last" "2 passed, 0 failed"
done_testing
