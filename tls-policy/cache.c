#include "cache.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "ipc/msg_tls.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "mta-sts.db"
#define LOCK_NAME "lock"
#define HANDOVER_MS 3000
#define POLL_MS 10
#define AGAIN_MS 10000
#define CACHE_BYTES (2u << 20)
#define TEXT_MAX (STS_PATTERNS_MAX + 200)

struct cache {
	int lock;
	DB *db; /* NULL: cache_ready() opens it */
	uint64_t again_ms;
	char path[4200];
	size_t entries, max;
};

bool cached_holds(const struct cached *c, uint64_t now)
{
	/* one from the future was stored before the clock was set back: nobody knows its age */
	return c->id[0] != '\0' && c->fetched <= now && now < c->fetched + c->policy.max_age;
}

/* --- an entry as text: "id mode max_age fetched look_again mx..." ------------------------------------------------------------- */

static bool next_number(struct sv *rest, uint64_t max, uint64_t *ret)
{
	struct sv word;
	return sv_word(rest, &word) && num_u64(word, 0, max, ret);
}

static bool parse(struct sv text, struct cached *ret)
{
	struct sv word, rest = text;
	uint64_t mode;
	*ret = (struct cached){ 0 };
	if (!sv_word(&rest, &word) || !sv_copy(sv_eqs(word, "-") ? SV("") : word, ret->id, sizeof ret->id) ||
		!next_number(&rest, STS_ENFORCE, &mode) || !next_number(&rest, STS_AGE_MAX, &ret->policy.max_age) ||
		!next_number(&rest, UINT64_MAX, &ret->fetched) || !next_number(&rest, UINT64_MAX, &ret->look_again))
		return false;
	ret->policy.mode = (enum sts_mode)mode;
	return sv_copy(sv_trim(rest), ret->policy.mx, sizeof ret->policy.mx);
}

static void put_text(const struct cached *c, struct buf *out)
{
	buf_putf(out, "%s %d %llu %llu %llu %s", c->id[0] ? c->id : "-", (int)c->policy.mode, (unsigned long long)c->policy.max_age,
		(unsigned long long)c->fetched, (unsigned long long)c->look_again, c->policy.mx);
	BUG_IF(!buf_ok(out));
}

/* --- the file -------------------------------------------------------------------------------------------------------------- */

static DB *open_file(const char *path, int *ret_rc)
{
	DB *db = NULL;
	int rc = db_create(&db, NULL, 0);
	if (rc == 0)
		db->set_errfile(db, NULL);
	if (rc == 0)
		rc = db->set_flags(db, DB_CHKSUM);
	if (rc == 0)
		rc = db->set_cachesize(db, 0, CACHE_BYTES, 1);
	if (rc == 0)
		rc = db->open(db, NULL, path, NULL, DB_BTREE, DB_CREATE, 0600);
	if (rc != 0 && db) {
		db->close(db, DB_NOSYNC);
		db = NULL;
	}
	*ret_rc = rc;
	return db;
}

static void drop_file(struct cache *c, int reason)
{
	LOG_WARN("cache-lost", KV_STR("file", c->path), KV_STR("reason", db_strerror(reason)));
	if (c->db)
		c->db->close(c->db, DB_NOSYNC);
	c->db = NULL;
	c->entries = 0;
	if (unlink(c->path) < 0 && errno != ENOENT)
		LOG_WARN("cache-failed", KV_STR("file", c->path), KV_STR("reason", strerror(errno)));
}

/* Positive are errno's: the system's trouble, not the file's. */
static bool is_damage(int rc) { return rc < 0 && rc != DB_NOTFOUND && rc != DB_BUFFER_SMALL; }

static void failed(struct cache *c, int rc)
{
	if (is_damage(rc))
		drop_file(c, rc);
	else
		LOG_WARN("cache-failed", KV_STR("file", c->path), KV_STR("reason", db_strerror(rc)));
}

static int count_entries(struct cache *c)
{
	DB_BTREE_STAT *stat = NULL;
	int rc = c->db->stat(c->db, NULL, &stat, 0);
	c->entries = rc == 0 ? stat->bt_nkeys : 0;
	free(stat);
	return rc;
}

/* Every page of it is read once: one that is damaged is better found now. */
static int open_counted(struct cache *c)
{
	int rc;
	c->db = open_file(c->path, &rc);
	if (c->db)
		rc = count_entries(c);
	if (rc != 0 && c->db) {
		c->db->close(c->db, DB_NOSYNC);
		c->db = NULL;
	}
	return rc;
}

