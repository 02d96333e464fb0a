/* adviser: one search program as a process: lines to it and from it, its patience and its end. What the lines
 * mean is advice.h's.
 *
 * Nothing here blocks. What is put into adviser_out() leaves when it was released (after the commit) and the
 * program reads it. A program is broken when it cannot be started, ends or closes its stdout while something
 * is asked, ends badly at any time, says a line that is too long, or does not answer in time:
 * adviser_judge(). */
#ifndef ADVISER_H
#define ADVISER_H

#include "bytes.h"
#include "child.h"
#include "fault.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct adviser;
struct adviser_spec {
	uint32_t id; /* from CHILD_COMPANION up */
	const char *const *argv, *const *envp;
	const char *setup; /* NULL: none */
	const char *cwd;
	const char *log_path; /* its stderr is added there */
	const char *title;    /* a line in front of it */
	int64_t answer_ms;
};
int adviser_open(struct adviser **out, struct keeper *k, const struct adviser_spec *s, struct fault *f);
/* Forget it. It has been told to end, or will be with the keeper. */
void adviser_close(struct adviser *a);
/* It has answered all it will be asked: end of file. */
void adviser_dismiss(struct adviser *a);
/* Now, with all it has started. */
void adviser_kill(struct adviser *a);
bool adviser_gone(const struct adviser *a);

enum { ADVISER_FDS = 2 };
void adviser_fds(const struct adviser *a, struct pollfd fds[ADVISER_FDS]);
int64_t adviser_due_ms(const struct adviser *a); /* when it is to be judged again, INT64_MAX: no need */
void adviser_event(struct adviser *a, const struct child_event *e);
/* Read what is there, write what was released. */
void adviser_step(struct adviser *a, int64_t now_ms);
/* 0: all is well. -1: what is wrong, as what follows "the program ". */
int adviser_judge(struct adviser *a, int64_t now_ms, struct fault *f);

struct bytes *adviser_out(struct adviser *a);
bool adviser_has_room(const struct adviser *a);   /* for a few more lines */
bool adviser_holds_back(const struct adviser *a); /* is there something to be released? */
void adviser_release(struct adviser *a, int64_t now_ms);
/* An answer is awaited from now on; or not any more. */
void adviser_expect(struct adviser *a, bool answer, int64_t now_ms);
bool adviser_has_line(struct adviser *a);
/* The next line that is not blank, without its end; NULL: none yet. Good until the next call for this one. */
const char *adviser_line(struct adviser *a, size_t *n);
/* What it said and nobody took. */
struct bytes *adviser_said(struct adviser *a);
/* The end of what it wrote to stderr in this life, at most cap - 1 bytes. */
void adviser_last_words(const struct adviser *a, char *buf, size_t cap);

#endif
