/* Berkeley DB 5.3: the only file that knows it.
 *
 * The library trusts its files. So before it may follow a pointer in one, the first page is checked against the size of the file,
 * and then all pages by the library's own verifier; our own tables carry page checksums besides. */
#include "maps/bdb.h"
#include "base/fd.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>

#define META_LEN 72 /* bytes that the metadata pages of hash and btree have in common */
#define HASH_MAGIC 0x061561u
#define BTREE_MAGIC 0x053162u
#define PAGE_MIN 512u
#define PAGE_MAX 65536u

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

static void no_message(const DB_ENV *env, const char *prefix, const char *text) /* the library would write to stderr */
{
	(void)env, (void)prefix, (void)text;
}

static DB *new_db(const char *path, struct err *e)
{
	DB *db = NULL;
	int rc = db_create(&db, NULL, 0);

	if (rc != 0) {
		fail(e, path, rc);
		return NULL;
	}
	db->set_errcall(db, no_message);
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

static bool verify(const char *path, struct err *e)
{
	DB *db = new_db(path, e);
	int rc;

	if (!db)
		return false;
	rc = db->verify(db, path, NULL, NULL, 0); /* ends the handle */
	if (rc == 0)
		return true;
	fail(e, path, rc);
	err_add(e, "table is damaged, compile it again");
	return false;
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
