/* postern log: read, follow, filter; reopen. */
#include "postern_log.h"

#include "base/fd.h"
#include "grid.h"
#include "ipc/msg_control.h"
#include "postern.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>

#define LINE_MAX_LEN (64 * 1024) /* longer than any line of logd */
#define CHUNK (64 * 1024)
#define LAST_DEFAULT 100
#define FOLLOW_PAUSE_MS 200

struct reader {
	struct tool *t;
	struct log_filter filter;
	const char *path;
	int fd;
	bool json_file, json_out, colour, follow;
	struct buf part; /* of a line, not yet ended */
};

/* --- one line --- */
static enum grid_style level_style(struct sv level)
{
	if (sv_eqs(level, "error"))
		return GRID_BAD;
	return sv_eqs(level, "warn") ? GRID_WARN : GRID_PLAIN;
}

static void print_coloured(const struct log_line *l)
{
	struct sv rest = l->pairs, head = { l->whole.p, (size_t)(l->event.p - l->whole.p) };
	printf("%s%.*s%s%s%.*s%s%.*s\n", grid_paint(GRID_DIM, true), (int)head.n, head.p, grid_unpaint(true),
		grid_paint(level_style(l->level) == GRID_PLAIN ? GRID_BOLD : level_style(l->level), true), (int)l->event.n,
		l->event.p, grid_unpaint(true), (int)rest.n, rest.p);
}

static void print_line(struct reader *r, struct sv line)
{
	struct log_line l;
	struct buf json = BUF_INIT(4 * LINE_MAX_LEN);
	if (!log_line_matches(line, r->json_file, &r->filter))
		return;
	bool parsed = !r->json_file && (r->json_out || r->colour) && log_line_parse(line, &l);
	if (parsed && r->json_out) {
		log_line_json(&l, &json);
		fputs(buf_str(&json), stdout);
	} else if (parsed) {
		print_coloured(&l);
	} else {
		printf("%.*s\n", (int)line.n, line.p);
	}
	buf_free(&json);
}

/* --- the file --- */
static void take(struct reader *r, struct sv in)
{
	struct sv line;
	while (in.n > 0) {
		ptrdiff_t lf = sv_chr(in, '\n');
		line = lf < 0 ? in : sv_sub(in, 0, (size_t)lf);
		buf_putsv(&r->part, line);
		in = sv_skip(in, line.n + (lf >= 0));
		if (lf < 0)
			return;
		if (buf_ok(&r->part))
			print_line(r, buf_sv(&r->part));
		buf_reset(&r->part);
	}
}

static bool read_on(struct reader *r, bool *ret_any, struct err *e)
{
	char *chunk = mem_new(CHUNK);
	ssize_t n;
	*ret_any = false;
	while ((n = read(r->fd, chunk, CHUNK)) > 0 || (n < 0 && errno == EINTR)) {
		*ret_any = true;
		take(r, (struct sv){ chunk, (size_t)MAX(n, 0) });
	}
	bool ok = n == 0 || err_sys(e, ERR_TEMP, "read %s", r->path);
	free(chunk);
	fflush(stdout);
	return ok;
}

/* Sets the place so that the last n lines follow. */
static void seek_last(struct reader *r, uint64_t n)
{
	char *chunk = mem_new(CHUNK);
	off_t at = lseek(r->fd, 0, SEEK_END);
	uint64_t seen = 0;
	off_t start = 0;
	for (bool found = false; at > 0 && !found;) {
		size_t len = (size_t)MIN(at, CHUNK), got = 0;
		at -= (off_t)len;
		if (!fd_pread(r->fd, chunk, len, at, &got, NULL))
			break;
		for (size_t i = got; i > 0 && !found; i--) {
			seen += chunk[i - 1] == '\n';
			found = seen > n;
			if (found)
				start = at + (off_t)i;
		}
	}
	lseek(r->fd, start, SEEK_SET);
	free(chunk);
}

static bool open_log(struct reader *r, struct err *e)
{
	r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return r->fd >= 0 || err_sys(e, ERR_TEMP, "%s", r->path);
}

