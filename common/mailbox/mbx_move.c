/* The root half's only step: the queue file itself becomes the file in Maildir/new (DESIGN D6). Root acts on two descriptors and
 * two names, one found with the user's rights, one in a directory that only queue-mgr may write; it reads no byte of the message.
 *
 * Order, and what is left when everything ends after a step:
 *   cut to s        in the queue, complete
 *   owner: user     in the queue, readable by queue-mgr's group: delivered again from here
 *   rename          in the Maildir (never in both: one rename, one file system)
 *   group, mode     the same */
#include "mailbox/mbx.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct move {
	const struct mbx_move *m;
	int new_fd, file;
	struct stat st;
	bool ours;              /* `file` is what it should be: its owner may be changed */
	enum mbx_moved outcome; /* of a step that failed, unless `stop` */
	bool stop;
};

static bool stop(struct move *v, struct err *e, const char *what)
{
	v->stop = true;
	return err_dsn(e, ERR_TEMP, "4.3.0", "queue file %s %s", v->m->queue_name, what);
}

static bool stop_sys(struct move *v, struct err *e, const char *what)
{
	int sys = errno;
	v->stop = true;
	return err_dsn(e, ERR_TEMP, "4.3.0", "queue file %s %s: %s", v->m->queue_name, what, strerror(sys));
}

static bool not_barred(struct move *v, int home, struct err *e)
{
	bool has;
	if (!v->m->bar)
		return true;
	if (!mbx_look_for(v->m->user, home, v->m->bar, &has, e))
		return false;
	if (!has)
		return true;
	v->outcome = MBX_BARRED;
	return err_dsn(e, ERR_TEMP, "4.3.5", "%s/%s is in the way", v->m->user->home, v->m->bar);
}

