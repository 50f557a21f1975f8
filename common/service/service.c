#include "service/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "net/sock.h"
#include "service/own.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#define LOG_WAIT_MS 50      /* connecting to logd: its socket is there from before any daemon until after all */
#define CONNECT_PAUSE_MS 20 /* between attempts, while a service is being restarted */
#define EXIT_USAGE 64       /* EX_USAGE */
#define EXIT_CONFIG 78      /* EX_CONFIG: could not start */

/* --- what a daemon asks ---------------------------------------------------------------------------------------------------- */

const struct cfg *svc_cfg(const struct svc_ctx *ctx) { return ctx->cfg; }
void *svc_data(const struct svc_ctx *ctx) { return ctx->data; }
void svc_set_data(struct svc_ctx *ctx, void *data) { ctx->data = data; }
int svc_rundir(const struct svc_ctx *ctx) { return ctx->rundir; }
int svc_wake_fd(const struct svc_ctx *ctx) { return ctx->wakes >= 0 ? ctx->wakes : ctx->wake; }
bool svc_unprivileged(const struct svc_ctx *ctx) { return ctx->cfg->unprivileged; }
uint64_t svc_replaces(const struct svc_ctx *ctx) { return ctx->replaces; }
bool svc_orphaned(const struct svc_ctx *ctx) { return ctx->orphaned; }

size_t svc_listeners(const struct svc_ctx *ctx, const struct svc_listener **ret_first)
{
	*ret_first = ctx->listeners;
	return ctx->n_listeners;
}

const struct svc_listener *svc_listener(const struct svc_ctx *ctx, const char *name)
{
	for (size_t i = 0; i < ctx->n_listeners; i++)
		if (strcmp(ctx->listeners[i].name, name) == 0)
			return &ctx->listeners[i];
	return NULL;
}

bool svc_ending(const struct svc_ctx *ctx)
{
	struct pollfd p = { .fd = ctx->wake };
	return ctx->ending || (ctx->wake >= 0 && poll(&p, 1, 0) == 1);
}

void svc_allow_dir(struct svc_ctx *ctx, int dirfd, unsigned access) { sandbox_allow_dir(ctx->sandbox, dirfd, access); }

void svc_mark(struct svc_ctx *ctx, const struct addr *client)
{
	if (ctx->score)
		score_mark(ctx->score, ctx->slot, client);
}

unsigned svc_marked(const struct svc_ctx *ctx, const struct addr *client)
{
	return ctx->score ? score_marked(ctx->score, client) : 0;
}

unsigned svc_marked_net(const struct svc_ctx *ctx, const struct addr *client)
{
	return ctx->score ? score_marked_net(ctx->score, client) : 0;
}

void svc_tag(struct svc_ctx *ctx, uint64_t tag)
{
	if (ctx->score)
		ctx->score->tag[ctx->slot] = tag;
}

unsigned svc_tagged(const struct svc_ctx *ctx, uint64_t tag) { return ctx->score ? score_tagged(ctx->score, tag) : 0; }

void svc_still(struct svc_ctx *ctx, uint64_t since_ms)
{
	if (ctx->score && ctx->turn >= 0)
		ctx->score->still_ms[ctx->slot] = since_ms;
}

bool svc_turned_out(struct svc_ctx *ctx)
{
	struct signalfd_siginfo info;
	return ctx->turn >= 0 && read(ctx->turn, &info, sizeof(info)) == (ssize_t)sizeof(info);
}

bool svc_connect(const struct svc_ctx *ctx, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	uint64_t until = clock_mono_ms() + wait_ms;
	for (size_t i = 0; svc_endpoints[i].name; i++)
		if (strcmp(svc_endpoints[i].name, endpoint) == 0) {
			while (!sock_connect_unix(ctx->rundir, endpoint, svc_endpoints[i].type, wait_ms, ret_fd, e)) {
				uint64_t now = clock_mono_ms();
				if (now >= until)
					return false;
				wait_ms = until - now;
				poll(NULL, 0, (int)MIN(wait_ms, CONNECT_PAUSE_MS));
			}
			return true;
		}
	return err_set(e, ERR_PERM, "no endpoint is named %s", endpoint);
}

