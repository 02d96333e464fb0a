#include "fault.h"
#include "study.h"
#include <stdio.h>
int cmd_run(int argc, char **argv);
int cmd_print_fault(const struct fault *f);
int cmd_study_errors(const struct study_errors *e, struct fault *f);
int report_end(const char *db_path, FILE *out, struct fault *f);
