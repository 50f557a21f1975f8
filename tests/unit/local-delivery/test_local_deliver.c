#include "local-delivery/agent.h"
#include "unit/mailbox/place.h"

#include "base/clock.h"
#include "base/fd.h"
#include "net/sock.h"

#include "unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define ID "0a1bk3f0000abcde"
#define NAME_CUR ID ":1795464636,1,*,0a0a0a0a,-"
#define ENVELOPE "Return-Path: <a@b.example>\nDelivered-To: al@c.example\n"
#define BODY "Received: x\n\nhello\n"
#define TEXT ENVELOPE BODY
#define ADDRESS "al@c.example"

/* An agent whose queue is p's, and which knows where ADDRESS lives: p's home. */
struct bench {
	struct place p;
	struct cfg *cfg;
	struct agent a;
	struct box *box;
	int shard_new, shard_cur;
	struct deliver_req req;
	struct deliver_res res;
};

static int make_dir(int at, const char *name)
{
	CU_ASSERT_EQUAL(mkdirat(at, name, 0700), 0);
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static void remember_box(struct bench *b, bool is_system)
{
	b->box = mem_new(sizeof *b->box);
	snprintf(b->box->home, sizeof b->box->home, "%s", b->p.home);
	snprintf(b->box->maildir, sizeof b->box->maildir, "%s", "Maildir");
	b->box->user = b->p.user;
	b->box->user.home = b->box->home;
	b->box->user.maildir = b->box->maildir;
	b->box->is_system = is_system;
	b->box->until_ms = clock_mono_ms() + 1000000;
	CU_ASSERT_FATAL(hmap_put(b->a.boxes, sv_of(ADDRESS), b->box));
}

static void bench_init(struct bench *b, int delivery)
{
	static char queue[150];
	char shard[2];
	struct spool_id id;
	*b = (struct bench){ .cfg = mem_new(sizeof *b->cfg) };
	place_init(&b->p);
	snprintf(queue, sizeof queue, "%s/queue", b->p.base);
	b->cfg->global.queue_directory = queue;
	b->cfg->local.delivery = delivery;
	b->cfg->local.local_timeout = 60;
	agent_init(&b->a, b->cfg);
	CU_ASSERT_FATAL(spool_id_parse(SV(ID), &id));
	snprintf(shard, sizeof shard, "%x", spool_id_shard(&id));
	int dir = make_dir(b->p.queue_fd, shard);
	b->shard_new = make_dir(dir, "new");
	b->shard_cur = make_dir(dir, "cur");
	fd_close(&dir);
	remember_box(b, false);
	b->req = (struct deliver_req){ .offset = sizeof ENVELOPE - 1,
		.size = sizeof TEXT - 1,
		.plain = 1,
		.file = -1,
		.id = ID,
		.name = ID,
		.rcpt = ADDRESS,
		.sender = "a@b.example" };
	signal(SIGIO, SIG_IGN);
}

static void bench_queue(struct bench *b)
{
	int dir = b->req.in_cur ? b->shard_cur : b->shard_new;
	place_put(dir, b->req.name, TEXT "zeros");
	b->req.file = openat(dir, b->req.name, O_RDONLY | O_CLOEXEC);
}

static void bench_free(struct bench *b)
{
	fd_close(&b->req.file);
	fd_close(&b->shard_new);
	fd_close(&b->shard_cur);
	agent_free(&b->a);
	place_free(&b->p);
	free(b->cfg);
}

static void how_a_message_arrives_depends_on_form_and_setting(void)
{
	static const struct {
		int delivery;
		bool plain, in_cur;
		enum deliver_status status;
		bool renamed;
		const char *file, *text;
	} t[] = {
		{ CFG_DELIVERY_AUTO, true, false, DELIVERED, true, "Maildir/new/" ID, TEXT },
		{ CFG_DELIVERY_AUTO, true, true, DELIVERED, true, "Maildir/new/" ID, TEXT },
		{ CFG_DELIVERY_AUTO, false, false, DELIVERED, false, "Maildir/new/" ID ".0", TEXT },
		{ CFG_DELIVERY_AUTO, false, true, DELIVERED, false, "Maildir/new/" ID ".0", TEXT },
		{ CFG_DELIVERY_COPY, true, false, DELIVERED, false, "Maildir/new/" ID ".0", TEXT },
		{ CFG_DELIVERY_RENAME, true, false, DELIVERED, true, "Maildir/new/" ID, TEXT },
		{ CFG_DELIVERY_RENAME, false, false, DEFERRED, false, "Maildir/new/" ID, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bench b;
		char where[300];
		bench_init(&b, t[i].delivery);
		b.req.plain = t[i].plain;
		b.req.in_cur = t[i].in_cur;
		if (t[i].in_cur)
			snprintf(b.req.name, sizeof b.req.name, "%s", NAME_CUR);
		bench_queue(&b);
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, t[i].status);
		CU_ASSERT_EQUAL(b.res.renamed, t[i].renamed);
		CU_ASSERT_STRING_EQUAL(b.res.id, ID);
		CU_ASSERT_STRING_EQUAL(place_get(b.p.home_fd, t[i].file), t[i].text);
		snprintf(where, sizeof where, "%s/%s", b.p.home, t[i].file);
		CU_ASSERT_STRING_EQUAL(b.res.where, t[i].status == DELIVERED ? where : "");
		CU_ASSERT_EQUAL(place_has(t[i].in_cur ? b.shard_cur : b.shard_new, b.req.name), !t[i].renamed);
		bench_free(&b);
	}
}

static void a_copy_belongs_to_its_user_and_names_the_original_recipient(void)
{
	struct bench b;
	struct stat st = { 0 };
	bench_init(&b, CFG_DELIVERY_COPY);
	b.req.number = 7;
	b.req.sender[0] = '\0';
	snprintf(b.req.orig, sizeof b.req.orig, "team@c.example");
	bench_queue(&b);
	agent_deliver(&b.a, &b.req, &b.res);
	CU_ASSERT_EQUAL(b.res.status, DELIVERED);
	CU_ASSERT_EQUAL(b.res.number, 7);
	CU_ASSERT_STRING_EQUAL(place_get(b.p.home_fd, "Maildir/new/" ID ".7"),
		"Return-Path: <>\nX-Original-To: team@c.example\nDelivered-To: al@c.example\n" BODY);
	CU_ASSERT_EQUAL(fstatat(b.p.home_fd, "Maildir/new/" ID ".7", &st, 0), 0);
	CU_ASSERT_EQUAL(st.st_uid, b.p.user.uid);
	CU_ASSERT_EQUAL(st.st_gid, b.p.user.gid);
	CU_ASSERT_EQUAL(st.st_mode, S_IFREG | 0600);
	bench_free(&b);
}

static void what_cannot_be_renamed_is_copied_or_deferred_with_the_reason(void)
{
	for (int only_rename = 0; only_rename < 2; only_rename++) {
		struct bench b;
		bench_init(&b, only_rename ? CFG_DELIVERY_RENAME : CFG_DELIVERY_AUTO);
		bench_queue(&b);
		int writer = openat(b.shard_new, ID, O_WRONLY | O_CLOEXEC);
		agent_deliver(&b.a, &b.req, &b.res);
		fd_close(&writer);
		CU_ASSERT_EQUAL(b.res.status, only_rename ? DEFERRED : DELIVERED);
		CU_ASSERT_EQUAL(b.res.renamed, 0);
		CU_ASSERT_EQUAL(strstr(b.res.text, "cannot be renamed") != NULL, only_rename);
		CU_ASSERT_EQUAL(place_has(b.p.home_fd, "Maildir/new/" ID ".0"), !only_rename);
		CU_ASSERT(place_has(b.shard_new, ID));
		bench_free(&b);
	}
}

static void a_rename_whose_answer_was_lost_is_not_copied_again(void)
{
	static const char *const seen[] = { "Maildir/new/" ID, "Maildir/cur/" ID ":2,S", "Maildir/new/" ID ".0",
		"Maildir/cur/" ID ".0:2," };
	for (size_t i = 0; i < COUNT(seen); i++) {
		struct bench b;
		bench_init(&b, CFG_DELIVERY_COPY);
		b.req.tries = 1;
		bench_queue(&b);
		place_put(b.p.home_fd, seen[i], TEXT);
		place_chown(&b.p, b.p.home_fd, seen[i], b.p.user.uid);
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, DELIVERED);
		CU_ASSERT_EQUAL(place_count(b.p.home_fd, "Maildir/new") + place_count(b.p.home_fd, "Maildir/cur"), 1);
		bench_free(&b);
	}
}

