/* postern start: becomes postern-master, or starts it in the background and waits until it stands. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/paths.h"
#include "ipc/msg_control.h"
#include "postern.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>

#define START_MS 30000
#define PAUSE_MS 100
#define SAID_MAX (64 * 1024) /* of what master says while it starts */

/* Beside this program in a build tree, else where it was installed. */
static bool find_master(char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	self[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		int len = snprintf(path, size, "%s/../libexec/postern-master", self);
		if (len > 0 && (size_t)len < size && access(path, X_OK) == 0)
			return true;
	}
	snprintf(path, size, "%s/postern-master", POSTERN_LIBEXECDIR);
	return access(path, X_OK) == 0;
}

static int become(struct tool *t, char *path, const char *conf)
{
	char option[] = "-c", *copy = mem_dup(sv_of(conf)), *argv[] = { path, option, copy, NULL };
	execv(path, argv);
	return tool_fail(t, EX_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

/* --- in the background --- */
static void on_service(const struct status_service *s, void *arg)
{
	bool *all_run = arg;
	*all_run = *all_run && strcmp(s->state, "running") == 0;
}

/* Asks without complaining: until it stands, no answer is the usual one. */
static bool stands(struct tool *t)
{
	struct control_req req = { .op = CTL_STATUS };
	struct ipc_packet p = IPC_PACKET_INIT;
	struct status_service s;
	bool all_run = true, done = false;
	uint16_t type, version;
	int fd;
	if (!tool_connect(t, "master.control", SOCK_SEQPACKET, 1000, &fd, NULL))
		return false;
	bool ok = ipc_send(fd, &control_req_desc, &req, 1000, NULL);
	while (ok && !done) {
		ok = ipc_recv(fd, &p, 1000, NULL) && ipc_type_of(buf_sv(&p.bytes), &type, &version);
		done = ok && type == control_done_desc.type;
		if (ok && !done && ipc_decode(&status_service_desc, buf_sv(&p.bytes), NULL, 0, &s, NULL))
			on_service(&s, &all_run);
	}
	ipc_packet_free(&p);
	close(fd);
	return done && all_run;
}

static void print_said(int fd)
{
	struct buf said = BUF_INIT(SAID_MAX);
	if (fd_read_file(fd, &said, NULL))
		fwrite(buf_str(&said), 1, said.len, stderr);
	buf_free(&said);
}

static int wait_until_up(struct tool *t, pid_t pid, int said)
{
	uint64_t deadline = clock_mono_ms() + START_MS;
	struct timespec pause = { 0, PAUSE_MS * 1000000L };
	int status;
	while (clock_mono_ms() < deadline) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			print_said(said);
			return tool_fail(t, EX_UNAVAILABLE, "it did not start");
		}
		if (stands(t)) {
			print_said(said);
			printf("started, pid %d\n", (int)pid);
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	print_said(said);
	return tool_fail(t, EX_TEMPFAIL, "not all daemons run after %d s; see `postern status` and the log", START_MS / 1000);
}

/* What it says goes to a memory file that is read until it stands: a pipe would outlive its reader. */
static int start_behind(struct tool *t, char *path)
{
	struct err e = { 0 };
	char conf[PATH_MAX];
	if (strcmp(t->cfg->log.log_file, "stderr") == 0)
		return tool_fail(t, EX_CONFIG, "in the background log_file must not be stderr");
	if (!realpath(t->conf, conf))
		return tool_fail(t, EX_CONFIG, "%s: %s", t->conf, strerror(errno));
	int said = fd_memfd("start", &e), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (said < 0 || null < 0)
		return tool_fail(t, EX_OSERR, "%s", said < 0 ? e.text : "/dev/null cannot be opened");
	pid_t pid = fork();
	if (pid < 0)
		return tool_fail(t, EX_OSERR, "fork: %s", strerror(errno));
	if (pid == 0) {
		setsid();
		if (chdir("/") < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(said, STDOUT_FILENO) < 0 ||
			dup2(said, STDERR_FILENO) < 0)
			_exit(EX_OSERR);
		_exit(become(t, path, conf));
	}
	int code = wait_until_up(t, pid, said);
	close(said);
	close(null);
	return code;
}

int cmd_start(struct tool *t, int argc, char **argv)
{
	bool background = false;
	const struct opt opts[] = { { "background", 'b', OPT_FLAG, &background, NULL, "return when all daemons run" }, OPT_END };
	char path[PATH_MAX];
	int code;
	if (!command_options(t, "[--background]", opts, &argc, argv, 0, &code) || (code = tool_load(t)) != 0)
		return code;
	if (!find_master(path, sizeof path))
		return tool_fail(t, EX_UNAVAILABLE, "%s: not found; is Postern installed in full?", path);
	if (stands(t))
		return tool_fail(t, EX_UNAVAILABLE, "Postern is running already; see `postern status`");
	return background ? start_behind(t, path) : become(t, path, t->conf);
}
