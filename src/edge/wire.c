/* wire: frames over MPI, and a wait that sleeps.
 *
 * MPI's own blocking calls spin at 100 % of a core, which would be taken from the trainers. So nothing here
 * blocks in MPI: one receive is always posted and tested, and between tests the rank sleeps in ppoll(), where
 * a child's pipe or exit wakes it at once. A message from another node is found by the next test, so the
 * sleeps are short while something is going on (10 us, doubling to 1 ms) and 5 ms at most when nothing is.
 *
 * Ranks of one node also ring a bell: each binds a datagram socket in the abstract name space and gets one
 * byte after each frame that is sent to it. The byte carries nothing (MPI carries the frame); it only ends
 * the sleep. So within a node a rank may sleep long, costs nothing, and answers in microseconds. Whoever else
 * rings causes one test of the receive and no more.
 *
 * At start-up ranks tell each other once where they are. After that there is no collective, no blocking send
 * and no wait for a peer: a peer may be dead, and MPI will not say so.
 *
 * A frame travels in parts that MPI sends with their header, at once or not at all. A larger message would be
 * announced first and fetched afterwards: the one posted receive would belong to it from then on, and with a
 * sender that died in between it would never end, and we would hear nobody any more. */
#include "wire.h"

#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TAG_LAST = 7, TAG_PART = 8 }; /* of a frame: its last part, one that others follow */
/* Below the eager limits of shared memory (4096) and TCP (65536), with room for MPI's header. */
enum { PART_LOCAL = 3840, PART_REMOTE = 32768 };
enum { INIT_SECONDS = 300, SPINS = 50 };
/* Most launches let ranks meet in MPI_Finalize, and take one that ended before for one that failed. Rank 0
 * comes last: it closes the database and prints the results before, which takes minutes on a slow disk. For a
 * worker that does not come, which may be a dead one, it waits less long. */
enum { FINALIZE_WORKER_SECONDS = 600, FINALIZE_LEADER_SECONDS = 60 };
static const long sleep_min_ns = 10000, sleep_send_ns = 250000, sleep_busy_ns = 1000000,
                  sleep_idle_ns = 5000000, sleep_bell_ns = 100000000;

struct frame {
	struct frame *next;
	size_t n;
	unsigned char data[];
};

struct peer {
	struct frame *head, *tail; /* a part of head is under way when active */
	size_t sent;               /* bytes of head in parts that have left */
	struct bytes parts;        /* of a frame that comes */
	uint32_t frames;
	uint64_t bell_key;
	bool active, local, lost;
};

struct card { /* what each rank tells all others at the start */
	uint64_t node;
	uint64_t bell_key; /* 0: no bell */
};

struct wire {
	struct wire_info info;
	MPI_Comm comm;
	struct peer *peers;
	uint32_t *active; /* peers with a send under way */
	MPI_Request *sends;
	uint32_t nactive;
	MPI_Request recv;
	bool posted, arrived;
	uint32_t arrived_from;
	struct bytes *whole; /* parts of a peer that were handed out as a frame; NULL: none */
	const unsigned char *arrived_data;
	size_t arrived_bytes, max_frame;
	unsigned char *buf; /* of one part */
	bool any_lost;
	int bell;       /* -1: none */
	bool all_local; /* every peer that may send to us is on this node */
};

static void init_too_slow(int sig)
{
	static const char text[] =
	    "ranksweep: MPI_Init did not finish within 5 minutes: a rank died or cannot be reached\n";

	(void)sig;
	if (write(2, text, sizeof text - 1) < 0)
		_exit(70);
	_exit(69);
}

static volatile sig_atomic_t status_too_slow;

static void finalize_too_slow(int sig)
{
	(void)sig;
	_exit(status_too_slow);
}

static void alarm_in(unsigned seconds, void (*handler)(int))
{
	struct sigaction sa = {.sa_handler = handler};
	sigset_t set;

	sigemptyset(&sa.sa_mask);
	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(seconds);
}

bool wire_launched(void)
{
	return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK");
}

