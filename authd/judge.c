#include "judge.h"

#include "base/secret.h"

#include <crypt.h>

void judge_by_hash(const void *question, const void *arg, void *ret)
{
	const struct auth_ask *q = question;
	struct auth_verdict *v = ret;
	struct crypt_data *data = mem_new(sizeof *data);
	const char *hash = crypt_r(q->password, q->hash, data);
	(void)arg;
	v->verdict = AUTH_BROKEN;
	if (!hash || *hash == '*')
		snprintf(v->text, sizeof v->text, "the stored hash is of no kind that this system knows");
	else
		v->verdict = secret_eq(sv_of(hash), sv_of(q->hash)) ? AUTH_RIGHT : AUTH_WRONG;
	secret_wipe(data, sizeof *data);
	free(data);
}

void judge_broken(void *ret, const char *why)
{
	struct auth_verdict *v = ret;
	v->verdict = AUTH_BROKEN;
	snprintf(v->text, sizeof v->text, "%s", why);
}