/* Another file under the name (rotated), or a shorter one (truncated): begin anew. */
static bool was_replaced(const struct reader *r)
{
	struct stat now, ours;
	if (stat(r->path, &now) < 0 || fstat(r->fd, &ours) < 0)
		return false;
	return now.st_ino != ours.st_ino || now.st_dev != ours.st_dev || now.st_size < lseek(r->fd, 0, SEEK_CUR);
}

static bool follow(struct reader *r, struct err *e)
{
	struct timespec pause = { 0, FOLLOW_PAUSE_MS * 1000000L };
	bool any, ok = true;
	while (ok && !ferror(stdout)) {
		ok = read_on(r, &any, e);
		if (!ok || any)
			continue;
		if (was_replaced(r)) {
			fd_close(&r->fd);
			buf_reset(&r->part);
			ok = open_log(r, e);
			continue;
		}
		nanosleep(&pause, NULL);
	}
	return ok;
}

static int show(struct reader *r, uint64_t last)
{
	struct err e = { 0 };
	bool any;
	if (!open_log(r, &e))
		return tool_fail(r->t, e.sys == EACCES ? EX_NOPERM : EX_NOINPUT, "%s", e.text);
	if (last > 0)
		seek_last(r, last);
	bool ok = r->follow ? follow(r, &e) : read_on(r, &any, &e);
	fd_close(&r->fd);
	buf_free(&r->part);
	return ok ? 0 : tool_fail(r->t, EX_IOERR, "%s", e.text);
}

static int reopen(struct tool *t)
{
	struct control_done d = { 0 };
	int code = control_ask(t, CTL_LOG_REOPEN, TOOL_WAIT_MS, NULL, NULL, &d);
	if (code == 0)
		printf("reopened\n");
	return code;
}

int cmd_log(struct tool *t, int argc, char **argv)
{
	struct reader r = { .t = t, .fd = -1, .part = BUF_INIT(LINE_MAX_LEN) };
	uint64_t last = 0;
	const char *file = NULL;
	const struct opt opts[] = {
		{ "follow", 'f', OPT_FLAG, &r.follow, NULL, "go on with what comes" },
		{ "lines", 'n', OPT_UINT, &last, "N", "begin with the last N lines (default 100; with a filter: all)" },
		{ "id", 0, OPT_TEXT, &r.filter.id, "QUEUE-ID", "of one message" },
		{ "session", 0, OPT_TEXT, &r.filter.session, "ID", "of one SMTP session" },
		{ "daemon", 0, OPT_TEXT, &r.filter.daemon, "NAME", "smtpd, queue-mgr, ..." },
		{ "event", 0, OPT_TEXT, &r.filter.event, "NAME", "accepted, deferred, ... (docs/LOG.md)" },
		{ "address", 0, OPT_TEXT, &r.filter.address, "TEXT", "some value holds this; no case" },
		{ "level", 0, OPT_TEXT, &r.filter.level, "LEVEL", "error, warn, info: this or worse" },
		{ "json", 0, OPT_FLAG, &r.json_out, NULL, "one JSON object per line" },
		{ "file", 0, OPT_TEXT, &file, "PATH", "another file, for example a rotated one" },
		OPT_END,
	};
	int code;
	if (!command_options(t, "[-f] [-n N] [filters] | reopen", opts, &argc, argv, 1, &code) ||
		(code = tool_load_lenient(t)) != 0)
		return code;
	if (argc > 0)
		return strcmp(argv[0], "reopen") == 0 ? reopen(t)
						      : tool_fail(t, EX_USAGE, "there is no `%s`; there is reopen", argv[0]);
	bool filtered = r.filter.id || r.filter.session || r.filter.daemon || r.filter.event || r.filter.address || r.filter.level;
	r.path = file ? file : t->cfg->log.log_file;
	r.json_file = t->cfg->log.log_format == CFG_LOG_JSON;
	r.colour = grid_colour() && !r.json_out;
	if (r.path[0] != '/' && !file)
		return tool_fail(
			t, EX_CONFIG, "log_file is %s: read it with the system's own tools (journalctl -t postern)", r.path);
	return show(&r, last > 0 || filtered ? last : LAST_DEFAULT);
}
