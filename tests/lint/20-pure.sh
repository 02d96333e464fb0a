#!/usr/bin/env bash
# The guard of purity finds what it is there for: each case is a library of one object with one thing wrong.
. tests/lib/tap.sh

# library OBJECT TEXT
library() {
    rm -f ./*.o lib.a
    printf '%b\n' "$2" >"$1.c"
    cc -std=c11 -O2 -D_POSIX_C_SOURCE=200809L -c -o "$1.o" "$1.c" && ar rcs lib.a "$1.o"
}

guard() {
    "$top/scripts/lint-pure" lib.a 2>&1
}

# refused SYMBOL TEXT
refused() {
    library plan "$2"
    not_ok "$1 is refused" guard
    like "$1 is named" "$(guard)" "plan.o (uses $1|has .*$1)"
}

library plan '#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\n#include <math.h>
static const char *const names[] = {"a", "b"};
int f(char *s, double x, unsigned i) { return snprintf(s, 9, "%s%g", names[i], exp(x)) + (int)strtod(s, 0); }'
ok "functions of their arguments pass" guard
refused malloc '#include <stdlib.h>\nvoid *f(void) { return malloc(3); }'
refused strdup '#include <string.h>\nchar *f(char *s) { return strdup(s); }'
refused puts '#include <stdio.h>\nvoid f(const char *s) { puts(s); }'
refused getenv '#include <stdlib.h>\nchar *f(void) { return getenv("x"); }'
refused clock_gettime '#include <time.h>\nint f(struct timespec *t) { return clock_gettime(CLOCK_REALTIME, t); }'
refused rand '#include <stdlib.h>\nint f(void) { return rand(); }'
refused exit '#include <stdlib.h>\nvoid f(void) { exit(1); }'
refused fork '#include <unistd.h>\nint f(void) { return fork(); }'
refused open '#include <fcntl.h>\nint f(void) { return open("x", 0); }'
refused fopen '#include <stdio.h>\nFILE *f(void) { return fopen("x", "r"); }'
refused sqlite3_open 'int sqlite3_open(void);\nint f(void) { return sqlite3_open(); }'
refused MPI_Init 'int MPI_Init(void);\nint f(void) { return MPI_Init(); }'
refused writable 'static int n;\nint f(void) { return ++n; }'
refused writable 'int n = 3;'
library arena '#include <stdlib.h>\nvoid *f(void) { return malloc(3); }'
ok "an arena may allocate" guard
library arena '#include <stdlib.h>\nchar *f(void) { return getenv("x"); }'
not_ok "but not read the environment" guard
done_testing
