/* Keys: 'u' and a name: its record; 'c' and a fingerprint: the name it belongs to; "secret": random bytes. */
#include "users.h"

#include "base/clock.h"
#include "base/fd.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define FILE_NAME "users.db"
#define LOCK_NAME "lock"
#define LOCK_POLL_MS 20
#define CACHE_BYTES (8u << 20)
#define LOG_BYTES (1u << 20)
#define CHECKPOINT_KB 512
#define KEY_MAX (AUTH_ACCOUNT_MAX + 2)

struct users {
	int lock;
	DB_ENV *env;
	DB *db;
	unsigned char secret[USERS_SECRET];
	enum { SCRAM_UNKNOWN, SCRAM_NONE, SCRAM_SOME } scram;
	char why[200]; /* Berkeley DB's own words about its last error */
};

struct key {
	char text[KEY_MAX + 1];
};

void users_fold(const char *name, char dst[AUTH_ACCOUNT_MAX + 1])
{
	size_t i = 0;
	for (; name[i] && i < AUTH_ACCOUNT_MAX; i++)
		dst[i] = ascii_lower(name[i]);
	dst[i] = '\0';
}

static struct key user_key(const char *name)
{
	struct key k = { .text = "u" };
	users_fold(name, k.text + 1);
	return k;
}

static struct key cert_key(const char *fingerprint)
{
	struct key k;
	snprintf(k.text, sizeof k.text, "c%s", fingerprint);
	return k;
}

static void on_db_error(const DB_ENV *env, const char *prefix, const char *text)
{
	struct users *u = env->app_private;
	(void)prefix;
	snprintf(u->why, sizeof u->why, "%s", text);
}

static bool db_error(struct users *u, int rc, const char *what, struct err *e)
{
	bool temp = rc == ENOSPC || rc == ENOMEM || rc == EACCES || rc == EDQUOT || rc == EMFILE || rc == EIO;
	if (temp)
		return err_set(e, ERR_TEMP, "%s " FILE_NAME ": %s", what, db_strerror(rc));
	return err_set(e, ERR_PERM, "%s " FILE_NAME ": %s: the data base is damaged; restore state_directory/auth from a backup",
		what, u->why[0] ? u->why : db_strerror(rc));
}

/* --- opening -------------------------------------------------------------------------------------------------------------- */