/* smtpd is away, or (arg) there: nothing is said before the file was read. */
static bool connect_smtpd(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	int *theirs = arg, pair[2];
	(void)wait_ms;
	CU_ASSERT_STRING_EQUAL(endpoint, "smtpd.forward");
	if (!theirs)
		return err_set(e, ERR_TEMP, "away");
	CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, pair, e));
	*theirs = pair[0];
	*ret_fd = pair[1];
	return true;
}

static void a_forward_file_is_not_ignored(void)
{
	static const struct {
		bool is_system, on, plain, there;
		enum deliver_status status;
		const char *why;
	} t[] = {
		{ true, true, true, true, DEFERRED, "symbolic links are not followed" },
		{ true, true, false, true, DEFERRED, "symbolic links are not followed" },
		{ true, true, true, false, DEFERRED, "cannot forward: away" },
		{ true, false, true, true, DELIVERED, "" },
		{ true, false, false, true, DELIVERED, "" },
		{ false, true, true, true, DELIVERED, "" },
		{ false, true, false, true, DELIVERED, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bench b;
		int theirs = -1;
		bench_init(&b, CFG_DELIVERY_AUTO);
		b.box->is_system = t[i].is_system;
		b.cfg->local.dot_forward = t[i].on;
		b.cfg->global.recipient_delimiter = "+";
		b.cfg->global.hostname = "mail.example";
		b.a.connect = connect_smtpd;
		b.a.arg = t[i].there ? &theirs : NULL;
		b.req.plain = t[i].plain;
		bench_queue(&b);
		CU_ASSERT_EQUAL(symlinkat("/nowhere", b.p.home_fd, ".forward"), 0);
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, t[i].status);
		CU_ASSERT(strstr(b.res.text, t[i].why) != NULL);
		fd_close(&theirs);
		bench_free(&b);
	}
}

