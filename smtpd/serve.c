/* One client from accept to close: moves bytes between its socket and the session, and knows about time. */
#include "client.h"
#include "secure.h"

#include "base/clock.h"
#include "base/fd.h"
#include "net/conn.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define REPLY_MAX (32 * 1024 * 1024) /* LMTP: one reply for each of recipients_max */
#define LEAVE_MS 1000                /* who says nothing for so long is idle, when we are to end */
#define LINGER_MS 500                /* how long a client may still talk after its last reply */
#define LINGER_MAX (256 * 1024)      /* and how much */

#define DATA_STEP 4096 /* so much of a message is progress */
#define SILENT_MS 400  /* who has said nothing yet counts as still for so much longer */

struct talk {
	struct svc_ctx *ctx;
	struct worker *worker;
	struct session session;
	struct conn conn;
	struct buf reply;
	uint64_t heard_ms; /* when the client last said something */
	/* A client that sends a byte now and then is as good as silent. */
	uint64_t session_end_ms;
	uint64_t since_ms; /* when it last did something of use: a command, a step of a message */
	uint64_t data_ms;  /* when its message began */
	uint64_t data_bytes, step_bytes;
	char known[129]; /* the account that was counted */
	bool turned_out; /* while it did not read */
	bool leaving;    /* the service ends, or a new leader takes over */
	const char *end; /* how it ended, for the log */
};

/* --- out of memory: said without memory (DESIGN 6) --- */
static int oom_client = -1; /* the one client of this process; a handler gets no argument */

