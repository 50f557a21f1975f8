/* postern user: who may log in. authd owns the data base and is asked; passwords stay here, what goes to it are hash and verifier.
 */
#include "base/base64.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/secret.h"
#include "grid.h"
#include "ipc/msg_auth.h"
#include "postern.h"
#include "smtp/saslprep.h"
#include "smtp/scram.h"

#include <crypt.h>
#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#define CONTROL_SOCKET "authd.control"
#define APP_GROUPS 5 /* of an app password: five times five of 32 letters, 125 bits */
#define APP_LETTERS 5

/* --- asking authd --------------------------------------------------------------------------------------------------------- */

/* One request. 0 with *ret_row true: a row came; 0 without: done. */
static int ask_on(struct tool *t, int fd, const struct user_req *q, struct user_row *ret, bool *ret_row)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	struct user_done done = { 0 };
	struct err e = { 0 };
	uint16_t type = 0, version;
	bool ok = ipc_send(fd, &user_req_desc, q, TOOL_WAIT_MS, &e) && ipc_recv(fd, &p, TOOL_WAIT_MS, &e) &&
		  ipc_type_of(buf_sv(&p.bytes), &type, &version);
	*ret_row = type == user_row_desc.type;
	ok = ok && (*ret_row ? ipc_decode(&user_row_desc, buf_sv(&p.bytes), p.fds, p.n_fds, ret, &e)
			     : ipc_decode(&user_done_desc, buf_sv(&p.bytes), p.fds, p.n_fds, &done, &e));
	p.n_fds = 0;
	ipc_packet_free(&p);
	if (!ok)
		return tool_unreachable(t, "authd", &e);
	return *ret_row || done.ok ? 0 : tool_fail(t, 1, "%s", done.text);
}

static int open_authd(struct tool *t, int *ret_fd)
{
	struct err e = { 0 };
	int code = tool_load_lenient(t);
	if (code != 0)
		return code;
	return tool_connect(t, CONTROL_SOCKET, SOCK_SEQPACKET, TOOL_WAIT_MS, ret_fd, &e) ? 0 : tool_unreachable(t, "authd", &e);
}

static int ask(struct tool *t, const struct user_req *q)
{
	struct user_row row;
	bool is_row;
	int fd, code = open_authd(t, &fd);
	if (code != 0)
		return code;
	code = ask_on(t, fd, q, &row, &is_row);
	close(fd);
	return code;
}

/* --- passwords ------------------------------------------------------------------------------------------------------------ */

static bool read_line(char *dst, size_t size, struct err *e)
{
	size_t len = 0;
	for (char c; len < size; dst[len++] = c) {
		ssize_t n = read(STDIN_FILENO, &c, 1);
		if (n < 0)
			return err_sys(e, ERR_PERM, "read the password");
		if (n == 0 || c == '\n')
			break;
	}
	if (len == size)
		return err_set(e, ERR_PERM, "a password has at most %d bytes", AUTH_PASSWORD_MAX);
	dst[len] = '\0';
	return (len > 0 && strlen(dst) == len) || err_set(e, ERR_PERM, "an empty password, or one with NUL in it");
}

static void on_signal(int signo) { (void)signo; }

/* Whoever ends us at the prompt ends the read only, so that the terminal has its echo again; nor can we be put aside there. */
static void catch_signals(bool on)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct sigaction caught = { .sa_handler = on_signal }, usual = { .sa_handler = SIG_DFL },
			       none = { .sa_handler = SIG_IGN };
	for (size_t i = 0; i < COUNT(ends); i++)
		sigaction(ends[i], on ? &caught : &usual, NULL);
	sigaction(SIGTSTP, on ? &none : &usual, NULL);
}

static bool prompt_silently(const char *what, char *dst, size_t size, struct err *e)
{
	struct termios old, silent;
	if (tcgetattr(STDIN_FILENO, &old) < 0)
		return err_sys(e, ERR_PERM, "the terminal");
	silent = old;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0) /* before the prompt: what answers it is not flushed */
		return err_sys(e, ERR_PERM, "the terminal");
	fprintf(stderr, "%s: ", what);
	bool ok = read_line(dst, size, e);
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &old) < 0)
		ok = err_sys(e, ERR_PERM, "the terminal");
	fputc('\n', stderr);
	return ok;
}

