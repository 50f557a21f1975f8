#include "binds.h"
#include "holder.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "net/sock.h"
#include "service/priv.h"
#include "service/service.h"

#include <errno.h>
#include <poll.h>

#define TCP_BACKLOG 1024
#define RETRY_MS 100
#define SYSTEMD_FD 3 /* sd_listen_fds(3) */

/* --- Unix ------------------------------------------------------------------------------------------------------------------ */

/* The catalog names the default admin group; the configuration may name another. */
static const char *group_of(const struct svc_endpoint *ep, const struct cfg *cfg)
{
	return ep->group && strcmp(ep->group, "postern-adm") == 0 ? cfg->global.admin_group : ep->group;
}

static bool open_endpoint(int rundir, const struct svc_endpoint *ep, const struct cfg *cfg, int *ret_fd, struct err *e)
{
	gid_t gid = (gid_t)-1;
	const char *group = group_of(ep, cfg);
	if (cfg->unprivileged)
		return sock_listen_unix(rundir, ep->name, ep->type, 0600, (uid_t)-1, (gid_t)-1, ret_fd, e);
	if (group && !priv_lookup_group(group, &gid, e))
		return false;
	return sock_listen_unix(rundir, ep->name, ep->type, ep->mode, 0, gid, ret_fd, e);
}

/* One socket by socket activation: `submit`, so that sendmail can wait while we are down. */
static int activated(const char *endpoint)
{
	uint64_t pid, n;
	struct addr at;
	const char *var = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	if (strcmp(endpoint, "smtpd.submit") != 0 || !var || !count)
		return -1;
	if (!num_u64(sv_of(var), 1, INT32_MAX, &pid) || pid != (uint64_t)getpid() || !num_u64(sv_of(count), 1, 1, &n))
		return -1;
	return sock_local_addr(SYSTEMD_FD, &at, NULL) && at.family == AF_UNIX ? SYSTEMD_FD : -1;
}

bool binds_open_unix(struct binds *b, int rundir, const struct cfg *cfg, struct err *e)
{
	size_t n = 0;
	while (svc_endpoints[n].name)
		n++;
	*b = (struct binds){
		.rundir = rundir, .unix_fds = mem_new(n * sizeof(int)), .tcp = VEC_INIT(struct bind_tcp, SVC_LISTENERS_MAX)
	};
	for (; b->n_unix < n; b->n_unix++) {
		int *fd = &b->unix_fds[b->n_unix];
		*fd = activated(svc_endpoints[b->n_unix].name);
		if (*fd >= 0) {
			b->activated = b->n_unix + 1;
			if (!fd_nonblock(*fd, true, e) || !fd_cloexec(*fd, true, e))
				return false;
		} else if (!open_endpoint(rundir, &svc_endpoints[b->n_unix], cfg, fd, e)) {
			return false;
		}
	}
	return true;
}

/* --- TCP ------------------------------------------------------------------------------------------------------------------- */

static struct bind_tcp *find(const struct vec *v, const struct bind_tcp *like)
{
	for (size_t i = 0; i < v->len; i++) {
		struct bind_tcp *t = VEC_AT(v, struct bind_tcp, i);
		if (addr_same_ip(&t->at, &like->at) && t->at.port == like->at.port)
			return t;
	}
	return NULL;
}

static bool plan_one(struct vec *v, const struct cfg_listener *l, const struct addr *at, struct err *e)
{
	struct bind_tcp t = { .at = *at, .fd = -1 };
	if (!sv_copy(sv_of(l->name), t.section, sizeof(t.section)))
		return err_set(e, ERR_PERM, "[listener %.20s...]: its name has more than %d bytes", l->name, BIND_NAME_MAX);
	char text[ADDR_TEXT_MAX];
	if (find(v, &t))
		return err_set(e, ERR_PERM, "[listener %s]: %s is there twice", l->name, addr_text_port(at, text));
	struct bind_tcp *place = vec_push(v);
	if (!place)
		return err_set(e, ERR_LIMIT, "more than %d addresses to listen on", SVC_LISTENERS_MAX);
	*place = t;
	return true;
}

/* "*:25" is all of IPv4 and all of IPv6. */
static bool plan_address(struct vec *v, const struct cfg_listener *l, struct sv text, struct err *e)
{
	struct addr at;
	if (!sv_starts(text, SV("*:"))) {
		if (!addr_parse(text, 0, &at) || at.port == 0)
			return err_set(
				e, ERR_PERM, "[listener %s]: \"%.*s\" is not an address with a port", l->name, (int)text.n, text.p);
		return plan_one(v, l, &at, e);
	}
	uint64_t port;
	if (!num_u64(sv_skip(text, 2), 1, 65535, &port))
		return err_set(e, ERR_PERM, "[listener %s]: \"%.*s\" has no port", l->name, (int)text.n, text.p);
	struct addr v4 = { .family = AF_INET, .port = (uint16_t)port }, v6 = { .family = AF_INET6, .port = (uint16_t)port };
	return plan_one(v, l, &v4, e) && plan_one(v, l, &v6, e);
}

