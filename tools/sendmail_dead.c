/* dead.letter: what could not be handed over is kept in the caller's home, as mail programs have done since there is mail. */
#include "base/clock.h"
#include "base/fd.h"
#include "sendmail_submit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define UNSENT_SHOWN 100 /* recipients named in the file */

static bool dead_path(char *path, size_t size, struct err *e)
{
	const char *home = getenv("HOME");
	const struct passwd *pw = NULL;
	if (!home || home[0] != '/') {
		pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : NULL;
	}
	if (!home)
		return err_set(e, ERR_PERM, "there is no home directory");
	int n = snprintf(path, size, "%s/dead.letter", home);
	return (n > 0 && (size_t)n < size) || err_set(e, ERR_PERM, "the path of the home directory is too long");
}

/* mbox: the separator, and a line that tells who did not get it (a Bcc or an argument would be lost otherwise). */
static void put_separator(const struct submission *s, const struct vec *unsent, struct buf *out)
{
	time_t now = (time_t)clock_real_secs();
	struct tm tm;
	char date[40];
	gmtime_r(&now, &tm);
	strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y", &tm);
	buf_putf(out, "From %s %s\nX-Unsent-To: ", s->sender[0] != '\0' ? s->sender : "MAILER-DAEMON", date);
	for (size_t i = 0; i < unsent->len && i < UNSENT_SHOWN; i++)
		buf_putf(out, "%s%s", i > 0 ? ",\n\t" : "", *VEC_AT(unsent, const char *, i));
	buf_puts(out, unsent->len > UNSENT_SHOWN ? ",\n\tand more\n" : "\n");
}

static bool append(const struct submission *s, const struct vec *unsent, int fd, struct err *e)
{
	struct buf out = BUF_INIT(HEADER_MAX + 100000);
	put_separator(s, unsent, &out);
	buf_putsv(&out, s->head);
	bool ok = buf_ok(&out) || err_set(e, ERR_LIMIT, "too many recipients to name");
	ok = ok && fd_write_all(fd, out.data, out.len, e) &&
	     fd_copy(s->draft->fd, (off_t)s->body, s->draft->size - s->body, fd, e) && fd_write_all(fd, "\n\n", 2, e) &&
	     fd_sync(fd, e);
	buf_free(&out);
	return ok;
}

bool dead_letter(const struct submission *s, const struct vec *unsent, char *ret_path, size_t path_size, struct err *e)
{
	struct stat st;
	if (!dead_path(ret_path, path_size, e))
		return false;
	int fd = open(ret_path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "open %s", ret_path);
	/* HOME may be another user's (root after su): what they planted there is not written to, nor waited for. */
	bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid();
	if (!ok)
		err_set(e, ERR_PERM, "%s is not a file of yours alone", ret_path);
	if (ok && flock(fd, LOCK_EX) < 0)
		ok = err_sys(e, ERR_TEMP, "lock %s", ret_path);
	ok = ok && append(s, unsent, fd, e);
	close(fd);
	return ok;
}
