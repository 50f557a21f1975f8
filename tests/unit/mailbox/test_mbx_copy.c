#include "mailbox/mbx.h"
#include "unit/mailbox/place.h"

#include "base/fd.h"

#include "unit/unit.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define NAME "0a1bk3f0000abcde.0"
#define MOVED "0a1bk3f0000abcde"
#define HEAD "Return-Path: <a@b.example>\nDelivered-To: al@c.example\n"
#define LEFT_OUT "Postern-To: ...\n"
#define BODY "Received: x\n\nhello\n"
#define STORED HEAD BODY
#define MOVED_TEXT LEFT_OUT BODY

struct copied {
	bool ok;
	char path[300];
	struct err e;
};

/* mbx_copy() runs as the user: here by file system ids, which is what its system calls are judged by. */
static struct copied copy_size(struct place *p, bool look_first, uint64_t size)
{
	struct copied r = { .ok = false };
	place_put(p->queue_fd, "file", LEFT_OUT BODY "zeros");
	int file = openat(p->queue_fd, "file", O_RDONLY | O_CLOEXEC);
	struct mbx_copy c = { .file = file,
		.offset = sizeof LEFT_OUT - 1,
		.size = size,
		.head = HEAD,
		.head_len = sizeof HEAD - 1,
		.name = NAME,
		.look_first = look_first,
		.moved_name = MOVED };
	CU_ASSERT_FATAL(mbx_ids_take(&p->user, &r.e));
	r.ok = mbx_copy(&p->user, &c, r.path, sizeof r.path, &r.e);
	mbx_ids_back();
	fd_close(&file);
	return r;
}

static struct copied copy(struct place *p, bool look_first) { return copy_size(p, look_first, sizeof MOVED_TEXT - 1); }

static unsigned mode_of(int dir, const char *name)
{
	struct stat st = { 0 };
	CU_ASSERT_EQUAL(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void put_in(struct place *p, const char *name, const char *text)
{
	place_put(p->home_fd, name, text);
	place_chown(p, p->home_fd, name, p->user.uid);
}

static void a_copy_is_our_head_and_the_message(void)
{
	struct place p;
	place_init(&p);
	struct copied r = copy(&p, false);
	CU_ASSERT(r.ok);
	CU_ASSERT_STRING_EQUAL(r.path, "Maildir/new/" NAME);
	CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, r.path), STORED);
	CU_ASSERT_EQUAL(mode_of(p.home_fd, r.path), 0600);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/tmp"), 0);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/new"), 1);
	place_free(&p);
}

static void a_missing_maildir_is_made_for_the_user_alone(void)
{
	static const char *const made[] = { "Mail", "Mail/box", "Mail/box/tmp", "Mail/box/new", "Mail/box/cur" };
	struct place p;
	struct stat st;
	place_init(&p);
	p.user.maildir = "Mail//./box/";
	struct copied r = copy(&p, false);
	CU_ASSERT(r.ok);
	for (size_t i = 0; i < COUNT(made); i++) {
		CU_ASSERT_EQUAL(mode_of(p.home_fd, made[i]), 0700);
		CU_ASSERT_EQUAL(fstatat(p.home_fd, made[i], &st, 0), 0);
		CU_ASSERT_EQUAL(st.st_uid, p.user.uid);
	}
	place_free(&p);
}

static void nothing_is_written_where_links_point(void)
{
	static const char *const parts[] = { "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur" };
	for (size_t i = 0; i < COUNT(parts); i++) {
		struct place p;
		place_init(&p);
		CU_ASSERT_EQUAL(mkdirat(p.base_fd, "elsewhere", 0777), 0);
		place_chown(&p, p.base_fd, "elsewhere", p.user.uid);
		place_clear(p.home_fd, parts[i]);
		CU_ASSERT_EQUAL(symlinkat(i == 0 ? "../elsewhere" : "../../elsewhere", p.home_fd, parts[i]), 0);
		struct copied r = copy(&p, true);
		CU_ASSERT_FALSE(r.ok);
		CU_ASSERT_STRING_EQUAL(r.e.dsn, "4.2.1");
		CU_ASSERT_PTR_NOT_NULL(strstr(r.e.text, "symbolic link"));
		CU_ASSERT_EQUAL(place_count(p.base_fd, "elsewhere"), 0);
		place_free(&p);
	}
}

