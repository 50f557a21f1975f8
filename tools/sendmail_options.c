/* The command line of sendmail(1). What old programs pass and Postern has no use for is accepted and ignored. */
#include "sendmail_options.h"

#include "base/num.h"
#include "mail/verp.h"
#include "mail/xtext.h"

#define ENVID_MAX 100

#define TAKES_VALUE "ABCDFLNORVXfhoprbe" /* attached or as the next argument */
#define MAY_HAVE_VALUE "dq"              /* attached only */
#define FLAGS "GIUimnstvx"

struct walk {
	struct sendmail_options o;
	struct err *e;
};

static bool usage(struct walk *w, const char *what, const char *arg) { return err_set(w->e, ERR_PERM, "%s%s", what, arg); }

static bool one_of(struct sv s, const char *const *words)
{
	for (; *words; words++)
		if (sv_ieqs(s, *words))
			return true;
	return false;
}

static bool set_mode(struct walk *w, const char *value)
{
	static const struct {
		char letter;
		enum sendmail_mode mode;
	} modes[] = { { 'm', SENDMAIL_DELIVER }, { 's', SENDMAIL_SMTP }, { 'p', SENDMAIL_LIST }, { 'i', SENDMAIL_ALIASES } };
	for (size_t i = 0; i < COUNT(modes); i++) {
		if (value[0] != modes[i].letter || value[1] != '\0')
			continue;
		w->o.mode = modes[i].mode;
		return true;
	}
	if (value[0] == 'd' || value[0] == 'D')
		return usage(w, "-bd is not for this program: start the mail system with `postern start` or its systemd unit", "");
	return usage(w, "there is no mode -b", value);
}

/* -o: a letter and its value. */
static void set_old_option(struct walk *w, const char *value)
{
	if (value[0] == 'i')
		w->o.dot_is_text = true;
	else if (value[0] == 'e')
		w->o.quiet = value[1] == 'q';
}

static bool set_queue(struct walk *w, const char *value)
{
	uint64_t secs;
	w->o.mode = SENDMAIL_FLUSH;
	switch (value[0]) {
	case '\0':
		return true;
	case 'I':
		w->o.flush_id = value + 1;
		return true;
	case 'R':
		w->o.flush_rcpt = value + 1;
		return true;
	case 'S':
		w->o.flush_sender = value + 1;
		return true;
	default:
		break;
	}
	if (!num_secs(sv_of(value), 0, UINT32_MAX, &secs))
		return usage(w, "not a time or a kind of queue run: -q", value);
	w->o.mode = SENDMAIL_NOTHING;
	return true;
}

/* RFC 3461 4.1: NEVER alone, or a list. */
static bool set_notify(struct walk *w, const char *value)
{
	static const char *const words[] = { "SUCCESS", "FAILURE", "DELAY" };
	bool given[COUNT(words)] = { false };
	struct sv word, rest = sv_of(value);
	char *to = w->o.notify;
	snprintf(to, sizeof w->o.notify, "NEVER");
	if (sv_ieqs(rest, "never"))
		return true;
	while (sv_cut(&rest, ',', &word)) {
		size_t i = 0;
		while (i < COUNT(words) && !sv_ieqs(sv_trim(word), words[i]))
			i++;
		if (i == COUNT(words))
			return usage(w, "-N takes never, or a list of success, failure and delay, not ", value);
		given[i] = true;
	}
	for (size_t i = 0; i < COUNT(words); i++)
		if (given[i])
			to += snprintf(
				to, sizeof w->o.notify - (size_t)(to - w->o.notify), "%s%s", to > w->o.notify ? "," : "", words[i]);
	return true;
}

/* RFC 3461 4.4: at most 100 printable characters as xtext; a blank takes three. */
static bool set_envid(struct walk *w, const char *value)
{
	struct buf text = BUF_INIT(ENVID_MAX);
	xtext_encode(sv_of(value), &text);
	bool ok = buf_ok(&text) && text.len > 0 && sv_is_ascii(sv_of(value)) && !sv_has_ctl(sv_of(value));
	buf_free(&text);
	w->o.envid = value;
	return ok || usage(w, "-V takes up to 100 printable characters, not ", value);
}