static bool take_lock(struct users *u, int dirfd, uint64_t until_ms, struct err *e)
{
	u->lock = openat(dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (u->lock < 0)
		return err_sys(e, ERR_TEMP, "open the lock of " FILE_NAME);
	while (flock(u->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, ERR_TEMP, "lock " FILE_NAME);
		if (clock_mono_ms() >= until_ms)
			return err_set(e, ERR_TEMP, FILE_NAME " is in use by another authd");
		struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Who can write it can log in as anybody, who can read it has the verifiers. */
static bool is_private(int dirfd, const char *name, struct err *e)
{
	struct stat st;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return errno == ENOENT || err_sys(e, ERR_TEMP, "look at the user data base");
	const char *shown = *name ? "auth/" FILE_NAME : "auth";
	if (*name && !S_ISREG(st.st_mode))
		return err_set(e, ERR_PERM, "state_directory/%s is no regular file", shown);
	if (st.st_uid != geteuid())
		return err_set(e, ERR_PERM, "state_directory/%s belongs to uid %u, not to this daemon's, %u: chown it", shown,
			(unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, ERR_PERM, "state_directory/%s: mode %04o lets others in: chmod %04o", shown,
			(unsigned)(st.st_mode & 07777), (unsigned)(st.st_mode & 0700));
	return true;
}

/* Private: the environment's memory is this process's; recovery at each opening is what makes a kill harmless. */
static bool open_env(struct users *u, const char *path, struct err *e)
{
	int rc = db_env_create(&u->env, 0);
	if (rc != 0)
		return db_error(u, rc, "open", e);
	u->env->app_private = u;
	u->env->set_errcall(u->env, on_db_error);
	rc = u->env->set_cachesize(u->env, 0, CACHE_BYTES, 1);
	if (rc == 0)
		rc = u->env->set_lg_max(u->env, LOG_BYTES);
	if (rc == 0)
		rc = u->env->log_set_config(u->env, DB_LOG_AUTO_REMOVE, 1);
	if (rc == 0)
		rc = u->env->open(
			u->env, path, DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_INIT_MPOOL | DB_INIT_LOG | DB_INIT_TXN, 0600);
	return rc == 0 || db_error(u, rc, "open", e);
}

static bool open_db(struct users *u, struct err *e)
{
	int rc = db_create(&u->db, u->env, 0);
	if (rc == 0)
		rc = u->db->set_flags(u->db, DB_CHKSUM);
	if (rc == 0)
		rc = u->db->open(u->db, NULL, FILE_NAME, NULL, DB_BTREE, DB_CREATE | DB_AUTO_COMMIT, 0600);
	return rc == 0 || db_error(u, rc, "open", e);
}

static int get(struct users *u, const char *key, void *dst, uint32_t size, uint32_t *ret_len)
{
	DBT k = { .data = (void *)(uintptr_t)key, .size = (uint32_t)strlen(key) };
	DBT d = { .data = dst, .ulen = size, .flags = DB_DBT_USERMEM };
	int rc = u->db->get(u->db, NULL, &k, &d, 0);
	*ret_len = rc == 0 ? d.size : 0;
	return rc;
}

static int put(struct users *u, DB_TXN *txn, const char *key, const void *src, size_t len)
{
	DBT k = { .data = (void *)(uintptr_t)key, .size = (uint32_t)strlen(key) };
	DBT d = { .data = (void *)(uintptr_t)src, .size = (uint32_t)len };
	return u->db->put(u->db, txn, &k, &d, 0);
}

static int del(struct users *u, DB_TXN *txn, const char *key)
{
	DBT k = { .data = (void *)(uintptr_t)key, .size = (uint32_t)strlen(key) };
	int rc = u->db->del(u->db, txn, &k, 0);
	return rc == DB_NOTFOUND ? 0 : rc;
}

static bool load_secret(struct users *u, struct err *e)
{
	uint32_t len;
	int rc = get(u, "secret", u->secret, sizeof u->secret, &len);
	if (rc == DB_NOTFOUND) {
		rnd_bytes(u->secret, sizeof u->secret);
		rc = put(u, NULL, "secret", u->secret, sizeof u->secret);
	} else if (rc == 0 && len != sizeof u->secret) {
		rc = EINVAL;
	}
	return rc == 0 || db_error(u, rc, "read", e);
}

struct users *users_open(int dirfd, const char *path, uint64_t wait_ms, struct err *e)
{
	struct users *u = mem_new(sizeof *u);
	u->lock = -1;
	if (is_private(dirfd, "", e) && is_private(dirfd, FILE_NAME, e) && take_lock(u, dirfd, clock_mono_ms() + wait_ms, e) &&
		open_env(u, path, e) && open_db(u, e) && load_secret(u, e))
		return u;
	users_close(u);
	return NULL;
}

void users_close(struct users *u)
{
	if (!u)
		return;
	if (u->db)
		u->db->close(u->db, 0);
	if (u->env) {
		u->env->txn_checkpoint(u->env, 0, 0, 0);
		u->env->close(u->env, 0);
	}
	fd_close(&u->lock);
	free(u);
}

const unsigned char *users_secret(const struct users *u) { return u->secret; }

/* --- reading -------------------------------------------------------------------------------------------------------------- */

static enum users_result parsed(struct sv text, const char *name, struct record *ret, struct err *e)
{
	BUG_IF(!sv_copy(sv_of(name), ret->name, sizeof ret->name));
	return record_parse(text, ret, e) ? USERS_FOUND : USERS_FAILED;
}

enum users_result users_get(struct users *u, const char *name, struct record *ret, struct err *e)
{
	struct key k = user_key(name);
	char *text = mem_new(RECORD_TEXT_MAX);
	uint32_t len;
	int rc = get(u, k.text, text, RECORD_TEXT_MAX, &len);
	enum users_result result = USERS_NONE;
	if (rc == 0)
		result = parsed((struct sv){ text, len }, k.text + 1, ret, e);
	else if (rc != DB_NOTFOUND)
		result = (db_error(u, rc, "read", e), USERS_FAILED);
	free(text);
	return result;
}

enum users_result users_next(struct users *u, const char *after, struct record *ret, struct err *e)
{
	struct key k = user_key(after);
	enum users_result result = USERS_NONE;
	char *text = mem_new(RECORD_TEXT_MAX);
	DBC *cursor = NULL;
	DBT key = { .data = k.text, .size = (uint32_t)strlen(k.text) + 1, .ulen = KEY_MAX, .flags = DB_DBT_USERMEM };
	DBT data = { .data = text, .ulen = RECORD_TEXT_MAX, .flags = DB_DBT_USERMEM };
	int rc = u->db->cursor(u->db, NULL, &cursor, 0);
	if (!*after)
		key.size = 1;
	if (rc == 0) /* the first key from "u<name>\0" on: no name holds NUL */
		rc = cursor->get(cursor, &key, &data, DB_SET_RANGE);
	if (rc == 0 && key.size > 1 && key.size < sizeof k.text && k.text[0] == 'u') {
		k.text[key.size] = '\0';
		result = parsed((struct sv){ text, data.size }, k.text + 1, ret, e);
	} else if (rc != 0 && rc != DB_NOTFOUND) {
		result = (db_error(u, rc, "read", e), USERS_FAILED);
	}
	if (cursor)
		cursor->close(cursor);
	free(text);
	return result;
}

enum users_result users_by_cert(struct users *u, const char *fingerprint, struct record *ret, struct err *e)
{
	struct key k = cert_key(fingerprint);
	char name[AUTH_ACCOUNT_MAX + 1];
	uint32_t len;
	int rc = get(u, k.text, name, AUTH_ACCOUNT_MAX, &len);
	if (rc != 0)
		return rc == DB_NOTFOUND ? USERS_NONE : (db_error(u, rc, "read", e), USERS_FAILED);
	name[len] = '\0';
	return users_get(u, name, ret, e);
}

/* With none but app passwords and certificates of system users all records are read: once. */
bool users_have_scram(struct users *u)
{
	char after[AUTH_ACCOUNT_MAX + 1] = "";
	while (u->scram == SCRAM_UNKNOWN) {
		struct record r;
		record_init(&r);
		enum users_result found = users_next(u, after, &r, NULL);
		if (found != USERS_FOUND)
			u->scram = SCRAM_NONE;
		else if (r.has_scram)
			u->scram = SCRAM_SOME;
		memcpy(after, r.name, sizeof after);
		record_free(&r);
	}
	return u->scram == SCRAM_SOME;
}

/* --- writing -------------------------------------------------------------------------------------------------------------- */

/* The fingerprints that the record had and has no more are taken out of the index. */
static int drop_certs(struct users *u, DB_TXN *txn, const struct record *old, const struct record *now)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < old->certs.len; i++) {
		const char *fingerprint = VEC_AT(&old->certs, struct record_cert, i)->fingerprint;
		struct key k = cert_key(fingerprint);
		if (!now || !record_cert(now, fingerprint))
			rc = del(u, txn, k.text);
	}
	return rc;
}

static int put_certs(struct users *u, DB_TXN *txn, const struct record *r)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < r->certs.len; i++) {
		struct key k = cert_key(VEC_AT(&r->certs, struct record_cert, i)->fingerprint);
		rc = put(u, txn, k.text, r->name, strlen(r->name));
	}
	return rc;
}

