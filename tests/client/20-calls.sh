#!/usr/bin/env bash
# Every call gives the same in C, in C++, in a program of both, and in Python.
# shellcheck disable=SC2086,SC2317 # a command with its arguments; functions are called by name
. tests/lib/tap.sh

here=$top/tests/client
checked=("-fsanitize=address,undefined" -fno-sanitize-recover=all -g -iquote "$top/include")
cp "$top/include/ranksweep.py" "$here/probe.py" .
ok "the probe in C" cc -std=c99 "${checked[@]}" -o c "$here/probe.c" "$here/probe_other.c"
ok "in C++" c++ -x c++ -std=c++11 -O2 -iquote "$top/include" -o c++ "$here/probe.c" "$here/probe_other.c"
ok "half of it" cc -std=c11 -O2 -iquote "$top/include" -c -o half.o "$here/probe.c"
ok "and the other half" c++ -x c++ -O2 -iquote "$top/include" -c -o other.o "$here/probe_other.c"
ok "in both" c++ -o both half.o other.o
ok "with -ffast-math" cc -O3 -ffast-math -iquote "$top/include" -o fast "$here/probe.c" "$here/probe_other.c"
python="$(python3 -c 'import sys; print(sys.executable)') -BS"
all=(./c ./c++ "$python probe.py")

# Nothing of ours around, and leaks are looked for
for name in $(compgen -e RANKSWEEP_); do
    unset "$name"
done
unset ASAN_OPTIONS

# with VARIABLE=VALUE... -- ARGUMENT...: for each program in $programs, its output (newlines as \n), status and
# number of lines on stderr; one line when all say the same
programs=("${all[@]}")
with() {
    local set=() program said answers=$'\n' err
    while [ "$1" != -- ]; do
        set+=("$1")
        shift
    done
    shift
    for program in "${programs[@]}"; do
        said=$(env "${set[@]}" $program "$@" 2>err)
        said="${said//$'\n'/\\n}|$?"
        mapfile -t err <err
        said="$said|${#err[@]}"$'\n'
        [[ $answers == *$'\n'"$said"* ]] || answers+=$said
    done
    printf %s "${answers:1}"
}
p() { # JSON COMMAND NAME DEFAULT
    with RANKSWEEP_PARAMS="$1" -- "${@:2}"
}

# ---- parameters ----
is "no parameters: the program's own" "$(with -- text lr none; with -- real lr 0.25; with -- int n 7)" "none|0|0
@metric v=0.25|0|0
7|0|0"
all_kinds='{"lr": 0.001, "n": -3, "act": "tanh", "pretrain.lr": 1e-05, "on": true, "big": 12345678901234, "none": null, "e": 1e3}'
is "a real" "$(p "$all_kinds" real lr 0)" "@metric v=0.001|0|0"
is "a whole number" "$(p "$all_kinds" int n 0)" "-3|0|0"
is "a large one" "$(p "$all_kinds" int big 0)" "12345678901234|0|0"
is "one written with an exponent" "$(p "$all_kinds" int e 0)" "1000|0|0"
is "a text" "$(p "$all_kinds" text act x)" "tanh|0|0"
is "that of an earlier phase" "$(p "$all_kinds" real pretrain.lr 0)" "@metric v=1e-05|0|0"
is "a number as text" "$(p "$all_kinds" text pretrain.lr x)" "1e-05|0|0"
is "a whole number as a real" "$(p "$all_kinds" real n 0)" "@metric v=-3|0|0"
is "a truth as text" "$(p "$all_kinds" text on x)" "true|0|0"
is "null is none" "$(p "$all_kinds" text none x)" "x|0|0"
is "another name is none" "$(p "$all_kinds" real l 0.5)" "@metric v=0.5|0|0"
is "of two with a name the later" "$(p '{"a": 1, "a": 2}' int a 0)" "2|0|0"
is "a number in a text" "$(p '{"a": "0.5"}' real a 0)" "@metric v=0.5|0|0"
is "blanks anywhere" "$(p $' {\n"a"\t:\r 1 ,"b": 2} ' int b 0)" "2|0|0"
is "an empty object" "$(p '{}' int a 4)" "4|0|0"
is "an empty text, an empty name" "$(p '{"": "", "a": ""}' text "" x)" "|0|0"
is "escapes" "$(p '{"a\"\\\/": "q\"b\\s\/t\tn\nu\u00e9\u20ac\ud83d\ude00."}' text 'a"\/' x)" $'q"b\\s/t\tn\\nué€😀.|0|0'
is "raw UTF-8" "$(p '{"ж": "ü"}' text ж x)" "ü|0|0"
programs=(./c ./c++)
is "half of a pair" "$(p '{"a": "\ud83d.\ude00\ud83dx"}' text a x)" $'\xef\xbf\xbd.\xef\xbf\xbd\xef\xbf\xbdx|0|0'
is "what fits no number: the program's own, and a word about it" "$(p '{"a": "abc"}' real a 0.5)" "@metric v=0.5|0|1"
is "so for whole numbers" "$(p '{"a": 1.5}' int a 3; p '{"a": 1e30}' int a 4; p '{"a": "7x"}' int a 5)" "3|0|1
4|0|1
5|0|1"
programs=("$python probe.py")
like "in Python an exception" "$(p '{"a": "abc"}' real a 0.5; p '{"a": 1.5}' int a 3; tail -n 1 err)" \
    "^\\|1\\|[0-9]+.\\|1\\|.*parameter a is 1.5, no whole number"
