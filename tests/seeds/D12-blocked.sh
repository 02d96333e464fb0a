#!/usr/bin/env bash
# D12. When a job did not finish correctly, those after it do not start. That works when they never start, are shown as
# blocked with the job that is the cause, and other branches go on.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >job.sh <<'END'
echo "$RANKSWEEP_PHASE $1" >>ran
[ "$RANKSWEEP_PHASE $1" != "pre bad" ] || exit 5
echo "@metric m=1"
END
cat >s.yaml <<'END'
study: block
metric: m
goal: minimize
phases:
  pre: {command: 'sh job.sh {x}', params: {x: [good, bad, fine]}, search: grid}
  fine: {after: pre, command: 'sh job.sh {x}'}
  test: {after: fine, command: 'sh job.sh {x}'}
  aside: {command: sh job.sh alone}
END
exits "one of three chains breaks" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "nothing after the break was started, all else was" "$(sort ran | tr '\n' ',')" "aside alone,fine fine,fine good,pre bad,pre fine,pre good,test fine,test good,"
broken=$(sql block.db "select unit from units where state='failed'")
is "children and their children are blocked, by the one that failed" "$("$rs" list block.db state=blocked --json | jq -c '[.[] | [.phase, .reason]]')" \
    "[[\"fine\",\"unit $broken\"],[\"test\",\"unit $broken\"]]"
is "they have no attempt" "$(sql block.db "select sum(attempts) from units where state='blocked'")" 0
like "status shows them" "$("$rs" status block.db)" "blocked"
like "and so does one of them" "$("$rs" show block.db "$(sql block.db "select min(unit) from units where state='blocked'")")" "blocked.*unit $broken"
exits "run again, it is still so" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "and nothing else was done" "$(wc -l <ran)" 8
exits "with one more try and the mistake mended" 0 sh -c "sed -i /exit/d job.sh; sed -i 's/^metric: m/&\ndefaults: {retries: 1}/' s.yaml; timeout 30 '$rs' run s.yaml --ranks 1 --progress none"
is "what was blocked runs" "$(tail -n 3 ran | tr '\n' ',')" "pre bad,fine bad,test bad,"
done_testing
