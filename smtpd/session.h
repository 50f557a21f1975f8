/* session - one SMTP conversation as a state machine: bytes in, replies out. It does no I/O, and knows no descriptor and no
 * clock; what it must know or have done it asks of its environment (struct session_ops).
 *
 * The caller keeps the input and shows it to session_feed() until that takes it; between two calls it sends the replies, waits for
 * delay_ms when that is set (tarpit), and hangs up when the phase is PH_QUIT. So it does not matter who moves the bytes: a blocking
 * worker (serve.c), or later an event loop. Every chunking of the input gives the same conversation. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "body.h"
#include "limit.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/vec.h"
#include "config/cfg.h"
#include "ipc/msg_auth.h"
#include "ipc/msg_resolve.h"
#include "ipc/msg_spam.h"
#include "maps/map.h"
#include "smtp/smtp.h"
#include "spool/spool.h"
#include "tls/tls.h"

enum phase {
	PH_START = 1,   /* greeted; no EHLO yet */
	PH_HELLO = 2,   /* between messages */
	PH_MAIL = 4,    /* a sender, no recipient */
	PH_RCPT = 8,    /* at least one recipient */
	PH_DATA = 16,   /* within a message */
	PH_QUIT = 32,   /* the last reply was given: hang up */
	PH_BDAT = 64,   /* between the chunks of a message */
	PH_CHUNK = 128, /* within a chunk */
	PH_AUTH = 256,  /* the next line answers a challenge */
	PH_ANY = PH_START | PH_HELLO | PH_MAIL | PH_RCPT | PH_BDAT,
	PH_CONTENT = PH_DATA | PH_BDAT | PH_CHUNK, /* the client is sending a message */
};

enum client_kind {
	CLIENT_NET,     /* a TCP listener */
	CLIENT_SUBMIT,  /* a program of this machine: its uid is known */
	CLIENT_LMTP,    /* another mail system on this machine hands us mail for our users (RFC 2033) */
	CLIENT_BOUNCE,  /* our own bounce daemon: reserved room in the queue, no limits, no content check */
	CLIENT_FORWARD, /* our own local-delivery: a message of the queue goes on to where a user wants it. No limits, no content
			   check */
};
struct session_client {
	enum client_kind kind;
	const struct cfg_listener *listener; /* CLIENT_NET; NULL otherwise */
	struct addr addr;
	bool trusted;     /* CLIENT_NET: in trusted_networks */
	bool may_xclient; /* CLIENT_NET: the listener lists it */
	bool tls_ready;   /* a handshake is possible */
	uint64_t uid;     /* CLIENT_SUBMIT */
	char user[65];    /* its name, "" when it has none */
};

