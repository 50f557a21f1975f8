#include "master.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/paths.h"
#include "net/sock.h"
#include "service/priv.h"

#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BIND_WAIT_MS 10000 /* for the workers of a master that was killed to let go of its ports */
#define LOG_WAIT_MS 50
#define FDS_HARD 65536 /* queue-mgr asks for 4 x smtpd_workers_max + 1,024, and cannot raise the hard limit itself */
/* For us and for what daemons need at their start; local-delivery keeps five of them. */
#define CAPS                                                                                                                     \
	(PRIV_CAP(CAP_CHOWN) | PRIV_CAP(CAP_DAC_OVERRIDE) | PRIV_CAP(CAP_FOWNER) | PRIV_CAP(CAP_SETUID) | PRIV_CAP(CAP_SETGID) | \
		PRIV_CAP(CAP_KILL) | PRIV_CAP(CAP_NET_BIND_SERVICE) | PRIV_CAP(CAP_SETPCAP))

static int fail(int status, const struct err *e)
{
	fprintf(stderr, "postern-master: %s\n", e->text);
	return status;
}

/* --- options ----------------------------------------------------------------------------------------------------------------- */

struct options {
	const char *conf;
	bool check;
};

static void usage(FILE *to)
{
	fputs("usage: postern-master [-c FILE] [--check]\n"
	      "       postern-master --help | --version\n"
	      "Starts Postern in the foreground.\n"
	      "  -c FILE    configuration (default " POSTERN_CONF ")\n"
	      "  --check    only read the configuration, say what is wrong, and end\n"
	      "Signals: TERM, INT stop; HUP reload; USR1 reopen the log.\n",
		to);
}

static bool options(int argc, char **argv, struct options *ret, int *ret_status)
{
	static const struct option longs[] = {
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL },
	};
	*ret = (struct options){ .conf = POSTERN_CONF };
	*ret_status = 0;
	for (int c; (c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1;) {
		switch (c) {
		case 'c':
			ret->conf = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'h':
			usage(stdout);
			return false;
		case 'V':
			puts("postern-master " POSTERN_VERSION);
			return false;
		default:
			usage(stderr);
			*ret_status = EXIT_USAGE;
			return false;
		}
	}
	if (optind == argc)
		return true;
	usage(stderr);
	*ret_status = EXIT_USAGE;
	return false;
}

/* --- start -------------------------------------------------------------------------------------------------------------------- */

/* What is shown is to tell where it lies. Links are not followed: a reload shall see where they point by then. */
static bool absolute(const char *path, char dst[PATH_MAX], struct err *e)
{
	char here[PATH_MAX];
	int n;
	if (path[0] == '/')
		n = snprintf(dst, PATH_MAX, "%s", path);
	else if (getcwd(here, sizeof(here)))
		n = snprintf(dst, PATH_MAX, "%s/%s", here, path);
	else
		return err_sys(e, ERR_PERM, "find the current directory");
	return (n > 0 && n < PATH_MAX) || err_set(e, ERR_PERM, "the configuration's path is too long");
}

/* Prints every fault; warnings too. */
static struct cfg *read_config(const char *path, struct err *e)
{
	struct buf text = BUF_INIT(64 * 1024);
	struct cfg *cfg = config_load(path, 1, geteuid() != 0, &text, e);
	if (text.len)
		fprintf(stderr, "%s", buf_str(&text));
	buf_free(&text);
	return cfg;
}

/* The daemons' programs lie beside ours. */
static bool find_programs(struct master *m, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", m->programs, sizeof(m->programs) - 1);
	if (n < 0)
		return err_sys(e, ERR_PERM, "read /proc/self/exe");
	m->programs[n] = '\0';
	char *slash = strrchr(m->programs, '/');
	if (!slash)
		return err_set(e, ERR_PERM, "cannot tell where the programs are");
	*slash = '\0';
	return true;
}

static void raise_fd_limit(void)
{
	struct rlimit now;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_max >= FDS_HARD)
		return;
	now.rlim_max = FDS_HARD;
	(void)!setrlimit(RLIMIT_NOFILE, &now); /* a container may forbid it: then daemons log `fd-limit` */
}

static int connect_log(void *arg)
{
	struct master *m = arg;
	int fd;
	return sock_connect_unix(m->binds.rundir, "logd.log", SOCK_SEQPACKET, LOG_WAIT_MS, &fd, NULL) ? fd : -1;
}