static bool finish(struct users *u, DB_TXN *txn, int rc, bool lazily, struct err *e)
{
	if (rc != 0)
		txn->abort(txn);
	else
		rc = txn->commit(txn, lazily ? DB_TXN_NOSYNC : DB_TXN_SYNC);
	if (rc == 0)
		rc = u->env->txn_checkpoint(u->env, CHECKPOINT_KB, 0, 0);
	return rc == 0 || db_error(u, rc, "write", e);
}

static bool certs_are_free(struct users *u, const struct record *r, struct err *e)
{
	for (size_t i = 0; i < r->certs.len; i++) {
		struct record other;
		record_init(&other);
		enum users_result found = users_by_cert(u, VEC_AT(&r->certs, struct record_cert, i)->fingerprint, &other, e);
		bool taken = found == USERS_FOUND && strcmp(other.name, r->name) != 0;
		if (taken)
			err_set(e, ERR_PERM, "the certificate belongs to %s", other.name);
		record_free(&other);
		if (taken || found == USERS_FAILED)
			return false;
	}
	return true;
}

bool users_put(struct users *u, const struct record *r, bool lazily, struct err *e)
{
	struct key k = user_key(r->name);
	struct buf text = BUF_INIT(RECORD_TEXT_MAX);
	struct record old;
	DB_TXN *txn = NULL;
	bool ok = false;
	record_init(&old);
	record_put(r, &text);
	if (!buf_ok(&text)) {
		err_set(e, ERR_LIMIT, "the user's record is too long");
	} else if (certs_are_free(u, r, e) && users_get(u, r->name, &old, e) != USERS_FAILED) {
		int rc = u->env->txn_begin(u->env, NULL, &txn, 0);
		if (rc != 0) {
			db_error(u, rc, "write", e);
		} else {
			rc = drop_certs(u, txn, &old, r);
			if (rc == 0)
				rc = put_certs(u, txn, r);
			if (rc == 0)
				rc = put(u, txn, k.text, buf_str(&text), text.len);
			ok = finish(u, txn, rc, lazily, e);
			u->scram = ok && r->has_scram ? SCRAM_SOME : u->scram;
		}
	}
	record_free(&old);
	buf_free(&text);
	return ok;
}

bool users_delete(struct users *u, const char *name, struct err *e)
{
	struct key k = user_key(name);
	struct record old;
	DB_TXN *txn = NULL;
	bool ok = false;
	record_init(&old);
	enum users_result found = users_get(u, name, &old, e);
	if (found == USERS_NONE)
		err_set(e, ERR_PERM, "there is no user %s", name);
	if (found == USERS_FOUND) {
		int rc = u->env->txn_begin(u->env, NULL, &txn, 0);
		if (rc == 0) {
			rc = drop_certs(u, txn, &old, NULL);
			if (rc == 0)
				rc = del(u, txn, k.text);
			ok = finish(u, txn, rc, false, e);
			u->scram = SCRAM_UNKNOWN;
		} else {
			db_error(u, rc, "write", e);
		}
	}
	record_free(&old);
	return ok;
}