/* What the session needs from outside. Calls may block under their own deadlines; errors are for our log, never for the client. */
struct session_ops {
	/* Appends the final recipients of an address to `finals` (of struct resolve_rcpt); a status other than RESOLVE_OK comes as
	 * the only one. ERR_LIMIT: more than `finals` can hold. Other errors: nobody answered. */
	bool (*resolve)(void *env, const char *address, bool local_client, struct vec *finals, struct err *e);
	void (*lend)(void *env, bool reserve); /* at MAIL: a file will be wanted. Does not wait */
	bool (*lent)(void *env, bool reserve, struct spool_id *ret,
		struct err *e); /* waits for it. ERR_LIMIT: no room, with a text for the client */
	bool (*stream)(void *env, struct sv piece, uint64_t at, struct err *e); /* writes into it */
	/* Header and message are made durable; for a streamed message `body` is empty. The file is used up, in success and failure.
	 */
	bool (*commit)(void *env, struct sv header, struct sv body, const struct queue_note *note, struct err *e);
	void (*abandon)(void *env); /* what was written into the file is void; the file is used up */
	/* Asks the content check about `body`, or, when req->streamed, about the file as written so far. req->file is not set. */
	bool (*check)(void *env, struct spam_req *req, struct sv body, struct spam_res *ret, struct err *e);
	/* May the client, or its account, have n more of these now? No: it is told to come again. */
	bool (*allow)(void *env, enum limit_kind what, uint64_t n, const char *account);
	/* Looks a key up in a table that the configuration names ("cidr:/path"): `resolve` reads tables, we have no right to.
	 * MAP_FAILED: e says why, the client gets 451. */
	enum map_result (*table)(void *env, const char *spec, struct sv key, struct buf *ret_value, struct err *e);
	/* What is worth offering? false: nobody knows now. */
	bool (*auth_offer)(void *env, const struct auth_offer *q, struct auth_offered *ret, struct err *e);
	/* A step of an AUTH dialogue: `start` begins one; NULL: the client's response, in base64. false: nobody answered, and it is
	 * over. After AUTH_CHALLENGE comes the next step, or the cancel. */
	bool (*auth)(void *env, const struct auth_start *start, struct sv response, struct auth_answer *ret, struct err *e);
	void (*auth_cancel)(void *env);
	/* May the account send so much more? */
	bool (*spend)(void *env, const struct auth_spend *q, struct auth_spent *ret, struct err *e);
	uint64_t (*now)(void *env); /* Unix time in seconds */
	/* The client's name by reverse DNS, if that name leads back to its address; "" when there is none; NULL when that cannot be
	 * found out now. */
	const char *(*client_name)(void *env);
	/* XCLIENT named another client: it is counted and looked up like one that connects. Returns NULL, or why it may not enter.
	 */
	const char *(*client_changed)(void *env, const struct session_client *c);
};

struct refusal {
	int code; /* 0: none */
	char dsn[12];
	char text[400];
	const char *rule; /* the rule that says so, or NULL */
};

/* What belongs to one message; emptied by session_reset(). */
struct txn {
	struct maddr sender;
	struct spool_options options; /* announced with MAIL */
	struct maddr forwarder;       /* CLIENT_FORWARD: whose mail it was; the original recipient of all */
	bool strange;                 /* CLIENT_FORWARD: its sender had not authenticated */
	struct vec rcpts;             /* of struct spool_rcpt: the final ones */
	struct hmap *seen;            /* their addresses, folded: each gets one copy */
	unsigned tried, taken;        /* RCPT commands, and those with a 250 */
	struct maddr first;           /* as the client named it */
	bool remote;                  /* a recipient of CLASS_REMOTE is among them */
	struct spool_id id;           /* from DATA on */
	struct body body;
	struct buf added;  /* header lines that a local program left to us */
	struct buf header; /* what stands before the message */
	struct spool_marks marks;
	struct vec rules;       /* of const struct cfg_rule *: those that change the message */
	bool relayed;           /* a recipient was taken because a rule lets this client relay */
	struct refusal problem; /* found within DATA: the rest is read and dropped, then this is the answer */
};

/* A BDAT. Its octets are counted whatever becomes of it, or the text of a message would be run as commands. */
struct chunk {
	uint64_t left;
	bool last;
	bool out_of_order;      /* `refused` is a fault of protocol */
	bool early;             /* before EHLO */
	struct refusal refused; /* code 0: its octets are taken */
};

struct session {
	const struct cfg *cfg;
	const struct session_ops *ops;
	void *env;
	struct session_client client;
	char id[12];
	char client_text[ADDR_TEXT_MAX];
	enum phase phase;
	char helo[256];
	bool esmtp;
	bool proxied;   /* XCLIENT was said: with the next command it is over */
	bool closed;    /* by us: 421 */
	bool start_tls; /* the caller: refuse unread input, flush the reply, shake hands, session_tls_started() */
	bool tls_active;
	struct tls_facts tls; /* when tls_active */
	char account[129];    /* who authenticated; "" nobody */
	bool no_scram;        /* nobody here could use it */
	bool auth_open;       /* authd waits for a response */
	bool skipping;        /* within a command line that is too long */
	unsigned errors;      /* since the last accepted message */
	unsigned idle_talk;   /* the same for commands that bring no message nearer */
	uint64_t delay_ms;    /* set by session_feed(): send the reply only after this time */
	uint64_t accepted, refused, commands;
	struct vec looked;  /* what tables said since MAIL (rules.c) */
	struct chunk chunk; /* in PH_CHUNK */
	struct txn txn;
};

