/* What should run, and what is done when it does not. */
#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <sys/wait.h>

#define DELAY_FIRST_MS 100
#define RAN_WELL_MS 10000 /* a daemon that lived so long is started again at once */
#define GRACE_MS 5000     /* to drain after its turn came late, and from SIGTERM to SIGKILL */

/* Sessions in DATA need all the others; deliveries that are under way ask resolve; the log hears of everyone's end. */
enum { PHASE_SMTPD, PHASE_OTHERS, PHASE_RESOLVE, PHASE_LOGD };

static unsigned phase(const struct leader *l)
{
	static const struct {
		const char *name;
		unsigned phase;
	} own[] = { { "smtpd", PHASE_SMTPD }, { "resolve", PHASE_RESOLVE }, { "logd", PHASE_LOGD } };
	for (size_t i = 0; i < COUNT(own); i++)
		if (strcmp(l->service->entry->name, own[i].name) == 0)
			return own[i].phase;
	return PHASE_OTHERS;
}

static uint64_t restart_delay_max_ms(const struct master *m) { return m->cfg->master.restart_delay_max * 1000; }

/* --- starting ---------------------------------------------------------------------------------------------------------------- */

static void start_later(struct service *s, bool ran_well)
{
	uint64_t wait = 0;
	if (ran_well)
		s->delay_ms = 0;
	else
		wait = s->delay_ms = s->delay_ms ? MIN(2 * s->delay_ms, restart_delay_max_ms(s->m)) : DELAY_FIRST_MS;
	s->waiting = true;
	ev_timer_set(s->m->loop, &s->restart, wait);
}

static void start(struct service *s)
{
	struct master *m = s->m;
	struct err e;
	s->waiting = false;
	s->cur = leader_start(s, m->cfg, m->snapshot, &m->binds.tcp, &e);
	if (s->cur)
		return;
	snprintf(s->text, sizeof(s->text), "%s", e.text);
	LOG_ERROR("start-failed", KV_STR("service", s->entry->name), KV_ERR(&e));
	start_later(s, false);
}

static void on_restart(struct ev_timer *t, void *arg)
{
	(void)t;
	start(arg);
}

void services_init(struct master *m)
{
	for (const struct svc_entry *entry = svc_catalog; entry->name; entry++) {
		BUG_IF(m->n_services == SERVICES_MAX);
		struct service *s = &m->services[m->n_services++];
		*s = (struct service){ .m = m, .entry = entry, .restart = { .on = on_restart, .arg = s } };
	}
}

void services_start(struct master *m)
{
	for (size_t i = 0; i < m->n_services; i++)
		start(&m->services[i]);
}

/* systemd and `postern start` wait for this. A daemon that cannot start does not hold up the others: it is named, and tried again.
 */
static void settle(struct service *s)
{
	struct master *m = s->m;
	char status[400] = "STATUS=all daemons are running";
	s->settled = true;
	for (size_t i = 0; i < m->n_services; i++) {
		const struct service *other = &m->services[i];
		if (!other->settled)
			return;
		if (other->text[0])
			snprintf(status, sizeof(status), "STATUS=%s does not run: %.200s", other->entry->name, other->text);
	}
	notify(status);
	if (m->ready)
		return;
	m->ready = true;
	notify("READY=1");
	LOG_INFO("ready", KV_U64("generation", m->cfg->generation));
}

bool service_renew(struct service *s)
{
	struct master *m = s->m;
	struct err e;
	if (m->stopping || m->reload.active || s->next || !s->cur)
		return false;
	s->next = leader_start(s, m->cfg, m->snapshot, &m->binds.tcp, &e);
	if (!s->next)
		LOG_ERROR("renew-failed", KV_STR("service", s->entry->name), KV_ERR(&e));
	return true;
}

static void renewed(struct service *s)
{
	struct leader *l = s->next;
	s->next = NULL;
	service_adopt(s, l);
	LOG_INFO("renewed", KV_STR("service", s->entry->name), KV_U64("service_pid", (uint64_t)l->pid));
	leaders_step(s->m);
}

void services_on_ready(struct leader *l, bool ok)
{
	struct service *s = l->service;
	if (!ok)
		return; /* its end follows */
	if (l == s->next) {
		if (l->m->reload.active)
			reload_check(l->m);
		else
			renewed(s);
		return;
	}
	if (l != s->cur)
		return;
	s->text[0] = '\0';
	settle(s);
}

/* --- ends -------------------------------------------------------------------------------------------------------------------- */

static void describe_end(const struct leader *l, int status, char *dst, size_t size)
{
	if (l->text[0])
		snprintf(dst, size, "%s", l->text);
	else if (WIFSIGNALED(status))
		snprintf(dst, size, "killed by signal %s%s", sigabbrev_np(WTERMSIG(status)),
			WTERMSIG(status) == SIGSYS ? " (sandbox: a system call outside its profile, see stderr)" : "");
	else
		snprintf(dst, size, "ended with status %d", WEXITSTATUS(status));
}

