#include "report.h"

#include "ranksweep.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "trainer";

void report_program(const char *name)
{
	program = name;
}

void report_metric(const char *name, double value, int step)
{
	ranksweep_metric_step(name, value, step);
}

static void say(const char *kind, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s: %s", program, kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void report_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void report_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void report_die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	exit(status);
}

void *must_alloc(size_t n, size_t size)
{
	enum { ALIGN = 64 };
	void *p = NULL;

	if (n > SIZE_MAX / 2 / size || posix_memalign(&p, ALIGN, n ? n * size : 1) != 0)
		report_die(EXIT_FAILED, "no memory for %zu x %zu bytes", n, size);
	memset(p, 0, n ? n * size : 1);
	return p;
}
