/* Reading the envelope of a queue file: everything before our first Received line (DESIGN D4). */
#include "spool/spool.h"
#include "spool/form.h"

#include "base/fd.h"
#include "base/num.h"
#include "mail/date.h"

#include <errno.h>

#define ADDR_FLAGS (MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK)
#define FIRST_READ 4096
#define SIZE_MAX_S ((uint64_t)4 << 30)

struct reading {
	struct sv head;
	size_t at; /* of the line in hand */
	struct spool_envelope *env;
	struct maddr orig;    /* X-Original-To, for the plain form */
	bool has_orig, other; /* other: a line that a plain file has not */
	size_t cap;
};

static bool bad(struct err *e, const char *what) { return err_set(e, ERR_PERM, "not a queue file: %s", what); }

static bool more(struct err *e) { return err_set(e, ERR_LIMIT, "the envelope is longer than what was read"); }

/* RFC 5321 4.4: the return path is the first line of a delivered message. */
static bool on_path(struct reading *r, struct sv value, struct err *e)
{
	if (r->at != 0)
		return bad(e, "a second Return-Path");
	return (maddr_parse_path(&value, ADDR_FLAGS | MADDR_NULL_OK, &r->env->sender, NULL) && value.n == 0) ||
	       bad(e, "Return-Path");
}

static struct spool_rcpt *new_rcpt(struct reading *r)
{
	struct spool_envelope *env = r->env;
	if (env->n_rcpt == r->cap) {
		r->cap = r->cap == 0 ? 1 : r->cap * 2;
		env->rcpt = mem_grow(env->rcpt, r->cap * sizeof(*env->rcpt));
	}
	struct spool_rcpt *rcpt = &env->rcpt[env->n_rcpt];
	memset(rcpt, 0, sizeof(*rcpt));
	rcpt->number = (uint32_t)env->n_rcpt++;
	rcpt->orig.null = true;
	return rcpt;
}

static bool on_delivered(struct reading *r, struct sv value, struct err *e)
{
	if (r->env->n_rcpt > 0)
		return bad(e, "a second recipient in the plain form");
	struct spool_rcpt *rcpt = new_rcpt(r);
	rcpt->cls = CLASS_LOCAL;
	rcpt->status = SPOOL_TODO;
	return maddr_parse(value, ADDR_FLAGS, &rcpt->addr, NULL) || bad(e, "Delivered-To");
}

static bool on_orig(struct reading *r, struct sv value, struct err *e)
{
	if (r->has_orig)
		return bad(e, "a second X-Original-To");
	r->has_orig = true;
	return maddr_parse(value, ADDR_FLAGS, &r->orig, NULL) || bad(e, "X-Original-To");
}

static bool word(struct sv *rest, struct sv *ret) { return sv_cut(rest, ' ', ret) && rest->p != NULL; }

static bool take_notify(struct sv names, uint8_t *ret)
{
	struct sv name;
	while (sv_cut(&names, ',', &name)) {
		unsigned i = 0;
		while (i < COUNT(spool_notify_names) && !sv_eqs(name, spool_notify_names[i]))
			i++;
		if (i == COUNT(spool_notify_names))
			return false;
		*ret |= (uint8_t)(1u << i);
	}
	return *ret != 0;
}

/* What the sender asked for of this recipient (RFC 3461). */
static bool on_asks(struct spool_rcpt *rcpt, struct sv value, struct err *e)
{
	struct sv w;
	while (sv_word(&value, &w)) {
		if (sv_starts(w, SV("notify=")) && !take_notify(sv_skip(w, 7), &rcpt->notify))
			return bad(e, "notify of a recipient");
		if (sv_starts(w, SV("orcpt="))) {
			if (rcpt->orcpt || w.n - 6 > SPOOL_ORCPT_MAX)
				return bad(e, "orcpt of a recipient");
			rcpt->orcpt = mem_new(w.n - 6 + 1);
			memcpy(rcpt->orcpt, w.p + 6, w.n - 6);
		}
	}
	return true;
}

