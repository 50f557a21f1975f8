/* Whose a sender address is: by the table sender_logins, otherwise the account's whose name it bears (RFC 6409 6.1). */
#include "auth.h"

#include "mail/hdr.h"

static void fold(char *text)
{
	for (; *text; text++)
		*text = ascii_lower(*text);
}

static bool is_local_domain(const struct session *s, const char *domain)
{
	const struct cfg_list *l = &s->cfg->global.domains;
	for (size_t i = 0; i < l->n; i++)
		if (sv_ieqs(sv_of(domain), l->item[i]))
			return true;
	return false;
}

/* user+detail is user's, unless it begins with the delimiter. */
static struct sv without_detail(const struct session *s, const char *local)
{
	const char *delimiter = s->cfg->global.recipient_delimiter;
	struct sv all = sv_of(local);
	ptrdiff_t at = *delimiter ? sv_chr(all, *delimiter) : -1;
	return at > 0 ? sv_sub(all, 0, (size_t)at) : all;
}

struct names {                                                    /* of one address, in lower case */
	char local[MADDR_TEXT_MAX + 1], base[MADDR_TEXT_MAX + 1]; /* user+detail, user */
	char domain[MADDR_TEXT_MAX + 2];                          /* "@domain" */
	char address[2 * MADDR_TEXT_MAX + 4], base_address[2 * MADDR_TEXT_MAX + 4];
	bool ours;
};

static void name(const struct session *s, const struct maddr *a, struct names *n)
{
	BUG_IF(!sv_copy(maddr_local(a), n->local, sizeof n->local));
	fold(n->local);
	snprintf(n->domain, sizeof n->domain, "@%s", a->domain);
	fold(n->domain);
	BUG_IF(!sv_copy(without_detail(s, n->local), n->base, sizeof n->base));
	snprintf(n->address, sizeof n->address, "%s%s", n->local, n->domain);
	snprintf(n->base_address, sizeof n->base_address, "%s%s", n->base, n->domain);
	n->ours = is_local_domain(s, a->domain);
}

static bool is_listed(struct sv accounts, const char *account)
{
	struct sv part, word;
	while (sv_cut(&accounts, ',', &part))
		while (sv_word(&part, &word))
			if (sv_ieqs(word, account))
				return true;
	return false;
}

static bool same_name(const struct session *s, const struct names *n)
{
	struct sv account = sv_of(s->account);
	if (sv_chr(account, '@') >= 0)
		return sv_ieqs(account, n->address) || sv_ieqs(account, n->base_address);
	return n->ours && (sv_ieqs(account, n->local) || sv_ieqs(account, n->base));
}

enum ownership { MINE, NOT_MINE, UNKNOWN_NOW };

/* The first key that the table has decides. */
static enum ownership judge(struct session *s, const struct names *n)
{
	const char *spec = s->cfg->auth.sender_logins;
	const char *const keys[] = { n->address, n->base_address, n->ours ? n->local : "", n->ours ? n->base : "", n->domain };
	struct buf value = BUF_INIT(MAP_VALUE_MAX);
	struct err e = { 0 };
	enum map_result found = MAP_NONE;
	for (size_t i = 0; *spec && found == MAP_NONE && i < COUNT(keys); i++)
		if (*keys[i])
			found = s->ops->table(s->env, spec, sv_of(keys[i]), &value, &e);
	bool mine = found == MAP_FOUND ? is_listed(buf_sv(&value), s->account) : found == MAP_NONE && same_name(s, n);
	if (found == MAP_FAILED)
		LOG_WARN("table-failed", KV_STR("table", spec), KV_ERR(&e));
	buf_free(&value);
	return found == MAP_FAILED ? UNKNOWN_NOW : mine ? MINE : NOT_MINE;
}

static bool check(struct session *s, const struct maddr *a, const char *what, int code, struct refusal *r)
{
	char text[MADDR_TEXT_MAX + 1];
	struct names n;
	maddr_text(a, text);
	name(s, a, &n);
	switch (judge(s, &n)) {
	case MINE:
		return true;
	case UNKNOWN_NOW:
		refusal_set(r, 451, "4.3.0", "<%s>: whose address that is cannot be looked up now, try again later", text);
		return false;
	case NOT_MINE:
		break;
	}
	refusal_set(r, code, "5.7.1", "%s <%s> is not an address of yours: you are logged in as %s", what, text, s->account);
	return false;
}

static bool applies(const struct session *s)
{
	return *s->account && s->client.kind == CLIENT_NET && s->cfg->auth.sender_ownership != CFG_OWNERSHIP_OFF;
}

/* <> is for reports and MDNs (RFC 8098 3), which users' programs send. */
bool owner_of_sender(struct session *s, const struct maddr *from, struct refusal *r)
{
	return from->null || !applies(s) || check(s, from, "The sender", 553, r);
}

struct header_check {
	struct session *s;
	struct refusal *r;
	size_t authors;
};

static void check_author(struct sv addr_spec, void *arg)
{
	struct header_check *h = arg;
	struct maddr a;
	h->authors++;
	if (h->r->code)
		return;
	if (maddr_parse(addr_spec, MADDR_UTF8_OK, &a, NULL))
		check(h->s, &a, "From:", 550, h->r);
	else
		refusal_set(h->r, 550, "5.7.1", "The From line holds what is no address");
}

static void check_field(struct header_check *h, const struct hdr_field *f)
{
	h->authors = 0;
	if ((!hdr_addresses(f->value, check_author, h) || h->authors == 0) && h->r->code == 0)
		refusal_set(h->r, 550, "5.7.1", "The From line holds what is no address");
}

/* All that a reader might take for the header is looked at. One who skips a line that is no field finds more of it than we; and a
 * line behind the part that is in memory is nobody's honest header. Text without any header gets an empty line in front: compose.c.
 */
bool owner_of_header(struct session *s, struct sv message, struct refusal *r)
{
	struct header_check h = { .s = s, .r = r };
	struct hdr_field f;
	size_t at = 0;
	bool broken = false;
	if (!applies(s) || s->cfg->auth.sender_ownership != CFG_OWNERSHIP_HEADER)
		return true;
	while (r->code == 0 && hdr_next(message, &at, &f, &broken))
		if (sv_ieqs(f.name, "From"))
			check_field(&h, &f);
	if (r->code == 0 && broken && at > 0)
		refusal_set(
			r, 550, "5.6.0", "There is a line in the header that is no header field: who wrote this cannot be checked");
	if (r->code == 0 && at == message.n && !s->txn.body.dot.done)
		refusal_set(r, 550, "5.6.0", "The header is too long: who wrote this cannot be checked");
	return r->code == 0;
}
