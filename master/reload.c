/* A new configuration: everything is tried beside the old one, and only what is whole takes over. */
#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <inttypes.h>

#define FAULTS_MAX 200

struct cfg *config_load(const char *path, uint64_t generation, bool unprivileged, struct buf *text, struct err *e)
{
	struct vec faults = VEC_INIT(struct cfg_fault, FAULTS_MAX);
	struct cfg *cfg = cfg_load(path, &faults, e);
	for (size_t i = 0; i < faults.len; i++) {
		const struct cfg_fault *f = VEC_AT(&faults, struct cfg_fault, i);
		const char *kind = f->warning ? "warning: " : "";
		size_t before = text->len;
		if (f->line)
			buf_putf(text, "%s:%u: %s%s\n", path, f->line, kind, f->text);
		else
			buf_putf(text, "%s: %s%s\n", path, kind, f->text);
		if (!buf_ok(text)) { /* the first ones tell enough */
			text->over = false;
			buf_cut(text, before);
		}
	}
	if (cfg && cfg_errors(&faults)) {
		err_set(e, ERR_PERM, "%zu error%s in %s", cfg_errors(&faults), cfg_errors(&faults) == 1 ? "" : "s", path);
		cfg_free(cfg);
		cfg = NULL;
	}
	vec_free(&faults);
	if (cfg) {
		cfg->generation = generation;
		cfg->unprivileged = unprivileged;
	}
	return cfg;
}

static void log_faults(struct sv text)
{
	struct sv line;
	while (sv_cut(&text, '\n', &line))
		if (line.n)
			LOG_ERROR("config-fault", KV_SV("reason", line));
}

/* --- the end of a reload ----------------------------------------------------------------------------------------------------- */

static void finish(struct master *m, bool ok, const char *text)
{
	struct client *asker = m->reload.asker;
	bool again = m->reload.again;
	m->reload = (struct reload){ .snapshot = -1 };
	notify("READY=1");
	if (asker)
		control_answer(m, asker, ok, text);
	if (again && !m->stopping)
		reload_begin(m, NULL);
}

static void refuse(struct master *m, const char *why)
{
	LOG_ERROR("reload-failed", KV_STR("reason", why), KV_U64("generation", m->cfg->generation));
	finish(m, false, why);
}

void reload_abort(struct master *m, const char *why)
{
	struct reload *r = &m->reload;
	char text[500];
	if (!r->active)
		return;
	r->active = false; /* ends of the new leaders come back here */
	for (size_t i = 0; i < m->n_services; i++) {
		if (m->services[i].next)
			leader_retire(m->services[i].next);
		m->services[i].next = NULL;
	}
	binds_drop_tcp(&r->tcp, &m->binds.tcp);
	fd_close(&r->snapshot);
	cfg_free(r->cfg);
	snprintf(text, sizeof(text), "%.400s; the old configuration stays", why);
	refuse(m, text);
	leaders_step(m);
}

static void commit(struct master *m)
{
	struct reload *r = &m->reload;
	for (size_t i = 0; i < m->n_services; i++) {
		struct service *s = &m->services[i];
		service_adopt(s, s->next);
		s->next = NULL;
	}
	binds_drop_tcp(&m->binds.tcp, &r->tcp);
	m->binds.tcp = r->tcp;
	fd_close(&m->snapshot);
	m->snapshot = r->snapshot;
	cfg_free(m->cfg);
	m->cfg = r->cfg;
	r->active = false;
	renew_start(m, r->look);
	binds_log(&m->binds);
	LOG_INFO("reloaded", KV_U64("generation", m->cfg->generation));
	finish(m, true, "");
	leaders_step(m);
}

void reload_check(struct master *m)
{
	if (!m->reload.active)
		return;
	for (size_t i = 0; i < m->n_services; i++)
		if (!m->services[i].next || m->services[i].next->state != LEADER_RUNNING)
			return;
	commit(m);
}

/* --- its beginning ----------------------------------------------------------------------------------------------------------- */

static bool same(const char *name, const char *old, const char *new, struct err *e)
{
	return strcmp(old, new) == 0 ||
	       err_set(e, ERR_PERM, "%s cannot change from %.100s to %.100s while Postern runs: stop and start it", name, old, new);
}

static bool prepare(struct master *m, struct err *e)
{
	struct reload *r = &m->reload;
	const struct cfg_global *old = &m->cfg->global, *new = &r->cfg->global;
	if (!same("queue_directory", old->queue_directory, new->queue_directory, e) ||
		!same("runtime_directory", old->runtime_directory, new->runtime_directory, e) ||
		!same("admin_group", old->admin_group, new->admin_group, e) || !dirs_make(r->cfg, e) ||
		!binds_open_tcp(r->cfg, &m->binds.tcp, 0, &r->tcp, e))
		return false;
	r->look = renew_look(r->cfg);
	r->snapshot = cfg_snapshot(r->cfg, e);
	return r->snapshot >= 0;
}

static bool start_new(struct master *m, struct err *e)
{
	struct reload *r = &m->reload;
	for (size_t i = 0; i < m->n_services; i++) {
		struct service *s = &m->services[i];
		if (s->next) /* of a renewal: this one is newer still */
			leader_retire(s->next);
		s->next = leader_start(s, r->cfg, r->snapshot, &r->tcp, e);
		if (!s->next)
			return false;
	}
	return true;
}

void reload_begin(struct master *m, struct client *asker)
{
	struct reload *r = &m->reload;
	struct buf text = BUF_INIT(3500);
	struct err e;
	char state[80];
	if (r->active || m->stopping) {
		r->again = r->active && !asker;
		if (asker)
			control_answer(m, asker, false, r->active ? "a reload is under way" : "the system is stopping");
		return;
	}
	*r = (struct reload){ .snapshot = -1, .asker = asker, .tcp = VEC_INIT(struct bind_tcp, SVC_LISTENERS_MAX) };
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "000", clock_mono_ms());
	notify(state);
	err_clear(&e);
	r->cfg = config_load(m->conf, m->cfg->generation + 1, m->cfg->unprivileged, &text, &e);
	if (!r->cfg) {
		log_faults(buf_sv(&text));
		buf_puts(&text, text.len ? "" : e.text);
		refuse(m, buf_str(&text));
	} else {
		r->active = true;
		if (!prepare(m, &e) || !start_new(m, &e))
			reload_abort(m, e.text);
	}
	buf_free(&text);
}
