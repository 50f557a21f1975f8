/* Messages about what domains demand of TLS: remote-delivery asks tls-policy (tls-policy.remote-delivery) and tells it how each
 * attempt went; tls-policy asks its own helper. */
/* clang-format off */
#ifndef IPC_MSG_TLS_H
#define IPC_MSG_TLS_H

#include "ipc/ipc.h"

#define TLS_DOMAIN_MAX 255
/* The bounds of mail/sts.h, which is a later layer. */
#define TLS_STS_MODE_MAX 2
#define TLS_STS_AGE_MAX 31557600
#define TLS_STS_ID_MAX 32
#define TLS_STS_MX_MAX 8000

/* What does MTA-STS (RFC 8461) demand for mail to `domain` (A-labels, lower case)? The answer may take STS_ASK_MS when nothing is known. */
#define STS_ASK_MS 70000
#define STS_ASK(F, T) F(T, STR, domain, TLS_DOMAIN_MAX)
#define STS_ANSWER(F, T) \
	F(T, U64, mode, TLS_STS_MODE_MAX) /* enum sts_mode; STS_NONE: nothing is demanded, or nothing is known */ \
	F(T, U64, max_age, TLS_STS_AGE_MAX) \
	F(T, STR, id, TLS_STS_ID_MAX) \
	F(T, STR, mx, TLS_STS_MX_MAX) /* for sts_allows() */
IPC_DECLARE(sts_ask, STS_ASK);
IPC_DECLARE(sts_answer, STS_ANSWER);

/* How one connection went, one-way (RFC 8460): remote-delivery's struct tls_attempt. */
#define TLS_RESULT_MAX 8
#define TLS_FACT(F, T) \
	F(T, U64, policy, 2) /* enum tls_policy_type */ \
	F(T, U64, result, TLS_RESULT_MAX) /* enum tls_result */ \
	F(T, STR, domain, TLS_DOMAIN_MAX) /* whose policy */ \
	F(T, STR, mx, TLS_DOMAIN_MAX) F(T, STR, hello, TLS_DOMAIN_MAX) \
	F(T, STR, from, 56) F(T, STR, to, 56) /* addresses; "" there was no connection */ \
	F(T, STR, tlsa, 2000) /* records, a line each */ \
	F(T, STR, reason, 200)
IPC_DECLARE(tls_fact, TLS_FACT);

/* --- tls-policy and its helpers: one question, one answer */
enum fetch_status {
	FETCH_OK,
	FETCH_SAME,   /* the policy has still the id `known` */
	FETCH_ABSENT, /* there is none */
	FETCH_FAILED, /* not now; text says why */
};
#define FETCH_ASK(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, STR, name, TLS_DOMAIN_MAX) /* whose policy */ \
	F(T, STR, known, TLS_STS_ID_MAX) /* the id that we have */
#define FETCH_ANSWER(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, U64, status, FETCH_FAILED) \
	F(T, STR, text, 300) \
	F(T, STR, policy_id, TLS_STS_ID_MAX) \
	F(T, U64, mode, TLS_STS_MODE_MAX) \
	F(T, U64, max_age, TLS_STS_AGE_MAX) \
	F(T, STR, mx, TLS_STS_MX_MAX)
IPC_DECLARE(fetch_ask, FETCH_ASK);
IPC_DECLARE(fetch_answer, FETCH_ANSWER);

/* Send a domain its report of a day. */
#define REPORT_ROWS_MAX 48000
enum report_status {
	REPORT_SENT,
	REPORT_UNWANTED, /* it asks for none */
	REPORT_FAILED,
};
#define REPORT_ASK(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, U64, from, UINT64_MAX) /* Unix time of the day's first second */ \
	F(T, STR, domain, TLS_DOMAIN_MAX) \
	F(T, STR, rows, REPORT_ROWS_MAX) /* facts_text() */
#define REPORT_ANSWER(F, T) \
	F(T, U64, id, UINT64_MAX) \
	F(T, U64, status, REPORT_FAILED) \
	F(T, STR, text, 300) /* whereto, or why not */
IPC_DECLARE(report_ask, REPORT_ASK);
IPC_DECLARE(report_answer, REPORT_ANSWER);

#endif
