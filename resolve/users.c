#include "users.h"
#include "helpers.h"

#define ENTRIES_MAX 20000 /* remembered answers: a few MiB */
#define WAITERS_MAX 20000 /* more than there can be channels */
#define KEY_MAX (NSS_NAME_MAX + 2)

enum state { PENDING, FOUND, NONE, FAILED };

struct entry {
	struct helper_job job; /* the question */
	enum state state;
	uint64_t got_ms;
	struct ev_timer deadline; /* for waiting in line and for the answer together */
	struct vec waiters;       /* of uint64_t */
	struct users *users;
	char key[KEY_MAX + 1];
	uid_t uid;
	gid_t gid;
	char *name, *home, *groups;                     /* FOUND */
	char text[sizeof((struct nss_user){ 0 }.text)]; /* FAILED */
};

struct users {
	struct ev_loop *loop;
	struct helpers *helpers;
	struct hmap *entries; /* of struct entry */
	uint64_t keep_ms, timeout_ms;
	void (*on_done)(void *arg, uint64_t asker_id);
	void *arg;
};

static void free_entry(void *p)
{
	struct entry *n = p;

	ev_timer_clear(n->users->loop, &n->deadline);
	vec_free(&n->waiters);
	free(n->name);
	free(n->home);
	free(n->groups);
	free(n);
}

/* The state is final before anybody hears of it: they ask again at once. */
static void done(struct entry *n, enum state state)
{
	struct users *u = n->users;
	struct vec waiters = n->waiters;

	n->state = state;
	n->got_ms = ev_now_ms(u->loop);
	ev_timer_clear(u->loop, &n->deadline);
	n->waiters = (struct vec)VEC_INIT(uint64_t, WAITERS_MAX);
	for (size_t i = 0; i < waiters.len; i++)
		u->on_done(u->arg, *VEC_AT(&waiters, uint64_t, i)); /* may remove n itself */
	vec_free(&waiters);
}

static void fail(struct entry *n, const char *text)
{
	snprintf(n->text, sizeof(n->text), "%s", text);
	done(n, FAILED);
}

static void replace(char **text, const char *with)
{
	free(*text);
	*text = mem_dup(sv_of(with));
}

static void on_answer(struct helper_job *job, const struct nss_user *a)
{
	struct entry *n = CONTAINER(job, struct entry, job);

	if (!a) {
		fail(n, "look-up of a system user: the helper process ended");
	} else if (a->status == NSS_FOUND) {
		n->uid = (uid_t)a->uid;
		n->gid = (gid_t)a->gid;
		replace(&n->name, a->name);
		replace(&n->home, a->home);
		replace(&n->groups, a->groups);
		done(n, FOUND);
	} else if (a->status == NSS_NONE) {
		done(n, NONE);
	} else {
		fail(n, a->text);
	}
}

static void on_deadline(struct ev_timer *t, void *arg)
{
	struct entry *n = arg;

	(void)t;
	helpers_drop(n->users->helpers, &n->job);
	fail(n, "look-up of a system user: the name service does not answer in time");
}

struct users *users_new(struct ev_loop *loop, const struct users_limits *limits, void (*on_done)(void *, uint64_t), void *arg)
{
	struct users *u = mem_new(sizeof(*u));

	*u = (struct users){ .loop = loop,
		.keep_ms = limits->keep_ms,
		.timeout_ms = limits->timeout_ms,
		.on_done = on_done,
		.arg = arg,
		.entries = hmap_new(ENTRIES_MAX),
		.helpers = helpers_new(loop, limits->helpers, on_answer) };
	return u;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	helpers_free(u->helpers);
	hmap_free(u->entries, free_entry);
	free(u);
}

static bool fresh(const struct users *u, const struct entry *n, uint64_t since_ms)
{
	return n->got_ms >= since_ms || ev_now_ms(u->loop) - n->got_ms < u->keep_ms;
}

/* Old answers go when there is no room; if all are young, then all of them. */
static void make_room(struct users *u)
{
	size_t cursor, left;
	struct sv key;
	void *value;

	for (int all = 0; all < 2 && hmap_len(u->entries) >= ENTRIES_MAX; all++) {
		for (cursor = 0, left = ENTRIES_MAX; left && hmap_next(u->entries, &cursor, &key, &value); left--) {
			struct entry *n = value;
			if (n->state != PENDING && (all || ev_now_ms(u->loop) - n->got_ms >= u->keep_ms)) {
				hmap_del(u->entries, key);
				free_entry(n);
			}
		}
	}
}

