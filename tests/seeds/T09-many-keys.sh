#!/usr/bin/env bash
# Trap 9. The view of results ended at 64 columns. Now a hundred parameters and two hundred metrics go in, and come out
# everywhere.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

{
    echo "study: wide
metric: m_150
goal: minimize
phases:
  a:
    command: sh job.sh {args}
    search: grid
    params:
      x: [2, 1]"
    for i in $(seq 100); do echo "      param_$i: $i"; done
} >s.yaml
cat >job.sh <<'END'
echo "$# ${202}" >args
line=@metric
i=1
while [ $i -le 200 ]; do
    line="$line m_$i=$((i * $2))"
    i=$((i + 1))
done
echo "$line"
END
exits "it runs" 0 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
is "all parameters reached the job" "$(cat args)" "202 100"
is "and are in the results" "$(trials wide.db | jq -c '[.[0].params | length, .param_100, .param_65]')" "[101,100,65]"
is "all metrics are kept" "$(sql wide.db "select count(distinct name) from metrics where unit=1")" 200
is "and shown" "$("$rs" show wide.db 1 --json | jq -c '[(.metrics | length), (.metrics[] | select(.metric == "m_200") | .last)]')" "[200,400]"
is "one far behind the 64th decides" "$("$rs" best wide.db --json | jq -c '.[0] | [.value, .params.x]')" "[150,1]"
is "a selector finds by one" "$("$rs" list wide.db param_99=99 x=1 --json | jq length)" 1
is "and the view" "$(sql wide.db "select count(*) from params where trial=1")" 101
done_testing
