/* Berkeley DB 5.3: the only file that knows it.
 *
 * The library trusts its files: a damaged one can crash it, even its verifier, or leave handles that cannot be closed. So a table
 * is first verified as a whole by a child process: whatever happens to that one, we know what to think of the file. Our own tables
 * also carry page checksums, for damage that comes later. */
#include "maps/bdb.h"
#include "base/fd.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#define META_LEN 72 /* bytes that the metadata pages of hash and btree have in common */
#define HASH_MAGIC 0x061561u
#define BTREE_MAGIC 0x053162u
#define PAGE_MIN 512u
#define PAGE_MAX 65536u
#define VERIFY_SECS 30 /* some GiB: no table of addresses */

struct bdb {
	DB *db;
	char value[MAP_VALUE_MAX + 1];
};

static bool fail(struct err *e, const char *path, int rc)
{
	if (rc > 0) {
		errno = rc;
		return err_sys(e, ERR_TEMP, "%s", path);
	}
	return err_set(e, ERR_TEMP, "%s: %s", path, db_strerror(rc));
}

/* The library would write to stderr and stdout. */
static void no_error(const DB_ENV *env, const char *prefix, const char *text) { (void)env, (void)prefix, (void)text; }
static void no_message(const DB_ENV *env, const char *text) { (void)env, (void)text; }

static DB *new_db(const char *path, struct err *e)
{
	DB *db = NULL;
	int rc = db_create(&db, NULL, 0);

	if (rc != 0) {
		fail(e, path, rc);
		return NULL;
	}
	db->set_errcall(db, no_error);
	db->set_msgcall(db, no_message);
	return db;
}

static uint32_t u32_at(const unsigned char *p, bool swap)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swap ? __builtin_bswap32(v) : v;
}

static bool is_magic(uint32_t v) { return v == HASH_MAGIC || v == BTREE_MAGIC; }

/* Kind, page size and number of pages as the first page tells them; files of the other byte order are valid too. */
static bool meta_ok(const unsigned char meta[META_LEN], off_t size)
{
	bool swap = !is_magic(u32_at(meta + 12, false));
	uint32_t page_size = u32_at(meta + 20, swap), last_page = u32_at(meta + 32, swap);

	if (!is_magic(u32_at(meta + 12, swap)) || page_size < PAGE_MIN || page_size > PAGE_MAX || (page_size & (page_size - 1)))
		return false;
	return size % page_size == 0 && (uint64_t)last_page < (uint64_t)size / page_size;
}

static bool check_meta(const char *path, struct err *e)
{
	unsigned char meta[META_LEN];
	struct stat st;
	size_t n = 0;
	bool ok = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0)
		err_sys(e, ERR_TEMP, "read %s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_PERM, "%s is not a regular file", path);
	else if (fd_pread(fd, meta, sizeof(meta), 0, &n, e))
		ok = (n == sizeof(meta) && meta_ok(meta, st.st_size)) ||
		     err_set(e, ERR_PERM, "%s is not a hash or btree file of Berkeley DB, or damaged: compile it again", path);
	fd_close(&fd);
	return ok;
}

static void verify_and_exit(const char *path) NORETURN;
static void verify_and_exit(const char *path)
{
	static const int deadly[] = { SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL };
	int null = open("/dev/null", O_WRONLY);
	DB *db = new_db(path, NULL);

	/* Damaged pages may well kill the library: that is why it is a process of its own, and nobody's handler is to report it. */
	for (size_t i = 0; i < COUNT(deadly); i++)
		signal(deadly[i], SIG_DFL);
	alarm(VERIFY_SECS);
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	_exit(db && db->verify(db, path, NULL, NULL, 0) == 0 ? 0 : 1);
}

static bool verify(const char *path, struct err *e)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, ERR_TEMP, "start a process to verify %s", path);
	if (pid == 0)
		verify_and_exit(path);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	return err_set(e, ERR_PERM, "table %s is damaged: compile it again", path);
}

struct bdb *bdb_open(const char *path, struct err *e)
{
	DB *db;
	int rc;

