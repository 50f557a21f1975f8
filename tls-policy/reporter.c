#include "reporter.h"

#include "base/clock.h"
#include "facts.h"
#include "mail/maddr.h"
#include "net/sock.h"
#include "report.h"
#include "smtp/client.h"
#include "web.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define RECEIVERS_MAX 5 /* of one record; more get nothing */
#define SUBMIT_MS 45000

struct job {
	struct web *w;
	struct report r;
	struct buf gzip;
};

/* --- mail -------------------------------------------------------------------------------------------------------------------- */

static bool submit(const struct cfg *cfg, const char *from, const char *to, struct sv message, struct err *e)
{
	struct conn c;
	struct smtp_answer a = { 0 };
	struct smtp_stuff stuff = { .mid_line = false };
	struct buf wire = BUF_INIT(2 * REPORT_MESSAGE_MAX);
	char path[PATH_MAX];
	unsigned caps;
	int fd;
	if (snprintf(path, sizeof path, "%s/smtpd.submit", cfg->global.runtime_directory) >= (int)sizeof path ||
		!sock_connect_unix(AT_FDCWD, path, SOCK_STREAM, SUBMIT_MS, &fd, e))
		return false;
	conn_init(&c, fd, -1);
	c.deadline_ms = clock_mono_ms() + SUBMIT_MS;
	smtp_stuff(&stuff, message, &wire);
	smtp_stuff_end(&stuff, &wire);
	bool ok = smtp_client_hello(&c, cfg->global.hostname, &caps, e) && smtp_client_cmd(&c, &a, e, "MAIL FROM:<%s>", from) &&
		  (a.code / 100 != 2 || smtp_client_cmd(&c, &a, e, "RCPT TO:<%s>", to)) &&
		  (a.code / 100 != 2 || smtp_client_cmd(&c, &a, e, "DATA")) &&
		  (a.code != 354 || (conn_put(&c, buf_sv(&wire), e) && conn_flush(&c, e) && smtp_client_answer(&c, &a, e)));
	if (ok && a.code / 100 != 2)
		ok = err_set(e, ERR_TEMP, "%d %s", a.code, a.text);
	if (ok && !smtp_client_cmd(&c, &a, NULL, "QUIT"))
		ok = true; /* accepted is accepted */
	conn_close(&c);
	buf_free(&wire);
	return ok;
}

static enum web_found mail_to(struct job *j, struct sv address)
{
	struct buf message = BUF_INIT(REPORT_MESSAGE_MAX);
	struct maddr m;
	struct err e = { 0 };
	char to[MADDR_TEXT_MAX + 1];
	if (!maddr_parse(address, 0, &m, &e))
		return web_fail(j->w, "mailto:%.*s: %s", (int)MIN(address.n, 100), address.p, e.text);
	maddr_text(&m, to);
	report_message(&j->r, to, buf_sv(&j->gzip), &message);
	bool ok = buf_ok(&message) && submit(web_cfg(j->w->setup), j->r.contact, to, buf_sv(&message), &e);
	buf_free(&message);
	return ok ? WEB_OK : web_fail(j->w, "%s", e.text);
}

/* --- receivers --------------------------------------------------------------------------------------------------------------- */

static enum web_found send_to(struct job *j, struct sv receiver)
{
	char url[REPORT_RUA_MAX + 1];
	if (sv_istarts(receiver, SV("mailto:"))) {
		struct sv address, rest = sv_skip(receiver, 7);
		return sv_cut(&rest, '?', &address) ? mail_to(j, address) : WEB_FAILED; /* RFC 6068: no header fields from there */
	}
	if (sv_istarts(receiver, SV("https:")) && sv_copy(receiver, url, sizeof url))
		return web_post(j->w, url, "application/tlsrpt+gzip", buf_sv(&j->gzip)); /* RFC 8460 5.5 */
	return web_fail(j->w, "%.*s is neither mailto nor https", (int)MIN(receiver.n, 100), receiver.p);
}

static enum report_status send_all(struct job *j, struct sv rua, char *said, size_t size)
{
	struct sv receiver;
	bool sent = false;
	for (size_t n = 0; n < RECEIVERS_MAX && sv_cut(&rua, ',', &receiver); n++) {
		receiver = sv_trim(receiver);
		if (send_to(j, receiver) == WEB_OK) {
			sent = true;
			snprintf(said, size, "%.*s", (int)MIN(receiver.n, 200), receiver.p);
		}
	}
	if (!sent)
		snprintf(said, size, "%s", j->w->why);
	return sent ? REPORT_SENT : REPORT_FAILED;
}

static bool is_record(struct sv txt, void *ret) { return report_is_record(txt, ret); }

void reporter_judge(const void *question, const void *arg, void *ret)
{
	const struct report_ask *q = question;
	struct report_answer *a = ret;
	const struct cfg *cfg = web_cfg(arg);
	struct web w;
	struct job j = { .w = &w, .gzip = BUF_INIT(REPORT_JSON_MAX) };
	struct buf json = BUF_INIT(REPORT_JSON_MAX);
	char rua[REPORT_RUA_MAX + 1], contact[MADDR_TEXT_MAX + 1];
	enum web_found found = web_open(&w, arg) ? web_record(&w, "_smtp._tls", q->domain, is_record, rua) : WEB_FAILED;
	if (found != WEB_OK) {
		a->status = found == WEB_ABSENT ? REPORT_UNWANTED : REPORT_FAILED;
		snprintf(a->text, sizeof a->text, "%s", w.why);
		return;
	}
	snprintf(contact, sizeof contact, cfg->remote.tls_report_contact[0] ? "%.0s%s" : "postmaster@%s%s", cfg->global.origin,
		cfg->remote.tls_report_contact);
	j.r = (struct report){ .organization = cfg->global.hostname,
		.contact = contact,
		.domain = q->domain,
		.from = q->from,
		.to = q->from + FACTS_DAY - 1,
		.now = clock_real_secs() };
	report_json(&j.r, sv_of(q->rows), &json);
	if (buf_ok(&json) && report_gzip(buf_sv(&json), &j.gzip)) {
		a->status = send_all(&j, sv_of(rua), a->text, sizeof a->text);
	} else {
		a->status = REPORT_FAILED;
		snprintf(a->text, sizeof a->text, "the report is too large");
	}
}

void reporter_broken(void *ret, const char *why)
{
	struct report_answer *a = ret;
	a->status = REPORT_FAILED;
	snprintf(a->text, sizeof a->text, "%s", why);
}
