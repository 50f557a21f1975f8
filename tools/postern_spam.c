/* postern spam learn: hands messages to spamcheck, which alone writes the classifier's database. */
#include "ipc/msg_spam.h"
#include "postern.h"
#include "postern_spam.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define LEARN_SOCKET "spamcheck.learn"
#define BAR_WIDTH 30

struct learning {
	struct tool *t;
	int fd;
	bool spam, forget, terminal;
	uint64_t total, done; /* messages found beforehand (for the bar), sent so far */
	struct spam_learnt last;
	struct err e;
};

/* Redrawn at every percent: a million updates would cost more than the learning. */
static void draw(const struct learning *l)
{
	char bar[BAR_WIDTH + 1];
	uint64_t percent = l->total > 0 ? MIN(100, l->done * 100 / l->total) : 100;
	if (!l->terminal || (l->done < l->total && l->total > 100 && l->done % (l->total / 100) != 0))
		return;
	for (size_t i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < percent * BAR_WIDTH / 100 ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r[%s] %3llu %%  %llu of %llu", bar, (unsigned long long)percent, (unsigned long long)l->done,
		(unsigned long long)l->total);
	if (l->done >= l->total)
		fputc('\n', stderr);
}

static bool count_one(const struct found_mail *m UNUSED, void *arg)
{
	struct learning *l = arg;
	l->total++;
	return true;
}

static bool learn_one(const struct found_mail *m, void *arg)
{
	struct learning *l = arg;
	struct spam_learn req = { .spam = l->spam, .forget = l->forget, .offset = m->offset, .size = m->size, .file = m->fd };
	if (!ipc_call(l->fd, &spam_learn_desc, &req, &spam_learnt_desc, &l->last, TOOL_WAIT_MS, &l->e))
		return false;
	if (!l->last.ok) {
		err_set(&l->e, ERR_PERM, "%s", l->last.text);
		return false;
	}
	l->done++;
	draw(l);
	return true;
}

static bool commit(struct learning *l)
{
	struct spam_learn_done done = { .commit = 1 };
	if (!ipc_call(l->fd, &spam_learn_done_desc, &done, &spam_learnt_desc, &l->last, TOOL_WAIT_MS, &l->e))
		return false;
	return l->last.ok || err_set(&l->e, ERR_TEMP, "%s", l->last.text);
}

static int learn_all(struct learning *l, char **paths)
{
	bool ok = true;
	for (char **p = paths; ok && *p; p++)
		ok = found_each(*p, learn_one, l, &l->e) && l->e.kind == ERR_NONE;
	if (!ok && l->terminal)
		fputc('\n', stderr);
	if (!ok || !commit(l))
		return tool_unreachable(l->t, "learning", &l->e);
	printf("%s %llu messages as %s, skipped %llu; the classifier knows %llu spam and %llu ham\n",
		l->forget ? "forgot" : "learnt", (unsigned long long)l->last.learnt, l->spam ? "spam" : "ham",
		(unsigned long long)l->last.skipped, (unsigned long long)l->last.total_spam, (unsigned long long)l->last.total_ham);
	return 0;
}

/* First a count, so that the bar can tell how far it is; paths that cannot be read are found before anything is learnt. */
static int learn(struct tool *t, bool spam, bool forget, char **paths)
{
	struct learning l = { .t = t, .spam = spam, .forget = forget, .terminal = isatty(STDERR_FILENO) };
	for (char **p = paths; *p; p++)
		if (!found_each(*p, count_one, &l, &l.e))
			return tool_fail(t, EX_NOINPUT, "%s", l.e.text);
	if (l.total == 0)
		return tool_fail(t, 1, "no messages there");
	if (!tool_connect(t, LEARN_SOCKET, SOCK_SEQPACKET, TOOL_WAIT_MS, &l.fd, &l.e))
		return tool_unreachable(t, "spamcheck", &l.e);
	int code = learn_all(&l, paths);
	close(l.fd);
	return code;
}

int cmd_spam(struct tool *t, int argc, char **argv)
{
	bool spam = false, ham = false, forget = false;
	const struct opt opts[] = {
		{ "spam", 0, OPT_FLAG, &spam, NULL, "the messages are spam" },
		{ "ham", 0, OPT_FLAG, &ham, NULL, "the messages are wanted mail" },
		{ "forget", 0, OPT_FLAG, &forget, NULL, "take back what was learnt from them" },
		OPT_END,
	};
	static const char usage[] = "learn --spam|--ham [--forget] PATH...    (Maildir, mbox, message, or a directory of messages)";
	int code;
	if (!command_options(t, usage, opts, &argc, argv, INT_MAX, &code))
		return code;
	if (argc < 2 || strcmp(argv[0], "learn") != 0 || spam == ham)
		return tool_fail(t, EX_USAGE, "usage: postern spam %s", usage);
	if ((code = tool_load_lenient(t)) != 0)
		return code;
	return learn(t, spam, forget, argv + 1);
}
