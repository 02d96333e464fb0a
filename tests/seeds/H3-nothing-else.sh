#!/usr/bin/env bash
# H3. No layers between the program and its database: no server, no interpreter. That works when the program needs only
# the libraries that its documentation names, listens to nobody, and starts nothing but the trainers it was given.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

known='libmpi|libsqlite3|libfyaml|libpcre2-8|libhwloc|liblapacke|liblapack|libblas|libopenblas|libncursesw?|libtinfo|libmicrohttpd|libc|libm|ld-linux[-a-z0-9]*'
is "libraries that it names itself" "$(readelf -d "$rs" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE "^($known|libasan|libubsan)\.so" | tr '\n' ' ')" ""
is "one database library, and no interpreter's" "$(ldd "$rs" | awk '{ print $1 }' | grep -iE 'sqlite|python|perl|ruby|libpq|mysql|maria' | cut -d. -f1 | tr '\n' ' ')" "libsqlite3 "
is "which are all there" "$(ldd "$rs" | grep 'not found')" ""

cat >s.yaml <<'END'
study: bare
metric: none
phases:
  a: {command: /bin/sleep 0, params: {x: [1, 2, 3]}, search: grid}
END
exits "it runs where there is no path, no home and no shell" 0 env -i timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "to the end" "$(sql bare.db "select state, count(*) from units group by 1")" "done|3"
if strace -o /dev/null true 2>/dev/null; then
    exits "a run of one process, watched" 0 timeout 30 strace -f -qq -e trace=execve,listen -o trace "$rs" run s.yaml --db w.db --ranks 1 --progress none
    is "it starts the trainers and nothing else" "$(grep -o 'execve("[^"]*"' trace | sort | uniq -c | awk '{ print $1, $2 }' | tr '\n' ' ')" \
        "3 execve(\"/bin/sleep\" 1 execve(\"$rs\" "
    is "it listens at no port" "$(grep -c listen trace)" 0
else
    skip "what it starts" "no strace here, or it may not trace"
fi
done_testing
