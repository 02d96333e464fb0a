/* keep: `keep: best N` of a phase. Once everything is done nobody needs the folders of its other trials any
 * more. */
#ifndef KEEP_H
#define KEEP_H

#include "sched.h"

/* Remove what the study does not want kept; trials that failed keep theirs, for a look. Once, at the end of a
 * study: O(trials log trials). What cannot be removed is skipped, and told in f. */
void keep_best(const struct study *s, const struct sched *sched, const char *out_dir, struct arena *scratch,
               struct fault *f);

#endif
