#include "record.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/secret.h"

void record_init(struct record *r)
{
	*r = (struct record){ .apps = VEC_INIT(struct record_app, RECORD_APPS_MAX),
		.certs = VEC_INIT(struct record_cert, RECORD_CERTS_MAX) };
}

void record_free(struct record *r)
{
	vec_free(&r->apps);
	vec_free(&r->certs);
	secret_wipe(r->hash, sizeof r->hash);
	secret_wipe(&r->scram, sizeof r->scram);
}

/* --- text out ------------------------------------------------------------------------------------------------------------- */

static void put_number(struct buf *out, const char *name, uint64_t n)
{
	if (n > 0)
		buf_putf(out, "%s %llu\n", name, (unsigned long long)n);
}

void record_put(const struct record *r, struct buf *out)
{
	if (*r->hash)
		buf_putf(out, "hash %s\n", r->hash);
	if (r->has_scram) {
		buf_puts(out, "scram ");
		scram_verifier_text(&r->scram, out);
		buf_putc(out, '\n');
	}
	put_number(out, "disabled", r->disabled);
	put_number(out, "created", r->created);
	put_number(out, "used", r->used);
	put_number(out, "frozen", r->frozen);
	for (size_t i = 0; i < r->apps.len; i++) {
		const struct record_app *a = VEC_AT(&r->apps, struct record_app, i);
		buf_putf(out, "app %s %llu %llu %s\n", a->hash, (unsigned long long)a->created, (unsigned long long)a->used,
			a->label);
	}
	for (size_t i = 0; i < r->certs.len; i++)
		buf_putf(out, "cert %s\n", VEC_AT(&r->certs, struct record_cert, i)->fingerprint);
}

/* --- text in -------------------------------------------------------------------------------------------------------------- */

static bool take_number(struct sv value, uint64_t *ret) { return num_u64(value, 0, UINT64_MAX, ret); }
static bool take_hash(struct record *r, struct sv v) { return v.n > 0 && sv_copy(v, r->hash, sizeof r->hash); }
static bool take_scram(struct record *r, struct sv v) { return r->has_scram = scram_verifier_parse(v, &r->scram); }
static bool take_disabled(struct record *r, struct sv v) { return r->disabled = sv_eqs(v, "1"); }
static bool take_created(struct record *r, struct sv v) { return take_number(v, &r->created); }
static bool take_used(struct record *r, struct sv v) { return take_number(v, &r->used); }
static bool take_frozen(struct record *r, struct sv v) { return take_number(v, &r->frozen); }

static bool take_app(struct record *r, struct sv v)
{
	struct sv hash, created, used;
	struct record_app *a = vec_push(&r->apps);
	return a && sv_cut(&v, ' ', &hash) && sv_cut(&v, ' ', &created) && sv_cut(&v, ' ', &used) && record_fingerprint_ok(hash) &&
	       sv_copy(hash, a->hash, sizeof a->hash) && take_number(created, &a->created) && take_number(used, &a->used) &&
	       record_label_ok(v) && sv_copy(v, a->label, sizeof a->label);
}

static bool take_cert(struct record *r, struct sv v)
{
	struct record_cert *c = vec_push(&r->certs);
	return c && record_fingerprint_ok(v) && sv_copy(v, c->fingerprint, sizeof c->fingerprint);
}

static const struct {
	const char *name;
	bool (*take)(struct record *, struct sv value);
} lines[] = {
	{ "hash", take_hash },
	{ "scram", take_scram },
	{ "disabled", take_disabled },
	{ "created", take_created },
	{ "used", take_used },
	{ "frozen", take_frozen },
	{ "app", take_app },
	{ "cert", take_cert },
};

static bool take_line(struct record *r, struct sv line)
{
	struct sv name;
	if (line.n == 0)
		return true;
	if (!sv_cut(&line, ' ', &name) || !line.p)
		return false;
	for (size_t i = 0; i < COUNT(lines); i++)
		if (sv_eqs(name, lines[i].name))
			return lines[i].take(r, line);
	return true; /* of a later version */
}

bool record_parse(struct sv text, struct record *ret, struct err *e)
{
	struct record r;
	struct sv line;
	record_init(&r);
	while (sv_cut(&text, '\n', &line)) {
		if (take_line(&r, line))
			continue;
		record_free(&r);
		return err_set(e, ERR_PERM, "a user's record is damaged");
	}
	memcpy(r.name, ret->name, sizeof r.name);
	vec_free(&ret->apps);
	vec_free(&ret->certs);
	*ret = r;
	return true;
}

/* --- finding -------------------------------------------------------------------------------------------------------------- */

struct record_app *record_app(const struct record *r, const char *label)
{
	for (size_t i = 0; i < r->apps.len; i++)
		if (strcmp(VEC_AT(&r->apps, struct record_app, i)->label, label) == 0)
			return VEC_AT(&r->apps, struct record_app, i);
	return NULL;
}

struct record_cert *record_cert(const struct record *r, const char *fingerprint)
{
	for (size_t i = 0; i < r->certs.len; i++)
		if (strcmp(VEC_AT(&r->certs, struct record_cert, i)->fingerprint, fingerprint) == 0)
			return VEC_AT(&r->certs, struct record_cert, i);
	return NULL;
}

struct record_app *record_app_matching(const struct record *r, struct sv password)
{
	unsigned char hash[SCRAM_KEY];
	struct buf hex = BUF_INIT(2 * SCRAM_KEY);
	struct record_app *found = NULL;
	scram_hash(password, hash);
	hex_put(&hex, (struct sv){ (const char *)hash, sizeof hash });
	for (size_t i = 0; i < r->apps.len; i++) {
		struct record_app *a = VEC_AT(&r->apps, struct record_app, i);
		if (secret_eq(buf_sv(&hex), sv_of(a->hash)))
			found = a;
	}
	buf_free(&hex);
	return found;
}

bool record_name_ok(struct sv name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == ' ' || strchr("()<>,;:\\\"/", name.p[i]))
			return false;
	return name.n > 0 && name.n <= AUTH_ACCOUNT_MAX && sv_is_utf8(name) && !sv_has_ctl(name);
}

bool record_label_ok(struct sv label)
{
	return label.n > 0 && label.n <= USER_LABEL_MAX && sv_is_utf8(label) && !sv_has_ctl(label);
}

bool record_fingerprint_ok(struct sv hex)
{
	for (size_t i = 0; i < hex.n; i++)
		if (!ascii_digit(hex.p[i]) && (hex.p[i] < 'a' || hex.p[i] > 'f'))
			return false;
	return hex.n == 64;
}
