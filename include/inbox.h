/* inbox: the folder NAME.out/inbox, where verbs leave requests for the run that has the database. Files only;
 * what is in them is the business of others.
 *
 *   ID.request   by an asker: written beside (.ID.tmp), renamed in
 *   ID.taken     rank 0 has claimed it, by a rename: from now on it cannot be taken back
 *   ID.answer    by rank 0: written beside, renamed in; the asker reads and removes it
 *   NAME.bad     was no request; put aside by rank 0 and reported once
 *
 * An ID begins with the time, so the order of names is the order of asking. A request is claimed before it is
 * read: whoever unlinks ID.request knows that nothing has happened and nothing will. A request that a dead
 * run has left as ID.taken is taken again by the next one, which knows by the ID whether it was carried out.
 *
 * The folder may lie on a network file system, where nobody is told of a change made on another host, and
 * a listing may be some seconds old. So both sides look again every now and then, and before that give the
 * folder to the owner it has: that makes a client ask its server. */
#ifndef INBOX_H
#define INBOX_H

#include "bytes.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- rank 0 ---------------------------------------------------------------------------------- */
struct inbox;
struct inbox_options {
	const char *out_dir; /* the folder is OUT_DIR/inbox; made when it is not there, for its owner only */
	size_t max_bytes;    /* of a request */
	bool network;        /* the folder is on a network file system */
};
int inbox_open(const struct inbox_options *o, struct inbox **out, struct fault *f);
/* Readable when there may be something new; -1: only time tells. */
int inbox_fd(const struct inbox *x);
/* When to call inbox_look at the latest (as now_ms). */
int64_t inbox_due_ms(const struct inbox *x);
/* Look what there is, when the descriptor was readable or it is time. */
void inbox_look(struct inbox *x, bool readable, int64_t now_ms);
/* Claim and read the next request, in order of names: 1; 0: none; -1: something was no request, f says what
 * and where it is now (go on). `id` lives until the next call. */
int inbox_take(struct inbox *x, const char **id, struct bytes *content, struct fault *f);
/* A request that was taken says nothing sensible: put it aside. Returns -1, as inbox_take does; f says why,
 * and gets the rest. */
int inbox_reject(struct inbox *x, const char *id, struct fault *f);
/* Answer a request that was taken, and forget it. */
int inbox_answer(struct inbox *x, const char *id, const void *p, size_t n, struct fault *f);
void inbox_close(struct inbox *x); /* NULL is allowed */

/* ---- an asker -------------------------------------------------------------------------------- */
enum { INBOX_ID = 97 };
/* A new name for a request of this process. */
void inbox_id(char id[INBOX_ID], const char *host, int64_t epoch_ms);
/* 0: it is there; 1: there is no inbox (yet); -1. */
int inbox_put(const char *out_dir, const char *id, const void *p, size_t n, struct fault *f);
/* True: it was still there, so nothing has happened. With `taken`, also one that a run has claimed: for who
 * holds the writer's lock, so that there is no run. */
bool inbox_take_back(const char *out_dir, const char *id, bool taken);
/* 1: read and removed; 0: not there yet; -1. refresh: on a network file system. */
int inbox_get(const char *out_dir, const char *id, size_t max_bytes, bool refresh, struct bytes *answer,
              struct fault *f);
/* A descriptor that is readable when something was renamed in; -1 where that cannot be. close() it. */
int inbox_watch(const char *out_dir);
/* Take what a watch has to tell; true when a name ended so. */
bool inbox_heard(int watch, const char *suffix);

#endif
