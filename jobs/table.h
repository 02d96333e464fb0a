/* table: a CSV file in memory, before anything is split or scaled. See dataset.h for the format. */
#ifndef TABLE_H
#define TABLE_H

struct table {
	int rows, cols, classes; /* cols without the label; classes = largest label + 1 */
	float *x;                /* rows x cols */
	int *label;              /* rows */
	int room;                /* rows there is memory for */
};

/* Anything that is not such a table ends the program with `FILE:LINE: what is wrong`. */
void table_read(struct table *t, const char *file);
void table_finish(struct table *t);

#endif