static void out_of_memory(void)
{
	static const char text[] = "421 4.3.0 Out of memory, try again later\r\n";
	if (oom_client >= 0 && send(oom_client, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		_exit(71);
	_exit(71); /* EX_OSERR */
}

static void make_id(char dst[9])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	uint64_t r = rnd_u64();
	for (int i = 0; i < 8; i++, r >>= 5)
		dst[i] = digits[r & 31];
	dst[8] = '\0';
}

/* --- talking --- */
static bool send_reply(struct talk *t)
{
	struct err e;
	bool ok = t->reply.len == 0 || conn_put(&t->conn, buf_sv(&t->reply), &e);
	buf_reset(&t->reply);
	if (!ok)
		t->end = t->turned_out ? "turned-out" : "lost";
	return ok;
}

/* A client that reads no replies is as still as one that says nothing. */
static bool is_turned_out(void *arg)
{
	struct talk *t = arg;
	t->turned_out = svc_turned_out(t->ctx);
	return t->turned_out;
}

static void tarpit(struct talk *t, uint64_t ms)
{
	struct pollfd wake = { .fd = t->conn.wake, .events = POLLIN };
	if (poll(&wake, 1, (int)ms) < 0)
		return; /* a signal: the delay is no promise */
}

/* We are to end. An idle client is told at once; one in the middle of something may go on as long as it does not pause, up to the
 * end of its message. */
static bool leave(struct talk *t)
{
	t->leaving = true;
	t->conn.ignore_wake = true;
	return (t->session.phase & PH_CONTENT) || clock_mono_ms() - t->heard_ms < LEAVE_MS;
}

static void say_leaving(struct talk *t)
{
	session_close(&t->session, "4.3.2", "The server is going down, come again soon", &t->reply);
	t->end = "shutdown";
}

/* No input came. true: wait on. */
static bool wait_on(struct talk *t, const struct err *e)
{
	if (e->sys == EINTR && svc_turned_out(t->ctx)) {
		session_close(&t->session, "4.3.2", "Too busy to wait for you, come again later", &t->reply);
		t->end = "turned-out";
		return false;
	}
	if (e->sys == EINTR && leave(t))
		return true;
	if (e->sys == EINTR || (e->sys == ETIMEDOUT && t->leaving && !(t->session.phase & PH_CONTENT))) {
		say_leaving(t);
	} else if (e->sys == ETIMEDOUT) {
		session_close(&t->session, "4.4.2", "Timeout: closing the connection", &t->reply);
		t->end = "timeout";
	} else {
		t->session.phase = PH_QUIT;
		t->end = "lost";
	}
	return false;
}

/* When a client that goes on like this has had its time. */
static uint64_t deadline(const struct talk *t)
{
	const struct cfg *c = t->worker->cfg;
	uint64_t at = !(t->session.phase & PH_CONTENT)
			      ? t->since_ms + c->smtpd.command_timeout * 1000
			      : t->data_ms + c->smtpd.data_timeout * 1000 + t->data_bytes * 1000 / c->limits.data_rate_min;
	return MIN(at, t->session_end_ms);
}

/* For the choice of who goes when all workers are busy. */
static uint64_t still_since(const struct talk *t)
{
	const struct session *s = &t->session;
	if (s->client.kind != CLIENT_NET || s->client.trusted || *s->account != '\0' || t->leaving)
		return 0;
	return t->since_ms - (s->commands == 0 ? SILENT_MS : 0);
}

static void more_input(struct talk *t)
{
	const struct cfg_smtpd *c = &t->worker->cfg->smtpd;
	bool in_data = t->session.phase & PH_CONTENT;
	struct err e = { .kind = ERR_TEMP, .sys = ETIMEDOUT };
	t->conn.idle_ms = in_data ? c->data_timeout * 1000 : t->leaving ? LEAVE_MS : c->command_timeout * 1000;
	t->conn.deadline_ms = deadline(t);
	svc_still(t->ctx, still_since(t));
	/* A client that never pauses is never waited for. */
	if (clock_mono_ms() < t->conn.deadline_ms && conn_fill(&t->conn, &e))
		t->heard_ms = clock_mono_ms();
	else if (!wait_on(t, &e))
		t->session.phase = PH_QUIT;
}

static void note_progress(struct talk *t, bool was_data, size_t used)
{
	bool in_data = t->session.phase & PH_CONTENT;
	if (used == 0 || (t->session.skipping && !in_data)) /* a line without end is no command */
		return;
	if (in_data && !was_data) {
		t->data_ms = clock_mono_ms();
		t->data_bytes = t->step_bytes = 0;
	} else if (in_data) {
		t->data_bytes += used;
		t->step_bytes += used;
	}
	if (in_data && was_data && t->step_bytes < DATA_STEP)
		return;
	t->step_bytes = 0;
	t->since_ms = clock_mono_ms();
}

/* An account that authenticated just now, or that XCLIENT named, may have too many connections. */
static void know_account(struct talk *t)
{
	const char *account = t->session.account, *why;
	if (strcmp(t->known, account) == 0)
		return;
	BUG_IF(!sv_copy(sv_of(account), t->known, sizeof t->known));
	why = guard_account(&t->worker->guard, account);
	if (why)
		session_close(&t->session, "4.7.0", why, &t->reply);
}

static bool input_waits(const struct conn *c)
{
	char byte;
	return conn_buffered(c) || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool shake_hands(struct talk *t)
{
	t->conn.deadline_ms = t->session_end_ms;
	svc_still(t->ctx, still_since(t));
	if (secure_start(t->worker, &t->session, &t->conn)) {
		oom_client = -1; /* what would be said to it in the clear is no TLS */
		t->heard_ms = t->since_ms = clock_mono_ms();
		return true;
	}
	t->session.phase = PH_QUIT;
	t->end = "tls-failed";
	return false;
}

/* Who sends more before our reply has no need to see it: somebody in between may have put words into the client's mouth, which
 * are not to pass for its own after the handshake (RFC 3207 6, CVE-2011-0411). */
static void start_tls(struct talk *t)
{
	t->session.start_tls = false;
	if (!input_waits(&t->conn)) {
		if (send_reply(t))
			shake_hands(t);
		return;
	}
	LOG_INFO("starttls-injection", KV_STR("client", t->session.client_text), KV_STR("helo", t->session.helo));
	buf_reset(&t->reply);
	session_close(&t->session, "4.7.0", "Nothing may follow STARTTLS before its reply", &t->reply);
	t->end = "starttls-injection";
}

static void converse(struct talk *t)
{
	struct session *s = &t->session;
	t->heard_ms = t->since_ms = clock_mono_ms();
	session_greet(s, &t->reply);
	while (send_reply(t) && s->phase != PH_QUIT) {
		bool in_data = s->phase & PH_CONTENT;
		size_t used = session_feed(s, t->conn.in, &t->reply);
		conn_take(&t->conn, used);
		note_progress(t, in_data, used);
		know_account(t);
		if (s->start_tls)
			start_tls(t);
		if (s->delay_ms > 0) {
			tarpit(t, s->delay_ms);
			t->since_ms = clock_mono_ms();
		}
		if (in_data && s->phase == PH_HELLO && t->leaving)
			say_leaving(t); /* its message is done */
		else if (used == 0)
			more_input(t);
	}
}

/* Closing a socket with unread input resets the connection, and a client that we turn out may never see why. So: say that we are
 * done, and let it talk on for a moment. */
static void linger(struct talk *t)
{
	struct err e;
	char sink[4096];
	size_t n = 0;
	uint64_t end = clock_mono_ms() + LINGER_MS;
	if (shutdown(t->conn.fd, SHUT_WR) < 0)
		return;
	while (n < LINGER_MAX) {
		uint64_t now = clock_mono_ms();
		ssize_t got = now < end && sock_wait(t->conn.fd, POLLIN, end - now, &e) ? read(t->conn.fd, sink, sizeof sink) : 0;
		if (got <= 0)
			return;
		n += (size_t)got;
	}
}

static void part(struct talk *t)
{
	struct err e;
	bool said = send_reply(t) && conn_flush(&t->conn, &e);
	tls_end(&t->conn);
	if (said && t->session.closed && strcmp(t->end, "turned-out") != 0 && input_waits(&t->conn))
		linger(t);
	if (t->session.closed && strcmp(t->end, "quit") == 0)
		t->end = "closed";
}

/* A program of this machine that comes and goes could fill the log. What it had accepted stands there anyway. */
static bool may_log_end(const struct talk *t)
{
	const struct session *s = &t->session;
	return s->client.kind != CLIENT_SUBMIT || s->accepted > 0 ||
	       log_may(limits_log(t->worker->leader->limits), "disconnected", clock_mono_ms());
}

static void log_end(const struct talk *t)
{
	const struct session *s = &t->session;
	bool odd = s->refused > 0 || s->errors > 0 || strcmp(t->end, "quit") != 0;
	if (odd && !may_log_end(t))
		return;
	LOG(odd ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "disconnected", KV_STR("client", s->client_text), KV_STR("helo", s->helo),
		KV_STR("end", t->end), KV_U64("accepted", s->accepted), KV_U64("refused", s->refused),
		KV_U64("commands", s->commands), KV_U64("errors", s->errors));
}

static bool may_enter(struct talk *t)
{
	const char *why = guard_enter(&t->worker->guard, &t->session.client);
	if (!why)
		return true;
	session_close(&t->session, "4.7.0", why, &t->reply);
	if (secure_is_implicit(&t->session))
		buf_reset(&t->reply); /* a handshake, only to say this, would be more than it is worth */
	t->end = "too-many-connections";
	return false;
}

static bool encrypts_at_once(struct talk *t)
{
	if (!secure_is_implicit(&t->session))
		return true;
	t->since_ms = clock_mono_ms();
	if (guard_allow(&t->worker->guard, LIMIT_TLS, 1, ""))
		return shake_hands(t);
	t->end = "too-many-connections";
	return false;
}

/* RFC 5321 4.3.1: a client waits for the greeting. Much of what sends spam does not. */
static bool waits_for_greeting(struct talk *t)
{
	const struct cfg_listener *l = t->session.client.listener;
	struct guard *g = &t->worker->guard;
	uint64_t ms = l && l->protocol == CFG_PROTO_SMTP ? guard_greet_ms(g) : 0;
	struct pollfd p[2] = { { .fd = t->conn.fd, .events = POLLIN }, { .fd = t->conn.wake, .events = POLLIN } };
	char byte;
	if (ms == 0)
		return true;
	svc_still(t->ctx, clock_mono_ms() - SILENT_MS);
	bool heard = poll(p, 2, (int)ms) > 0 && p[0].revents;
	svc_still(t->ctx, 0);
	if (!heard) {
		guard_waited(g);
		return true;
	}
	t->session.phase = PH_QUIT;
	t->end = "lost";
	if (recv(t->conn.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return false;
	LOG_INFO("early-talker", KV_STR("client", t->session.client_text));
	smtp_replyf(&t->reply, 554, "5.5.0", "%s You talked before the greeting", t->worker->cfg->global.hostname);
	t->session.closed = true;
	t->end = "early-talker";
	return false;
}

void serve_client(struct svc_ctx *ctx, struct svc_client *client)
{
	struct talk t = { .ctx = ctx, .worker = svc_data(ctx), .reply = BUF_INIT(REPLY_MAX), .end = "quit" };
	struct session_client who;
	char id[9];
	make_id(id);
	log_session(id);
	oom_client = client->fd;
	oom_set(out_of_memory);
	bool known = client_know(t.worker, client, &who);
	namer_start(&t.worker->namer, &who.addr);
	conn_init(&t.conn, client->fd, svc_wake_fd(ctx));
	client->fd = -1;
	t.conn.give_up = is_turned_out;
	t.conn.give_up_arg = &t;
	t.session_end_ms = t.conn.deadline_ms = clock_mono_ms() + t.worker->cfg->smtpd.session_timeout * 1000;
	guard_start(&t.worker->guard, ctx, t.worker->cfg, t.worker->leader->limits, &who);
	session_init(&t.session, t.worker->cfg, &worker_ops, t.worker, &who, id);
	LOG_DEBUG("connected", KV_STR("client", t.session.client_text), KV_STR("listener", client->on->name));
	if (!known) {
		t.end = "no-proxy-header";
		t.session.phase = PH_QUIT;
	} else if (may_enter(&t) && encrypts_at_once(&t) && waits_for_greeting(&t))
		converse(&t);
	part(&t);
	log_end(&t);
	lender_give_back(&t.worker->lender);
	session_free(&t.session);
	buf_free(&t.reply);
	oom_client = -1;
	conn_close(&t.conn);
	log_session(NULL);
}
