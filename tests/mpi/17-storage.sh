#!/usr/bin/env bash
# The disk under a run: full, locked, gone, overwritten. It ends with 74 and a sentence, and what was done stays done.
# shellcheck disable=SC2154,SC2317 # rs is set by tap.sh, functions are called by name
. tests/lib/tap.sh

study() { # NAME
    cat <<YAML
study: $1
metric: loss
goal: minimize
phases:
  a:
    command: sh -c 'head -c 20000 /dev/urandom | base64; echo "@metric loss={x}"; until [ {x} -lt 30 -o -e go ]; do sleep 0.05; done'
    params: {x: "range(0, 60, 1)"}
    search: grid
YAML
}
done_units() { sql "$1" "select count(*) from units where state = 'done'"; }
some_done() { [ "$(done_units "$1" 2>/dev/null || echo 0)" -ge 20 ]; }

# ---- full ----
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    cat >full.sh <<SH
mkdir disk && mount -t tmpfs -o size=700k none disk || exit 99
touch go
"$rs" run full.yaml --ranks 3 --db disk/full.db --progress none >first 2>&1
echo \$? >status
sqlite3 disk/full.db "pragma integrity_check" >sound
sqlite3 disk/full.db "select unit from units where state = 'done'" >before
mount -o remount,size=64m disk
"$rs" run full.yaml --ranks 3 --db disk/full.db --progress none >second 2>&1
echo \$? >>status
sqlite3 disk/full.db "select count(*), sum(failures) from units where state = 'done'" >after
sqlite3 disk/full.db "select unit from units where attempts = 1" >once
umount disk
SH
    study full >full.yaml
    unshare -m sh full.sh
    is "a full disk ends the run with 74, and with room again it goes on" "$(tr '\n' ' ' <status)" "74 0 "
    like "it says so" "$(cat first)" "full.*(disk full|No space left)"
    is "the database is sound" "$(cat sound)" ok
    is "some was done, and not all" "$([ -s before ] && [ "$(wc -l <before)" -lt 60 ] && echo yes)" yes
    is "in the end all is, and nothing has failed" "$(cat after)" "60|0"
    is "what was done was not done again" "$(sort before | comm -23 - <(sort once))" ""
else
    skip "a full disk: only root may mount one"
fi

# ---- taken away ----
study gone >gone.yaml
rm -f go
"$rs" run gone.yaml --ranks 3 --progress none >out 2>&1 &
launch=$!
wait_for 60 some_done gone.db
was=$(done_units gone.db)
rm gone.db
touch go
wait_exit 60 "$launch"
is "a database that is removed ends the run with 74" $? 74
like "what was stored was kept" "$(cat out)" "gone.db was removed or replaced while it was in use.*gone.db.rescued"
mv gone.db.rescued gone.db
is "all that was done is in it" "$([ "$(done_units gone.db)" -ge "$was" ] && echo yes)" yes
exits "and the run goes on with it" 0 "$rs" run gone.yaml --ranks 3 --progress none
is "to its end" "$(sql gone.db "select count(*), max(attempts) < 3 from units where state = 'done'")" "60|1"

# ---- held by somebody else ----
study held >held.yaml
rm -f go
"$rs" run held.yaml --ranks 3 --progress none >out 2>&1 &
launch=$!
wait_for 60 some_done held.db
mkfifo hold
sqlite3 held.db <hold >/dev/null &
holder=$!
exec 7>hold
echo "begin immediate; select 1;" >&7
touch go
sleep 1 # somebody who writes into it by hand, and takes a second for it
echo "commit;" >&7
exec 7>&-
wait "$holder"
wait_exit 60 "$launch"
is "a writer who holds the database for a while is waited for" $? 0
is "nothing is lost by that" "$(done_units held.db)" 60

# ---- overwritten ----
study torn >torn.yaml
touch go
"$rs" run torn.yaml --ranks 3 --progress none >/dev/null 2>&1
size=$(stat -c %s torn.db)
for at in 0 100 $((size / 3)) $((size / 2)) $((size - 3000)); do
    cp torn.db t.db
    head -c 3000 /dev/urandom | dd of=t.db bs=1 seek="$at" conv=notrunc 2>/dev/null
    for verb in "run t.db --ranks 2 --progress none" "status t.db" "results t.db" "list t.db" "show t.db 1"; do
        # shellcheck disable=SC2086 # words
        timeout 60 "$rs" $verb >/dev/null 2>err
        status=$?
        case $status in
        0 | 64 | 74 | 75) ;;
        *) is "random bytes at $at: $verb" "$status $(cat err)" "an exit status for damage" ;;
        esac
    done
done
is "random bytes in the file crash no verb" "$(find . -name 'core*')" ""
done_testing
