#include "cmd.h"

#include <string.h>

int cmd_print_fault(const struct fault *f)
{
	fprintf(stderr, "ranksweep: %s\n", f->text);
	return (int)f->code;
}

int cmd_study_errors(const struct study_errors *e, struct fault *f)
{
	for (uint32_t i = 0; i + 1 < e->count; i++)
		fprintf(stderr, "%s\n", e->items[i].text);
	*f = e->items[e->count - 1];
	return -1;
}

int report_end(const char *db_path, FILE *out, struct fault *f)
{
	(void)db_path;
	(void)out;
	(void)f;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "run"))
		return cmd_run(argc - 1, argv + 1);
	return 64;
}
