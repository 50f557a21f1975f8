/* status, stop, reload: requests to master's control socket. */
#include "base/clock.h"
#include "base/num.h"
#include "ipc/msg_control.h"
#include "postern.h"
#include "grid.h"
#include "text.h"

#include <errno.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sysexits.h>

#define CONTROL_SOCKET "master.control"
#define NOT_RUNNING 3  /* as `systemctl status` and LSB have it */
#define EXTRA_MS 10000 /* for master itself, beyond what the sessions get */

static bool answers(int fd, void (*service)(const struct status_service *s, void *arg), void *arg, uint64_t wait_ms,
	struct control_done *ret, struct err *e)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	struct status_service s;
	uint16_t type = 0, version;
	bool ok = true;
	while (ok && type != control_done_desc.type) {
		ok = ipc_recv(fd, &p, wait_ms, e);
		if (!ok || !ipc_type_of(buf_sv(&p.bytes), &type, &version))
			break;
		if (type == control_done_desc.type) {
			ok = ipc_decode(&control_done_desc, buf_sv(&p.bytes), p.fds, p.n_fds, ret, e);
		} else {
			ok = ipc_decode(&status_service_desc, buf_sv(&p.bytes), p.fds, p.n_fds, &s, e);
			if (ok && service)
				service(&s, arg);
		}
		p.n_fds = 0;
	}
	ipc_packet_free(&p);
	return ok && type == control_done_desc.type;
}

static bool open_control(struct tool *t, int *ret_fd, struct err *e)
{
	return tool_connect(t, CONTROL_SOCKET, SOCK_SEQPACKET, TOOL_WAIT_MS, ret_fd, e);
}

static int ask_on(struct tool *t, int fd, unsigned op, uint64_t wait_ms, void (*service)(const struct status_service *s, void *arg),
	void *arg, struct control_done *ret)
{
	struct control_req req = { .op = op };
	struct err e = { 0 };
	if (!ipc_send(fd, &control_req_desc, &req, TOOL_WAIT_MS, &e) || !answers(fd, service, arg, wait_ms, ret, &e))
		return tool_unreachable(t, "master", &e);
	if (!ret->ok)
		return tool_fail(t, EX_CONFIG, "%s", ret->text);
	return 0;
}

int control_ask(struct tool *t, unsigned op, uint64_t wait_ms, void (*service)(const struct status_service *s, void *arg),
	void *arg, struct control_done *ret)
{
	struct err e = { 0 };
	int fd;
	if (!open_control(t, &fd, &e))
		return tool_unreachable(t, "master", &e);
	int code = ask_on(t, fd, op, wait_ms, service, arg, ret);
	close(fd);
	return code;
}

/* --- status --- */
struct listing {
	struct grid grid;
	json_t *services; /* NULL: a table */
	uint64_t now;
};

static enum grid_style state_style(const char *state)
{
	if (strcmp(state, "running") == 0)
		return GRID_GOOD;
	return strcmp(state, "waiting") == 0 ? GRID_BAD : GRID_WARN;
}

static void add_json(struct listing *l, const struct status_service *s)
{
	json_array_append_new(l->services,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "name", s->name, "state", s->state, "pid",
			(json_int_t)s->pid, "started", (json_int_t)s->started, "restarts", (json_int_t)s->restarts, "workers",
			(json_int_t)s->workers, "busy", (json_int_t)s->busy, "workers_max", (json_int_t)s->workers_max, "served",
			(json_int_t)s->served, "generation", (json_int_t)s->generation, "text", s->text));
}

static void on_service(const struct status_service *s, void *arg)
{
	struct listing *l = arg;
	char up[NUM_TEXT_MAX];
	if (l->services) {
		add_json(l, s);
		return;
	}
	grid_cell(&l->grid, GRID_BOLD, "%s", s->name);
	grid_cell(&l->grid, state_style(s->state), "%s", s->state);
	grid_cell(&l->grid, GRID_PLAIN, "%llu", (unsigned long long)s->pid);
	grid_cell(&l->grid, GRID_PLAIN, "%s",
		s->pid > 0 && s->started > 0 && l->now >= s->started ? num_human_secs(l->now - s->started, up) : "-");
	if (s->workers_max > 0)
		grid_cell(&l->grid, GRID_PLAIN, "%llu/%llu of %llu", (unsigned long long)s->busy, (unsigned long long)s->workers,
			(unsigned long long)s->workers_max);
	else
		grid_cell(&l->grid, GRID_PLAIN, "-");
	grid_cell(&l->grid, GRID_PLAIN, "%llu", (unsigned long long)s->served);
	grid_cell(&l->grid, s->restarts > 0 ? GRID_WARN : GRID_PLAIN, "%llu", (unsigned long long)s->restarts);
	grid_cell(&l->grid, GRID_PLAIN, "%llu", (unsigned long long)s->generation);
	grid_cell(&l->grid, GRID_WARN, "%s", s->text);
}

