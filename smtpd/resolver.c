#include "resolver.h"

#include "base/clock.h"

#include <errno.h>

#define CACHE_MAX 256 /* answers; about 1 KiB each. When it is full it is emptied: it serves bursts */

struct cached {
	uint64_t until_ms;
	struct resolve_rcpt answer;
};

/* --- memory of good answers: those with one final recipient, which are nearly all --- */
static void cache_key(const char *address, bool local_client, struct buf *key)
{
	buf_putc(key, local_client ? 'l' : 'n');
	buf_puts(key, address);
}

static bool recall(struct resolver *r, struct sv key, struct vec *finals)
{
	struct cached *c = r->cache ? hmap_get(r->cache, key) : NULL;
	if (!c || clock_mono_ms() >= c->until_ms)
		return false;
	struct resolve_rcpt *f = vec_push(finals);
	if (!f)
		return false;
	*f = c->answer;
	return true;
}

static void remember(struct resolver *r, struct sv key, const struct vec *finals)
{
	if (r->keep_ms == 0 || finals->len != 1 || VEC_AT(finals, struct resolve_rcpt, 0)->status != RESOLVE_OK)
		return;
	if (!r->cache)
		r->cache = hmap_new(CACHE_MAX);
	struct cached *c = hmap_get(r->cache, key);
	if (!c) {
		if (hmap_len(r->cache) == CACHE_MAX)
			hmap_clear(r->cache, free);
		c = mem_new(sizeof *c);
		BUG_IF(!hmap_put(r->cache, key, c));
	}
	c->until_ms = clock_mono_ms() + r->keep_ms;
	c->answer = *VEC_AT(finals, struct resolve_rcpt, 0);
}

/* --- asking --- */
static bool read_answers(struct resolver *r, uint64_t deadline, struct vec *finals, struct err *e)
{
	for (bool last = false; !last;) {
		uint64_t now = clock_mono_ms();
		struct resolve_rcpt *f = vec_push(finals);
		if (!f)
			return err_set(e, ERR_LIMIT, "resolve: more than %zu final recipients", finals->max);
		if (!ipc_recv_msg(r->link.fd, &resolve_rcpt_desc, f, now < deadline ? deadline - now : 1, e))
			return false;
		last = f->last;
	}
	return true;
}

static bool try_ask(struct resolver *r, const struct resolve_req *q, struct vec *finals, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + r->wait_ms;
	vec_reset(finals);
	if (!link_open(&r->link, r->wait_ms, e))
		return false;
	if (ipc_send(r->link.fd, &resolve_req_desc, q, r->wait_ms, e) && read_answers(r, deadline, finals, e))
		return true;
	link_drop(&r->link); /* what may still come belongs to no question */
	return false;
}

static bool ask(struct resolver *r, const struct resolve_req *q, struct vec *finals, struct err *e)
{
	for (int try = 0; try < RESOLVE_TRIES; try++) {
		if (try_ask(r, q, finals, e))
			return true;
		if (e->kind != ERR_PEER)
			break;
	}
	return false;
}

bool resolver_ask(struct resolver *r, const char *address, bool local_client, struct vec *finals, struct err *e)
{
	struct resolve_req q = { .local_client = local_client };
	struct buf key = BUF_INIT(ADDRESS_MAX + 1);
	cache_key(address, local_client, &key);
	BUG_IF(!buf_ok(&key) || !sv_copy(sv_of(address), q.address, sizeof q.address));
	bool ok = recall(r, buf_sv(&key), finals);
	if (!ok) {
		ok = ask(r, &q, finals, e);
		if (ok)
			remember(r, buf_sv(&key), finals);
	}
	buf_free(&key);
	return ok;
}

enum map_result resolver_table(struct resolver *r, const char *spec, struct sv key, struct buf *ret_value, struct err *e)
{
	struct resolve_table_req q = { 0 };
	struct resolve_table a;
	buf_reset(ret_value);
	if (!sv_copy(sv_of(spec), q.spec, sizeof q.spec) || !sv_copy(key, q.key, sizeof q.key))
		return MAP_NONE; /* no table has so long a key */
	for (int tries = 0; tries < 2; tries++) {
		if (!link_open(&r->link, r->wait_ms, e))
			return MAP_FAILED;
		if (ipc_call(r->link.fd, &resolve_table_req_desc, &q, &resolve_table_desc, &a, r->wait_ms, e)) {
			buf_puts(ret_value, a.value);
			if (a.result == MAP_FAILED)
				err_set(e, ERR_TEMP, "%s", a.text);
			return (enum map_result)a.result;
		}
		link_drop(&r->link);
		if (e->kind != ERR_PEER)
			break;
	}
	return MAP_FAILED;
}

bool resolver_user(struct resolver *r, uint64_t uid, char *ret_user, size_t size, struct err *e)
{
	struct resolve_uid_req q = { .uid = uid };
	struct resolve_uid a;
	for (int try = 0; try < RESOLVE_TRIES; try++) {
		if (!link_open(&r->link, r->wait_ms, e))
			return false;
		if (ipc_call(r->link.fd, &resolve_uid_req_desc, &q, &resolve_uid_desc, &a, r->wait_ms, e))
			return sv_copy(sv_of(a.status == RESOLVE_OK ? a.user : ""), ret_user, size);
		link_drop(&r->link);
		if (e->kind != ERR_PEER)
			return false;
	}
	return false;
}

void resolver_free(struct resolver *r)
{
	link_drop(&r->link);
	hmap_free(r->cache, free);
	r->cache = NULL;
}
