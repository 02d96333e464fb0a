#!/usr/bin/env bash
# The guard of layering finds what it is there for: each case is a small tree with one thing wrong.
. tests/lib/tap.sh

# tree FILE TEXT...: a tree that is in order, and these files in it
tree() {
    rm -rf tree
    mkdir -p tree/include tree/src/{base,core,search,edge,drive,cmd} tree/tests/unit tree/jobs
    local module
    for module in base/fault core/plan search/grid edge/store drive/leader cmd/main; do
        touch "tree/include/${module#*/}.h"
        echo "#include \"${module#*/}.h\"" >"tree/src/$module.c"
    done
    while [ $# -gt 0 ]; do
        printf '%b\n' "$2" >>"tree/$1"
        shift 2
    done
}

guard() {
    "$top/scripts/lint-layers" tree 2>&1
}

# refused NAME REGEX FILE TEXT...
refused() {
    local name=$1 regex=$2
    shift 2
    tree "$@"
    not_ok "$name" guard
    like "$name: says so" "$(guard)" "$regex"
}

tree
ok "an orderly tree passes" guard
tree src/cmd/main.c '#include "store.h"\n#include "plan.h"' src/search/grid.c '#include "plan.h"\n#include <math.h>' \
    src/edge/store.c '#include "fault.h"\n#include <sqlite3.h>' include/plan_rows.h '#include "plan.h"' \
    src/core/plan.c '#include "plan_rows.h"'
ok "and so does one that uses what it may" guard
tree include/ranksweep.h '#include <signal.h>' jobs/report.h '' jobs/mlp.c '#include "ranksweep.h"\n#include "report.h"'
ok "a trainer includes the public header, and its own" guard

refused "base includes core" 'src/base/fault.c: base may not include "plan.h" of core' \
    src/base/fault.c '#include "plan.h"'
refused "core includes search" 'core may not include "grid.h"' src/core/plan.c '# include  "grid.h"'
refused "core includes edge" 'core may not include "store.h"' src/core/plan.c '#include "store.h"'
refused "edge includes core" 'edge may not include "plan.h"' src/edge/store.c '#include "plan.h"'
refused "drive includes cmd" 'drive may not include "main.h"' src/drive/leader.c '#include "main.h"'
refused "a header counts like its module" 'include/fault.h: base may not include "plan.h"' \
    include/fault.h '#include "plan.h"'
refused "a part of a module counts like it" 'base may not include "plan_rows.h" of core' \
    include/plan_rows.h '' src/base/fault.c '#include "plan_rows.h"'
refused "a header without a module" 'which layer' include/stray.h ''
refused "a header beside its source" 'headers live in include/' src/core/plan_private.h ''
refused "core reads a clock" '<time.h> is not for the pure layers' src/core/plan.c '#include <time.h>'
refused "a pure header reads files" 'include/plan.h: <unistd.h> is not' include/plan.h '#include <unistd.h>'
refused "core includes SQLite" 'only .* may include <sqlite3.h>' src/core/plan.c '#include <sqlite3.h>'
refused "a second file includes MPI" 'src/drive/leader.c: only src/edge/wire' src/drive/leader.c '#include <mpi.h>'
refused "core includes the public header" 'core may not include "ranksweep.h" of public' \
    include/ranksweep.h '' src/core/plan.c '#include "ranksweep.h"'
refused "cmd too" 'may not include "ranksweep.h"' include/ranksweep.h '' src/cmd/main.c '#include "ranksweep.h"'
refused "the public header includes ours" 'public may not include "fault.h" of base .only: nothing of ours' \
    include/ranksweep.h '#include "fault.h"'
refused "the public header knows MPI" 'ranksweep.h: only .* may include <mpi.h>' include/ranksweep.h '#include <mpi.h>'
refused "a trainer includes ours" 'jobs/mlp.c: a trainer may include the public header, not "plan.h"' \
    jobs/mlp.c '#include "plan.h"'
refused "a test includes MPI" 'tests/unit/test_x.c: only src/edge/wire' tests/unit/test_x.c '#include <mpi.h>'
refused "a second file includes libfyaml" 'only src/base/yaml' src/core/plan.c '#include <libfyaml.h>'
done_testing
