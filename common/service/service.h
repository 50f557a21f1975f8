/* service - what every daemon is made of: options, configuration snapshot, rights, sandbox, pool or loop, talk with master.
 *
 * A daemon's main() is a description and one call (STYLE.md 3.2). master executes it as
 *   postern-NAME --fds N        (descriptors: SVC_FD_* below, then N listening sockets, named in the environment POSTERN_LISTEN)
 * svc_main(): options (--help, --version, -T prints the parameter rows), reads the snapshot, opens the log, runs pre_drop with the
 * rights that are left by master, changes to its user and groups and proves that they cannot be regained, sets no-new-privileges,
 * rlimits, dumpable off, then reports leader_ready to master.
 *  - SVC_POOL: the leader forks workers (min, max, spare), each takes sandbox and then clients one at a time with serve(): all
 *    listeners in one epoll set, EPOLLEXCLUSIVE. A worker ends after max_uses. State is in a scoreboard shared by the pool.
 *  - SVC_LOOP: the process itself is the daemon: start() puts its watches into the loop, then the loop runs.
 * Death of master is the end of SVC_FD_MASTER; death of a leader is the end of a pipe that its workers hold: they close their
 * listeners at once, finish the message in hand and end. ORDER_DRAIN (stop) does the same. ORDER_RETIRE (reload) takes no more
 * clients and lets sessions go on, for half of stop_timeout; then it is a drain. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "config/cfg.h"
#include "event/ev.h"
#include "net/addr.h"
#include "service/sandbox.h"

enum { SVC_FD_CONFIG = 3, SVC_FD_MASTER = 4, SVC_FD_RUNDIR = 5, SVC_FD_FIRST_LISTENER = 6 };
#define SVC_LISTENERS_MAX 64

/* A listening socket. IPC ones: `service` and `caller` as in the endpoint table; the caller is who you are. TCP ones: service
 * "smtpd", caller "" and `name` of the [listener] section. */
struct svc_listener {
	int fd;
	char name[64]; /* "resolve.smtpd", "smtpd.submit", or the section's name */
	bool tcp;
	const struct cfg_listener *cfg; /* TCP: its section */
};

enum svc_model { SVC_POOL, SVC_LOOP };

struct svc_ctx; /* the running service */

struct svc_client { /* one accepted connection; fd is closed after serve() returns unless set to -1 */
	int fd;
	const struct svc_listener *on;
	struct addr peer;
};

struct svc_pool { /* from the configuration */
	uint64_t min, max, spare, uses;
};

struct svc {
	const char *name; /* "smtpd"; the program is postern-smtpd, log lines carry the name */
	const char *user; /* "postern-smtpd"; NULL: stays root (local-delivery), with `caps` */
	enum svc_model model;
	unsigned sandbox;                                       /* SB_* */
	uint64_t caps;                                          /* bit set of CAP_* kept by a root service; 0 otherwise */
	void (*pool)(const struct cfg *, struct svc_pool *ret); /* SVC_POOL */
	/* SVC_POOL, may be NULL: one worker (counted in min, max and spare) serves these listeners alone, so that a full pool
	 * cannot keep their clients waiting. */
	bool (*reserved)(const struct svc_listener *);
	bool turns_out;                                   /* SVC_POOL: svc_still() */
	bool (*pre_drop)(struct svc_ctx *, struct err *); /* may be NULL: open tables, keys, directories */
	bool (*worker_init)(
		struct svc_ctx *, struct err *); /* SVC_POOL, may be NULL: in each worker, before the sandbox is closed */
	void (*serve)(struct svc_ctx *, struct svc_client *);            /* SVC_POOL */
	bool (*start)(struct svc_ctx *, struct ev_loop *, struct err *); /* SVC_LOOP */
	void (*drain)(struct svc_ctx *);                                 /* SVC_LOOP: finish, then svc_done(); NULL: ends at once */
	void (*reopen)(struct svc_ctx *);                                /* SVC_LOOP, may be NULL: reopen log files */
	void (*report)(struct svc_ctx *, uint64_t *ret_workers, uint64_t *ret_busy, uint64_t *ret_max,
		uint64_t *ret_served); /* SVC_LOOP, may be NULL */
};

int svc_main(const struct svc *svc, int argc, char **argv); /* returns only from options like --help */

const struct cfg *svc_cfg(const struct svc_ctx *);
void *svc_data(const struct svc_ctx *); /* the daemon's own */
void svc_set_data(struct svc_ctx *, void *data);
size_t svc_listeners(const struct svc_ctx *, const struct svc_listener **ret_first);
const struct svc_listener *svc_listener(const struct svc_ctx *, const char *name); /* NULL: none */
int svc_rundir(const struct svc_ctx *);                                            /* runtime_directory, for connects */
int svc_wake_fd(const struct svc_ctx *);   /* workers: readable when the service is to end; give it to conn_init */
bool svc_ending(const struct svc_ctx *);   /* drain was ordered, or the parent is gone */
bool svc_orphaned(const struct svc_ctx *); /* SVC_LOOP: ending because master is gone, not by its order */
void svc_done(struct svc_ctx *);           /* SVC_LOOP: drained; the process ends */
bool svc_unprivileged(const struct svc_ctx *);
/* When the leader was started (Unix time) that runs now and that we are to take the place of; when we fail it stays. 0: none. */
uint64_t svc_replaces(const struct svc_ctx *);
/* Directories that the sandbox shall leave reachable: call in pre_drop. Landlock rule for everything below fd. */
void svc_allow_dir(struct svc_ctx *, int dirfd, unsigned access); /* SB_DIR_READ | SB_DIR_WRITE */

/* Pool scoreboard: a worker marks what client it serves, and asks how many workers have the same mark now (its own included).
 * Marks of workers that ended, in whatever way, are gone. */
void svc_mark(struct svc_ctx *, const struct addr *client); /* NULL: none */
unsigned svc_marked(const struct svc_ctx *, const struct addr *client);
unsigned svc_marked_net(const struct svc_ctx *, const struct addr *client); /* of the same IPv4 /24 or IPv6 /48 */
void svc_tag(struct svc_ctx *, uint64_t tag);                               /* a second mark; 0: none */
unsigned svc_tagged(const struct svc_ctx *, uint64_t tag);

/* SVC_POOL with `turns_out`: when every worker is busy and somebody waits, the client that is still for longest has to go. A worker
 * says since when its client did nothing of use (monotonic ms; 0: it may stay), and after svc_wake_fd() woke it asks whether it is
 * the one. */
void svc_still(struct svc_ctx *, uint64_t since_ms);
bool svc_turned_out(struct svc_ctx *); /* true once for each time that it was chosen */

/* Connects to another service's socket ("resolve.smtpd"), trying again until wait_ms is over. Callers reconnect by calling again.
 * ERR_TEMP when it is away. */
bool svc_connect(const struct svc_ctx *, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e) MUST_CHECK;

/* --- what services and sockets there are (catalog.c): the one list that master, packaging and `postern check` use ---------- */
struct svc_entry {
	const char *name;    /* "smtpd" */
	const char *program; /* "postern-smtpd", beside master's own file */
	const char *user;    /* NULL: root */
};
extern const struct svc_entry svc_catalog[]; /* in the order of start; ends with name NULL */

struct svc_endpoint {
	const char *name; /* "resolve.smtpd": <service>.<kind of caller> */
	int type;         /* SOCK_SEQPACKET or SOCK_STREAM */
	unsigned mode;
	const char *group; /* whose members may connect; NULL: mode decides */
};
extern const struct svc_endpoint svc_endpoints[]; /* ends with name NULL */

#endif
