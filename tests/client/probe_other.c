/* Another file of the probe: what one file of a program has seen, the others know. */
#include "ranksweep.h"

#ifdef __cplusplus
extern "C" {
#endif
int other_should_stop(void);

int other_should_stop(void)
{
	return ranksweep_shared_.stop && ranksweep_should_stop();
}
#ifdef __cplusplus
}
#endif
