#include "base/fd.h"
#include "master/master.h"
#include "tests/unit/unit.h"

#include <sys/socket.h>
#include <sys/un.h>

/* A manager that listens at `path`; '@' first: in the abstract name space. */
static int manager(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t n = strlen(path);
	memcpy(at.sun_path, path, n);
	if (path[0] == '@')
		at.sun_path[0] = '\0';
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	return fd;
}

static void the_manager_hears_each_state(void)
{
	char path[] = "/tmp/notify-XXXXXX", abstract[64], got[64];
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	CU_ASSERT_EQUAL(rmdir(path), 0);
	snprintf(abstract, sizeof(abstract), "@postern-unit-%d", (int)getpid());
	const char *const paths[] = { path, abstract };
	for (size_t i = 0; i < COUNT(paths); i++) {
		int fd = manager(paths[i]);
		setenv("NOTIFY_SOCKET", paths[i], 1);
		notify("READY=1");
		CU_ASSERT_EQUAL(recv(fd, got, sizeof(got), 0), 7);
		CU_ASSERT_EQUAL(memcmp(got, "READY=1", 7), 0);
		fd_close(&fd);
	}
	notify("READY=1"); /* nobody listens any more: nothing happens */
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	unlink(path);
}

void suite_master_notify(void)
{
	static const struct unit_case cases[] = { UNIT(the_manager_hears_each_state), UNIT_END };
	unit_suite("master_notify", cases);
}
