/* The control socket. Who may connect may command: its mode and group are the permission (0660 root:admin_group). */
#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"

#include <errno.h>

#define CLIENTS_MAX 16
#define LOAD_MS 500    /* daemons get so long to say how busy they are */
#define ANSWER_MS 1000 /* a client that does not read holds us up no longer than this */

enum waiting { WAIT_REQUEST, WAIT_LOADS, WAIT_RELOAD };

struct client {
	struct master *m;
	struct client *next;
	struct ev_io io;
	uid_t uid;
	enum waiting waiting;
};

static void client_close(struct client *c)
{
	struct master *m = c->m;
	struct client **at = &m->clients;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	m->n_clients--;
	if (m->reload.asker == c)
		m->reload.asker = NULL;
	ev_del(m->loop, &c->io);
	fd_close(&c->io.fd);
	free(c);
}

void control_answer(struct master *m, struct client *c, bool ok, const char *text)
{
	struct control_done done = { .ok = ok, .pid = (uint64_t)getpid(), .started = m->started, .generation = m->cfg->generation };
	struct err e;
	snprintf(done.text, sizeof(done.text), "%s", text);
	c->waiting = WAIT_REQUEST;
	if (!ipc_send(c->io.fd, &control_done_desc, &done, ANSWER_MS, &e))
		LOG_DEBUG("answer-unsent", KV_ERR(&e));
}

/* --- status ------------------------------------------------------------------------------------------------------------------ */

static const char *state_name(const struct service *s)
{
	if (s->m->stopping)
		return "stopping";
	if (!s->cur)
		return "waiting";
	return s->cur->state == LEADER_STARTING ? "starting" : "running";
}

static bool send_service(const struct client *c, const struct service *s)
{
	struct status_service st = { .restarts = s->restarts };
	snprintf(st.name, sizeof(st.name), "%s", s->entry->name);
	snprintf(st.state, sizeof(st.state), "%s", state_name(s));
	snprintf(st.text, sizeof(st.text), "%s", s->text);
	if (s->cur) {
		st.pid = (uint64_t)s->cur->pid;
		st.started = s->cur->started;
		st.workers = s->cur->load.workers;
		st.busy = s->cur->load.busy;
		st.workers_max = s->cur->load.workers_max;
		st.served = s->cur->load.served;
		st.generation = s->cur->generation;
	}
	return ipc_send(c->io.fd, &status_service_desc, &st, ANSWER_MS, NULL);
}

static void send_status(struct client *c)
{
	for (size_t i = 0; i < c->m->n_services; i++)
		if (!send_service(c, &c->m->services[i]))
			break; /* gone; control_answer() fails too */
	control_answer(c->m, c, true, c->m->reload.active ? "a reload is under way" : "");
}

static void answer_all(struct master *m)
{
	ev_timer_clear(m->loop, &m->loads);
	for (struct client *c = m->clients; c; c = c->next)
		if (c->waiting == WAIT_LOADS)
			send_status(c);
}

void control_on_load(struct master *m)
{
	for (const struct leader *l = m->leaders; l; l = l->next)
		if (l->load_asked)
			return;
	answer_all(m);
}

static void on_loads_late(struct ev_timer *t, void *arg)
{
	struct master *m = arg;
	(void)t;
	for (struct leader *l = m->leaders; l; l = l->next)
		l->load_asked = false;
	answer_all(m);
}

static void ask_loads(struct client *c)
{
	struct master *m = c->m;
	c->waiting = WAIT_LOADS;
	ev_timer_set(m->loop, &m->loads, LOAD_MS);
	for (size_t i = 0; i < m->n_services; i++) {
		struct leader *l = m->services[i].cur;
		if (l && l->state == LEADER_RUNNING)
			l->load_asked = leader_order(l, ORDER_LOAD);
	}
	control_on_load(m);
}

/* --- requests ---------------------------------------------------------------------------------------------------------------- */

void logs_reopen(struct master *m)
{
	for (struct leader *l = m->leaders; l; l = l->next)
		if (strcmp(l->service->entry->name, "logd") == 0 && !leader_order(l, ORDER_REOPEN))
			LOG_WARN("reopen-unsent");
}

static void obey(struct client *c, enum control_op op)
{
	static const char *const names[] = { "status", "stop", "reload", "log-reopen" };
	struct master *m = c->m;
	if (op != CTL_STATUS)
		LOG_INFO("control", KV_STR("order", names[op]), KV_U64("uid", c->uid));
	switch (op) {
	case CTL_STATUS:
		ask_loads(c);
		break;
	case CTL_STOP:
		control_answer(m, c, true, "");
		services_stop(m);
		break;
	case CTL_RELOAD:
		c->waiting = WAIT_RELOAD;
		reload_begin(m, c);
		break;
	case CTL_LOG_REOPEN:
		logs_reopen(m);
		control_answer(m, c, true, "");
		break;
	}
}

static void on_request(struct ev_io *io, unsigned events, void *arg)
{
	struct client *c = arg;
	struct control_req req;
	struct err e;
	(void)events;
	if (!ipc_recv_msg(io->fd, &control_req_desc, &req, 0, &e)) {
		if (e.kind != ERR_TEMP)
			client_close(c);
		return;
	}
	if (req.op > CTL_LOG_REOPEN || c->waiting != WAIT_REQUEST) {
		if (log_may(&c->m->refusals, "bad-control", clock_mono_ms()))
			LOG_WARN("bad-control", KV_U64("uid", c->uid), KV_U64("op", req.op));
		client_close(c);
		return;
	}
	obey(c, (enum control_op)req.op);
}

static void on_client(struct ev_io *io, unsigned events, void *arg)
{
	struct master *m = arg;
	struct addr peer;
	struct err e;
	pid_t pid;
	gid_t gid;
	int fd;
	(void)events;
	if (!sock_accept(io->fd, &fd, &peer, &e))
		return;
	struct client *c = mem_new(sizeof(*c));
	*c = (struct client){ .m = m, .io = { .fd = fd, .on = on_request, .arg = c }, .next = m->clients };
	if (m->n_clients == CLIENTS_MAX || !sock_peer_cred(fd, &pid, &c->uid, &gid, &e) || !ev_add(m->loop, &c->io, EV_READ, &e)) {
		if (log_may(&m->refusals, "control-refused", clock_mono_ms()))
			LOG_WARN("control-refused", KV_U64("clients", m->n_clients));
		fd_close(&c->io.fd);
		free(c);
		return;
	}
	m->clients = c;
	m->n_clients++;
}

bool control_open(struct master *m, struct err *e)
{
	for (size_t i = 0; i < m->binds.n_unix; i++)
		if (strcmp(svc_endpoints[i].name, "master.control") == 0) {
			m->loads = (struct ev_timer){ .on = on_loads_late, .arg = m };
			m->control = (struct ev_io){ .fd = m->binds.unix_fds[i], .on = on_client, .arg = m };
			return ev_add(m->loop, &m->control, EV_READ, e);
		}
	return err_set(e, ERR_PERM, "the catalog has no endpoint master.control");
}

void control_close(struct master *m)
{
	while (m->clients)
		client_close(m->clients);
	ev_del(m->loop, &m->control);
}
