#include "smtpd/checker.h"
#include "smtpd/lender.h"
#include "smtpd/namer.h"
#include "smtpd/resolver.h"

#include "base/fd.h"
#include "unit/unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define WAIT_MS 2000
#define SHORT_MS 50
#define ID "1lg2v0000010abcd"

/* A service whose answers are in the socket before it is asked; one pair of ends for each connection that may be made. */
struct peer {
	int near[RESOLVE_TRIES], far[RESOLVE_TRIES];
	int n, used;
};

static void peer_open(struct peer *p, int n)
{
	p->n = n;
	p->used = 0;
	for (int i = 0; i < n; i++) {
		int ends[2];
		CU_ASSERT_FATAL(sock_pair(SOCK_SEQPACKET, ends, NULL));
		p->near[i] = ends[0];
		p->far[i] = ends[1];
	}
}

static void peer_close(struct peer *p)
{
	for (int i = 0; i < p->n; i++) {
		fd_close(&p->far[i]);
		if (i >= p->used)
			fd_close(&p->near[i]);
	}
}

static bool peer_connect(void *arg, const char *endpoint, uint64_t wait_ms, int *ret_fd, struct err *e)
{
	struct peer *p = arg;
	(void)wait_ms;
	if (p->used == p->n)
		return err_set(e, ERR_TEMP, "%s is away", endpoint);
	*ret_fd = p->near[p->used++];
	return true;
}

static struct link link_to(struct peer *p) { return (struct link){ peer_connect, p, "test", -1 }; }

static void answer(int fd, const struct ipc_desc *d, const void *msg) { CU_ASSERT_FATAL(ipc_send(fd, d, msg, WAIT_MS, NULL)); }

/* --- resolver --- */
static void answer_rcpt(int fd, const char *address, bool last)
{
	struct resolve_rcpt a = { .status = RESOLVE_OK, .class = CLASS_LOCAL, .last = last };
	snprintf(a.address, sizeof a.address, "%s", address);
	answer(fd, &resolve_rcpt_desc, &a);
}

static void all_final_recipients_are_read_up_to_the_last(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 1);
	struct resolver r = { .link = link_to(&p), .wait_ms = WAIT_MS };
	struct vec finals = VEC_INIT(struct resolve_rcpt, 10);
	answer_rcpt(p.far[0], "a@x", false);
	answer_rcpt(p.far[0], "b@x", true);
	CU_ASSERT(resolver_ask(&r, "list@x", false, &finals, &e));
	CU_ASSERT_EQUAL_FATAL(finals.len, 2);
	CU_ASSERT_STRING_EQUAL(VEC_AT(&finals, struct resolve_rcpt, 1)->address, "b@x");
	vec_free(&finals);
	resolver_free(&r);
	peer_close(&p);
}

static void a_link_that_ends_is_made_anew_some_times(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, RESOLVE_TRIES);
	struct resolver r = { .link = link_to(&p), .wait_ms = WAIT_MS };
	struct vec finals = VEC_INIT(struct resolve_rcpt, 10);
	answer_rcpt(p.far[0], "half@x", false);
	for (int i = 0; i < RESOLVE_TRIES - 1; i++)
		fd_close(&p.far[i]);
	answer_rcpt(p.far[RESOLVE_TRIES - 1], "a@x", true);
	CU_ASSERT(resolver_ask(&r, "a@x", false, &finals, &e));
	CU_ASSERT_EQUAL(finals.len, 1);
	CU_ASSERT_EQUAL(p.used, RESOLVE_TRIES);
	fd_close(&p.far[RESOLVE_TRIES - 1]);
	CU_ASSERT(!resolver_ask(&r, "b@x", false, &finals, &e));
	vec_free(&finals);
	resolver_free(&r);
	peer_close(&p);
}