/* Postern-To: . local 0 bob@example.net [original or <> [notify=A,B] [orcpt=type;xtext] [more that a later version may write]] */
static bool on_to(struct reading *r, struct sv value, struct err *e)
{
	struct sv status, cls, number;
	uint64_t n;
	if (r->env->n_rcpt > 0 && r->env->rcpt[0].status_at == 0)
		return bad(e, "both forms of recipients");
	struct spool_rcpt *rcpt = new_rcpt(r);
	rcpt->status_at = r->at + FORM_TO_LEN;
	r->other = true;
	if (!word(&value, &status) || !word(&value, &cls) || !word(&value, &number))
		return bad(e, "Postern-To");
	if (status.n != 1 || memchr(SPOOL_STATUSES, status.p[0], sizeof(SPOOL_STATUSES) - 1) == NULL)
		return bad(e, "status of a recipient");
	rcpt->status = status.p[0];
	if (!sv_eqs(cls, "local") && !sv_eqs(cls, "remote"))
		return bad(e, "class of a recipient");
	rcpt->cls = sv_eqs(cls, "local") ? CLASS_LOCAL : CLASS_REMOTE;
	if (!num_u64(number, 0, UINT32_MAX, &n) || n != rcpt->number)
		return bad(e, "number of a recipient");
	if (!maddr_scan(&value, ADDR_FLAGS, &rcpt->addr, NULL))
		return bad(e, "address of a recipient");
	value = sv_trim(value);
	if (value.n > 0 && !maddr_scan(&value, ADDR_FLAGS | MADDR_NULL_OK, &rcpt->orig, NULL))
		return bad(e, "original address of a recipient");
	return on_asks(rcpt, value, e);
}

static bool on_postern(struct reading *r, struct sv value, struct err *e)
{
	r->other = true;
	if (r->env->postern[0] != '\0' || !sv_copy(value, r->env->postern, sizeof(r->env->postern)))
		return bad(e, "X-Postern");
	return true;
}

static bool fixed(struct sv *rest, struct sv text)
{
	if (!sv_starts(*rest, text))
		return false;
	*rest = sv_skip(*rest, text.n);
	return true;
}

static bool take(struct sv *rest, size_t n, struct sv *ret)
{
	*ret = sv_sub(*rest, 0, n);
	*rest = sv_skip(*rest, n);
	return ret->n == n;
}

/* What follows "\n\tid " in our Received line: ID (s=0000004123 c=89abcdef t=s) */
static bool parse_mark(struct sv rest, size_t at, struct spool_envelope *env)
{
	const char *start = rest.p;
	struct sv id, s, c, t;
	uint64_t crc;
	if (!take(&rest, SPOOL_ID_LEN, &id) || !fixed(&rest, SV(FORM_S)) || !take(&rest, FORM_S_DIGITS, &s) ||
		!fixed(&rest, SV(FORM_C)))
		return false;
	env->crc_at = at + (size_t)(rest.p - start);
	if (!take(&rest, FORM_C_DIGITS, &c) || !fixed(&rest, SV(FORM_T)) || !take(&rest, 1, &t) || !fixed(&rest, SV(")")))
		return false;
	if (memchr("laps", t.p[0], 4) == NULL || !spool_id_parse(id, &env->id) || !num_u64(s, 0, SIZE_MAX_S, &env->size) ||
		!num_hex(c, UINT32_MAX, &crc))
		return false;
	env->crc = (uint32_t)crc;
	env->trust = t.p[0];
	return true;
}

/* The length of the field that `text` begins with; 0: its end was not read. last: nothing follows `text`. */
static size_t field_len(struct sv text, bool last)
{
	for (size_t at = 0; at < text.n;) {
		const char *lf = memchr(text.p + at, '\n', text.n - at);
		if (lf == NULL)
			break;
		at = (size_t)(lf - text.p) + 1;
		if (at == text.n ? last : text.p[at] != '\t' && text.p[at] != ' ')
			return at;
	}
	return 0;
}

/* RFC 5321 4.4: the date stands behind the last semicolon. */
static void parse_date(struct sv field, struct spool_envelope *env)
{
	ptrdiff_t semicolon = sv_rchr(field, ';');
	if (semicolon < 0 || !date_parse(sv_trim(sv_skip(field, (size_t)semicolon + 1)), &env->arrived))
		env->arrived = spool_id_secs(&env->id);
}

