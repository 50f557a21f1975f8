/* The loop: a request is answered at once from tables and memory, or waits for a look-up of a user while others are served. */
#include "serve.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "chan.h"
#include "decide.h"
#include "tables.h"
#include "users.h"

#include <errno.h>
#include <sys/stat.h>

#define CHANNELS_MAX 12000 /* more than all workers that the configuration allows */
#define OUT_MAX (64 << 20) /* answers of the biggest alias (alias_expansion_max) that a client has not taken yet */
#define NAME_KEEP_MS 60000
#define NAME_HELPERS 4
#define NOTE_MS 60000 /* "postmaster has no alias" is said no more often */

struct server {
	struct svc_ctx *ctx;
	struct ev_loop *loop;
	struct rules *rules;
	struct table aliases, mailboxes;
	struct hmap *named;  /* tables for smtpd */
	struct srs_keys srs; /* n 0: none */
	struct users *users;
	struct users *names; /* of clients: with helpers of their own, which name servers may keep waiting */
	struct lookups lookups;
	struct decision decision; /* reused */
	struct ipc_packet packet; /* reused */
	struct buf scratch;       /* of what is sent; reused */
	struct ev_io listener[SVC_LISTENERS_MAX];
	size_t n_listeners;
	struct hmap *chans; /* by id */
	struct chan *now;   /* whose question the look-ups are for */
	uint64_t last_id, served, busy;
	uint64_t noted_ms;
	bool draining;
	struct ev_timer end;
};

static struct sv id_key(const uint64_t *id) { return (struct sv){ (const char *)id, sizeof(*id) }; }

/* By a timer: handlers on the stack still use what the end frees. */
static void end_when_idle(struct server *s)
{
	if (s->draining && s->busy == 0)
		ev_timer_set(s->loop, &s->end, 0);
}

static void close_chan(struct chan *c)
{
	struct server *s = c->server;

	s->busy -= c->ask != ASK_NOTHING;
	ev_del(s->loop, &c->io);
	fd_close(&c->io.fd);
	hmap_del(s->chans, id_key(&c->asker.id));
	buf_free(&c->out);
	free(c);
	end_when_idle(s);
}

/* --- look-ups for decisions ---------------------------------------------------------------------------------------------- */

static enum map_result get_alias(void *arg, struct sv key, struct buf *ret_value, struct err *e)
{
	struct server *s = arg;

	return table_get(&s->aliases, key, ev_now_ms(s->loop), ret_value, e);
}

static enum map_result get_mailbox(void *arg, struct sv key, struct buf *ret_value, struct err *e)
{
	struct server *s = arg;

	return table_get(&s->mailboxes, key, ev_now_ms(s->loop), ret_value, e);
}

static enum user_result get_user(void *arg, const char *name, struct user *ret, struct err *e)
{
	struct server *s = arg;

	return users_by_name(s->users, name, &s->now->asker, ret, e);
}

static bool get_base_owner(void *arg, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	struct server *s = arg;
	struct stat st;

	if (stat(svc_cfg(s->ctx)->global.virtual_base, &st) < 0)
		return err_sys(e, ERR_TEMP, "virtual_base");
	*ret_uid = st.st_uid;
	*ret_gid = st.st_gid;
	return true;
}

static enum srs_result get_rewritten(void *arg, const struct maddr *a, struct maddr *ret)
{
	const struct server *s = arg;

