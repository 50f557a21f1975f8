/* -bs: SMTP on standard input and output, carried to the submit socket and back. */
#include "base/fd.h"
#include "sendmail_submit.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>

#define CHUNK 16384

enum step { MORE, END, FAILED };

/* One read from `from`, all of it written to `to`. */
static enum step carry(int from, int to)
{
	char chunk[CHUNK];
	ssize_t n = read(from, chunk, sizeof chunk);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? MORE : FAILED;
	if (n == 0)
		return END;
	return fd_write_all(to, chunk, (size_t)n, NULL) ? MORE : FAILED;
}

/* Until the server has said its last: the end of standard input only ends our side. */
static int carry_both(const struct tool *t, int sock)
{
	struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = sock, .events = POLLIN } };
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return tool_fail(t, EX_OSERR, "poll: %s", strerror(errno));
		if (p[0].revents) {
			enum step s = carry(STDIN_FILENO, sock);
			if (s == END)
				shutdown(sock, SHUT_WR);
			if (s != MORE)
				p[0].fd = -1;
		}
		if (p[1].revents) {
			enum step s = carry(sock, STDOUT_FILENO);
			if (s == END)
				return 0;
			if (s == FAILED)
				return EX_IOERR;
		}
	}
}

int relay_smtp(const struct tool *t)
{
	struct err e = { 0 };
	int sock;
	if (!submit_connect(t, false, &sock, &e)) {
		printf("421 4.3.2 The mail system is down\r\n");
		return tool_unreachable(t, "the mail system", &e) == EX_NOPERM ? EX_NOPERM : EX_TEMPFAIL;
	}
	int code = carry_both(t, sock);
	close(sock);
	return code;
}
