#!/usr/bin/env bash
# A study of thousands of short units, while a tormentor kills its trainers, its ranks and its hosts at random: at the
# end it is what it is when nobody disturbs it, and what was done was done once.
#
#   make chaos CHAOS_UNITS=5000 CHAOS_FAULTS=220 CHAOS_SEED=N
#
# The seed decides the faults and their order; when they strike is up to the machine. As root, with iproute2, the
# ranks are on the three hosts of a make-believe cluster, and hosts are among the victims.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh
. "$top/tests/lib/cluster.sh"
units=${CHAOS_UNITS:-5000} faults=${CHAOS_FAULTS:-220} seed=${CHAOS_SEED:-$((SRANDOM % 32768))}
RANDOM=$seed
why=$(cluster_missing)
nodes=3
[ -z "$why" ] || nodes=0
units=$(((units - 20) / 20 * 20 + 20)) # what the phases can make
echo "# CHAOS_SEED=$seed CHAOS_UNITS=$units CHAOS_FAULTS=$faults, ${why:-$nodes hosts}"

trainer=ct.$$ # by its name it is told from all others on this machine
cc -O1 -o "$trainer" "$top/tests/chaos/trainer.c" || exit 1
cat >chaos.yaml <<END
study: chaos
seed: 1
metric: loss
goal: minimize
folds: 5
defaults: {checkpoint: true, retries: 30, lost_limit: 100, grace: 500ms, timeout: 60s}
phases:
  a:
    command: ./$trainer 4 {x} {fold}
    params: {x: "uniform(0, 1)"}
    search: sobol
    trials: $((units / 20 - 1))
  b:
    after: a
    command: ./$trainer 5 {y} {fold} {a.dir}/state
    params: {y: "log(1e-4, 1)"}
    search: random
    trials: 3
    report: best
  c:
    after: {b: best 20}
    folds: none
    command: ./$trainer 4 {b.value} 0
END
all_done() { # DB
    is "$1: all units are done" "$(sql "$1" "select state, count(*) from units group by 1")" "done|$units"
}

# ---- undisturbed ---------------------------------------------------------------------------------------
exits "undisturbed" 0 timeout 600 "$rs" run chaos.yaml --db calm.db --ranks 4 --progress none
all_done calm.db
calm=$SECONDS

# ---- whom it can hit -------------------------------------------------------------------------------------
ours() { # PID: it runs in this folder, or has this trainer's name, so it is of this run
    local name
    [ "/proc/$1/cwd" -ef . ] || { read -r name <"/proc/$1/comm" && [ "$name" = "$trainer" ]; } 2>/dev/null
}
trainers() { pgrep -x "$trainer"; }
workers() { # the ranks that take part now; one that is only starting can't be lost yet
    sql wild.db "select pid from workers where run = (select max(run) from runs) and lost is null and rank > 0" 2>/dev/null
}
rank0() {
    sql wild.db "select pid from runs where finished is null order by run desc limit 1" 2>/dev/null
}
keepers() {
    local p
    for p in $(workers); do pgrep -P "$p" -x rs-keeper; done
}
of_run() { # PATTERN of names
    local p
    for p in $(pgrep -x "$1"); do
        ! ours "$p" || echo "$p"
    done
}
everything() { of_run "ranksweep|rs-keeper|mpirun|orted|$trainer"; }
nothing() { [ -z "$(everything)" ]; }