static void an_unusable_mailbox_is_named(void)
{
	static const struct {
		const char *part;
		int kind; /* 'f' FIFO, 'r' regular file, 's' a stranger's, 'p' and private (root only), 'o' not to be written into
			   */
		const char *why;
	} t[] = {
		{ "Maildir", 'f', "Not a directory" },
		{ "Maildir/tmp", 'f', "Not a directory" },
		{ "Maildir/new", 'r', "Not a directory" },
		{ "Maildir/cur", 'r', "Not a directory" },
		{ "Maildir", 's', "belongs to uid 65532" },
		{ "Maildir/tmp", 's', "belongs to uid 65532" },
		{ "Maildir/new", 's', "belongs to uid 65532" },
		{ "Maildir/new", 'p', "belongs to uid 65532" },
		{ "Maildir/tmp", 'o', "Permission denied" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		place_init(&p);
		bool skip = !p.root && (t[i].kind == 's' || t[i].kind == 'p');
		if (t[i].kind == 'f' || t[i].kind == 'r')
			place_clear(p.home_fd, t[i].part);
		if (t[i].kind == 'f')
			CU_ASSERT_EQUAL(mkfifoat(p.home_fd, t[i].part, 0600), 0);
		if (t[i].kind == 'r')
			put_in(&p, t[i].part, "");
		if (t[i].kind == 's' || t[i].kind == 'p')
			place_chown(&p, p.home_fd, t[i].part, PLACE_STRANGER);
		CU_ASSERT(t[i].kind != 's' || fchmodat(p.home_fd, t[i].part, 0777, 0) == 0);
		CU_ASSERT(t[i].kind != 'o' || fchmodat(p.home_fd, t[i].part, 0500, 0) == 0);
		struct copied r = copy(&p, false);
		CU_ASSERT_EQUAL(r.ok, skip);
		CU_ASSERT(skip || strstr(r.e.text, t[i].why) != NULL);
		CU_ASSERT(skip || strcmp(r.e.dsn, "4.2.1") == 0);
		place_free(&p);
	}
}

static void a_path_does_not_leave_the_home(void)
{
	static const char *const paths[] = { "../elsewhere", "Maildir/../../elsewhere", ".." };
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct place p;
		place_init(&p);
		CU_ASSERT_EQUAL(mkdirat(p.base_fd, "elsewhere", 0777), 0);
		p.user.maildir = paths[i];
		struct copied r = copy(&p, false);
		CU_ASSERT_FALSE(r.ok);
		CU_ASSERT_EQUAL(place_count(p.base_fd, "elsewhere"), 0);
		place_free(&p);
	}
}

static void a_missing_home_is_not_made(void)
{
	struct place p;
	place_init(&p);
	place_clear(p.base_fd, "home");
	struct copied r = copy(&p, false);
	CU_ASSERT_FALSE(r.ok);
	CU_ASSERT_STRING_EQUAL(r.e.dsn, "4.2.1");
	CU_ASSERT_PTR_NOT_NULL(strstr(r.e.text, "home directory"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r.e.text, "is missing"));
	CU_ASSERT_FALSE(place_has(p.base_fd, "home"));
	place_free(&p);
}

static void an_earlier_copy_is_found_where_its_reader_put_it(void)
{
	static const struct {
		const char *name, *text;
		bool found;
	} t[] = {
		{ "Maildir/new/" NAME, STORED, true }, { "Maildir/cur/" NAME ":2,S", STORED, true },
		{ "Maildir/cur/" NAME ":2,", STORED, true }, { "Maildir/new/" MOVED, MOVED_TEXT, true },
		{ "Maildir/cur/" MOVED ":2,RS", MOVED_TEXT, true },
		{ "Maildir/cur/" NAME ":2,S", STORED "x", false }, /* another length: another message */
		{ "Maildir/cur/" MOVED ":2,S", STORED, false }, { "Maildir/cur/" NAME "0:2,S", STORED, false }, /* another name */
		{ "Maildir/tmp/" NAME, STORED, false }, /* never became visible */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct place p;
		place_init(&p);
		put_in(&p, t[i].name, t[i].text);
		struct copied r = copy(&p, true);
		CU_ASSERT(r.ok);
		CU_ASSERT_STRING_EQUAL(r.path, t[i].found ? t[i].name : "Maildir/new/" NAME);
		unsigned n = place_count(p.home_fd, "Maildir/new") + place_count(p.home_fd, "Maildir/cur");
		CU_ASSERT_EQUAL(n, t[i].found || strncmp(t[i].name, "Maildir/tmp", 11) == 0 ? 1 : 2);
		CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, t[i].name), t[i].text);
		place_free(&p);
	}
}

