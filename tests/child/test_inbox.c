/* The inbox of a run: what an asker puts there arrives once, in order, and is answered; what is none of ours
 * is put aside. */
#include "inbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_BYTES = 1000 };

struct fixture {
	char dir[64];
	struct inbox *in;
	struct bytes b;
	struct fault f;
	int64_t now_ms;
};

static void open_inbox(struct fixture *x)
{
	const struct inbox_options o = {.out_dir = x->dir, .max_bytes = MAX_BYTES};

	if (inbox_open(&o, &x->in, &x->f))
		fail_msg("%s", x->f.text);
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof *x);

	strcpy(x->dir, "/tmp/ranksweep-inbox-XXXXXX");
	if (!mkdtemp(x->dir))
		return -1;
	open_inbox(x);
	*state = x;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	inbox_close(x->in);
	bytes_finish(&x->b);
	nftw(x->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(x);
	return 0;
}

static const char *path(const struct fixture *x, const char *name)
{
	static char buf[4][400];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(buf[i], sizeof buf[i], "%s/inbox/%s", x->dir, name);
	return buf[i];
}

static bool there(const struct fixture *x, const char *name)
{
	struct stat st;

	return lstat(path(x, name), &st) == 0;
}

static void put(struct fixture *x, const char *id, const char *text)
{
	if (inbox_put(x->dir, id, text, strlen(text), &x->f))
		fail_msg("%s", x->f.text);
}

/* Time has passed: look, and take. */
static int take(struct fixture *x, const char **id)
{
	x->now_ms += 10000;
	inbox_look(x->in, false, x->now_ms);
	return inbox_take(x->in, id, &x->b, &x->f);
}

static void takes(struct fixture *x, const char *id, const char *text)
{
	const char *got;

	if (take(x, &got) != 1)
		fail_msg("%s is not taken", id);
	assert_string_equal(got, id);
	assert_int_equal(x->b.len, strlen(text));
	assert_memory_equal(x->b.data, text, x->b.len);
}

static void takes_nothing(struct fixture *x)
{
	const char *id;

	assert_int_equal(take(x, &id), 0);
}

