/* postern srs: the keys of rewritten senders. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/secret.h"
#include "mail/srs.h"
#include "postern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define ASIDE SRS_KEY_FILE ".new"
#define TEXT_MAX 4096

/* Whole or not at all; the daemons read it as root. */
static bool write_keys(const char *directory, struct sv text, struct err *e)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, ERR_PERM, "open %s", directory);
	int fd = openat(dir, ASIDE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool made = fd >= 0;
	bool ok = made || err_sys(e, ERR_PERM, "make %s/%s", directory, ASIDE);
	ok = ok && fd_write_all(fd, text.p, text.n, e) && fd_sync(fd, e);
	if (ok && renameat(dir, ASIDE, dir, SRS_KEY_FILE) < 0)
		ok = err_sys(e, ERR_PERM, "rename to %s", SRS_KEY_FILE);
	if (made && !ok)
		unlinkat(dir, ASIDE, 0);
	ok = ok && fd_sync(dir, e);
	fd_close(&fd);
	fd_close(&dir);
	return ok;
}

static int rotate(struct tool *t)
{
	const char *directory = t->cfg->global.state_directory;
	struct buf text = BUF_INIT(TEXT_MAX);
	struct srs_keys keys;
	struct err e = { 0 };
	if (!srs_keys_load(directory, &keys, &e))
		return tool_fail(t, e.sys == EACCES ? EX_NOPERM : EX_NOINPUT, "%s", e.text);
	if (!srs_keys_rotate(&keys, clock_real_secs()))
		return tool_fail(t, EX_TEMPFAIL, "there are %d keys already that hold for what they signed in the last %d days",
			SRS_KEYS_MAX, SRS_DAYS);
	srs_keys_print(&keys, &text);
	bool ok = write_keys(directory, buf_sv(&text), &e);
	secret_wipe(&keys.key, sizeof keys.key);
	secret_wipe(text.data, text.cap);
	buf_free(&text);
	if (!ok)
		return tool_fail(t, e.sys == EACCES ? EX_NOPERM : EX_CANTCREAT, "%s", e.text);
	printf("a new key signs after `postern reload`; %zu older are believed until what they signed has expired\n", keys.n - 1);
	return 0;
}

int cmd_srs(struct tool *t, int argc, char **argv)
{
	const struct opt opts[] = { OPT_END };
	int code;
	if (!command_options(t, "rotate", opts, &argc, argv, 1, &code))
		return code;
	if (argc != 1 || strcmp(argv[0], "rotate") != 0)
		return tool_fail(t, EX_USAGE, "say what to do: rotate");
	code = tool_load(t);
	return code != 0 ? code : rotate(t);
}
