#include "text.h"
#include "bytes.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t text_int(char buf[TEXT_NUMBER], int64_t v)
{
	char digits[TEXT_NUMBER];
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	size_t n = 0, len = 0;

	do
		digits[n++] = (char)('0' + rest % 10);
	while (rest /= 10);
	if (v < 0)
		buf[len++] = '-';
	while (n)
		buf[len++] = digits[--n];
	buf[len] = '\0';
	return len;
}

/* A fraction from a thousandth up, as most parameters and results are, without a dozen tries of printf and
 * strtod. v = m / 2^s; in units of 10^-k, with 17 digits before the point, that is m * 10^k / 2^s, exactly,
 * in 128 bits. The nearest multiples of 100, of 10 and of 1 of these units are v in 15, 16 and 17 digits, and
 * what is within half a unit of m reads back as v. (Just below a power of two the doubles are denser; but
 * those powers that are fractions and come here have ten digits at most.) */
__extension__ typedef unsigned __int128 uint128;

static size_t put_fixed(char *buf, uint64_t n, int places)
{
	uint64_t unit = 1;
	size_t len;

	for (; n % 10 == 0; places--)
		n /= 10;
	for (int i = 0; i < places; i++)
		unit *= 10;
	len = text_int(buf, (int64_t)(n / unit));
	buf[len++] = '.';
	for (n %= unit; unit > 1; n %= unit) {
		unit /= 10;
		buf[len++] = (char)('0' + n / unit);
	}
	buf[len] = '\0';
	return len;
}

/* 0: not such a number. */
static size_t put_fraction(char *buf, double v)
{
	int exponent, s, k = 1;
	uint64_t m = (uint64_t)ldexp(frexp(v, &exponent), 53), ten = 10; /* 10^k */
	uint128 exact;

	if (v < 1e-3 || v >= 1e15)
		return 0;
	for (s = 53 - exponent; (uint128)m * ten >> s < 10000000000000000; k++)
		ten *= 10;
	exact = m * (uint128)ten;
	for (uint64_t unit = 100;; unit /= 10) {
		uint64_t n = (uint64_t)(exact >> s) / unit * unit;
		uint128 whole = (uint128)unit << s, rest = exact - ((uint128)n << s);

		if (rest * 2 > whole || (rest * 2 == whole && n / unit % 2)) {
			n += unit;
			rest = whole - rest;
		}
		if (unit == 1 || rest * 2 < ten)
			return put_fixed(buf, n, k);
	}
}

size_t text_double(char buf[TEXT_NUMBER], double v)
{
	size_t len;

	if (isnan(v))
		return (size_t)snprintf(buf, TEXT_NUMBER, "nan");
	if (isinf(v))
		return (size_t)snprintf(buf, TEXT_NUMBER, v > 0 ? "inf" : "-inf");
	if (fabs(v) < 1e15 && v == floor(v) && !(v == 0 && signbit(v)))
		return text_int(buf, (int64_t)v);
	buf[0] = '-';
	if ((len = put_fraction(buf + (v < 0), fabs(v))))
		return len + (v < 0);
	/* Any decimal of up to 15 digits survives the way through a double, and %g strips its zeros: the
	 * shortest text is that, or it has 16 or 17 digits. Only numbers below the normal range have less to
	 * lose. */
	for (int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG;; digits++) {
		int n = snprintf(buf, TEXT_NUMBER, "%.*g", digits, v);

		if (digits >= DBL_DECIMAL_DIG || strtod(buf, NULL) == v)
			return (size_t)n;
	}
}

/* strtod takes hex floats and leading blanks; what people write as a number does not. */
static bool looks_like_number(const char *s, size_t n)
{
	size_t i = n && (s[0] == '-' || s[0] == '+') ? 1 : 0;
	const char *w = s + i;

	if (i < n && (isdigit((unsigned char)*w) || *w == '.')) {
		for (; i < n; i++)
			if (!isdigit((unsigned char)s[i]) && !memchr("+-.eE", s[i], 5))
				return false;
		return true;
	}
	n -= i;
	return (n == 3 && (!strncasecmp(w, "nan", 3) || !strncasecmp(w, "inf", 3))) ||
	       (n == 8 && !strncasecmp(w, "infinity", 8));
}

