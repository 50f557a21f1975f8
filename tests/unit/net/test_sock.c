#include "unit/unit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void pair(int fds[2]) { CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_SEQPACKET, fds, NULL)); }

static void close_both(int fds[2])
{
	fd_close(&fds[0]);
	fd_close(&fds[1]);
}

static size_t open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void packets_arrive_whole_and_apart(void)
{
	static const size_t sizes[] = { 1, 4094, 4095, 4096, 5000, SOCK_PACKET_MAX };
	struct buf out = BUF_INIT(SOCK_PACKET_MAX), in = BUF_INIT(SOCK_PACKET_MAX + 2);
	int fds[2], got_fds[SOCK_FDS_MAX];
	size_t n_fds = 9;

	pair(fds);
	for (size_t i = 0; i < COUNT(sizes); i++) {
		buf_reset(&out);
		for (size_t k = 0; k < sizes[i]; k++)
			buf_putc(&out, (char)(k * 7 + i));
		CU_ASSERT_TRUE(sock_send_packet(fds[0], buf_sv(&out), NULL, 0, 0, NULL));
		CU_ASSERT_TRUE(sock_send_packet(fds[0], SV("next"), NULL, 0, 0, NULL));
		buf_reset(&in);
		buf_puts(&in, "<>");
		CU_ASSERT_TRUE(sock_recv_packet(fds[1], &in, got_fds, &n_fds, 0, NULL));
		CU_ASSERT_EQUAL(n_fds, 0);
		CU_ASSERT_TRUE(sv_starts(buf_sv(&in), SV("<>")));
		CU_ASSERT_TRUE(sv_eq(sv_skip(buf_sv(&in), 2), buf_sv(&out)));
		buf_reset(&in);
		CU_ASSERT_TRUE(sock_recv_packet(fds[1], &in, got_fds, &n_fds, 0, NULL));
		CU_ASSERT_STRING_EQUAL(buf_str(&in), "next");
	}
	close_both(fds);
	buf_free(&in);
	buf_free(&out);
}

static void descriptors_travel_and_are_closed_on_exec(void)
{
	struct buf in = BUF_INIT(100);
	int fds[2], sent[SOCK_FDS_MAX], got[SOCK_FDS_MAX];
	size_t before = open_fds(), n;

	pair(fds);
	for (int i = 0; i < SOCK_FDS_MAX; i++) {
		sent[i] = fd_memfd("m", NULL);
		CU_ASSERT_TRUE(fd_write_all(sent[i], &"0123"[i], 1, NULL));
	}
	for (size_t want = 0; want <= SOCK_FDS_MAX; want++) {
		CU_ASSERT_TRUE(sock_send_packet(fds[0], SV("x"), sent, want, 0, NULL));
		CU_ASSERT_TRUE(sock_recv_packet(fds[1], &in, got, &n, 0, NULL));
		CU_ASSERT_EQUAL_FATAL(n, want);
		for (size_t i = 0; i < n; i++) {
			char c;
			CU_ASSERT_EQUAL(pread(got[i], &c, 1, 0), 1);
			CU_ASSERT_EQUAL(c, "0123"[i]);
			CU_ASSERT_EQUAL(fcntl(got[i], F_GETFD), FD_CLOEXEC);
			fd_close(&got[i]);
		}
	}
	for (int i = 0; i < SOCK_FDS_MAX; i++)
		fd_close(&sent[i]);
	close_both(fds);
	buf_free(&in);
	CU_ASSERT_EQUAL(open_fds(), before);
}

/* Past our own sender, which does not allow it. */
static void send_many(int fd, int what, size_t n)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(int) * 20)] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * n)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &what, sizeof(int));
	CU_ASSERT_EQUAL(sendmsg(fd, &msg, 0), 1);
}

static void too_many_descriptors_are_all_closed(void)
{
	static const size_t counts[] = { SOCK_FDS_MAX + 1, SOCK_FDS_MAX + 2, 20 };
	struct buf in = BUF_INIT(100);
	int fds[2], got[SOCK_FDS_MAX];

	pair(fds);
	size_t before = open_fds(), n = 9;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct err e;
		send_many(fds[0], STDERR_FILENO, counts[i]);
		CU_ASSERT_FALSE(sock_recv_packet(fds[1], &in, got, &n, 0, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PEER);
		CU_ASSERT_EQUAL(n, 9);
		CU_ASSERT_EQUAL(in.len, 0);
		CU_ASSERT_EQUAL(open_fds(), before);
	}
	close_both(fds);
	buf_free(&in);
}

