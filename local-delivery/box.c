/* Where a mailbox is: asked of resolve, judged here again, because what acts on a uid must not believe it unseen. */
#include "agent.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"

#define BOXES_MAX 200 /* a worker's cache: a box is about 6 KiB */
#define CONNECT_WAIT_MS 5000
#define ANSWER_SLACK_MS 5000 /* above resolve's own deadline for NSS */

/* --- judging --- */
static bool path_ok(const char *maildir)
{
	struct sv rest = sv_of(maildir), part;
	if (rest.n == 0 || maildir[0] == '/' || sv_has_ctl(rest))
		return false;
	while (sv_cut(&rest, '/', &part))
		if (sv_eqs(part, ".."))
			return false;
	return true;
}

static bool groups_of(const char *text, struct box *box)
{
	struct sv rest = sv_of(text), word;
	uint64_t gid;
	size_t n = 0;
	while (sv_word(&rest, &word)) {
		if (n == BOX_GROUPS_MAX || !num_u64(word, 0, 4294967294u, &gid))
			return false;
		box->groups[n++] = (gid_t)gid;
	}
	box->user.n_groups = n;
	return true;
}

static bool place_ok(const struct resolve_box *answer, const struct cfg *cfg, struct deliver_res *res)
{
	uid_t self = geteuid();
	bool is_system = answer->kind == BOX_SYSTEM;
	if (is_system ? answer->uid < cfg->global.min_uid : answer->uid == 0)
		return outcome(res, DEFERRED, "4.3.5", "uid %llu gets no mail of its own (min_uid is %llu): it needs an alias",
			(unsigned long long)answer->uid, (unsigned long long)cfg->global.min_uid);
	if (self != 0 && answer->uid != self)
		return outcome(res, DEFERRED, "4.3.5", "the mailbox belongs to uid %llu, and Postern does not run as root",
			(unsigned long long)answer->uid);
	if (!is_system && (*cfg->global.virtual_base == '\0' || strcmp(answer->home, cfg->global.virtual_base) != 0))
		return outcome(res, DEFERRED, "4.3.5", "the mailbox lies outside virtual_base");
	if (answer->home[0] != '/' || !path_ok(answer->maildir))
		return outcome(
			res, DEFERRED, "4.3.5", "the path of the mailbox is not usable: %s/%s", answer->home, answer->maildir);
	return true;
}

static bool status_ok(const struct resolve_box *answer, struct deliver_res *res)
{
	switch (answer->status) {
	case RESOLVE_OK:
		break;
	case RESOLVE_UNKNOWN:
		return outcome(res, FAILED, *answer->dsn ? answer->dsn : "5.1.1", "%s",
			*answer->text ? answer->text : "no such user here");
	case RESOLVE_BAD:
		return outcome(
			res, answer->dsn[0] == '5' ? FAILED : DEFERRED, *answer->dsn ? answer->dsn : "4.3.5", "%s", answer->text);
	default:
		return outcome(res, DEFERRED, *answer->dsn ? answer->dsn : "4.3.0", "%s", answer->text);
	}
	switch (answer->kind) {
	case BOX_SYSTEM:
	case BOX_VIRTUAL:
		return true;
	case BOX_REMOTE:
		return outcome(
			res, DEFERRED, "4.3.5", "%s", *answer->text ? answer->text : "the address is no longer delivered here");
	default:
		return outcome(
			res, DEFERRED, "4.3.5", "%s", *answer->text ? answer->text : "this kind of mailbox is not supported yet");
	}
}

bool box_judge(const struct resolve_box *answer, const struct cfg *cfg, struct box *ret, struct deliver_res *res)
{
	if (!status_ok(answer, res) || !place_ok(answer, cfg, res))
		return false;
	if (!groups_of(answer->groups, ret))
		return outcome(res, DEFERRED, "4.3.5", "the groups of uid %llu cannot be used", (unsigned long long)answer->uid);
	BUG_IF(!sv_copy(sv_of(answer->home), ret->home, sizeof ret->home));
	BUG_IF(!sv_copy(sv_of(answer->maildir), ret->maildir, sizeof ret->maildir));
	BUG_IF(!sv_copy(sv_of(answer->user), ret->name, sizeof ret->name));
	BUG_IF(!sv_copy(sv_of(answer->detail), ret->detail, sizeof ret->detail));
	ret->is_system = answer->kind == BOX_SYSTEM;
	ret->user.uid = (uid_t)answer->uid;
	ret->user.gid = (gid_t)answer->gid;
	ret->user.groups = ret->groups;
	ret->user.home = ret->home;
	ret->user.maildir = ret->maildir;
	return true;
}

/* --- asking --- */
static bool ask_once(struct agent *a, const struct resolve_box_req *req, struct resolve_box *ret, struct err *e)
{
	uint64_t wait_ms = a->cfg->resolve.nss_timeout * 1000 + ANSWER_SLACK_MS;
	if (a->resolve_fd < 0 && !a->connect(a->arg, "resolve.local-delivery", CONNECT_WAIT_MS, &a->resolve_fd, e))
		return false;
	if (ipc_call(a->resolve_fd, &resolve_box_req_desc, req, &resolve_box_desc, ret, wait_ms, e))
		return true;
	fd_close(&a->resolve_fd); /* a late answer must not meet the next question */
	return false;
}

static bool ask(struct agent *a, const char *address, struct resolve_box *ret, struct err *e)
{
	struct resolve_box_req req = { 0 };
	if (!sv_copy(sv_of(address), req.address, sizeof req.address))
		return err_set(e, ERR_PERM, "address too long");
	for (int try = 0; try < RESOLVE_TRIES; try++) {
		if (ask_once(a, &req, ret, e))
			return true;
		if (e->kind != ERR_PEER)
			break;
	}
	return false;
}

static void keep(struct agent *a, const char *address, struct box *box)
{
	free(hmap_del(a->boxes, sv_of(address)));
	if (hmap_len(a->boxes) >= BOXES_MAX)
		hmap_clear(a->boxes, free);
	BUG_IF(!hmap_put(a->boxes, sv_of(address), box));
}

bool agent_find_box(struct agent *a, const char *address, struct box **ret, struct deliver_res *res)
{
	struct resolve_box answer;
	struct err e;
	struct box *box = hmap_get(a->boxes, sv_of(address));
	if (box && clock_mono_ms() < box->until_ms) {
		*ret = box;
		return true;
	}
	if (!ask(a, address, &answer, &e)) {
		LOG_WARN("resolve-away", KV_ERR(&e));
		return outcome(res, DEFERRED, "4.3.0", "cannot ask who the recipient is: %s", e.text);
	}
	box = mem_new(sizeof *box);
	if (!box_judge(&answer, a->cfg, box, res)) {
		free(box);
		return false;
	}
	box->until_ms = clock_mono_ms() + a->cfg->resolve.resolve_cache * 1000;
	keep(a, address, box);
	*ret = box;
	return true;
}

void agent_init(struct agent *a, const struct cfg *cfg)
{
	*a = (struct agent){ .cfg = cfg, .resolve_fd = -1, .boxes = hmap_new(BOXES_MAX) };
	user_halves_init(&a->halves);
	queue_dirs_init(&a->queue, cfg->global.queue_directory);
}

void agent_free(struct agent *a)
{
	queue_dirs_close(&a->queue);
	fd_close(&a->resolve_fd);
	user_halves_end(&a->halves, 0);
	hmap_free(a->boxes, free);
	a->boxes = NULL;
}