uint32_t wire_launch_rank(void)
{
	static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
	const char *rank = NULL;

	for (size_t i = 0; !rank && i < sizeof names / sizeof *names; i++)
		rank = getenv(names[i]);
	return rank ? (uint32_t)strtoul(rank, NULL, 10) : 0;
}

/* ob1 over shared memory and TCP: our messages are tiny, and no registered memory means that starting
 * processes is safe. What the user set stays. */
static void choose_transports(void)
{
	setenv("OMPI_MCA_pml", "ob1", 0);
	setenv("OMPI_MCA_btl", "^openib,ofi,uct,usnic", 0);
	setenv("OMPI_MCA_mpi_warn_on_fork", "0", 0);
	/* mpirun --oversubscribe makes every test of a request yield the cpu: we sleep by ourselves. */
	setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1);
}

/* The last messages to the launcher are several small ones over TCP, and of those the kernel holds the second
 * back until the first is acknowledged, 40 ms later; unless told otherwise. The launcher's end is where this
 * variable says, in the words of any PMIx since 2: "5.0;tcp4://127.0.0.1:37063". */
static void hold_nothing_back(void)
{
	const char *uri = getenv("PMIX_SERVER_URI2"), *colon = uri ? strrchr(uri, ':') : NULL;
	long port = colon ? strtol(colon + 1, NULL, 10) : 0;
	const int on = 1;

	for (int fd = 3; port > 0 && fd < 256; fd++) {
		struct sockaddr_in6 peer; /* family and port lie where those of IPv4 do */
		socklen_t n = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &n) == 0 &&
		    (peer.sin6_family == AF_INET || peer.sin6_family == AF_INET6) &&
		    ntohs(peer.sin6_port) == port) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
			return;
		}
	}
}

static void close_bell(struct wire *w)
{
	if (w->bell >= 0)
		close(w->bell);
	w->bell = -1;
}

static void bell_name(uint64_t key, struct sockaddr_un *a, socklen_t *len)
{
	int n;

	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "ranksweep-%016llx", (unsigned long long)key);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Without a bell (no abstract sockets) everything works, with the sleeps that remote peers need. */
static uint64_t open_bell(struct wire *w)
{
	struct sockaddr_un a;
	socklen_t len;
	uint64_t key;

	if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key || !key)
		return 0;
	w->bell = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bell_name(key, &a, &len);
	if (w->bell < 0 || !bind(w->bell, (struct sockaddr *)&a, len))
		return w->bell < 0 ? 0 : key;
	close_bell(w);
	return 0;
}

static void ring(struct wire *w, uint32_t to)
{
	struct sockaddr_un a;
	socklen_t len;
	ssize_t n;

	if (w->bell < 0 || !w->peers[to].local)
		return;
	bell_name(w->peers[to].bell_key, &a, &len);
	/* A full queue means that the bell is ringing already; a dead peer is not our business here. */
	n = sendto(w->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a, len);
	(void)n;
}

static bool hush(struct wire *w)
{
	char buf[64];
	bool rang = false;

	for (int i = 0; w->bell >= 0 && i < 64 && recv(w->bell, buf, sizeof buf, MSG_DONTWAIT) >= 0; i++)
		rang = true;
	return rang;
}

/* The only collective. Not a blocking one: ranks come minutes apart where a file system is slow to load
 * programs, and who waits in MPI takes a whole core from those it waits for. */