/* --- start ----------------------------------------------------------------------------------------------------------------- */

static int connect_log(void *arg)
{
	struct svc_ctx *ctx = arg;
	int fd;
	return sock_connect_unix(ctx->rundir, "logd.log", SOCK_SEQPACKET, LOG_WAIT_MS, &fd, NULL) ? fd : -1;
}

/* The rows of the group that this daemon owns: "queue" is queue-mgr's, "local" local-delivery's. */
static void print_rows(const struct svc *svc)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++) {
		if (g->section || strncmp(svc->name, g->owner, strlen(g->owner)) != 0)
			continue;
		for (const struct cfg_param *p = g->params; p->name; p++)
			printf("%s = %s\n    %s\n", p->name, p->def ? p->def : "(computed)", p->help);
	}
}

static int usage(const struct svc *svc, FILE *to, int status)
{
	fprintf(to,
		"usage: postern-%s --fds N   (as postern-master does it)\n"
		"       postern-%s -T | --help | --version\n"
		"-T prints the parameters of this daemon.\n",
		svc->name, svc->name);
	return status;
}

/* True: go on, with *ret_listeners; false: end with *ret_status. */
static bool options(const struct svc *svc, int argc, char **argv, size_t *ret_listeners, int *ret_status)
{
	static const struct option longs[] = {
		{ "fds", required_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL },
	};
	uint64_t n = UINT64_MAX;
	for (int c; (c = getopt_long(argc, argv, "T", longs, NULL)) != -1;) {
		*ret_status = 0;
		if (c == 'T') {
			print_rows(svc);
			return false;
		}
		if (c == 'h' || c == 'V') {
			if (c == 'V')
				printf("postern-%s %s\n", svc->name, POSTERN_VERSION);
			else
				usage(svc, stdout, 0);
			return false;
		}
		if (c != 'f' || !num_u64(sv_of(optarg), 0, SVC_LISTENERS_MAX, &n)) {
			*ret_status = usage(svc, stderr, EXIT_USAGE);
			return false;
		}
	}
	if (n == UINT64_MAX || optind != argc) {
		*ret_status = usage(svc, stderr, EXIT_USAGE);
		return false;
	}
	*ret_listeners = n;
	return true;
}

static void ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* master's business */
	signal(SIGINT, SIG_IGN);
}

static bool run(struct svc_ctx *ctx, size_t n_listeners, struct err *e)
{
	if (!svc_inherit(ctx, n_listeners, e))
		return false;
	log_open(ctx->svc->name, (enum log_level)ctx->cfg->log.log_level, connect_log, ctx);
	if (!svc_give_up_rights(ctx, e))
		return false;
	return ctx->svc->model == SVC_POOL ? pool_run(ctx, e) : loop_run(ctx, e);
}

int svc_main(const struct svc *svc, int argc, char **argv)
{
	struct svc_ctx ctx = {
		.svc = svc, .master_fd = SVC_FD_MASTER, .rundir = -1, .wake = -1, .door = -1, .turn = -1, .wakes = -1
	};
	size_t n_listeners;
	int status;
	struct err e;
	if (!options(svc, argc, argv, &n_listeners, &status))
		return status;
	ignore_signals();
	log_open(svc->name, LOG_LEVEL_INFO, NULL, NULL);
	err_clear(&e);
	bool ok = run(&ctx, n_listeners, &e);
	if (ok)
		LOG_INFO("stopped");
	else
		orders_failed(&ctx, &e);
	/* Not by return: what the daemon keeps in svc_data() lives as long as the process, and is no leak. */
	exit(ok ? 0 : EXIT_CONFIG);
}
