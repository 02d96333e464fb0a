#!/usr/bin/env bash
# The end of a run where rank 0 needs long to close the database, as on a slow disk: the workers wait for it.
# Waits most of its time.
# shellcheck disable=SC2016 # scripts in quotes
. tests/lib/tap.sh

strace -o /dev/null true 2>/dev/null || skip_all "no strace here, or it may not trace"

cat >slow.yaml <<'END'
study: slow
metric: m
goal: minimize
phases:
  a:
    command: sh -c 'echo "@metric m={x}"'
    params: {x: [3, 1, 2]}
    search: grid
END
# What SQLite does last at the end takes 12 s.
cat >rank.sh <<'END'
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || exec "$@"
exec strace -f -qq -o trace -P "$PWD/slow.db-wal" -e trace=unlink -e inject=unlink:delay_enter=12000000 "$@"
END
exits "a slow end is no failure" 0 timeout 60 mpirun -n 3 sh rank.sh "$rs" run slow.yaml --progress none
like "it was slow" "$(cat trace)" "unlink.*slow.db-wal"
like "the results are printed" "$(cat out)" "a +m +1 "
unlike "nobody is said to have ended badly" "$(cat err)" "improperly"
is "all was done" "$(sql slow.db "select state, count(*) from units group by 1")" "done|3"
done_testing