static void exchange(struct wire *w, const struct card *mine, struct card *all)
{
	struct timespec nap = {.tv_nsec = 200000};
	MPI_Request r;
	int done = 0;

	if (MPI_Iallgather(mine, sizeof *mine, MPI_BYTE, all, sizeof *mine, MPI_BYTE, w->comm, &r) !=
	    MPI_SUCCESS)
		wire_abort(70);
	while (MPI_Test(&r, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done)
		nanosleep(&nap, NULL);
}

static void learn_neighbours(struct wire *w)
{
	/* Who shares cpus with us and can be rung: abstract sockets belong to a network name space. */
	struct card mine = {.node = host_identity("net"), .bell_key = open_bell(w)},
	            *all = calloc(w->info.size, sizeof *all);
	bool bells = true;

	if (!all)
		wire_abort(70);
	exchange(w, &mine, all);
	for (uint32_t i = 0; i < w->info.size; i++) {
		w->peers[i].local = all[i].node == mine.node;
		w->peers[i].bell_key = all[i].bell_key;
		w->info.node_size += w->peers[i].local;
		w->info.node_rank += i < w->info.rank && w->peers[i].local;
		bells = bells && all[i].bell_key;
	}
	free(all);
	if (!bells)
		close_bell(w);
	w->info.node_has_leader = w->peers[0].local;
	w->all_local = w->info.rank == 0 ? w->info.node_size == w->info.size : w->info.node_has_leader;
}

static void post(struct wire *w)
{
	MPI_Irecv(w->buf, PART_REMOTE, MPI_BYTE, MPI_ANY_SOURCE, MPI_ANY_TAG, w->comm, &w->recv);
	w->posted = true;
}

/* Not started by an MPI launcher: one rank, and no MPI at all. */
static void open_alone(struct wire *w)
{
	w->info = (struct wire_info){.size = 1, .node_size = 1, .node_has_leader = true, .single = true};
}

int wire_open(struct wire **out, size_t max_frame, struct wire_info *info, struct fault *f)
{
	struct wire *w = calloc(1, sizeof *w);
	int rank, size, provided;

	*out = NULL;
	if (!w || !(w->buf = malloc(PART_REMOTE))) {
		free(w);
		return fault_set(f, FAULT_BUG, "no memory for frames of %zu bytes", max_frame);
	}
	signal(SIGPIPE, SIG_IGN); /* a send to a dead peer over TCP must not kill us */
	w->max_frame = max_frame;
	w->bell = -1;
	*out = w;
	if (!wire_launched()) {
		open_alone(w);
		*info = w->info;
		return 0;
	}
	choose_transports();
	alarm_in(INIT_SECONDS, init_too_slow);
	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided) != MPI_SUCCESS)
		return fault_set(f, FAULT_WORKER, "MPI_Init failed");
	hold_nothing_back();
	prctl(PR_SET_TIMERSLACK, 1000UL);
	w->comm = MPI_COMM_WORLD; /* nobody else uses it: a copy would cost collectives */
	MPI_Comm_set_errhandler(w->comm, MPI_ERRORS_RETURN);
	MPI_Comm_rank(w->comm, &rank);
	MPI_Comm_size(w->comm, &size);
	w->info.rank = (uint32_t)rank;
	w->info.size = (uint32_t)size;
	w->info.any_thread = provided >= MPI_THREAD_SERIALIZED;
	w->peers = calloc((size_t)size, sizeof *w->peers);
	w->active = calloc((size_t)size, sizeof *w->active);
	w->sends = calloc((size_t)size, sizeof *w->sends);
	if (!w->peers || !w->active || !w->sends)
		wire_abort(70);
	learn_neighbours(w);
	alarm(0);
	post(w);
	*info = w->info;
	return 0;
}

/* The next part of the frame in front, as the i-th send under way. */
static void send_part(struct wire *w, uint32_t to, uint32_t i)
{
	struct peer *p = &w->peers[to];
	size_t left = p->head->n - p->sent, part = p->local ? PART_LOCAL : PART_REMOTE;
	size_t n = left < part ? left : part;

	MPI_Isend(p->head->data + p->sent, (int)n, MPI_BYTE, (int)to, n < left ? TAG_PART : TAG_LAST, w->comm,
	          &w->sends[i]);
	p->sent += n;
	ring(w, to);
}

static void start_send(struct wire *w, uint32_t to)
{
	uint32_t i = w->nactive++;

	w->peers[to].active = true;
	w->active[i] = to;
	send_part(w, to, i);
}

static void drop_head(struct peer *p)
{
	struct frame *fr = p->head;

	p->head = fr->next;
	if (!p->head)
		p->tail = NULL;
	p->frames--;
	free(fr);
}

/* The i-th send has left. False: it was the last one to this peer, another one has its place now. */
static bool send_left(struct wire *w, uint32_t i)
{
	uint32_t to = w->active[i];
	struct peer *p = &w->peers[to];

	if (p->sent == p->head->n) {
		p->sent = 0;
		drop_head(p);
	}
	if (p->head) {
		send_part(w, to, i);
		return true;
	}
	p->active = false;
	w->nactive--;
	w->active[i] = w->active[w->nactive];
	w->sends[i] = w->sends[w->nactive];
	return false;
}

