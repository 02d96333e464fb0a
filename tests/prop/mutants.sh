#!/bin/sh
# mutants: are the property tests able to fail? Each patch in tests/prop/mutants plants one bug in src/core;
# the property tests must find it within SEEDS seeds. Run from the top of the tree; `mutants.sh NAME...` tries
# only those.
set -u
cd "$(dirname "$0")/../.." || exit 1
case ${BUILD:-build} in
build | */build) ;;
*)
	echo "1..0 # SKIP mutants are built in one way only, whatever the variant"
	exit 0
	;;
esac
. tests/lib/mutants.sh
SEEDS=${SEEDS:-300}
export SEEDS
unset SEED
good="ok -" # it is a test itself
bad="not ok -"

build() {
	make -s BUILD=build CFLAGS="-O1 -g" build/tests/prop/prop_sched
}

finds() {
	! timeout 120 build/tests/prop/prop_sched
}

said() {
	grep -m1 -o 'SEED=.*' "$work/log" || tail -n 1 "$work/log"
}

every_other() { # FROM
	basename -s .patch tests/prop/mutants/*.patch | awk -v from="$1" 'NR % 2 == from'
}

# Two at a time: most of it is compiling.
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # names without blanks
	sh tests/prop/mutants.sh $(every_other 0) &
	# shellcheck disable=SC2046
	sh tests/prop/mutants.sh $(every_other 1)
	status=$?
	wait $! || status=1
	exit $status
fi
mutants_begin Makefile include scripts src tests
mutants_try tests/prop/mutants "$@"
mutants_end