/* Our Received line ends the envelope. Its mark is on the first continuation line that begins with "id ". */
static bool on_received(struct reading *r, struct err *e)
{
	static const size_t mark_len =
		SPOOL_ID_LEN + sizeof(FORM_S) + FORM_S_DIGITS + sizeof(FORM_C) + FORM_C_DIGITS + sizeof(FORM_T) + 2;
	struct spool_envelope *env = r->env;
	struct sv rest = sv_skip(r->head, r->at);
	size_t at = 0;
	env->received_at = r->at;
	for (;;) {
		const char *lf = memchr(rest.p + at, '\n', rest.n - at);
		if (lf == NULL || lf + 1 == rest.p + rest.n)
			return more(e);
		at = (size_t)(lf - rest.p);
		if (rest.p[at + 1] != '\t')
			return bad(e, "no id in the first Received line");
		if (rest.n - at < sizeof(FORM_ID) + mark_len)
			return more(e);
		if (sv_starts(sv_skip(rest, at), SV(FORM_ID)))
			break;
		at++;
	}
	struct sv mark = sv_skip(rest, at + sizeof(FORM_ID) - 1);
	if (!parse_mark(mark, r->at + (size_t)(mark.p - rest.p), env))
		return bad(e, "no commit mark in the first Received line");
	if (env->n_rcpt == 0 || env->size < env->crc_at)
		return bad(e, env->n_rcpt == 0 ? "no recipient" : "its length");
	size_t len = field_len(rest, r->head.n >= env->size);
	if (len == 0)
		return more(e);
	parse_date(sv_sub(rest, 0, len), env);
	env->plain = !r->other;
	if (r->has_orig && env->rcpt[0].status_at != 0)
		return bad(e, "both forms of recipients");
	if (r->has_orig)
		env->rcpt[0].orig = r->orig;
	return true;
}

static const struct {
	struct sv name;
	bool (*on)(struct reading *, struct sv value, struct err *);
} lines[] = {
	{ { FORM_PATH, sizeof(FORM_PATH) - 1 }, on_path },
	{ { FORM_DELIVERED, sizeof(FORM_DELIVERED) - 1 }, on_delivered },
	{ { FORM_ORIG, sizeof(FORM_ORIG) - 1 }, on_orig },
	{ { FORM_TO, sizeof(FORM_TO) - 1 }, on_to },
	{ { FORM_POSTERN, sizeof(FORM_POSTERN) - 1 }, on_postern },
};

static bool on_line(struct reading *r, struct sv line, struct err *e)
{
	for (size_t i = 0; i < COUNT(lines); i++)
		if (sv_starts(line, lines[i].name))
			return lines[i].on(r, sv_skip(line, lines[i].name.n), e);
	/* Lines of a later version: kept, and too little known for a delivery by rename. */
	if (!sv_starts(line, SV("Postern-")) && !sv_starts(line, SV("X-Postern-")))
		return bad(e, "an unknown line before its Received line");
	r->other = true;
	return true;
}

/* Could these bytes, too few as yet, be the start of a queue file? */
static bool may_begin(struct sv head) { return sv_starts(head, SV(FORM_PATH)) || sv_starts(SV(FORM_PATH), head); }

bool spool_envelope_parse(struct sv head, struct spool_envelope *ret, struct err *e)
{
	struct spool_envelope env = { .size = 0 };
	struct reading r = { .head = head, .env = &env };
	bool ok = may_begin(head) || bad(e, "it does not begin with Return-Path");
	while (ok) {
		struct sv rest = sv_skip(head, r.at);
		if (sv_starts(rest, SV(FORM_RECEIVED))) {
			ok = on_received(&r, e);
			break;
		}
		ptrdiff_t lf = sv_chr(rest, '\n');
		ok = lf >= 0 ? on_line(&r, sv_sub(rest, 0, (size_t)lf), e) : more(e);
		r.at += (size_t)lf + 1;
	}
	if (!ok)
		spool_envelope_free(&env);
	else
		*ret = env;
	return ok;
}

bool spool_envelope_read(int fd, struct spool_envelope *ret, struct err *e)
{
	char first[FIRST_READ];
	char *p = first;
	size_t cap = sizeof(first), n;
	struct err why = { .kind = ERR_NONE };
	for (;;) {
		why.kind = ERR_TEMP;
		if (!fd_pread(fd, p, cap, 0, &n, &why))
			break;
		why.kind = ERR_NONE;
		if (spool_envelope_parse((struct sv){ p, n }, ret, &why) || why.kind != ERR_LIMIT)
			break;
		if (n < cap || cap >= SPOOL_HEADER_MAX) {
			if (n < cap)
				err_set(&why, ERR_LIMIT, "not a queue file: it ends within its envelope");
			else
				bad(&why, "its envelope has no end");
			break;
		}
		cap *= 4;
		p = mem_grow(p == first ? NULL : p, cap);
	}
	if (p != first)
		free(p);
	if (why.kind != ERR_NONE && e != NULL)
		*e = why;
	return why.kind == ERR_NONE;
}

void spool_envelope_free(struct spool_envelope *env)
{
	for (size_t i = 0; i < env->n_rcpt; i++)
		free(env->rcpt[i].orcpt);
	free(env->rcpt);
	env->rcpt = NULL;
	env->n_rcpt = 0;
}