/* Sends that have left make room for what follows to the same peer. True when some are still under way to
 * peers that are not lost. */
static bool progress_sends(struct wire *w)
{
	bool sending = false;

	for (uint32_t i = 0; i < w->nactive;) {
		bool lost = w->peers[w->active[i]].lost;
		int done = 0;

		MPI_Test(&w->sends[i], &done, MPI_STATUS_IGNORE);
		if (done && !send_left(w, i))
			continue;
		sending = sending || !lost;
		i++;
	}
	return sending;
}

int wire_send(struct wire *w, uint32_t to, const void *data, size_t n, struct fault *f)
{
	struct peer *p;
	struct frame *fr;

	if (w->info.single || to >= w->info.size || to == w->info.rank || n > w->max_frame)
		return fault_set(f, FAULT_BUG, "a frame of %zu bytes to rank %u", n, to);
	fr = malloc(sizeof *fr + n);
	if (!fr)
		return fault_set(f, FAULT_BUG, "no memory for a frame of %zu bytes", n);
	fr->next = NULL;
	fr->n = n;
	memcpy(fr->data, data, n);
	p = &w->peers[to];
	if (p->tail)
		p->tail->next = fr;
	else
		p->head = fr;
	p->tail = fr;
	p->frames++;
	if (!p->active)
		start_send(w, to);
	return 0;
}

/* The frame in front stays: parts of it may have left, and the peer, should it come back, waits for the rest.
 */
void wire_lose(struct wire *w, uint32_t to)
{
	struct peer *p = w->peers ? &w->peers[to] : NULL;

	w->any_lost = true;
	if (!p)
		return;
	p->lost = true;
	while (p->head && p->head->next) {
		struct frame *fr = p->head->next;

		p->head->next = fr->next;
		p->frames--;
		free(fr);
	}
	p->tail = p->head;
}

void wire_regain(struct wire *w, uint32_t to)
{
	if (!w->info.single)
		w->peers[to].lost = false;
}

uint32_t wire_pending(const struct wire *w, uint32_t to)
{
	return w->peers && to < w->info.size ? w->peers[to].frames : 0;
}

/* A part of a frame from this peer is in the buffer. True: it was the last one. */
static bool take_part(struct wire *w, const MPI_Status *st, size_t n)
{
	struct bytes *parts = &w->peers[st->MPI_SOURCE].parts;

	w->arrived_from = (uint32_t)st->MPI_SOURCE;
	w->arrived_data = w->buf;
	w->arrived_bytes = n;
	if (st->MPI_TAG == TAG_LAST && !parts->len)
		return true;
	if (parts->len + n <= w->max_frame)
		bytes_put(parts, w->buf, n);
	if (st->MPI_TAG != TAG_LAST)
		return false;
	w->whole = parts;
	w->arrived_data = parts->data;
	w->arrived_bytes = parts->len;
	return true;
}

/* One part, if there is one. The buffer is the caller's until the next call posts it again. */
static bool receive_part(struct wire *w)
{
	MPI_Status st;
	int done = 0, n = 0, error;

	if (!w->posted)
		post(w);
	error = MPI_Test(&w->recv, &done, &st);
	if (!done)
		return false;
	w->posted = false;
	if (error != MPI_SUCCESS) /* larger than any part: there is nothing to read */
		return true;
	MPI_Get_count(&st, MPI_BYTE, &n);
	w->arrived = take_part(w, &st, n < 0 ? 0 : (size_t)n);
	return true;
}

static bool test_recv(struct wire *w)
{
	if (w->arrived)
		return true;
	if (w->info.single)
		return false;
	if (w->whole)
		bytes_clear(w->whole);
	w->whole = NULL;
	while (!w->arrived && receive_part(w))
		;
	return w->arrived;
}

int wire_next(struct wire *w, uint32_t *from, const unsigned char **frame, size_t *n)
{
	if (!test_recv(w))
		return 0;
	w->arrived = false;
	*from = w->arrived_from;
	*frame = w->arrived_data;
	*n = w->arrived_bytes;
	return 1;
}