/* At a reload the one before us has it for a moment, and to answer without it would be to forget what domains demand. */
static bool take_lock(struct cache *c)
{
	uint64_t end = clock_mono_ms() + HANDOVER_MS;
	while (flock(c->lock, LOCK_EX | LOCK_NB) < 0) {
		if (clock_mono_ms() >= end) {
			LOG_WARN("cache-failed", KV_STR("file", c->path), KV_STR("reason", "another process has it"));
			return false;
		}
		struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
		nanosleep(&pause, NULL);
	}
	return true;
}

bool cache_ready(struct cache *c)
{
	uint64_t now = clock_mono_ms();
	int rc;
	if (c->db || now < c->again_ms)
		return c->db != NULL;
	bool locked = take_lock(c);
	c->again_ms = clock_mono_ms() + AGAIN_MS;
	if (!locked)
		return false;
	rc = open_counted(c);
	if (is_damage(rc) || rc == EINVAL) { /* EINVAL: it is no data base at all */
		drop_file(c, rc);
		rc = open_counted(c);
	}
	if (rc != 0)
		LOG_WARN("cache-failed", KV_STR("file", c->path), KV_STR("reason", db_strerror(rc)));
	return c->db != NULL;
}

struct cache *cache_open(int dirfd, const char *path, size_t max, struct err *e)
{
	struct cache *c = mem_new(sizeof *c);
	*c = (struct cache){ .max = max, .lock = openat(dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600) };
	if (c->lock < 0)
		err_sys(e, ERR_TEMP, "open %s/" LOCK_NAME, path);
	else if (snprintf(c->path, sizeof c->path, "%s/" FILE_NAME, path) >= (int)sizeof c->path)
		err_set(e, ERR_PERM, "state_directory is too long");
	else
		return c;
	fd_close(&c->lock);
	free(c);
	return NULL;
}

void cache_close(struct cache *c)
{
	if (!c)
		return;
	if (c->db)
		c->db->close(c->db, 0);
	fd_close(&c->lock);
	free(c);
}

static DBT key_of(const char *domain) { return (DBT){ .data = (void *)(uintptr_t)domain, .size = (uint32_t)strlen(domain) }; }

enum cache_found cache_get(struct cache *c, const char *domain, struct cached *ret)
{
	char text[TEXT_MAX];
	DBT key = key_of(domain), data = { .data = text, .ulen = sizeof text, .flags = DB_DBT_USERMEM };
	*ret = (struct cached){ 0 };
	if (!cache_ready(c))
		return CACHE_FAILED;
	int rc = c->db->get(c->db, NULL, &key, &data, 0);
	if (rc == DB_NOTFOUND || rc == DB_BUFFER_SMALL) /* what is longer than any entry is none */
		return CACHE_NONE;
	if (rc == 0)
		return parse((struct sv){ text, data.size }, ret) ? CACHE_FOUND : CACHE_NONE;
	failed(c, rc);
	return is_damage(rc) ? CACHE_NONE : CACHE_FAILED;
}

bool cache_put(struct cache *c, const char *domain, const struct cached *entry)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	DBT key = key_of(domain);
	if (!cache_ready(c))
		return false;
	int rc = c->db->exists(c->db, NULL, &key, 0);
	bool is_new = rc == DB_NOTFOUND;
	if (is_new && c->entries >= c->max)
		return false;
	put_text(entry, &text);
	DBT data = { .data = text.data, .size = (uint32_t)text.len };
	if (rc == 0 || is_new)
		rc = c->db->put(c->db, NULL, &key, &data, 0);
	c->entries += rc == 0 && is_new;
	if (rc == 0)
		rc = c->db->sync(c->db, 0);
	buf_free(&text);
	if (rc != 0)
		failed(c, rc);
	return rc == 0;
}

void cache_tidy(struct cache *c, uint64_t now)
{
	char name[TLS_DOMAIN_MAX + 1], text[TEXT_MAX];
	DBT key = { .data = name, .ulen = sizeof name, .flags = DB_DBT_USERMEM };
	DBT data = { .data = text, .ulen = sizeof text, .flags = DB_DBT_USERMEM };
	struct cached entry;
	DBC *cursor = NULL;
	size_t kept = 0;
	int rc = cache_ready(c) ? c->db->cursor(c->db, NULL, &cursor, 0) : DB_NOTFOUND;
	while (rc == 0 && (rc = cursor->get(cursor, &key, &data, DB_NEXT)) == 0) {
		bool good = parse((struct sv){ text, data.size }, &entry);
		if (good && (cached_holds(&entry, now) || now < entry.look_again))
			kept++;
		else
			rc = cursor->del(cursor, 0);
	}
	if (cursor)
		cursor->close(cursor);
	if (rc == DB_NOTFOUND)
		c->entries = kept;
	if (rc != DB_NOTFOUND && c->db)
		failed(c, rc);
}
