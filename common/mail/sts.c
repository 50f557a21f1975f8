#include "mail/sts.h"

#include "base/num.h"
#include "mail/maddr.h"

#include <string.h>

static const char *const modes[] = { [STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };

const char *sts_mode_name(enum sts_mode mode) { return modes[mode]; }

/* --- the record ------------------------------------------------------------------------------------------------------------ */

static bool is_id(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alnum(s.p[i]))
			return false;
	return s.n > 0 && s.n <= STS_ID_MAX;
}

bool sts_is_record(struct sv txt, char ret_id[STS_ID_MAX + 1])
{
	struct sv field, rest = txt;
	ret_id[0] = '\0';
	if (!sv_cut(&rest, ';', &field) || !rest.p || !sv_eqs(sv_trim(field), "v=STSv1"))
		return false;
	while (sv_cut(&rest, ';', &field)) {
		field = sv_trim(field);
		if (!ret_id[0] && sv_starts(field, SV("id=")) && is_id(sv_skip(field, 3)) &&
			!sv_copy(sv_skip(field, 3), ret_id, STS_ID_MAX + 1))
			ret_id[0] = '\0';
	}
	return true;
}

/* --- the policy ------------------------------------------------------------------------------------------------------------ */

struct reading {
	struct sts_policy *policy;
	size_t used; /* of policy->mx */
	bool version, mode, max_age;
};

/* Letters, digits, hyphens, dots: what may be a host (A-labels). */
static bool is_host(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!ascii_alnum(*p) && *p != '-' && *p != '_' && (*p != '.' || p == name || p[-1] == '.'))
			return false;
	return *name != '\0';
}

static bool add_pattern(struct reading *r, struct sv value, struct err *e)
{
	char name[MADDR_DOMAIN_MAX + 1];
	bool wild = sv_starts(value, SV("*."));
	if (!maddr_domain_ascii(wild ? sv_skip(value, 2) : value, name, NULL) || !is_host(name))
		return err_set(e, ERR_PERM, "mx: %.*s is no host name", (int)MIN(value.n, 100), value.p);
	size_t need = strlen(name) + (wild ? 2 : 0) + 1;
	if (r->used + need > STS_PATTERNS_MAX)
		return err_set(e, ERR_PERM, "more than %d bytes of mx patterns", STS_PATTERNS_MAX);
	r->used += (size_t)snprintf(
		r->policy->mx + r->used, sizeof r->policy->mx - r->used, "%s%s%s", r->used ? " " : "", wild ? "*." : "", name);
	return true;
}

static bool set_mode(struct reading *r, struct sv value, struct err *e)
{
	for (size_t i = 0; i < COUNT(modes); i++)
		if (sv_eqs(value, modes[i])) {
			r->policy->mode = (enum sts_mode)i;
			return r->mode = true;
		}
	return err_set(e, ERR_PERM, "mode: %.*s is none of none, testing, enforce", (int)MIN(value.n, 40), value.p);
}

static bool set_max_age(struct reading *r, struct sv value, struct err *e)
{
	if (!num_u64(value, 0, UINT64_MAX, &r->policy->max_age))
		return err_set(e, ERR_PERM, "max_age: %.*s is no number of seconds", (int)MIN(value.n, 40), value.p);
	r->policy->max_age = MIN(r->policy->max_age, STS_AGE_MAX);
	return r->max_age = true;
}

/* Of a key that comes twice the first counts (3.2); of `mx` all do; others are not ours to judge. */
static bool take_line(struct reading *r, struct sv line, struct err *e)
{
	struct sv key, value = line;
	if (line.n == 0)
		return true;
	if (!sv_cut(&value, ':', &key) || !value.p)
		return err_set(e, ERR_PERM, "a line without a colon");
	key = sv_trim(key);
	value = sv_trim(value);
	if (sv_eqs(key, "version") && !r->version) {
		r->version = true;
		return sv_eqs(value, "STSv1") || err_set(e, ERR_PERM, "version: it is not STSv1");
	}
	if (sv_eqs(key, "mode") && !r->mode)
		return set_mode(r, value, e);
	if (sv_eqs(key, "max_age") && !r->max_age)
		return set_max_age(r, value, e);
	return !sv_eqs(key, "mx") || add_pattern(r, value, e);
}

bool sts_policy_parse(struct sv text, struct sts_policy *ret, struct err *e)
{
	struct sts_policy policy = { .mode = STS_NONE };
	struct reading r = { .policy = &policy };
	struct sv line;
	if (text.n > STS_POLICY_MAX)
		return err_set(e, ERR_PERM, "the policy is longer than %u bytes", STS_POLICY_MAX);
	while (sv_cut(&text, '\n', &line))
		if (!take_line(&r, sv_trim(line), e))
			return false;
	if (!r.version || !r.mode || !r.max_age)
		return err_set(e, ERR_PERM, "it has no %s", !r.version ? "version" : !r.mode ? "mode" : "max_age");
	if (policy.mode != STS_NONE && policy.mx[0] == '\0')
		return err_set(e, ERR_PERM, "it names no mx");
	*ret = policy;
	return true;
}

bool sts_allows(const char *patterns, const char *host)
{
	struct sv pattern, rest = sv_of(patterns), name = sv_of(host);
	if (sv_ends(name, SV(".")))
		name.n--;
	ptrdiff_t dot = sv_chr(name, '.');
	struct sv parent = dot > 0 ? sv_skip(name, (size_t)dot) : (struct sv){ "", 0 };
	while (sv_word(&rest, &pattern))
		if (sv_ieq(pattern, name) || (sv_starts(pattern, SV("*.")) && sv_ieq(sv_skip(pattern, 1), parent)))
			return true;
	return false;
}