	return s->srs.n > 0 ? srs_reverse(&s->srs, a, clock_real_secs(), ret) : SRS_NONE;
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

static void copy_text(char *dst, size_t size, const char *text) { snprintf(dst, size, "%s", text); }

static void send_rcpt(struct chan *c, const struct decision *d, size_t i)
{
	const struct final *f = VEC_AT(&d->finals, struct final, i);
	struct resolve_rcpt a = { .status = RESOLVE_OK,
		.last = i + 1 == d->finals.len,
		.class = f->class,
		.relayed = f->relayed,
		.reports = d->reports,
		.aliased = f->aliased };

	maddr_text(&f->addr, a.address);
	copy_text(a.route, sizeof(a.route), f->route);
	chan_send(c, &resolve_rcpt_desc, &a, &c->server->scratch);
}

static void send_refusal(struct chan *c, const struct decision *d)
{
	struct resolve_rcpt a = { .status = d->status, .last = 1, .class = CLASS_LOCAL };

	copy_text(a.dsn, sizeof(a.dsn), d->why.dsn);
	copy_text(a.text, sizeof(a.text), d->why.text);
	chan_send(c, &resolve_rcpt_desc, &a, &c->server->scratch);
}

static void tell_note(struct server *s, const char *address, const char *text)
{
	uint64_t now = ev_now_ms(s->loop);

	if (s->noted_ms && now - s->noted_ms < NOTE_MS)
		return;
	s->noted_ms = now;
	LOG_WARN("mail-waits", KV_STR("to", address), KV_STR("reason", text));
}

static bool answer_rcpt(struct chan *c)
{
	struct server *s = c->server;
	struct decision *d = &s->decision;

	if (!decide_rcpt(s->rules, &s->lookups, sv_of(c->address), c->local_client, d))
		return false;
	if (d->note[0])
		tell_note(s, c->address, d->note);
	if (d->status != RESOLVE_OK)
		send_refusal(c, d);
	for (size_t i = 0; d->status == RESOLVE_OK && i < d->finals.len; i++)
		send_rcpt(c, d, i);
	return true;
}

static bool answer_box(struct chan *c)
{
	struct server *s = c->server;
	struct resolve_box a;

	if (!decide_box(s->rules, &s->lookups, sv_of(c->address), &a))
		return false;
	if (a.status == RESOLVE_OK && a.kind == BOX_UNSUPPORTED)
		tell_note(s, c->address, a.text);
	chan_send(c, &resolve_box_desc, &a, &s->scratch);
	return true;
}

static bool answer_uid(struct chan *c)
{
	struct server *s = c->server;
	struct resolve_uid a = { .status = RESOLVE_OK };
	struct user u;
	struct err e = { .kind = ERR_NONE };

	switch (users_by_uid(s->users, c->uid, &c->asker, &u, &e)) {
	case USER_FOUND:
		copy_text(a.user, sizeof(a.user), u.name);
		break;
	case USER_NONE:
		a.status = RESOLVE_UNKNOWN;
		break;
	case USER_FAILED:
		a.status = RESOLVE_TEMP;
		break;
	case USER_PENDING:
		return false;
	}
	chan_send(c, &resolve_uid_desc, &a, &s->scratch);
	return true;
}

static bool answer_name(struct chan *c)
{
	struct server *s = c->server;
	struct resolve_name a = { 0 };
	const char *name = "";
	struct err e = { .kind = ERR_NONE };
	enum user_result r = users_by_address(s->names, c->address, &c->asker, &name, &e);

	if (r == USER_PENDING)
		return false;
	if (r == USER_FOUND)
		copy_text(a.name, sizeof(a.name), name);
	a.failed = r == USER_FAILED;
	chan_send(c, &resolve_name_desc, &a, &s->scratch);
	return true;
}

static bool answer_table(struct chan *c)
{
	struct server *s = c->server;
	struct resolve_table a = { 0 };
	struct buf value = BUF_INIT(sizeof(a.value) - 1);
	struct err e = { .kind = ERR_NONE };
	enum map_result r = named_tables_get(s->named, c->look.spec, sv_of(c->look.key), ev_now_ms(s->loop), &value, &e);

	a.result = r;
	if (r == MAP_FOUND && !sv_copy(buf_sv(&value), a.value, sizeof(a.value))) {
		a.result = MAP_FAILED;
		err_set(&e, ERR_PERM, "%s: a value holds a NUL byte", c->look.spec);
	}
	if (a.result == MAP_FAILED)
		copy_text(a.text, sizeof(a.text), e.text);
	if (e.kind == ERR_PEER)
		LOG_WARN("table-refused", KV_STR("table", c->look.spec));
	chan_send(c, &resolve_table_desc, &a, &s->scratch);
	buf_free(&value);
	return true;
}

/* One question at a time: the next is read when this one's answer is on its way. */
static void try_answer(struct chan *c)
{
	static bool (*const answer[])(struct chan *) = { [ASK_RCPT] = answer_rcpt,
		[ASK_BOX] = answer_box,
		[ASK_UID] = answer_uid,
		[ASK_TABLE] = answer_table,
		[ASK_NAME] = answer_name };
	struct server *s = c->server;

	s->now = c;
	if (answer[c->ask](c)) {
		c->ask = ASK_NOTHING;
		s->busy--;
		s->served++;
	}
	s->now = NULL;
	if (c->broken)
		close_chan(c);
	else
		ev_want(s->loop, &c->io, chan_has_output(c) ? EV_WRITE : c->ask == ASK_NOTHING ? EV_READ : 0);
}

static void on_looked_up(void *arg, uint64_t id)
{
	struct server *s = arg;
	struct chan *c = hmap_get(s->chans, id_key(&id));

	if (!c || c->asker.waiting == 0 || --c->asker.waiting > 0)
		return;
	try_answer(c);
	end_when_idle(s);
}

/* --- questions ----------------------------------------------------------------------------------------------------------- */

static bool ask(struct chan *c, enum ask_kind kind)
{
	c->ask = kind;
	c->asker.since_ms = ev_now_ms(c->server->loop);
	c->asker.waiting = 0;
	c->server->busy++;
	return true;
}

static bool on_rcpt(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct resolve_req *q = msg;

	(void)e;
	memcpy(c->address, q->address, sizeof(c->address));
	c->local_client = q->local_client;
	return ask(c, ASK_RCPT);
}

static bool on_box(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct resolve_box_req *q = msg;

	(void)e;
	memcpy(c->address, q->address, sizeof(c->address));
	return ask(c, ASK_BOX);
}

static bool on_uid(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct resolve_uid_req *q = msg;

	(void)e;
	c->uid = q->uid;
	return ask(c, ASK_UID);
}

static bool on_table(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;

	(void)e;
	c->look = *(const struct resolve_table_req *)msg;
	return ask(c, ASK_TABLE);
}

static bool on_name(void *chan, void *msg, struct err *e)
{
	struct chan *c = chan;
	const struct resolve_name_req *q = msg;

	(void)e;
	copy_text(c->address, sizeof(c->address), q->address);
	return ask(c, ASK_NAME);
}

static const struct ipc_rule rules[] = {
	{ &resolve_req_desc, PEER_SMTPD, PH_READY, 0, on_rcpt },
	{ &resolve_uid_req_desc, PEER_SMTPD, PH_READY, 0, on_uid },
	{ &resolve_table_req_desc, PEER_SMTPD, PH_READY, 0, on_table },
	{ &resolve_name_req_desc, PEER_SMTPD, PH_READY, 0, on_name },
	{ &resolve_box_req_desc, PEER_LOCAL, PH_READY, 0, on_box },
	{ NULL },
};

static void read_question(struct chan *c)
{
	struct server *s = c->server;
	struct err e = { .kind = ERR_NONE };

	if (!ipc_recv(c->io.fd, &s->packet, 0, &e)) {
		if (e.sys == EAGAIN)
			return;
		if (e.sys)
			LOG_WARN("channel-failed", KV_ERR(&e));
		close_chan(c); /* sys 0: the client is done, or sent what is no packet of ours */
		return;
	}
	if (!ipc_dispatch(rules, &c->seen, c->peer, PH_READY, &s->packet, c, &e)) {
		LOG_WARN("channel-refused", KV_STR("peer", c->peer == PEER_SMTPD ? "smtpd" : "local-delivery"), KV_ERR(&e));
		close_chan(c);
		return;
	}
	try_answer(c);
}

static void on_channel(struct ev_io *io, unsigned events, void *arg)
{
	struct chan *c = arg;

	(void)io;
	if (chan_has_output(c)) {
		chan_flush(c);
		if (c->broken)
			close_chan(c);
		else if (!chan_has_output(c))
			ev_want(c->server->loop, &c->io, EV_READ);
	} else if (c->ask != ASK_NOTHING) {
		if (events & EV_HUP) /* the client does not wait for the answer */
			close_chan(c);
	} else {
		read_question(c);
	}
}

/* --- start and end ------------------------------------------------------------------------------------------------------- */

static void on_client(struct ev_io *io, unsigned events, void *arg)
{
	struct server *s = arg;
	struct addr peer;
	struct err e = { .kind = ERR_NONE };
	int fd;

	(void)events;
	if (!sock_accept(io->fd, &fd, &peer, &e)) {
		if (e.sys != EAGAIN)
			LOG_WARN("accept-failed", KV_ERR(&e));
		return;
	}
	const struct svc_listener *first;
	svc_listeners(s->ctx, &first);
	const struct svc_listener *on = &first[io - s->listener];
	struct chan *c = mem_new(sizeof(*c));
	*c = (struct chan){ .server = s,
		.io = { .fd = fd, .on = on_channel, .arg = c },
		.asker.id = ++s->last_id,
		.out = BUF_INIT(OUT_MAX),
		.peer = strcmp(on->name, "resolve.smtpd") == 0 ? PEER_SMTPD : PEER_LOCAL };
	if (hmap_put(s->chans, id_key(&c->asker.id), c) && ev_add(s->loop, &c->io, EV_READ, &e))
		return;
	LOG_WARN("accept-failed", KV_STR("listener", on->name), KV_ERR(&e));
	close_chan(c);
}

static bool watch_listeners(struct server *s, struct err *e)
{
	const struct svc_listener *first;
	size_t n = svc_listeners(s->ctx, &first);

	for (size_t i = 0; i < n; i++) {
		s->listener[i] = (struct ev_io){ .fd = first[i].fd, .on = on_client, .arg = s };
		if (!ev_add(s->loop, &s->listener[i], EV_READ, e))
			return false;
		s->n_listeners = i + 1;
	}
	return true;
}

static void on_end(struct ev_timer *t, void *arg)
{
	struct server *s = arg;
	size_t cursor = 0;
	struct sv key;
	void *chan;

	(void)t;
	while (hmap_next(s->chans, &cursor, &key, &chan))
		close_chan(chan);
	ev_timer_clear(s->loop, &s->end);
	hmap_free(s->chans, NULL);
	users_free(s->users);
	users_free(s->names);
	table_close(&s->aliases);
	table_close(&s->mailboxes);
	named_tables_free(s->named);
	decision_free(&s->decision);
	rules_free(s->rules);
	ipc_packet_free(&s->packet);
	buf_free(&s->scratch);
	svc_set_data(s->ctx, NULL);
	svc_done(s->ctx);
	free(s);
}

static void start_look_ups(struct server *s, const struct cfg *cfg)
{
	const struct cfg_resolve *r = &cfg->resolve;
	const struct users_limits users = { r->resolve_cache * 1000, r->nss_timeout * 1000, r->nss_helpers };
	const struct users_limits names = { NAME_KEEP_MS, cfg->smtpd.reverse_dns_timeout * 1000, NAME_HELPERS };

	s->users = users_new(s->loop, &users, on_looked_up, s);
	s->names = users_new(s->loop, &names, on_looked_up, s);
}

/* Only root may read the keys. Without `srs` mail that was sent on before still has its way back. */
bool resolve_pre_drop(struct svc_ctx *ctx, struct err *e)
{
	const struct cfg_global *g = &svc_cfg(ctx)->global;
	struct server *s = mem_new(sizeof(*s));
	struct err why;

	(void)e;
	if (!srs_keys_load(g->state_directory, &s->srs, &why) && g->srs)
		LOG_WARN("srs-off", KV_ERR(&why));
	svc_set_data(ctx, s);
	return true;
}

bool resolve_start(struct svc_ctx *ctx, struct ev_loop *loop, struct err *e)
{
	const struct cfg *cfg = svc_cfg(ctx);
	struct rules *r = rules_new(cfg, e);

	if (!r)
		return false;
	struct server *s = svc_data(ctx);
	*s = (struct server){ .ctx = ctx,
		.loop = loop,
		.rules = r,
		.srs = s->srs,
		.packet = IPC_PACKET_INIT,
		.scratch = BUF_INIT(SOCK_PACKET_MAX),
		.chans = hmap_new(CHANNELS_MAX) };
	table_init(&s->aliases, "aliases", cfg->resolve.aliases, MAP_ALIASES, ev_now_ms(loop));
	table_init(&s->mailboxes, "virtual_mailboxes", cfg->resolve.virtual_mailboxes, MAP_PLAIN, ev_now_ms(loop));
	s->named = named_tables_new(cfg, ev_now_ms(loop));
	start_look_ups(s, cfg);
	s->lookups = (struct lookups){ get_alias, get_mailbox, get_user, get_base_owner, s, get_rewritten };
	decision_init(&s->decision, r);
	s->end = (struct ev_timer){ .on = on_end, .arg = s };
	return watch_listeners(s, e);
}

/* Clients reconnect to the successor when their channels end; a question that is still unread is asked there again. */
void resolve_drain(struct svc_ctx *ctx)
{
	struct server *s = svc_data(ctx);

	for (size_t i = 0; i < s->n_listeners; i++)
		ev_del(s->loop, &s->listener[i]);
	s->draining = true;
	end_when_idle(s);
}

void resolve_report(struct svc_ctx *ctx, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max, uint64_t *ret_served)
{
	const struct server *s = svc_data(ctx);

	*ret_workers = *ret_max = 1;
	*ret_busy = s ? s->busy : 0; /* NULL: ended */
	*ret_served = s ? s->served : 0;
}
