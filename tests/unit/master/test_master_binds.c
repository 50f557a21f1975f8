#include "master/binds.h"
#include "master/holder.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/sock.h"
#include "service/service.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* An address with a port that was free a moment ago. */
static const char *free_port(const char *host, char dst[ADDR_TEXT_MAX])
{
	struct addr at;
	int fd;
	CU_ASSERT_TRUE(addr_parse_ip(sv_of(host), &at));
	at.port = 0;
	CU_ASSERT_TRUE_FATAL(sock_listen_tcp(&at, 1, &fd, NULL));
	CU_ASSERT_TRUE(sock_local_addr(fd, &at, NULL));
	fd_close(&fd);
	return addr_text_port(&at, dst);
}

static struct cfg *config(const char *name, const char *addresses)
{
	struct buf text = BUF_INIT(2000);
	struct vec faults = VEC_INIT(struct cfg_fault, 20);
	buf_putf(&text, "hostname = a.example\n[listener %s]\naddress = %s\n", name, addresses);
	struct cfg *c = cfg_parse(buf_sv(&text), &faults);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	buf_free(&text);
	vec_free(&faults);
	return c;
}

static bool open_tcp(
	const char *name, const char *addresses, const struct vec *old, uint64_t wait_ms, struct vec *ret, struct err *e)
{
	struct cfg *c = config(name, addresses);
	bool ok = binds_open_tcp(c, old, wait_ms, ret, e);
	cfg_free(c);
	return ok;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static const struct vec none = VEC_INIT(struct bind_tcp, SVC_LISTENERS_MAX);

static void addresses_that_stay_keep_their_sockets(void)
{
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], c[ADDR_TEXT_MAX], text[300];
	struct vec old, new;
	struct err e;
	free_port("127.0.0.1", a);
	free_port("127.0.0.2", b);
	free_port("127.0.0.3", c);
	snprintf(text, sizeof(text), "%s, %s", a, b);
	CU_ASSERT_TRUE_FATAL(open_tcp("one", text, &none, 0, &old, &e));
	CU_ASSERT_EQUAL_FATAL(old.len, 2);
	int gone = VEC_AT(&old, struct bind_tcp, 0)->fd, stays = VEC_AT(&old, struct bind_tcp, 1)->fd;
	snprintf(text, sizeof(text), "%s, %s", b, c);
	CU_ASSERT_TRUE_FATAL(open_tcp("two", text, &old, 0, &new, &e));
	CU_ASSERT_EQUAL_FATAL(new.len, 2);
	const struct bind_tcp *t = VEC_AT(&new, struct bind_tcp, 0);
	CU_ASSERT_EQUAL(t->fd, stays);
	CU_ASSERT_TRUE(t->kept);
	CU_ASSERT_STRING_EQUAL(t->section, "two");
	CU_ASSERT_FALSE(VEC_AT(&new, struct bind_tcp, 1)->kept);
	binds_drop_tcp(&old, &new);
	CU_ASSERT_FALSE(is_open(gone));
	CU_ASSERT_TRUE(is_open(stays));
	binds_drop_tcp(&new, NULL);
	CU_ASSERT_FALSE(is_open(stays));
}