bool text_parse_double(const char *s, size_t n, double *out)
{
	char buf[512], *end;

	if (n == 0 || n >= sizeof buf || !looks_like_number(s, n))
		return false;
	memcpy(buf, s, n);
	buf[n] = 0;
	*out = strtod(buf, &end);
	return end == buf + n;
}

bool text_parse_int(const char *s, size_t n, int64_t *out)
{
	bool neg = n && s[0] == '-';
	uint64_t v = 0, max = (uint64_t)INT64_MAX + (neg ? 1 : 0);
	size_t i = n && (s[0] == '-' || s[0] == '+') ? 1 : 0;

	if (i == n)
		return false;
	for (; i < n; i++) {
		unsigned d = (unsigned)(s[i] - '0');

		if (d > 9 || v > (max - d) / 10)
			return false;
		v = v * 10 + d;
	}
	*out = neg ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

static const double max_ms = 1e15; /* 31,000 years: anything longer is a mistake */

/* [[DD-]HH:]MM:SS */
static bool parse_clock(const char *s, int64_t *out_ms)
{
	static const double scale[] = {1, 60, 3600}; /* from the right: SS, MM, HH */
	const char *dash = strchr(s, '-');
	double total = 0, days = 0, v;
	const char *end = s + strlen(s);
	int fields = 0;

	if (dash) {
		if (!text_parse_double(s, (size_t)(dash - s), &days) || days < 0)
			return false;
		s = dash + 1;
	}
	for (;;) {
		const char *p = end;

		while (p > s && p[-1] != ':')
			p--;
		if (fields == 3 || !text_parse_double(p, (size_t)(end - p), &v) || !(v >= 0))
			return false;
		total += v * scale[fields++];
		if (p == s)
			break;
		end = p - 1;
	}
	total = (total + days * 86400) * 1000;
	if (fields < 2 || !(total < max_ms))
		return false;
	*out_ms = (int64_t)(total + 0.5);
	return true;
}

static double unit_ms(const char *s, size_t n)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"ms", 1},     {"s", 1e3},     {"m", 60e3},    {"min", 60e3},
	             {"h", 3600e3}, {"d", 86400e3}, {"w", 604800e3}};

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strlen(units[i].name) == n && !memcmp(units[i].name, s, n))
			return units[i].ms;
	return 0;
}

bool text_parse_duration_ms(const char *s, int64_t *out_ms)
{
	double total = 0, last = INFINITY, v;

	if (strchr(s, ':'))
		return parse_clock(s, out_ms);
	if (text_parse_double(s, strlen(s), &v)) {
		if (!(v >= 0 && v * 1000 < max_ms))
			return false;
		*out_ms = (int64_t)(v * 1000 + 0.5);
		return true;
	}
	while (*s) {
		size_t digits = strspn(s, "0123456789."), letters = strspn(s + digits, "mshdwin");
		double unit = unit_ms(s + digits, letters);

		/* units must get smaller: 1h30m, not 30m1h */
		if (!digits || unit == 0 || unit >= last || !text_parse_double(s, digits, &v))
			return false;
		total += v * unit;
		last = unit;
		s += digits + letters;
	}
	if (last == INFINITY || !(total < max_ms))
		return false;
	*out_ms = (int64_t)(total + 0.5);
	return true;
}

bool text_parse_size_bytes(const char *s, int64_t *out)
{
	size_t digits = strspn(s, "0123456789.");
	const char *u = s + digits;
	double v, scale = 1;
	static const char units[] = "KMGTP";

	if (!text_parse_double(s, digits, &v))
		return false;
	if (*u) {
		const char *k = strchr(units, toupper((unsigned char)*u));

		if (k) {
			for (const char *p = units; p <= k; p++)
				scale *= 1024;
			u++;
			if (*u == 'i' && u[1] == 'B')
				u++;
		}
		if (*u == 'B')
			u++;
		if (*u)
			return false;
	}
	v *= scale;
	if (!(v >= 0 && v < 9e18))
		return false;
	*out = (int64_t)v;
	return true;
}

