#include "local-delivery/agent.h"

#include "base/fd.h"
#include "net/sock.h"

#include "unit/unit.h"

#define UID 54321u

static struct resolve_box answer_of(uint64_t status, uint64_t kind, uint64_t uid, const char *home, const char *maildir)
{
	struct resolve_box a = { .status = status, .kind = kind, .uid = uid, .gid = uid };
	snprintf(a.home, sizeof a.home, "%s", home);
	snprintf(a.maildir, sizeof a.maildir, "%s", maildir);
	return a;
}

static uint64_t mine(void) { return geteuid() == 0 ? UID : geteuid(); }

static struct cfg *cfg_of(const char *virtual_base)
{
	struct cfg *cfg = mem_new(sizeof *cfg);
	cfg->global.min_uid = 1000;
	cfg->global.virtual_base = virtual_base;
	cfg->global.queue_directory = "/nonexistent";
	cfg->resolve.resolve_cache = 300;
	return cfg;
}

static void a_users_answer_becomes_a_mailbox(void)
{
	struct resolve_box a = answer_of(RESOLVE_OK, BOX_SYSTEM, mine(), "/home/al", "Maildir");
	struct deliver_res res = { 0 };
	struct cfg *cfg = cfg_of("");
	struct box *box = mem_new(sizeof *box);
	cfg->global.min_uid = MIN(mine(), 1000);
	snprintf(a.groups, sizeof a.groups, "100 5 4294967294");
	CU_ASSERT(box_judge(&a, cfg, box, &res));
	CU_ASSERT(box->is_system);
	CU_ASSERT_EQUAL(box->user.uid, mine());
	CU_ASSERT_EQUAL(box->user.gid, mine());
	CU_ASSERT_EQUAL(box->user.n_groups, 3);
	CU_ASSERT_EQUAL(box->user.groups[2], 4294967294u);
	CU_ASSERT_STRING_EQUAL(box->user.home, "/home/al");
	CU_ASSERT_STRING_EQUAL(box->user.maildir, "Maildir");
	free(box);
	free(cfg);
}

static void what_resolve_says_decides_between_later_and_never(void)
{
	static const struct {
		uint64_t status, kind;
		const char *dsn, *text;
		enum deliver_status want;
		const char *want_dsn;
	} t[] = {
		{ RESOLVE_UNKNOWN, BOX_SYSTEM, "", "", FAILED, "5.1.1" },
		{ RESOLVE_UNKNOWN, BOX_SYSTEM, "5.1.10", "gone", FAILED, "5.1.10" },
		{ RESOLVE_TEMP, BOX_SYSTEM, "", "NSS is away", DEFERRED, "4.3.0" },
		{ RESOLVE_TEMP, BOX_SYSTEM, "4.4.3", "x", DEFERRED, "4.4.3" },
		{ RESOLVE_BAD, BOX_SYSTEM, "5.4.6", "loop", FAILED, "5.4.6" },
		{ RESOLVE_BAD, BOX_SYSTEM, "4.3.5", "broken", DEFERRED, "4.3.5" },
		{ RESOLVE_BAD, BOX_SYSTEM, "", "broken", DEFERRED, "4.3.5" },
		{ 7, BOX_SYSTEM, "", "?", DEFERRED, "4.3.0" },
		{ RESOLVE_OK, BOX_UNSUPPORTED, "", "|command is not supported yet", DEFERRED, "4.3.5" },
		{ RESOLVE_OK, BOX_REMOTE, "", "not local", DEFERRED, "4.3.5" },
		{ RESOLVE_OK, 8, "", "", DEFERRED, "4.3.5" },
	};
	struct cfg *cfg = cfg_of("");
	struct box *box = mem_new(sizeof *box);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct resolve_box a = answer_of(t[i].status, t[i].kind, mine(), "/home/al", "Maildir");
		struct deliver_res res = { 0 };
		snprintf(a.dsn, sizeof a.dsn, "%s", t[i].dsn);
		snprintf(a.text, sizeof a.text, "%s", t[i].text);
		CU_ASSERT_FALSE(box_judge(&a, cfg, box, &res));
		CU_ASSERT_EQUAL(res.status, t[i].want);
		CU_ASSERT_STRING_EQUAL(res.dsn, t[i].want_dsn);
		CU_ASSERT(*res.text != '\0' && strstr(res.text, t[i].text) != NULL);
	}
	free(box);
	free(cfg);
}

static void an_answer_that_would_lead_elsewhere_is_not_followed(void)
{
	static const struct {
		uint64_t kind;
		int64_t uid; /* -1: one that would do */
		const char *base, *home, *maildir, *groups, *why;
	} t[] = {
		{ BOX_SYSTEM, 0, "", "/root", "Maildir", "", "min_uid" },
		{ BOX_SYSTEM, 999, "", "/home/al", "Maildir", "", "min_uid" },
		{ BOX_VIRTUAL, 0, "/mail", "/mail", "x", "", "min_uid" },
		{ BOX_VIRTUAL, -1, "/mail", "/etc", "x", "", "outside virtual_base" },
		{ BOX_VIRTUAL, -1, "", "", "x", "", "outside virtual_base" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "../etc", "", "not usable" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "a/../../b", "", "not usable" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "/etc", "", "not usable" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "", "", "not usable" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "a\nb", "", "not usable" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "ok", "1 x", "groups" },
		{ BOX_VIRTUAL, -1, "/mail", "/mail", "ok", "-1", "groups" },
	};
	struct box *box = mem_new(sizeof *box);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cfg *cfg = cfg_of(t[i].base);
		struct resolve_box a =
			answer_of(RESOLVE_OK, t[i].kind, t[i].uid < 0 ? mine() : (uint64_t)t[i].uid, t[i].home, t[i].maildir);
		struct deliver_res res = { 0 };
		snprintf(a.groups, sizeof a.groups, "%s", t[i].groups);
		CU_ASSERT_FALSE(box_judge(&a, cfg, box, &res));
		CU_ASSERT_EQUAL(res.status, DEFERRED);
		CU_ASSERT_PTR_NOT_NULL(strstr(res.text, t[i].why));
		free(cfg);
	}
	free(box);
}

