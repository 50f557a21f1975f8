/* ipc - messages between our processes: declared once, coded by one codec, allowed by table. docs/IPC.md lists them.
 *
 * A message is one SEQPACKET packet: u16 type, u16 version, then its fields in the order of the declaration, little-endian:
 * U64 8 bytes; STR u32 length and bytes (no NUL). FD fields travel beside the bytes, in order. The decoder refuses short, long,
 * out-of-range and trailing input and a wrong number of descriptors, and then closes the descriptors.
 *
 *   #define DELIVER_REQ(F, T)  F(T, STR, queue_id, 32)  F(T, U64, size, 1u << 30)  F(T, FD, file, 0)
 *   IPC_DECLARE(deliver_req, DELIVER_REQ);            header: struct deliver_req and deliver_req_desc
 *   IPC_DEFINE(deliver_req, 0x21, 1, DELIVER_REQ);    one .c: the table of kind, name, offset, limit
 *
 * STR members are char[limit + 1], NUL-terminated; U64 are uint64_t no larger than the limit; FD are int, -1 until set. */
/* clang-format off */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/buf.h"
#include "base/err.h"
#include "net/sock.h"

enum ipc_kind { IPC_STR, IPC_U64, IPC_FD };

struct ipc_field {
	enum ipc_kind kind;
	const char *name;
	size_t offset;
	uint64_t limit; /* STR: most bytes; U64: largest value */
};
struct ipc_desc {
	const char *name;
	uint16_t type, version;
	size_t size; /* of the struct */
	const struct ipc_field *fields;
	size_t n_fields;
};

#define IPC_MEMBER_STR(name, limit) char name[(limit) + 1];
#define IPC_MEMBER_U64(name, limit) uint64_t name;
#define IPC_MEMBER_FD(name, limit)  int name;
#define IPC_MEMBER(T, kind, name, limit) IPC_MEMBER_##kind(name, limit)
#define IPC_FIELD(T, kind, name, limit) { IPC_##kind, #name, offsetof(struct T, name), limit },
#define IPC_DECLARE(T, LIST) struct T { LIST(IPC_MEMBER, T) }; extern const struct ipc_desc T##_desc
#define IPC_DEFINE(T, type, version, LIST)                                   \
	static const struct ipc_field T##_fields[] = { LIST(IPC_FIELD, T) }; \
	const struct ipc_desc T##_desc = { #T, type, version, sizeof(struct T), T##_fields, COUNT(T##_fields) }

/* Encodes into out (emptied first). A value over its limit is our own bug: BUG. */
void ipc_encode(const struct ipc_desc *d, const void *msg, struct buf *out);
/* fds: the n_fds received with the packet; on success they belong to *ret_msg, on failure they are closed. ERR_PEER. */
bool ipc_decode(const struct ipc_desc *d, struct sv in, const int *fds, size_t n_fds, void *ret_msg, struct err *e) MUST_CHECK;
bool ipc_type_of(struct sv in, uint16_t *ret_type, uint16_t *ret_version) MUST_CHECK;

/* One packet as received. Kept by the caller and reused: no allocation per message. */
struct ipc_packet {
	struct buf bytes;
	int fds[SOCK_FDS_MAX];
	size_t n_fds;
};
#define IPC_PACKET_INIT { .bytes = BUF_INIT(SOCK_PACKET_MAX) }
void ipc_packet_free(struct ipc_packet *p); /* closes descriptors that nobody took */

/* wait_ms as in net/sock.h: 0 never blocks. FD fields are passed, and stay open here. */
bool ipc_send(int fd, const struct ipc_desc *d, const void *msg, uint64_t wait_ms, struct err *e) MUST_CHECK;
bool ipc_recv(int fd, struct ipc_packet *p, uint64_t wait_ms, struct err *e) MUST_CHECK;
/* Receives one message that must be of type d. */
bool ipc_recv_msg(int fd, const struct ipc_desc *d, void *ret_msg, uint64_t wait_ms, struct err *e) MUST_CHECK;
/* Sends a request and waits for its one answer; the deadline is for both. */
bool ipc_call(int fd, const struct ipc_desc *req_desc, const void *req, const struct ipc_desc *ans_desc, void *ret_ans, uint64_t wait_ms,
	struct err *e) MUST_CHECK;

/* Who may ask what, in which phase, how often. `peers` and `phases` are the service's own bit sets. A handler returns false
 * to drop the channel. What no rule allows is ERR_PEER: drop the channel and log it. */
struct ipc_rule {
	const struct ipc_desc *desc;
	unsigned peers, phases;
	uint64_t max; /* most messages of this type on one channel; 0: any number */
	bool (*on)(void *chan, void *msg, struct err *e);
};
#define IPC_RULES_MAX 24
struct ipc_seen { uint64_t n[IPC_RULES_MAX]; };
/* Finds the rule, checks it, decodes into scratch memory of its own and runs the handler. rules end with desc NULL. Descriptors
 * belong to the handler. */
bool ipc_dispatch(const struct ipc_rule *rules, struct ipc_seen *seen, unsigned peer, unsigned phase, struct ipc_packet *p, void *chan,
	struct err *e) MUST_CHECK;

#endif
