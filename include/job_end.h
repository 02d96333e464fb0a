/* job_end: when the batch system will end the job we are in. */
#ifndef JOB_END_H
#define JOB_END_H

#include "fault.h"

#include <stdint.h>

/* In epoch ms; 0: never. `job` as host_batch_job says it. Asks squeue, scontrol or qstat where the
 * environment does not say; that may take some seconds, and starts processes: before MPI_Init. -1: it cannot
 * be told (FAULT_WORKER). */
int job_end_find(const char *job, int64_t *end_ms, struct fault *f);

#endif
