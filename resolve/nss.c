#include "nss.h"

#include <errno.h>
#include <grp.h>

IPC_DEFINE(nss_req, 0x1a, 1, NSS_REQ);
IPC_DEFINE(nss_user, 0x1b, 1, NSS_USER);

#define PASSWD_MAX (64 * 1024) /* bytes of one entry: names from directories are longer than /etc/passwd's */
#define GROUPS_MAX 1024
#define IDLE_WAIT_MS 3600000u

static void failed(struct nss_user *ret, const char *what, int error)
{
	*ret = (struct nss_user){ .status = NSS_FAILED };
	snprintf(ret->text, sizeof(ret->text), "look-up of a system user: %s%s", what, error ? strerror(error) : "");
}

/* All that fit: a user with more loses rights by it, gains none. */
static void put_groups(const struct passwd *pw, struct nss_user *ret)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;
	struct buf text = BUF_INIT(sizeof(ret->groups) - 1);

	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		n = GROUPS_MAX;
	for (int i = 0; i < n && buf_ok(&text); i++)
		buf_putf(&text, "%s%u", i ? " " : "", groups[i]);
	memcpy(ret->groups, buf_str(&text), text.len + 1);
	buf_free(&text);
}

static void found(const struct passwd *pw, bool groups, struct nss_user *ret)
{
	*ret = (struct nss_user){ .status = NSS_FOUND, .uid = pw->pw_uid, .gid = pw->pw_gid };
	if (!sv_copy(sv_of(pw->pw_name), ret->name, sizeof(ret->name)) || !sv_copy(sv_of(pw->pw_dir), ret->home, sizeof(ret->home)))
		failed(ret, "its name or home is too long", 0);
	else if (groups)
		put_groups(pw, ret);
}

/* POSIX says 0 without a result for an unknown user; name services also say these (getpwnam(3)). */
static bool means_unknown(int error) { return error == 0 || error == ENOENT || error == ESRCH; }

void nss_look_up(const struct nss_req *q, struct nss_user *ret)
{
	bool by_uid = q->what == NSS_BY_UID;
	char *room = mem_new(PASSWD_MAX);
	struct passwd pw, *result = NULL;
	int error = by_uid ? getpwuid_r((uid_t)q->uid, &pw, room, PASSWD_MAX, &result)
			   : getpwnam_r(q->name, &pw, room, PASSWD_MAX, &result);

	if (result)
		found(result, !by_uid, ret);
	else if (means_unknown(error))
		*ret = (struct nss_user){ .status = NSS_NONE };
	else
		failed(ret, "", error);
	free(room);
}

void nss_helper_run(int fd)
{
	struct nss_req q;
	struct nss_user a;
	struct err e;

	for (;;) {
		if (!ipc_recv_msg(fd, &nss_req_desc, &q, IDLE_WAIT_MS, &e)) {
			if (e.kind == ERR_TEMP)
				continue;
			return;
		}
		(q.what == NSS_BY_ADDRESS ? nss_reverse : nss_look_up)(&q, &a);
		if (!ipc_send(fd, &nss_user_desc, &a, IDLE_WAIT_MS, &e))
			return;
	}
}