# ---- how ---------------------------------------------------------------------------------------------------
declare -A hit=()
later=() # what gives back, some time after the fault, what it took
: >killed
count() {
    hit[$kind]=$((${hit[$kind]:-0} + 1))
}
hit_any() { # SIGNAL PID...: one of these; $victim is which
    local signal=$1
    shift
    [ $# -gt 0 ] || return 1
    victim=${*:$((RANDOM % $# + 1)):1}
    ours "$victim" && kill -s "$signal" "$victim" 2>/dev/null && count
}
afterwards() { # COMMAND...: in 0.5 to 5.5 s
    local seconds=$((RANDOM % 6)).5
    (
        sleep "$seconds"
        "$@"
    ) >/dev/null 2>&1 &
    later+=($!)
}
give_back() {
    [ ${#later[@]} -eq 0 ] || wait "${later[@]}"
    later=()
}
# shellcheck disable=SC2046 # lists of numbers
strike() { # by $kind; fails where there is nobody to hit
    local host=n$((RANDOM % 3))
    case $kind in
    trainer) hit_any KILL $(trainers) && echo "$victim" >>killed ;;
    worker) hit_any KILL $(workers) ;;
    keeper) hit_any KILL $(keepers) ;;
    hang) hit_any STOP $(workers) && afterwards kill -CONT "$victim" ;;
    rank0) hit_any KILL $(rank0) ;;
    mpirun) hit_any KILL $(of_run mpirun) ;;
    launcher) hit_any KILL "$launch" ;;
    term) hit_any TERM "$launch" ;;
    all)
        [ -n "$(rank0)" ] && kill -KILL $(everything) 2>/dev/null && count
        ;;
    cut)
        [ ! -e "$cluster/crashed.$host" ] || return 1
        cluster_cut "$host"
        afterwards cluster_heal "$host"
        count
        ;;
    crash)
        [ ! -e "$cluster/crashed.$host" ] || return 1
        [ -n "$(cluster_pids "$host" "$rs run|orted")" ] || return 1
        cluster_crash "$host"
        count
        ;;
    esac
}
kinds=() # of 100 faults so many of each, in an order that the seed decides
for ((i = 0; i < faults; i++)); do
    n=$((RANDOM % 100))
    for row in trainer:64 worker:16 keeper:4 hang:3 rank0:2 launcher:1 mpirun:1 term:2 all:1 cut:4 crash:2; do
        kind=${row%:*} n=$((n - ${row#*:}))
        [ "$n" -ge 0 ] || break
    done
    [ "$nodes" -gt 0 ] || [[ $kind != cut && $kind != crash ]] || kind=worker
    kinds+=("$kind")
done

# ---- the torment -------------------------------------------------------------------------------------------
ended=0 struck=0 launches=0 idle=$SECONDS status=-1
declare -A statuses=()
: >ended
exec 8<> <(:) # where nothing ever comes: to wait there costs no process
look() { # how many trainers have come to their end; units take as long as the faults need to follow
    local size lag
    size=$(stat -c %s ended)
    [ "$((size / 10))" -eq "$ended" ] || ended=$((size / 10)) idle=$SECONDS
    due=$((ended * (faults + 4) / units))
    lag=$((due > struck ? due - struck : 0))
    echo "$((1 + (lag < 16 ? 10 * lag * lag : 2500)))" >pace.new && mv pace.new pace
}
begin() {
    local run=("$rs" run) host
    give_back
    if [ "$nodes" -gt 0 ]; then
        run=(cluster_run)
        for host in n0 n1 n2; do cluster_heal "$host"; done
    fi
    launches=$((launches + 1))
    "${run[@]}" chaos.yaml --db wild.db --ranks 6 --lost-after 2s --progress none >>out 2>>err &
    launch=$!
    started+=("$launch")
}
over() {
    local state
    read -r _ _ state _ 2>/dev/null <"/proc/$launch/stat" || return 0
    [ "$state" = Z ]
}
torment() { # until the launch ends
    until over; do
        look
        kind=${kinds[struck]-}
        if [ -n "$kind" ] && [ "$due" -ge "$struck" ] && strike; then
            struck=$((struck + 1))
            echo "$SECONDS s, $ended ended, launch $launches: $kind" >>log
        else
            read -rt "0.0$((RANDOM % 9 + 1))" -u 8
        fi
        [ "$((SECONDS - idle))" -lt 120 ] && continue
        fail "it goes on" "nothing has ended for 120 s" "$(tail -n 5 log)" "$(tail -n 20 err)" "$(ps -ef | tail -n 40)"
        return
    done
    wait "$launch" 2>/dev/null
    status=$?
    statuses[$status]=$((${statuses[$status]:-0} + 1))
    echo "$SECONDS s: status $status" >>log
    case $status in
    0 | 69 | 75 | 137) ;; # done, no worker is left, told to stop, killed
    *) fail "a launch ends with a status that tells" "status $status" "$(tail -n 5 log)" "$(tail -n 20 err)" ;;
    esac
}
[ "$nodes" -eq 0 ] || cluster_up "$nodes"
while [ "$status" != 0 ] && [ "$tests_failed" -eq 0 ]; do
    begin
    torment
done
give_back

# ---- what has come of it -------------------------------------------------------------------------------------
table() { # WORDS: from `name count` lines
    awk -v words="$1" '{ printf "%s%s %s", n++ ? ", " : "# " words ": ", $2, $1 } END { print "" }'
}
for k in "${!hit[@]}"; do echo "$k ${hit[$k]}"; done | sort -k2nr | table "$struck faults"
for s in "${!statuses[@]}"; do echo "status=$s ${statuses[$s]}"; done | sort -k2nr | table "$launches launches"
sql wild.db "select ifnull(reason, state), count(*) from attempts group by ifnull(reason, state) order by count(*) desc" | tr "|" " " | table attempts
echo "# $SECONDS s, $calm s undisturbed"
is "it comes to its end" "$status" 0
is "all faults have struck" "$struck" "$faults"
ok "no process is left" wait_for 20 nothing
is "the database is sound" "$(sql wild.db 'pragma integrity_check')" ok
all_done wild.db
is "each unit succeeded once" "$(sql wild.db "select count(*), count(distinct unit) from attempts where state = 'done'")" "$units|$units"
is "and was not run again after that" \
    "$(sql wild.db "select count(*) from attempts a join attempts b using (unit) where a.state = 'done' and b.attempt > a.attempt")" 0
is "nothing ran twice at a time" "$(cat doubles 2>/dev/null)" ""
is "each unit counts once in its trial" "$(sql wild.db "select count(*) from trials
    where folds_done <> folds or abs(value - (select avg(value) from units u where u.trial = trials.trial)) > 1e-12")" 0
is "failures are those of trainers: killed, or ended with 3" \
    "$(sql wild.db "select distinct reason, exit_code, signal from attempts where reason not in ('lost', 'requeue') order by 1")" \
    "$(sql wild.db "select distinct reason, exit_code, signal from attempts
        where reason = 'exit' and exit_code = 3 or reason = 'signal' and signal = 9 order by 1")"
is "and nothing else counts against retries" "$(sql wild.db "select sum(failures) from units")" \
    "$(sql wild.db "select count(*) from attempts where reason in ('exit', 'signal')")"
is "who died of a signal was killed from here" \
    "$(sql wild.db "select pid from attempts where reason = 'signal'" | sort -u | comm -23 - <(sort -u killed))" ""
outcome wild.db >wild
outcome calm.db >calm
is "trials, values and picks are those of the undisturbed run" "$(diff calm wild | head -n 10)" ""
is "no file of a launch is left" "$(find calm.out wild.out -name 'launch-*')" ""
[ "$tests_failed" -eq 0 ] || cp log err out wild.db calm.db "${CHAOS_KEEP:-/dev/null}" 2>/dev/null
done_testing
