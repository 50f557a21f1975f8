/* The one place that talks to PAM: as root, in a child that lives for one question. */
#include "judge.h"

#include "base/buf.h"
#include "service/priv.h"
#include "service/sandbox.h"

#include <linux/capability.h>
#include <pwd.h>
#include <security/pam_appl.h>

#define PAM_ENTRY_MAX 16384
#define CAP(c) ((uint64_t)1 << (c))

/* PAM's answers are freed by its modules. */
static int converse(int n, const struct pam_message **msg, struct pam_response **ret, void *arg)
{
	const struct auth_ask *q = arg;
	struct pam_response *r = mem_new((size_t)n * sizeof *r);
	for (int i = 0; i < n; i++)
		if (msg[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			r[i].resp = mem_dup(sv_of(q->password));
		else if (msg[i]->msg_style == PAM_PROMPT_ECHO_ON)
			r[i].resp = mem_dup(sv_of(q->user));
	*ret = r;
	return PAM_SUCCESS;
}

/* Failures are held back by authd's own clock, the same for all reasons. */
static void no_delay(int status, unsigned usecs, void *arg) { (void)status, (void)usecs, (void)arg; }

/* root and the system's own users are no mail users: their passwords are not to be guessed here. */
static bool may_log_in(const struct auth_ask *q, const struct pam_rules *rules)
{
	char text[PAM_ENTRY_MAX];
	struct passwd pw, *found = NULL;
	return getpwnam_r(q->user, &pw, text, sizeof text, &found) == 0 && found && pw.pw_uid >= rules->min_uid;
}

static int ask(pam_handle_t *h, const struct auth_ask *q)
{
	int rc = pam_set_item(h, PAM_RHOST, q->client_ip);
	if (rc == PAM_SUCCESS)
		rc = pam_set_item(h, PAM_FAIL_DELAY, (const void *)(uintptr_t)no_delay);
	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	return rc;
}

static bool is_trouble(int rc)
{
	return rc == PAM_SYSTEM_ERR || rc == PAM_SERVICE_ERR || rc == PAM_BUF_ERR || rc == PAM_OPEN_ERR || rc == PAM_SYMBOL_ERR ||
	       rc == PAM_ABORT || rc == PAM_AUTHINFO_UNAVAIL || rc == PAM_CONV_ERR;
}

void judge_by_pam(const void *question, const void *arg, void *answer)
{
	const struct auth_ask *q = question;
	const struct pam_rules *rules = arg;
	struct auth_verdict *ret = answer;
	struct pam_conv conv = { converse, (void *)(uintptr_t)q };
	pam_handle_t *h = NULL;
	int rc = pam_start(rules->service, q->user, &conv, &h);
	if (rc == PAM_SUCCESS)
		rc = ask(h, q);
	bool allowed = may_log_in(q, rules);
	ret->verdict = rc == PAM_SUCCESS && allowed ? AUTH_RIGHT : is_trouble(rc) ? AUTH_BROKEN : AUTH_WRONG;
	snprintf(ret->text, sizeof ret->text, "PAM: %s", rc == PAM_SUCCESS && !allowed ? "a system account" : pam_strerror(h, rc));
	if (h)
		pam_end(h, rc);
}

/* Modules of the admin's choice: no allow-list can know them. What remains: few capabilities, no new ones, no kernel interfaces. */
bool pam_confine(const void *arg, struct err *e)
{
	(void)arg;
	struct sandbox *s = sandbox_new(SB_STDIO | SB_SOCKETS | SB_INET | SB_FILES | SB_FORK | SB_EXEC | SB_IDS | SB_NSS, e);
	bool ok =
		s &&
		priv_limit_caps(CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) | CAP(CAP_SETUID) | CAP(CAP_SETGID), e) &&
		sandbox_prepare(s, e) && sandbox_enter(s, e);
	sandbox_free(s);
	return ok;
}