is "in Python truths too" "$(p '{"a": "false", "b": true, "c": 0}' bool a True; p '{"b": "yes"}' bool b False)" "False|0|0
True|0|0"
programs=(./c "$python probe.py")

# ---- parameters from an enemy: never a crash, always one line about it, and the program's own value ----
deep=$(printf '[%.0s' {1..50000})
long=$(printf '%0100000d' 0)
while IFS= read -r json; do
    is "not a flat object: ${json:0:40}" "$(p "$json" text a own)" "own|0|1"
done <<END_OF_LIST
{
nonsense
7
{"a": 1,}
{"a": 1} x
{"a": }
{"a": "1}
{"a": "\\
{"a": "\\x41"}
{"a": "\\u12
{a: 1}
{"a": abc}
{"a": [1, 2]}
{"a": {"b": 1}}
{"a": $deep
{"a": "$long
END_OF_LIST
is "a text of 100,000 bytes" "$(p "{\"a\": \"$long\"}" text a own)" "$long|0|0"
is "a name of 100,000 bytes" "$(p "{\"$long\": 1}" int a 3)" "3|0|0"
many=$(seq 8000 | sed 's/.*/"p&": &/' | paste -sd ,)
is "8,000 parameters" "$(p "{$many}" int p7999 0)" "7999|0|0"
# ---- metrics ----
programs=("${all[@]}" ./both ./fast)
is "a metric" "$(with -- metric valid_error 0.03)" "@metric valid_error=0.03|0|0"
is "with a step" "$(with -- metric valid_error 0.03 7)" "@metric valid_error=0.03 step=7|0|0"
is "all digits" "$(for v in 0.30000000000000004 1e-300 -1.7976931348623157e+308 12345678.901234567; do with -- metric m $v; done)" \
    "@metric m=0.30000000000000004|0|0
@metric m=1e-300|0|0
@metric m=-1.7976931348623157e+308|0|0
@metric m=12345678.901234567|0|0"
is "nan and infinities" "$(for v in nan -nan inf -inf; do with -- metric m $v 1; done)" "@metric m=nan step=1|0|0
@metric m=nan step=1|0|0
@metric m=inf step=1|0|0
@metric m=-inf step=1|0|0"
is "any name that may be" "$(with -- metric _a/B.c:d@e%f+1-2,3 1)" "@metric _a/B.c:d@e%f+1-2,3=1|0|0"
name64=$(printf 'n%.0s' {1..64})
is "a name of 64" "$(with -- metric "$name64" 1)" "@metric $name64=1|0|0"
for name in "" "a b" a=b "n$name64" 1st -x +x step ä $'a\nb'; do
    like "a name that may not be: ${name:0:20}" "$(with -- metric "$name" 1 && cat err)" $'^\\|1\\|[12](\n\\|1\\|[0-9]+)?\n.*letters, digits'
done
is "a step that is none" "$(programs=(./c ./fast); with -- metric m 1 nan)" "|1|1"
is "several in one line" "$(with -- many 3 5)" "@metric m0=0 m1=1 m2=2 step=5|0|0"
is "without a step" "$(with -- many 2 -1)" "@metric m0=0 m1=1|0|0"
is "none" "$(with -- many 0 5)" "|0|0"
programs=("${all[@]}")
for program in "${all[@]}"; do
    $program many 1500 5 >lines
    is "${program##*/}: very many, each with its step" "$(tr ' ' '\n' <lines | grep -c '^m[0-9]*=[0-9]*$') $(grep -vc ' step=5$' lines)" "1500 0"
    ok "${program##*/}: no line is too long to be whole" test "$(wc -L <lines)" -lt 4096
    ok "${program##*/}: nor holds more than 256" awk 'NF > 257 { exit 1 }' lines
    RANKSWEEP_METRIC_FD=5 $program many 1500 5 5>&1 >other | sed 's/^/@metric /' >fd_lines
    is "${program##*/}: the same on the metric descriptor" "$(cmp fd_lines lines 2>&1; cat other)" ""
    # A full pipe: read from when the program says so. (A FIFO opens at once for who opens it for both.)
    # shellcheck disable=SC2094 # both ends on purpose
    mkfifo pipe && exec 6<>pipe 5>pipe 7<pipe 6>&-
    RANKSWEEP_METRIC_FD=5 start $program full >out
    exec 5>&-
    wait_for 30 grep -q full out
    is "${program##*/}: into a full pipe that does not wait" "$(grep . <&7)" m=1
    exec 7<&- && rm pipe
    # A pipe that nobody reads: opened for both, then for writing, then only that is left
    # shellcheck disable=SC2094 # both ends on purpose
    mkfifo pipe && exec 6<>pipe 7>pipe 6>&-
    RANKSWEEP_METRIC_FD=7 $program many 3 5 >out 2>err
    is "${program##*/}: nobody reads the metric descriptor" "$?$(cat out err)" 1
    exec 7>&- && rm pipe
    # What a program in between has closed
    is "${program##*/}: the metric descriptor is closed" "$(RANKSWEEP_METRIC_FD=9 $program many 1 5)" "@metric m0=0 step=5"
    is "${program##*/}: the descriptor is a pipe of somebody else" \
        "$(RANKSWEEP_METRIC_FD=5 RANKSWEEP_METRIC_PIPE=1 $program many 1 5 5> >(cat >foreign); cat foreign)" "@metric m0=0 step=5"
    for fd in "" x -1 99999999999999999999 5x; do
        is "${program##*/}: RANKSWEEP_METRIC_FD=$fd" "$(RANKSWEEP_METRIC_FD=$fd $program many 1 5 5>wrong; cat wrong)" "@metric m0=0 step=5"
    done
done
localedef -i de_DE -f UTF-8 ./de 2>/dev/null
if [ "$(env LOCPATH="$PWD" LC_ALL=de printf %.1f 0,5 2>/dev/null)" = 0,5 ]; then
    is "where numbers have commas: written" "$(with LOCPATH="$PWD" LC_ALL=de -- metric m 0.25 1.5)" "@metric m=0.25 step=1.5|0|0"
    is "and read" "$(with LOCPATH="$PWD" LC_ALL=de RANKSWEEP_PARAMS='{"a": 0.125, "b": 2.0}' -- real a 0)" "@metric v=0.125|0|0"
else
    skip "a locale whose numbers have commas" "there is none here"
fi

# ---- who this is ----
is "by hand" "$(with -- ids)" "  0 0 1 1 -1 0 -1 0 none 0|0|0"
is "under a run" "$(with RANKSWEEP_STUDY=s RANKSWEEP_PHASE=p RANKSWEEP_TRIAL=4000000000 RANKSWEEP_UNIT=8 RANKSWEEP_ATTEMPT=2 \
    RANKSWEEP_SEED=2147483647 RANKSWEEP_FOLD=1 RANKSWEEP_FOLDS=5 RANKSWEEP_OUTER_FOLD=0 RANKSWEEP_OUTER_FOLDS=3 \
    RANKSWEEP_DIR=d RANKSWEEP_RESUME=1 -- ids)" "s p 4000000000 8 2 2147483647 1 5 0 3 d 1|0|0"
is "odd numbers" "$(with RANKSWEEP_TRIAL=x RANKSWEEP_FOLD= RANKSWEEP_SEED=1z RANKSWEEP_RESUME=0 RANKSWEEP_DIR= -- ids)" \
    "  0 0 1 1 -1 0 -1 0 none 0|0|0"

# ---- the module ----
ok "the module's words are those of Python 3.6" $python -c '
import ast, sys
ast.parse(open("ranksweep.py").read(), **({"feature_version": (3, 6)} if sys.version_info >= (3, 8) else {}))'
is "importing it changes nothing and says nothing" "$(RANKSWEEP_PARAMS='{' RANKSWEEP_DEADLINE=1 $python -c '
import os, signal
before = [signal.getsignal(s) for s in range(1, 65)], os.listdir("/proc/self/fd")
import ranksweep
assert before == ([signal.getsignal(s) for s in range(1, 65)], os.listdir("/proc/self/fd"))' 2>&1)" ""
is "the types of the values" "$(RANKSWEEP_PARAMS=$all_kinds $python -c '
import ranksweep
print(ranksweep.params)
print(ranksweep.param("lr"), ranksweep.param("nothing"), ranksweep.param("act", None))')" \
    "{'lr': 0.001, 'n': -3, 'act': 'tanh', 'pretrain.lr': 1e-05, 'on': True, 'big': 12345678901234, 'e': 1000.0}
0.001 None tanh"
is "in a thread" "$(RANKSWEEP_DEADLINE=1 $python -c '
import ranksweep, threading
t = threading.Thread(target=lambda: print(ranksweep.should_stop()))
t.start(); t.join(); ranksweep.init()')" True
done_testing