static bool claim(struct master *m, struct err *e)
{
	const struct cfg_global *g = &m->cfg->global;
	if (!m->cfg->unprivileged && !dirs_check_users(m->cfg, e))
		return false;
	if (!dirs_make(m->cfg, e) || !dirs_lock(g->queue_directory, "queue", &m->queue_lock, e) ||
		!dirs_lock(g->runtime_directory, "runtime directory", &m->runtime_lock, e))
		return false;
	int rundir = open(g->runtime_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rundir < 0)
		return err_sys(e, ERR_PERM, "open %s", g->runtime_directory);
	if (!binds_open_unix(&m->binds, rundir, m->cfg, e))
		return false;
	/* What is said from here on waits in logd's socket for logd; a port that is taken is said to who starts us as well. */
	log_open("master", (enum log_level)m->cfg->log.log_level, connect_log, m);
	log_stderr_too(true);
	bool ok = binds_open_tcp(m->cfg, &m->binds.tcp, BIND_WAIT_MS, &m->binds.tcp, e);
	log_stderr_too(false);
	return ok;
}

static void on_stop(int signo, void *arg)
{
	(void)signo;
	services_stop(arg);
}

static void on_hup(int signo, void *arg)
{
	(void)signo;
	reload_begin(arg, NULL);
}

static void on_usr1(int signo, void *arg)
{
	(void)signo;
	logs_reopen(arg);
}

static bool open_loop(struct master *m, struct err *e)
{
	m->loop = ev_new(e);
	return m->loop && ev_signal(m->loop, SIGTERM, on_stop, m, e) && ev_signal(m->loop, SIGINT, on_stop, m, e) &&
	       ev_signal(m->loop, SIGHUP, on_hup, m, e) && ev_signal(m->loop, SIGUSR1, on_usr1, m, e) && control_open(m, e);
}

static bool set_up(struct master *m, struct err *e)
{
	signal(SIGPIPE, SIG_IGN);
	if (!find_programs(m, e) || !claim(m, e))
		return false;
	raise_fd_limit();
	/* no-new-privileges is left to the daemons: local-delivery starts commands for users, which may need them. */
	if (!m->cfg->unprivileged && !priv_limit_caps(CAPS, e))
		return false;
	m->snapshot = cfg_snapshot(m->cfg, e);
	if (m->snapshot < 0 || !open_loop(m, e))
		return false;
	return true;
}

static void announce(const struct master *m)
{
	char facilities[64];
	sandbox_facilities(facilities, sizeof(facilities));
	LOG_INFO("started", KV_STR("version", POSTERN_VERSION), KV_U64("generation", m->cfg->generation), KV_STR("config", m->conf),
		KV_STR("unprivileged", m->cfg->unprivileged ? "yes" : "no"), KV_STR("sandbox", facilities));
	if (m->cfg->unprivileged)
		fputs("postern-master: not started as root: all daemons run under this uid and are not protected from each other; "
		      "system users get no mail, virtual mailboxes do\n",
			stderr);
	binds_log(&m->binds);
}

static void tear_down(struct master *m)
{
	if (m->loop)
		control_close(m);
	log_open("master", LOG_LEVEL_INFO, NULL, NULL);
	binds_close(&m->binds);
	ev_free(m->loop);
	cfg_free(m->cfg);
	fd_close(&m->snapshot);
	fd_close(&m->queue_lock);
	fd_close(&m->runtime_lock);
}

int main(int argc, char **argv)
{
	struct master m = { .snapshot = -1, .queue_lock = -1, .runtime_lock = -1, .binds.rundir = -1, .reload.snapshot = -1 };
	struct options opt;
	struct err e;
	int status;
	fd_hold_std();
	if (!options(argc, argv, &opt, &status))
		return status;
	umask(027);
	err_clear(&e);
	m.started = clock_real_secs();
	m.cfg = absolute(opt.conf, m.conf, &e) ? read_config(m.conf, &e) : NULL;
	if (!m.cfg)
		return fail(EXIT_CONFIG, &e);
	if (opt.check) {
		cfg_free(m.cfg);
		return 0;
	}
	status = EXIT_OSERR;
	if (set_up(&m, &e)) {
		announce(&m);
		services_init(&m);
		uint64_t look = renew_look(m.cfg);
		services_start(&m);
		renew_start(&m, look);
		ev_run(m.loop);
		status = 0;
	} else {
		fail(status, &e);
	}
	tear_down(&m);
	return status;
}
