#!/bin/sh
# mutants: are the property tests able to fail? Each patch in tests/prop/mutants plants one bug in src/core;
# the property tests must find it within SEEDS seeds. Run from the top of the tree; `mutants.sh NAME...` tries
# only those.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT INT TERM
SEEDS=${SEEDS:-300}
export SEEDS
unset SEED
passed=0
failed=0

result() { # ok|"not ok" NAME [WHY]
	echo "$1 - $2${3:+: $3}"
	if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

build() {
	make -s -C "$work/tree" BUILD=build CFLAGS="-O1 -g" build/tests/prop/prop_sched >"$work/log" 2>&1
}

try() {
	patch=$1
	name=$(basename "$patch" .patch)
	if ! patch -s -p1 -d "$work/tree" <"$patch" >"$work/log" 2>&1; then
		result "not ok" "$name" "the patch does not apply any more"
		restore
		return
	fi
	if ! build; then
		result "not ok" "$name" "does not build: $(grep -m1 error "$work/log")"
	elif timeout 120 "$work/tree/build/tests/prop/prop_sched" >"$work/log" 2>&1; then
		result "not ok" "$name" "survives $SEEDS seeds"
	else
		result ok "$name" "$(grep -m1 -o 'SEED=.*' "$work/log" || tail -n 1 "$work/log")"
	fi
	restore
}

# Only what the patch touched is built again.
restore() {
	for f in "$top"/src/core/*; do
		cmp -s "$f" "$work/tree/src/core/$(basename "$f")" || cp "$f" "$work/tree/src/core/"
	done
	rm -f "$work"/tree/src/core/*.orig "$work"/tree/src/core/*.rej
}

mkdir "$work/tree"
(cd "$top" && cp -r Makefile include scripts src tests "$work/tree/")
if ! build; then
	cat "$work/log"
	echo "1..0 # the tests do not build without any mutant"
	exit 1
fi
if [ $# -eq 0 ]; then
	set -- "$top"/tests/prop/mutants/*.patch
else
	for name; do
		set -- "$@" "$top/tests/prop/mutants/$name.patch"
		shift
	done
fi
for patch; do
	try "$patch"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
