/* A rule's action. */
#include "base/num.h"
#include "config/raw.h"

#define TEXT_MAX 200 /* of a reply or a header's value: with the rest they stay within a line of 512 and 998 bytes */
#define TAG_NAME_MAX 60
#define TAG_HEADER "X-Postern-Tag"

static const char *const acts[] = { [CFG_ACT_NONE] = "",
	[CFG_ACT_ACCEPT] = "accept",
	[CFG_ACT_RELAY] = "relay",
	[CFG_ACT_REJECT] = "reject",
	[CFG_ACT_TEMPFAIL] = "tempfail",
	[CFG_ACT_HOLD] = "hold",
	[CFG_ACT_REDIRECT] = "redirect",
	[CFG_ACT_TAG] = "tag" };

const char *cfg_act_name(enum cfg_act act) { return acts[act]; }
bool cfg_act_ends(enum cfg_act act) { return act != CFG_ACT_HOLD && act != CFG_ACT_TAG; }

static bool is_printable(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static bool take_text(struct sv s, struct arena *a, const char **ret, struct err *e)
{
	if (s.n > TEXT_MAX || !is_printable(s))
		return err_set(e, ERR_PERM, "the text must be at most %d printable ASCII characters", TEXT_MAX);
	*ret = cfg_arena_text(a, s);
	return true;
}

static bool is_dsn(struct sv s)
{
	struct sv part;
	uint64_t n;
	int parts = 0;
	while (sv_cut(&s, '.', &part)) /* RFC 3463 2 */
		if (!num_u64(part, 0, 999, &n) || (parts++ == 0 && part.n != 1))
			return false;
	return parts == 3;
}

/* [CODE] [X.Y.Z] [text] */
static bool reply_args(struct sv rest, struct arena *a, struct cfg_action *ret, struct err *e)
{
	char class = ret->act == CFG_ACT_REJECT ? '5' : '4';
	struct sv after = rest, word;
	uint64_t code;
	ret->code = class == '5' ? 550 : 450;
	snprintf(ret->dsn, sizeof ret->dsn, "%c.7.1", class);
	if (sv_word(&after, &word) && word.n == 3 && num_u64(word, 0, 999, &code)) {
		if (word.p[0] != class || word.p[1] != '5')
			return err_set(
				e, ERR_PERM, "%llu: the code must be from %c50 to %c59", (unsigned long long)code, class, class);
		ret->code = (int)code;
		rest = sv_trim(after);
	}
	after = rest;
	if (sv_word(&after, &word) && is_dsn(word)) {
		if (word.p[0] != class || !sv_copy(word, ret->dsn, sizeof ret->dsn))
			return err_set(e, ERR_PERM, "%.*s: the enhanced code must begin with %c.", (int)word.n, word.p, class);
		rest = sv_trim(after);
	}
	if (rest.n == 0)
		rest = class == '5' ? SV("Refused by this server's rules")
				    : SV("Refused for now by this server's rules, try again later");
	return take_text(rest, a, &ret->text, e);
}

static bool hold_args(struct sv rest, struct arena *a, struct cfg_action *ret, struct err *e)
{
	return take_text(rest, a, &ret->text, e);
}

static bool redirect_args(struct sv rest, struct arena *a, struct cfg_action *ret, struct err *e)
{
	ptrdiff_t at = sv_rchr(rest, '@');
	bool ok = at > 0 && at <= 64 && cfg_domain_ok(sv_skip(rest, (size_t)at + 1)); /* RFC 5321 4.5.3.1.1 */
	for (size_t i = 0; ok && i < (size_t)at; i++)
		ok = !strchr(" \t<>()[],;:\\\"@", rest.p[i]);
	if (!ok)
		return err_set(e, ERR_PERM, "redirect needs one address: redirect user@example.org");
	return take_text(rest, a, &ret->text, e);
}

/* What a rule must not write: it would change what the message is, where it goes, or who is said to have written it. */
static bool is_taken(struct sv name)
{
	static const char *const taken[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Date", "Message-ID", "Subject",
		"Received", "Return-Path", "Delivered-To", "MIME-Version", "DKIM-Signature", "Authentication-Results" };
	for (size_t i = 0; i < COUNT(taken); i++)
		if (sv_ieqs(name, taken[i]))
			return true;
	return sv_istarts(name, SV("Content-")) || sv_istarts(name, SV("Resent-")) || sv_istarts(name, SV("X-Postern-"));
}

static bool is_header_name(struct sv name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alnum(name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
			return false;
	return name.n > 0 && name.n <= TAG_NAME_MAX;
}

/* NAME, or Header: value */
static bool tag_args(struct sv rest, struct arena *a, struct cfg_action *ret, struct err *e)
{
	struct sv name = SV(TAG_HEADER), value = rest;
	if (sv_chr(rest, ':') >= 0) {
		if (!sv_cut(&value, ':', &name) || !is_header_name(name) || is_taken(name))
			return err_set(e, ERR_PERM, "%.*s is no header that a rule may add: take one like X-Origin",
				(int)MIN(name.n, 80), name.p);
		value = sv_trim(value);
	} else if (!is_header_name(rest)) {
		return err_set(e, ERR_PERM, "tag needs a name of letters, digits and hyphens, or Header: value");
	}
	if (value.n == 0)
		return err_set(e, ERR_PERM, "the header has no value");
	ret->header = cfg_arena_text(a, name);
	return take_text(value, a, &ret->text, e);
}

static bool no_args(struct sv rest, struct arena *a UNUSED, struct cfg_action *ret, struct err *e)
{
	return rest.n == 0 || err_set(e, ERR_PERM, "%s takes nothing more", cfg_act_name(ret->act));
}

static bool (*const args[])(struct sv rest, struct arena *a, struct cfg_action *ret, struct err *e) = {
	[CFG_ACT_ACCEPT] = no_args,
	[CFG_ACT_RELAY] = no_args,
	[CFG_ACT_REJECT] = reply_args,
	[CFG_ACT_TEMPFAIL] = reply_args,
	[CFG_ACT_HOLD] = hold_args,
	[CFG_ACT_REDIRECT] = redirect_args,
	[CFG_ACT_TAG] = tag_args,
};

static bool unknown_act(struct sv word, struct err *e)
{
	const char *names[COUNT(args)] = { NULL };
	char shown[40];
	for (size_t i = CFG_ACT_ACCEPT; i < COUNT(args); i++)
		names[i - CFG_ACT_ACCEPT] = cfg_act_name((enum cfg_act)i);
	const char *near = sv_copy(word, shown, sizeof shown) ? cfg_nearest_of(shown, names) : NULL;
	if (near)
		return err_set(e, ERR_PERM, "there is no action %s: did you mean %s?", shown, near);
	return err_set(e, ERR_PERM, "must be accept, relay, reject, tempfail, hold, redirect or tag");
}

bool cfg_action_parse(const struct cfg_param *p, struct sv text, struct arena *a, void *member, struct err *e)
{
	struct cfg_action act = { .text = "", .header = "" };
	struct sv rest = text, word;
	if (text.n > (uint64_t)p->max)
		return err_set(e, ERR_PERM, "is longer than %lld bytes", (long long)p->max);
	act.written = cfg_arena_text(a, text);
	if (sv_word(&rest, &word)) {
		for (size_t i = CFG_ACT_ACCEPT; i < COUNT(args) && act.act == CFG_ACT_NONE; i++)
			if (sv_ieqs(word, cfg_act_name((enum cfg_act)i)))
				act.act = (enum cfg_act)i;
		if (act.act == CFG_ACT_NONE)
			return unknown_act(word, e);
		if (!args[act.act](sv_trim(rest), a, &act, e))
			return false;
	}
	*(struct cfg_action *)member = act;
	return true;
}

void cfg_action_print(const struct cfg_param *p UNUSED, const void *member, struct buf *out)
{
	buf_puts(out, ((const struct cfg_action *)member)->written);
}
