/* master - binds the sockets, parses the configuration, starts and restarts all daemons. It owns no mail and reads no byte of a
 * client.
 *
 *   main.c      options and the order of the start           leader.c    one running daemon: fork, exec, its channel, its end
 *   dirs.c      directories and the lock                     services.c  what should run, restarts, the order of stopping
 *   binds.c     the sockets; holder.c: who else has them     reload.c    a new configuration, all or nothing
 *   control.c   status, stop, reload for `postern`           notify.c    systemd
 *   renew.c     certificates that have changed
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "binds.h"
#include "base/log.h"
#include "config/cfg.h"
#include "event/ev.h"
#include "ipc/msg_control.h"
#include "service/service.h"

#include <limits.h>

#define SERVICES_MAX 16
#define EXIT_USAGE 64  /* EX_USAGE */
#define EXIT_OSERR 71  /* EX_OSERR */
#define EXIT_CONFIG 78 /* EX_CONFIG */

struct master;

enum leader_state {
	LEADER_STARTING, /* until its leader_ready */
	LEADER_RUNNING,
	LEADER_RETIRED, /* to be drained when its turn comes */
	LEADER_DRAINING,
	LEADER_KILLED,
};

struct leader {
	struct master *m;
	struct service *service;
	struct leader *next;
	enum leader_state state;
	pid_t pid;
	struct ev_io chan; /* its end of file is our death to it; ours to see is its child watch */
	struct ev_child child;
	struct ev_timer timer;                                /* start, drain or kill */
	uint64_t generation, started_ms, started, retired_ms; /* `started`: Unix time */
	struct leader_load load;
	bool load_asked;
	char text[301]; /* why it could not start */
};

struct service {
	struct master *m;
	const struct svc_entry *entry;
	struct leader *cur, *next; /* `next`: of a reload or renewal that is not through */
	struct ev_timer restart;
	bool waiting, settled; /* for `restart`; it has once reported, good or bad */
	uint64_t restarts, delay_ms;
	char text[301]; /* the last trouble */
};

struct client; /* control.c */

struct reload {
	bool active;
	struct cfg *cfg;
	int snapshot;
	struct vec tcp;       /* of struct bind_tcp */
	uint64_t look;        /* renew_look() at its beginning */
	struct client *asker; /* NULL: a signal */
	bool again;           /* another SIGHUP came meanwhile */
};

struct renew { /* the look of the certificate files: as the running leader found them, and as last seen */
	struct ev_timer timer;
	uint64_t seen, wanted;
};

struct master {
	struct ev_loop *loop;
	char conf[PATH_MAX];     /* absolute */
	char programs[PATH_MAX]; /* the directory of the daemons' programs */
	struct cfg *cfg;
	int snapshot;
	uint64_t started;
	int queue_lock, runtime_lock; /* the directories; no child gets these descriptions, or the locks would outlive us */
	struct binds binds;
	struct service services[SERVICES_MAX];
	size_t n_services;
	struct leader *leaders; /* all that live */
	struct reload reload;
	struct renew renew;
	struct client *clients;
	size_t n_clients;
	struct log_rate refusals; /* of clients */
	struct ev_io control;
	struct ev_timer loads; /* waiting for leader_load */
	bool stopping, ready;
};

/* --- dirs.c --- */
/* Makes what is missing with the right owner. As root only: gives each to its daemon. */
bool dirs_make(const struct cfg *cfg, struct err *e) MUST_CHECK;
/* Opened and locked for as long as we live; ERR_LIMIT: another master has it. */
bool dirs_lock(const char *path, const char *what, int *ret_fd, struct err *e) MUST_CHECK;
/* Root only: all users and groups of the catalog exist. */
bool dirs_check_users(const struct cfg *cfg, struct err *e) MUST_CHECK;

/* --- leader.c --- */
struct leader *leader_start(
	struct service *s, const struct cfg *cfg, int snapshot, const struct vec *tcp, struct err *e); /* NULL on failure */
bool leader_order(struct leader *l, enum leader_order order) MUST_CHECK;
void leader_kill(struct leader *l, int signo); /* with all its workers */
void leader_free(struct leader *l);            /* after its end; out of m->leaders */

/* --- services.c --- */
void services_init(struct master *m);
void services_start(struct master *m);
void services_stop(struct master *m); /* begins; the loop ends with the last leader */
void services_on_ready(struct leader *l, bool ok);
void services_on_end(struct leader *l, int status);
void service_adopt(struct service *s, struct leader *l); /* becomes `cur`; the one before retires */
/* A new leader with the same configuration, which takes over when it is ready. false: not now. */
bool service_renew(struct service *s);
void leader_retire(struct leader *l);
void leaders_step(struct master *m);   /* orders the next ones to drain */
void leader_overdue(struct leader *l); /* its timer */

/* --- reload.c --- */
/* asker NULL: a signal. Answers with control_done by control_answer(). */
void reload_begin(struct master *m, struct client *asker);
void reload_check(struct master *m); /* a leader has become ready */
void reload_abort(struct master *m, const char *why);
/* The file as a usable configuration, or NULL with every fault in `text`, one a line: file:line: what. */
struct cfg *config_load(const char *path, uint64_t generation, bool unprivileged, struct buf *text, struct err *e);

/* --- renew.c --- */
uint64_t renew_look(const struct cfg *cfg);        /* at the certificate files: another number when they have changed */
void renew_start(struct master *m, uint64_t look); /* the look from before the running leader read them */

/* --- control.c --- */
bool control_open(struct master *m, struct err *e) MUST_CHECK;
void control_close(struct master *m);
void control_answer(struct master *m, struct client *c, bool ok, const char *text); /* c may be gone: looked up */
void control_on_load(struct master *m); /* a leader has reported its load, or has ended */
void logs_reopen(struct master *m);

/* --- notify.c --- */
void notify(const char *state); /* "READY=1"; nothing when systemd did not start us */

#endif