static void a_new_set_that_fails_leaves_the_old_one_alone(void)
{
	char a[ADDR_TEXT_MAX], taken[ADDR_TEXT_MAX], text[300];
	struct vec old, other, new = none;
	struct err e;
	free_port("127.0.0.1", a);
	free_port("127.0.0.2", taken);
	CU_ASSERT_TRUE_FATAL(open_tcp("one", a, &none, 0, &old, &e));
	CU_ASSERT_TRUE_FATAL(open_tcp("other", taken, &none, 0, &other, &e));
	int stays = VEC_AT(&old, struct bind_tcp, 0)->fd;
	snprintf(text, sizeof(text), "%s, %s", a, taken);
	CU_ASSERT_FALSE(open_tcp("late", text, &old, 0, &new, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "[listener late]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, taken));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "held by unit-tests["));
	CU_ASSERT_EQUAL(new.len, 0);
	CU_ASSERT_TRUE(is_open(stays));
	binds_drop_tcp(&old, NULL);
	binds_drop_tcp(&other, NULL);
}

static void a_port_that_is_being_left_is_waited_for(void)
{
	char at[ADDR_TEXT_MAX];
	struct vec leaving, v;
	struct err e;
	free_port("127.0.0.1", at);
	CU_ASSERT_TRUE_FATAL(open_tcp("old", at, &none, 0, &leaving, &e));
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) { /* a worker of a master that was killed */
		usleep(250000);
		_exit(0);
	}
	binds_drop_tcp(&leaving, NULL);
	uint64_t start = clock_mono_ms();
	CU_ASSERT_FALSE(open_tcp("new", at, &none, 0, &v, &e));
	CU_ASSERT_TRUE(open_tcp("new", at, &none, 5000, &v, &e));
	CU_ASSERT_TRUE(clock_mono_ms() - start >= 100);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	binds_drop_tcp(&v, NULL);
}

static void who_has_a_port_is_named(void)
{
	static const struct {
		const char *held, *wanted;
		bool conflict;
	} t[] = {
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "0.0.0.0", true },
		{ "0.0.0.0", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
	};
	char name[HOLDER_MAX], self[HOLDER_MAX];
	snprintf(self, sizeof(self), "[%d]", (int)getpid());
	for (size_t i = 0; i < COUNT(t); i++) {
		struct addr held, wanted;
		int fd;
		CU_ASSERT_TRUE(addr_parse_ip(sv_of(t[i].held), &held) && addr_parse_ip(sv_of(t[i].wanted), &wanted));
		held.port = 0;
		if (!sock_listen_tcp(&held, 1, &fd, NULL))
			continue; /* no IPv6 here */
		CU_ASSERT_TRUE(sock_local_addr(fd, &held, NULL));
		wanted.port = held.port;
		CU_ASSERT_EQUAL(strstr(port_holder(&wanted, name), self) != NULL, t[i].conflict);
		fd_close(&fd);
		CU_ASSERT_STRING_EQUAL(port_holder(&wanted, name), "");
	}
}

static void an_address_twice_is_refused(void)
{
	char at[ADDR_TEXT_MAX], text[300];
	struct vec v;
	struct err e;
	free_port("127.0.0.1", at);
	snprintf(text, sizeof(text), "%s, %s", at, at);
	CU_ASSERT_FALSE(open_tcp("one", text, &none, 0, &v, &e));
}

static void all_endpoints_are_bound_and_removed(void)
{
	char dir[] = "/tmp/binds-XXXXXX";
	struct binds b;
	struct stat st;
	struct err e;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cfg *c = config("one", "127.0.0.1:1");
	c->unprivileged = true;
	CU_ASSERT_TRUE_FATAL(binds_open_unix(&b, fd, c, &e));
	for (const struct svc_endpoint *ep = svc_endpoints; ep->name; ep++) {
		CU_ASSERT_EQUAL(fstatat(fd, ep->name, &st, AT_SYMLINK_NOFOLLOW), 0);
		CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
		CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	}
	binds_close_service(&b, "smtpd");
	CU_ASSERT_NOT_EQUAL(fstatat(fd, "smtpd.submit", &st, 0), 0);
	CU_ASSERT_EQUAL(fstatat(fd, "queue-mgr.smtpd", &st, 0), 0);
	binds_close(&b);
	CU_ASSERT_EQUAL(rmdir(dir), 0); /* nothing is left in it */
	cfg_free(c);
}

void suite_master_binds(void)
{
	static const struct unit_case cases[] = {
		UNIT(addresses_that_stay_keep_their_sockets),
		UNIT(a_new_set_that_fails_leaves_the_old_one_alone),
		UNIT(a_port_that_is_being_left_is_waited_for),
		UNIT(who_has_a_port_is_named),
		UNIT(an_address_twice_is_refused),
		UNIT(all_endpoints_are_bound_and_removed),
		UNIT_END,
	};
	unit_suite("master_binds", cases);
}
