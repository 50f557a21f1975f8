#include "mailbox/dotforward.h"

#include "base/fd.h"
#include "maps/map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define TARGET_FLAGS (MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK)
#define SHOWN_MAX 80 /* bytes of a faulty item in the log */

/* --- the file ---------------------------------------------------------------------------------------------------------------- */
bool dotforward_name(const char *delimiter, const char *detail, char dst[DOTFORWARD_NAME_MAX + 1])
{
	int n = snprintf(dst, DOTFORWARD_NAME_MAX + 1, ".forward%s%s", *detail ? delimiter : "", detail);
	if (n < 0 || n > DOTFORWARD_NAME_MAX || strchr(dst, '/') || sv_has_ctl(sv_of(dst)))
		return false;
	for (char *p = dst; *p; p++) /* local parts of ours are compared without case */
		*p = ascii_lower(*p);
	return true;
}

static bool unusable(struct err *e, const struct mbx_user *user, const char *name, const char *why)
{
	return err_dsn(e, ERR_TEMP, "4.3.5", "%s/%s is not used, and mail waits: %s", user->home, name, why);
}

/* Who can write it decides where the user's mail goes. */
static bool is_safe(const struct mbx_user *user, const char *name, const struct stat *st, struct err *e)
{
	if (!S_ISREG(st->st_mode))
		return unusable(e, user, name, "it is no regular file; remove it");
	if (st->st_uid != user->uid && st->st_uid != 0)
		return unusable(e, user, name, "it belongs to another user; chown it");
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return unusable(e, user, name, "others may write it; chmod go-w it");
	if (st->st_size > DOTFORWARD_SIZE_MAX)
		return unusable(e, user, name, "it is longer than 64 KiB; use an alias for a list");
	return true;
}

static bool home_is_safe(const struct mbx_user *user, const char *name, int home, struct err *e)
{
	struct stat st;
	if (fstat(home, &st) < 0)
		return err_sys(e, ERR_TEMP, "look at %s", user->home);
	return (st.st_mode & S_IWOTH) == 0 || unusable(e, user, name, "everyone may write the home directory; chmod o-w it");
}

static bool take(const struct mbx_user *user, const char *name, int home, int fd, struct buf *ret, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_TEMP, "look at %s/%s", user->home, name);
	if (!is_safe(user, name, &st, e) || !home_is_safe(user, name, home, e))
		return false;
	if (fd_read_file(fd, ret, e))
		return true;
	err_add(e, "%s/%s", user->home, name);
	return false;
}

bool dotforward_read(const struct mbx_user *user, const char *name, struct buf *ret, bool *ret_there, struct err *e)
{
	int home = -1;
	if (!mbx_open_home(user, &home, e))
		return false;
	int fd = openat(home, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int sys = errno;
	bool ok = fd < 0 ? sys == ENOENT : take(user, name, home, fd, ret, e);
	if (fd < 0 && sys == ELOOP)
		unusable(e, user, name, "symbolic links are not followed; put the file itself there");
	else if (fd < 0 && !ok)
		unusable(e, user, name, strerror(sys));
	if (ok)
		*ret_there = fd >= 0;
	fd_close(&fd);
	fd_close(&home);
	return ok;
}

/* --- what it says ------------------------------------------------------------------------------------------------------------ */
struct reading {
	const struct dotforward_self *self;
	struct dotforward *out;
	unsigned line;
	bool ok;
	struct err *e;
};

static bool refuse(struct reading *r, struct sv item, const char *why)
{
	r->ok = err_dsn(r->e, ERR_TEMP, "4.3.5", "~/.forward, line %u: %.*s: %s; mail waits until it is mended", r->line,
		(int)MIN(item.n, SHOWN_MAX), item.p, why);
	return false;
}

/* The user by name or by the address in hand, with or without extension: his own mailbox, or it would be asked for ever. */
static bool is_self(const struct dotforward_self *self, const struct maddr *a)
{
	struct sv local = maddr_local(&self->rcpt), base = local, detail, named = maddr_local(a);
	if (*self->delimiter)
		(void)maddr_split_detail(local, self->delimiter, &base, &detail);
	if (*a->domain && !sv_ieqs(sv_of(a->domain), self->rcpt.domain))
		return false;
	return sv_ieq(named, local) || sv_ieq(named, base) || (!*a->domain && sv_ieqs(named, self->user));
}

static bool add(struct reading *r, struct sv item, const struct maddr *a)
{
	struct vec *v = &r->out->targets;
	for (size_t i = 0; i < v->len; i++)
		if (maddr_same(VEC_AT(v, struct maddr, i), a))
			return true;
	struct maddr *slot = vec_push(v);
	if (!slot)
		return refuse(r, item, "too many addresses; at most 100");
	*slot = *a;
	return true;
}

static bool take_address(struct reading *r, struct sv item)
{
	bool final = sv_starts(item, SV("\\"));
	struct maddr a;
	struct err why;
	if (!maddr_parse(sv_skip(item, final), TARGET_FLAGS, &a, &why))
		return refuse(r, item, "it is no address");
	if (!is_self(r->self, &a))
		return add(r, item, &a);
	r->out->own = true;
	return true;
}

static bool take_item(enum alias_kind kind, struct sv item, void *arg)
{
	switch (kind) {
	case ALIAS_ADDRESS:
		return take_address(arg, item);
	case ALIAS_COMMAND:
		return refuse(arg, item, "commands are not run; name addresses");
	case ALIAS_FILE:
		return refuse(arg, item, "files are not written; name addresses");
	case ALIAS_INCLUDE:
		break;
	}
	return refuse(arg, item, "other files are not read; name addresses");
}

/* From a # at the line's beginning or behind a blank, outside quotes. */
static struct sv without_comment(struct sv line)
{
	bool quoted = false;
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];
		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == '#' && !quoted && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
			return sv_sub(line, 0, i);
	}
	return line;
}

static bool take_line(struct reading *r, struct sv line)
{
	struct err why;
	struct sv text = sv_trim(without_comment(line));
	bool empty = true;
	for (size_t i = 0; i < text.n && empty; i++)
		empty = strchr(", \t", text.p[i]) != NULL;
	if (empty)
		return true;
	if (!map_alias_items(text, take_item, r, &why) && r->ok)
		return refuse(r, text, why.text);
	return r->ok;
}

bool dotforward_parse(struct sv text, const struct dotforward_self *self, struct dotforward *ret, struct err *e)
{
	struct dotforward f = { .targets = VEC_INIT(struct maddr, DOTFORWARD_TARGETS_MAX) };
	struct reading r = { .self = self, .out = &f, .ok = true, .e = e };
	struct sv line;
	while (r.ok && sv_cut(&text, '\n', &line)) {
		r.line++;
		r.ok = take_line(&r, line);
	}
	if (!r.ok) {
		dotforward_free(&f);
		return false;
	}
	f.own = f.own || f.targets.len == 0;
	*ret = f;
	return true;
}

void dotforward_free(struct dotforward *f) { vec_free(&f->targets); }
