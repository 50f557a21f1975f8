#include "stage.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define WAIT_MS 10000

static int snapshot_of(const char *conf)
{
	struct vec faults = VEC_INIT(struct cfg_fault, 20);
	struct cfg *c = cfg_parse(sv_of(conf), &faults);
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(cfg_errors(&faults), 0);
	c->generation = 7;
	c->unprivileged = true;
	int fd = cfg_snapshot(c, NULL);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	cfg_free(c);
	vec_free(&faults);
	return fd;
}

static void become(const struct stage *s, const struct svc *svc, int snapshot, int chan) NORETURN;
static void become(const struct stage *s, const struct svc *svc, int snapshot, int chan)
{
	int from[] = { snapshot, chan, s->dirfd, s->listener };
	char name[] = "svc", fds[] = "--fds", one[] = "1", *argv[] = { name, fds, one, NULL };
	setpgid(0, 0);
	int null = open("/dev/null", O_WRONLY);
	dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < COUNT(from); i++)
		from[i] = fcntl(from[i], F_DUPFD, 100);
	for (size_t i = 0; i < COUNT(from); i++)
		dup2(from[i], SVC_FD_CONFIG + (int)i);
	close_range(SVC_FD_CONFIG + COUNT(from), ~0u, 0);
	setenv("POSTERN_LISTEN", s->endpoint, 1);
	optind = 0;
	_exit(svc_main(svc, 3, argv));
}

void stage_start(struct stage *s, const struct svc *svc, const char *conf)
{
	int snapshot = snapshot_of(conf), chan[2];
	*s = (struct stage){ .dir = "/tmp/stage-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool logd = strcmp(svc->name, "logd") == 0;
	s->type = logd ? SOCK_SEQPACKET : SOCK_STREAM;
	snprintf(s->endpoint, sizeof(s->endpoint), "%s.%s", svc->name, logd ? "log" : "test");
	CU_ASSERT_TRUE_FATAL(sock_listen_unix(s->dirfd, s->endpoint, s->type, 0600, (uid_t)-1, (gid_t)-1, &s->listener, NULL));
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_SEQPACKET, chan, NULL));
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* workers whose leader is killed become ours to see */
	fflush(NULL);
	s->pid = fork();
	if (s->pid == 0)
		become(s, svc, snapshot, chan[1]);
	setpgid(s->pid, s->pid);
	s->chan = chan[0];
	fd_close(&chan[1]);
	fd_close(&snapshot);
}

bool stage_ready(struct stage *s, struct leader_ready *ret)
{
	return ipc_recv_msg(s->chan, &leader_ready_desc, ret, WAIT_MS, NULL);
}

void stage_order(struct stage *s, enum leader_order order)
{
	struct leader_do what = { .order = order };
	CU_ASSERT_TRUE(ipc_send(s->chan, &leader_do_desc, &what, WAIT_MS, NULL));
}

struct leader_load stage_load(struct stage *s)
{
	struct leader_load load = { 0 };
	stage_order(s, ORDER_LOAD);
	CU_ASSERT_TRUE(ipc_recv_msg(s->chan, &leader_load_desc, &load, WAIT_MS, NULL));
	return load;
}

int stage_connect(struct stage *s)
{
	int fd = -1;
	CU_ASSERT_TRUE(sock_connect_unix(s->dirfd, s->endpoint, s->type, WAIT_MS, &fd, NULL));
	return fd;
}

bool stage_ended(struct stage *s, uint64_t wait_ms, int *ret_status)
{
	for (uint64_t until = clock_mono_ms() + wait_ms; clock_mono_ms() < until; usleep(2000))
		if (waitpid(s->pid, ret_status, WNOHANG) == s->pid)
			return true;
	return false;
}

bool stage_alone(struct stage *s, uint64_t wait_ms)
{
	for (uint64_t until = clock_mono_ms() + wait_ms; clock_mono_ms() < until; usleep(2000)) {
		while (waitpid(-s->pid, NULL, WNOHANG) > 0)
			continue;
		if (kill(-s->pid, 0) < 0 && errno == ESRCH)
			return true;
	}
	return false;
}

void stage_end(struct stage *s)
{
	kill(-s->pid, SIGKILL);
	CU_ASSERT_TRUE(stage_alone(s, WAIT_MS));
	unlinkat(s->dirfd, s->endpoint, 0);
	rmdir(s->dir);
	fd_close(&s->dirfd);
	fd_close(&s->listener);
	fd_close(&s->chan);
}
