#include "service/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define COMMON_GROUP "postern" /* all daemons: may log, may enter runtime_directory */
#define ADVICE "create the users with systemd-sysusers or packaging/create-users"
#define ENTRY_MAX 16384 /* a group with many members is a long line */

bool priv_lookup(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	char text[ENTRY_MAX];
	struct passwd pw, *found;
	FILE *f = fopen("/etc/passwd", "re");
	if (f == NULL)
		return err_sys(e, ERR_PERM, "open /etc/passwd");
	int rc;
	while ((rc = fgetpwent_r(f, &pw, text, sizeof(text), &found)) == 0 || rc == ERANGE) {
		if (rc != 0 || strcmp(pw.pw_name, user) != 0)
			continue;
		*ret_uid = pw.pw_uid;
		*ret_gid = pw.pw_gid;
		fclose(f);
		return true;
	}
	fclose(f);
	return err_set(e, ERR_PERM, "there is no user \"%s\": " ADVICE, user);
}

bool priv_lookup_group(const char *group, gid_t *ret_gid, struct err *e)
{
	char text[ENTRY_MAX];
	struct group gr, *found;
	FILE *f = fopen("/etc/group", "re");
	if (f == NULL)
		return err_sys(e, ERR_PERM, "open /etc/group");
	int rc;
	while ((rc = fgetgrent_r(f, &gr, text, sizeof(text), &found)) == 0 || rc == ERANGE) {
		if (rc != 0 || strcmp(gr.gr_name, group) != 0)
			continue;
		*ret_gid = gr.gr_gid;
		fclose(f);
		return true;
	}
	fclose(f);
	return err_set(e, ERR_PERM, "there is no group \"%s\": " ADVICE, group);
}

/* The kernel's word counts, not the return values above it. */
static bool proved(uid_t uid, gid_t gid, struct err *e)
{
	uid_t r, f, s;
	gid_t gr, gf, gs;
	uint64_t caps;
	if (getresuid(&r, &f, &s) < 0 || getresgid(&gr, &gf, &gs) < 0)
		return err_sys(e, ERR_PERM, "read own ids");
	if (r != uid || f != uid || s != uid || gr != gid || gf != gid || gs != gid)
		return err_set(e, ERR_PERM, "ids did not change to uid %u", (unsigned)uid);
	if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0 || setresgid((gid_t)-1, 0, (gid_t)-1) == 0)
		return err_set(e, ERR_PERM, "root's rights can be taken back from uid %u", (unsigned)uid);
	if (!priv_caps(&caps, e))
		return false;
	return caps == 0 || err_set(e, ERR_PERM, "capabilities %#llx are left after the change to uid %u", (unsigned long long)caps,
				    (unsigned)uid);
}

bool priv_become(const char *user, struct err *e)
{
	uid_t uid;
	gid_t groups[2];
	if (!priv_lookup(user, &uid, &groups[0], e) || !priv_lookup_group(COMMON_GROUP, &groups[1], e))
		return false;
	if (uid == 0 || groups[0] == 0)
		return err_set(e, ERR_PERM, "user \"%s\" has root's uid or gid", user);
	if (setgroups(COUNT(groups), groups) < 0)
		return err_sys(e, ERR_PERM, "setgroups for %s", user);
	if (setresgid(groups[0], groups[0], groups[0]) < 0)
		return err_sys(e, ERR_PERM, "setresgid to %s", user);
	if (setresuid(uid, uid, uid) < 0)
		return err_sys(e, ERR_PERM, "setresuid to %s", user);
	return proved(uid, groups[0], e);
}

static bool caps_get(struct __user_cap_data_struct data[2], struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	return syscall(SYS_capget, &h, data) == 0 || err_sys(e, ERR_PERM, "capget");
}

static uint64_t joined(uint32_t low, uint32_t high) { return low | (uint64_t)high << 32; }

bool priv_caps(uint64_t *ret_effective, struct err *e)
{
	struct __user_cap_data_struct data[2];
	if (!caps_get(data, e))
		return false;
	*ret_effective = joined(data[0].effective, data[1].effective);
	return true;
}

/* Containers may withhold CAP_SETPCAP: then the bounding set stays as the container made it, which no exec after
 * no-new-privileges can make use of. */
static bool limit_bounding(uint64_t caps, struct err *e)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		int in = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (in < 0)
			break; /* past the kernel's last one */
		if (in == 1 && !(caps & PRIV_CAP(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(e, ERR_PERM, "drop capability %u from the bounding set", cap);
	}
	unsigned long bits = SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED;
	return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) == 0 || err_sys(e, ERR_PERM, "lock securebits");
}

bool priv_limit_caps(uint64_t caps, struct err *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, ERR_PERM, "clear ambient capabilities");
	if (!caps_get(data, e))
		return false;
	uint64_t had = joined(data[0].permitted, data[1].permitted);
	if ((had & PRIV_CAP(CAP_SETPCAP)) && !limit_bounding(caps, e))
		return false;
	uint64_t keep = caps & had;
	for (int i = 0; i < 2; i++) {
		data[i].permitted = data[i].effective = (uint32_t)(keep >> (32 * i));
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &h, data) < 0)
		return err_sys(e, ERR_PERM, "capset");
	uint64_t now;
	if (!priv_caps(&now, e))
		return false;
	return now == keep ||
	       err_set(e, ERR_PERM, "capabilities are %#llx instead of %#llx", (unsigned long long)now, (unsigned long long)keep);
}

bool priv_no_new_privs(struct err *e)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || err_sys(e, ERR_PERM, "set no-new-privileges");
}
