#include "msg.h"

#include "base/fd.h"
#include "base/hmap.h"

uint32_t hash_key(struct sv s)
{
	uint64_t h = hash_bytes(s);
	uint32_t key = (uint32_t)(h ^ h >> 32);
	return key != 0 ? key : 1;
}

/* A mailbox, or a domain of others: what shares one fate. */
static uint32_t dest_key(const struct spool_rcpt *r, const char *text)
{
	if (r->cls == CLASS_REMOTE)
		return sched_dest(LANE_REMOTE, hash_key(sv_of(r->addr.domain)));
	return sched_dest(LANE_LOCAL, hash_key(sv_of(text)));
}

/* How much memory the texts take. maddr_text() is at most its two parts with every byte of the local part escaped. */
static size_t text_room(const struct spool_envelope *env)
{
	size_t n = env->sender.local_len * 2 + strlen(env->sender.domain) + 4 + 2 * strlen(env->postern) + 2;
	for (size_t i = 0; i < env->n_rcpt; i++) {
		const struct spool_rcpt *r = &env->rcpt[i];
		n += (r->addr.local_len + r->orig.local_len) * 2 + strlen(r->addr.domain) + strlen(r->orig.domain) + 8 +
		     (r->orcpt != NULL ? strlen(r->orcpt) + 1 : 0);
	}
	return n;
}

static const char *put_text(char **at, const char *text)
{
	if (text[0] == '\0')
		return "";
	size_t n = strlen(text) + 1;
	char *dst = memcpy(*at, text, n);
	*at += n;
	return dst;
}

static const char *put_address(char **at, const struct maddr *a)
{
	char text[MADDR_TEXT_MAX + 1];
	return put_text(at, maddr_text(a, text));
}

static void put_rcpt(struct msg *m, struct rcpt *r, const struct spool_rcpt *from, char **at)
{
	r->msg = m;
	r->addr = put_address(at, &from->addr);
	r->orig = from->orig.null ? "" : put_address(at, &from->orig);
	r->orcpt = from->orcpt != NULL ? put_text(at, from->orcpt) : "";
	r->notify = from->notify;
	r->status_at = from->status_at;
	r->number = from->number;
	r->cls = from->cls;
	r->status = from->status;
	r->state = from->status == SPOOL_TODO ? RCPT_DEFERRED : RCPT_DONE;
	r->unit.sender = m->sender_key;
	r->unit.dest = dest_key(from, r->addr);
}

/* A decoded ENVID is shorter than its xtext in the line. */
static void put_asks(struct msg *m, const struct spool_options *o, char **at)
{
	m->asks = (struct msg_asks){ .hold_until = o->hold_until,
		.held = o->held,
		.deliver_by = o->deliver_by,
		.envid = put_text(at, o->envid),
		.ret = (uint8_t)o->ret,
		.priority = (int8_t)o->priority,
		.by_return = o->by_mode == 'R',
		.by_trace = o->by_trace,
		.smtputf8 = o->smtputf8,
		.requiretls = o->requiretls };
	memcpy(m->asks.verp, o->verp, sizeof(m->asks.verp));
}

static struct msg *build(const struct spool_envelope *env, const struct spool_options *o, int fd)
{
	size_t fixed = sizeof(struct msg) + env->n_rcpt * sizeof(struct rcpt);
	struct msg *m = mem_new(fixed + text_room(env));
	char *at = (char *)m + fixed;
	m->id = env->id;
	m->slot = INDEX_NONE;
	m->fd = fd;
	m->sender = env->sender.null ? "" : put_address(&at, &env->sender);
	m->postern = put_text(&at, env->postern);
	put_asks(m, o, &at);
	m->sender_key = hash_key(sv_of(m->sender));
	m->trust = env->trust;
	m->plain = env->plain;
	m->offset = env->received_at;
	m->size = env->size;
	m->arrived = env->arrived;
	m->n_rcpt = env->n_rcpt;
	for (size_t i = 0; i < env->n_rcpt; i++)
		put_rcpt(m, &m->rcpt[i], &env->rcpt[i], &at);
	return m;
}

struct msg *msg_read(int fd, const struct spool_id *id, uint64_t file_size, struct err *e)
{
	struct spool_envelope env;
	struct spool_options o;
	struct msg *m = NULL;
	if (!spool_envelope_read(fd, &env, e))
		return NULL;
	if (env.size > file_size)
		err_set(e, ERR_PERM, "torn: %llu of %llu bytes", (unsigned long long)file_size, (unsigned long long)env.size);
	else if (strcmp(env.id.text, id->text) != 0)
		err_set(e, ERR_PERM, "it holds message %s", env.id.text);
	else if (spool_options_parse(sv_of(env.postern), &o, e))
		m = build(&env, &o, fd);
	spool_envelope_free(&env);
	return m;
}

void msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		free(m->rcpt[i].text);
		free(m->rcpt[i].where);
	}
	fd_close(&m->fd);
	free(m);
}

uint32_t msg_dest(const struct msg *m)
{
	uint32_t dest = 0;
	for (size_t i = 0; i < m->n_rcpt; i++) {
		if (m->rcpt[i].status != SPOOL_TODO)
			continue;
		if (dest != 0 && dest != m->rcpt[i].unit.dest)
			return 0;
		dest = m->rcpt[i].unit.dest;
	}
	return dest;
}

unsigned msg_open_rcpts(const struct msg *m)
{
	unsigned n = 0;
	for (size_t i = 0; i < m->n_rcpt; i++)
		n += m->rcpt[i].status == SPOOL_TODO;
	return n;
}

bool rcpt_owed(const struct rcpt *r)
{
	return r->status == SPOOL_OWED_DELIVERED || r->status == SPOOL_OWED_RELAYED || r->status == SPOOL_OWED_EXPANDED;
}

unsigned msg_owed_rcpts(const struct msg *m)
{
	unsigned n = 0;
	for (size_t i = 0; i < m->n_rcpt; i++)
		n += rcpt_owed(&m->rcpt[i]);
	return n;
}

/* RFC 3461 4.1: without NOTIFY failures are told, success is not, delay as we like. */
bool rcpt_wants(const struct rcpt *r, unsigned notify)
{
	return r->notify == 0 ? notify != SPOOL_NOTIFY_SUCCESS : (r->notify & notify) != 0;
}

/* RFC 2852 4.1: by-mode N asks for a report when the time is over, unless NOTIFY=NEVER. */
bool rcpt_wants_delay(const struct rcpt *r)
{
	const struct msg_asks *a = &r->msg->asks;
	bool by_notify = a->deliver_by > 0 && !a->by_return && (r->notify & SPOOL_NOTIFY_NEVER) == 0;
	return by_notify || rcpt_wants(r, SPOOL_NOTIFY_DELAY);
}

void rcpt_result(struct rcpt *r, enum rcpt_state state, const char *dsn, const char *text, const char *where)
{
	r->state = (uint8_t)state;
	r->said = false;
	snprintf(r->dsn, sizeof(r->dsn), "%s", dsn);
	free(r->text);
	free(r->where);
	r->text = mem_dup(sv_of(text));
	r->where = mem_dup(sv_of(where));
}