static void silence_is_an_error_and_a_late_answer_is_not_taken_for_another(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 2);
	struct resolver r = { .link = link_to(&p), .wait_ms = SHORT_MS };
	struct vec finals = VEC_INIT(struct resolve_rcpt, 10);
	CU_ASSERT(!resolver_ask(&r, "a@x", false, &finals, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_EQUAL(r.link.fd, -1);
	answer_rcpt(p.far[1], "b@x", true);
	CU_ASSERT(resolver_ask(&r, "b@x", false, &finals, &e));
	CU_ASSERT_STRING_EQUAL(VEC_AT(&finals, struct resolve_rcpt, 0)->address, "b@x");
	vec_free(&finals);
	resolver_free(&r);
	peer_close(&p);
}

static void more_recipients_than_fit_are_a_limit(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 1);
	struct resolver r = { .link = link_to(&p), .wait_ms = WAIT_MS };
	struct vec finals = VEC_INIT(struct resolve_rcpt, 1);
	answer_rcpt(p.far[0], "a@x", false);
	answer_rcpt(p.far[0], "b@x", true);
	CU_ASSERT(!resolver_ask(&r, "list@x", false, &finals, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_EQUAL(r.link.fd, -1);
	vec_free(&finals);
	resolver_free(&r);
	peer_close(&p);
}

static void good_answers_are_remembered_apart_for_local_clients(void)
{
	static const struct {
		const char *asked;
		bool local;
		const char *want; /* NULL: had to be asked, and nobody answered */
	} t[] = { { "a@x", false, "a@x" }, { "a@x", false, "a@x" }, { "a@x", true, NULL }, { "b@x", false, NULL } };
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 3);
	struct resolver r = { .link = link_to(&p), .wait_ms = SHORT_MS, .keep_ms = 60000 };
	answer_rcpt(p.far[0], "a@x", true);
	for (size_t i = 0; i < COUNT(t); i++) {
		struct vec finals = VEC_INIT(struct resolve_rcpt, 10);
		bool ok = resolver_ask(&r, t[i].asked, t[i].local, &finals, &e);
		CU_ASSERT_EQUAL(ok, t[i].want != NULL);
		if (ok && finals.len == 1)
			CU_ASSERT_STRING_EQUAL(VEC_AT(&finals, struct resolve_rcpt, 0)->address, t[i].want);
		vec_free(&finals);
	}
	resolver_free(&r);
	peer_close(&p);
}

static void a_refusal_is_not_remembered(void)
{
	struct peer p;
	struct err e = { 0 };
	struct resolve_rcpt unknown = { .status = RESOLVE_UNKNOWN, .last = 1 };
	peer_open(&p, 1);
	struct resolver r = { .link = link_to(&p), .wait_ms = WAIT_MS, .keep_ms = 60000 };
	answer(p.far[0], &resolve_rcpt_desc, &unknown);
	answer_rcpt(p.far[0], "new@x", true);
	for (int i = 0; i < 2; i++) {
		struct vec finals = VEC_INIT(struct resolve_rcpt, 10);
		CU_ASSERT(resolver_ask(&r, "new@x", false, &finals, &e));
		CU_ASSERT_EQUAL(VEC_AT(&finals, struct resolve_rcpt, 0)->status, i == 0 ? RESOLVE_UNKNOWN : RESOLVE_OK);
		vec_free(&finals);
	}
	resolver_free(&r);
	peer_close(&p);
}

/* --- lender --- */
static int lend(int fd)
{
	struct queue_lent lent = { .id = ID, .file = memfd_create("lent", MFD_CLOEXEC) };
	answer(fd, &queue_lent_desc, &lent);
	return lent.file;
}

static struct lender lender_to(struct peer *p, uint64_t wait_ms)
{
	return (struct lender){ .link = link_to(p), .wait_ms = wait_ms, .file = -1 };
}

static bool hears(int fd, const struct ipc_desc *d, void *msg) { return ipc_recv_msg(fd, d, msg, WAIT_MS, NULL); }

static void a_lent_file_is_written_and_noted(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_lend asked;
	struct queue_note note = { .id = ID, .size = 7, .recipients = 1 }, heard;
	peer_open(&p, 1);
	struct lender l = lender_to(&p, WAIT_MS);
	lender_ask(&l, false);
	lender_ask(&l, false);
	int file = lend(p.far[0]);
	CU_ASSERT(lender_wait(&l, false, &e));
	CU_ASSERT_STRING_EQUAL(l.id.text, ID);
	CU_ASSERT(lender_commit(&l, SV("head"), SV("end"), &note, &e));
	CU_ASSERT_EQUAL(l.file, -1);
	char text[10];
	CU_ASSERT(pread(file, text, sizeof text, 0) == 7 && memcmp(text, "headend", 7) == 0);
	CU_ASSERT(hears(p.far[0], &queue_lend_desc, &asked)); /* once only */
	CU_ASSERT(hears(p.far[0], &queue_note_desc, &heard) && heard.size == 7);
	close(file);
	lender_free(&l);
	peer_close(&p);
}

static void a_full_queue_is_told_to_the_client(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_full full = { .text = "no space" };
	peer_open(&p, 1);
	struct lender l = lender_to(&p, SHORT_MS);
	answer(p.far[0], &queue_full_desc, &full);
	CU_ASSERT(!lender_wait(&l, false, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_LIMIT);
	CU_ASSERT_STRING_EQUAL(e.text, "no space");
	CU_ASSERT(!l.asked);
	lender_free(&l);
	peer_close(&p);
}

static void a_bounce_asks_again_when_the_refusal_was_for_another(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_full full = { .text = "no space" };
	struct queue_lend asked[2];
	peer_open(&p, 1);
	struct lender l = lender_to(&p, WAIT_MS);
	lender_ask(&l, false);
	answer(p.far[0], &queue_full_desc, &full);
	close(lend(p.far[0]));
	CU_ASSERT(lender_wait(&l, true, &e));
	CU_ASSERT(hears(p.far[0], &queue_lend_desc, &asked[0]) && hears(p.far[0], &queue_lend_desc, &asked[1]));
	CU_ASSERT(asked[0].reserve == 0 && asked[1].reserve == 1);
	lender_free(&l);
	peer_close(&p);
}

static void a_file_in_hand_outlives_queue_mgr(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_note note = { .id = ID }, heard;
	peer_open(&p, 2);
	struct lender l = lender_to(&p, WAIT_MS);
	int file = lend(p.far[0]);
	CU_ASSERT(lender_wait(&l, false, &e));
	fd_close(&p.far[0]);
	CU_ASSERT(lender_commit(&l, SV("head"), SV("end"), &note, &e));
	CU_ASSERT(hears(p.far[1], &queue_note_desc, &heard));
	close(file);
	lender_free(&l);
	peer_close(&p);
}

static void a_message_is_accepted_though_nobody_can_be_told(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_note note = { .id = ID };
	peer_open(&p, 1);
	struct lender l = lender_to(&p, WAIT_MS);
	int file = lend(p.far[0]);
	CU_ASSERT(lender_wait(&l, false, &e));
	fd_close(&p.far[0]);
	CU_ASSERT(lender_commit(&l, SV("head"), SV("end"), &note, &e));
	CU_ASSERT_EQUAL(l.link.fd, -1);
	close(file);
	lender_free(&l);
	peer_close(&p);
}

static void an_abandoned_file_goes_back_empty(void)
{
	struct peer p;
	struct err e = { 0 };
	struct queue_lend asked;
	struct queue_unused unused;
	peer_open(&p, 1);
	struct lender l = lender_to(&p, WAIT_MS);
	int file = lend(p.far[0]);
	CU_ASSERT(lender_wait(&l, false, &e));
	CU_ASSERT(lender_stream(&l, SV("part"), 10, &e));
	lender_abandon(&l);
	CU_ASSERT_EQUAL(lseek(file, 0, SEEK_END), 0);
	CU_ASSERT(hears(p.far[0], &queue_lend_desc, &asked));
	CU_ASSERT(hears(p.far[0], &queue_unused_desc, &unused) && strcmp(unused.id, ID) == 0);
	lender_abandon(&l); /* harmless without a file */
	close(file);
	lender_free(&l);
	peer_close(&p);
}

/* A message's age is that of its file's id, and the next client may come in days. */
static void a_file_still_to_come_is_not_for_the_next_client(void)
{
	struct peer p;
	struct queue_lend asked;
	peer_open(&p, 1);
	struct lender l = lender_to(&p, WAIT_MS);
	lender_ask(&l, false);
	lender_give_back(&l); /* nothing there yet */
	CU_ASSERT(!l.asked && l.file == -1);
	CU_ASSERT_EQUAL(l.link.fd, -1); /* the channel's end gives it back */
	CU_ASSERT(hears(p.far[0], &queue_lend_desc, &asked));
	lender_free(&l);
	peer_close(&p);
}

static void a_restarted_queue_mgr_is_asked_again(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 2);
	struct lender l = lender_to(&p, WAIT_MS);
	lender_ask(&l, false);
	fd_close(&p.far[0]);
	close(lend(p.far[1]));
	CU_ASSERT(lender_wait(&l, false, &e));
	CU_ASSERT_EQUAL(p.used, 2);
	lender_free(&l);
	peer_close(&p);
}

static void a_silent_queue_mgr_is_waited_for_only_so_long(void)
{
	struct peer p;
	struct err e = { 0 };
	peer_open(&p, 1);
	struct lender l = lender_to(&p, SHORT_MS);
	CU_ASSERT(!lender_wait(&l, false, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT(l.asked); /* a late answer is used for the next message */
	lender_free(&l);
	peer_close(&p);
}

/* --- checker --- */
static void the_content_check_gets_a_sealed_copy(void)
{
	struct peer p;
	struct err e = { 0 };
	struct spam_req q = { .session = "s", .size = 5, .trust = 's' }, heard;
	struct spam_res said = { .verdict = SPAM_MARK, .score = 1, .headers = "X: y\n" }, got;
	peer_open(&p, 1);
	struct link l = link_to(&p);
	answer(p.far[0], &spam_res_desc, &said);
	CU_ASSERT(checker_ask(&l, &q, SV("hello"), -1, WAIT_MS, &got, &e));
	CU_ASSERT_EQUAL(got.verdict, SPAM_MARK);
	CU_ASSERT_EQUAL(l.fd, -1);
	CU_ASSERT_FATAL(hears(p.far[0], &spam_req_desc, &heard));
	char text[10];
	CU_ASSERT(fd_is_sealed(heard.file));
	CU_ASSERT(pread(heard.file, text, sizeof text, 0) == 5 && memcmp(text, "hello", 5) == 0);
	close(heard.file);
	peer_close(&p);
}

static void a_content_check_that_dies_is_an_error(void)
{
	struct peer p;
	struct err e = { 0 };
	struct spam_req q = { .session = "s" };
	struct spam_res got;
	peer_open(&p, 1);
	struct link l = link_to(&p);
	fd_close(&p.far[0]);
	CU_ASSERT(!checker_ask(&l, &q, SV("hello"), -1, WAIT_MS, &got, &e));
	CU_ASSERT(!checker_ask(&l, &q, SV("hello"), -1, WAIT_MS, &got, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	peer_close(&p);
}

static void a_name_that_comes_late_is_not_the_next_clients(void)
{
	static const struct addr one = { .family = AF_INET, .ip = { 192, 0, 2, 1 } }, unix_socket = { .family = AF_UNIX };
	struct peer p;
	struct resolve_name a = { .name = "first.example" }, b = { .failed = 1 };
	peer_open(&p, 2);
	struct namer n = { .link = link_to(&p), .wait_ms = SHORT_MS };
	answer(p.far[0], &resolve_name_desc, &a); /* for a client that does not wait for it */
	namer_start(&n, &one);
	namer_start(&n, &one);
	CU_ASSERT_EQUAL(p.used, 1); /* the link is as good as before */
	answer(p.far[0], &resolve_name_desc, &b);
	CU_ASSERT_PTR_NULL(namer_name(&n));
	CU_ASSERT_PTR_NULL(namer_name(&n));
	answer(p.far[0], &resolve_name_desc, &a);
	namer_start(&n, &one);
	CU_ASSERT_STRING_EQUAL(namer_name(&n), "first.example");
	namer_start(&n, &one); /* nobody answers */
	CU_ASSERT_PTR_NULL(namer_name(&n));
	CU_ASSERT_PTR_NULL(namer_name(&n));
	namer_start(&n, &unix_socket);
	CU_ASSERT_STRING_EQUAL(namer_name(&n), "");
	link_drop(&n.link);
	peer_close(&p);
}

void suite_smtpd_links(void)
{
	static const struct unit_case cases[] = {
		UNIT(all_final_recipients_are_read_up_to_the_last),
		UNIT(a_link_that_ends_is_made_anew_some_times),
		UNIT(silence_is_an_error_and_a_late_answer_is_not_taken_for_another),
		UNIT(more_recipients_than_fit_are_a_limit),
		UNIT(good_answers_are_remembered_apart_for_local_clients),
		UNIT(a_refusal_is_not_remembered),
		UNIT(a_lent_file_is_written_and_noted),
		UNIT(a_full_queue_is_told_to_the_client),
		UNIT(a_bounce_asks_again_when_the_refusal_was_for_another),
		UNIT(a_file_in_hand_outlives_queue_mgr),
		UNIT(a_message_is_accepted_though_nobody_can_be_told),
		UNIT(an_abandoned_file_goes_back_empty),
		UNIT(a_file_still_to_come_is_not_for_the_next_client),
		UNIT(a_restarted_queue_mgr_is_asked_again),
		UNIT(a_silent_queue_mgr_is_waited_for_only_so_long),
		UNIT(the_content_check_gets_a_sealed_copy),
		UNIT(a_content_check_that_dies_is_an_error),
		UNIT(a_name_that_comes_late_is_not_the_next_clients),
		UNIT_END,
	};
	unit_suite("smtpd_links", cases);
}