static void restart_after(struct leader *l, int status)
{
	struct service *s = l->service;
	uint64_t lived_ms = clock_mono_ms() - l->started_ms;
	bool ran_well = lived_ms > RAN_WELL_MS && lived_ms > 2 * s->delay_ms;
	describe_end(l, status, s->text, sizeof(s->text));
	s->cur = NULL;
	s->restarts++;
	start_later(s, ran_well);
	LOG_ERROR("service-died", KV_STR("service", s->entry->name), KV_U64("service_pid", (uint64_t)l->pid),
		KV_STR("reason", s->text), KV_U64("restart_in_ms", s->waiting ? s->delay_ms : 0));
	settle(s);
}

void services_on_end(struct leader *l, int status)
{
	struct master *m = l->m;
	struct service *s = l->service;
	char why[300];
	bool retired = l != s->cur && l != s->next;
	if (l == s->next) {
		s->next = NULL;
		describe_end(l, status, why, sizeof(why));
		char text[400];
		snprintf(text, sizeof(text), "the new %s: %.300s", s->entry->name, why);
		leader_free(l);
		if (!m->reload.active)
			LOG_ERROR("renew-failed", KV_STR("service", s->entry->name), KV_STR("reason", why));
		reload_abort(m, text);
		return;
	}
	if (!retired && !m->stopping)
		restart_after(l, status);
	else if (l == s->cur)
		s->cur = NULL;
	else if (status != 0)
		LOG_WARN("drain-failed", KV_STR("service", s->entry->name), KV_U64("service_pid", (uint64_t)l->pid),
			KV_STR("reason", (describe_end(l, status, why, sizeof(why)), why)));
	leader_free(l);
	control_on_load(m);
	leaders_step(m);
}

/* --- retiring ---------------------------------------------------------------------------------------------------------------- */

static bool is_retired(const struct leader *l) { return l->state >= LEADER_RETIRED; }

/* The whole takes stop_timeout; those whose turn came late still get a moment. */
static void drain(struct leader *l)
{
	uint64_t now = clock_mono_ms(), due = l->retired_ms + l->m->cfg->master.stop_timeout * 1000;
	l->state = LEADER_DRAINING;
	if (leader_order(l, l->m->stopping ? ORDER_DRAIN : ORDER_RETIRE)) {
		ev_timer_at(l->m->loop, &l->timer, MAX(due, now + GRACE_MS));
		return;
	}
	leader_overdue(l);
}

void leader_overdue(struct leader *l)
{
	const char *name = l->service->entry->name;
	if (l->state == LEADER_DRAINING) {
		LOG_WARN("overdue", KV_STR("service", name), KV_U64("service_pid", (uint64_t)l->pid), KV_STR("signal", "TERM"));
		l->state = LEADER_KILLED;
		leader_kill(l, SIGTERM);
	} else {
		LOG_WARN("overdue", KV_STR("service", name), KV_U64("service_pid", (uint64_t)l->pid), KV_STR("signal", "KILL"));
		leader_kill(l, SIGKILL);
	}
	ev_timer_set(l->m->loop, &l->timer, GRACE_MS);
}

void leader_retire(struct leader *l)
{
	if (is_retired(l))
		return;
	l->state = LEADER_RETIRED;
	l->retired_ms = clock_mono_ms();
	ev_timer_clear(l->m->loop, &l->timer);
}

void leaders_step(struct master *m)
{
	unsigned now = UINT32_MAX;
	for (const struct leader *l = m->leaders; l; l = l->next)
		if (is_retired(l))
			now = MIN(now, phase(l));
	for (struct leader *l = m->leaders; l; l = l->next)
		if (l->state == LEADER_RETIRED && phase(l) == now) {
			if (m->stopping && now == PHASE_LOGD) /* the last words that the log can take */
				LOG_INFO("stopped");
			drain(l);
		}
	if (m->stopping && !m->leaders)
		ev_stop(m->loop);
}

void service_adopt(struct service *s, struct leader *l)
{
	if (s->cur)
		leader_retire(s->cur);
	ev_timer_clear(s->m->loop, &s->restart);
	s->waiting = false;
	s->delay_ms = 0;
	s->text[0] = '\0';
	s->cur = l;
}

void services_stop(struct master *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	reload_abort(m, "the system is stopping");
	notify("STOPPING=1");
	LOG_INFO("stopping", KV_U64("stop_timeout", m->cfg->master.stop_timeout));
	binds_close_service(&m->binds, "smtpd");
	for (size_t i = 0; i < m->n_services; i++) {
		ev_timer_clear(m->loop, &m->services[i].restart);
		m->services[i].next = NULL; /* of a renewal */
	}
	for (struct leader *l = m->leaders; l; l = l->next)
		if (l->state == LEADER_DRAINING) /* for a reload: now in a hurry */
			drain(l);
		else
			leader_retire(l);
	leaders_step(m);
}
