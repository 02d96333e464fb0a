#!/bin/sh
# mutants: are the acceptance tests able to fail? Each row has one deliberate bug, tests/seeds/mutants/ID.patch, that
# one of its tests must find; where it has several, NAME.patch is for tests/seeds/NAME.sh alone. Run from the top of
# the tree after `make`; `mutants.sh ID...` tries only those. It builds in a copy.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/mutants.sh

build() {
	make -s BUILD=build all
}

files() {
	find tests/seeds -name "$1.sh" -o -name "$1-*.sh"
}

finds() {
	# shellcheck disable=SC2046 # names without blanks
	! BUILD=build timeout 120 tests/run $(files "$1" | sed 's|.*/|seeds/|; s|\.sh$||')
}

said() {
	grep -m1 -o 'not ok.*' "$work/log" || grep -m1 FAILED "$work/log"
}

if [ $# -eq 0 ]; then
	# shellcheck disable=SC2046 # names without blanks
	set -- $({
		basename -a tests/seeds/*-*.sh | cut -d- -f1
		basename -s .patch tests/seeds/mutants/*-*.patch
	} | sort -u)
fi
mutants_begin Makefile include jobs scripts src tests build/src build/jobs build/.deps build/libcore.a build/libedge.a \
	build/ranksweep
# A test that fails anyway catches nothing.
for id; do
	shift
	if finds "$id" >"$work/log" 2>&1; then
		is_missed "$id" "fails without it too: $(said)"
	else
		set -- "$@" "$id"
	fi
done
mutants_try tests/seeds/mutants "$@"
mutants_end
