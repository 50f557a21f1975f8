#include "mailbox/mbx.h"
#include "unit/mailbox/place.h"

#include "base/fd.h"

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#define NAME "0a1bk3f0000abcde"
#define TEXT "Return-Path: <a@b.example>\nReceived: x\n\nhello\n"
#define SIZE (sizeof TEXT - 1)

static bool move(struct place *p, int file, enum mbx_moved *ret, struct err *e)
{
	struct mbx_move m = { .queue_dir = p->queue_fd,
		.queue_name = NAME,
		.queue_uid = geteuid(),
		.size = SIZE,
		.user = &p->user,
		.name = NAME,
		.file = file };
	signal(SIGIO, SIG_IGN);
	bool ok = mbx_move(&m, ret, e);
	CU_ASSERT_EQUAL((uid_t)setfsuid((uid_t)-1), geteuid());
	CU_ASSERT_EQUAL((gid_t)setfsgid((gid_t)-1), getegid());
	return ok;
}

static struct stat look(int dir, const char *name)
{
	struct stat st = { 0 };
	CU_ASSERT_EQUAL(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void a_queue_file_becomes_the_file_in_the_maildir(void)
{
	struct place p;
	enum mbx_moved how = MBX_USE_COPY;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT);
	struct stat before = look(p.queue_fd, NAME);
	CU_ASSERT_FATAL(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	CU_ASSERT_EQUAL(e.kind, ERR_NONE);
	CU_ASSERT_FALSE(place_has(p.queue_fd, NAME));
	struct stat after = look(p.home_fd, "Maildir/new/" NAME);
	CU_ASSERT_EQUAL(after.st_ino, before.st_ino);
	CU_ASSERT_EQUAL(after.st_uid, p.user.uid);
	CU_ASSERT_EQUAL(after.st_gid, p.user.gid);
	CU_ASSERT_EQUAL(after.st_mode, S_IFREG | 0600);
	CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, "Maildir/new/" NAME), TEXT);
	place_free(&p);
}

static void a_missing_maildir_is_made_first(void)
{
	static const char *const missing[] = { "Maildir", "Maildir/new" };
	for (size_t i = 0; i < COUNT(missing); i++) {
		struct place p;
		enum mbx_moved how = MBX_USE_COPY;
		struct err e;
		place_init(&p);
		place_put(p.queue_fd, NAME, TEXT);
		place_clear(p.home_fd, missing[i]);
		CU_ASSERT(move(&p, -1, &how, &e));
		CU_ASSERT_EQUAL(how, MBX_MOVED);
		CU_ASSERT_EQUAL(look(p.home_fd, missing[i]).st_uid, p.user.uid);
		CU_ASSERT_EQUAL(look(p.home_fd, missing[i]).st_mode, S_IFDIR | 0700);
		CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir"), 3);
		place_free(&p);
	}
}

static void what_stands_after_the_message_is_cut_off(void)
{
	struct place p;
	enum mbx_moved how = MBX_USE_COPY;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT "a spare's rest");
	CU_ASSERT_FATAL(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, "Maildir/new/" NAME), TEXT);
	place_free(&p);
}

