/* A client's bytes, whatever they are: the same conversation in every chunking, replies that keep their form, and each 250 after
 * DATA stands for exactly one complete queue file. A control character before them chooses where the client has come to. */
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

enum scene { AT_SMTP, AT_SUBMISSION, AT_LMTP, AS_PROXY, LOCAL_USER, SCENES };

static void check_file(struct world *w, enum scene scene)
{
	struct spool_envelope env;
	struct err e;
	BUG_IF(w->commits == 0);
	BUG_IF(!spool_envelope_parse(buf_sv(&w->file), &env, &e));
	BUG_IF(env.size != w->file.len || env.n_rcpt == 0);
	BUG_IF((scene == AT_SMTP || scene == AT_LMTP) && env.trust != SPOOL_STRANGER);
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

static void come_to(struct world *w, enum scene scene)
{
	world_open(w, scene == LOCAL_USER ? CLIENT_SUBMIT : CLIENT_NET);
	world_offer_tls(w);
	if (scene == AT_SUBMISSION)
		w->listener.protocol = CFG_PROTO_SUBMISSION;
	if (scene == AT_LMTP)
		w->listener.protocol = CFG_PROTO_LMTP;
	w->s.client.may_xclient = scene == AS_PROXY;
}

/* Nobody sends who must log in and did not; in the end no dialogue with authd is left open. */
static void check_end(struct world *w, enum scene scene)
{
	BUG_IF(scene == AT_SUBMISSION && w->commits > 0 && w->logins == 0);
	BUG_IF(scene != AS_PROXY && *w->s.account && w->logins == 0);
	BUG_IF(w->s.phase == PH_AUTH && !w->dialogue);
	BUG_IF((w->s.phase & PH_ANY) && w->dialogue);
	world_close(w);
	BUG_IF(w->dialogue);
}

static void talk(struct world *w, enum scene scene, struct sv in, size_t chunk)
{
	come_to(w, scene);
	w->cfg.global.message_max_size = 20000;
	w->cfg.smtpd.errors_max = 50;
	w->cfg.rules = parsed_rules();
	session_greet(&w->s, &w->replies);
	world_say(w, in, chunk);
	if (w->commits > 0)
		check_file(w, scene);
	BUG_IF(w->commits != w->s.accepted);
	check_form(buf_sv(&w->replies));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world whole, bits;
	struct sv in = { (const char *)p, n };
	if (n == 0 || n > 60000)
		return 0;
	enum scene scene = p[0] < SCENES ? (enum scene)p[0] : AT_SMTP;
	if (p[0] < SCENES)
		in = sv_skip(in, 1);
	talk(&whole, scene, in, n);
	talk(&bits, scene, in, 1 + p[0] % 7);
	BUG_IF(!sv_eq(buf_sv(&whole.replies), buf_sv(&bits.replies)));
	BUG_IF(!sv_eq(buf_sv(&whole.file), buf_sv(&bits.file)));
	BUG_IF(whole.commits != bits.commits || whole.handshakes != bits.handshakes || whole.handshakes > 1 ||
		whole.s.phase != bits.s.phase || whole.logins != bits.logins || whole.cancels != bits.cancels);
	check_end(&whole, scene);
	check_end(&bits, scene);
	return 0;
}
