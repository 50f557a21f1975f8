/* A daemon that master starts in the unit tests, under the name of any. How it behaves stands in the file behave.NAME beside it:
 * good (also when there is none), refuse (not ready, with a reason), die, mute (never ready). What it lives through it adds to the
 * file `events` there. */
#include "base/fd.h"
#include "ipc/msg_control.h"
#include "service/service.h"

#include <fcntl.h>
#include <limits.h>

static void note(int dir, const char *name, const char *what)
{
	char line[100];
	int n = snprintf(line, sizeof(line), "%s %s\n", name, what),
	    fd = openat(dir, "events", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || !fd_write_all(fd, line, (size_t)n, NULL))
		_exit(1);
	fd_close(&fd);
}

static bool behaves(int dir, const char *name, const char *how)
{
	char file[100];
	struct buf b = BUF_INIT(100);
	snprintf(file, sizeof(file), "behave.%s", name);
	bool yes = fd_read_path(dir, file, &b, NULL) && sv_eqs(buf_sv(&b), how);
	buf_free(&b);
	return yes;
}

static int refuse(void)
{
	struct leader_ready r = { .ok = 0, .text = "there is no key" };
	return ipc_send(SVC_FD_MASTER, &leader_ready_desc, &r, 1000, NULL) ? 78 : 1;
}

static int live(int dir, const char *name)
{
	struct leader_ready r = { .ok = 1 };
	struct leader_load load = { .workers = 3, .busy = 1, .workers_max = 5, .served = 12 };
	struct leader_do what;
	if (!behaves(dir, name, "mute") && !ipc_send(SVC_FD_MASTER, &leader_ready_desc, &r, 1000, NULL))
		return 1;
	while (ipc_recv_msg(SVC_FD_MASTER, &leader_do_desc, &what, 60000, NULL)) {
		if (what.order == ORDER_LOAD && !ipc_send(SVC_FD_MASTER, &leader_load_desc, &load, 1000, NULL))
			return 1;
		if (what.order == ORDER_REOPEN)
			note(dir, name, "reopen");
		if (what.order == ORDER_DRAIN || what.order == ORDER_RETIRE) {
			note(dir, name, "drain");
			return 0;
		}
	}
	note(dir, name, "orphan");
	return 0;
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	const char *slash = strrchr(argv[0], '/');
	if (argc != 3 || !slash || !sv_copy((struct sv){ argv[0], (size_t)(slash - argv[0]) }, path, sizeof(path)))
		return 64;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *name = slash + 1 + strlen("postern-");
	note(dir, name, "start");
	if (behaves(dir, name, "die"))
		return 3;
	return behaves(dir, name, "refuse") ? refuse() : live(dir, name);
}
