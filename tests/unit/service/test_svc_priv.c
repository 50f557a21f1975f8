/* What needs root is tried in a process of its own, and by root only. */
#include "service/priv.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define USER "nobody"

static int in_child(int (*act)(void))
{
	int status = -1;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(act());
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool may_read_shadow(void) { return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0; }

static void users_and_groups_are_found_in_the_files(void)
{
	uid_t uid = 1;
	gid_t gid = 1;
	struct err e;
	CU_ASSERT_TRUE(priv_lookup("root", &uid, &gid, &e));
	CU_ASSERT_EQUAL(uid, 0);
	CU_ASSERT_EQUAL(gid, 0);
	gid = 1;
	CU_ASSERT_TRUE(priv_lookup_group("root", &gid, &e));
	CU_ASSERT_EQUAL(gid, 0);
}

static void a_missing_user_is_named_with_what_to_do(void)
{
	uid_t uid = 77;
	gid_t gid = 77;
	struct err e;
	CU_ASSERT_FALSE(priv_lookup("no-such-user", &uid, &gid, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "no-such-user"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "sysusers"));
	CU_ASSERT_EQUAL(uid, 77);
	CU_ASSERT_FALSE(priv_lookup_group("no-such-group", &gid, &e));
	CU_ASSERT_EQUAL(gid, 77);
}

static int become(void)
{
	struct err e;
	uint64_t caps = 1;
	if (!priv_become(USER, &e) || geteuid() == 0 || getegid() == 0 || !priv_caps(&caps, &e) || caps != 0)
		return 1;
	if (seteuid(0) == 0 || setuid(0) == 0 || may_read_shadow())
		return 2;
	return 0;
}

static void rights_that_were_given_up_are_gone(void)
{
	gid_t gid;
	if (geteuid() != 0 || !priv_lookup_group("postern", &gid, NULL))
		return;
	CU_ASSERT_EQUAL(in_child(become), 0);
}

static int become_root(void)
{
	struct err e;
	return priv_become("root", &e) ? 1 : 0;
}

static void root_is_no_user_for_a_daemon(void) { CU_ASSERT_EQUAL(in_child(become_root), 0); }

static int keep_chown(void)
{
	struct err e;
	uint64_t caps = 0, want = PRIV_CAP(CAP_CHOWN) | PRIV_CAP(CAP_KILL);
	if (!priv_limit_caps(want, &e) || !priv_caps(&caps, &e) || caps != want)
		return 1;
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) != 0 || prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0) != 1)
		return 2;
	if (setgid(1) == 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0) == 0)
		return 3;
	return 0;
}

static void only_named_capabilities_stay(void)
{
	if (geteuid() == 0)
		CU_ASSERT_EQUAL(in_child(keep_chown), 0);
}

static int keep_caps_twice(void)
{
	struct err e;
	uint64_t caps = 0;
	if (!priv_limit_caps(PRIV_CAP(CAP_CHOWN) | PRIV_CAP(CAP_SETPCAP), &e) ||
		!priv_limit_caps(PRIV_CAP(CAP_CHOWN) | PRIV_CAP(CAP_KILL), &e))
		return 1;
	return priv_caps(&caps, &e) && caps == PRIV_CAP(CAP_CHOWN) ? 0 : 2;
}

static void a_capability_that_was_dropped_does_not_come_back(void)
{
	if (geteuid() == 0)
		CU_ASSERT_EQUAL(in_child(keep_caps_twice), 0);
}

void suite_svc_priv(void)
{
	static const struct unit_case cases[] = {
		UNIT(users_and_groups_are_found_in_the_files),
		UNIT(a_missing_user_is_named_with_what_to_do),
		UNIT(rights_that_were_given_up_are_gone),
		UNIT(root_is_no_user_for_a_daemon),
		UNIT(only_named_capabilities_stay),
		UNIT(a_capability_that_was_dropped_does_not_come_back),
		UNIT_END,
	};
	unit_suite("svc_priv", cases);
}
