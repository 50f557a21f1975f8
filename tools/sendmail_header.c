/* The header of a submitted message. */
#include "sendmail_header.h"

#include "base/hmap.h"
#include "mail/date.h"
#include "mail/hdr.h"

#define NAME_MAX_LEN 500 /* of a person; GECOS and -F are the caller's */

/* --- recipients --- */
struct adding {
	struct recipients *to;
	struct err *e;
	bool failed;
};

void recipients_init(struct recipients *r)
{
	r->list = (struct vec){ .elem = MADDR_TEXT_MAX + 1, .max = RECIPIENTS_MAX };
	r->seen = hmap_new(RECIPIENTS_MAX);
}

void recipients_free(struct recipients *r)
{
	vec_free(&r->list);
	hmap_free(r->seen, NULL);
}

const char *recipients_at(const struct recipients *r, size_t i) { return vec_at(&r->list, i); }

static bool add_one(struct recipients *r, struct sv text, struct err *e)
{
	struct maddr a;
	char canonical[MADDR_TEXT_MAX + 1];
	if (!maddr_parse(text, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &a, e)) {
		err_add(e, "recipient %.*s", (int)MIN(text.n, 100), text.p);
		return false;
	}
	struct sv key = sv_of(maddr_text(&a, canonical));
	if (hmap_get(r->seen, key))
		return true;
	char *place = vec_push(&r->list);
	if (!place || !hmap_put(r->seen, key, r))
		return err_set(e, ERR_LIMIT, "more than %d recipients", RECIPIENTS_MAX);
	memcpy(place, canonical, sizeof canonical);
	return true;
}

static void on_address(struct sv addr_spec, void *arg)
{
	struct adding *a = arg;
	if (!a->failed)
		a->failed = !add_one(a->to, addr_spec, a->e);
}

bool recipients_add(struct recipients *r, struct sv list, struct err *e)
{
	struct adding a = { r, e, false };
	bool good = hdr_addresses(list, on_address, &a);
	if (a.failed)
		return false;
	return good || err_set(e, ERR_PERM, "not a list of addresses: %.*s", (int)MIN(list.n, 200), list.p);
}

/* --- the header --- */
static bool is_one_of(struct sv name, const char *const *names)
{
	for (; *names; names++)
		if (sv_ieqs(name, *names))
			return true;
	return false;
}

static const char *const dropped[] = { "Bcc", "Resent-Bcc", "Return-Path", NULL };
static const char *const plain_to[] = { "To", "Cc", "Bcc", NULL };
static const char *const resent_to[] = { "Resent-To", "Resent-Cc", "Resent-Bcc", NULL };

static bool has_any(struct sv msg, const char *const *names)
{
	for (; *names; names++)
		if (hdr_count(msg, *names) > 0)
			return true;
	return false;
}

static bool take_recipients(const struct hdr_field *f, struct recipients *r, struct err *e)
{
	if (recipients_add(r, f->value, e))
		return true;
	err_add(e, "header %.*s", (int)MIN(f->name.n, 40), f->name.p);
	return false;
}

/* Mail programs that read an mbox pass its separator line too. */
static size_t mbox_line(struct sv msg)
{
	ptrdiff_t lf = sv_chr(msg, '\n');
	return lf > 0 && sv_starts(msg, SV("From ")) ? (size_t)lf + 1 : 0;
}

static bool is_phrase_atom(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!ascii_alnum(*p) && !strchr(" !#$%&'*+-/=?^_`{|}~", *p))
			return false;
	return true;
}

void header_phrase(const char *name, struct buf *out)
{
	if (!sv_is_ascii(sv_of(name))) {
		hdr_encode_word(sv_of(name), out);
		return;
	}
	if (is_phrase_atom(name)) {
		buf_puts(out, name);
		return;
	}
	buf_putc(out, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(out, '\\');
		buf_putc(out, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
	}
	buf_putc(out, '"');
}

static void put_from(const struct header_wants *w, struct buf *out)
{
	char name[NAME_MAX_LEN];
	buf_puts(out, "From: ");
	if (w->full_name[0] == '\0' || !sv_copy(sv_of(w->full_name), name, sizeof name)) {
		buf_putf(out, "%s\n", w->from);
		return;
	}
	header_phrase(name, out);
	buf_putf(out, " <%s>\n", w->from);
}

static void add_missing(struct sv header, const struct header_wants *w, struct buf *out)
{
	char date[DATE_TEXT_MAX];
	if (hdr_count(header, "From") == 0)
		put_from(w, out);
	if (hdr_count(header, "Date") == 0)
		buf_putf(out, "Date: %s\n", date_text(w->now, date));
	if (hdr_count(header, "Message-ID") == 0)
		buf_putf(out, "Message-ID: %s\n", w->message_id);
}

bool header_rewrite(
	struct sv msg, const struct header_wants *w, struct recipients *r, struct buf *ret_head, size_t *ret_body, struct err *e)
{
	size_t start = mbox_line(msg), at = 0;
	struct sv header = sv_skip(msg, start);
	const char *const *sources = has_any(header, resent_to) ? resent_to : plain_to;
	struct hdr_field f;
	bool broken = false;
	buf_reset(ret_head);
	while (hdr_next(header, &at, &f, &broken)) {
		if (w->recipients && is_one_of(f.name, sources) && !take_recipients(&f, r, e))
			return false;
		if (!is_one_of(f.name, dropped))
			buf_putsv(ret_head, f.whole);
	}
	if (ret_head->len > 0 && ret_head->data[ret_head->len - 1] != '\n')
		buf_putc(ret_head, '\n');
	add_missing(sv_sub(header, 0, at), w, ret_head);
	buf_putc(ret_head, '\n'); /* where the header is broken, this ends it and the rest is text */
	if (!buf_ok(ret_head))
		return err_set(e, ERR_LIMIT, "the header is longer than %d bytes", HEADER_MAX);
	*ret_body = start + at;
	return true;
}
