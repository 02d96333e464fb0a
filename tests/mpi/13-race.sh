#!/usr/bin/env bash
# Fold racing with real programs: bad configurations are stopped after few folds, and the winner is the same as
# without.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

# A trainer: an error of Q, with folds that differ by a few hundredths, and a little noise. It writes down that it began.
cat >train.sh <<'END'
fold=${RANKSWEEP_FOLD:-0}
echo "$1 $fold" >>begun
[ -z "${PACE-}" ] || sleep "$PACE"
awk -v q="$1" -v f="$fold" 'BEGIN { printf "@metric error=%.17g\n", q + 0.03 * f + 0.001 * ((7 * f + 100 * q) % 5) }'
END
study() { # NAME PRUNE [VALUES]
    cat >"$1.yaml" <<END
study: $1
metric: error
goal: minimize
folds: 5
phases:
  a:
    command: sh train.sh {q}
    params: {q: [${3:-0.3, 0.29, 0.31, 0.8, 0.1, 0.7, 0.6, 0.11, 0.95, 0.9}]}
    search: grid
    $2
  b:
    after: {a: best}
    folds: none
    command: sh train.sh {q}
END
}
winner() { sql "$1.db" "select value from params where name = 'q' and trial = (select trial from trials where phase = 'b')"; }
units_run() { sql "$1.db" "select count(*) from units where phase = 'a' and attempts > 0"; }
folds_of() { sql "$1.db" "select group_concat(v || ':' || folds_done, ' ') from (select p.value v, t.folds_done from trials t join params p on p.trial = t.trial and p.name = 'q' where t.phase = 'a' order by cast(v as real))"; }

study whole ""
exits "without racing: ends well" 0 timeout 60 "$rs" run whole.yaml --ranks 1 --progress none
is "all folds are run" "$(units_run whole)" 50
is "and the best is" "$(winner whole)" 0.1
is "there is nothing to say of racing" "$("$rs" results whole.db | grep -c racing)" 0
is "nor in JSON" "$("$rs" results whole.db --json | jq -c '[.phases[].racing]')" '[null,null]'

study raced "prune: {race: {}}"
rm -f begun
exits "racing: ends well" 0 timeout 60 mpirun -n 2 "$rs" run raced.yaml --progress none
is "the winner is the same" "$(winner raced)" 0.1
is "it has all its folds" "$(sql raced.db "select state, folds_done from trials where trial = (select trial from params where phase = 'a' and name = 'q' and value = 0.1 limit 1)")" "done|5"
# Each runs two, and perhaps a third one where nobody else waits.
is "bad ones have few" "$(folds_of raced | grep -c '0.6:[23] 0.7:[23] 0.8:[23] 0.9:[23] 0.95:[23]')" 1
is "those that are nearly as good have more than those" "$(sql raced.db "select min(folds_done) >= 2 from trials t join params p on p.trial = t.trial and p.name = 'q' where t.phase = 'a' and p.value in (0.29, 0.11)")" 1
ok "far fewer are run" test "$(units_run raced)" -lt 40
is "each of them once" "$(grep -v '^0.1 ' begun | sort | uniq -d | wc -l)" 0
is "they begin at different folds" "$(awk '!s[$1]++ { print $2 }' begun | sort -u | wc -l)" 5
is "it is said why" "$(sql raced.db "select distinct state, reason from units where phase = 'a' and state <> 'done'")" "pruned|race"
saved=$(sql raced.db "select count(*) from units where phase = 'a' and attempts = 0")
cut=$(sql raced.db "select count(*) from units where phase = 'a' and attempts > 0 and state = 'pruned'")
is "results tell what was saved" "$("$rs" results raced.db | grep -c "^racing saved $saved of 50 units\(, cut short $cut\)\? ([0-9]* trials stopped early)\$")" 1
is "as JSON" "$("$rs" results raced.db --json | jq -c '.phases[0].racing | [.saved, .cut_short, .units]')" "[$saved,$cut,50]"
is "what was given up has no rank" \
    "$("$rs" results raced.db --json | jq -c '[.trials[] | select(.state == "pruned") | [.rank, .complete]] | unique')" '[[null,false]]'
is "the table shows how many folds it has" "$("$rs" results raced.db -p a | grep -c 'pruned.* 2/5 ')" \
    "$(sql raced.db "select count(*) from trials where phase = 'a' and folds_done = 2")"
near() { awk -v x="$1" -v y="$2" 'BEGIN { exit !(x - y < 0.01 && y - x < 0.01) }'; }
ok "the value of a fold it was spared is what all might be worth" \
    near "$(sql raced.db "select u.value from units u join params p on p.trial = u.trial and p.name = 'q' and p.value = 0.95 where u.reason = 'race' limit 1")" 1.01

# ---- with bounds one fold may be enough
study bounds "prune: {race: {best: 0}}" "0.1, 0.11, 0.3, 0.29, 0.9, 0.8, 0.7, 0.95, 0.6, 0.5"
exits "bounds: ends well" 0 timeout 60 "$rs" run bounds.yaml --ranks 1 --progress none
is "bounds: the winner is the same" "$(winner bounds)" 0.1
is "bounds: one fold is enough" "$(folds_of bounds | grep -o '0.9.*')" "0.9:1 0.95:1"

# ---- a search that learns
cat >learns.yaml <<'END'
study: learns
seed: 3
metric: error
goal: minimize
folds: 5
phases:
  a:
    command: sh train.sh {q}
    params: {q: "uniform(0, 1)"}
    search: tpe
    trials: 30
    prune: {race: {}}
END
exits "tpe: ends well" 0 timeout 60 "$rs" run learns.yaml --ranks 1 --progress none
is "tpe: all trials are made" "$(sql learns.db "select count(*) from trials")" 30
ok "tpe: folds are spared" test "$(sql learns.db "select count(*) from units where attempts > 0")" -lt 130

# ---- killed in the midst
study wild "prune: {race: {best: 0}}"
rm -f begun
PACE=0.1 start mpirun -n 2 "$rs" run wild.yaml --progress none
has_lost() { [ "$(sql wild.db "select count(*) from units where reason = 'race'" 2>/dev/null)" -ge 2 ]; }
ok "some trial has lost" wait_for 20 has_lost
kill -9 "$(rank_pid 0)"
wait "$pid" 2>/dev/null
lost() { sql wild.db "select group_concat(unit || ' ' || value, ',') from units where reason = 'race' and unit in ($1)"; }
before=$(sql wild.db "select group_concat(unit) from units where reason = 'race' and state = 'pruned'")
worth=$(lost "$before")
exits "killed, and gone on with" 0 timeout 60 mpirun -n 2 "$rs" run wild.yaml --progress none
is "who had lost has lost, and is worth as much" "$(lost "$before")" "$worth"
is "and the winner is the same" "$(winner wild)" 0.1
ok "with fewer folds" test "$(units_run wild)" -lt 40

done_testing
