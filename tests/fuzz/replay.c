/* Runs a fuzz target over stored inputs without a fuzzing engine, so that the corpus is part of the ordinary
 * tests: replay FILE-OR-FOLDER ... */
#include "fuzz.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static _Noreturn void fail(const char *path)
{
	perror(path);
	exit(1);
}

static int replay_file(const char *path, size_t n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(n ? n : 1); /* exact: a sanitizer sees a read past the end */

	if (!f || !data || fread(data, 1, n, f) != n)
		fail(path);
	fclose(f);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 1;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
	DIR *d = opendir(path);
	int count = 0;

	if (!d)
		fail(path);
	for (struct dirent *e; (e = readdir(d));) {
		char *inside;

		if (e->d_name[0] == '.')
			continue;
		inside = malloc(strlen(path) + strlen(e->d_name) + 2);
		if (!inside)
			fail(path);
		sprintf(inside, "%s/%s", path, e->d_name);
		count += replay(inside);
		free(inside);
	}
	closedir(d);
	return count;
}

static int replay(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		fail(path);
	return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%s - %d inputs replayed\n", count ? "ok 1" : "not ok 1", count);
	return count ? 0 : 1;
}