/* --- the copy is to be used, and all is as before --- */
static void no_maildir_and_no_right_to_make_it(struct place *p)
{
	place_clear(p->home_fd, "Maildir");
	CU_ASSERT_EQUAL(fchmodat(p->base_fd, "home", 0500, 0), 0);
}
static void no_home(struct place *p) { place_clear(p->base_fd, "home"); }
static void link_for(struct place *p, const char *name, const char *to)
{
	place_clear(p->home_fd, name);
	CU_ASSERT_EQUAL(symlinkat(to, p->home_fd, name), 0);
	place_chown(p, p->home_fd, name, p->user.uid);
}
static void new_is_a_link(struct place *p) { link_for(p, "Maildir/new", "../Maildir/cur"); }
static void new_is_a_link_elsewhere(struct place *p)
{
	CU_ASSERT_EQUAL(mkdirat(p->base_fd, "elsewhere", 0777), 0);
	place_chown(p, p->base_fd, "elsewhere", p->user.uid);
	link_for(p, "Maildir/new", "../../elsewhere");
}
static void maildir_is_a_link(struct place *p)
{
	CU_ASSERT_EQUAL(renameat(p->home_fd, "Maildir", p->home_fd, "Other"), 0);
	CU_ASSERT_EQUAL(symlinkat("Other", p->home_fd, "Maildir"), 0);
}
static void new_is_a_fifo(struct place *p)
{
	place_clear(p->home_fd, "Maildir/new");
	CU_ASSERT_EQUAL(mkfifoat(p->home_fd, "Maildir/new", 0600), 0);
	place_chown(p, p->home_fd, "Maildir/new", p->user.uid);
}
static void new_is_a_file(struct place *p)
{
	place_clear(p->home_fd, "Maildir/new");
	place_put(p->home_fd, "Maildir/new", "");
	place_chown(p, p->home_fd, "Maildir/new", p->user.uid);
}
static void new_is_a_strangers(struct place *p)
{
	place_chown(p, p->home_fd, "Maildir/new", PLACE_STRANGER);
	CU_ASSERT_EQUAL(fchmodat(p->home_fd, "Maildir/new", 0777, 0), 0);
}
static void maildir_is_a_strangers(struct place *p)
{
	place_chown(p, p->home_fd, "Maildir", PLACE_STRANGER);
	CU_ASSERT_EQUAL(fchmodat(p->home_fd, "Maildir", 0777, 0), 0);
}
static void new_is_read_only(struct place *p) { CU_ASSERT_EQUAL(fchmodat(p->home_fd, "Maildir/new", 0500, 0), 0); }
static void home_is_closed(struct place *p)
{
	place_chown(p, p->base_fd, "home", 0);
	CU_ASSERT_EQUAL(fchmodat(p->base_fd, "home", 0700, 0), 0);
}
static void a_second_name(struct place *p) { CU_ASSERT_EQUAL(linkat(p->queue_fd, NAME, p->home_fd, "mine", 0), 0); }
static void the_name_is_taken(struct place *p) { place_put(p->home_fd, "Maildir/new/" NAME, "another"); }
static void the_name_is_a_link(struct place *p) { CU_ASSERT_EQUAL(symlinkat("/etc/passwd", p->home_fd, "Maildir/new/" NAME), 0); }
static void root_is_the_user(struct place *p) { p->user.uid = 0; }

static void what_cannot_be_renamed_is_left_as_it_was(void)
{
	static const struct {
		void (*set)(struct place *);
		const char *why;
		bool root;
	} t[] = {
		{ no_maildir_and_no_right_to_make_it, "Permission denied" },
		{ no_home, "is missing" },
		{ new_is_a_link, "symbolic link" },
		{ new_is_a_link_elsewhere, "symbolic link" },
		{ maildir_is_a_link, "symbolic link" },
		{ new_is_a_fifo, "Not a directory" },
		{ new_is_a_file, "Not a directory" },
		{ new_is_a_strangers, "belongs to uid 65532", true },
		{ maildir_is_a_strangers, "belongs to uid 65532", true },
		{ new_is_read_only, "Permission denied" },
		{ home_is_closed, "Permission denied", true },
		{ a_second_name, "second name" },
		{ the_name_is_taken, "File exists" },
		{ the_name_is_a_link, "File exists" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		enum mbx_moved how = MBX_MOVED;
		struct err e;
		place_init(&p);
		place_put(p.queue_fd, NAME, TEXT);
		if (t[i].root && !p.root) {
			place_free(&p);
			continue;
		}
		t[i].set(&p);
		struct stat before = look(p.queue_fd, NAME);
		CU_ASSERT(move(&p, -1, &how, &e));
		CU_ASSERT_EQUAL(how, MBX_USE_COPY);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].why));
		struct stat after = look(p.queue_fd, NAME);
		CU_ASSERT_EQUAL(after.st_ino, before.st_ino);
		CU_ASSERT_EQUAL(after.st_uid, before.st_uid);
		CU_ASSERT_EQUAL(after.st_gid, before.st_gid);
		CU_ASSERT_EQUAL(after.st_mode, before.st_mode);
		CU_ASSERT_STRING_EQUAL(place_get(p.queue_fd, NAME), TEXT);
		place_free(&p);
	}
}