static void a_forward_file_that_names_nobody_or_oneself_is_the_own_mailbox(void)
{
	static const char *const text[] = { "# nobody\n", "\\al\n", "AL@c.example" };
	for (size_t i = 0; i < COUNT(text); i++) {
		struct bench b;
		int theirs = -1;
		bench_init(&b, CFG_DELIVERY_AUTO);
		b.box->is_system = true;
		b.cfg->local.dot_forward = true;
		b.cfg->global.recipient_delimiter = "+";
		b.cfg->global.hostname = "mail.example";
		b.a.connect = connect_smtpd;
		b.a.arg = &theirs;
		bench_queue(&b);
		place_put(b.p.home_fd, ".forward", text[i]);
		place_chown(&b.p, b.p.home_fd, ".forward", b.p.user.uid);
		CU_ASSERT_EQUAL(fchmodat(b.p.home_fd, ".forward", 0600, 0), 0);
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, DELIVERED);
		CU_ASSERT_EQUAL(b.res.forwarded, 0);
		CU_ASSERT_STRING_EQUAL(place_get(b.p.home_fd, "Maildir/new/" ID ".0"), TEXT);
		fd_close(&theirs);
		bench_free(&b);
	}
}

static void trouble_with_the_mailbox_is_a_deferral_with_its_reason(void)
{
	static const struct {
		const char *clear, *dsn, *why;
	} t[] = { { "home", "4.2.1", "is missing" }, { "home/Maildir/tmp", "4.2.1", "Not a directory" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bench b;
		bench_init(&b, CFG_DELIVERY_COPY);
		bench_queue(&b);
		place_clear(b.p.base_fd, t[i].clear);
		if (i == 1) {
			place_put(b.p.base_fd, t[i].clear, "");
			place_chown(&b.p, b.p.base_fd, t[i].clear, b.p.user.uid);
		}
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, DEFERRED);
		CU_ASSERT_STRING_EQUAL(b.res.dsn, t[i].dsn);
		CU_ASSERT_PTR_NOT_NULL(strstr(b.res.text, t[i].why));
		CU_ASSERT(place_has(b.shard_new, ID));
		bench_free(&b);
	}
}

