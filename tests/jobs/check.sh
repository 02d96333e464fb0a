# shellcheck shell=sh
# Sourced by the tests beside it: they run the trainers of jobs/bin from the top of the tree, print `ok` and
# `not ok` lines, and end with `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 1
unset RANKSWEEP_DIR RANKSWEEP_RESUME RANKSWEEP_SEED
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

# check NAME COMMAND...: the command succeeds
check() {
    check_name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        printf 'ok - %s\n' "$check_name"
    else
        failed=$((failed + 1))
        printf 'not ok - %s\n' "$check_name"
    fi
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

# exits STATUS COMMAND...: the command ends with this status; its output is in $tmp/out and $tmp/err
exits() {
    wanted=$1
    shift
    "$@" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq "$wanted" ]
}

# last NAME FILE: the last value of a metric
last() {
    sed -n "s/^@metric $1=\([^ ]*\) step=.*/\1/p" "$2" | tail -n 1
}

# true_of EXPRESSION: awk finds it true
true_of() {
    awk "BEGIN { exit !($1) }"
}