	if (!check_meta(path, e) || !verify(path, e) || !(db = new_db(path, e)))
		return NULL;
	rc = db->open(db, NULL, path, NULL, DB_UNKNOWN, DB_RDONLY, 0);
	if (rc != 0) {
		fail(e, path, rc);
		db->close(db, DB_NOSYNC);
		return NULL;
	}
	struct bdb *b = mem_new(sizeof(*b));
	b->db = db;
	return b;
}

void bdb_close(struct bdb *b)
{
	if (!b)
		return;
	b->db->close(b->db, DB_NOSYNC);
	free(b);
}

static struct sv without_nul(struct sv s)
{
	if (s.n && s.p[s.n - 1] == '\0')
		s.n--;
	return s;
}

enum map_result bdb_get(struct bdb *b, struct sv key, struct sv *ret_value, struct err *e)
{
	DBT k = { .data = (void *)(uintptr_t)key.p, .size = (uint32_t)key.n };
	DBT v = { .data = b->value, .ulen = sizeof(b->value), .flags = DB_DBT_USERMEM };
	int rc = b->db->get(b->db, NULL, &k, &v, 0);

	if (rc == DB_NOTFOUND)
		return MAP_NONE;
	if (rc != 0) {
		if (rc == DB_BUFFER_SMALL)
			err_set(e, ERR_PERM, "a value is longer than %d bytes", MAP_VALUE_MAX);
		else
			fail(e, "look-up", rc);
		return MAP_FAILED;
	}
	*ret_value = without_nul((struct sv){ b->value, v.size });
	if (sv_chr(*ret_value, '\0') < 0)
		return MAP_FOUND;
	err_set(e, ERR_PERM, "a value holds a NUL byte");
	return MAP_FAILED;
}

bool bdb_each(struct bdb *b, map_visit *on, void *arg, struct err *e)
{
	DBT k = { 0 }, v = { 0 };
	DBC *cursor;
	size_t n = 0;
	int rc = b->db->cursor(b->db, NULL, &cursor, 0);

	if (rc != 0)
		return fail(e, "walk", rc);
	while ((rc = cursor->get(cursor, &k, &v, DB_NEXT)) == 0 && ++n <= MAP_ENTRIES_MAX)
		if (!on(without_nul((struct sv){ k.data, k.size }), without_nul((struct sv){ v.data, v.size }), 0, arg))
			break;
	cursor->close(cursor);
	if (n > MAP_ENTRIES_MAX)
		return err_set(e, ERR_PERM, "more than %d entries", MAP_ENTRIES_MAX);
	return rc == 0 || rc == DB_NOTFOUND || fail(e, "walk", rc);
}

static int put_all(DB *db, const struct map_table *t, uint64_t *ret_entries)
{
	struct sv key, value;
	unsigned line;
	uint64_t n = 0;

	for (size_t i = 0; i < map_table_len(t); i++) {
		map_table_at(t, i, &key, &value, &line);
		DBT k = { .data = (void *)(uintptr_t)key.p, .size = (uint32_t)key.n };
		DBT v = { .data = (void *)(uintptr_t)value.p, .size = (uint32_t)value.n };
		int rc = db->put(db, NULL, &k, &v, DB_NOOVERWRITE); /* sorted: the first of a key comes first, and counts */
		if (rc != 0 && rc != DB_KEYEXIST)
			return rc;
		n += rc == 0;
	}
	*ret_entries = n;
	return 0;
}

bool bdb_write(const char *path, const struct map_table *t, uint64_t *ret_entries, struct err *e)
{
	DB *db = new_db(path, e);
	uint64_t n = 0;
	int rc, rc_close;

	if (!db)
		return false;
	rc = db->set_flags(db, DB_CHKSUM);
	if (rc == 0)
		rc = db->open(db, NULL, path, NULL, DB_BTREE, DB_CREATE | DB_EXCL, 0600);
	if (rc == 0)
		rc = put_all(db, t, &n);
	rc_close = db->close(db, 0); /* writes what is still in its cache */
	if (rc != 0 || rc_close != 0)
		return fail(e, path, rc ? rc : rc_close);
	*ret_entries = n;
	return true;
}
