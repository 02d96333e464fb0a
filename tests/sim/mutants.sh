#!/bin/sh
# mutants: are the histories of tests/sim able to fail? Each patch in tests/sim/mutants plants one bug; the
# simulation must find it within SEEDS histories. Run from the top of the tree after `make tests`; `mutants.sh
# NAME...` tries only those. It builds in a copy.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/mutants.sh
SEEDS=${SEEDS:-10000}
export SEEDS
unset SEED FIRST SOAK_SECONDS

build() {
	make -s BUILD=build build/tests/sim/test_sim
}

# One that takes for ever has found nothing.
finds() {
	timeout 300 build/tests/sim/test_sim
	status=$?
	[ $status -ne 0 ] && [ $status -ne 124 ]
}

said() {
	grep -a -m1 -o 'SEED=.*' "$work/log" || tail -n 1 "$work/log"
}

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # names without blanks
	set -- $(basename -s .patch tests/sim/mutants/*.patch)
fi
mutants_begin Makefile include scripts src tests build/src build/tests/sim build/.deps build/libcore.a build/libedge.a
mutants_try tests/sim/mutants "$@"
mutants_end
