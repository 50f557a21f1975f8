/* Certificate files that have changed: smtpd's leader reads keys while it is root, so new ones need a new leader. The old one stays
 * when the new one does not like what it finds. */
#include "master.h"
#include "base/log.h"
#include "base/siphash.h"

#include <sys/stat.h>

#define SETTLE_MS 1000 /* a chain and its key are two files: both shall be written */

/* What the files look like. One that is missing counts too: it may come back. */
uint64_t renew_look(const struct cfg *cfg)
{
	static const struct siphash_key key = { 0, 0 }; /* nobody gains by a collision */
	struct cfg_cert cert;
	uint64_t mark = 0;
	for (size_t i = 0; cfg->tls.tls_certificates.n > 0 && cfg_cert(cfg, i, &cert); i++) {
		const char *const paths[] = { cert.chain, cert.key };
		for (size_t k = 0; k < COUNT(paths); k++) {
			struct stat st = { 0 };
			if (!*paths[k] || stat(paths[k], &st) < 0)
				st = (struct stat){ 0 };
			uint64_t facts[] = { mark, st.st_dev, st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
				(uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec, (uint64_t)st.st_ctim.tv_nsec };
			mark = siphash(&key, (struct sv){ (const char *)facts, sizeof facts });
		}
	}
	return mark;
}

static struct service *find_smtpd(struct master *m)
{
	for (size_t i = 0; i < m->n_services; i++)
		if (strcmp(m->services[i].entry->name, "smtpd") == 0)
			return &m->services[i];
	return NULL;
}

static void later(struct master *m)
{
	uint64_t secs = m->cfg->tls.tls_reread;
	if (m->renew.seen != m->renew.wanted)
		ev_timer_set(m->loop, &m->renew.timer, SETTLE_MS);
	else if (secs > 0)
		ev_timer_set(m->loop, &m->renew.timer, secs * 1000);
}

static void on_time(struct ev_timer *t, void *arg)
{
	struct master *m = arg;
	struct service *s = find_smtpd(m);
	uint64_t now = renew_look(m->cfg);
	(void)t;
	if (m->stopping)
		return;
	if (now != m->renew.seen && now == m->renew.wanted && s && service_renew(s))
		m->renew.seen = now; /* whatever comes of it: the same files are not tried again */
	m->renew.wanted = now;
	later(m);
}

void renew_start(struct master *m, uint64_t look)
{
	ev_timer_clear(m->loop, &m->renew.timer);
	m->renew = (struct renew){ .timer = { .on = on_time, .arg = m } };
	m->renew.seen = m->renew.wanted = look;
	later(m);
}
