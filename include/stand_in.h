/* stand_in: who answers beats while rank 0 is away, in a commit that a disk or a network file system holds
 * up, or in a user's request for a million jobs. After --lost-after workers whose beats nobody answers would
 * end all they run, and begin anew.
 *
 * It takes the frames that come meanwhile, answers the beats in them, and keeps all else in order for rank 0.
 * Nothing is said by it that a commit must come before: a beat's answer only says that somebody is there. */
#ifndef STAND_IN_H
#define STAND_IN_H

#include "roster.h"
#include "wire.h"

/* What rank 0 answers to a beat, whoever answers. Nothing to one that is lost. */
int stand_in_answer(struct wire *w, struct roster *r, uint32_t to, const struct msg *beat, struct fault *f);

struct stand_in;
/* Borrows both, which it uses between begin and end only. NULL where the launch does not let it: allowed
 * below. */
struct stand_in *stand_in_open(struct wire *w, const struct wire_info *info, struct roster *r,
                               int64_t lost_after_ms);
void stand_in_begin(struct stand_in *x);
void stand_in_end(struct stand_in *x);
/* Has it kept any? */
bool stand_in_has(const struct stand_in *x);
/* The next frame it has kept, the beats in which are answered; false: none. Borrowed until the next call. */
bool stand_in_next(struct stand_in *x, uint32_t *from, const unsigned char **frame, size_t *n);
void stand_in_close(struct stand_in *x);

#endif