static bool prompt(const char *what, char *dst, size_t size, struct err *e)
{
	catch_signals(true);
	bool ok = prompt_silently(what, dst, size, e);
	catch_signals(false);
	return ok;
}

/* From the terminal twice, without echo; from anything else one line. Never from the arguments: `ps` shows those to all. */
static bool read_password(char dst[AUTH_PASSWORD_MAX + 1], struct err *e)
{
	char again[AUTH_PASSWORD_MAX + 1];
	if (!isatty(STDIN_FILENO))
		return read_line(dst, AUTH_PASSWORD_MAX + 1, e);
	if (!prompt("New password", dst, AUTH_PASSWORD_MAX + 1, e) || !prompt("Again", again, sizeof again, e))
		return false;
	bool same = strcmp(dst, again) == 0;
	secret_wipe(again, sizeof again);
	return same || err_set(e, ERR_PERM, "the two are not the same");
}

static bool make_hash(const char *password, struct user_req *q, struct err *e)
{
	struct crypt_data *data = mem_new(sizeof *data);
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	const char *hash = crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof setting) ? crypt_r(password, setting, data) : NULL;
	bool ok = hash && *hash == '$' && sv_copy(sv_of(hash), q->secret, sizeof q->secret);
	secret_wipe(data, sizeof *data);
	free(data);
	return ok || err_set(e, ERR_PERM, "the system's crypt(3) knows no yescrypt");
}

static void make_verifier(const char *password, struct user_req *q)
{
	struct scram_verifier v;
	struct buf text = BUF_INIT(SCRAM_TEXT_MAX);
	char salt[SCRAM_SALT];
	rnd_bytes(salt, sizeof salt);
	scram_derive(sv_of(password), (struct sv){ salt, sizeof salt }, SCRAM_ITERATIONS, &v);
	scram_verifier_text(&v, &text);
	BUG_IF(!sv_copy(buf_sv(&text), q->scram, sizeof q->scram));
	buf_free(&text);
	secret_wipe(&v, sizeof v);
}

/* In the form that RFC 4013 gives it: as programs that log in with SCRAM prepare it, and authd what comes with PLAIN. */
static bool take_password(char dst[AUTH_PASSWORD_MAX + 1], struct err *e)
{
	char typed[AUTH_PASSWORD_MAX + 1];
	struct err why = { 0 };
	const struct rlimit none = { 0, 0 };
	bool ok = setrlimit(RLIMIT_CORE, &none) == 0 ? read_password(typed, e) : err_sys(e, ERR_PERM, "turn core dumps off");
	if (ok && !saslprep(sv_of(typed), dst, AUTH_PASSWORD_MAX + 1, &why))
		ok = err_set(e, ERR_PERM, "the password cannot be used: %s", why.text);
	secret_wipe(typed, sizeof typed);
	return ok;
}

static int set_password(struct tool *t, enum user_op op, const char *name)
{
	char password[AUTH_PASSWORD_MAX + 1];
	struct user_req q = { .op = op };
	struct err e = { 0 };
	if (!sv_copy(sv_of(name), q.name, sizeof q.name))
		return tool_fail(t, EX_USAGE, "a name has at most %d bytes", AUTH_ACCOUNT_MAX);
	bool ok = take_password(password, &e) && make_hash(password, &q, &e);
	if (ok)
		make_verifier(password, &q);
	secret_wipe(password, sizeof password);
	return ok ? ask(t, &q) : tool_fail(t, EX_DATAERR, "%s", e.text);
}

/* --- plain changes -------------------------------------------------------------------------------------------------------- */

static int change(struct tool *t, enum user_op op, const char *name, const char *label, const char *secret)
{
	struct user_req q = { .op = op };
	if (!sv_copy(sv_of(name), q.name, sizeof q.name) || !sv_copy(sv_of(label), q.label, sizeof q.label) ||
		!sv_copy(sv_of(secret), q.secret, sizeof q.secret))
		return tool_fail(t, EX_USAGE, "a name has at most %d bytes, a label %d", AUTH_ACCOUNT_MAX, USER_LABEL_MAX);
	q.is_system = getpwnam(name) != NULL;
	return ask(t, &q);
}

/* --- listings ------------------------------------------------------------------------------------------------------------- */

