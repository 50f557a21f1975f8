/* Messages between smtpd and spamcheck: one connection per message. */
/* clang-format off */
#ifndef IPC_MSG_SPAM_H
#define IPC_MSG_SPAM_H

#include "ipc/ipc.h"
#include "ipc/msg_resolve.h"

#define SPAM_MEMFD_MAX (2u << 20) /* of a message in a memfd: smtpd's 1 MiB (D7) and the piece that passes it */
#define SPAM_HEADERS_MAX 3500 /* fits the 4 KiB that a streamed message reserves (D7) */

/* `file`: a sealed memfd, or a read-only descriptor of a lent queue file (`streamed`: pread only, never map). The message is the
 * `size` bytes from `offset`, LF line ends, as the client sent it. */
#define SPAM_REQ(F, T) \
	F(T, STR, session, 32) \
	F(T, STR, id, 24) \
	F(T, STR, client_ip, 56) \
	F(T, STR, helo, 255) \
	F(T, STR, sender, ADDRESS_MAX) \
	F(T, STR, rcpt, ADDRESS_MAX) /* the first one */ \
	F(T, U64, recipients, 1000000) \
	F(T, U64, trust, 255) /* the letter t of the Received line: 'l' local, 'a' authenticated, 's' stranger */ \
	F(T, U64, smtputf8, 1) \
	F(T, U64, streamed, 1) \
	F(T, U64, offset, (uint64_t)4 << 30) \
	F(T, U64, size, (uint64_t)4 << 30) \
	F(T, FD, file, 0)
enum spam_verdict { SPAM_ACCEPT, SPAM_MARK, SPAM_REJECT, SPAM_TEMPFAIL };
/* headers: whole header lines, each ended by LF, put below Received. score: hundredths, offset by SPAM_SCORE_ZERO. */
#define SPAM_SCORE_ZERO 1000000
#define SPAM_RES(F, T) \
	F(T, U64, verdict, 3) \
	F(T, U64, score, 2 * SPAM_SCORE_ZERO) \
	F(T, STR, headers, SPAM_HEADERS_MAX) \
	F(T, STR, reasons, 500) /* for the log: NAME=points, blanks between */ \
	F(T, STR, text, 200) /* for the client, when rejected */
IPC_DECLARE(spam_req, SPAM_REQ);
IPC_DECLARE(spam_res, SPAM_RES);

/* tools to spamcheck (root and admin_group): train the classifier. spam_learn for each message, then spam_learn_done, which
 * is answered when the database is on disk. Each spam_learn is answered at once with counts so far. */
#define SPAM_LEARN(F, T) F(T, U64, spam, 1) F(T, U64, forget, 1) F(T, U64, offset, (uint64_t)4 << 30) F(T, U64, size, (uint64_t)4 << 30) F(T, FD, file, 0)
#define SPAM_LEARN_DONE(F, T) F(T, U64, commit, 1)
#define SPAM_LEARNT(F, T) \
	F(T, U64, ok, 1) F(T, U64, learnt, (uint64_t)1 << 40) F(T, U64, skipped, (uint64_t)1 << 40) \
	F(T, U64, total_spam, (uint64_t)1 << 40) F(T, U64, total_ham, (uint64_t)1 << 40) F(T, STR, text, 300)
IPC_DECLARE(spam_learn, SPAM_LEARN);
IPC_DECLARE(spam_learn_done, SPAM_LEARN_DONE);
IPC_DECLARE(spam_learnt, SPAM_LEARNT);

#endif
