#!/usr/bin/env bash
# Cpus, output, descriptors, MPI programs as trainers, storage that gives out.
# shellcheck disable=SC2016,SC2317,SC2012 # scripts in quotes, functions called by name, our own file names
. tests/lib/tap.sh

cat >s.yaml <<'EOF'
study: res
seed: 1
metric: none
phases:
  one:
    command: sh span.sh 1
    params: {x: "range(0, 8, 1)"}
    search: grid
  all:
    command: sh span.sh N
    params: {x: "range(0, 3, 1)"}
    search: grid
    cpus: N
EOF
cores=$(nproc)
sed -i "s/N$/$cores/" s.yaml
echo 'echo "$(date +%s%N) $1" >>span; sleep 0.1; echo "$(date +%s%N) -$1" >>span' >span.sh
exits "several units at once on a rank with several cpus" 0 timeout 60 "$rs" run s.yaml --ranks 2 --progress none
is "never more than its cpus" "$(sort -n span | awk -v n="$cores" '{ now += $2; if (now > n) bad = 1; if (now > max) max = now } END { print bad + 0, max }')" "0 $cores"
sed "s/cpus: .*/cpus: 4000/" s.yaml >big.yaml
exits "a unit that fits nowhere ends the run with a reason" 1 timeout 60 "$rs" run big.yaml --db big.db --ranks 2 --progress none
like "which says what it wants" "$(cat err)" "4000"

cat >out.yaml <<'EOF'
study: out
seed: 1
metric: m
goal: minimize
phases:
  text: {command: sh -c 'echo one; echo two >&2; printf "a\0b\377\n"; echo "@metric m=1"'}
  flood: {command: sh -c 'head -c 20000000 /dev/zero | tr "\0" x; echo; echo "@metric m=2"; echo the end'}
  quiet: {command: sh -c 'ls -l /proc/self/fd >fds; readlink /proc/$$/fd/0 >stdin; echo "@metric m=3"'}
  mask: {command: sh -c 'grep Cpus_allowed_list /proc/self/status >mask; echo "@metric m=4"'}
EOF
exits "output of any kind" 0 timeout 60 mpirun -n 3 "$rs" run out.yaml --progress none
is "comes back as it was" "$("$rs" log out.db 1 --stdout | od -c | head -3)" "$(printf 'one\na\0b\377\n@metric m=1\n' | od -c | head -3)"
is "stderr too" "$("$rs" log out.db 1 --stderr)" two
"$rs" log out.db 2 >flood
like "a flood is cut in its middle" "$(grep -a -o 'left out' flood) $(tail -n 1 flood)" "left out the end"
like "and bounded" "$(wc -c <flood)" "^[89][0-9]{6}$"
is "a metric behind 20 MB of one line is found" "$(sql out.db "select value from units where phase='flood'")" 2.0
is "stdin is empty" "$(cat stdin)" /dev/null
is "no descriptor of ours leaks" "$(awk '{ print $9 }' fds | grep -c '^[0-9]')" 5
like "a cpu mask is set" "$(cat mask)" "[0-9]"

# Each of two workers has half of the node; units too brief for masks of their own have their worker's.
cat >brief.yaml <<'EOF'
study: brief
seed: 1
metric: none
phases:
  a:
    command: sh -c 'grep Cpus_allowed_list /proc/self/status >mask.$RANKSWEEP_UNIT'
    params: {x: "range(0, 200, 1)"}
    search: grid
EOF
if [ "$cores" -ge 2 ]; then
    exits "many brief units on two workers" 0 timeout 60 "$rs" run brief.yaml --ranks 3 --progress none
    is "stay on their worker's cpus" "$(for r in 1 2; do
        sql brief.db "select unit from units where rank=$r order by unit desc limit 50" | sed 's/^/mask./' | xargs cat | sort -u | wc -l
    done | tr '\n' ' ')" "1 1 "
    is "each with its pid and its times" "$(sql brief.db "select count(*), count(pid), sum(started <= finished) from attempts")" "200|200|200"
    is "which differ" "$(cat mask.* | sort -u | wc -l)" 2
else
    skip "brief units on two workers" "one cpu"
fi

cat >keep.yaml <<'EOF'
study: keep
seed: 1
metric: m
goal: maximize
phases:
  a:
    command: sh -c 'mkdir $1/sub && echo x >$1/sub/model; echo "@metric m=$2"' sh {dir} {x}
    params: {x: [3, 9, 5, 7]}
    search: grid
    keep: best 2
EOF
exits "a study that keeps the best two folders" 0 timeout 60 "$rs" run keep.yaml --ranks 1 --progress none
is "has those at its end" "$(cd keep.out/dir/a && echo *)" "t2 t4"

if command -v mpicc >/dev/null; then
    cat >hello.c <<'EOF'
#include <mpi.h>
#include <stdio.h>
int main(int c, char **v)
{
	int n, r;
	MPI_Init(&c, &v);
	MPI_Comm_size(MPI_COMM_WORLD, &n);
	MPI_Comm_rank(MPI_COMM_WORLD, &r);
	if (r == 0)
		printf("@metric size=%d\n", n);
	MPI_Finalize();
}
EOF
    mpicc -o hello hello.c
    cat >inner.yaml <<'EOF'
study: inner
seed: 1
metric: size
goal: maximize
phases:
  two: {command: mpirun --oversubscribe -n 2 ./hello, timeout: 30s}
  one: {command: ./hello, timeout: 30s}
EOF
    exits "MPI programs as trainers, under mpirun" 0 timeout 90 mpirun -n 3 "$rs" run inner.yaml --progress none
    is "with ranks of their own" "$(sql inner.db "select phase, value from units order by 1" | tr '\n' ' ')" "one|1.0 two|2.0 "
    exits "and under the launcher" 0 timeout 90 "$rs" run inner.yaml --db l.db --progress none
else
    skip "MPI programs as trainers" "no mpicc"
fi

if [ "$(id -u)" = 0 ] && mkdir small && mount -t tmpfs -o size=2m none small 2>/dev/null; then
    cat >full.yaml <<'EOF'
study: full
seed: 1
metric: m
goal: minimize
phases:
  a:
    command: sh -c 'head -c 60000 /dev/zero | tr "\0" x; echo; echo "@metric m={x}"'
    params: {x: "uniform(0, 1)"}
    search: random
    trials: 400
EOF
    exits "a full disk: exit status 74" 74 timeout 60 mpirun -n 3 "$rs" run full.yaml --db small/full.db --progress none
    like "said plainly" "$(cat err)" "full"
    exits "through the launcher too" 74 timeout 60 "$rs" run full.yaml --db small/full.db --ranks 2 --progress none
    mount -o remount,size=100m small
    is "the database is intact" "$(sql small/full.db 'pragma integrity_check')" ok
    exits "with room again it goes on" 0 timeout 60 mpirun -n 3 "$rs" run full.yaml --db small/full.db --progress none
    is "to the end" "$(sql small/full.db "select state, count(*) from units group by 1")" "done|400"
    umount small
else
    skip "a full disk" "needs root and tmpfs"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    mkdir locked && cp out.yaml locked && chmod 755 "$tmp" locked
    exits "a folder that cannot be written: exit status 74" 74 timeout 30 setpriv --reuid 65534 --regid 65534 --clear-groups \
        env HOME=/tmp sh -c "cd locked && exec '$rs' run out.yaml --ranks 1"
    like "which is named" "$(cat err)" "out\.(db|out)"
else
    skip "a folder that cannot be written" "needs root"
fi
done_testing
