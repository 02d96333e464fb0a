#!/usr/bin/env bash
# --json of every verb: one valid document without a key twice, with the keys that the README promises.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >s.yaml <<'YAML'
study: s
seed: 1
metric: err
goal: minimize
folds: {outer: 2, inner: 2}
phases:
  look:
    command: sh -c 'echo "@metric err=0.$0 loss=nan step=1"; test $0 != 3 || exit 4' {c}
    params: {c: [1, 2, 3]}
    search: grid
  test:
    after: {look: best}
    folds: outer
    command: sh -c 'printf "not \377 UTF-8 \001 \"\\\\\n"; echo "@metric err=0.$0"' {outer_fold}1
YAML
exits "a nested study with failures runs" 1 "$rs" run s.yaml --ranks 1 --progress none
mkdir many
sed 's/^study: s/study: many/; s/c: \[1, 2, 3\]/c: [1, 2, 4, 5, 6, 7, 8, 9, 10, 11]/' s.yaml >many/many.yaml
exits "one with more trials too" 0 "$rs" run many/many.yaml --db many/many.db --ranks 1 --progress none
unit=$(sql s.db "select min(unit) from units where phase = 'test'")
failed=$(sql s.db "select min(unit) from units where state = 'failed'")
trial=$(sql s.db "select trial from units where unit = $failed")

# document DOC: what the README calls so
document() {
    case $1 in
    check) "$rs" check s.yaml --json ;;
    'show UNIT') "$rs" show "$unit" --json && "$rs" show "$failed" --json ;;
    'show trial=N') "$rs" show trial="$trial" --json ;;
    log) "$rs" log "$unit" --json ;;
    'results --group') "$rs" results --group c --json ;;
    'results --importance') "$rs" results many/many.db --importance --json ;;
    graph) for level in phase trial unit; do "$rs" graph --level "$level" --json || return; done ;;
    *) "$rs" "$1" --json ;;
    esac
}
documents=(check status list 'show UNIT' 'show trial=N' log results 'results --group' 'results --importance' best graph)
for d in "${documents[@]}"; do
    exits "$d prints" 0 document "$d"
    cp out "$d.json"
done

if command -v python3 >/dev/null; then
    cat >strict.py <<'PY'
import json, sys

def once(pairs):
    keys = [k for k, _ in pairs]
    if len(set(keys)) < len(keys):
        sys.exit("a key twice: " + " ".join(keys))
    return dict(pairs)

def no_constant(text):
    sys.exit(text + " is no JSON")

text, at, n = open(sys.argv[1], encoding="utf-8").read(), 0, 0
decoder = json.JSONDecoder(object_pairs_hook=once, parse_constant=no_constant)
while text[at:].strip():
    at += len(text[at:]) - len(text[at:].lstrip())
    at = decoder.raw_decode(text, at)[1]
    n += 1
print(n)
PY
    for d in "${documents[@]}"; do
        like "$d is JSON to others" "$(python3 strict.py "$d.json" 2>&1)" "^[123]$"
    done
    is "and one document a call" "$(for d in check status list log results best; do python3 strict.py $d.json; done | sort -u)" 1
else
    skip "JSON to others" "no python3 here"
fi
for d in check status list log results best; do
    is "$d is JSON to SQLite" "$(sqlite3 :memory: "select json_valid(cast(readfile('$d.json') as text))")" 1
done

# Rows of the README's table: | `document` | `part` | `keys`...; an empty first field goes on with the document above.
sed -n '/^### JSON$/,/^### States/p' "$top/README.md" | grep '^| ' | tail -n +3 >rows
like "the README has the table" "$(wc -l <rows)" "^[23][0-9]$"
doc=
while IFS='|' read -r _ name part keys _; do
    name=$(sed -n 's/^ *`\(.*\)` *$/\1/p' <<<"$name")
    doc=${name:-$doc}
    part=$(sed -n 's/^ *`\([^`]*\)`.*/\1/p' <<<"$part")
    [[ $keys == *" as "* ]] && continue
    got=$(jq -r "[$part | objects | keys_unsorted | join(\" \")] | unique[]" "$doc.json" | sort -u)
    [ -n "$got" ] || fail "$doc $part is there"
    while read -r line; do
        like "$doc $part has the keys of the README" "$keys" "\`$line\`"
    done <<<"$got"
done <rows
is "best has those of results" "$(jq -c '.[0] | keys_unsorted' best.json)" "$(jq -c '.trials[0] | keys_unsorted' results.json)"

is "what JSON cannot say is a text" "$(jq -c '.metrics[] | select(.metric == "loss") | [.n, .not_finite, .min, .last]' 'show UNIT.json')" '[1,1,null,"nan"]'
is "bytes that are no text do not spoil it" "$(jq -r '.[0].text' log.json | head -n 1)" $'not \xef\xbf\xbd UTF-8 \001 "\\'

# ---- when there is nothing to print --------------------------------------------------------------------------------
is "best: one of each outer fold" "$("$rs" best --phase look --json | jq -c '[.[] | .outer_fold]')" '[0,1]'
sed 's/study: s/study: none/; s/err=0.\$0/other=1/' s.yaml >none.yaml
exits "nothing is complete" 1 "$rs" run none.yaml --ranks 1 --progress none
exits "best says so by its status" 1 "$rs" best none.db --json
is "and prints an empty list" "$(cat out)" "[]"
exits "an unknown unit" 64 "$rs" show s.db 4711 --json
is "prints nothing on stdout" "$(cat out)" ""
exits "nor does an unknown phase" 64 "$rs" results s.db --phase lok --json
is "print anything" "$(cat out)" ""
sed 's/goal: minimize/goal: minimise/' s.yaml >bad.yaml
exits "check of a wrong study" 65 "$rs" check bad.yaml --json
like "has the errors as JSON" "$(jq -c '[.study, (.errors | length), .errors[0]]' out)" '^\[null,1,"bad.yaml:4:7: '
done_testing
