# doubles: for tests of what is lost: a study whose units tell when one of them runs twice at a time, in the file
# `doubles`. They end when there is a file `go`.
# shellcheck shell=bash
# Holds a lock as long as anything of it lives: whoever comes while it is held is a double.
cat >train.sh <<'END'
exec 9>>"lock.$RANKSWEEP_UNIT"
flock -n 9 || echo "$RANKSWEEP_UNIT" >>doubles
until [ -e go ]; do sleep 0.05; done
echo "@metric err=$1"
END
: >doubles
study() { # NAME UNITS
    cat <<END
study: $1
metric: err
goal: minimize
defaults: {grace: 200ms, retries: 0}
phases:
  a:
    command: sh train.sh {x}
    params: {x: "range(1, $(($2 + 1)), 1)"}
    search: grid
END
}