/* Where the user could not create a file, neither do we: the write test counts ACLs and read-only mounts in. */
static bool open_target(struct move *v, struct err *e)
{
	const struct mbx_user *user = v->m->user;
	int home = -1, maildir = -1;
	if (!mbx_ids_take(user, e)) {
		v->stop = true;
		return false;
	}
	bool ok = mbx_open_home(user, &home, e) && not_barred(v, home, e) &&
		  (mbx_open_new(user, home, false, &maildir, &v->new_fd, e) ||
			  (e->sys == ENOENT && mbx_open_new(user, home, true, &maildir, &v->new_fd, e)));
	if (ok && syscall(SYS_faccessat2, v->new_fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		ok = mbx_err(e, "write into new");
	mbx_ids_back();
	fd_close(&maildir);
	fd_close(&home);
	return ok;
}

/* The name is gone: an earlier try of ours, or somebody else's doing? */
static bool already_there(const struct move *v)
{
	struct stat st;
	return fstatat(v->new_fd, v->m->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == v->m->size && st.st_uid == v->m->user->uid;
}

/* False with errno 0: it is another. */
static bool same_file(int fd, const struct stat *st)
{
	struct stat other;
	if (fstat(fd, &other) < 0)
		return false;
	errno = 0;
	return other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* A read lease is granted only while nobody can write (fcntl(2)), and only to the owner or with CAP_LEASE, which we do not have. */
static bool no_writer_left(const struct move *v)
{
	bool root = geteuid() == 0;
	if (root) /* its files alone matter here, so the groups stay ours */
		setfsuid(v->st.st_uid);
	bool granted = fcntl(v->file, F_SETLEASE, F_RDLCK) == 0;
	int sys = errno;
	if (granted)
		fcntl(v->file, F_SETLEASE, F_UNLCK);
	if (root) {
		setfsuid(0);
		BUG_IF(setfsuid((uid_t)-1) != 0);
	}
	errno = sys;
	return granted;
}

static bool open_source(struct move *v, struct err *e)
{
	const struct mbx_move *m = v->m;
	v->file = openat(m->queue_dir, m->queue_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (v->file < 0 && errno == ENOENT && already_there(v)) {
		v->outcome = MBX_GONE;
		return err_set(e, ERR_TEMP, "delivered by an earlier try");
	}
	if (v->file < 0)
		return errno == ENOENT ? stop(v, e, "is gone") : stop_sys(v, e, "cannot be opened");
	if (fstat(v->file, &v->st) < 0)
		return stop_sys(v, e, "cannot be looked at");
	if (!S_ISREG(v->st.st_mode))
		return stop(v, e, "is no regular file");
	if (v->st.st_uid != m->queue_uid && v->st.st_uid != m->user->uid)
		return stop(v, e, "belongs to a stranger");
	if (m->file >= 0 && !same_file(m->file, &v->st))
		return errno ? stop_sys(v, e, "cannot be compared") : stop(v, e, "is another file than the one to be delivered");
	if ((uint64_t)v->st.st_size < m->size)
		return stop(v, e, "is too short");
	if (v->st.st_nlink != 1)
		return err_set(e, ERR_TEMP, "queue file %s has a second name", m->queue_name);
	v->ours = true;
	return no_writer_left(v) || err_sys(e, ERR_TEMP, "somebody may still write to queue file %s", m->queue_name);
}

static bool cut(const struct move *v, struct err *e)
{
	if ((uint64_t)v->st.st_size == v->m->size)
		return true;
	int fd = openat(v->m->queue_dir, v->m->queue_name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool ok = fd >= 0 && same_file(fd, &v->st) && ftruncate(fd, (off_t)v->m->size) == 0;
	if (!ok && errno == 0)
		err_set(e, ERR_TEMP, "queue file %s was exchanged", v->m->queue_name);
	else if (!ok)
		err_sys(e, ERR_TEMP, "cut queue file %s", v->m->queue_name);
	fd_close(&fd);
	return ok;
}

/* Also gives back what an earlier try, killed between its steps, left with the user. */
static bool give_back(struct move *v, struct err *e)
{
	struct err undo;
	if (!v->ours || v->st.st_uid == v->m->queue_uid || fchown(v->file, v->m->queue_uid, (gid_t)-1) == 0)
		return true;
	err_sys(&undo, ERR_TEMP, "give queue file %s back to uid %u", v->m->queue_name, (unsigned)v->m->queue_uid);
	*e = undo;
	v->stop = true;
	return false;
}

static bool hand_over(struct move *v, struct err *e)
{
	const struct mbx_move *m = v->m;
	uid_t uid = m->user->uid;
	if (v->st.st_uid != uid && fchown(v->file, uid, (gid_t)-1) < 0)
		return err_sys(e, ERR_TEMP, "give queue file %s to uid %u", m->queue_name, (unsigned)uid);
	v->st.st_uid = uid;
	if (renameat2(m->queue_dir, m->queue_name, v->new_fd, m->name, RENAME_NOREPLACE) < 0)
		return err_sys(e, ERR_TEMP, "rename into %s/%s/new", m->user->home, m->user->maildir);
	return true;
}

/* It is delivered, whatever comes of this; only the group can fail, by quota. Mode first: then the old group reads it no more. */
static void settle(const struct move *v, struct err *e)
{
	gid_t gid = v->m->user->gid;
	if (fchmod(v->file, 0600) < 0 || (v->st.st_gid != gid && fchown(v->file, (uid_t)-1, gid) < 0))
		err_sys(e, ERR_TEMP, "group of %s in %s/%s/new", v->m->name, v->m->user->home, v->m->user->maildir);
}

bool mbx_move(const struct mbx_move *m, enum mbx_moved *ret, struct err *e)
{
	struct move v = { .m = m, .new_fd = -1, .file = -1, .outcome = MBX_USE_COPY };
	struct err why = { .kind = ERR_NONE };
	if (open_target(&v, &why) && open_source(&v, &why) && cut(&v, &why) && hand_over(&v, &why)) {
		settle(&v, &why);
		v.outcome = MBX_MOVED;
	} else
		(void)give_back(&v, &why);
	fd_close(&v.file);
	fd_close(&v.new_fd);
	if (e)
		*e = why;
	if (!v.stop)
		*ret = v.outcome;
	return !v.stop;
}