static void print_status(struct tool *t, struct listing *l, const struct control_done *d)
{
	char up[NUM_TEXT_MAX];
	uint64_t age = l->now > d->started ? l->now - d->started : 0;
	if (l->services) {
		print_json(json_pack("{s:b, s:I, s:I, s:I, s:s, s:o}", "running", 1, "pid", (json_int_t)d->pid, "started",
			(json_int_t)d->started, "generation", (json_int_t)d->generation, "configuration", t->conf, "services",
			l->services));
		return;
	}
	printf("%sPostern is running%s: pid %llu, up %s, configuration %s (generation %llu)\n",
		grid_paint(GRID_GOOD, l->grid.colour), grid_unpaint(l->grid.colour), (unsigned long long)d->pid,
		num_human_secs(age, up), t->conf, (unsigned long long)d->generation);
	if (d->text[0] != '\0')
		printf("%s\n", d->text);
	grid_end(&l->grid);
}

int cmd_status(struct tool *t, int argc, char **argv)
{
	static const struct grid_col cols[] = { { "SERVICE", false }, { "STATE", false }, { "PID", true }, { "UPTIME", true },
		{ "BUSY", false }, { "SERVED", true }, { "RESTARTS", true }, { "GEN", true }, { "LAST TROUBLE", false } };
	bool json = false;
	const struct opt opts[] = { { "json", 0, OPT_FLAG, &json, NULL, "one JSON object" }, OPT_END };
	struct control_done d = { 0 };
	int code;
	if (!command_options(t, "[--json]", opts, &argc, argv, 0, &code) || (code = tool_load_lenient(t)) != 0)
		return code;
	struct listing l = { .services = json ? json_array() : NULL, .now = clock_real_secs() };
	grid_init(&l.grid, cols, COUNT(cols));
	l.grid.streaming = false; /* the line about master comes last, and is printed first */
	code = control_ask(t, CTL_STATUS, TOOL_WAIT_MS, on_service, &l, &d);
	if (code == 0) {
		print_status(t, &l, &d);
		return 0;
	}
	if (json)
		print_json(json_pack("{s:b}", "running", 0));
	return code == EX_UNAVAILABLE ? NOT_RUNNING : code;
}

/* --- stop, reload --- */
/* The end of the channel is the end of master. */
static int wait_for_end(struct tool *t, int fd, uint64_t wait_ms)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	struct err e = { 0 };
	uint64_t deadline = clock_mono_ms() + wait_ms, now;
	bool more = true;
	while (more && (now = clock_mono_ms()) < deadline)
		more = ipc_recv(fd, &p, deadline - now, &e);
	ipc_packet_free(&p);
	if (e.kind == ERR_TEMP && e.sys == ETIMEDOUT)
		return tool_fail(t, EX_TEMPFAIL, "it has not ended after %llu s; `postern status` tells more",
			(unsigned long long)(wait_ms / 1000));
	return 0;
}

int cmd_stop(struct tool *t, int argc, char **argv)
{
	static const struct opt opts[] = { OPT_END };
	struct control_done d = { 0 };
	struct err e = { 0 };
	int code, fd;
	if (!command_options(t, "", opts, &argc, argv, 0, &code) || (code = tool_load_lenient(t)) != 0)
		return code;
	if (!open_control(t, &fd, &e)) {
		if (!tool_is_down(&e))
			return tool_unreachable(t, "master", &e);
		printf("Postern is not running\n");
		return 0;
	}
	uint64_t wait_ms = t->cfg->master.stop_timeout * 1000 + EXTRA_MS;
	code = ask_on(t, fd, CTL_STOP, wait_ms, NULL, NULL, &d);
	if (code == 0)
		code = wait_for_end(t, fd, wait_ms);
	close(fd);
	if (code == 0)
		printf("stopped\n");
	return code;
}

int cmd_reload(struct tool *t, int argc, char **argv)
{
	static const struct opt opts[] = { OPT_END };
	struct control_done d = { 0 };
	int code;
	if (!command_options(t, "", opts, &argc, argv, 0, &code) || (code = tool_load_lenient(t)) != 0)
		return code;
	/* Where master listens is as it was; if the new file is bad it says so itself. */
	code = control_ask(t, CTL_RELOAD, t->cfg->master.stop_timeout * 1000 + EXTRA_MS, NULL, NULL, &d);
	if (code == 0)
		printf("reloaded: generation %llu\n%s%s", (unsigned long long)d.generation, d.text, d.text[0] != '\0' ? "\n" : "");
	return code;
}
