/* Records: 't' and the token: struct counts; 'd' and the digest: struct trained; "meta": struct meta. Integers in the machine's
 * byte order, as in the rest of a Berkeley DB file. */
#include "bayes_db.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "bayes.h"
#include "bayes_tab.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_FILE "lock"
#define DB_NEW BAYES_DB_FILE ".new"
#define TAB_NEW BAYES_TAB_FILE ".new"
#define FORMAT 1u
#define CACHE_BYTES (32u << 20)
#define LOCK_POLL_MS 50
#define PAGE_BYTES 4096u
#define RARE_MAX 2u /* a token that was seen so often at most goes first */
#define AGES 256u   /* steps in which age is measured for expiry */

struct meta {
	uint32_t format, unused;
	uint64_t clock;            /* messages ever trained: the age of things is measured by it */
	uint64_t spam, ham;        /* trained and not forgotten */
	uint64_t tokens, messages; /* records of each kind */
};
struct counts {
	uint32_t spam, ham;
	uint64_t seen; /* clock when it was trained last */
};
struct trained {
	uint64_t class, seen;
};

struct bayes_db {
	int dirfd, lock;
	DB *db;
	struct meta meta;
	uint64_t tokens_max, messages_max;
	char why[160]; /* Berkeley DB's own words about its last error */
};

struct key {
	unsigned char byte[1 + sizeof(struct bayes_digest)];
	uint32_t len;
};

static struct key token_key(uint64_t token)
{
	struct key k = { .byte = { 't' }, .len = 1 + sizeof(token) };
	memcpy(k.byte + 1, &token, sizeof(token));
	return k;
}

static struct key message_key(const struct bayes_digest *d)
{
	struct key k = { .byte = { 'd' }, .len = sizeof(k.byte) };
	memcpy(k.byte + 1, d->byte, sizeof(d->byte));
	return k;
}

static struct key meta_key(void) { return (struct key){ .byte = "meta", .len = 4 }; }

static void on_db_error(const DB_ENV *env, const char *prefix, const char *text)
{
	struct bayes_db *db = env->app_private;
	(void)prefix;
	snprintf(db->why, sizeof(db->why), "%s", text);
}

/* Disk and memory may get better; what else Berkeley DB reports means the file cannot be used. */
static bool db_error(struct bayes_db *db, int rc, const char *what, struct err *e)
{
	bool temp = rc == ENOSPC || rc == ENOMEM || rc == EACCES || rc == EDQUOT || rc == EMFILE || rc == EIO;
	if (temp)
		return err_set(e, ERR_TEMP, "%s " BAYES_DB_FILE ": %s", what, db_strerror(rc));
	return err_set(e, ERR_PERM, "%s " BAYES_DB_FILE ": %s: the database is damaged; move it away and train anew", what,
		db->why[0] ? db->why : db_strerror(rc));
}

/* *ret_found false: no such record. A record of another size is damage. */
static bool get(struct bayes_db *db, const struct key *k, void *dst, uint32_t size, bool *ret_found, struct err *e)
{
	DBT key = { .data = (void *)(uintptr_t)k->byte, .size = k->len };
	DBT data = { .data = dst, .ulen = size, .flags = DB_DBT_USERMEM };
	int rc = db->db->get(db->db, NULL, &key, &data, 0);
	*ret_found = rc == 0;
	if (rc == DB_NOTFOUND)
		return true;
	if (rc == 0 && data.size != size)
		rc = EINVAL;
	return rc == 0 || db_error(db, rc, "read", e);
}

static bool put(struct bayes_db *db, const struct key *k, const void *src, uint32_t size, struct err *e)
{
	DBT key = { .data = (void *)(uintptr_t)k->byte, .size = k->len };
	DBT data = { .data = (void *)(uintptr_t)src, .size = size };
	int rc = db->db->put(db->db, NULL, &key, &data, 0);
	return rc == 0 || db_error(db, rc, "write", e);
}

static bool del(struct bayes_db *db, const struct key *k, struct err *e)
{
	DBT key = { .data = (void *)(uintptr_t)k->byte, .size = k->len };
	int rc = db->db->del(db->db, NULL, &key, 0);
	return rc == 0 || rc == DB_NOTFOUND || db_error(db, rc, "write", e);
}

/* --- beginning --------------------------------------------------------------------------------------------------------------- */