static struct entry *new_entry(struct users *u, const char *key)
{
	make_room(u);
	if (hmap_len(u->entries) >= ENTRIES_MAX)
		return NULL;
	struct entry *n = mem_new(sizeof(*n));
	n->users = u;
	n->state = NONE;
	n->waiters = (struct vec)VEC_INIT(uint64_t, WAITERS_MAX);
	n->deadline = (struct ev_timer){ .on = on_deadline, .arg = n };
	snprintf(n->key, sizeof(n->key), "%s", key);
	BUG_IF(!hmap_put(u->entries, sv_of(n->key), n));
	return n;
}

static enum user_result too_many(struct err *e)
{
	err_dsn(e, ERR_TEMP, "4.3.0", "too many look-ups of system users at once");
	return USER_FAILED;
}

static enum user_result wait_for(struct entry *n, struct asker *asker, struct err *e)
{
	uint64_t *place;

	/* Who asks for one name twice does so in one go: it can only be the last. */
	if (n->waiters.len && *VEC_AT(&n->waiters, uint64_t, n->waiters.len - 1) == asker->id)
		return USER_PENDING;
	if (!(place = vec_push(&n->waiters)))
		return too_many(e);
	*place = asker->id;
	asker->waiting++;
	return USER_PENDING;
}

static enum user_result ask(struct users *u, const struct nss_req *q, const char *key, struct asker *asker, struct err *e)
{
	struct entry *n = hmap_get(u->entries, sv_of(key));

	if (!n && !(n = new_entry(u, key)))
		return too_many(e);
	n->job.q = *q;
	n->state = PENDING;
	ev_timer_set(u->loop, &n->deadline, u->timeout_ms);
	helpers_ask(u->helpers, &n->job);
	return wait_for(n, asker, e);
}

static enum user_result get(
	struct users *u, const struct nss_req *q, const char *key, struct asker *asker, struct user *ret, struct err *e)
{
	struct entry *n = hmap_get(u->entries, sv_of(key));

	if (n && n->state == PENDING)
		return wait_for(n, asker, e);
	if (!n || !fresh(u, n, asker->since_ms))
		return ask(u, q, key, asker, e);
	if (n->state == NONE)
		return USER_NONE;
	if (n->state == FAILED) {
		err_dsn(e, ERR_TEMP, "4.3.0", "%s", n->text);
		return USER_FAILED;
	}
	*ret = (struct user){ .uid = n->uid, .gid = n->gid, .name = n->name, .home = n->home, .groups = n->groups };
	return USER_FOUND;
}

enum user_result users_by_name(struct users *u, const char *name, struct asker *asker, struct user *ret, struct err *e)
{
	struct nss_req q = { .what = NSS_BY_NAME };
	char key[KEY_MAX + 1];

	if (!sv_copy(sv_of(name), q.name, sizeof(q.name)))
		return USER_NONE;
	snprintf(key, sizeof(key), "n:%s", q.name);
	return get(u, &q, key, asker, ret, e);
}

enum user_result users_by_uid(struct users *u, uint64_t uid, struct asker *asker, struct user *ret, struct err *e)
{
	struct nss_req q = { .what = NSS_BY_UID, .uid = uid };
	char key[KEY_MAX + 1];

	snprintf(key, sizeof(key), "u:%llu", (unsigned long long)uid);
	return get(u, &q, key, asker, ret, e);
}

enum user_result users_by_address(struct users *u, const char *ip, struct asker *asker, const char **ret_name, struct err *e)
{
	struct nss_req q = { .what = NSS_BY_ADDRESS };
	char key[KEY_MAX + 1];
	struct user found;

	if (!sv_copy(sv_of(ip), q.name, sizeof(q.name)))
		return USER_NONE;
	snprintf(key, sizeof(key), "a:%s", q.name);
	enum user_result r = get(u, &q, key, asker, &found, e);
	if (r == USER_FOUND)
		*ret_name = found.home;
	return r;
}
