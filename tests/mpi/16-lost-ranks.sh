#!/usr/bin/env bash
# Ranks that die or hang in the midst of a run: the others go on, nothing runs twice at a time, and the database
# tells what happened.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh
. "$top/tests/lib/doubles.sh"

running_on() { # DB RANK
    sql "$1" "select count(*) from attempts where rank=$2 and state='running'"
}
is_running_on() { [ "$(running_on "$1" "$2")" -gt 0 ]; }
trainers_of() { # RANK's process: those its keeper has
    pgrep -P "$(pgrep -P "$1" -x rs-keeper)"
}
no_trainer_of() { [ -z "$(trainers_of "$1")" ]; }
all_done() { # NAME DB UNITS
    is "$1: all units are done" "$(sql "$2" "select state, count(*) from units group by 1")" "done|$3"
    is "$1: no failure was counted" "$(sql "$2" "select sum(failures) from units")" 0
    is "$1: nothing ran twice at a time" "$(cat doubles 2>&1)" ""
    is "$1: what did not succeed was lost" \
        "$(sql "$2" "select distinct state || '|' || reason from attempts where state <> 'done'")" "lost|lost"
    is "$1: no trainer is left" "$(here '^sh train.sh')" ""
}

# ---- killed -------------------------------------------------------------------------------------------
study killed 12 >killed.yaml
start timeout 100 "$rs" run killed.yaml --ranks 4 --progress none >out 2>err
ok "killed: its units run" wait_for 20 is_running_on killed.db 2
victim=$(rank_pid 2)
kill -9 "$victim"
ok "killed: rank 0 knows at once, without waiting for a minute of silence" \
    wait_sql 10 killed.db "select count(*) from audit where command like 'rank 2 on % is lost: its process has ended'" 1
: >go
wait_exit 60 "$pid"
is "killed: the run ends well" $? 0
all_done killed killed.db 12
is "killed: the view runs counts it" "$(sql killed.db "select lost, end from runs")" "1|done"
is "killed: the view workers tells which and why" \
    "$(sql killed.db "select rank, why from workers where lost is not null")" "2|its process has ended"
like "killed: people are told" "$(cat err)" "rank 2 on .* is lost: its process has ended; [1-9][0-9]* units? goe?s? back"
rm go

# ---- stopped: it cannot be told from a dead one ---------------------------------------------------------
study stopped 6 >stopped.yaml
start timeout 100 "$rs" run stopped.yaml --ranks 3 --lost-after 1s --progress none >out 2>err
ok "stopped: its units run" wait_for 20 is_running_on stopped.db 1
victim=$(rank_pid 1)
kill -STOP "$victim"
ok "stopped: its keeper ends its trainers by itself" wait_for 10 no_trainer_of "$victim"
ok "stopped: after that rank 0 gives it up" \
    wait_sql 10 stopped.db "select count(*) from audit where command like 'rank 1 on % is lost: nothing heard of it for % s'" 1
kill -CONT "$victim"
ok "stopped: when it goes on, it is taken in anew" wait_sql 10 stopped.db "select count(*) from workers where lost is not null" 0
ok "stopped: and gets units" wait_for 10 is_running_on stopped.db 1
: >go
wait_exit 60 "$pid"
is "stopped: the run ends well" $? 0
all_done stopped stopped.db 6
rm go

# ---- killed while a long message of it is under way ---------------------------------------------------------
cat >talk.sh <<'END'
exec 9>>"lock.$RANKSWEEP_UNIT"
flock -n 9 || echo "$RANKSWEEP_UNIT" >>doubles
until [ -e go ]; do sleep 0.05; done
[ -e said ] || { i=0; while [ $i -lt 3000 ]; do echo "@metric err=$i step=$i"; i=$((i + 1)); done; }
: >said
echo "@metric err=1 step=3000"
END
study talked 8 | sed 's/train.sh/talk.sh/' >talked.yaml
start timeout 60 "$rs" run talked.yaml --ranks 3 --progress none >out 2>err
ok "talked: its units run" wait_for 20 is_running_on talked.db 1
leader=$(rank_pid 0) victim=$(rank_pid 1)
kill -STOP "$leader"
: >go
ok "talked: a unit has said a lot" wait_for 20 no_trainer_of "$victim"
sleep 0.5 # its rank sends it within 20 ms; that cannot be seen, as rank 0 does not hear it
kill -9 "$victim"
kill -CONT "$leader"
wait_exit 40 "$pid"
is "talked: rank 0 hears the others to the end" $? 0
is "talked: all units are done" "$(sql talked.db "select state, count(*) from units group by 1")" "done|8"
is "talked: nothing ran twice at a time" "$(cat doubles)" ""
rm go

