/* One running daemon: how it is started, what is said to it, how its end is seen. */
#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define START_MS 60000 /* from exec to leader_ready */
#define FDS_MAX (SVC_FD_FIRST_LISTENER - SVC_FD_CONFIG + SVC_LISTENERS_MAX)
#define FD_HIGH 100 /* above all targets, below any usual limit */
#define NAMES_MAX 16384
#define ENV_MAX 16
#define EXIT_EXEC 127

/* What a child gets: descriptors in the order of SVC_FD_*, and its listeners' names. */
struct passed {
	int fds[FDS_MAX];
	size_t n;
	struct buf names;  /* "POSTERN_LISTEN=..." */
	char replaces[48]; /* "POSTERN_REPLACES=..." */
};

static bool pass(struct passed *p, int fd, const char *name, struct err *e)
{
	if (p->n == FDS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d listeners", SVC_LISTENERS_MAX);
	p->fds[p->n++] = fd;
	if (name)
		buf_putf(&p->names, "%s\n", name);
	return buf_ok(&p->names) || err_set(e, ERR_LIMIT, "the names of the listeners are too long");
}

static bool pass_listeners(struct passed *p, const struct service *s, const struct vec *tcp, struct err *e)
{
	const struct binds *b = &s->m->binds;
	size_t n = strlen(s->entry->name);
	for (size_t i = 0; i < b->n_unix; i++) {
		const char *name = svc_endpoints[i].name;
		if (strncmp(name, s->entry->name, n) == 0 && name[n] == '.' && b->unix_fds[i] >= 0 &&
			!pass(p, b->unix_fds[i], name, e))
			return false;
	}
	for (size_t i = 0; i < tcp->len && strcmp(s->entry->name, "smtpd") == 0; i++) {
		const struct bind_tcp *t = VEC_AT(tcp, struct bind_tcp, i);
		char name[BIND_NAME_MAX + 8];
		snprintf(name, sizeof(name), "tcp %s", t->section);
		if (t->fd >= 0 && !pass(p, t->fd, name, e))
			return false;
	}
	return true;
}

/* --- in the child ----------------------------------------------------------------------------------------------------------- */

/* Sources may stand where targets are to be, so all of them first move out of the way. */
static bool place_fds(const struct passed *p)
{
	int high[FDS_MAX];
	for (size_t i = 0; i < p->n; i++)
		if ((high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, FD_HIGH)) < 0)
			return false;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return false;
	for (size_t i = 0; i < p->n; i++)
		if (dup2(high[i], SVC_FD_CONFIG + (int)i) < 0)
			return false;
	return close_range((unsigned)(SVC_FD_CONFIG + p->n), ~0u, 0) == 0;
}

/* Root's environment holds what is nobody's business; a daemon needs the time zone, a sanitizer its options. */
static void make_env(struct passed *p, char *env[ENV_MAX])
{
	static const char *const kept[] = { "TZ=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", "POSTERN_TEST_" };
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t n = 0;
	env[n++] = path;
	env[n++] = p->names.data;
	env[n++] = p->replaces;
	for (char **v = environ; *v && n < ENV_MAX - 1; v++)
		for (size_t i = 0; i < COUNT(kept); i++)
			if (strncmp(*v, kept[i], strlen(kept[i])) == 0 && n < ENV_MAX - 1)
				env[n++] = *v;
	env[n] = NULL;
}

static void become_daemon(const struct service *s, struct passed *p) NORETURN;
static void become_daemon(const struct service *s, struct passed *p)
{
	char program[PATH_MAX + 64], fds[24], *env[ENV_MAX];
	char flag[] = "--fds", *argv[] = { program, flag, fds, NULL };
	ev_after_fork();
	setsid(); /* Ctrl-C is for master alone; and all of one daemon's processes can be ended as one group */
	snprintf(program, sizeof(program), "%s/%s", s->m->programs, s->entry->program);
	snprintf(fds, sizeof(fds), "%zu", p->n - (SVC_FD_FIRST_LISTENER - SVC_FD_CONFIG));
	make_env(p, env);
	if (chdir("/") == 0 && place_fds(p))
		execve(program, argv, env);
	dprintf(STDERR_FILENO, "postern-master: start %s: %s\n", program, strerror(errno));
	_exit(EXIT_EXEC);
}

/* --- in master --------------------------------------------------------------------------------------------------------------- */

static void take_message(struct leader *l, struct ipc_packet *p)
{
	struct leader_ready ready;
	uint16_t type, version;
	struct sv in = buf_sv(&p->bytes);
	if (!ipc_type_of(in, &type, &version))
		return;
	if (type == leader_load_desc.type) {
		if (!ipc_decode(&leader_load_desc, in, p->fds, p->n_fds, &l->load, NULL))
			return;
		l->load_asked = false;
		control_on_load(l->m);
		return;
	}
	if (l->state != LEADER_STARTING || !ipc_decode(&leader_ready_desc, in, p->fds, p->n_fds, &ready, NULL))
		return;
	snprintf(l->text, sizeof(l->text), "%s", ready.text);
	ev_timer_clear(l->m->loop, &l->timer);
	if (ready.ok)
		l->state = LEADER_RUNNING;
	services_on_ready(l, ready.ok);
}

