/* A second thread, which does nothing but look on a clock while the first one is there. */
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct host_deputy {
	pthread_t thread;
	pthread_mutex_t lock; /* held while `act` is at work: its owner comes back when that is done */
	pthread_cond_t ring;
	int64_t after_ms, away_since_ms;
	bool away, over;
	void (*act)(void *ctx);
	void *ctx;
};

static void sleep_until(struct host_deputy *d, int64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	pthread_cond_timedwait(&d->ring, &d->lock, &t);
}

static void *look_on(void *deputy)
{
	struct host_deputy *d = deputy;

	pthread_mutex_lock(&d->lock);
	while (!d->over) {
		sleep_until(d, host_monotonic_ms() + d->after_ms);
		if (d->away && !d->over && host_monotonic_ms() - d->away_since_ms >= d->after_ms)
			d->act(d->ctx);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static bool start_thread(struct host_deputy *d)
{
	sigset_t all, before;
	bool fine;

	/* signals are for the first one */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	fine = pthread_create(&d->thread, NULL, look_on, d) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return fine;
}

struct host_deputy *host_deputy_open(int64_t after_ms, void (*act)(void *ctx), void *ctx)
{
	struct host_deputy *d = calloc(1, sizeof *d);
	pthread_condattr_t monotonic;

	if (!d)
		return NULL;
	d->after_ms = after_ms;
	d->act = act;
	d->ctx = ctx;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d->ring, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (start_thread(d))
		return d;
	free(d);
	return NULL;
}

static void set_away(struct host_deputy *d, bool away)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->away = away;
	if (away)
		d->away_since_ms = host_monotonic_ms();
	pthread_mutex_unlock(&d->lock);
}

void host_deputy_begin(struct host_deputy *d)
{
	set_away(d, true);
}

void host_deputy_end(struct host_deputy *d)
{
	set_away(d, false);
}

void host_deputy_close(struct host_deputy *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->over = true;
	pthread_cond_signal(&d->ring);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->ring);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