static void descriptors_past_our_own_limit_are_not_the_peers_fault(void)
{
	struct buf in = BUF_INIT(100);
	int fds[2], got[SOCK_FDS_MAX];
	struct rlimit old, tight;
	struct err e = { .kind = ERR_NONE };
	size_t n;

	pair(fds);
	send_many(fds[0], STDERR_FILENO, 2);
	size_t before = open_fds();
	int top = dup(STDERR_FILENO); /* the lowest free number: no more than that one */
	fd_close(&top);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	top = dup(STDERR_FILENO);
	tight.rlim_cur = (rlim_t)top + 1;
	fd_close(&top);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &tight), 0);
	bool ok = sock_recv_packet(fds[1], &in, got, &n, 0, &e);
	setrlimit(RLIMIT_NOFILE, &old);
	CU_ASSERT_FALSE(ok);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_EQUAL(e.sys, EMFILE);
	CU_ASSERT_EQUAL(open_fds(), before);
	close_both(fds);
	buf_free(&in);
}

static void a_packet_that_is_too_long_is_refused(void)
{
	struct buf small = BUF_INIT(10), big = BUF_INIT(2 * SOCK_PACKET_MAX);
	int fds[2], got[SOCK_FDS_MAX], fd;
	struct err e;
	size_t n;

	pair(fds);
	size_t before = open_fds();
	fd = dup(STDERR_FILENO);
	buf_puts(&small, "12345");
	CU_ASSERT_TRUE(sock_send_packet(fds[0], SV("abcdef"), &fd, 1, 0, NULL));
	fd_close(&fd);
	CU_ASSERT_FALSE(sock_recv_packet(fds[1], &small, got, &n, 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_EQUAL(open_fds(), before);
	CU_ASSERT_STRING_EQUAL(buf_str(&small), "12345");
	CU_ASSERT_TRUE(sock_send_packet(fds[0], SV("abcde"), NULL, 0, 0, NULL));
	CU_ASSERT_TRUE(sock_recv_packet(fds[1], &small, got, &n, 0, &e));
	CU_ASSERT_STRING_EQUAL(buf_str(&small), "12345abcde");

	buf_fill(&big, 'x', SOCK_PACKET_MAX + 1);
	CU_ASSERT_FALSE(sock_send_packet(fds[0], buf_sv(&big), NULL, 0, 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_EQUAL(send(fds[0], big.data, big.len, 0), SOCK_PACKET_MAX + 1);
	buf_reset(&big);
	CU_ASSERT_FALSE(sock_recv_packet(fds[1], &big, got, &n, 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_EQUAL(big.len, 0);
	close_both(fds);
	buf_free(&small);
	buf_free(&big);
}

static void waiting_ends_at_its_deadline(void)
{
	struct buf in = BUF_INIT(100);
	int fds[2], got[SOCK_FDS_MAX];
	struct err e;
	size_t n;

	pair(fds);
	CU_ASSERT_FALSE(sock_recv_packet(fds[1], &in, got, &n, 0, &e));
	CU_ASSERT_EQUAL(e.sys, EAGAIN);
	uint64_t then = clock_mono_ms();
	CU_ASSERT_FALSE(sock_recv_packet(fds[1], &in, got, &n, 30, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_TRUE(clock_mono_ms() - then >= 30);
	while (sock_send_packet(fds[0], SV("fill"), NULL, 0, 0, &e))
		continue;
	CU_ASSERT_EQUAL(e.sys, EAGAIN);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	then = clock_mono_ms();
	CU_ASSERT_FALSE(sock_send_packet(fds[0], SV("fill"), NULL, 0, 30, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_TRUE(clock_mono_ms() - then >= 30);
	close_both(fds);
	buf_free(&in);
}

static void a_peer_that_is_gone_is_told_apart(void)
{
	struct buf in = BUF_INIT(100);
	int fds[2], got[SOCK_FDS_MAX];
	struct err e;
	size_t n;

	pair(fds);
	CU_ASSERT_TRUE(sock_send_packet(fds[0], SV("last"), NULL, 0, 0, NULL));
	fd_close(&fds[0]);
	CU_ASSERT_TRUE(sock_recv_packet(fds[1], &in, got, &n, 1000, &e));
	CU_ASSERT_FALSE(sock_recv_packet(fds[1], &in, got, &n, 1000, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_EQUAL(e.sys, 0);
	CU_ASSERT_FALSE(sock_send_packet(fds[1], SV("x"), NULL, 0, 1000, &e)); /* SIGPIPE would end the tests */
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	close_both(fds);
	buf_free(&in);
}

static void a_tcp_client_is_accepted_with_its_address(void)
{
	struct addr at, peer, local;
	int listen_fd, client, server;
	struct err e;

	CU_ASSERT_TRUE(addr_parse(SV("127.0.0.1:0"), 0, &at));
	CU_ASSERT_TRUE_FATAL(sock_listen_tcp(&at, 5, &listen_fd, &e));
	CU_ASSERT_FALSE(sock_accept(listen_fd, &server, &peer, &e));
	CU_ASSERT_EQUAL(e.sys, EAGAIN);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_TRUE(sock_local_addr(listen_fd, &at, &e));
	CU_ASSERT_TRUE(at.port != 0);
	CU_ASSERT_TRUE_FATAL(sock_connect_tcp(&at, 1000, &client, &e));
	CU_ASSERT_TRUE_FATAL(sock_accept(listen_fd, &server, &peer, &e));
	CU_ASSERT_TRUE(sock_local_addr(client, &local, &e));
	CU_ASSERT_EQUAL(peer.port, local.port);
	CU_ASSERT_TRUE(addr_is_loopback(&peer));
	CU_ASSERT_FALSE(fcntl(server, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_FALSE(fcntl(client, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_TRUE(fcntl(listen_fd, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_EQUAL(fcntl(server, F_GETFD) & fcntl(client, F_GETFD) & fcntl(listen_fd, F_GETFD), FD_CLOEXEC);
	int second;
	CU_ASSERT_FALSE(sock_listen_tcp(&at, 5, &second, &e));
	CU_ASSERT_EQUAL(e.sys, EADDRINUSE);
	fd_close(&server);
	fd_close(&listen_fd);
	fd_close(&client);
	CU_ASSERT_FALSE(sock_connect_tcp(&at, 1000, &client, &e));
	CU_ASSERT_EQUAL(e.sys, ECONNREFUSED);
	CU_ASSERT_TRUE(sv_starts(sv_of(e.text), SV("connect to 127.0.0.1:")));
}

/* A directory whose path alone is longer than sun_path. */
static int deep_dir(char path[32])
{
	char name[120];
	int dir, sub = -1;

	snprintf(path, 32, "/tmp/unit-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(name, 'd', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_TRUE_FATAL(fd_mkdir(dir, name, 0755, &sub, NULL));
	fd_close(&dir);
	return sub;
}

static void remove_deep_dir(const char *path, int *sub)
{
	char name[200];

	unlinkat(*sub, "s", 0);
	fd_close(sub);
	snprintf(name, sizeof(name), "%s/%0*d", path, 119, 0);
	memset(name + strlen(path) + 1, 'd', 119);
	CU_ASSERT_EQUAL(rmdir(name), 0);
	CU_ASSERT_EQUAL(rmdir(path), 0);
}

static void a_unix_socket_has_its_mode_and_replaces_a_stale_one(void)
{
	char path[32];
	int dir = deep_dir(path), first, second, client = -1, server = -1;
	struct addr peer;
	struct stat st;
	struct err e;
	pid_t pid;
	uid_t uid;
	gid_t gid;

	CU_ASSERT_TRUE_FATAL(sock_listen_unix(dir, "s", SOCK_SEQPACKET, 0620, (uid_t)-1, (gid_t)-1, &first, &e));
	CU_ASSERT_EQUAL(fstatat(dir, "s", &st, AT_SYMLINK_NOFOLLOW), 0);
	CU_ASSERT_TRUE(S_ISSOCK(st.st_mode));
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0620);
	fd_close(&first); /* the name stays */
	CU_ASSERT_FALSE(sock_connect_unix(dir, "s", SOCK_SEQPACKET, 100, &client, &e));
	CU_ASSERT_EQUAL(e.sys, ECONNREFUSED);
	CU_ASSERT_TRUE_FATAL(sock_listen_unix(dir, "s", SOCK_SEQPACKET, 0666, getuid(), getgid(), &second, &e));
	CU_ASSERT_TRUE_FATAL(sock_connect_unix(dir, "s", SOCK_SEQPACKET, 100, &client, &e));
	CU_ASSERT_TRUE_FATAL(sock_accept(second, &server, &peer, &e));
	CU_ASSERT_EQUAL(peer.family, AF_UNIX);
	CU_ASSERT_TRUE(sock_peer_cred(server, &pid, &uid, &gid, &e));
	CU_ASSERT_TRUE(pid == getpid() && uid == getuid() && gid == getgid());
	CU_ASSERT_EQUAL(fstatat(dir, "s.new", &st, AT_SYMLINK_NOFOLLOW), -1);
	CU_ASSERT_FALSE(sock_connect_unix(dir, "none", SOCK_SEQPACKET, 100, &first, &e));
	CU_ASSERT_EQUAL(e.sys, ENOENT);
	fd_close(&second);
	fd_close(&client);
	fd_close(&server);
	remove_deep_dir(path, &dir);
}

static void a_full_backlog_is_waited_for_no_longer_than_said(void)
{
	char path[32];
	int dir = deep_dir(path), listen_fd, fds[8], n = 0;
	struct err e = { .sys = 0 };
	uint64_t then = 0;

	CU_ASSERT_TRUE_FATAL(sock_listen_unix(dir, "s", SOCK_STREAM, 0600, (uid_t)-1, (gid_t)-1, &listen_fd, &e));
	CU_ASSERT_EQUAL(listen(listen_fd, 1), 0);
	while (n < (int)COUNT(fds)) {
		then = clock_mono_ms();
		if (!sock_connect_unix(dir, "s", SOCK_STREAM, 50, &fds[n], &e))
			break;
		n++;
	}
	CU_ASSERT_TRUE(n > 0 && n < (int)COUNT(fds));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_TRUE(clock_mono_ms() - then >= 40 && clock_mono_ms() - then < 2000);
	while (n-- > 0)
		fd_close(&fds[n]);
	fd_close(&listen_fd);
	remove_deep_dir(path, &dir);
}

static void on_alarm(int signo UNUSED) {}

static void a_signal_does_not_end_a_wait(void)
{
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	int fds[2];
	struct err e;

	pair(fds);
	sigaction(SIGUSR1, &sa, &old);
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			usleep(10000);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	uint64_t then = clock_mono_ms();
	CU_ASSERT_FALSE(sock_wait(fds[0], POLLIN, 100, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_TRUE(clock_mono_ms() - then >= 100);
	kill(pid, SIGKILL);
	CU_ASSERT_TRUE(pid > 0);
	sigaction(SIGUSR1, &old, NULL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED);
	close_both(fds);
}

void suite_sock(void)
{
	static const struct unit_case cases[] = {
		UNIT(packets_arrive_whole_and_apart),
		UNIT(descriptors_travel_and_are_closed_on_exec),
		UNIT(too_many_descriptors_are_all_closed),
		UNIT(descriptors_past_our_own_limit_are_not_the_peers_fault),
		UNIT(a_packet_that_is_too_long_is_refused),
		UNIT(waiting_ends_at_its_deadline),
		UNIT(a_peer_that_is_gone_is_told_apart),
		UNIT(a_tcp_client_is_accepted_with_its_address),
		UNIT(a_unix_socket_has_its_mode_and_replaces_a_stale_one),
		UNIT(a_full_backlog_is_waited_for_no_longer_than_said),
		UNIT(a_signal_does_not_end_a_wait),
		UNIT_END,
	};
	unit_suite("sock", cases);
}
