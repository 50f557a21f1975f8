/* sendmail, mailq, newaliases: what programs on this host call. An ordinary client of the submit socket, without any rights of its
 * own (DESIGN D2). */
#include "base/clock.h"
#include "base/fd.h"
#include "queue_client.h"
#include "sendmail_options.h"
#include "sendmail_submit.h"

#include <signal.h>
#include <sysexits.h>

struct job {
	struct tool *t;
	const struct sendmail_options *o;
	char sender[MADDR_TEXT_MAX + 1]; /* envelope */
	char from[MADDR_TEXT_MAX + 1];   /* for a missing From */
	char message_id[400];
	struct recipients to;
	struct draft draft;
	struct buf head;
	size_t body;
};

/* The caller as an address here. */
static bool caller(const struct tool *t, struct maddr *ret, struct err *e)
{
	const struct passwd *pw = getpwuid(getuid());
	struct buf text = BUF_INIT(MADDR_TEXT_MAX);
	if (!pw)
		return err_set(e, ERR_PERM, "uid %u has no name; name the sender with -f", (unsigned)getuid());
	buf_putf(&text, "%s@%s", pw->pw_name, t->cfg->global.origin);
	bool ok = maddr_parse(buf_sv(&text), MADDR_UTF8_OK, ret, e);
	buf_free(&text);
	return ok;
}

/* -f: with or without brackets; "" and <> are the null sender. */
static bool named_sender(const struct tool *t, const char *text, struct maddr *ret, struct err *e)
{
	struct sv s = sv_of(text);
	if (sv_starts(s, SV("<")) && sv_ends(s, SV(">")))
		s = sv_sub(s, 1, s.n - 2);
	if (s.n == 0) {
		*ret = (struct maddr){ .null = true };
		return true;
	}
	if (!maddr_parse(s, MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, ret, e)) {
		err_add(e, "sender");
		return false;
	}
	if (ret->domain[0] == '\0' && !sv_copy(sv_of(t->cfg->global.origin), ret->domain, sizeof ret->domain))
		return err_set(e, ERR_PERM, "origin is too long");
	return true;
}

static bool find_sender(struct job *j, struct err *e)
{
	struct maddr sender = { 0 }, from;
	if (j->o->sender && !named_sender(j->t, j->o->sender, &sender, e))
		return false;
	if (j->o->sender && !sender.null)
		from = sender;
	else if (!caller(j->t, &from, e))
		return false;
	if (!j->o->sender)
		sender = from;
	maddr_text(&sender, j->sender);
	maddr_text(&from, j->from);
	return true;
}

/* GECOS up to the first comma, '&' for the login name (passwd(5)). */
static void full_name(const struct sendmail_options *o, struct buf *out)
{
	const struct passwd *pw = o->full_name ? NULL : getpwuid(getuid());
	struct sv gecos = sv_of(pw ? pw->pw_gecos : NULL), name;
	if (o->full_name)
		buf_puts(out, o->full_name);
	if (!pw || !sv_cut(&gecos, ',', &name) || !sv_is_utf8(name))
		return;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] != '&')
			buf_putc(out, name.p[i]);
		else
			buf_puts(out, pw->pw_name);
	}
}

static bool read_head(struct job *j, struct err *e)
{
	struct buf name = BUF_INIT(1000);
	struct sv msg;
	uint64_t now = clock_real_secs();
	size_t n = 0;
	char *text = mem_new(HEADER_MAX);
	full_name(j->o, &name);
	snprintf(j->message_id, sizeof j->message_id, "<%llx.%016llx@%s>", (unsigned long long)now, (unsigned long long)rnd_u64(),
		j->t->cfg->global.hostname);
	struct header_wants w = { j->o->from_header, j->from, buf_str(&name), j->message_id, now };
	bool ok = fd_pread(j->draft.fd, text, HEADER_MAX, 0, &n, e);
	msg = (struct sv){ text, n };
	ok = ok && header_rewrite(msg, &w, &j->to, &j->head, &j->body, e);
	if (ok && j->body == n && n == HEADER_MAX)
		ok = err_set(e, ERR_LIMIT, "the header is longer than %d bytes", HEADER_MAX);
	free(text);
	buf_free(&name);
	return ok;
}

