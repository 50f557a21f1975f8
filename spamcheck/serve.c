#include "serve.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "bayes.h"
#include "bayes_tab.h"
#include "input.h"
#include "learn.h"
#include "service/priv.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

#define USER "postern-spam"
#define DIR_NAME "spam"
#define KEEP_MAX (128 * 1024)   /* of the buffer for messages */
#define REQUEST_WAIT_MS 10000u  /* smtpd connects when it has the request ready */
#define TRAINING_LOOK_MS 1000u  /* how soon a worker that is to end leaves an idle session */
#define TRAINING_IDLE_MS 60000u /* a session holds the database's lock: it may not dawdle */

struct state {   /* made by the leader; each worker has its copy */
	int dir; /* state_directory/spam */
	char path[4100];
	struct decoder *decoder;
	struct scan scan;
	struct bayes_tab tab;
	struct buf bytes;
};

void spamcheck_pool(const struct cfg *cfg, struct svc_pool *ret)
{
	const struct cfg_spam *c = &cfg->spam;
	*ret = (struct svc_pool){ c->spam_workers_min, c->spam_workers_max, c->spam_workers_spare, c->spam_worker_uses };
}

/* Made here when nothing made it before; as root it becomes the service's own. */
static bool open_dir(struct svc_ctx *ctx, struct state *s, struct err *e)
{
	const char *base = svc_cfg(ctx)->global.state_directory;
	uid_t uid;
	gid_t gid;
	if (snprintf(s->path, sizeof(s->path), "%s/" DIR_NAME, base) >= (int)sizeof(s->path))
		return err_set(e, ERR_PERM, "state_directory is too long");
	int parent = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_sys(e, ERR_PERM, "open state_directory %s", base);
	bool ok = fd_mkdir(parent, DIR_NAME, 0700, &s->dir, e);
	fd_close(&parent);
	if (!ok || svc_unprivileged(ctx))
		return ok;
	if (!priv_lookup(USER, &uid, &gid, e))
		return false;
	return fchown(s->dir, uid, gid) == 0 || err_sys(e, ERR_PERM, "give %s to " USER, s->path);
}

bool spamcheck_pre_drop(struct svc_ctx *ctx, struct err *e)
{
	struct state *s = mem_new(sizeof(*s));
	svc_set_data(ctx, s);
	if (!open_dir(ctx, s, e))
		return false;
	s->decoder = decoder_new();
	scan_init(&s->scan, s->decoder);
	buf_init(&s->bytes, SCAN_MAX);
	svc_allow_dir(ctx, s->dir, SB_DIR_READ | SB_DIR_WRITE);
	return true;
}

/* --- checking ---------------------------------------------------------------------------------------------------------------- */

/* A damaged table is logged once per worker and file, and the classifier stays silent. */
static bool classifier_ready(struct state *s, const struct cfg_spam *cfg)
{
	struct err e;
	if (!cfg->spam_bayes)
		return false;
	if (!bayes_tab_refresh(&s->tab, s->dir, BAYES_TAB_FILE, &e))
		LOG_WARN("bayes-off", KV_ERR(&e), KV_STR("file", BAYES_TAB_FILE));
	return s->tab.slot && s->tab.spam >= BAYES_TRAINED_MIN && s->tab.ham >= BAYES_TRAINED_MIN;
}

/* D7: what was scanned must be what is queued. A memfd proves that by its seals; a file in the queue is smtpd's until its commit
 * mark. */
static bool check_request(const struct spam_req *req, struct err *e)
{
	if (!req->streamed && !fd_is_sealed(req->file))
		return err_set(e, ERR_PEER, "the message's memfd is not sealed");
	if (!req->streamed && req->size > SPAM_MEMFD_MAX)
		return err_set(e, ERR_PEER, "a memfd of %llu bytes", (unsigned long long)req->size);
	return true;
}

static bool check_message(
	struct state *s, const struct cfg_spam *cfg, const struct spam_req *req, struct spam_res *res, struct err *e)
{
	double probability;
	if (s->bytes.cap > KEEP_MAX)
		buf_free(&s->bytes);
	if (!check_request(req, e) || !input_read(req->file, req->offset, req->size, SCAN_MAX, &s->bytes, e))
		return false;
	struct scan_in in = { .msg = buf_sv(&s->bytes),
		.truncated = req->size > SCAN_MAX,
		.smtputf8 = req->smtputf8 != 0,
		.now_secs = clock_real_secs() };
	s->scan.want_tokens = classifier_ready(s, cfg);
	scan_message(&s->scan, &in);
	if (req->trust != 's')
		findings_forgive_submitted(&s->scan.findings);
	if (s->scan.want_tokens && bayes_tab_judge(&s->tab, &s->scan.tokens, &probability))
		findings_add(&s->scan.findings, bayes_rule(probability));
	verdict_make(cfg, &s->scan.findings, res);
	return true;
}