static bool wait_for_lock(int fd, uint64_t until_ms, struct err *e)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, ERR_TEMP, "lock " BAYES_DB_FILE);
		if (clock_mono_ms() >= until_ms)
			return err_set(e, ERR_TEMP, "another training is running: try again when it is done");
		struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool take_lock(struct bayes_db *db, uint64_t wait_ms, struct err *e)
{
	db->lock = openat(db->dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (db->lock < 0)
		return err_sys(e, ERR_TEMP, "open the lock of " BAYES_DB_FILE);
	if (wait_for_lock(db->lock, clock_mono_ms() + wait_ms, e))
		return true;
	fd_close(&db->lock); /* without it, bayes_db_end() leaves the other session's files alone */
	return false;
}

static bool copy_db(struct bayes_db *db, bool *ret_fresh, struct err *e)
{
	struct stat st;
	bool ok = false;
	int out = -1, in = openat(db->dirfd, BAYES_DB_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	unlinkat(db->dirfd, DB_NEW, 0); /* of a session that was killed */
	unlinkat(db->dirfd, TAB_NEW, 0);
	*ret_fresh = in < 0 && errno == ENOENT;
	if (*ret_fresh)
		return true;
	if (in < 0 || fstat(in, &st) < 0) {
		err_sys(e, ERR_TEMP, "open " BAYES_DB_FILE);
		goto out;
	}
	out = openat(db->dirfd, DB_NEW, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0) {
		err_sys(e, ERR_TEMP, "create " DB_NEW);
		goto out;
	}
	ok = fd_copy(in, 0, (uint64_t)st.st_size, out, e);
out:
	fd_close(&in);
	fd_close(&out);
	return ok;
}

static bool new_handle(struct bayes_db *db, struct err *e)
{
	int rc = db_create(&db->db, NULL, 0);
	if (rc != 0) {
		db->db = NULL;
		return db_error(db, rc, "open", e);
	}
	db->db->get_env(db->db)->app_private = db;
	db->db->set_errcall(db->db, on_db_error);
	return true;
}

/* Damage is looked for before anything else: found in mid-work, it leaves Berkeley DB unable to give its memory back. */
static bool verify_db(struct bayes_db *db, const char *name, struct err *e)
{
	if (!new_handle(db, e))
		return false;
	int rc = db->db->verify(db->db, name, NULL, NULL, 0); /* ends the handle in any case */
	db->db = NULL;
	return rc == 0 || db_error(db, rc, "check", e);
}

static bool open_db(struct bayes_db *db, const char *path, bool fresh, struct err *e)
{
	char name[4200];
	if (snprintf(name, sizeof(name), "%s/" DB_NEW, path) >= (int)sizeof(name))
		return err_set(e, ERR_PERM, "the path of " BAYES_DB_FILE " is too long");
	if ((!fresh && !verify_db(db, name, e)) || !new_handle(db, e))
		return false;
	int rc = db->db->set_cachesize(db->db, 0, CACHE_BYTES, 1);
	if (rc == 0 && fresh)
		rc = db->db->set_pagesize(db->db, PAGE_BYTES);
	if (rc == 0)
		rc = db->db->set_flags(db->db, DB_CHKSUM); /* a torn or flipped page is an error, not a wrong count */
	if (rc == 0)
		rc = db->db->open(db->db, NULL, name, NULL, DB_BTREE, fresh ? DB_CREATE | DB_EXCL : 0, 0600);
	return rc == 0 || db_error(db, rc, "open", e);
}

static bool read_meta(struct bayes_db *db, bool fresh, struct err *e)
{
	bool found;
	struct key k = meta_key();
	if (fresh) {
		db->meta = (struct meta){ .format = FORMAT };
		return put(db, &k, &db->meta, sizeof(db->meta), e);
	}
	if (!get(db, &k, &db->meta, sizeof(db->meta), &found, e))
		return false;
	return (found && db->meta.format == FORMAT) || db_error(db, EINVAL, "read", e);
}

struct bayes_db *bayes_db_begin(int dirfd, const char *path, uint64_t wait_ms, struct err *e)
{
	bool fresh;
	struct bayes_db *db = mem_new(sizeof(*db));
	*db = (struct bayes_db){
		.dirfd = dirfd, .lock = -1, .tokens_max = BAYES_DB_TOKENS_MAX, .messages_max = BAYES_DB_MESSAGES_MAX
	};
	if (take_lock(db, wait_ms, e) && copy_db(db, &fresh, e) && open_db(db, path, fresh, e) && read_meta(db, fresh, e))
		return db;
	bayes_db_end(db);
	return NULL;
}

void bayes_db_set_limits(struct bayes_db *db, uint64_t tokens_max, uint64_t messages_max)
{
	db->tokens_max = tokens_max;
	db->messages_max = messages_max;
}

void bayes_db_end(struct bayes_db *db)
{
	if (!db)
		return;
	if (db->db)
		db->db->close(db->db, DB_NOSYNC); /* nobody will read it */
	if (db->lock >= 0) {
		unlinkat(db->dirfd, DB_NEW, 0);
		unlinkat(db->dirfd, TAB_NEW, 0);
	}
	fd_close(&db->lock);
	free(db);
}

/* --- training ---------------------------------------------------------------------------------------------------------------- */

void bayes_db_totals(const struct bayes_db *db, uint64_t *ret_spam, uint64_t *ret_ham)
{
	*ret_spam = db->meta.spam;
	*ret_ham = db->meta.ham;
}

/* Expiry may have taken records that are still subtracted from: counts stop at 0. */
static void shift(uint32_t *n, int by)
{
	if (by > 0 && *n < UINT32_MAX)
		++*n;
	else if (by < 0 && *n > 0)
		--*n;
}

static bool count_token(struct bayes_db *db, uint64_t token, int spam, int ham, struct err *e)
{
	struct counts c = { 0 };
	struct key k = token_key(token);
	bool found;
	if (!get(db, &k, &c, sizeof(c), &found, e))
		return false;
	shift(&c.spam, spam);
	shift(&c.ham, ham);
	if (c.spam + c.ham == 0) {
		db->meta.tokens -= found && db->meta.tokens > 0;
		return !found || del(db, &k, e);
	}
	c.seen = db->meta.clock;
	db->meta.tokens += !found;
	return put(db, &k, &c, sizeof(c), e);
}

static bool note_message(struct bayes_db *db, const struct key *k, enum bayes_class to, bool known, struct err *e)
{
	struct trained t = { .class = to, .seen = db->meta.clock };
	if (to == BAYES_UNKNOWN) {
		db->meta.messages -= db->meta.messages > 0;
		return del(db, k, e);
	}
	db->meta.messages += !known;
	return put(db, k, &t, sizeof(t), e);
}

bool bayes_db_set(struct bayes_db *db, const struct bayes_digest *digest, const struct tokens *tokens, enum bayes_class to,
	bool *ret_changed, struct err *e)
{
	struct trained was = { .class = BAYES_UNKNOWN };
	struct key k = message_key(digest);
	bool known;
	if (!get(db, &k, &was, sizeof(was), &known, e))
		return false;
	*ret_changed = was.class != to;
	if (!*ret_changed)
		return true;
	int spam = (to == BAYES_SPAM) - (was.class == BAYES_SPAM);
	int ham = (to == BAYES_HAM) - (was.class == BAYES_HAM);
	db->meta.clock += to != BAYES_UNKNOWN;
	db->meta.spam += (uint64_t)(int64_t)spam;
	db->meta.ham += (uint64_t)(int64_t)ham;
	for (size_t i = 0; i < tokens->n; i++)
		if (!count_token(db, tokens->token[i], spam, ham, e))
			return false;
	return note_message(db, &k, to, known, e);
}

/* --- expiry ------------------------------------------------------------------------------------------------------------------ */

/* Calls on() for every record whose key begins with `kind`; on() returns whether the record goes. */
static bool for_each(struct bayes_db *db, char kind, uint32_t size,
	bool (*on)(struct bayes_db *, const DBT *, const void *, void *), void *arg, struct err *e)
{
	DBC *cursor;
	DBT key = { .data = &kind, .size = 1 }, data = { 0 };
	int rc = db->db->cursor(db->db, NULL, &cursor, 0);
	if (rc != 0)
		return db_error(db, rc, "read", e);
	for (rc = cursor->get(cursor, &key, &data, DB_SET_RANGE); rc == 0; rc = cursor->get(cursor, &key, &data, DB_NEXT)) {
		if (key.size == 0 || *(char *)key.data != kind)
			break;
		uint64_t copy[4]; /* records are not aligned in a page */
		rc = data.size == size && size <= sizeof(copy) ? 0 : EINVAL;
		if (rc != 0)
			break;
		memcpy(copy, data.data, size);
		if (on(db, &key, copy, arg) && (rc = cursor->del(cursor, 0)) != 0)
			break;
	}
	cursor->close(cursor);
	return rc == 0 || rc == DB_NOTFOUND || db_error(db, rc, "read", e);
}

struct expiry {
	uint64_t number[2][AGES]; /* of records of each age; [1]: the rare ones */
	uint64_t oldest_kept[2];  /* what is older goes; in steps of age, 0 is the oldest */
	uint64_t gone;
};

static unsigned age_step(const struct bayes_db *db, uint64_t seen)
{
	return (unsigned)(MIN(seen, db->meta.clock) * (AGES - 1) / MAX(db->meta.clock, 1u));
}

static bool is_rare(const struct counts *c) { return c->spam + c->ham <= RARE_MAX; }

static bool count_token_age(struct bayes_db *db, const DBT *key, const void *record, void *arg)
{
	const struct counts *c = record;
	(void)key;
	((struct expiry *)arg)->number[is_rare(c)][age_step(db, c->seen)]++;
	return false;
}

static bool token_is_old(struct bayes_db *db, const DBT *key, const void *record, void *arg)
{
	const struct counts *c = record;
	struct expiry *x = arg;
	(void)key;
	bool old = age_step(db, c->seen) < x->oldest_kept[is_rare(c)];
	x->gone += old;
	return old;
}

static bool count_message_age(struct bayes_db *db, const DBT *key, const void *record, void *arg)
{
	(void)key;
	((struct expiry *)arg)->number[0][age_step(db, ((const struct trained *)record)->seen)]++;
	return false;
}

static bool message_is_old(struct bayes_db *db, const DBT *key, const void *record, void *arg)
{
	struct expiry *x = arg;
	(void)key;
	bool old = age_step(db, ((const struct trained *)record)->seen) < x->oldest_kept[0];
	x->gone += old;
	return old;
}

/* Moves the border up until `excess` records are below it; returns what is left to find elsewhere. */
static uint64_t find_border(struct expiry *x, unsigned rare, uint64_t excess)
{
	unsigned step = 0;
	for (; step < AGES - 1 && excess > 0; step++)
		excess -= MIN(excess, x->number[rare][step]);
	x->oldest_kept[rare] = step;
	return excess;
}

/* To three quarters of the bound, so that not every training has to. */
static bool expire(struct bayes_db *db, struct err *e)
{
	if (db->meta.tokens > db->tokens_max) {
		struct expiry x = { 0 };
		if (!for_each(db, 't', sizeof(struct counts), count_token_age, &x, e))
			return false;
		uint64_t left = find_border(&x, 1, db->meta.tokens - db->tokens_max / 4 * 3);
		find_border(&x, 0, left);
		if (!for_each(db, 't', sizeof(struct counts), token_is_old, &x, e))
			return false;
		db->meta.tokens -= MIN(x.gone, db->meta.tokens);
	}
	if (db->meta.messages > db->messages_max) {
		struct expiry x = { 0 };
		if (!for_each(db, 'd', sizeof(struct trained), count_message_age, &x, e))
			return false;
		find_border(&x, 0, db->meta.messages - db->messages_max / 4 * 3);
		if (!for_each(db, 'd', sizeof(struct trained), message_is_old, &x, e))
			return false;
		db->meta.messages -= MIN(x.gone, db->meta.messages);
	}
	return true;
}

/* --- commit ------------------------------------------------------------------------------------------------------------------ */

/* Tokens that say nothing stay out of the table: it is read for every message. */
static bool collect(struct bayes_db *db, const DBT *key, const void *record, void *arg)
{
	const struct counts *c = record;
	struct bayes_tab_entry entry = { .q = bayes_token(c->spam, c->ham, db->meta.spam, db->meta.ham) };
	if (key->size != 1 + sizeof(entry.token) || (entry.q > BAYES_NEUTRAL - BAYES_WEAK && entry.q < BAYES_NEUTRAL + BAYES_WEAK))
		return false;
	memcpy(&entry.token, (const char *)key->data + 1, sizeof(entry.token));
	struct bayes_tab_entry *slot = vec_push(arg);
	if (slot)
		*slot = entry;
	return false;
}

static bool write_table(struct bayes_db *db, struct err *e)
{
	struct vec entries = VEC_INIT(struct bayes_tab_entry, BAYES_TAB_TOKENS_MAX);
	bool trained = db->meta.spam >= BAYES_TRAINED_MIN && db->meta.ham >= BAYES_TRAINED_MIN;
	bool ok = !trained || for_each(db, 't', sizeof(struct counts), collect, &entries, e);
	ok = ok && bayes_tab_write(db->dirfd, TAB_NEW, &entries, db->meta.spam, db->meta.ham, e);
	vec_free(&entries);
	return ok;
}

static bool close_synced(struct bayes_db *db, struct err *e)
{
	int rc = db->db->close(db->db, 0); /* writes what is in its cache */
	db->db = NULL;
	if (rc != 0)
		return db_error(db, rc, "write", e);
	int fd = openat(db->dirfd, DB_NEW, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 ? fd_sync(fd, e) : err_sys(e, ERR_TEMP, "open " DB_NEW);
	fd_close(&fd);
	return ok;
}

static bool move(struct bayes_db *db, const char *from, const char *to, struct err *e)
{
	return renameat(db->dirfd, from, db->dirfd, to) == 0 || err_sys(e, ERR_TEMP, "rename to %s", to);
}

bool bayes_db_commit(struct bayes_db *db, struct err *e)
{
	struct key k = meta_key();
	return expire(db, e) && put(db, &k, &db->meta, sizeof(db->meta), e) && write_table(db, e) && close_synced(db, e) &&
	       move(db, DB_NEW, BAYES_DB_FILE, e) && move(db, TAB_NEW, BAYES_TAB_FILE, e) && fd_sync_dir(db->dirfd, ".", e);
}