/* --- asking: resolve is the other end of a socket pair, its answers are sent before they are asked for */
struct fake {
	int fd, connects;
	int ending; /* so many channels end unanswered */
};

static bool connect_fake(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	struct fake *f = arg;
	int pair[2];
	(void)wait_ms;
	CU_ASSERT_STRING_EQUAL(endpoint, "resolve.local-delivery");
	if (f->connects++ > 0 && f->fd < 0)
		return err_set(e, ERR_TEMP, "away");
	fd_close(&f->fd);
	CU_ASSERT_FATAL(sock_pair(SOCK_SEQPACKET, pair, e));
	if (f->connects <= f->ending) {
		f->fd = dup(pair[0]);
		shutdown(pair[0], SHUT_RDWR);
		fd_close(&pair[0]);
		*ret_fd = pair[1];
		return true;
	}
	f->fd = pair[0];
	struct resolve_box a =
		answer_of(f->connects == f->ending + 1 ? RESOLVE_OK : RESOLVE_UNKNOWN, BOX_VIRTUAL, mine(), "/mail", "al");
	CU_ASSERT(ipc_send(f->fd, &resolve_box_desc, &a, 1000, e));
	*ret_fd = pair[1];
	return true;
}

static void good_answers_are_remembered_and_no_others(void)
{
	struct fake f = { .fd = -1 };
	struct cfg *cfg = cfg_of("/mail");
	struct agent a;
	struct box *box = NULL;
	struct deliver_res res = { 0 };
	struct resolve_box_req req;
	struct err e;
	agent_init(&a, cfg);
	a.connect = connect_fake;
	a.arg = &f;
	CU_ASSERT(agent_find_box(&a, "al@b.example", &box, &res));
	CU_ASSERT(agent_find_box(&a, "al@b.example", &box, &res));
	CU_ASSERT_EQUAL(f.connects, 1);
	CU_ASSERT(ipc_recv_msg(f.fd, &resolve_box_req_desc, &req, 1000, &e));
	CU_ASSERT_STRING_EQUAL(req.address, "al@b.example");
	CU_ASSERT_FALSE(ipc_recv_msg(f.fd, &resolve_box_req_desc, &req, 0, &e)); /* asked once */
	shutdown(f.fd, SHUT_RDWR); /* resolve was restarted: the next question opens a new channel */
	CU_ASSERT_FALSE(agent_find_box(&a, "bob@b.example", &box, &res));
	CU_ASSERT_EQUAL(res.status, FAILED);
	CU_ASSERT_EQUAL(f.connects, 2);
	struct resolve_box good = answer_of(RESOLVE_OK, BOX_VIRTUAL, mine(), "/mail", "bob");
	CU_ASSERT(ipc_send(f.fd, &resolve_box_desc, &good, 1000, &e));
	CU_ASSERT(agent_find_box(&a, "bob@b.example", &box, &res));
	CU_ASSERT_EQUAL(f.connects, 2);
	agent_free(&a);
	fd_close(&f.fd);
	free(cfg);
}

/* As at a reload: the first channel leads to a resolve that is about to end. */
static void a_question_whose_channel_ends_is_asked_on_a_new_one(void)
{
	static const struct {
		int ending;
		bool found;
	} t[] = { { 1, true }, { RESOLVE_TRIES - 1, true }, { RESOLVE_TRIES, false } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct fake f = { .fd = -1, .ending = t[i].ending };
		struct cfg *cfg = cfg_of("/mail");
		struct agent a;
		struct box *box = NULL;
		struct deliver_res res = { 0 };
		agent_init(&a, cfg);
		a.connect = connect_fake;
		a.arg = &f;
		CU_ASSERT_EQUAL(agent_find_box(&a, "al@b.example", &box, &res), t[i].found);
		CU_ASSERT_EQUAL(f.connects, MIN(t[i].ending + 1, RESOLVE_TRIES));
		agent_free(&a);
		fd_close(&f.fd);
		free(cfg);
	}
}

static void without_resolve_mail_waits(void)
{
	struct fake f = { .fd = -1, .connects = 1 };
	struct cfg *cfg = cfg_of("/mail");
	struct agent a;
	struct box *box = NULL;
	struct deliver_res res = { 0 };
	agent_init(&a, cfg);
	a.connect = connect_fake;
	a.arg = &f;
	CU_ASSERT_FALSE(agent_find_box(&a, "al@b.example", &box, &res));
	CU_ASSERT_EQUAL(res.status, DEFERRED);
	CU_ASSERT_STRING_EQUAL(res.dsn, "4.3.0");
	agent_free(&a);
	free(cfg);
}

void suite_local_box(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_users_answer_becomes_a_mailbox),
		UNIT(what_resolve_says_decides_between_later_and_never),
		UNIT(an_answer_that_would_lead_elsewhere_is_not_followed),
		UNIT(good_answers_are_remembered_and_no_others),
		UNIT(a_question_whose_channel_ends_is_asked_on_a_new_one),
		UNIT(without_resolve_mail_waits),
		UNIT_END,
	};
	unit_suite("local_box", cases);
}
