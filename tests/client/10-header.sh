#!/usr/bin/env bash
# The header compiles without a warning wherever a trainer may be compiled, and so does what it is installed as.
# shellcheck disable=SC2317 # functions are called by name
. tests/lib/tap.sh

strict=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -O2)
here=$top/tests/client

# silent NAME COMMAND...: it succeeds and says nothing
silent() {
    local name=$1 said
    shift
    said=$("$@" 2>&1) && [ -z "$said" ]
    is "$name" "$?$said" 0
}

for compiler in gcc clang; do
    command -v $compiler >/dev/null || continue
    for std in c99 c11 gnu11 gnu17; do
        silent "$compiler -std=$std" $compiler -std=$std "${strict[@]}" -iquote "$top/include" -c -o x.o "$here/probe.c"
    done
done
for compiler in g++ clang++; do
    command -v $compiler >/dev/null || continue
    for std in c++11 c++20; do
        silent "$compiler -std=$std" $compiler -x c++ -std=$std "${strict[@]}" -iquote "$top/include" -c -o x.o "$here/probe.c"
    done
done

# A program that includes it without using it, and one that was late to ask for POSIX
echo '#include "ranksweep.h"
int main(void) { return 0; }' >unused.c
silent "unused" cc -std=c11 "${strict[@]}" -iquote "$top/include" -o unused unused.c
echo '#include <stdio.h>
#include "ranksweep.h"
int main(void) { return 0; }' >late.c
cc -std=c11 -iquote "$top/include" -o late late.c 2>err
like "after other headers with -std=c11: the error says what to do" "$(cat err)" "-D_POSIX_C_SOURCE=200809L"
silent "and that helps" cc -std=c11 -D_POSIX_C_SOURCE=200809L "${strict[@]}" -iquote "$top/include" -o late late.c
is "it brings no name that is not its own" "$(nm late unused | awk 'tolower($2) ~ /[tdbv]/ && $3 ~ /sweep/ { print $3 }' |
    grep -v '^ranksweep_')" ""

# Installed
install() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s -C "$top" BUILD="${BUILD:-build}" install PREFIX="$tmp/usr" >out 2>&1
}
ok "make install" install
echo '#include <ranksweep.h>
int main(void) { return ranksweep_metric("m", ranksweep_param_double("lr", 0.1)); }' >mine.c
silent "a program finds the header" cc "${strict[@]}" -I usr/include -o mine mine.c
is "and runs by hand" "$(./mine)" "@metric m=0.1"
import='import ranksweep; ranksweep.report(m=ranksweep.param("lr", 0.1))'
is "a script finds the module" "$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=usr/share/ranksweep python3 -c "$import")" "@metric m=0.1"
ok "the program is there" usr/bin/ranksweep version

# The README's programs
block() { # LANGUAGE PATTERN: the first block of the README in that language that has the pattern
    awk -v begin='```'"$1" -v pattern="$2" '
        $0 == begin { inside = 1; text = ""; next }
        /^```$/ { if (inside && text ~ pattern) { printf "%s", text; exit } inside = 0 }
        inside { text = text $0 "\n" }' "$top/README.md"
}
cat >stubs.h <<'END'
static int load(const char *dir) { return dir != 0; }
static int save(const char *dir, int epoch) { return dir != 0 && epoch > 0; }
static double train(double lr, int epoch) { return lr / (1 + epoch); }
END
block c ranksweep_init >readme.c
silent "the README's C program" cc "${strict[@]}" -I usr/include -include stubs.h -o readme readme.c
is "does what it says" "$(./readme | tail -n 1)" "@metric valid_error=0.005 step=20"
{
    echo 'load, save, train = (lambda d: 1), (lambda d, e: d is not None), (lambda lr: lr / 20)'
    block python ranksweep.param
} >readme.py
is "and its Python program" "$(PYTHONPATH=usr/share/ranksweep python3 -B readme.py | tail -n 1)" "@metric valid_error=0.005 step=20"
mkdir dir
RANKSWEEP_DIR=dir RANKSWEEP_DEADLINE=1 ./readme >out
is "which stop when it is time" "$? $(cat out)" "75 @metric valid_error=0.1 step=1"
RANKSWEEP_DIR=dir RANKSWEEP_DEADLINE=1 PYTHONPATH=usr/share/ranksweep python3 -B readme.py >out
is "both of them" "$? $(cat out)" "75 @metric valid_error=0.005 step=1"
done_testing
