/* Bytes as a CSV file. What was read is written with every field in quotes, and must read the same again. */
#include "fuzz.h"

#include "bytes.h"
#include "csv.h"

#include <string.h>

static void put_row(struct bytes *b, const struct csv_row *row)
{
	for (uint32_t i = 0; i < row->n; i++) {
		bytes_put(b, i ? ",\"" : "\"", i ? 2 : 1);
		for (const char *p = row->fields[i]; *p; p++) {
			if (*p == '"')
				bytes_put_u8(b, '"');
			bytes_put_u8(b, (uint8_t)*p);
		}
		bytes_put_u8(b, '"');
	}
	bytes_put_u8(b, '\n');
}

static int read_all(const void *p, size_t n, struct bytes *again)
{
	struct arena a = {0};
	struct csv c;
	struct csv_row row;
	struct fault f = {0};
	uint32_t line = 0;
	int got;

	csv_init(&c, p, n);
	while ((got = csv_next(&c, &a, &row, &f)) > 0) {
		must(row.n >= 1 && row.n <= CSV_MAX_FIELDS && row.line > line);
		line = row.line;
		put_row(again, &row);
	}
	must(got == 0 || (f.code == FAULT_STUDY && f.text[0]));
	arena_finish(&a);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bytes once = {0}, twice = {0};

	if (read_all(data, n, &once) == 0) {
		must(read_all(once.data, once.len, &twice) == 0);
		must(once.len == twice.len && (!once.len || !memcmp(once.data, twice.data, once.len)));
	}
	bytes_finish(&once);
	bytes_finish(&twice);
	return 0;
}
