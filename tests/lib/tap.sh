# shellcheck shell=bash
# Sourced by the shell tests, from the top of the tree:
#
#   . tests/lib/tap.sh
#   mpi 3 run "$top/tests/mpi/two.yaml" >out
#   is "both phases ran" "$(sql two.db 'select count(*) from units where state = "done"')" 8
#   done_testing
#
# The test then is in a folder of its own ($tmp), removed at its end with all processes that `start` began. $top
# is the top of the tree, $rs the program. A test that ends without done_testing has failed.

top=$PWD
build=${BUILD:-build}
[[ $build == /* ]] || build=$top/$build
rs=$build/ranksweep

# Open MPI: as root (containers), with more ranks than cores, without binding, on the loopback interface only.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_oob_tcp_if_include=lo OMPI_MCA_btl_tcp_if_include=lo
export OMPI_MCA_btl_vader_single_copy_mechanism=none
# A PMIx socket has its path below TMPDIR, and a socket's path is at most 107 bytes.
[ "${#TMPDIR}" -lt 40 ] || export TMPDIR=/tmp

tests_run=0 tests_failed=0 tests_done=
started=()
tmp=$(mktemp -d "${TMPDIR:-/tmp}/rs-test.XXXXXX") || exit 1
trap tap_finish EXIT
trap 'exit 143' TERM INT HUP
cd "$tmp" || exit 1

tap_finish() {
    local status=$? pid
    for pid in "${started[@]}"; do
        kill_tree KILL "$pid"
    done
    cd / && rm -rf "$tmp"
    if [ -z "$tests_done" ]; then
        echo "not ok $((tests_run + 1)) - reached its end (it stopped with status $status)"
        exit 1
    fi
    exit "$((tests_failed > 0))"
}

# ---- verdicts ------------------------------------------------------------------------------
pass() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run - $1"
}

# fail NAME [DETAIL]...
fail() {
    tests_run=$((tests_run + 1))
    tests_failed=$((tests_failed + 1))
    echo "not ok $tests_run - $1"
    shift
    [ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/#   /'
    return 1
}

# ok NAME COMMAND...: the command succeeds
ok() {
    local name=$1
    shift
    if "$@" >"$tmp/.ok" 2>&1; then
        pass "$name"
    else
        fail "$name" "status $? of: $*" "$(tail -n 20 "$tmp/.ok")"
    fi
}

# not_ok NAME COMMAND...: the command fails (by its status, not by a signal)
not_ok() {
    local name=$1 status
    shift
    "$@" >"$tmp/.ok" 2>&1
    status=$?
    if [ "$status" -gt 0 ] && [ "$status" -lt 126 ]; then
        pass "$name"
    else
        fail "$name" "status $status of: $*" "$(tail -n 20 "$tmp/.ok")"
    fi
}

# exits NAME STATUS COMMAND...: its output is in $tmp/out and $tmp/err afterwards
exits() {
    local name=$1 wanted=$2 status
    shift 2
    "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
    if [ "$status" -eq "$wanted" ]; then
        pass "$name"
    else
        fail "$name" "status $status, not $wanted, of: $*" "$(tail -n 20 "$tmp/out")" "$(tail -n 20 "$tmp/err")"
    fi
}

# is NAME GOT WANTED
is() {
    if [ "$2" = "$3" ]; then
        pass "$1"
    else
        fail "$1" "got:    $2" "wanted: $3"
    fi
}

# like NAME GOT REGEX (extended, as in bash)
like() {
    if [[ $2 =~ $3 ]]; then
        pass "$1"
    else
        fail "$1" "got:            $2" "wanted to match $3"
    fi
}

unlike() {
    if [[ ! $2 =~ $3 ]]; then
        pass "$1"
    else
        fail "$1" "got:                $2" "wanted not to match $3"
    fi
}

# skip NAME REASON
skip() {
    tests_run=$((tests_run + 1))
    echo "ok $tests_run - $1 # SKIP $2"
}

skip_all() {
    echo "1..0 # SKIP $1"
    tests_done=1
    exit 0
}

done_testing() {
    echo "1..$tests_run"
    tests_done=1
    exit
}

# ---- programs ------------------------------------------------------------------------------
# mpi N ARGUMENT...: ranksweep on N ranks; further flags of mpirun in the array mpi_flags
mpi_flags=()
mpi() {
    local n=$1
    shift
    mpirun -n "$n" "${mpi_flags[@]}" "$rs" "$@"
}

# sql DB QUERY
sql() {
    sqlite3 -batch -cmd '.timeout 5000' "$1" "$2"
}

# trials DB [OPTION]...: the rows of `results`, as an array
trials() {
    "$rs" results "$@" --json | jq -c 'if type == "object" then .trials else . end'
}

# outcome DB: what the study has come to, without what differs from run to run
outcome() {
    sql "$1" "select phase, outer_fold, state, value, folds_done, params from trials order by 1, 6, 4"
    sql "$1" "select p.phase, p.value, p.for_phase, t.params from picks p join trials t using (trial) order by 1, 2, 4"
}

# start COMMAND...: in the background; $pid is its process. `start mpi 3 run x.yaml` works too: then $pid is the
# shell that waits for mpirun, and kill_tree reaches everything below.
start() {
    "$@" &
    pid=$!
    started+=("$pid")
}

# here PATTERN: the processes of this test (they run in its folder) whose command line has the pattern
here() {
    local p
    for p in $(pgrep -f -- "$1"); do
        [ "$(readlink "/proc/$p/cwd")" = "$PWD" ] && echo "$p"
    done
    return 0
}

# rank_pid N: the process that is rank N of this test's run
rank_pid() {
    local p
    for p in $(here "$rs run"); do
        tr '\0' '\n' <"/proc/$p/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$1" && echo "$p"
    done 2>/dev/null | head -n 1
}

none_here() {
    [ -z "$(here "$1")" ]
}

some_here() {
    ! none_here "$1"
}

# ---- waiting: always for an event, never for a time ------------------------------------------
# wait_for SECONDS COMMAND...: until the command succeeds; fails when it has not after so many seconds
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -le "$deadline" ] || {
            echo "# waited in vain for: $*"
            return 1
        }
        sleep 0.02
    done
}

# wait_sql SECONDS DB QUERY WANTED: until the query gives this text
wait_sql() {
    wait_for "$1" sql_is "$2" "$3" "$4"
}

sql_is() {
    [ "$(sql "$1" "$2")" = "$3" ]
}

gone() {
    ! kill -0 "$1" || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]
}

# wait_exit SECONDS PID: until a started process ends; returns its status, or 124 when it goes on
wait_exit() {
    wait_for "$1" gone "$2" || return 124
    wait "$2"
}

# ---- killing: only what this test has started, with everything below it ----------------------
# descendants PID: it and all below, parents first
descendants() {
    local child
    echo "$1"
    for child in $(ps -o pid= --ppid "$1"); do
        descendants "$child"
    done
}

# kill_tree SIGNAL PID: stopped first, so that nothing new is born while the list is made; children before their
# parents, without whom the system would wake what is stopped with a SIGHUP
kill_tree() {
    local pids
    kill -0 "$2" 2>/dev/null || return 0
    pids=$(descendants "$2")
    # shellcheck disable=SC2086 # a list of numbers
    kill -s STOP $pids 2>/dev/null
    pids=$(descendants "$2" | tac)
    # shellcheck disable=SC2086
    kill -s "$1" $pids 2>/dev/null
    # shellcheck disable=SC2086
    kill -s CONT $pids 2>/dev/null
    return 0
}
