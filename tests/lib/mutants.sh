# shellcheck shell=sh
# Sourced by the scripts that ask whether tests are able to fail. Each patch in a folder plants one bug in a copy
# of the tree; the test must find it.
#
#   build() { ... }           builds the copy, in its folder
#   finds() { ... }           runs the test for the bug called $1, in the copy; 0: the test fails
#   said() { ... }            what it had to say, in one line, from $work/log
#   mutants_begin PATH...     the copy is made of these parts of the tree; we are in it from here on
#   mutants_try FOLDER NAME...
#   mutants_end
#
# Prints `caught NAME: ...` or `MISSED NAME: why`, or other words in the place of these two.
good=caught
bad=MISSED
caught=0
missed=0

mutants_begin() {
	top=$(pwd)
	work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	mkdir "$work/tree"
	cp -a --parents "$@" "$work/tree" || exit 1
	cd "$work/tree" || exit 1
	if ! build >"$work/log" 2>&1; then
		cat "$work/log"
		echo "it does not build without any mutant"
		exit 1
	fi
}

is_caught() { # NAME
	echo "$good $1: $(said)"
	caught=$((caught + 1))
}

is_missed() { # NAME WHY
	echo "$bad $1: $2"
	missed=$((missed + 1))
}

# Only what the patch touched is built again, now and with the next one.
mutants_restore() { # PATCH
	sed -n 's|^+++ b/\([^	 ]*\).*|\1|p' "$1" | while read -r file; do
		rm -f "$file.rej"
		cp "$top/$file" "$file"
	done
}

mutants_one() { # PATCH NAME
	if ! patch -s -p1 --no-backup-if-mismatch <"$1" >"$work/log" 2>&1; then
		is_missed "$2" "the patch does not apply any more"
	elif ! build >"$work/log" 2>&1; then
		is_missed "$2" "does not build: $(grep -m1 error "$work/log")"
	elif finds "$2" >"$work/log" 2>&1; then
		is_caught "$2"
	else
		is_missed "$2" "no test fails"
	fi
	mutants_restore "$1"
}

mutants_try() { # FOLDER NAME...
	folder=$top/$1
	shift
	for name; do
		if [ -f "$folder/$name.patch" ]; then
			mutants_one "$folder/$name.patch" "$name"
		else
			is_missed "$name" "there is no patch"
		fi
	done
}

mutants_end() {
	echo "$caught caught, $missed missed"
	[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
}
