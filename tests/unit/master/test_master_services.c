/* master's loop with fake daemons (tests/lib/fake_daemon.c) under it. */
#include "master/master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#define WAIT_MS 15000

struct scene {
	struct master m;
	char dir[32], conf[64];
	int dirfd;
};

static void put(struct scene *s, const char *file, const char *text)
{
	int fd = openat(s->dirfd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CU_ASSERT_TRUE(fd >= 0 && fd_write_all(fd, text, strlen(text), NULL));
	fd_close(&fd);
}

static void put_conf(struct scene *s, const char *queue, const char *more)
{
	struct buf b = BUF_INIT(4000);
	buf_putf(&b,
		"hostname = a.example\nqueue_directory = %s/%s\nruntime_directory = %s/run\nstate_directory = %s/state\n"
		"log_file = %s/mail.log\nstop_timeout = 1s\nrestart_delay_max = 1s\n%s\n",
		s->dir, queue, s->dir, s->dir, s->dir, more);
	put(s, "conf", buf_str(&b));
	buf_free(&b);
}

/* The fake stands beside the test program, and in the scene once under the name of each daemon. */
static void link_programs(struct scene *s)
{
	char self[PATH_MAX], fake[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CU_ASSERT_TRUE_FATAL(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(fake, sizeof(fake), "%s/fake-daemon", self);
	for (const struct svc_entry *e = svc_catalog; e->name; e++)
		CU_ASSERT_EQUAL(symlinkat(fake, s->dirfd, e->program), 0);
}

static int nowhere(void *arg)
{
	(void)arg;
	return -1;
}

static void begin(struct scene *s)
{
	struct buf faults = BUF_INIT(4000);
	struct err e;
	*s = (struct scene){ .dir = "/tmp/master-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(s->conf, sizeof(s->conf), "%s/conf", s->dir);
	put_conf(s, "queue", "");
	link_programs(s);
	struct master *m = &s->m;
	snprintf(m->conf, sizeof(m->conf), "%s", s->conf);
	m->reload.snapshot = -1;
	snprintf(m->programs, sizeof(m->programs), "%s", s->dir);
	m->cfg = config_load(s->conf, 1, true, &faults, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->cfg);
	CU_ASSERT_TRUE_FATAL(dirs_make(m->cfg, &e));
	CU_ASSERT_TRUE_FATAL(
		binds_open_unix(&m->binds, open(m->cfg->global.runtime_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), m->cfg, &e));
	m->snapshot = cfg_snapshot(m->cfg, &e);
	m->loop = ev_new(&e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m->loop);
	CU_ASSERT_TRUE_FATAL(control_open(m, &e));
	log_open("unit", LOG_LEVEL_ERROR, nowhere, NULL);
	services_init(m);
	buf_free(&faults);
}

static void start(struct scene *s)
{
	begin(s);
	services_start(&s->m);
}

static bool turn_until(struct scene *s, bool (*is)(const struct scene *))
{
	for (uint64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end && !is(s);)
		if (!ev_turn(s->m.loop, 20))
			break;
	return is(s);
}

static bool is_ready(const struct scene *s) { return s->m.ready; }
static bool is_empty(const struct scene *s) { return s->m.leaders == NULL; }
static bool is_calm(const struct scene *s)
{
	size_t n = 0;
	for (const struct leader *l = s->m.leaders; l; l = l->next)
		n++;
	for (size_t i = 0; i < s->m.n_services; i++)
		if (!s->m.services[i].cur || s->m.services[i].cur->state != LEADER_RUNNING)
			return false;
	return n == s->m.n_services && !s->m.reload.active;
}

static void end(struct scene *s)
{
	services_stop(&s->m);
	CU_ASSERT_TRUE(turn_until(s, is_empty));
	control_close(&s->m);
	binds_close(&s->m.binds);
	ev_free(s->m.loop);
	cfg_free(s->m.cfg);
	fd_close(&s->m.snapshot);
	static const char *const files[] = { "conf", "events", "behave.resolve", "behave.smtpd", "mail.log", "state/srs-key" };
	for (size_t i = 0; i < COUNT(files); i++)
		unlinkat(s->dirfd, files[i], 0);
	for (const struct svc_entry *e = svc_catalog; e->name; e++)
		unlinkat(s->dirfd, e->program, 0);
	static const char *const dirs[] = { "run", "queue", "queue2", "state/spam", "state/auth", "state/tls-policy", "state" };
	for (size_t i = 0; i < COUNT(dirs); i++)
		unlinkat(s->dirfd, dirs[i], AT_REMOVEDIR);
	CU_ASSERT_EQUAL(rmdir(s->dir), 0);
	fd_close(&s->dirfd);
	log_open("unit", LOG_LEVEL_INFO, NULL, NULL);
}

static struct service *service(struct scene *s, const char *name)
{
	for (size_t i = 0; i < s->m.n_services; i++)
		if (strcmp(s->m.services[i].entry->name, name) == 0)
			return &s->m.services[i];
	return NULL;
}

/* The `events` of the fakes, in order. */
static void events(const struct scene *s, struct buf *b)
{
	buf_reset(b);
	CU_ASSERT_TRUE(fd_read_path(s->dirfd, "events", b, NULL));
}

static unsigned count_events(const struct scene *s, const char *line)
{
	struct buf b = BUF_INIT(1 << 16);
	struct sv rest, part;
	unsigned n = 0;
	events(s, &b);
	for (rest = buf_sv(&b); sv_cut(&rest, '\n', &part);)
		n += sv_eqs(part, line);
	buf_free(&b);
	return n;
}

/* smtpd goes first, since its sessions need the others; resolve after who asks it; logd last, since it hears of their ends. */
static bool drained_in_order(const struct scene *s)
{
	struct buf b = BUF_INIT(1 << 16);
	struct sv rest, part, first = SV(""), before = SV(""), last = SV("");
	events(s, &b);
	for (rest = buf_sv(&b); sv_cut(&rest, '\n', &part);) {
		if (!sv_ends(part, SV(" drain")))
			continue;
		first = first.n ? first : part;
		before = last;
		last = part;
	}
	bool ok = sv_eqs(first, "smtpd drain") && sv_eqs(before, "resolve drain") && sv_eqs(last, "logd drain");
	buf_free(&b);
	return ok;
}

static void pids_of(const struct scene *s, pid_t pids[SERVICES_MAX])
{
	for (size_t i = 0; i < s->m.n_services; i++)
		pids[i] = s->m.services[i].cur ? s->m.services[i].cur->pid : 0;
}

static void all_are_started_and_stopped_in_order(void)
{
	struct scene s;
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	CU_ASSERT_TRUE(is_calm(&s));
	services_stop(&s.m);
	CU_ASSERT_TRUE(turn_until(&s, is_empty));
	CU_ASSERT_TRUE(drained_in_order(&s));
	end(&s);
}

static bool resolve_restarted(const struct scene *s) { return is_calm(s) && service((struct scene *)s, "resolve")->restarts == 1; }

static void what_dies_is_started_again_and_the_others_do_not_notice(void)
{
	struct scene s;
	pid_t before[SERVICES_MAX], after[SERVICES_MAX];
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	pids_of(&s, before);
	kill(service(&s, "resolve")->cur->pid, SIGKILL);
	CU_ASSERT_TRUE(turn_until(&s, resolve_restarted));
	pids_of(&s, after);
	for (size_t i = 0; i < s.m.n_services; i++)
		CU_ASSERT_EQUAL(before[i] != after[i], strcmp(s.m.services[i].entry->name, "resolve") == 0);
	end(&s);
}

static void one_that_keeps_dying_is_tried_ever_more_slowly(void)
{
	struct scene s;
	begin(&s);
	put(&s, "behave.resolve", "die");
	services_start(&s.m);
	CU_ASSERT_TRUE(turn_until(&s, is_ready)); /* the system works as far as it can */
	for (uint64_t until = clock_mono_ms() + 1000; clock_mono_ms() < until;)
		ev_turn(s.m.loop, 20);
	unsigned tries = count_events(&s, "resolve start"); /* at 0, 100, 300, 700 ms, and a bit of slack */
	CU_ASSERT_TRUE(tries >= 2 && tries <= 5);
	CU_ASSERT_PTR_NOT_NULL(strstr(service(&s, "resolve")->text, "status 3"));
	put(&s, "behave.resolve", "good");
	CU_ASSERT_TRUE(turn_until(&s, is_calm));
	CU_ASSERT_STRING_EQUAL(service(&s, "resolve")->text, "");
	end(&s);
}

static void one_that_cannot_start_is_quoted(void)
{
	struct scene s;
	begin(&s);
	put(&s, "behave.smtpd", "refuse");
	services_start(&s.m);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	CU_ASSERT_STRING_EQUAL(service(&s, "smtpd")->text, "there is no key");
	end(&s);
}

static void a_reload_replaces_every_daemon(void)
{
	struct scene s;
	pid_t before[SERVICES_MAX], after[SERVICES_MAX];
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	pids_of(&s, before);
	put_conf(&s, "queue", "banner = new");
	reload_begin(&s.m, NULL);
	CU_ASSERT_TRUE(turn_until(&s, is_calm));
	CU_ASSERT_EQUAL(s.m.cfg->generation, 2);
	CU_ASSERT_STRING_EQUAL(s.m.cfg->smtpd.banner, "new");
	pids_of(&s, after);
	for (size_t i = 0; i < s.m.n_services; i++)
		CU_ASSERT_NOT_EQUAL(before[i], after[i]);
	CU_ASSERT_TRUE(drained_in_order(&s));
	end(&s);
}

static void a_reload_that_cannot_be_whole_changes_nothing(void)
{
	static const struct {
		const char *queue, *conf, *smtpd;
	} t[] = {
		{ "queue", "banana = 1", "good" }, { "queue2", "", "good" }, { "queue", "banner = new", "refuse" },
		{ "queue", "banner = new", "die" },
		{ "queue", "[listener x]\naddress = 203.0.113.77:2525", "good" }, /* not an address of this host (RFC 5737) */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct scene s;
		pid_t before[SERVICES_MAX], after[SERVICES_MAX];
		start(&s);
		CU_ASSERT_TRUE(turn_until(&s, is_ready));
		pids_of(&s, before);
		put_conf(&s, t[i].queue, t[i].conf);
		put(&s, "behave.smtpd", t[i].smtpd);
		reload_begin(&s.m, NULL);
		CU_ASSERT_TRUE(turn_until(&s, is_calm));
		CU_ASSERT_EQUAL(s.m.cfg->generation, 1);
		CU_ASSERT_STRING_EQUAL(s.m.cfg->smtpd.banner, "");
		CU_ASSERT_EQUAL(s.m.binds.tcp.len, 0);
		pids_of(&s, after);
		CU_ASSERT_EQUAL(memcmp(before, after, s.m.n_services * sizeof(pid_t)), 0);
		end(&s);
	}
}

static void a_stop_during_a_reload_ends_both_generations(void)
{
	struct scene s;
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	put(&s, "behave.smtpd", "mute");
	reload_begin(&s.m, NULL);
	ev_turn(s.m.loop, 100);
	CU_ASSERT_TRUE(s.m.reload.active);
	end(&s);
}

/* --- the control socket ------------------------------------------------------------------------------------------------------ */

static int control(struct scene *s, uint64_t op)
{
	struct control_req req = { .op = op };
	int fd = -1;
	CU_ASSERT_TRUE(sock_connect_unix(s->m.binds.rundir, "master.control", SOCK_SEQPACKET, 1000, &fd, NULL));
	CU_ASSERT_TRUE(ipc_send(fd, &control_req_desc, &req, 1000, NULL));
	return fd;
}

static bool answered(struct scene *s, int fd)
{
	for (uint64_t end = clock_mono_ms() + WAIT_MS; clock_mono_ms() < end; ev_turn(s->m.loop, 5))
		if (sock_wait(fd, POLLIN, 0, NULL))
			return true;
	return false;
}

static void status_tells_of_each_service_and_its_load(void)
{
	struct scene s;
	struct status_service st;
	struct control_done done;
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	int fd = control(&s, CTL_STATUS);
	for (size_t i = 0; i < s.m.n_services; i++) {
		CU_ASSERT_TRUE_FATAL(answered(&s, fd));
		CU_ASSERT_TRUE(ipc_recv_msg(fd, &status_service_desc, &st, 1000, NULL));
		CU_ASSERT_STRING_EQUAL(st.name, s.m.services[i].entry->name);
		CU_ASSERT_STRING_EQUAL(st.state, "running");
		CU_ASSERT_EQUAL(st.pid, (uint64_t)s.m.services[i].cur->pid);
		CU_ASSERT_EQUAL(st.workers, 3);
		CU_ASSERT_EQUAL(st.served, 12);
	}
	CU_ASSERT_TRUE(ipc_recv_msg(fd, &control_done_desc, &done, 1000, NULL));
	CU_ASSERT_EQUAL(done.ok, 1);
	CU_ASSERT_EQUAL(done.pid, (uint64_t)getpid());
	CU_ASSERT_EQUAL(done.generation, 1);
	fd_close(&fd);
	end(&s);
}

static void a_reload_by_command_answers_with_the_faults(void)
{
	struct scene s;
	struct control_done done;
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	put_conf(&s, "queue", "bannner = x");
	int fd = control(&s, CTL_RELOAD);
	CU_ASSERT_TRUE_FATAL(answered(&s, fd));
	CU_ASSERT_TRUE(ipc_recv_msg(fd, &control_done_desc, &done, 1000, NULL));
	CU_ASSERT_EQUAL(done.ok, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(done.text, "conf:8:"));
	CU_ASSERT_PTR_NOT_NULL(strstr(done.text, "banner"));
	fd_close(&fd);
	put_conf(&s, "queue", "banner = x");
	fd = control(&s, CTL_RELOAD);
	CU_ASSERT_TRUE_FATAL(answered(&s, fd));
	CU_ASSERT_TRUE(ipc_recv_msg(fd, &control_done_desc, &done, 1000, NULL));
	CU_ASSERT_EQUAL(done.ok, 1);
	CU_ASSERT_EQUAL(done.generation, 2);
	fd_close(&fd);
	end(&s);
}

static void a_log_reopen_goes_to_logd_alone(void)
{
	struct scene s;
	struct control_done done;
	start(&s);
	CU_ASSERT_TRUE(turn_until(&s, is_ready));
	int fd = control(&s, CTL_LOG_REOPEN);
	CU_ASSERT_TRUE_FATAL(answered(&s, fd));
	CU_ASSERT_TRUE(ipc_recv_msg(fd, &control_done_desc, &done, 1000, NULL));
	CU_ASSERT_EQUAL(done.ok, 1);
	services_stop(&s.m);
	CU_ASSERT_TRUE(turn_until(&s, is_empty));
	CU_ASSERT_EQUAL(count_events(&s, "logd reopen"), 1);
	CU_ASSERT_EQUAL(count_events(&s, "smtpd reopen"), 0);
	fd_close(&fd);
	end(&s);
}

static void an_unknown_order_closes_the_channel(void)
{
	struct scene s;
	struct control_done done;
	struct err e;
	start(&s);
	int fd = control(&s, 8);
	CU_ASSERT_TRUE(answered(&s, fd));
	CU_ASSERT_FALSE(ipc_recv_msg(fd, &control_done_desc, &done, 1000, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	fd_close(&fd);
	end(&s);
}

void suite_master_services(void)
{
	static const struct unit_case cases[] = {
		UNIT(all_are_started_and_stopped_in_order),
		UNIT(what_dies_is_started_again_and_the_others_do_not_notice),
		UNIT(one_that_keeps_dying_is_tried_ever_more_slowly),
		UNIT(one_that_cannot_start_is_quoted),
		UNIT(a_reload_replaces_every_daemon),
		UNIT(a_reload_that_cannot_be_whole_changes_nothing),
		UNIT(a_stop_during_a_reload_ends_both_generations),
		UNIT(status_tells_of_each_service_and_its_load),
		UNIT(a_reload_by_command_answers_with_the_faults),
		UNIT(a_log_reopen_goes_to_logd_alone),
		UNIT(an_unknown_order_closes_the_channel),
		UNIT_END,
	};
	unit_suite("master_services", cases);
}
