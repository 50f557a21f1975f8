/* The user data base, on a real file system. */
#include "tests/unit/unit.h"

#include "base/fd.h"
#include "users.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRINT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PRINT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct place {
	char path[40];
	int fd;
};

static struct place make_place(void)
{
	struct place p = { .path = "/tmp/postern-users-XXXXXX" };
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(p.path));
	p.fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CU_ASSERT_TRUE_FATAL(p.fd >= 0);
	return p;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static void remove_place(struct place *p)
{
	fd_close(&p->fd);
	CU_ASSERT_EQUAL(nftw(p->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static struct users *open_at(const struct place *p)
{
	struct err e = { 0 };
	struct users *u = users_open(p->fd, p->path, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(u);
	return u;
}

static bool put(struct users *u, const char *name, const char *hash, const char *fingerprint, struct err *e)
{
	struct record r;
	record_init(&r);
	snprintf(r.name, sizeof r.name, "%s", name);
	snprintf(r.hash, sizeof r.hash, "%s", hash);
	if (*fingerprint) {
		struct record_cert *c = vec_push(&r.certs);
		snprintf(c->fingerprint, sizeof c->fingerprint, "%s", fingerprint);
	}
	bool ok = users_put(u, &r, false, e);
	record_free(&r);
	return ok;
}

static bool has(struct users *u, const char *name, const char *hash)
{
	struct record r;
	record_init(&r);
	bool ok = users_get(u, name, &r, NULL) == USERS_FOUND && strcmp(r.hash, hash) == 0;
	record_free(&r);
	return ok;
}

static bool owns(struct users *u, const char *fingerprint, const char *name)
{
	struct record r;
	record_init(&r);
	enum users_result found = users_by_cert(u, fingerprint, &r, NULL);
	bool ok = *name ? found == USERS_FOUND && strcmp(r.name, name) == 0 : found == USERS_NONE;
	record_free(&r);
	return ok;
}

static void users_are_kept_whatever_the_case_of_their_names(void)
{
	struct place p = make_place();
	struct users *u = open_at(&p);
	unsigned char secret[USERS_SECRET];
	memcpy(secret, users_secret(u), sizeof secret);
	CU_ASSERT_TRUE(put(u, "Al@X.example", "$one", "", NULL));
	CU_ASSERT_TRUE(has(u, "AL@x.EXAMPLE", "$one"));
	CU_ASSERT_FALSE(has(u, "al", "$one"));
	users_close(u);
	u = open_at(&p);
	CU_ASSERT_TRUE(has(u, "al@x.example", "$one"));
	CU_ASSERT_EQUAL(memcmp(secret, users_secret(u), sizeof secret), 0); /* or the salts of unknown users would change */
	CU_ASSERT_TRUE(users_delete(u, "al@x.example", NULL));
	CU_ASSERT_FALSE(has(u, "al@x.example", "$one"));
	struct err e = { 0 };
	CU_ASSERT_FALSE(users_delete(u, "al@x.example", &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	users_close(u);
	remove_place(&p);
}

static void a_listing_is_in_order_and_ends(void)
{
	static const char *const names[] = { "a", "a.b", "ab", "b", "\xc3\xa9" };
	struct place p = make_place();
	struct users *u = open_at(&p);
	char after[AUTH_ACCOUNT_MAX + 1] = "";
	for (size_t i = COUNT(names); i-- > 0;)
		CU_ASSERT_TRUE(put(u, names[i], "$x", "", NULL));
	CU_ASSERT_TRUE(put(u, "b", "$x", PRINT_A, NULL)); /* its key is not a user's */
	for (size_t i = 0; i <= COUNT(names); i++) {
		struct record r;
		record_init(&r);
		CU_ASSERT_EQUAL(users_next(u, after, &r, NULL), i < COUNT(names) ? USERS_FOUND : USERS_NONE);
		CU_ASSERT_STRING_EQUAL(r.name, i < COUNT(names) ? names[i] : "");
		memcpy(after, r.name, sizeof after);
		record_free(&r);
	}
	users_close(u);
	remove_place(&p);
}

static void a_certificate_has_one_owner(void)
{
	struct place p = make_place();
	struct users *u = open_at(&p);
	struct err e = { 0 };
	CU_ASSERT_TRUE(put(u, "al", "", PRINT_A, NULL));
	CU_ASSERT_TRUE(owns(u, PRINT_A, "al"));
	CU_ASSERT_FALSE(put(u, "bea", "", PRINT_A, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_TRUE(put(u, "al", "", PRINT_B, NULL));
	CU_ASSERT_TRUE(owns(u, PRINT_A, "") && owns(u, PRINT_B, "al"));
	CU_ASSERT_TRUE(users_delete(u, "al", NULL));
	CU_ASSERT_TRUE(owns(u, PRINT_B, ""));
	users_close(u);
	remove_place(&p);
}

static bool put_verifier(struct users *u, const char *name)
{
	struct record r;
	record_init(&r);
	snprintf(r.name, sizeof r.name, "%s", name);
	r.has_scram = true;
	scram_derive(SV("x"), SV("0123456789abcdef"), 4096, &r.scram);
	bool ok = users_put(u, &r, false, NULL);
	record_free(&r);
	return ok;
}

static void whether_anybody_has_a_verifier_is_known(void)
{
	struct place p = make_place();
	struct users *u = open_at(&p);
	CU_ASSERT_FALSE(users_have_scram(u));
	CU_ASSERT_TRUE(put(u, "al", "", PRINT_A, NULL));
	CU_ASSERT_FALSE(users_have_scram(u));
	CU_ASSERT_TRUE(put_verifier(u, "zoe") && put_verifier(u, "bea"));
	CU_ASSERT_TRUE(users_have_scram(u));
	users_close(u);
	u = open_at(&p);
	CU_ASSERT_TRUE(users_have_scram(u));
	CU_ASSERT_TRUE(users_delete(u, "zoe", NULL) && users_have_scram(u));
	CU_ASSERT_TRUE(users_delete(u, "bea", NULL));
	CU_ASSERT_FALSE(users_have_scram(u));
	users_close(u);
	remove_place(&p);
}

static void one_process_owns_it_at_a_time(void)
{
	struct place p = make_place();
	struct users *u = open_at(&p);
	struct err e = { 0 };
	CU_ASSERT_PTR_NULL(users_open(p.fd, p.path, 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	users_close(u);
	users_close(open_at(&p));
	remove_place(&p);
}

/* What was answered is there after the process that wrote it was killed in the middle of more. */
static void a_kill_tears_nothing(void)
{
	struct place p = make_place();
	int ends[2];
	char c = 0;
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct users *u = users_open(p.fd, p.path, 0, NULL);
		bool ok = u && put(u, "al", "$one", PRINT_A, NULL) && write(ends[1], "x", 1) == 1;
		for (unsigned i = 0; ok; i++) {
			char name[20];
			snprintf(name, sizeof name, "more%u", i % 100);
			ok = put(u, name, "$x", "", NULL);
		}
		_exit(1);
	}
	CU_ASSERT_EQUAL(read(ends[0], &c, 1), 1);
	usleep(20000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	struct users *u = open_at(&p);
	CU_ASSERT_TRUE(has(u, "al", "$one") && owns(u, PRINT_A, "al"));
	users_close(u);
	close(ends[0]);
	close(ends[1]);
	remove_place(&p);
}

static void what_others_can_reach_is_not_used(void)
{
	struct place p = make_place();
	struct err e = { 0 };
	users_close(open_at(&p));
	static const struct {
		const char *name;
		mode_t mode, good;
		const char *want;
	} t[] = { { ".", 0770, 0700, "chmod 0700" }, { ".", 0701, 0700, "chmod 0700" }, { "users.db", 0660, 0600, "chmod 0600" },
		{ "users.db", 0604, 0600, "chmod 0600" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(fchmodat(p.fd, t[i].name, t[i].mode, 0), 0);
		CU_ASSERT_PTR_NULL(users_open(p.fd, p.path, 0, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, t[i].want));
		CU_ASSERT_EQUAL(fchmodat(p.fd, t[i].name, t[i].good, 0), 0);
		users_close(open_at(&p));
	}
	CU_ASSERT_EQUAL(renameat(p.fd, "users.db", p.fd, "elsewhere"), 0);
	CU_ASSERT_EQUAL(symlinkat("elsewhere", p.fd, "users.db"), 0);
	CU_ASSERT_PTR_NULL(users_open(p.fd, p.path, 0, &e));
	remove_place(&p);
}

/* Cut off anywhere, it is not taken for an empty one. */
static void a_truncated_data_base_has_no_users_to_be_unknown(void)
{
	static const off_t sizes[] = { 0, 100, 4096, 8192, 12288, 20000 };
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct place p = make_place();
		struct users *u = open_at(&p);
		struct err e = { 0 };
		struct record r;
		char name[20];
		record_init(&r);
		for (unsigned n = 0; n < 300; n++) {
			snprintf(name, sizeof name, "user%u", n);
			CU_ASSERT_TRUE(
				put(u, name, "$y$a-hash-that-takes-some-room-so-that-there-are-several-pages-of-them", "", NULL));
		}
		users_close(u);
		int fd = openat(p.fd, "users.db", O_WRONLY | O_CLOEXEC);
		CU_ASSERT_EQUAL(ftruncate(fd, sizes[i]), 0);
		fd_close(&fd);
		u = users_open(p.fd, p.path, 0, &e);
		CU_ASSERT_TRUE(u ? users_get(u, "user299", &r, &e) == USERS_FAILED : e.kind == ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "damaged"));
		users_close(u);
		record_free(&r);
		remove_place(&p);
	}
}

static void damage_is_said(void)
{
	struct place p = make_place();
	struct users *u = open_at(&p);
	struct err e = { 0 };
	char junk[4096];
	CU_ASSERT_TRUE(put(u, "al", "$one", "", NULL));
	users_close(u);
	memset(junk, 'x', sizeof junk);
	int fd = openat(p.fd, "users.db", O_WRONLY | O_CLOEXEC);
	CU_ASSERT_EQUAL(write(fd, junk, sizeof junk), (ssize_t)sizeof junk);
	fd_close(&fd);
	CU_ASSERT_PTR_NULL(users_open(p.fd, p.path, 0, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "restore"));
	remove_place(&p);
}

void suite_authd_users(void)
{
	static const struct unit_case cases[] = {
		UNIT(users_are_kept_whatever_the_case_of_their_names),
		UNIT(a_listing_is_in_order_and_ends),
		UNIT(a_certificate_has_one_owner),
		UNIT(whether_anybody_has_a_verifier_is_known),
		UNIT(one_process_owns_it_at_a_time),
		UNIT(a_kill_tears_nothing),
		UNIT(what_others_can_reach_is_not_used),
		UNIT(a_truncated_data_base_has_no_users_to_be_unknown),
		UNIT(damage_is_said),
		UNIT_END,
	};
	unit_suite("authd_users", cases);
}