# ---- the last one ------------------------------------------------------------------------------------------
study last 3 >last.yaml
start timeout 100 "$rs" run last.yaml --ranks 2 --progress none >out 2>err
ok "last: its units run" wait_for 20 is_running_on last.db 1
kill -9 "$(rank_pid 1)"
wait_exit 60 "$pid"
is "last: no worker is left" $? 69
like "last: it says so" "$(cat err)" "no worker is left"
: >go
exits "last: the same command goes on" 0 timeout 60 "$rs" run last.yaml --progress none
all_done last last.db 3
rm go

# ---- a disk that keeps rank 0 waiting ---------------------------------------------------------------------------
cat >stall.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
/* SQLite writes so, nobody else does. */
ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	ssize_t (*next)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");

	if (access("stall", F_OK) == 0)
		close(open("stalled", O_CREAT | O_WRONLY, 0666));
	while (access("stall", F_OK) == 0)
		usleep(10000);
	return next(fd, p, n, at);
}
END
cc -shared -fPIC -o stall.so stall.c -ldl
cat >tell.sh <<'END'
until [ -e say ]; do sleep 0.05; done
echo "@metric err=5 step=1"
. ./train.sh
END
study stuck 4 | sed 's/train.sh/tell.sh/' >stuck.yaml
start timeout 100 env LD_PRELOAD="$PWD/stall.so" "$rs" run stuck.yaml --ranks 3 --lost-after 1s --progress none >out 2>err
ok "stuck: its units run" wait_for 20 is_running_on stuck.db 1
: >stall
: >say
ok "stuck: rank 0 hangs in a commit" wait_for 20 test -e stalled
sleep 4 # it is this time that must do no harm
rm stall
: >go
wait_exit 60 "$pid"
is "stuck: the run ends well" $? 0
is "stuck: each unit had one attempt, though nobody could commit for four times --lost-after" \
    "$(sql stuck.db "select state, count(*), max(attempt) from attempts group by 1")" "done|4|1"
is "stuck: what came meanwhile is there" "$(sql stuck.db "select count(*) from metrics where value = 5")" 4
is "stuck: nothing ran twice at a time" "$(cat doubles)" ""
rm go say

# ---- a mpirun of the user ------------------------------------------------------------------------------------
study own 4 >own.yaml
start timeout 100 mpirun -n 3 --enable-recovery --mca async_mpi_finalize 1 --mca routed direct "$rs" run own.yaml --progress none >out 2>err
ok "own mpirun: its units run" wait_for 20 is_running_on own.db 1
kill -9 "$(rank_pid 1)"
: >go
wait_exit 60 "$pid"
is "own mpirun, with the flags: it ends by itself" $? 0
all_done "own mpirun" own.db 4
unlike "own mpirun: nothing is missing" "$(cat err)" "mpirun lacks"
rm go
study bare 4 >bare.yaml
start timeout 100 mpirun -n 3 "$rs" run bare.yaml --progress none >out 2>err
ok "bare mpirun: its units run" wait_for 20 is_running_on bare.db 1
like "bare mpirun: what is missing is said at its start" "$(cat err)" \
    "mpirun lacks --enable-recovery --mca async_mpi_finalize 1 --mca routed direct"
kill -9 "$(rank_pid 1)"
wait_exit 60 "$pid"
unlike "bare mpirun: a lost rank ends it" $? "^0$"
: >go
exits "bare mpirun: the same command goes on" 0 timeout 60 "$rs" run bare.yaml --progress none
is "bare mpirun: all units are done" "$(sql bare.db "select state, count(*) from units group by 1")" "done|4"
is "bare mpirun: nothing ran twice at a time" "$(cat doubles)" ""
done_testing
