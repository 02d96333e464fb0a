#!/usr/bin/env bash
# A2. It lies beneath whatever people already use, and imposes no framework. That works when any executable can be
# a trainer: its exit status and lines of text are all it has to bring, and other programs can read what came of it.
# shellcheck disable=SC2016,SC2317 # scripts in quotes, functions called by name
. tests/lib/tap.sh

cat >compiled.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int c, char **v)
{
	printf("training on %s\n", v[1]);
	printf("@metric error=%g\n", atof(v[2]) * atof(v[2]));
	return c != 3;
}
END
cc -o compiled compiled.c
cat >old_tool <<'END'
#!/usr/bin/awk -f
# knows nothing of anybody
BEGIN { print "epoch 1, validation error: 0.5"; print "epoch 2, validation error: " ARGV[1] / 10; exit 0 }
END
chmod +x old_tool
cat >quiet.sh <<'END'
# its stdout is a file format of its own
printf 'P6 1 1 255 @metric error=77\n'
echo "error=0.25 loss=1.5 step=3" >&3
END
cat >s.yaml <<'END'
study: any
metric: error
goal: minimize
phases:
  compiled: {command: [./compiled, "a file with blanks", '{x}'], params: {x: [0.5, 3]}, search: grid}
  script: {command: './old_tool {x}', params: {x: [1, 2]}, search: grid, capture: {error: 'error: ([0-9.]+)'}}
  descriptor: {command: sh quiet.sh}
  no_number: {command: test -e s.yaml, metric: none}
  bad_status: {command: test -e nowhere, metric: none}
END
exits "five programs, one of which says by its status that it failed" 1 timeout 30 "$rs" run s.yaml --ranks 1 --progress none
trials any.db >results.json
value() { jq -c "[.[] | select(.phase == \"$1\") | .value]" results.json; }
is "a compiled program" "$(value compiled)" "[0.25,9]"
is "a script that was there before" "$(value script)" "[0.1,0.2]"
is "a program whose stdout is taken" "$(value descriptor)" "[0.25]"
is "a status is enough" "$("$rs" list any.db --json | jq -c '[.[] | select(.phase == "no_number" or .phase == "bad_status") | .state]')" '["done","failed"]'
is "an argument with blanks arrives as one" "$("$rs" log any.db "$(sql any.db "select min(unit) from units where phase='compiled'")" --stdout | head -n 1)" "training on a file with blanks"
is "each metric it wrote is kept" "$("$rs" show any.db "$(sql any.db "select unit from units where phase='descriptor'")" --json | jq -c '[.metrics[] | [.metric, .last, .step]] | sort')" \
    '[["error",0.25,3],["loss",1.5,3]]'
done_testing
