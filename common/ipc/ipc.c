/* The codec, and whole messages over a packet socket. */
#include "ipc/ipc.h"

#include "base/clock.h"
#include "base/fd.h"

#define HEAD_SIZE 4 /* u16 type, u16 version */

/* --- encoding --- */
static void put_le(struct buf *out, uint64_t v, size_t n_bytes)
{
	char b[8];
	for (size_t i = 0; i < n_bytes; i++)
		b[i] = (char)(v >> (8 * i));
	buf_put(out, b, n_bytes);
}

static uint64_t get_le(const char *p, size_t n_bytes)
{
	uint64_t v = 0;
	for (size_t i = n_bytes; i-- > 0;)
		v = v << 8 | (uint8_t)p[i];
	return v;
}

static void encode_field(const struct ipc_field *f, const char *member, struct buf *out)
{
	uint64_t v;
	size_t n;
	switch (f->kind) {
	case IPC_U64:
		memcpy(&v, member, sizeof v);
		BUG_IF(v > f->limit);
		put_le(out, v, 8);
		break;
	case IPC_STR:
		n = strnlen(member, f->limit + 1);
		BUG_IF(n > f->limit);
		put_le(out, n, 4);
		buf_put(out, member, n);
		break;
	case IPC_FD:
		break; /* travels beside the bytes */
	}
}

void ipc_encode(const struct ipc_desc *d, const void *msg, struct buf *out)
{
	buf_reset(out);
	put_le(out, d->type, 2);
	put_le(out, d->version, 2);
	for (size_t i = 0; i < d->n_fields; i++)
		encode_field(&d->fields[i], (const char *)msg + d->fields[i].offset, out);
}

/* --- decoding: a first pass that only checks, a second that only stores, so that a refused message leaves the output alone --- */
bool ipc_type_of(struct sv in, uint16_t *ret_type, uint16_t *ret_version)
{
	if (in.n < HEAD_SIZE)
		return false;
	*ret_type = (uint16_t)get_le(in.p, 2);
	*ret_version = (uint16_t)get_le(in.p + 2, 2);
	return true;
}

static bool check_head(const struct ipc_desc *d, struct sv in, struct err *e)
{
	uint16_t type, version;
	if (!ipc_type_of(in, &type, &version))
		return err_set(e, ERR_PEER, "message of %zu bytes is too short", in.n);
	if (type != d->type)
		return err_set(e, ERR_PEER, "message of type 0x%x where %s (0x%x) is due", type, d->name, d->type);
	if (version != d->version)
		return err_set(
			e, ERR_PEER, "%s has version %u, this program knows %u: restart Postern", d->name, version, d->version);
	return true;
}

/* Takes the bytes of one field off *in: the number, or the length and *ret_text. */
static bool take_field(const struct ipc_field *f, struct sv *in, uint64_t *ret_num, struct sv *ret_text, const char **ret_why)
{
	size_t width = f->kind == IPC_U64 ? 8 : 4;
	if (in->n < width) {
		*ret_why = "is missing";
		return false;
	}
	*ret_num = get_le(in->p, width);
	*in = sv_skip(*in, width);
	if (*ret_num > f->limit) {
		*ret_why = "is over its limit";
		return false;
	}
	if (f->kind == IPC_U64)
		return true;
	if (in->n < *ret_num) {
		*ret_why = "is cut short";
		return false;
	}
	*ret_text = sv_sub(*in, 0, *ret_num);
	*in = sv_skip(*in, *ret_num);
	if (sv_chr(*ret_text, '\0') >= 0) {
		*ret_why = "holds a NUL byte";
		return false;
	}
	return true;
}