void session_init(struct session *s, const struct cfg *cfg, const struct session_ops *ops, void *env,
	const struct session_client *client, const char *id);
void session_free(struct session *s);
void session_greet(struct session *s, struct buf *reply);
/* Takes one command line or one piece of a message from `in`; returns how many bytes it used. 0: it needs more than that. */
size_t session_feed(struct session *s, struct sv in, struct buf *reply);
/* After a handshake. What was said before it is forgotten (RFC 3207 4.2): the client says EHLO again. */
void session_tls_started(struct session *s, const struct tls_facts *tls);
/* What its listener demands before MAIL: TLS, an account. false: the reply was given. */
bool session_channel_ok(struct session *s, struct buf *reply);
/* Ends the conversation from our side: 421. */
void session_close(struct session *s, const char *dsn, const char *why, struct buf *reply);

/* --- for the commands (cmd_*.c) --------------------------------------------------------------------------------------------- */
struct command {
	const char *verb;
	unsigned allowed;  /* enum phase */
	const char *wrong; /* said in any other phase but PH_START */
	const char *help;
	enum { IN_BOTH, IN_SMTP, IN_LMTP } in; /* known in this protocol alone */
	bool no_arg;
	enum phase (*run)(
		struct session *s, struct sv arg, struct buf *reply); /* returns the next phase; on failure the present one */
	void (*params)(const struct session *s, struct buf *out);     /* for HELP; NULL: it has none */
	bool idle;                                                    /* a session of these alone has no purpose */
};
extern const struct command session_commands[]; /* ends with verb NULL */

enum phase cmd_ehlo(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_lhlo(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_helo(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_starttls(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_mail(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_rcpt(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_data(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_auth(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_bdat(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_rset(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_noop(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_vrfy(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_expn(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_help(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_xclient(struct session *s, struct sv arg, struct buf *reply);
enum phase cmd_quit(struct session *s, struct sv arg, struct buf *reply);

size_t data_feed(struct session *s, struct sv in, struct buf *reply);  /* in PH_DATA */
size_t chunk_feed(struct session *s, struct sv in, struct buf *reply); /* in PH_CHUNK */
enum phase message_end(struct session *s, struct buf *reply);          /* all of it is there: accept.c */

/* A fault of the client's protocol: counts as an error, never softened. Returns the present phase. */
enum phase session_complain(struct session *s, struct buf *reply, int code, const char *dsn, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* A sender, recipient or message is not taken. soft_bounce applies; logged as `rejected`. Returns the present phase. */
enum phase session_refuse(struct session *s, struct buf *reply, const char *stage, const char *to, const struct refusal *r);
void refusal_set(struct refusal *r, int code, const char *dsn, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* In LMTP, what was said since reply->len was `from` is said once for each recipient that was taken (RFC 2033 4.2, 4.3). */
void session_repeat(const struct session *s, struct buf *reply, size_t from);
void session_reset(struct session *s);           /* no message is in progress any more */
bool session_is_lmtp(const struct session *s);   /* for local recipients alone, and one reply for each behind the message */
bool session_is_daemon(const struct session *s); /* one of our own: bounce, local-delivery */
bool session_is_ours(const struct session *s);   /* a program of this machine */
bool session_may_relay(const struct session *s);
/* Parses `TO:<path>`: the keyword, the colon, the path; *arg is left at the parameters. On failure the reply was given. */
bool session_path(struct session *s, const char *keyword, struct sv *arg, struct maddr *ret, unsigned flags, struct buf *reply);

#endif