/* -XV or -XV+=, as Postfix has it. Sendmail's -X names a file for the log of a session: there is none. */
static bool set_verp(struct walk *w, const char *value)
{
	if (value[0] != 'V')
		return true;
	w->o.verp = value[1] != '\0' ? value + 1 : VERP_DELIMITERS;
	return verp_delimiters_ok(sv_of(w->o.verp)) || usage(w, "-XV takes two of the characters - + =, not ", value + 1);
}

static bool set_word(struct walk *w, char letter, const char *value)
{
	static const char *const ret[] = { "full", "hdrs", NULL }, *const body[] = { "7bit", "8bitmime", NULL };
	if (letter == 'R' && !one_of(sv_of(value), ret))
		return usage(w, "-R takes full or hdrs, not ", value);
	if (letter == 'R')
		snprintf(w->o.ret, sizeof w->o.ret, "%s", sv_ieqs(sv_of(value), "full") ? "FULL" : "HDRS");
	if (letter == 'B' && !one_of(sv_of(value), body))
		return usage(w, "-B takes 7BIT or 8BITMIME, not ", value);
	return true;
}

static bool set_value(struct walk *w, char letter, const char *value)
{
	switch (letter) {
	case 'b':
		return set_mode(w, value);
	case 'q':
		return set_queue(w, value);
	case 'N':
		return set_notify(w, value);
	case 'V':
		return set_envid(w, value);
	case 'X':
		return set_verp(w, value);
	case 'R':
	case 'B':
		return set_word(w, letter, value);
	case 'C':
		w->o.conf = value;
		break;
	case 'F':
		w->o.full_name = value;
		break;
	case 'f':
	case 'r':
		w->o.sender = value;
		break;
	case 'o':
		set_old_option(w, value);
		break;
	case 'e':
		w->o.quiet = value[0] == 'q';
		break;
	case 'O':
		w->o.dot_is_text = w->o.dot_is_text || sv_istarts(sv_of(value), SV("IgnoreDots"));
		break;
	default:
		break; /* A D L d h p: no meaning here */
	}
	return true;
}

static void set_flag(struct walk *w, char letter)
{
	if (letter == 'i')
		w->o.dot_is_text = true;
	else if (letter == 't')
		w->o.from_header = true;
	else if (letter == 'v')
		w->o.verbose = true;
	else if (letter == 'I')
		w->o.mode = SENDMAIL_ALIASES;
}

/* One argument that begins with '-': flags may be joined (-ti), a value ends it. next: the argument that follows, or NULL. */
static bool take_argument(struct walk *w, const char *arg, const char *next, bool *ret_used_next)
{
	*ret_used_next = false;
	for (const char *p = arg + 1; *p; p++) {
		if (strchr(FLAGS, *p)) {
			set_flag(w, *p);
			continue;
		}
		if (strchr(MAY_HAVE_VALUE, *p))
			return set_value(w, *p, p + 1);
		if (!strchr(TAKES_VALUE, *p))
			return err_set(w->e, ERR_PERM, "there is no option -%c", *p);
		if (p[1] != '\0')
			return set_value(w, *p, p + 1);
		if (!next)
			return err_set(w->e, ERR_PERM, "option -%c needs a value", *p);
		*ret_used_next = true;
		return set_value(w, *p, next);
	}
	return true;
}

static enum sendmail_mode mode_by_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
	if (strcmp(name, "mailq") == 0)
		return SENDMAIL_LIST;
	return strcmp(name, "newaliases") == 0 ? SENDMAIL_ALIASES : SENDMAIL_DELIVER;
}

/* Options end at the first recipient: nothing that an address holds can become one. */
bool sendmail_parse(int argc, char **argv, struct sendmail_options *ret, struct err *e)
{
	struct walk w = { .o.mode = mode_by_name(argv[0]), .e = e };
	int i = 1;
	for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
		bool used_next;
		if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		}
		if (!take_argument(&w, argv[i], argv[i + 1], &used_next))
			return false;
		i += used_next;
	}
	w.o.recipients = argv + i;
	for (char **p = w.o.recipients; *p; p++)
		if ((*p)[0] == '-' && (i == 1 || strcmp(argv[i - 1], "--") != 0))
			return err_set(e, ERR_PERM, "options stand before the recipients: %s", *p);
	*ret = w.o;
	return true;
}