static uint32_t files(const struct fixture *x)
{
	DIR *d = opendir(path(x, ""));
	uint32_t n = 0;

	for (const struct dirent *e; (e = readdir(d));)
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static void a_request_is_taken_and_its_answer_arrives(void **state)
{
	struct fixture *x = *state;

	takes_nothing(x);
	put(x, "1-a", "hello");
	assert_int_equal(inbox_get(x->dir, "1-a", MAX_BYTES, false, &x->b, &x->f), 0);
	takes(x, "1-a", "hello");
	takes_nothing(x);
	assert_int_equal(inbox_get(x->dir, "1-a", MAX_BYTES, true, &x->b, &x->f), 0);
	assert_int_equal(inbox_answer(x->in, "1-a", "done", 4, &x->f), 0);
	assert_int_equal(inbox_get(x->dir, "1-a", MAX_BYTES, true, &x->b, &x->f), 1);
	assert_int_equal(x->b.len, 4);
	assert_memory_equal(x->b.data, "done", 4);
	assert_int_equal(files(x), 0);
	takes_nothing(x);
}

static void an_answer_that_was_read_is_the_end_of_its_request(void **state)
{
	struct fixture *x = *state;

	put(x, "1", "a");
	takes(x, "1", "a");
	assert_int_equal(inbox_answer(x->in, "1", "ok", 2, &x->f), 0);
	close(open(path(x, "1.taken"), O_CREAT | O_WRONLY, 0600)); /* as if killed before it is removed */
	assert_int_equal(inbox_get(x->dir, "1", MAX_BYTES, false, &x->b, &x->f), 1);
	assert_int_equal(files(x), 0);
}

static void requests_come_in_the_order_of_their_names(void **state)
{
	static const char *const ids[] = {"3", "1", "2", "10"}, *const order[] = {"1", "10", "2", "3"};
	struct fixture *x = *state;

	for (size_t i = 0; i < 4; i++)
		put(x, ids[i], ids[i]);
	for (size_t i = 0; i < 4; i++)
		takes(x, order[i], order[i]);
	takes_nothing(x);
}

static void names_are_in_the_order_of_time_and_unique(void **state)
{
	char a[INBOX_ID], b[INBOX_ID], c[INBOX_ID];

	(void)state;
	inbox_id(a, "node-1.cluster", 999999999999);
	inbox_id(b, "node-1.cluster", 1000000000000);
	inbox_id(c, "node-1.cluster", 1000000000000);
	assert_true(strcmp(a, b) < 0);
	assert_string_not_equal(b, c);
	assert_null(strpbrk(a, "./"));
	inbox_id(a, "a-very-long-name-of-a-host-that-goes-on-and-on-without-an-end-in-sight-for-anybody",
	         INT64_MAX);
	assert_true(strlen(a) < INBOX_ID - 1);
}

static void what_is_taken_back_is_never_taken(void **state)
{
	struct fixture *x = *state;

	put(x, "1", "a");
	put(x, "2", "b");
	x->now_ms += 10000;
	inbox_look(x->in, false, x->now_ms); /* both are seen, none is claimed */
	assert_true(inbox_take_back(x->dir, "1", false));
	takes(x, "2", "b");
	takes_nothing(x);
	assert_false(inbox_take_back(x->dir, "1", false));
}

static void what_is_taken_cannot_be_taken_back(void **state)
{
	struct fixture *x = *state;

	put(x, "1", "a");
	takes(x, "1", "a");
	assert_false(inbox_take_back(x->dir, "1", false));
	assert_true(inbox_take_back(x->dir, "1", true)); /* by who knows that there is no run */
	assert_int_equal(files(x), 0);
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void both_sides_are_told_at_once(void **state)
{
	struct fixture *x = *state;
	int watch = inbox_watch(x->dir);
	const char *id;

	takes_nothing(x);
	assert_true(inbox_due_ms(x->in) > x->now_ms);
	assert_false(readable(inbox_fd(x->in)));
	put(x, "1", "a");
	assert_true(readable(inbox_fd(x->in)));
	inbox_look(x->in, true, x->now_ms);
	assert_int_equal(inbox_take(x->in, &id, &x->b, &x->f), 1);
	inbox_heard(watch, "");
	assert_false(readable(watch));
	assert_int_equal(inbox_answer(x->in, id, "ok", 2, &x->f), 0);
	assert_true(readable(watch));
	assert_true(inbox_heard(watch, ".answer"));
	assert_false(readable(watch));
	close(watch);
	/* Its own doings make rank 0 look at nothing. */
	inbox_look(x->in, true, x->now_ms);
	assert_true(inbox_due_ms(x->in) > x->now_ms);
}

static void a_dead_run_leaves_its_requests_to_the_next(void **state)
{
	struct fixture *x = *state;

	put(x, "1", "a");
	put(x, "2", "b");
	takes(x, "1", "a");
	inbox_close(x->in);
	open_inbox(x);
	takes(x, "1", "a");
	takes(x, "2", "b");
	takes_nothing(x);
	assert_int_equal(inbox_answer(x->in, "1", "", 0, &x->f), 0);
	assert_int_equal(inbox_answer(x->in, "2", "", 0, &x->f), 0);
	assert_int_equal(files(x), 2);
}

/* One file that is no request: told once, and aside. */
static void is_put_aside(struct fixture *x, const char *name, const char *why)
{
	const char *id;
	char bad[300];

	snprintf(bad, sizeof bad, "%.*s.bad", (int)(strrchr(name, '.') - name), name);
	if (take(x, &id) != -1)
		fail_msg("%s is taken", name);
	if (!strstr(x->f.text, why) || strpbrk(x->f.text, "\033\n"))
		fail_msg("no \"%s\" in: %s", why, x->f.text);
	assert_true(there(x, bad));
	assert_false(there(x, name));
	takes_nothing(x);
}

static void what_is_no_request_is_put_aside(void **state)
{
	struct fixture *x = *state;
	char big[MAX_BYTES + 2];

	memset(big, 'x', sizeof big);
	big[MAX_BYTES + 1] = '\0';
	put(x, "big", big);
	is_put_aside(x, "big.request", "larger than 1000 bytes");
	big[MAX_BYTES] = '\0';
	put(x, "fits", big);
	takes(x, "fits", big);
	assert_int_equal(symlink("/etc/passwd", path(x, "link.request")), 0);
	is_put_aside(x, "link.request", "link");
	assert_int_equal(symlink("/dev/zero", path(x, "zero.request")), 0);
	is_put_aside(x, "zero.request", "link");
	assert_int_equal(mkfifo(path(x, "fifo.request"), 0600), 0);
	is_put_aside(x, "fifo.request", "no regular file");
	assert_int_equal(mkdir(path(x, "folder.request"), 0700), 0);
	is_put_aside(x, "folder.request", "no regular file");
	assert_int_equal(mkdir(path(x, "\033[2J\n.request"), 0700), 0);
	is_put_aside(x, "\033[2J\n.request", "no regular file");
	put(x, "good", "a");
	takes(x, "good", "a");
}

static void a_request_of_somebody_else_is_put_aside(void **state)
{
	struct fixture *x = *state;

	if (geteuid() != 0)
		skip();
	put(x, "1", "a");
	assert_int_equal(chown(path(x, "1.request"), 4711, (gid_t)-1), 0);
	is_put_aside(x, "1.request", "belongs to user 4711");
}

static void what_says_nothing_sensible_can_be_rejected(void **state)
{
	struct fixture *x = *state;
	const char *id;

	put(x, "1", "rubbish");
	assert_int_equal(take(x, &id), 1);
	fault_set(&x->f, FAULT_IO, "it has no verb");
	assert_int_equal(inbox_reject(x->in, id, &x->f), -1);
	assert_non_null(strstr(x->f.text, "1.request is no request: it has no verb"));
	assert_true(there(x, "1.bad"));
	takes_nothing(x);
}

static void other_files_are_left_alone(void **state)
{
	struct fixture *x = *state;
	static const char *const names[] = {".1.tmp",  ".hidden.request", "notes",
	                                    "request", "1.answer",        "2.bad"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		close(open(path(x, names[i]), O_CREAT | O_WRONLY, 0600));
	takes_nothing(x);
	assert_int_equal(files(x), sizeof names / sizeof *names);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 07777;
}

static void the_folder_is_its_owners(void **state)
{
	struct fixture *x = *state;
	const struct inbox_options o = {.out_dir = x->dir, .max_bytes = MAX_BYTES};

	assert_int_equal(mode_of(path(x, "")), 0700);
	inbox_close(x->in);
	assert_int_equal(chmod(path(x, ""), 0777), 0);
	open_inbox(x);
	assert_int_equal(mode_of(path(x, "")), 0700);
	inbox_close(x->in);
	x->in = NULL;
	if (geteuid() == 0) {
		assert_int_equal(chown(path(x, ""), 4711, (gid_t)-1), 0);
		assert_int_equal(inbox_open(&o, &x->in, &x->f), -1);
		assert_non_null(strstr(x->f.text, "belongs to user 4711"));
	}
}

static void an_inbox_that_is_a_link_or_cannot_be_made_is_an_error(void **state)
{
	struct fixture *x = *state;
	char link_path[100], file[100];
	struct inbox_options o = {.out_dir = x->dir, .max_bytes = MAX_BYTES};

	inbox_close(x->in);
	snprintf(link_path, sizeof link_path, "%s/inbox", x->dir);
	snprintf(file, sizeof file, "%s/file", x->dir);
	assert_int_equal(rmdir(link_path), 0);
	assert_int_equal(symlink("/tmp", link_path), 0);
	assert_int_equal(inbox_open(&o, &x->in, &x->f), -1);
	assert_null(x->in);
	assert_int_equal(inbox_put(x->dir, "1", "a", 1, &x->f), -1);
	close(open(file, O_CREAT | O_WRONLY, 0600));
	o.out_dir = file;
	assert_int_equal(inbox_open(&o, &x->in, &x->f), -1);
	assert_non_null(strstr(x->f.text, file));
}

static void without_an_inbox_there_is_nobody_to_ask(void **state)
{
	struct fixture *x = *state;

	assert_int_equal(rmdir(path(x, "")), 0);
	assert_int_equal(inbox_put(x->dir, "1", "a", 1, &x->f), 1);
	assert_false(inbox_take_back(x->dir, "1", true));
	assert_int_equal(inbox_get(x->dir, "1", MAX_BYTES, false, &x->b, &x->f), 0);
	assert_int_equal(inbox_watch(x->dir), -1);
	/* The run finds out, and makes it anew. */
	takes_nothing(x);
	put(x, "2", "b");
	assert_true(readable(inbox_fd(x->in)));
	takes(x, "2", "b");
}

static void old_answers_are_swept_out_by_the_next_run(void **state)
{
	struct fixture *x = *state;
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	put(x, "1", "a");
	takes(x, "1", "a");
	assert_int_equal(inbox_answer(x->in, "1", "x", 1, &x->f), 0);
	close(open(path(x, "2.answer"), O_CREAT | O_WRONLY, 0600));
	close(open(path(x, ".3.tmp"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(utimensat(AT_FDCWD, path(x, "2.answer"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, path(x, ".3.tmp"), old, 0), 0);
	inbox_close(x->in);
	open_inbox(x);
	assert_int_equal(files(x), 1);
	assert_true(there(x, "1.answer"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_request_is_taken_and_its_answer_arrives),
	    TEST(an_answer_that_was_read_is_the_end_of_its_request),
	    TEST(requests_come_in_the_order_of_their_names),
	    TEST(names_are_in_the_order_of_time_and_unique),
	    TEST(what_is_taken_back_is_never_taken),
	    TEST(what_is_taken_cannot_be_taken_back),
	    TEST(both_sides_are_told_at_once),
	    TEST(a_dead_run_leaves_its_requests_to_the_next),
	    TEST(what_is_no_request_is_put_aside),
	    TEST(a_request_of_somebody_else_is_put_aside),
	    TEST(what_says_nothing_sensible_can_be_rejected),
	    TEST(other_files_are_left_alone),
	    TEST(the_folder_is_its_owners),
	    TEST(an_inbox_that_is_a_link_or_cannot_be_made_is_an_error),
	    TEST(without_an_inbox_there_is_nobody_to_ask),
	    TEST(old_answers_are_swept_out_by_the_next_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