/* Daemons that deal with strangers may be taken over: what they send here is bounded, and can only hurt their own state. */
static bool receive(struct leader *l)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	struct err e;
	bool ok = ipc_recv(l->chan.fd, &p, 0, &e);
	if (ok)
		take_message(l, &p);
	ipc_packet_free(&p);
	return ok || e.kind == ERR_TEMP;
}

static void on_message(struct ev_io *io, unsigned events, void *arg)
{
	struct leader *l = arg;
	(void)events;
	if (!receive(l))
		ev_del(l->m->loop, io); /* its end as a process follows; one that only closed its channel cannot be ordered: the
					   signals end it */
}

static void on_end(struct ev_child *c, int status, void *arg)
{
	struct leader *l = arg;
	(void)c;
	for (int i = 0; i < 4 && receive(l); i++) /* what it said last: why it could not start */
		continue;
	ev_timer_clear(l->m->loop, &l->timer);
	services_on_end(l, status);
}

static void on_timer(struct ev_timer *t, void *arg)
{
	struct leader *l = arg;
	(void)t;
	if (l->state != LEADER_STARTING) {
		leader_overdue(l);
		return;
	}
	snprintf(l->text, sizeof(l->text), "not ready after %d seconds", START_MS / 1000);
	leader_kill(l, SIGKILL);
}

static bool watch(struct leader *l, int chan, struct err *e)
{
	struct ev_loop *loop = l->m->loop;
	l->timer = (struct ev_timer){ .on = on_timer, .arg = l };
	l->chan = (struct ev_io){ .fd = chan, .on = on_message, .arg = l };
	l->child = (struct ev_child){ .pid = l->pid, .on = on_end, .arg = l };
	if (!ev_child_watch(loop, &l->child, e))
		return false;
	if (!ev_add(loop, &l->chan, EV_READ, e)) {
		ev_child_forget(loop, &l->child);
		return false;
	}
	ev_timer_set(loop, &l->timer, START_MS);
	return true;
}

static struct leader *new_leader(struct service *s, const struct cfg *cfg, pid_t pid)
{
	struct leader *l = mem_new(sizeof(*l));
	*l = (struct leader){ .m = s->m, .service = s, .pid = pid, .generation = cfg->generation, .started = clock_real_secs() };
	l->started_ms = clock_mono_ms();
	return l;
}

struct leader *leader_start(struct service *s, const struct cfg *cfg, int snapshot, const struct vec *tcp, struct err *e)
{
	struct passed p = { .names = BUF_INIT(NAMES_MAX) };
	struct leader *l = NULL;
	int chan[2];
	if (!sock_pair(SOCK_SEQPACKET, chan, e))
		return NULL;
	buf_puts(&p.names, "POSTERN_LISTEN=");
	snprintf(p.replaces, sizeof(p.replaces), "POSTERN_REPLACES=%" PRIu64, s->cur ? s->cur->started : 0);
	if (!pass(&p, snapshot, NULL, e) || !pass(&p, chan[1], NULL, e) || !pass(&p, s->m->binds.rundir, NULL, e) ||
		!pass_listeners(&p, s, tcp, e))
		goto out;
	buf_putc(&p.names, '\0');
	pid_t pid = fork();
	if (pid == 0)
		become_daemon(s, &p);
	if (pid < 0) {
		err_sys(e, ERR_TEMP, "fork");
		goto out;
	}
	l = new_leader(s, cfg, pid);
	if (watch(l, chan[0], e)) {
		l->next = s->m->leaders;
		s->m->leaders = l;
		chan[0] = -1; /* the leader's now */
	} else {
		kill(pid, SIGKILL);
		free(l);
		l = NULL;
	}
out:
	buf_free(&p.names);
	fd_close(&chan[0]);
	fd_close(&chan[1]);
	return l;
}

bool leader_order(struct leader *l, enum leader_order order)
{
	struct leader_do what = { .order = order };
	struct err e;
	if (ipc_send(l->chan.fd, &leader_do_desc, &what, 0, &e))
		return true;
	LOG_WARN("order-unsent", KV_STR("service", l->service->entry->name), KV_U64("service_pid", (uint64_t)l->pid), KV_ERR(&e));
	return false;
}

/* Workers whose leader is dead are still in its group. */
void leader_kill(struct leader *l, int signo)
{
	if (kill(-l->pid, signo) < 0)
		kill(l->pid, signo); /* between fork and setsid */
}

void leader_free(struct leader *l)
{
	struct leader **at = &l->m->leaders;
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	ev_timer_clear(l->m->loop, &l->timer);
	ev_del(l->m->loop, &l->chan);
	fd_close(&l->chan.fd);
	free(l);
}