static void an_order_that_does_not_fit_together_touches_nothing(void)
{
	static const struct {
		const char *id, *name, *rcpt;
		uint64_t offset;
		bool in_cur;
	} t[] = {
		{ ID, "../../etc/passwd", ADDRESS, 5, false },
		{ ID, "..", ADDRESS, 5, false },
		{ "short", "short", ADDRESS, 5, false },
		{ ID, ID, ADDRESS "\nX: y", 5, false },
		{ ID, ID, ADDRESS, 100000, false },
		{ ID, ID, ADDRESS, 5, true },
		{ ID, "0a1bk3f0000abcdf:1795464636,1,*,0a0a0a0a,-", ADDRESS, 5, true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct bench b;
		bench_init(&b, CFG_DELIVERY_AUTO);
		bench_queue(&b);
		snprintf(b.req.id, sizeof b.req.id, "%s", t[i].id);
		snprintf(b.req.name, sizeof b.req.name, "%s", t[i].name);
		snprintf(b.req.rcpt, sizeof b.req.rcpt, "%s", t[i].rcpt);
		b.req.offset = t[i].offset;
		b.req.in_cur = t[i].in_cur;
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, DEFERRED);
		CU_ASSERT(place_has(b.shard_new, ID));
		CU_ASSERT_EQUAL(place_count(b.p.home_fd, "Maildir/new"), 0);
		bench_free(&b);
	}
}

static void another_file_under_the_name_is_not_delivered(void)
{
	for (int delivery = CFG_DELIVERY_AUTO; delivery <= CFG_DELIVERY_COPY; delivery++) {
		struct bench b;
		bench_init(&b, delivery);
		bench_queue(&b);
		CU_ASSERT_EQUAL(unlinkat(b.shard_new, ID, 0), 0);
		place_put(b.shard_new, ID, TEXT "zeros");
		agent_deliver(&b.a, &b.req, &b.res);
		CU_ASSERT_EQUAL(b.res.status, DEFERRED);
		CU_ASSERT(place_has(b.shard_new, ID));
		CU_ASSERT_EQUAL(place_count(b.p.home_fd, "Maildir/new"), 0);
		bench_free(&b);
	}
}

/* The user half that had the last order. */
static pid_t half_of(const struct bench *b)
{
	const struct user_half *last = &b->a.halves.half[0];
	for (size_t i = 1; i < USER_HALVES; i++)
		if (b->a.halves.half[i].used_ms > last->used_ms)
			last = &b->a.halves.half[i];
	CU_ASSERT(last->pid > 0);
	return last->pid;
}

static pid_t copy_number(struct bench *b, unsigned number)
{
	b->req.number = number;
	agent_deliver(&b->a, &b->req, &b->res);
	CU_ASSERT_EQUAL(b->res.status, DELIVERED);
	CU_ASSERT_EQUAL(place_count(b->p.home_fd, "Maildir/new"), number + 1);
	return half_of(b);
}

