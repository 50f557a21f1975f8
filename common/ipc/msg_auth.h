/* Messages to authd: AUTH dialogues and budgets from smtpd (authd.smtpd), users from the tools (authd.control). */
/* clang-format off */
#ifndef IPC_MSG_AUTH_H
#define IPC_MSG_AUTH_H

#include "ipc/ipc.h"

#define AUTH_LINE_MAX 12288 /* RFC 4954 4: base64 of one challenge or response */
#define AUTH_ACCOUNT_MAX 128

/* A dialogue, one at a time on a channel. `initial`, `response` and `text` are base64 as on the wire. Each message from smtpd gets one
 * auth_answer; after AUTH_CHALLENGE the next is auth_next. */
#define AUTH_START(F, T) \
	F(T, STR, session, 32) \
	F(T, STR, mechanism, 32) /* upper case */ \
	F(T, U64, has_initial, 1) \
	F(T, STR, initial, AUTH_LINE_MAX) \
	F(T, STR, client_ip, 56) \
	F(T, STR, local_user, 64) /* on the submit socket: whose process the client is; "" otherwise */ \
	F(T, U64, trusted, 1) /* in trusted_networks: its network is not throttled */ \
	F(T, STR, certificate, 64) /* SHA-256 of the client's certificate, lower hex; "" none */ \
	F(T, STR, exporter, 128) /* channel binding of three types, in hex; "" none: tls-exporter (RFC 9266), */ \
	F(T, STR, unique, 128) /* tls-unique, */ \
	F(T, STR, end_point, 128) /* tls-server-end-point (RFC 5929) */
#define AUTH_NEXT(F, T) \
	F(T, U64, cancel, 1) /* the client said `*`, or left */ \
	F(T, STR, response, AUTH_LINE_MAX)
enum auth_status {
	AUTH_CHALLENGE, /* 334 text */
	AUTH_OK,        /* 235; account is who it is */
	AUTH_DENIED,    /* 535 */
	AUTH_TEMP,      /* 454: cannot be checked now; text says why to the client */
	AUTH_THROTTLED, /* 454: too many failures */
	AUTH_MALFORMED, /* 501; text says what */
	AUTH_UNKNOWN,   /* 504: no such mechanism here */
};
#define AUTH_ANSWER(F, T) \
	F(T, U64, status, AUTH_UNKNOWN) \
	F(T, STR, account, AUTH_ACCOUNT_MAX) \
	F(T, STR, text, AUTH_LINE_MAX)
/* What is worth offering? Answered at once: who does not get an answer knows that authd hangs. */
#define AUTH_OFFER(F, T) \
	F(T, STR, session, 32)
#define AUTH_OFFERED(F, T) \
	F(T, U64, scram, 1) /* somebody has a verifier */
IPC_DECLARE(auth_offer, AUTH_OFFER);
IPC_DECLARE(auth_offered, AUTH_OFFERED);
IPC_DECLARE(auth_start, AUTH_START);
IPC_DECLARE(auth_next, AUTH_NEXT);
IPC_DECLARE(auth_answer, AUTH_ANSWER);

/* May this account send so much more? Asked for each recipient; what is granted is counted. */
#define AUTH_SPEND(F, T) \
	F(T, STR, session, 32) \
	F(T, STR, account, AUTH_ACCOUNT_MAX) \
	F(T, STR, client_ip, 56) \
	F(T, U64, messages, 1) /* with a message's first recipient */ \
	F(T, U64, recipients, 100000)
enum auth_budget { AUTH_GRANTED, AUTH_LATER, AUTH_FROZEN };
#define AUTH_SPENT(F, T) \
	F(T, U64, budget, AUTH_FROZEN) \
	F(T, STR, text, 200) /* for the client */
IPC_DECLARE(auth_spend, AUTH_SPEND);
IPC_DECLARE(auth_spent, AUTH_SPENT);

/* --- authd and its helper processes: one question, one answer */
#define AUTH_PASSWORD_MAX 1024
#define AUTH_ASK(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, STR, user, AUTH_ACCOUNT_MAX) \
	F(T, STR, password, AUTH_PASSWORD_MAX) \
	F(T, STR, hash, 300) /* crypt(5); "": ask PAM */ \
	F(T, STR, client_ip, 56)
enum auth_judgement { AUTH_RIGHT, AUTH_WRONG, AUTH_BROKEN };
#define AUTH_VERDICT(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, U64, verdict, AUTH_BROKEN) \
	F(T, STR, text, 200) /* for the log */
IPC_DECLARE(auth_ask, AUTH_ASK);
IPC_DECLARE(auth_verdict, AUTH_VERDICT);

/* --- tools to authd: the user database. No password passes: the tool makes hash and verifier. */
enum user_op {
	USER_ADD, USER_PASSWD, USER_DELETE, USER_DISABLE, USER_ENABLE, USER_UNFREEZE,
	USER_NEXT,                                 /* list: the first user behind `name` in the order of names; user_done at the end */
	USER_APP_ADD, USER_APP_NEXT, USER_APP_REVOKE, /* `label` names it; NEXT as above */
	USER_CERT_ADD, USER_CERT_REVOKE,           /* `secret` is the fingerprint */
};
#define USER_LABEL_MAX 64
#define USER_REQ(F, T) \
	F(T, U64, op, USER_CERT_REVOKE) \
	F(T, STR, name, AUTH_ACCOUNT_MAX) \
	F(T, U64, is_system, 1) /* the tool has found it among the system's users: it may have no entry yet */ \
	F(T, STR, label, USER_LABEL_MAX) \
	F(T, STR, secret, 300) /* ADD, PASSWD: crypt(5) hash; APP_ADD: of the app password */ \
	F(T, STR, scram, 300) /* ADD, PASSWD: verifier (smtp/scram.h) */
#define USER_ROW(F, T) \
	F(T, STR, name, AUTH_ACCOUNT_MAX) \
	F(T, STR, label, USER_LABEL_MAX) \
	F(T, U64, has_password, 1) \
	F(T, U64, disabled, 1) \
	F(T, U64, frozen, UINT64_MAX) /* Unix time, 0: not */ \
	F(T, U64, created, UINT64_MAX) F(T, U64, used, UINT64_MAX) /* 0: never */ \
	F(T, U64, app_passwords, 1000) F(T, U64, certificates, 1000)
#define USER_DONE(F, T) F(T, U64, ok, 1) F(T, STR, text, 300)
IPC_DECLARE(user_req, USER_REQ);
IPC_DECLARE(user_row, USER_ROW);
IPC_DECLARE(user_done, USER_DONE);

#endif