static void another_file_system_means_copy(void)
{
	struct place p;
	enum mbx_moved how = MBX_MOVED;
	struct err e;
	char home[] = "/dev/shm/postern-unit-XXXXXX";
	place_init(&p);
	if (!mkdtemp(home))
		return place_free(&p);
	fd_close(&p.home_fd);
	p.home_fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p.user.home = home;
	place_chown(&p, AT_FDCWD, home, p.user.uid);
	CU_ASSERT_EQUAL(mkdirat(p.home_fd, "Maildir", 0700), 0);
	CU_ASSERT_EQUAL(mkdirat(p.home_fd, "Maildir/new", 0700), 0);
	place_chown(&p, p.home_fd, "Maildir", p.user.uid);
	place_chown(&p, p.home_fd, "Maildir/new", p.user.uid);
	place_put(p.queue_fd, NAME, TEXT);
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_USE_COPY);
	CU_ASSERT_EQUAL(e.sys, EXDEV);
	CU_ASSERT_EQUAL(look(p.queue_fd, NAME).st_uid, geteuid());
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/new"), 0);
	place_clear(AT_FDCWD, home);
	place_free(&p);
}

static void a_writer_that_is_left_means_copy(void)
{
	struct place p;
	enum mbx_moved how = MBX_MOVED;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT);
	int writer = openat(p.queue_fd, NAME, O_WRONLY | O_CLOEXEC);
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_USE_COPY);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "still write"));
	fd_close(&writer);
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	place_free(&p);
}

/* --- the queue file is not what it should be --- */
static void queue_link(struct place *p) { CU_ASSERT_EQUAL(symlinkat("/etc/passwd", p->queue_fd, NAME), 0); }
static void queue_fifo(struct place *p) { CU_ASSERT_EQUAL(mkfifoat(p->queue_fd, NAME, 0600), 0); }
static void queue_dir(struct place *p) { CU_ASSERT_EQUAL(mkdirat(p->queue_fd, NAME, 0700), 0); }
static void queue_short(struct place *p) { place_put(p->queue_fd, NAME, "short"); }
static void queue_gone(struct place *p) { (void)p; }
static void queue_gone_and_another_there(struct place *p)
{
	place_put(p->home_fd, "Maildir/new/" NAME, "another");
	place_chown(p, p->home_fd, "Maildir/new/" NAME, p->user.uid);
}
static void queue_strangers(struct place *p)
{
	place_put(p->queue_fd, NAME, TEXT);
	place_chown(p, p->queue_fd, NAME, PLACE_STRANGER);
}

static void a_queue_file_that_is_none_stops_the_delivery(void)
{
	static const struct {
		void (*set)(struct place *);
		const char *why;
		bool root;
	} t[] = {
		{ queue_link, "cannot be opened" },
		{ queue_fifo, "no regular file" },
		{ queue_dir, "no regular file" },
		{ queue_short, "too short" },
		{ queue_gone, "is gone" },
		{ queue_gone_and_another_there, "is gone" },
		{ queue_strangers, "stranger", true },
		{ root_is_the_user, "root has no mailbox", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		enum mbx_moved how = MBX_MOVED;
		struct err e;
		place_init(&p);
		if (!t[i].root || p.root) {
			t[i].set(&p);
			CU_ASSERT_FALSE(move(&p, -1, &how, &e));
			CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].why));
			CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
			CU_ASSERT_EQUAL(e.dsn[0], '4');
		}
		if (t[i].set == queue_strangers && p.root)
			CU_ASSERT_EQUAL(look(p.queue_fd, NAME).st_uid, PLACE_STRANGER);
		place_free(&p);
	}
}

