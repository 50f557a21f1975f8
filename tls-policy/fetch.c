#include "fetch.h"

#include "mail/sts.h"
#include "web.h"

#include <string.h>

static bool is_record(struct sv txt, void *ret) { return sts_is_record(txt, ret); }

static enum web_found get_policy(struct web *w, const char *domain, struct sts_policy *ret)
{
	struct buf body = BUF_INIT(STS_POLICY_MAX);
	struct err e;
	char host[TLS_DOMAIN_MAX + 10];
	snprintf(host, sizeof host, "mta-sts.%s", domain);
	enum web_found got = web_get(w, host, "/.well-known/mta-sts.txt", &body);
	if (got == WEB_OK && !sts_policy_parse(buf_sv(&body), ret, &e))
		got = web_fail(w, "%s", e.text);
	buf_free(&body);
	return got;
}

static enum fetch_status fetch(struct web *w, const struct fetch_ask *q, struct fetch_answer *a)
{
	struct sts_policy policy;
	enum web_found got = web_record(w, "_mta-sts", q->name, is_record, a->policy_id);
	if (got != WEB_OK)
		return got == WEB_ABSENT ? FETCH_ABSENT : FETCH_FAILED;
	if (a->policy_id[0] == '\0') {
		web_fail(w, "its TXT record has no id");
		return FETCH_FAILED;
	}
	if (strcmp(a->policy_id, q->known) == 0)
		return FETCH_SAME;
	if (get_policy(w, q->name, &policy) != WEB_OK)
		return FETCH_FAILED;
	a->mode = policy.mode;
	a->max_age = policy.max_age;
	snprintf(a->mx, sizeof a->mx, "%s", policy.mx);
	return FETCH_OK;
}

void fetch_judge(const void *q, const void *arg, void *ret)
{
	struct fetch_answer *a = ret;
	struct web w;
	a->status = web_open(&w, arg) ? fetch(&w, q, a) : FETCH_FAILED;
	snprintf(a->text, sizeof a->text, "%s", w.why);
}

void fetch_broken(void *ret, const char *why)
{
	struct fetch_answer *a = ret;
	a->status = FETCH_FAILED;
	snprintf(a->text, sizeof a->text, "%s", why);
}