static int argument_recipients(struct job *j)
{
	struct err e = { 0 };
	for (char **p = j->o->recipients; *p; p++)
		if (sv_has_ctl(sv_of(*p)) || !recipients_add(&j->to, sv_of(*p), &e))
			return tool_fail(j->t, EX_USAGE, "%s", e.kind ? e.text : "a recipient holds a control character");
	if (j->to.list.len == 0 && !j->o->from_header)
		return tool_fail(j->t, EX_USAGE, "no recipients; name some, or use -t to take them from the header");
	return 0;
}

static int send_message(struct job *j)
{
	struct err e = { 0 };
	int code = argument_recipients(j);
	if (code != 0)
		return code;
	if (!find_sender(j, &e))
		return tool_fail(j->t, EX_USAGE, "%s", e.text);
	if (!draft_read(STDIN_FILENO, !j->o->dot_is_text, j->t->cfg->global.message_max_size, &j->draft, &e))
		return tool_fail(j->t, e.kind == ERR_LIMIT ? EX_DATAERR : EX_TEMPFAIL, "%s", e.text);
	if (!read_head(j, &e))
		return tool_fail(j->t, EX_DATAERR, "%s", e.text);
	if (j->to.list.len == 0)
		return tool_fail(j->t, EX_DATAERR, "no recipients: neither arguments nor To, Cc or Bcc name any");
	struct submission s = { .tool = j->t,
		.sender = j->sender,
		.to = &j->to,
		.head = buf_sv(&j->head),
		.draft = &j->draft,
		.body = j->body,
		.notify = j->o->notify,
		.ret = j->o->ret,
		.envid = j->o->envid ? j->o->envid : "",
		.verp = j->o->verp ? j->o->verp : "",
		.verbose = j->o->verbose,
		.quiet = j->o->quiet };
	return submit(&s);
}

static int deliver(struct tool *t, const struct sendmail_options *o)
{
	struct job j = { .t = t, .o = o, .draft.fd = -1, .head = BUF_INIT(HEADER_MAX + 4096) };
	recipients_init(&j.to);
	int code = send_message(&j);
	recipients_free(&j.to);
	draft_close(&j.draft);
	buf_free(&j.head);
	return code;
}

/* -q: as `postern queue flush`. */
static int flush(struct tool *t, const struct sendmail_options *o)
{
	struct queue_filter f = { .op = QOP_FLUSH };
	struct buf pattern = BUF_INIT(ADDRESS_MAX);
	bool fits = !o->flush_id || sv_copy(sv_of(o->flush_id), f.id, sizeof f.id);
	if (o->flush_rcpt) {
		buf_putf(&pattern, "*%s*", o->flush_rcpt);
		fits = fits && sv_copy(buf_sv(&pattern), f.rcpt, sizeof f.rcpt);
	} else if (o->flush_sender) {
		buf_putf(&pattern, "*%s*", o->flush_sender);
		fits = fits && sv_copy(buf_sv(&pattern), f.sender, sizeof f.sender);
	}
	fits = fits && buf_ok(&pattern);
	buf_free(&pattern);
	return fits ? queue_act(t, &f, true) : tool_fail(t, EX_USAGE, "what -q names is too long");
}

static int run(struct tool *t, const struct sendmail_options *o)
{
	switch (o->mode) {
	case SENDMAIL_DELIVER:
		return deliver(t, o);
	case SENDMAIL_SMTP:
		return relay_smtp(t);
	case SENDMAIL_LIST:
		return queue_print_mailq(t);
	case SENDMAIL_ALIASES:
		return rebuild_aliases(t);
	case SENDMAIL_FLUSH:
		return flush(t, o);
	case SENDMAIL_NOTHING:
		return 0; /* the queue is run by itself */
	}
	return EX_SOFTWARE;
}

int main(int argc, char **argv)
{
	struct sendmail_options o;
	struct tool t;
	struct err e = { 0 };
	const char *slash = strrchr(argv[0], '/');
	fd_hold_std();
	signal(SIGPIPE, SIG_IGN);
	tool_init(&t, slash ? slash + 1 : argv[0]);
	if (!sendmail_parse(argc, argv, &o, &e))
		return tool_fail(&t, EX_USAGE, "%s", e.text);
	if (o.conf) {
		t.conf = o.conf;
		t.conf_named = true;
	}
	int code = tool_load_lenient(&t);
	if (code == 0)
		code = run(&t, &o);
	tool_free(&t);
	return code;
}