/* A mailbox of its own, as far as one can tell from its path. */
static void set_mailbox(struct bench *b, unsigned n)
{
	snprintf(b->box->maildir, sizeof b->box->maildir, "%.*sMaildir", (int)n * 2, "././././././././././././././././");
}

static void a_user_half_is_kept_for_its_user_and_replaced_when_it_is_gone(void)
{
	struct bench b;
	bench_init(&b, CFG_DELIVERY_COPY);
	bench_queue(&b);
	pid_t half = copy_number(&b, 0);
	CU_ASSERT_EQUAL(copy_number(&b, 1), half);
	kill(half, SIGKILL); /* as its user may */
	CU_ASSERT_NOT_EQUAL(copy_number(&b, 2), half);
	CU_ASSERT_EQUAL(user_halves_end(&b.a.halves, 0), 0);
	bench_free(&b);
}

static void user_halves_of_several_mailboxes_are_kept_and_the_one_idle_longest_makes_room(void)
{
	struct bench b;
	pid_t half[USER_HALVES];
	unsigned n = 0;
	bench_init(&b, CFG_DELIVERY_COPY);
	bench_queue(&b);
	for (unsigned i = 0; i < USER_HALVES; i++, n++) {
		set_mailbox(&b, i);
		half[i] = copy_number(&b, n);
		for (unsigned k = 0; k < i; k++)
			CU_ASSERT_NOT_EQUAL(half[k], half[i]);
		usleep(2000); /* their age is told in ms */
	}
	set_mailbox(&b, 0);
	CU_ASSERT_EQUAL(copy_number(&b, n++), half[0]);
	set_mailbox(&b, USER_HALVES);
	(void)copy_number(&b, n++);
	CU_ASSERT_EQUAL(user_halves_end(&b.a.halves, 60000), USER_HALVES);
	CU_ASSERT_EQUAL(kill(half[0], 0), 0);
	CU_ASSERT_EQUAL(kill(half[1], 0), -1);
	CU_ASSERT_EQUAL(user_halves_end(&b.a.halves, 0), 0);
	bench_free(&b);
}

static void a_copy_that_takes_too_long_is_ended(void)
{
	struct bench b;
	bench_init(&b, CFG_DELIVERY_COPY);
	b.cfg->local.local_timeout = 0;
	bench_queue(&b);
	agent_deliver(&b.a, &b.req, &b.res);
	CU_ASSERT_EQUAL(b.res.status, DEFERRED);
	CU_ASSERT_PTR_NOT_NULL(strstr(b.res.text, "took too long"));
	b.cfg->local.local_timeout = 60;
	b.req.tries = 1;
	agent_deliver(&b.a, &b.req, &b.res);
	CU_ASSERT_EQUAL(b.res.status, DELIVERED);
	CU_ASSERT_EQUAL(place_count(b.p.home_fd, "Maildir/new"), 1);
	bench_free(&b);
}

void suite_local_deliver(void)
{
	static const struct unit_case cases[] = {
		UNIT(how_a_message_arrives_depends_on_form_and_setting),
		UNIT(a_copy_belongs_to_its_user_and_names_the_original_recipient),
		UNIT(what_cannot_be_renamed_is_copied_or_deferred_with_the_reason),
		UNIT(a_rename_whose_answer_was_lost_is_not_copied_again),
		UNIT(a_forward_file_is_not_ignored),
		UNIT(a_forward_file_that_names_nobody_or_oneself_is_the_own_mailbox),
		UNIT(trouble_with_the_mailbox_is_a_deferral_with_its_reason),
		UNIT(an_order_that_does_not_fit_together_touches_nothing),
		UNIT(another_file_under_the_name_is_not_delivered),
		UNIT(a_user_half_is_kept_for_its_user_and_replaced_when_it_is_gone),
		UNIT(user_halves_of_several_mailboxes_are_kept_and_the_one_idle_longest_makes_room),
		UNIT(a_copy_that_takes_too_long_is_ended),
		UNIT_END,
	};
	unit_suite("local_deliver", cases);
}
