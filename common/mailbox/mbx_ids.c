/* Being the user for a moment: file system ids and groups of the root half. */
#include "mailbox/mbx.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#define FILE_CAPS (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_FSETID)

/* The kernel drops these with the change of fsuid from 0, unless somebody set SECBIT_NO_SETUID_FIXUP. */
static bool file_caps_gone(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & FILE_CAPS) == 0;
}

static uid_t fsuid_now(void) { return (uid_t)setfsuid((uid_t)-1); } /* -1 is no id: the call changes nothing and tells */
static gid_t fsgid_now(void) { return (gid_t)setfsgid((gid_t)-1); }

bool mbx_ids_take(const struct mbx_user *user, struct err *e)
{
	uid_t self = geteuid();
	if (self != 0 && self != user->uid)
		return err_dsn(e, ERR_TEMP, "4.3.5", "the mailbox belongs to uid %u, but Postern runs as uid %u and cannot change",
			(unsigned)user->uid, (unsigned)self);
	if (self != 0)
		return true;
	if (user->uid == 0)
		return err_dsn(e, ERR_TEMP, "4.3.5", "root has no mailbox here: give it an alias");
	if (setgroups(user->n_groups, user->groups) < 0) {
		mbx_err(e, "take the groups of uid %u", (unsigned)user->uid);
		mbx_ids_back();
		return false;
	}
	setfsgid(user->gid);
	setfsuid(user->uid);
	if (fsuid_now() == user->uid && fsgid_now() == user->gid && file_caps_gone())
		return true;
	mbx_ids_back();
	return err_dsn(e, ERR_TEMP, "4.3.5", "cannot become uid %u for file access", (unsigned)user->uid);
}

void mbx_ids_back(void)
{
	if (geteuid() != 0)
		return;
	gid_t gid = getegid();
	setfsuid(0);
	setfsgid(gid);
	BUG_IF(setgroups(0, NULL) < 0 || fsuid_now() != 0 || fsgid_now() != gid);
}