static bool check_fields(const struct ipc_desc *d, struct sv in, size_t n_fds, struct err *e)
{
	size_t want_fds = 0;
	for (size_t i = 0; i < d->n_fields; i++) {
		const char *why = NULL;
		struct sv text;
		uint64_t num;
		if (d->fields[i].kind == IPC_FD)
			want_fds++;
		else if (!take_field(&d->fields[i], &in, &num, &text, &why))
			return err_set(e, ERR_PEER, "%s: field %s %s", d->name, d->fields[i].name, why);
	}
	if (in.n > 0)
		return err_set(e, ERR_PEER, "%s: %zu bytes too many", d->name, in.n);
	if (n_fds != want_fds)
		return err_set(e, ERR_PEER, "%s: %zu descriptors instead of %zu", d->name, n_fds, want_fds);
	return true;
}

static void store_fields(const struct ipc_desc *d, struct sv in, const int *fds, char *msg)
{
	for (size_t i = 0; i < d->n_fields; i++) {
		const struct ipc_field *f = &d->fields[i];
		const char *why = NULL;
		struct sv text = { NULL, 0 };
		uint64_t num = 0;
		if (f->kind == IPC_FD) {
			memcpy(msg + f->offset, fds++, sizeof *fds);
			continue;
		}
		BUG_IF(!take_field(f, &in, &num, &text, &why));
		if (f->kind == IPC_U64)
			memcpy(msg + f->offset, &num, sizeof num);
		else
			BUG_IF(!sv_copy(text, msg + f->offset, f->limit + 1));
	}
}

bool ipc_decode(const struct ipc_desc *d, struct sv in, const int *fds, size_t n_fds, void *ret_msg, struct err *e)
{
	struct sv body = sv_skip(in, HEAD_SIZE);
	if (!check_head(d, in, e) || !check_fields(d, body, n_fds, e)) {
		for (size_t i = 0; i < n_fds; i++)
			close(fds[i]);
		return false;
	}
	store_fields(d, body, fds, ret_msg);
	return true;
}

/* --- over a socket --- */
static void close_fds(struct ipc_packet *p)
{
	for (size_t i = 0; i < p->n_fds; i++)
		close(p->fds[i]);
	p->n_fds = 0;
}

void ipc_packet_free(struct ipc_packet *p)
{
	close_fds(p);
	buf_free(&p->bytes);
}

bool ipc_send(int fd, const struct ipc_desc *d, const void *msg, uint64_t wait_ms, struct err *e)
{
	struct buf out = BUF_INIT(SOCK_PACKET_MAX);
	int fds[SOCK_FDS_MAX];
	size_t n_fds = 0;
	for (size_t i = 0; i < d->n_fields; i++) {
		if (d->fields[i].kind != IPC_FD)
			continue;
		BUG_IF(n_fds == COUNT(fds));
		memcpy(&fds[n_fds], (const char *)msg + d->fields[i].offset, sizeof fds[0]);
		BUG_IF(fds[n_fds++] < 0);
	}
	ipc_encode(d, msg, &out);
	BUG_IF(!buf_ok(&out));
	bool ok = sock_send_packet(fd, buf_sv(&out), fds, n_fds, wait_ms, e);
	buf_free(&out);
	return ok;
}

bool ipc_recv(int fd, struct ipc_packet *p, uint64_t wait_ms, struct err *e)
{
	close_fds(p);
	buf_reset(&p->bytes);
	return sock_recv_packet(fd, &p->bytes, p->fds, &p->n_fds, wait_ms, e);
}

bool ipc_recv_msg(int fd, const struct ipc_desc *d, void *ret_msg, uint64_t wait_ms, struct err *e)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	bool ok = ipc_recv(fd, &p, wait_ms, e);
	if (ok) {
		ok = ipc_decode(d, buf_sv(&p.bytes), p.fds, p.n_fds, ret_msg, e);
		p.n_fds = 0; /* the message's, or closed */
	}
	ipc_packet_free(&p);
	return ok;
}

bool ipc_call(int fd, const struct ipc_desc *req_desc, const void *req, const struct ipc_desc *ans_desc, void *ret_ans,
	uint64_t wait_ms, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + wait_ms;
	if (!ipc_send(fd, req_desc, req, wait_ms, e))
		return false;
	uint64_t now = clock_mono_ms();
	return ipc_recv_msg(fd, ans_desc, ret_ans, now < deadline ? deadline - now : 1, e);
}
