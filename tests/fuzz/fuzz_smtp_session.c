/* A client's bytes, whatever they are: the same conversation in every chunking, replies that keep their form, and each 250 after
 * DATA stands for exactly one complete queue file. */
#include "tests/unit/smtpd/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Every line is a reply line: three digits, a blank or dash, printable text, at most 512 bytes. */
static void check_form(struct sv replies)
{
	struct sv line, text;
	int code;
	bool more = false;
	while (sv_cut(&replies, '\n', &line) && (line.n > 0 || replies.p)) {
		BUG_IF(!sv_ends(line, SV("\r")) || line.n >= 512);
		BUG_IF(!smtp_reply_line(line, &code, &more, &text));
		BUG_IF(sv_has_ctl(text) || !sv_is_utf8(text));
	}
	BUG_IF(more);
}

static void check_file(struct world *w)
{
	struct spool_envelope env;
	struct err e;
	BUG_IF(w->commits == 0);
	BUG_IF(!spool_envelope_parse(buf_sv(&w->file), &env, &e));
	BUG_IF(env.size != w->file.len || env.n_rcpt == 0 || env.trust != SPOOL_STRANGER);
	spool_envelope_free(&env);
}

/* One rule of each kind, none of which lets anybody relay. */
static const char rules[] = "[rule name]\nhelo = .refused.example\naction = reject\n"
			    "[rule sender]\nsender = refused@, .refused.example, inline.example\naction = reject 553 5.1.8 no\n"
			    "[rule table]\nsender = inline:{t.example=x; u@v.example=y}\naction = tempfail\n"
			    "[rule mark]\nsender = !<>\naction = tag marked\n"
			    "[rule wait]\nrecipient = other@\naction = hold\n"
			    "[rule turn]\nrecipient = gone@here.example\naction = redirect user@here.example\n"
			    "[rule free]\nsender = <>\naction = accept\n"
			    "[rule last]\nrecipient = refused@\naction = reject\n";

static struct vec parsed_rules(void)
{
	static struct cfg *parsed; /* kept for all runs */
	if (!parsed)
		parsed = cfg_parse(sv_of(rules), NULL);
	return parsed->rules;
}

static void talk(struct world *w, struct sv in, size_t chunk)
{
	world_open(w, CLIENT_NET);
	w->cfg.global.message_max_size = 20000;
	w->cfg.smtpd.errors_max = 50;
	w->cfg.rules = parsed_rules();
	world_offer_tls(w);
	session_greet(&w->s, &w->replies);
	world_say(w, in, chunk);
	if (w->commits > 0)
		check_file(w);
	BUG_IF(w->commits != w->s.accepted);
	check_form(buf_sv(&w->replies));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world whole, bits;
	struct sv in = { (const char *)p, n };
	if (n == 0 || n > 60000)
		return 0;
	talk(&whole, in, n);
	talk(&bits, in, 1 + p[0] % 7);
	BUG_IF(!sv_eq(buf_sv(&whole.replies), buf_sv(&bits.replies)));
	BUG_IF(!sv_eq(buf_sv(&whole.file), buf_sv(&bits.file)));
	BUG_IF(whole.commits != bits.commits || whole.handshakes != bits.handshakes || whole.handshakes > 1 ||
		whole.s.phase != bits.s.phase);
	world_close(&whole);
	world_close(&bits);
	return 0;
}
