/* Every message: what decodes encodes to the same bytes. The first two bytes, the type, choose the message. */
#include "ipc/msg_control.h"
#include "ipc/msg_queue.h"
#include "ipc/msg_resolve.h"
#include "ipc/msg_spam.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const struct ipc_desc *const messages[] = {
	&resolve_req_desc,
	&resolve_rcpt_desc,
	&resolve_box_req_desc,
	&resolve_box_desc,
	&resolve_uid_req_desc,
	&resolve_uid_desc,
	&queue_lend_desc,
	&queue_lent_desc,
	&queue_full_desc,
	&queue_note_desc,
	&queue_unused_desc,
	&queue_read_desc,
	&queue_reader_desc,
	&deliver_req_desc,
	&deliver_res_desc,
	&bounce_req_desc,
	&bounce_rcpt_desc,
	&bounce_res_desc,
	&spam_req_desc,
	&spam_res_desc,
	&spam_learn_desc,
	&spam_learn_done_desc,
	&spam_learnt_desc,
	&queue_filter_desc,
	&queue_entry_desc,
	&queue_entry_rcpt_desc,
	&queue_content_desc,
	&queue_done_desc,
	&control_req_desc,
	&status_service_desc,
	&control_done_desc,
	&leader_ready_desc,
	&leader_load_desc,
	&leader_do_desc,
	&resolve_table_req_desc,
	&resolve_table_desc,
	&resolve_name_req_desc,
	&resolve_name_desc,
};

/* The descriptors are only carried here, never used: numbers that are surely not open. */
static size_t count_fds(const struct ipc_desc *d, int fds[SOCK_FDS_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < d->n_fields; i++)
		if (d->fields[i].kind == IPC_FD)
			fds[n++] = -1;
	return n;
}

static void try_message(const struct ipc_desc *d, struct sv in)
{
	struct buf out = BUF_INIT(SOCK_PACKET_MAX + 16);
	int fds[SOCK_FDS_MAX];
	size_t n_fds = count_fds(d, fds);
	char *msg = mem_new(d->size), *before = mem_new(d->size);
	memset(msg, 0x5a, d->size);
	memset(before, 0x5a, d->size);
	if (ipc_decode(d, in, fds, n_fds, msg, NULL)) {
		ipc_encode(d, msg, &out);
		BUG_IF(!sv_eq(buf_sv(&out), in));
	} else {
		BUG_IF(memcmp(msg, before, d->size) != 0);
	}
	free(msg);
	free(before);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv in = { (const char *)p, n };
	uint16_t type, version;
	if (n > SOCK_PACKET_MAX || !ipc_type_of(in, &type, &version))
		return 0;
	for (size_t i = 0; i < COUNT(messages); i++)
		if (messages[i]->type == type)
			try_message(messages[i], in);
	return 0;
}
