/* inquire: run another program for the sake of its answer, and never wait for it longer than was said. No
 * shell.
 */
#ifndef INQUIRE_H
#define INQUIRE_H

#include "fault.h"

#include <stdint.h>

enum { INQUIRE_OUT = 8192, INQUIRE_ERR = 2048 };
struct inquiry {
	int status;                                      /* 0..255, or -1 for a signal */
	char out[INQUIRE_OUT + 1], err[INQUIRE_ERR + 1]; /* as much of both as fits */
};
/* argv[0] is looked up in PATH. 0: it answered. -1: it is not there or gave no answer in time (FAULT_WORKER;
 * the text says which); what it has started is killed then. */
int inquire_program(const char *const *argv, int64_t limit_ms, struct inquiry *a, struct fault *f);

#endif