static const char *day(uint64_t secs, char dst[NUM_TEXT_MAX])
{
	struct tm tm;
	time_t at = (time_t)secs;
	if (secs == 0 || !localtime_r(&at, &tm) || strftime(dst, NUM_TEXT_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		snprintf(dst, NUM_TEXT_MAX, "never");
	return dst;
}

static void add_user_row(const struct user_row *r, void *arg)
{
	struct grid *g = arg;
	char text[NUM_TEXT_MAX];
	const char *state = r->disabled ? "disabled" : r->frozen ? "frozen" : "active";
	grid_cell(g, GRID_BOLD, "%s", r->name);
	grid_cell(g, r->disabled || r->frozen ? GRID_WARN : GRID_GOOD, "%s", state);
	grid_cell(g, GRID_PLAIN, "%s", r->has_password ? "own" : "system's");
	grid_cell(g, GRID_PLAIN, "%llu", (unsigned long long)r->app_passwords);
	grid_cell(g, GRID_PLAIN, "%llu", (unsigned long long)r->certificates);
	grid_cell(g, GRID_PLAIN, "%s", day(r->created, text));
	grid_cell(g, GRID_PLAIN, "%s", day(r->used, text));
}

static void add_app_row(const struct user_row *r, void *arg)
{
	char text[NUM_TEXT_MAX];
	grid_cell(arg, GRID_BOLD, "%s", r->label);
	grid_cell(arg, GRID_PLAIN, "%s", day(r->created, text));
	grid_cell(arg, GRID_PLAIN, "%s", day(r->used, text));
}

static void json_row(const struct user_row *r)
{
	if (*r->label)
		print_json(json_pack("{s:s, s:s, s:I, s:I}", "name", r->name, "label", r->label, "created", (json_int_t)r->created,
			"used", (json_int_t)r->used));
	else
		print_json(json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "name", r->name, "has_password",
			(int)r->has_password, "disabled", (int)r->disabled, "frozen", (json_int_t)r->frozen, "created",
			(json_int_t)r->created, "used", (json_int_t)r->used, "app_passwords", (json_int_t)r->app_passwords,
			"certificates", (json_int_t)r->certificates));
}

/* Row by row: each request names the row before. `on` gets a grid; NULL: JSON. */
static int each_row(struct tool *t, struct user_req *q, void (*on)(const struct user_row *, void *), void *arg)
{
	struct user_row row;
	bool is_row;
	int fd, code = open_authd(t, &fd);
	if (code != 0)
		return code;
	while ((code = ask_on(t, fd, q, &row, &is_row)) == 0 && is_row) {
		if (on)
			on(&row, arg);
		else
			json_row(&row);
		memcpy(q->name, row.name, sizeof q->name);
		memcpy(q->label, row.label, sizeof q->label);
	}
	close(fd);
	return code;
}

static int list(struct tool *t, enum user_op op, const char *name, bool json)
{
	static const struct grid_col users[] = { { "NAME", false }, { "STATE", false }, { "PASSWORD", false }, { "APPS", true },
		{ "CERTS", true }, { "CREATED", false }, { "LAST USE", false } };
	static const struct grid_col apps[] = { { "LABEL", false }, { "CREATED", false }, { "LAST USE", false } };
	bool all = op == USER_NEXT;
	struct user_req q = { .op = op };
	struct grid g;
	if (!sv_copy(sv_of(name), q.name, sizeof q.name))
		return tool_fail(t, EX_USAGE, "a name has at most %d bytes", AUTH_ACCOUNT_MAX);
	if (json)
		return each_row(t, &q, NULL, NULL);
	grid_init(&g, all ? users : apps, all ? COUNT(users) : COUNT(apps));
	int code = each_row(t, &q, all ? add_user_row : add_app_row, &g);
	grid_end(&g);
	return code;
}

/* --- app passwords -------------------------------------------------------------------------------------------------------- */

/* Made here and shown once: whoever finds it in a phone can be shut out without a new main password. */
static int app_add(struct tool *t, const char *name, const char *label)
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, none like another */
	char password[APP_GROUPS * (APP_LETTERS + 1) + 1];
	unsigned char raw[APP_GROUPS * APP_LETTERS], hash[SCRAM_KEY];
	struct buf hex = BUF_INIT(2 * SCRAM_KEY);
	size_t len = 0;
	rnd_bytes(raw, sizeof raw);
	for (size_t i = 0; i < sizeof raw; i++) {
		if (i > 0 && i % APP_LETTERS == 0)
			password[len++] = '-';
		password[len++] = letters[raw[i] % 32];
	}
	password[len] = '\0';
	scram_hash(sv_of(password), hash);
	hex_put(&hex, (struct sv){ (const char *)hash, sizeof hash });
	int code = change(t, USER_APP_ADD, name, label, buf_str(&hex));
	if (code == 0)
		printf("%s\n", password);
	secret_wipe(password, sizeof password);
	secret_wipe(raw, sizeof raw);
	buf_free(&hex);
	return code;
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static const struct act {
	const char *noun, *verb; /* noun NULL: the user itself */
	enum user_op op;
	int args;
	const char *usage;
} acts[] = {
	{ NULL, "add", USER_ADD, 1, "add NAME                              password from the terminal or one line of input" },
	{ NULL, "passwd", USER_PASSWD, 1, "passwd NAME" },
	{ NULL, "list", USER_NEXT, 0, "list [--json]" },
	{ NULL, "delete", USER_DELETE, 1, "delete NAME" },
	{ NULL, "disable", USER_DISABLE, 1, "disable NAME                          no more logins, no more mail from it" },
	{ NULL, "enable", USER_ENABLE, 1, "enable NAME" },
	{ NULL, "unfreeze", USER_UNFREEZE, 1, "unfreeze NAME                         after it sent too much" },
	{ "app-password", "add", USER_APP_ADD, 2, "app-password add NAME LABEL           prints a new password for one program" },
	{ "app-password", "list", USER_APP_NEXT, 1, "app-password list NAME [--json]" },
	{ "app-password", "revoke", USER_APP_REVOKE, 2, "app-password revoke NAME LABEL" },
	{ "certificate", "add", USER_CERT_ADD, 2, "certificate add NAME SHA256           of the client's certificate, in hex" },
	{ "certificate", "revoke", USER_CERT_REVOKE, 2, "certificate revoke NAME SHA256" },
};

static const struct act *find_act(int argc, char **argv)
{
	for (size_t i = 0; i < COUNT(acts); i++) {
		int words = acts[i].noun ? 2 : 1;
		if (argc == words + acts[i].args && strcmp(argv[words - 1], acts[i].verb) == 0 &&
			(!acts[i].noun || strcmp(argv[0], acts[i].noun) == 0))
			return &acts[i];
	}
	return NULL;
}

static int usage(const struct tool *t)
{
	tool_say(t, "say what to do:");
	for (size_t i = 0; i < COUNT(acts); i++)
		fprintf(stderr, "  %s\n", acts[i].usage);
	return EX_USAGE;
}

/* As tools print a fingerprint, with colons and in capitals, it is taken too. */
static const char *plain_hex(char *text)
{
	char *to = text;
	for (const char *p = text; *p; p++)
		if (*p != ':')
			*to++ = ascii_lower(*p);
	*to = '\0';
	return text;
}

static int run(struct tool *t, const struct act *a, char **args, bool json)
{
	switch (a->op) {
	case USER_ADD:
	case USER_PASSWD:
		return set_password(t, a->op, args[0]);
	case USER_NEXT:
		return list(t, a->op, "", json);
	case USER_APP_NEXT:
		return list(t, a->op, args[0], json);
	case USER_APP_ADD:
		return app_add(t, args[0], args[1]);
	case USER_APP_REVOKE:
		return change(t, a->op, args[0], args[1], "");
	case USER_CERT_ADD:
	case USER_CERT_REVOKE:
		return change(t, a->op, args[0], "", plain_hex(args[1]));
	default:
		return change(t, a->op, args[0], "", "");
	}
}

int cmd_user(struct tool *t, int argc, char **argv)
{
	bool json = false;
	const struct opt opts[] = { { "json", 0, OPT_FLAG, &json, NULL, "list: one JSON object per line" }, OPT_END };
	int code;
	if (!command_options(
		    t, "add|passwd|list|delete|disable|enable|unfreeze|app-password|certificate ...", opts, &argc, argv, 4, &code))
		return code;
	const struct act *a = find_act(argc, argv);
	return a ? run(t, a, argv + (a->noun ? 2 : 1), json) : usage(t);
}