static void a_name_that_means_another_file_by_now_is_not_touched(void)
{
	struct place p;
	enum mbx_moved how = MBX_MOVED;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT);
	place_put(p.queue_fd, "lent", TEXT);
	int lent = openat(p.queue_fd, "lent", O_RDONLY | O_CLOEXEC);
	CU_ASSERT_FALSE(move(&p, lent, &how, &e));
	CU_ASSERT(place_has(p.queue_fd, NAME));
	CU_ASSERT_EQUAL(renameat(p.queue_fd, "lent", p.queue_fd, NAME), 0);
	CU_ASSERT(move(&p, lent, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	fd_close(&lent);
	place_free(&p);
}

/* --- after an earlier try --- */
static void a_message_that_was_moved_before_is_gone(void)
{
	struct place p;
	enum mbx_moved how = MBX_MOVED;
	struct err e;
	place_init(&p);
	place_put(p.home_fd, "Maildir/new/" NAME, TEXT);
	place_chown(&p, p.home_fd, "Maildir/new/" NAME, p.user.uid);
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_GONE);
	place_free(&p);
}

static void a_file_left_with_the_user_is_delivered_or_given_back(void)
{
	struct place p;
	enum mbx_moved how = MBX_MOVED;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT);
	place_chown(&p, p.queue_fd, NAME, p.user.uid);
	place_put(p.home_fd, "Maildir/new/" NAME, "another");
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_USE_COPY);
	CU_ASSERT_EQUAL(look(p.queue_fd, NAME).st_uid, geteuid());
	place_clear(p.home_fd, "Maildir/new/" NAME);
	place_chown(&p, p.queue_fd, NAME, p.user.uid);
	CU_ASSERT(move(&p, -1, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	place_free(&p);
}

static void nothing_is_moved_past_a_bar(void)
{
	struct place p;
	enum mbx_moved how;
	struct err e;
	place_init(&p);
	place_put(p.queue_fd, NAME, TEXT);
	struct mbx_move m = { .queue_dir = p.queue_fd,
		.queue_name = NAME,
		.queue_uid = geteuid(),
		.size = SIZE,
		.user = &p.user,
		.name = NAME,
		.bar = ".forward",
		.file = -1 };
	CU_ASSERT_EQUAL(symlinkat("/nowhere", p.home_fd, ".forward"), 0);
	CU_ASSERT(mbx_move(&m, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_BARRED);
	CU_ASSERT_EQUAL(faccessat(p.queue_fd, NAME, F_OK, 0), 0);
	CU_ASSERT_EQUAL(unlinkat(p.home_fd, ".forward", 0), 0);
	CU_ASSERT(mbx_move(&m, &how, &e));
	CU_ASSERT_EQUAL(how, MBX_MOVED);
	place_free(&p);
}

static void a_home_is_looked_at_with_its_users_rights(void)
{
	struct place p;
	struct err e;
	bool has = true;
	place_init(&p);
	CU_ASSERT(mbx_home_has(&p.user, ".forward", &has, &e));
	CU_ASSERT_FALSE(has);
	CU_ASSERT_EQUAL(symlinkat("/nowhere", p.home_fd, ".forward"), 0);
	CU_ASSERT(mbx_home_has(&p.user, ".forward", &has, &e));
	CU_ASSERT(has);
	if (p.root) {
		home_is_closed(&p);
		CU_ASSERT_FALSE(mbx_home_has(&p.user, ".forward", &has, &e));
		CU_ASSERT_STRING_EQUAL(e.dsn, "4.2.1");
	}
	no_home(&p);
	CU_ASSERT_FALSE(mbx_home_has(&p.user, ".forward", &has, &e));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "is missing"));
	place_free(&p);
}

void suite_mbx_move(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_queue_file_becomes_the_file_in_the_maildir),
		UNIT(a_missing_maildir_is_made_first),
		UNIT(what_stands_after_the_message_is_cut_off),
		UNIT(what_cannot_be_renamed_is_left_as_it_was),
		UNIT(another_file_system_means_copy),
		UNIT(a_writer_that_is_left_means_copy),
		UNIT(a_queue_file_that_is_none_stops_the_delivery),
		UNIT(a_name_that_means_another_file_by_now_is_not_touched),
		UNIT(a_message_that_was_moved_before_is_gone),
		UNIT(a_file_left_with_the_user_is_delivered_or_given_back),
		UNIT(nothing_is_moved_past_a_bar),
		UNIT(a_home_is_looked_at_with_its_users_rights),
		UNIT_END,
	};
	unit_suite("mbx_move", cases);
}