static bool plan(const struct cfg *cfg, struct vec *v, struct err *e)
{
	for (size_t i = 0; i < cfg->listeners.len; i++) {
		const struct cfg_listener *l = VEC_AT(&cfg->listeners, struct cfg_listener, i);
		for (size_t k = 0; k < l->address.n; k++)
			if (!plan_address(v, l, sv_of(l->address.item[k]), e))
				return false;
	}
	return true;
}

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];
	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

static bool say_failed(const struct bind_tcp *t, struct err *e)
{
	char holder[HOLDER_MAX];
	if (e->sys == EADDRINUSE && port_holder(&t->at, holder)[0])
		err_add(e, "[listener %s], held by %s", t->section, holder);
	else
		err_add(e, "[listener %s]", t->section);
	return false;
}

static void say_taken(const struct bind_tcp *t, uint64_t wait_ms)
{
	char text[ADDR_TEXT_MAX], holder[HOLDER_MAX];
	LOG_WARN("address-taken", KV_STR("address", addr_text_port(&t->at, text)), KV_STR("listener", t->section),
		KV_STR("by", port_holder(&t->at, holder)), KV_U64("retried_for_ms", wait_ms));
}

/* A master that was killed leaves workers that close their listeners within moments: hence the waiting. */
static bool listen_on(struct bind_tcp *t, uint64_t until_ms, struct err *e)
{
	bool said = false;
	while (!sock_listen_tcp(&t->at, TCP_BACKLOG, &t->fd, e)) {
		uint64_t now = clock_mono_ms();
		if (e->sys == EAFNOSUPPORT && t->at.family == AF_INET6 && is_any(&t->at))
			return true; /* a host without IPv6: "*" is what there is */
		if (e->sys != EADDRINUSE || now >= until_ms)
			return say_failed(t, e);
		if (!said)
			say_taken(t, until_ms - now);
		said = true;
		poll(NULL, 0, RETRY_MS);
	}
	return true;
}

bool binds_open_tcp(const struct cfg *cfg, const struct vec *old, uint64_t wait_ms, struct vec *ret_new, struct err *e)
{
	struct vec v = VEC_INIT(struct bind_tcp, SVC_LISTENERS_MAX);
	uint64_t until_ms = clock_mono_ms() + wait_ms;
	bool ok = plan(cfg, &v, e);
	for (size_t i = 0; i < v.len && ok; i++) {
		struct bind_tcp *t = VEC_AT(&v, struct bind_tcp, i), *same = find(old, t);
		t->kept = same != NULL;
		if (same)
			t->fd = same->fd;
		else
			ok = listen_on(t, until_ms, e);
	}
	if (!ok) {
		binds_drop_tcp(&v, old);
		return false;
	}
	*ret_new = v;
	return true;
}

void binds_drop_tcp(struct vec *v, const struct vec *kept_in)
{
	for (size_t i = 0; i < v->len; i++) {
		struct bind_tcp *t = VEC_AT(v, struct bind_tcp, i), *same = kept_in ? find(kept_in, t) : NULL;
		if (!same || same->fd != t->fd)
			fd_close(&t->fd);
	}
	vec_free(v);
}

void binds_log(const struct binds *b)
{
	char text[ADDR_TEXT_MAX];
	for (size_t i = 0; i < b->tcp.len; i++) {
		const struct bind_tcp *t = VEC_AT(&b->tcp, struct bind_tcp, i);
		if (t->fd >= 0 && !t->kept)
			LOG_INFO("listening", KV_STR("address", addr_text_port(&t->at, text)), KV_STR("listener", t->section));
	}
}

/* --- the end --------------------------------------------------------------------------------------------------------------- */

void binds_close_service(struct binds *b, const char *service)
{
	size_t n = strlen(service);
	for (size_t i = 0; i < b->n_unix; i++)
		if (strncmp(svc_endpoints[i].name, service, n) == 0 && svc_endpoints[i].name[n] == '.' && b->unix_fds[i] >= 0) {
			fd_close(&b->unix_fds[i]);
			if (i + 1 != b->activated) /* systemd keeps that one */
				unlinkat(b->rundir, svc_endpoints[i].name, 0);
		}
	if (strcmp(service, "smtpd") == 0)
		binds_drop_tcp(&b->tcp, NULL);
}

void binds_close(struct binds *b)
{
	for (size_t i = 0; i < b->n_unix; i++) {
		char service[32];
		struct sv name = sv_of(svc_endpoints[i].name);
		if (sv_copy(sv_sub(name, 0, (size_t)MAX(sv_chr(name, '.'), 0)), service, sizeof(service)))
			binds_close_service(b, service);
	}
	binds_drop_tcp(&b->tcp, NULL);
	free(b->unix_fds);
	b->unix_fds = NULL;
	b->n_unix = 0;
	fd_close(&b->rundir);
}