static void serve_check(struct svc_ctx *ctx, int fd)
{
	struct err e;
	struct spam_req req;
	struct spam_res res;
	struct state *s = svc_data(ctx);
	const struct cfg_spam *cfg = &svc_cfg(ctx)->spam;
	if (!ipc_recv_msg(fd, &spam_req_desc, &req, REQUEST_WAIT_MS, &e)) {
		LOG_WARN("bad-request", KV_ERR(&e));
		return;
	}
	log_session(req.session);
	if (!check_message(s, cfg, &req, &res, &e)) {
		LOG_WARN("check-failed", KV_QID(req.id), KV_ERR(&e));
		verdict_failed(cfg, &res);
	}
	fd_close(&req.file);
	if (!ipc_send(fd, &spam_res_desc, &res, REQUEST_WAIT_MS, &e))
		LOG_WARN("answer-failed", KV_QID(req.id), KV_ERR(&e));
	LOG_DEBUG("checked", KV_QID(req.id), KV_U64("verdict", res.verdict), KV_STR("tests", res.reasons));
	log_session(NULL);
}

/* --- training ---------------------------------------------------------------------------------------------------------------- */

enum { PHASE_OPEN = 1, PHASE_OVER = 2, PEER_TRAINER = 1 };

struct training {
	int fd;
	unsigned phase;
	struct learn learn;
};

/* Every message gets an answer. After a failure the session is over: the trainer reads why, and nothing was changed. */
static bool answer(struct training *t, const struct err *failed, struct err *e)
{
	struct spam_learnt res;
	learn_answer(&t->learn, failed, &res);
	if (failed) {
		LOG_WARN("training-failed", KV_ERR(failed));
		t->phase = PHASE_OVER;
	}
	return ipc_send(t->fd, &spam_learnt_desc, &res, TRAINING_IDLE_MS, e);
}

static bool on_learn(void *chan, void *msg, struct err *e)
{
	struct training *t = chan;
	struct spam_learn *m = msg;
	struct err failed;
	bool ok = learn_message(&t->learn, m, &failed);
	fd_close(&m->file);
	return answer(t, ok ? NULL : &failed, e);
}

static bool on_done(void *chan, void *msg, struct err *e)
{
	struct training *t = chan;
	const struct spam_learn_done *m = msg;
	struct err failed;
	t->phase = PHASE_OVER;
	if (m->commit && !learn_commit(&t->learn, &failed))
		return answer(t, &failed, e);
	if (m->commit)
		LOG_INFO("trained", KV_U64("learnt", t->learn.learnt), KV_U64("skipped", t->learn.skipped));
	return answer(t, NULL, e);
}

static const struct ipc_rule training_rules[] = {
	{ &spam_learn_desc, PEER_TRAINER, PHASE_OPEN, 0, on_learn },
	{ &spam_learn_done_desc, PEER_TRAINER, PHASE_OPEN, 1, on_done },
	{ NULL },
};

static bool next_packet(const struct svc_ctx *ctx, int fd, struct ipc_packet *packet, struct err *e)
{
	for (uint64_t waited = 0; waited < TRAINING_IDLE_MS && !svc_ending(ctx); waited += TRAINING_LOOK_MS) {
		if (ipc_recv(fd, packet, TRAINING_LOOK_MS, e))
			return true;
		if (e->sys != ETIMEDOUT)
			return false;
	}
	return err_set(e, ERR_TEMP, svc_ending(ctx) ? "the service ends" : "the trainer is silent");
}

/* Who may train is who may connect: the socket's owner and group (root, and the admins). */
static void serve_training(struct svc_ctx *ctx, int fd)
{
	struct err e;
	struct state *s = svc_data(ctx);
	struct training t = { .fd = fd, .phase = PHASE_OPEN };
	struct ipc_seen seen = { 0 };
	struct ipc_packet packet = IPC_PACKET_INIT;
	learn_init(&t.learn, s->dir, s->path, &s->scan);
	while (t.phase == PHASE_OPEN) {
		if (!next_packet(ctx, fd, &packet, &e) ||
			!ipc_dispatch(training_rules, &seen, PEER_TRAINER, t.phase, &packet, &t, &e)) {
			LOG_WARN("training-dropped", KV_ERR(&e));
			break;
		}
	}
	learn_end(&t.learn);
	ipc_packet_free(&packet);
	malloc_trim(0); /* tens of MiB that a check never needs */
}

void spamcheck_serve(struct svc_ctx *ctx, struct svc_client *client)
{
	if (strcmp(client->on->name, "spamcheck.learn") == 0)
		serve_training(ctx, client->fd);
	else
		serve_check(ctx, client->fd);
}
