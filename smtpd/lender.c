#include "lender.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>

#define AHEAD_FROM 2
#define NOTE_CONNECT_MS 100 /* queue-mgr finds the message without the note too, so little is risked for it */

static void hang_up(struct lender *l)
{
	link_drop(&l->link);
	l->asked = false;
}

static bool send_lend(struct lender *l, bool reserve, uint64_t wait_ms, struct err *e)
{
	struct queue_lend q = { .reserve = reserve };
	if (!link_open(&l->link, wait_ms, e))
		return false;
	if (!ipc_send(l->link.fd, &queue_lend_desc, &q, wait_ms, e)) {
		hang_up(l);
		return false;
	}
	l->asked = true;
	l->reserve = reserve;
	l->early = false;
	return true;
}

void lender_ask(struct lender *l, bool reserve)
{
	struct err e;
	if (l->file < 0 && !l->asked && !send_lend(l, reserve, 0, &e))
		hang_up(l); /* lender_wait() tries again, and tells why it cannot */
}

static bool take_lent(struct lender *l, struct ipc_packet *p, struct err *e)
{
	struct queue_lent lent = { .file = -1 };
	bool ok = ipc_decode(&queue_lent_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &lent, e);
	p->n_fds = 0;
	if (!ok)
		return false;
	if (!spool_id_parse(sv_of(lent.id), &l->id)) {
		close(lent.file);
		return err_set(e, ERR_PEER, "queue-mgr lent a file with a bad id");
	}
	l->file = lent.file;
	l->written = false;
	return true;
}

static bool take_full(struct ipc_packet *p, struct err *e)
{
	struct queue_full full;
	bool ok = ipc_decode(&queue_full_desc, buf_sv(&p->bytes), p->fds, p->n_fds, &full, e);
	p->n_fds = 0;
	return ok && err_dsn(e, ERR_LIMIT, "4.3.1", "%s", full.text);
}

/* The answer to the open request. */
static bool receive(struct lender *l, uint64_t wait_ms, struct err *e)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	uint16_t type, version;
	bool ok = ipc_recv(l->link.fd, &p, wait_ms, e);
	if (ok && ipc_type_of(buf_sv(&p.bytes), &type, &version) && type == queue_full_desc.type)
		ok = take_full(&p, e);
	else if (ok)
		ok = take_lent(l, &p, e);
	ipc_packet_free(&p);
	if (ok || e->kind == ERR_LIMIT)
		l->asked = false;
	else if (e->kind == ERR_PEER)
		hang_up(l);
	return ok;
}

/* Three things are worth a second try: a link that queue-mgr closed when it was restarted, a refusal that was meant for the
 * client before this one, who was not entitled to the reserve, and one that is old: a full queue may have room by now. */
static bool worth_again(const struct lender *l, bool reserve, const struct err *e)
{
	return e->kind == ERR_PEER || (e->kind == ERR_LIMIT && (l->early || (reserve && !l->reserve)));
}

bool lender_wait(struct lender *l, bool reserve, struct err *e)
{
	uint64_t deadline = clock_mono_ms() + l->wait_ms;
	for (int try = 0; l->file < 0; try++) {
		uint64_t now = clock_mono_ms(), left = now < deadline ? deadline - now : 1;
		bool ok = l->asked || send_lend(l, reserve, left, e);
		if (ok && receive(l, left, e))
			break;
		if (try > 0 || !worth_again(l, reserve, e))
			return false;
	}
	return true;
}

bool lender_stream(struct lender *l, struct sv piece, uint64_t at, struct err *e)
{
	BUG_IF(l->file < 0);
	l->written = true;
	return spool_stream(l->file, piece, at, e);
}

static void send_note(struct lender *l, const struct queue_note *note)
{
	struct err e;
	if (link_note(&l->link, &queue_note_desc, note, &e))
		return;
	hang_up(l);
	if (link_open(&l->link, NOTE_CONNECT_MS, &e) && !link_note(&l->link, &queue_note_desc, note, &e))
		hang_up(l);
}

static void send_unused(struct lender *l)
{
	struct queue_unused unused;
	struct err e;
	memcpy(unused.id, l->id.text, sizeof l->id.text);
	if (!link_note(&l->link, &queue_unused_desc, &unused, &e))
		hang_up(l);
}

/* Who has sent a second message will send a third: the file for it is asked for with the note, so that queue-mgr is woken once
 * for both, and DATA finds it there. */
static void ask_ahead(struct lender *l)
{
	if (++l->committed < AHEAD_FROM)
		return;
	lender_ask(l, l->reserve);
	l->early = true;
}

bool lender_commit(struct lender *l, struct sv header, struct sv body, const struct queue_note *note, struct err *e)
{
	BUG_IF(l->file < 0);
	bool ok = l->written ? spool_commit_header(l->file, header, e) : spool_commit(l->file, header, body, e);
	if (ok) {
		fd_close(&l->file);
		send_note(l, note);
		ask_ahead(l);
	} else {
		lender_abandon(l);
	}
	return ok;
}

bool lender_reader(struct lender *l, int *ret_fd, struct err *e)
{
	struct queue_read q;
	struct queue_reader a;
	BUG_IF(l->file < 0);
	memcpy(q.id, l->id.text, sizeof l->id.text);
	if (!link_open(&l->link, l->wait_ms, e))
		return false;
	if (!ipc_call(l->link.fd, &queue_read_desc, &q, &queue_reader_desc, &a, l->wait_ms, e)) {
		hang_up(l);
		return false;
	}
	*ret_fd = a.file;
	return true;
}

void lender_abandon(struct lender *l)
{
	if (l->file < 0)
		return;
	spool_abandon(l->file);
	fd_close(&l->file);
	l->written = false;
	send_unused(l);
}

void lender_give_back(struct lender *l)
{
	struct err e;
	l->committed = 0;
	/* Not here yet: the next client must not get it, perhaps days later: it holds a place in the queue. The end of the channel
	 * tells queue-mgr. */
	if (l->asked && !receive(l, 0, &e) && l->asked)
		hang_up(l);
	lender_abandon(l);
}

void lender_free(struct lender *l)
{
	lender_abandon(l);
	hang_up(l);
}