size_t text_duration(char buf[TEXT_NUMBER], int64_t ms)
{
	long long s = (ms + 500) / 1000;
	int n;

	if (ms < 1000)
		n = snprintf(buf, TEXT_NUMBER, "%lldms", (long long)ms);
	else if (ms < 10000)
		n = snprintf(buf, TEXT_NUMBER, "%.1fs", (double)ms / 1000);
	else if (s < 60)
		n = snprintf(buf, TEXT_NUMBER, "%llds", s);
	else if (s < 3600)
		n = snprintf(buf, TEXT_NUMBER, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		n = snprintf(buf, TEXT_NUMBER, "%lldh%02lldm", s / 3600, s % 3600 / 60);
	else
		n = snprintf(buf, TEXT_NUMBER, "%lldd%02lldh", s / 86400, s % 86400 / 3600);
	return (size_t)n;
}

/* Optimal string alignment over three rolling rows; words longer than 63 letters are never near. */
size_t text_distance(const char *a, const char *b, size_t cap)
{
	enum { MAX = 64 };
	size_t la = strlen(a), lb = strlen(b), rows[3][MAX + 1];
	size_t *two = rows[0], *one = rows[1], *now = rows[2];

	if (la >= MAX || lb >= MAX)
		return cap;
	for (size_t j = 0; j <= lb; j++)
		one[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *t = two;

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t d = one[j - 1] + (a[i - 1] != b[j - 1]);

			d = d < one[j] + 1 ? d : one[j] + 1;
			d = d < now[j - 1] + 1 ? d : now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two[j - 2] + 1 < d)
				d = two[j - 2] + 1;
			now[j] = d;
		}
		two = one;
		one = now;
		now = t;
	}
	return one[lb] < cap ? one[lb] : cap;
}

const char *text_nearest(const char *s, const char *const *words, size_t n)
{
	size_t len = strlen(s), limit = len / 3 + 2, best = limit;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = text_distance(s, words[i], limit), own = strlen(words[i]);

		if (d < best && 2 * d <= (own > len ? own : len)) {
			best = d;
			found = words[i];
		}
	}
	return found;
}

size_t text_utf8(const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;
	static const unsigned char low[] = {0xa0, 0x80, 0x90, 0x80}, high[] = {0xbf, 0x9f, 0xbf, 0x8f};
	size_t len = s[0] < 0x80   ? 1
	             : s[0] < 0xc2 ? 0
	             : s[0] < 0xe0 ? 2
	             : s[0] < 0xf0 ? 3
	             : s[0] < 0xf5 ? 4
	                           : 0;

	if (len < 2)
		return len;
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < low[0]) || (s[0] == 0xed && s[1] > high[1]) ||
	    (s[0] == 0xf0 && s[1] < low[2]) || (s[0] == 0xf4 && s[1] > high[3]))
		return 0;
	return len;
}

void text_put_json(struct bytes *b, const char *str, size_t n)
{
	const unsigned char *s = (const unsigned char *)str;

	bytes_put_u8(b, '"');
	for (size_t i = 0; i < n;) {
		size_t len = text_utf8(str + i, n - i);

		if (len == 0) {
			text_put(b, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (s[i] == '"' || s[i] == '\\')
			text_putf(b, "\\%c", s[i]);
		else if (s[i] == '\n')
			text_put(b, "\\n");
		else if (s[i] == '\t')
			text_put(b, "\\t");
		else if (s[i] < 0x20 || s[i] == 0x7f)
			text_putf(b, "\\u%04x", s[i]);
		else
			bytes_put(b, s + i, len);
		i += len;
	}
	bytes_put_u8(b, '"');
}

void text_put(struct bytes *b, const char *s)
{
	bytes_put(b, s, strlen(s));
}

void text_putf(struct bytes *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	bytes_room(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}