/* Whoever may send to us can also wake us. */
static bool sleeps_long(const struct wire *w)
{
	return w->info.single || (w->all_local && w->bell >= 0);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One sleep of at most ns on the caller's descriptors and the bell. Returns ready descriptors of the caller,
 * -1 interrupted. */
static int doze(struct wire *w, struct pollfd *all, struct pollfd *fds, nfds_t n, int64_t ns, bool *rang)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
	nfds_t total = n;
	int r;

	if (n)
		memcpy(all, fds, n * sizeof *fds);
	if (w->bell >= 0)
		all[total++] = (struct pollfd){.fd = w->bell, .events = POLLIN};
	r = ppoll(all, total, &t, NULL);
	*rang = false;
	if (r > 0 && w->bell >= 0 && all[n].revents) {
		*rang = hush(w);
		r--;
	}
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = r > 0 ? all[i].revents : 0;
	return r;
}

int wire_wait(struct wire *w, struct pollfd *fds, nfds_t n, int64_t timeout_ms, bool busy, struct fault *f)
{
	int64_t end = timeout_ms < 0 ? INT64_MAX : now_ns() + timeout_ms * 1000000, ns = sleep_min_ns, cap,
	        left;
	struct pollfd *all = malloc((n + 1) * sizeof *all);
	bool rang = false, rung = false, sending = false;
	int ready = 0;

	if (!all)
		return fault_set(f, FAULT_BUG, "no memory to wait on %zu descriptors", (size_t)n);
	for (int i = 0; i < (sleeps_long(w) ? 1 : SPINS); i++) {
		sending = progress_sends(w);
		if (test_recv(w)) {
			end = 0; /* no sleep, one look at the descriptors */
			break;
		}
	}
	do {
		left = end - now_ns();
		cap = sleeps_long(w) ? sleep_bell_ns : busy ? sleep_busy_ns : sleep_idle_ns;
		if (sending)
			cap = sleep_busy_ns;
		if (sleeps_long(w) && !rung) /* the bell will end it: no need to grow into it */
			ns = !sending ? cap : ns < sleep_send_ns ? sleep_send_ns : ns;
		ns = ns < cap ? ns : cap;
		ns = ns < left ? ns : left;
		ready = doze(w, all, fds, n, ns > 0 ? ns : 0, &rang);
		rung = rung || rang; /* what was announced may be visible a moment later */
		ns = rang || ns <= 0 ? sleep_min_ns : ns * 2;
		sending = progress_sends(w);
	} while (ready == 0 && left > 0 && !test_recv(w));
	free(all);
	return 0;
}

static void flush(struct wire *w, int64_t timeout_ms)
{
	int64_t end = now_ns() + timeout_ms * 1000000;
	struct timespec nap = {.tv_nsec = 100000};

	while (progress_sends(w) && now_ns() < end)
		nanosleep(&nap, NULL);
}

void wire_close(struct wire *w, int64_t timeout_ms, int status)
{
	if (!w)
		return;
	flush(w, timeout_ms);
	/* MPI_Finalize would wait for the lost one, and what MPI still sends stays in place. */
	if (w->any_lost)
		return;
	if (w->posted) {
		MPI_Cancel(&w->recv);
		MPI_Request_free(&w->recv);
	}
	if (!w->info.single) {
		status_too_slow = status;
		alarm_in(w->info.rank ? FINALIZE_WORKER_SECONDS : FINALIZE_LEADER_SECONDS, finalize_too_slow);
		MPI_Finalize();
		alarm(0);
	}
	close_bell(w);
	for (uint32_t i = 0; w->peers && i < w->info.size; i++) {
		while (w->peers[i].head)
			drop_head(&w->peers[i]);
		bytes_finish(&w->peers[i].parts);
	}
	free(w->peers);
	free(w->active);
	free(w->sends);
	free(w->buf);
	free(w);
}

_Noreturn void wire_abort(int status)
{
	int started = 0;

	MPI_Initialized(&started);
	if (started)
		MPI_Abort(MPI_COMM_WORLD, status);
	_exit(status);
}