static void a_second_try_stores_no_second_copy(void)
{
	struct place p;
	place_init(&p);
	CU_ASSERT(copy(&p, false).ok);
	CU_ASSERT(copy(&p, false).ok);
	CU_ASSERT(copy(&p, true).ok);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/new"), 1);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/tmp"), 0);
	place_free(&p);
}

static void what_has_our_name_is_never_overwritten(void)
{
	struct place p;
	place_init(&p);
	put_in(&p, "Maildir/new/" NAME, "the user's own");
	struct copied r = copy(&p, false);
	CU_ASSERT(r.ok);
	CU_ASSERT_STRING_NOT_EQUAL(r.path, "Maildir/new/" NAME);
	CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, "Maildir/new/" NAME), "the user's own");
	CU_ASSERT_STRING_EQUAL(place_get(p.home_fd, r.path), STORED);
	place_free(&p);
}

static void old_files_of_ours_in_tmp_are_removed(void)
{
	static const struct {
		const char *name;
		time_t age;
		bool stays;
	} t[] = {
		{ "Maildir/tmp/" NAME ".p123.00112233445566ff", 37 * 3600, false },
		{ "Maildir/tmp/" NAME ".p123.00112233445566fe", 35 * 3600, true },
		{ "Maildir/tmp/1234.p1.host", 37 * 3600, true },
		{ "Maildir/tmp/.p12.0011223344556677", 37 * 3600, true },
		{ "Maildir/tmp/x.p12.0011223344556677z", 37 * 3600, true },
	};
	struct place p;
	place_init(&p);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct timespec times[2] = { { .tv_sec = time(NULL) - t[i].age } };
		times[1] = times[0];
		put_in(&p, t[i].name, "x");
		CU_ASSERT_EQUAL(utimensat(p.home_fd, t[i].name, times, 0), 0);
	}
	CU_ASSERT(copy(&p, true).ok);
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(place_has(p.home_fd, t[i].name), t[i].stays);
	place_free(&p);
}

static void a_queue_file_that_ends_early_leaves_nothing(void)
{
	struct place p;
	place_init(&p);
	struct copied r = copy_size(&p, false, 1000000);
	CU_ASSERT_FALSE(r.ok);
	CU_ASSERT_STRING_EQUAL(r.e.dsn, "4.3.0");
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/tmp"), 0);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/new"), 0);
	place_free(&p);
}

/* A file system of one page for everything; only root may mount it. */
static void a_full_disk_is_named_and_leaves_nothing(void)
{
	struct place p;
	struct stat st;
	place_init(&p);
	if (!p.root || mount("none", p.home, "tmpfs", 0, "size=4k,mode=0755,nr_inodes=20") < 0)
		return place_free(&p);
	fd_close(&p.home_fd);
	p.home_fd = open(p.home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place_chown(&p, AT_FDCWD, p.home, p.user.uid);
	put_in(&p, "filler", "x");
	struct copied r = copy(&p, false);
	CU_ASSERT_FALSE(r.ok);
	CU_ASSERT_STRING_EQUAL(r.e.dsn, "4.2.2");
	CU_ASSERT_PTR_NOT_NULL(strstr(r.e.text, "No space"));
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/tmp"), 0);
	CU_ASSERT_EQUAL(place_count(p.home_fd, "Maildir/new"), 0);
	place_clear(p.home_fd, "filler");
	CU_ASSERT(copy(&p, false).ok);
	CU_ASSERT_EQUAL(fstatat(p.home_fd, "Maildir/new/" NAME, &st, 0), 0);
	fd_close(&p.home_fd);
	CU_ASSERT_EQUAL(umount2(p.home, MNT_DETACH), 0);
	p.home_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	place_free(&p);
}

void suite_mbx_copy(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_copy_is_our_head_and_the_message),
		UNIT(a_missing_maildir_is_made_for_the_user_alone),
		UNIT(nothing_is_written_where_links_point),
		UNIT(an_unusable_mailbox_is_named),
		UNIT(a_path_does_not_leave_the_home),
		UNIT(a_missing_home_is_not_made),
		UNIT(an_earlier_copy_is_found_where_its_reader_put_it),
		UNIT(a_second_try_stores_no_second_copy),
		UNIT(what_has_our_name_is_never_overwritten),
		UNIT(old_files_of_ours_in_tmp_are_removed),
		UNIT(a_queue_file_that_ends_early_leaves_nothing),
		UNIT(a_full_disk_is_named_and_leaves_nothing),
		UNIT_END,
	};
	unit_suite("mbx_copy", cases);
}
