#include "fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct fault *f, size_t wanted)
{
	if (wanted >= sizeof f->text)
		memcpy(f->text + sizeof f->text - 4, "...", 4);
}

int(fault_set)(struct fault *f, enum fault_code code, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!f)
		return -1;
	f->code = code;
	va_start(ap, fmt);
	n = vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	mark_cut(f, n < 0 ? 0 : (size_t)n);
	return -1;
}

int(fault_context)(struct fault *f, const char *fmt, ...)
{
	char old[sizeof f->text];
	va_list ap;
	int n, m;

	if (!f)
		return -1;
	memcpy(old, f->text, sizeof old);
	va_start(ap, fmt);
	n = vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof f->text) {
		mark_cut(f, sizeof f->text);
		return -1;
	}
	m = snprintf(f->text + n, sizeof f->text - (size_t)n, ": %s", old);
	mark_cut(f, (size_t)n + (m < 0 ? 0 : (size_t)m));
	return -1;
}
