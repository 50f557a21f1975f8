/* Requests to queue-mgr and its answers. */
#include "queue_client.h"

#include "base/num.h"
#include "text.h"

#include <sys/socket.h>
#include <sysexits.h>

#define CONTROL_SOCKET "queue-mgr.control"

struct visit {
	const struct queue_visit *v;
	struct queue_entry entry;
	struct vec rcpts; /* of struct queue_entry_rcpt */
	size_t due;       /* how many of them are still to come */
	struct queue_done done;
	bool ended;
};

static void finish_item(struct visit *s)
{
	struct queue_item item = { &s->entry, s->rcpts.data, s->rcpts.len };
	if (s->v->item)
		s->v->item(&item, s->v->arg);
	vec_reset(&s->rcpts);
}

static bool on_entry(struct visit *s, struct ipc_packet *p, struct err *e)
{
	if (!ipc_decode(&queue_entry_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &s->entry, e))
		return false;
	s->due = MIN(s->entry.recipients, QUEUE_LIST_RCPTS);
	if (s->due == 0)
		finish_item(s);
	return true;
}

static bool on_rcpt(struct visit *s, struct ipc_packet *p, struct err *e)
{
	struct queue_entry_rcpt *place = s->due > 0 ? vec_push(&s->rcpts) : NULL;
	if (!place)
		return err_set(e, ERR_PEER, "queue-mgr sends a recipient too many");
	if (!ipc_decode(&queue_entry_rcpt_desc, buf_sv(&p->bytes), p->fds, p->n_fds, place, e))
		return false;
	if (--s->due == 0)
		finish_item(s);
	return true;
}

static bool on_content(struct visit *s, struct ipc_packet *p, struct err *e)
{
	struct queue_content c;
	if (!ipc_decode(&queue_content_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &c, e))
		return false;
	if (s->v->content)
		s->v->content(&c, s->v->arg);
	close(c.file);
	return true;
}

static bool on_dest(struct visit *s, struct ipc_packet *p, struct err *e)
{
	struct queue_dest d;
	if (!ipc_decode(&queue_dest_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &d, e))
		return false;
	if (s->v->dest)
		s->v->dest(&d, s->v->arg);
	return true;
}

static bool on_done(struct visit *s, struct ipc_packet *p, struct err *e)
{
	s->ended = true;
	return ipc_decode(&queue_done_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &s->done, e);
}

static bool on_packet(struct visit *s, struct ipc_packet *p, struct err *e)
{
	static const struct {
		const struct ipc_desc *desc;
		bool (*on)(struct visit *s, struct ipc_packet *p, struct err *e);
	} answers[] = { { &queue_entry_desc, on_entry }, { &queue_entry_rcpt_desc, on_rcpt }, { &queue_content_desc, on_content },
		{ &queue_dest_desc, on_dest }, { &queue_done_desc, on_done } };
	uint16_t type, version;
	for (size_t i = 0; ipc_type_of(buf_sv(&p->bytes), &type, &version) && i < COUNT(answers); i++) {
		if (answers[i].desc->type != type)
			continue;
		bool ok = answers[i].on(s, p, e);
		p->n_fds = 0; /* the message's, or closed */
		return ok;
	}
	return err_set(e, ERR_PEER, "queue-mgr sends what this program does not know: restart Postern after an upgrade");
}

int queue_ask(const struct tool *t, const struct queue_filter *f, const struct queue_visit *v, struct queue_done *ret_done)
{
	struct visit s = { .v = v, .rcpts = VEC_INIT(struct queue_entry_rcpt, QUEUE_LIST_RCPTS) };
	struct ipc_packet p = IPC_PACKET_INIT;
	struct err e = { 0 };
	int fd, code = 0;
	if (!tool_connect(t, CONTROL_SOCKET, SOCK_SEQPACKET, TOOL_WAIT_MS, &fd, &e))
		return tool_unreachable(t, "queue-mgr", &e);
	bool ok = ipc_send(fd, &queue_filter_desc, f, TOOL_WAIT_MS, &e);
	while (ok && !s.ended)
		ok = ipc_recv(fd, &p, TOOL_WAIT_MS, &e) && on_packet(&s, &p, &e);
	if (!ok)
		code = tool_unreachable(t, "queue-mgr", &e);
	else if (!s.done.ok)
		code = tool_fail(t, 1, "%s", s.done.text[0] != '\0' ? s.done.text : "queue-mgr refuses");
	else
		*ret_done = s.done;
	ipc_packet_free(&p);
	vec_free(&s.rcpts);
	close(fd);
	return code;
}

/* --- acts --- */
int queue_act(const struct tool *t, const struct queue_filter *f, bool none_is_fine)
{
	static const char *const done_words[QOP_COUNT] = { [QOP_HOLD] = "held",
		[QOP_RELEASE] = "released",
		[QOP_REQUEUE] = "requeued",
		[QOP_DELETE] = "deleted",
		[QOP_FLUSH] = "due now" };
	struct queue_visit v = { 0 };
	struct queue_done d;
	int code = queue_ask(t, f, &v, &d);
	if (code != 0)
		return code;
	if (d.matched == 0 && !none_is_fine)
		return f->id[0] != '\0' ? tool_fail(t, 1, "there is no message %s", f->id) : tool_fail(t, 1, "no message matches");
	printf("%llu message%s %s\n", (unsigned long long)d.matched, d.matched == 1 ? "" : "s", done_words[f->op]);
	if (d.pending > 0)
		printf("%llu of them in delivery just now: it is done when that attempt ends\n", (unsigned long long)d.pending);
	if (d.text[0] != '\0')
		printf("%s\n", d.text);
	return 0;
}

/* --- mailq --- */
struct mailq {
	uint64_t messages, bytes;
};

static void print_item(const struct queue_item *item, void *arg)
{
	struct mailq *m = arg;
	const struct queue_entry *q = item->entry;
	char size[NUM_TEXT_MAX], date[TEXT_DATE_MAX], line[TEXT_LINE_MAX];
	if (m->messages++ == 0)
		printf("%-18s %-9s %9s  %-16s  %s\n", "ID", "Status", "Size", "Arrived", "Sender, reason, recipients");
	m->bytes += q->size;
	printf("%-18s %-9s %9s  %-16s  %s\n", q->id, q->status, num_human_size(q->size, size), text_date(q->arrived, date),
		q->sender[0] != '\0' ? text_clean(q->sender, line) : "<>");
	if (q->reason[0] != '\0')
		printf("        (%s)\n", text_clean(q->reason, line));
	for (size_t i = 0; i < item->n_rcpts; i++)
		printf("        %s\n", text_clean(item->rcpts[i].rcpt, line));
	if (item->n_rcpts < q->recipients)
		printf("        and %llu more\n", (unsigned long long)(q->recipients - item->n_rcpts));
}

int queue_print_mailq(const struct tool *t)
{
	struct mailq m = { 0 };
	struct queue_visit v = { .item = print_item, .arg = &m };
	struct queue_filter f = { .op = QOP_LIST };
	struct queue_done d;
	char size[NUM_TEXT_MAX];
	int code = queue_ask(t, &f, &v, &d);
	if (code == 0 && m.messages == 0)
		printf("Mail queue is empty\n");
	else if (code == 0)
		printf("-- %llu message%s, %s\n", (unsigned long long)m.messages, m.messages == 1 ? "" : "s",
			num_human_size(m.bytes, size));
	return code;
}
