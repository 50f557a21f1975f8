/* What all commands of tools/ share. */
#include "tool.h"

#include "base/fd.h"
#include "base/paths.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sysexits.h>

#define FAULTS_MAX 200

void tool_init(struct tool *t, const char *name)
{
	*t = (struct tool){ .name = name, .conf = POSTERN_CONF, .faults = VEC_INIT(struct cfg_fault, FAULTS_MAX) };
}

void tool_free(struct tool *t)
{
	cfg_free(t->cfg);
	t->cfg = NULL;
	vec_free(&t->faults);
}

static void say(const struct tool *t, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static void say(const struct tool *t, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", t->name);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void tool_say(const struct tool *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(t, fmt, ap);
	va_end(ap);
}

int tool_fail(const struct tool *t, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say(t, fmt, ap);
	va_end(ap);
	return code;
}

/* --- configuration --- */
void tool_print_faults(const struct tool *t, FILE *to)
{
	for (size_t i = 0; i < t->faults.len; i++) {
		const struct cfg_fault *f = VEC_AT(&t->faults, struct cfg_fault, i);
		if (f->line > 0)
			fprintf(to, "%s:%u: %s%s\n", t->conf, f->line, f->warning ? "warning: " : "", f->text);
		else
			fprintf(to, "%s: %s%s\n", t->conf, f->warning ? "warning: " : "", f->text);
	}
}

int tool_load(struct tool *t)
{
	struct err e = { 0 };
	if (t->cfg)
		return 0;
	t->cfg = cfg_load(t->conf, &t->faults, &e);
	if (!t->cfg)
		return tool_fail(t, EX_CONFIG, "%s", e.text);
	if (cfg_errors(&t->faults) == 0)
		return 0;
	tool_print_faults(t, stderr);
	return EX_CONFIG;
}

int tool_load_lenient(struct tool *t)
{
	struct err e = { 0 };
	t->cfg = cfg_load(t->conf, &t->faults, &e);
	if (!t->cfg && t->conf_named)
		return tool_fail(t, EX_CONFIG, "%s", e.text);
	if (!t->cfg)
		t->cfg = cfg_parse(SV(""), &t->faults);
	return 0;
}

/* --- sockets of the running system --- */
bool tool_connect(const struct tool *t, const char *endpoint, int type, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	const char *dir = t->cfg->global.runtime_directory;
	int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_sys(e, ERR_TEMP, "open %s", dir);
	bool ok = sock_connect_unix(dirfd, endpoint, type, wait_ms, ret_fd, e);
	close(dirfd);
	return ok;
}

bool tool_is_down(const struct err *e) { return e->sys == ENOENT || e->sys == ECONNREFUSED || e->sys == ENOTDIR; }

int tool_unreachable(const struct tool *t, const char *what, const struct err *e)
{
	if (tool_is_down(e))
		return tool_fail(t, EX_UNAVAILABLE, "Postern is not running: %s does not answer (%s)", what,
			t->cfg->global.runtime_directory);
	if (e->sys == EACCES || e->sys == EPERM)
		return tool_fail(
			t, EX_NOPERM, "%s may be used by root and members of the group %s", what, t->cfg->global.admin_group);
	return tool_fail(t, EX_TEMPFAIL, "%s: %s", what, e->text);
}
