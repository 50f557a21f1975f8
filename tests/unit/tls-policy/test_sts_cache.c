#include "unit/unit.h"
#include "base/fd.h"
#include "tls-policy/cache.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NOW 1795392000u

struct place {
	char path[64], file[100];
	int dir;
	struct cache *c;
};

static bool place_open(struct place *p, size_t max)
{
	struct err e;
	snprintf(p->path, sizeof p->path, "/tmp/postern-sts-XXXXXX");
	p->dir = mkdtemp(p->path) ? open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	snprintf(p->file, sizeof p->file, "%s/mta-sts.db", p->path);
	p->c = p->dir >= 0 ? cache_open(p->dir, p->path, max, &e) : NULL;
	CU_ASSERT_FATAL(p->c != NULL);
	return true;
}

static void reopen(struct place *p, size_t max)
{
	struct err e;
	cache_close(p->c);
	p->c = cache_open(p->dir, p->path, max, &e);
	CU_ASSERT_FATAL(p->c != NULL);
}

static void place_close(struct place *p)
{
	cache_close(p->c);
	unlinkat(p->dir, "mta-sts.db", 0);
	unlinkat(p->dir, "lock", 0);
	close(p->dir);
	rmdir(p->path);
}

static struct cached policy(const char *id)
{
	struct cached c = { .fetched = NOW, .look_again = NOW + 3600, .policy = { .mode = STS_ENFORCE, .max_age = 86400 } };
	snprintf(c.id, sizeof c.id, "%s", id);
	snprintf(c.policy.mx, sizeof c.policy.mx, "*.a.example");
	return c;
}

static bool put(struct place *p, const char *domain, const char *id)
{
	struct cached c = policy(id);
	return cache_put(p->c, domain, &c);
}

static bool has(struct place *p, const char *domain, const char *id)
{
	struct cached c;
	return cache_get(p->c, domain, &c) == CACHE_FOUND && strcmp(c.id, id) == 0 && c.policy.mode == STS_ENFORCE;
}

static void a_full_cache_still_replaces(void)
{
	struct place p;
	place_open(&p, 2);
	CU_ASSERT(put(&p, "a.example", "1") && put(&p, "b.example", "1"));
	CU_ASSERT(!put(&p, "c.example", "1"));
	CU_ASSERT(put(&p, "a.example", "2") && put(&p, "a.example", "3") && has(&p, "a.example", "3"));
	reopen(&p, 2);
	CU_ASSERT(!put(&p, "c.example", "1"));
	CU_ASSERT(put(&p, "b.example", "2") && has(&p, "b.example", "2"));
	place_close(&p);
}

/* RLIMIT_FSIZE stands for the full disk: the file cannot grow. */
static void a_full_disk_makes_it_forget_nothing(void)
{
	struct place p;
	struct rlimit old, small = { .rlim_cur = 4096 };
	char domain[40];
	bool refused = false;
	place_open(&p, 10000);
	CU_ASSERT(put(&p, "kept.example", "1"));
	CU_ASSERT_FATAL(getrlimit(RLIMIT_FSIZE, &old) == 0);
	void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
	small.rlim_max = old.rlim_max;
	CU_ASSERT_FATAL(setrlimit(RLIMIT_FSIZE, &small) == 0);
	for (unsigned i = 0; i < 500 && !refused; i++) {
		snprintf(domain, sizeof domain, "d%u.example", i);
		refused = !put(&p, domain, "1");
	}
	CU_ASSERT(refused);
	CU_ASSERT(has(&p, "kept.example", "1"));
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, was);
	CU_ASSERT(has(&p, "kept.example", "1") && put(&p, "next.example", "1"));
	reopen(&p, 10000);
	CU_ASSERT(has(&p, "kept.example", "1") && has(&p, "next.example", "1"));
	place_close(&p);
}

static void what_is_no_data_base_is_begun_anew(void)
{
	static const char *const bytes[] = { "no data base at all", "" };
	struct place p;
	for (size_t i = 0; i < COUNT(bytes); i++) {
		place_open(&p, 10);
		CU_ASSERT(put(&p, "a.example", "1"));
		cache_close(p.c);
		int fd = open(p.file, O_WRONLY | O_TRUNC | O_CLOEXEC);
		CU_ASSERT_FATAL(fd >= 0 && write(fd, bytes[i], strlen(bytes[i])) == (ssize_t)strlen(bytes[i]));
		close(fd);
		struct err e;
		p.c = cache_open(p.dir, p.path, 10, &e);
		CU_ASSERT_FATAL(p.c != NULL);
		CU_ASSERT(!has(&p, "a.example", "1"));
		CU_ASSERT(put(&p, "a.example", "2") && has(&p, "a.example", "2"));
		place_close(&p);
	}
}

void suite_sts_cache(void)
{
	static const struct unit_case cases[] = { UNIT(a_full_cache_still_replaces), UNIT(a_full_disk_makes_it_forget_nothing),
		UNIT(what_is_no_data_base_is_begun_anew), UNIT_END };
	unit_suite("sts_cache", cases);
}
