#include "auth.h"

#include "base/base64.h"
#include "base/num.h"
#include "base/secret.h"
#include "smtp/scram_client.h"

struct login {
	struct peer *p;
	uint64_t secs;
	const char *user;
	struct sv password;
};

/* Sends a line of base64 behind `verb` ("" none: a response) and reads the answer. */
static bool say(struct login *l, const char *verb, struct sv message, struct err *e)
{
	struct buf text = BUF_INIT(2 * SCRAM_MESSAGE_MAX);
	base64_put(&text, message);
	bool ok = peer_put(l->p, e, "%s%s", verb, buf_str(&text)) && peer_answer(l->p, l->secs, e);
	secret_wipe(text.data, text.len);
	buf_free(&text);
	return ok;
}

static bool refused(const struct login *l, const char *mechanism, struct err *e)
{
	const struct smtp_answer *a = &l->p->last;
	return err_dsn(
		e, ERR_TEMP, "4.7.8", "authentication as %.60s by %s was refused: %d %.150s", l->user, mechanism, a->code, a->text);
}

/* RFC 4616 */
static bool plain(struct login *l, struct err *e)
{
	struct buf text = BUF_INIT(600);
	buf_putc(&text, '\0');
	buf_puts(&text, l->user);
	buf_putc(&text, '\0');
	buf_putsv(&text, l->password);
	bool ok = say(l, "AUTH PLAIN ", buf_sv(&text), e);
	secret_wipe(text.data, text.len);
	buf_free(&text);
	return ok && (l->p->last.code == 235 || refused(l, "PLAIN", e));
}

/* No standard, but some know nothing else: two questions, whatever their words. */
static bool login(struct login *l, struct err *e)
{
	if (!peer_put(l->p, e, "AUTH LOGIN") || !peer_answer(l->p, l->secs, e))
		return false;
	if (l->p->last.code == 334 && !say(l, "", sv_of(l->user), e))
		return false;
	if (l->p->last.code == 334 && !say(l, "", l->password, e))
		return false;
	return l->p->last.code == 235 || refused(l, "LOGIN", e);
}

static bool decode_answer(const struct login *l, struct buf *ret)
{
	buf_reset(ret);
	return l->p->last.code == 334 && base64_decode(sv_of(l->p->last.text), ret);
}

static bool scram_steps(struct login *l, struct scram_client *s, struct buf *in, struct buf *out, struct err *e)
{
	scram_client_first(s, l->user, out);
	if (!say(l, "AUTH SCRAM-SHA-256 ", buf_sv(out), e))
		return false;
	if (!decode_answer(l, in))
		return refused(l, "SCRAM-SHA-256", e);
	if (!scram_client_final(s, l->password, buf_sv(in), out, e) || !say(l, "", buf_sv(out), e))
		return false;
	if (!decode_answer(l, in))
		return refused(l, "SCRAM-SHA-256", e);
	/* RFC 4954 4: the server's last words come as a challenge, whose answer is empty. */
	if (!scram_client_verify(s, buf_sv(in), e) || !say(l, "", SV(""), e))
		return false;
	return l->p->last.code == 235 || refused(l, "SCRAM-SHA-256", e);
}

static void make_nonce(char dst[SCRAM_OWN_NONCE + 1])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < SCRAM_OWN_NONCE; i++)
		dst[i] = letters[rnd_u64() % 64];
	dst[SCRAM_OWN_NONCE] = '\0';
}

static bool scram(struct login *l, struct err *e)
{
	struct scram_client s;
	char nonce[SCRAM_OWN_NONCE + 1];
	struct buf in = BUF_INIT(SCRAM_MESSAGE_MAX), out = BUF_INIT(SCRAM_MESSAGE_MAX);
	make_nonce(nonce);
	scram_client_init(&s, nonce);
	bool ok = scram_steps(l, &s, &in, &out, e);
	scram_client_free(&s);
	buf_free(&in);
	buf_free(&out);
	return ok;
}

static const struct {
	const char *name;
	bool (*run)(struct login *l, struct err *e);
	bool shows; /* the password itself goes to whoever is at the other end */
} mechanisms[] = { { "SCRAM-SHA-256", scram, false }, { "PLAIN", plain, true }, { "LOGIN", login, true } }; /* the best first */

static bool offered(const struct peer *p, const char *name)
{
	struct sv rest = sv_of(p->caps.auth), word;
	while (sv_word(&rest, &word))
		if (sv_ieqs(word, name))
			return true;
	return false;
}

/* Whatever goes wrong is not the message's fault. */
static bool run(struct login *l, bool may_show, struct err *e)
{
	bool withheld = false;
	for (size_t i = 0; i < COUNT(mechanisms); i++) {
		if (!offered(l->p, mechanisms[i].name))
			continue;
		if (mechanisms[i].shows && !may_show) {
			withheld = true;
			continue;
		}
		bool ok = mechanisms[i].run(l, e);
		e->kind = ok || e->kind == ERR_NONE ? e->kind : ERR_TEMP;
		l->p->broken = l->p->broken || (!ok && l->p->last.code == 334); /* in mid-dialogue: no QUIT */
		return ok;
	}
	if (withheld)
		return err_dsn(e, ERR_TEMP, "4.7.11", "no password is shown to a host that is not verified: %s",
			*l->p->doubt ? l->p->doubt : "the route gives an address, not a name");
	return err_dsn(e, ERR_TEMP, "4.7.8", "it offers no way to authenticate that is known here (AUTH %.100s)", l->p->caps.auth);
}

bool authenticate(struct peer *p, const struct peer_options *o, struct err *e)
{
	const struct cfg_relay *r = o->route->relay;
	if (!r || r->user[0] == '\0')
		return true;
	struct login l = {
		.p = p, .secs = o->cfg->remote.remote_hello_timeout, .user = r->user, .password = password_of(o->passwords, r->name)
	};
	if (!p->encrypted && !p->local)
		return err_dsn(e, ERR_TEMP, "4.7.11", "[relay %.60s]: no password is sent without TLS", r->name);
	return run(&l, p->verified || p->local || r->password_to_unverified, e);
}
