#include "local-delivery/forward.h"

#include "base/fd.h"
#include "net/sock.h"
#include "spool/spool.h"

#include "unit/unit.h"

#define HELLO "220 us\r\n250-us\r\n250 DSN\r\n"
#define OK "250 2.0.0 ok\r\n"
#define GO "354 go on\r\n"
#define MESSAGE "Received: x\nSubject: y\n\n.text\n"
#define ENVELOPE "Return-Path: <a@b.example>\n"

/* smtpd is the other end of a socket pair: its replies are there before they are asked for. */
struct talk {
	int theirs, ours, file;
	struct forward_order order;
	struct dotforward targets;
	struct forward_result res;
	struct buf heard;
};

static void talk_init(struct talk *t, const char *replies, const char *targets)
{
	struct sv rest = sv_of(targets), word;
	struct err e;
	int pair[2];
	*t = (struct talk){ .targets = { .targets = VEC_INIT(struct maddr, 10) }, .heard = BUF_INIT(100000) };
	CU_ASSERT_FATAL(sock_pair(SOCK_STREAM, pair, &e));
	t->theirs = pair[0];
	t->ours = pair[1];
	CU_ASSERT_FATAL(fd_write_all(t->theirs, replies, strlen(replies), &e));
	shutdown(t->theirs, SHUT_WR); /* what is not answered is the end of the channel */
	t->file = fd_memfd("message", &e);
	CU_ASSERT_FATAL(t->file >= 0 && fd_write_all(t->file, ENVELOPE MESSAGE "\0\0", sizeof ENVELOPE MESSAGE + 1, &e));
	while (sv_word(&rest, &word)) {
		if (sv_eqs(word, "+")) {
			t->targets.own = true;
			continue;
		}
		struct maddr *a = vec_push(&t->targets.targets);
		CU_ASSERT_FATAL(maddr_parse(word, MADDR_NO_DOMAIN_OK, a, NULL));
	}
	t->order = (struct forward_order){
		.hostname = "mail.example", .sender = "a@b.example", .rcpt = "al@c.example", .wait_ms = 5000, .stranger = true
	};
}

static bool talk_run(struct talk *t)
{
	const struct mbx_copy copy = { .file = t->file, .offset = sizeof ENVELOPE - 1, .size = sizeof ENVELOPE MESSAGE - 1 };
	char chunk[4096];
	t->res = (struct forward_result){ .status = DELIVERED };
	bool sent = submit_forward(&copy, &t->order, &t->targets, t->ours, &t->res);
	fd_close(&t->ours);
	for (ssize_t n; (n = read(t->theirs, chunk, sizeof chunk)) > 0;)
		buf_put(&t->heard, chunk, (size_t)n);
	return sent;
}

static void talk_free(struct talk *t)
{
	dotforward_free(&t->targets);
	buf_free(&t->heard);
	fd_close(&t->theirs);
	fd_close(&t->file);
}

static void what_smtpd_says_decides_what_becomes_of_the_message(void)
{
	static const struct {
		const char *targets, *replies;
		enum deliver_status status;
		bool sent, passed, expanded;
		const char *dsn, *text;
	} t[] = {
		{ "x@d.example", HELLO OK OK GO "250 2.0.0 Ok: queued as 1\r\n", DELIVERED, true, true, false, "2.0.0",
			"queued as 1" },
		{ "x@d.example y", HELLO OK OK OK GO OK, DELIVERED, true, false, true, "2.0.0", "ok" },
		{ "+ x@d.example", HELLO OK OK GO OK, DELIVERED, true, false, false, "2.0.0", "ok" },
		{ "x@d.example", "421 4.3.2 busy\r\n", DEFERRED, false, false, false, "4.3.2", "busy" },
		{ "x@d.example", HELLO "452 4.3.1 full\r\n", DEFERRED, false, false, false, "4.3.1", "MAIL: full" },
		{ "x@d.example", HELLO OK "550 5.1.1 nobody\r\n", FAILED, false, false, false, "5.1.1", "x@d.example: nobody" },
		{ "+ x@d.example", HELLO OK "550 5.1.1 nobody\r\n", DELIVERED, false, false, false, "2.0.0",
			"kept, not forwarded" },
		{ "x@d.example y", HELLO OK OK "550 5.1.1 nobody\r\n" GO OK, FAILED, true, false, false, "5.1.1", "y: nobody" },
		{ "x@d.example y", HELLO OK "550 5.1.1 no x\r\n550 5.1.1 no y\r\n", FAILED, false, false, false, "5.1.1", "no y" },
		{ "x@d.example y", HELLO OK OK "451 4.3.0 later\r\n", DEFERRED, false, false, false, "4.3.0", "y: later" },
		{ "x@d.example", HELLO OK OK GO "554 5.4.6 a mail loop\r\n", FAILED, false, false, false, "5.4.6", "a mail loop" },
		{ "+ x@d.example", HELLO OK OK GO "554 5.4.6 a mail loop\r\n", DELIVERED, false, false, false, "2.0.0",
			"a mail loop" },
		{ "+ x@d.example", HELLO OK OK GO "451 4.3.0 disk\r\n", DEFERRED, false, false, false, "4.3.0", "disk" },
		{ "x@d.example", HELLO OK OK GO, DEFERRED, false, false, false, "4.3.0", "end of message" },
		{ "x@d.example", HELLO OK OK "500 what\r\n", FAILED, false, false, false, "5.3.0", "DATA" },
		{ "x@d.example", HELLO, DEFERRED, false, false, false, "4.3.0", "MAIL" },
		{ "x@d.example", "", DEFERRED, false, false, false, "4.3.0", "greeting" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct talk talk;
		talk_init(&talk, t[i].replies, t[i].targets);
		CU_ASSERT_EQUAL(talk_run(&talk), t[i].sent);
		CU_ASSERT_EQUAL(talk.res.sent, t[i].sent);
		CU_ASSERT_EQUAL(talk.res.status, t[i].status);
		CU_ASSERT_EQUAL(talk.res.passed, t[i].passed);
		CU_ASSERT_EQUAL(talk.res.expanded, t[i].expanded);
		CU_ASSERT_STRING_EQUAL(talk.res.dsn, t[i].dsn);
		CU_ASSERT(strstr(talk.res.text, t[i].text) != NULL);
		talk_free(&talk);
	}
}

static void a_target_that_is_asked_for_later_keeps_all_from_being_sent(void)
{
	struct talk t;
	talk_init(&t, HELLO OK OK "451 4.3.0 later\r\n" GO OK, "x@d.example y");
	CU_ASSERT_FALSE(talk_run(&t));
	CU_ASSERT(sv_find(buf_sv(&t.heard), SV("DATA")) < 0);
	talk_free(&t);
}

static void the_message_begins_with_its_trace_and_ends_where_it_ended(void)
{
	struct talk t;
	talk_init(&t, HELLO OK OK GO OK OK, "x@d.example");
	CU_ASSERT(talk_run(&t));
	CU_ASSERT_STRING_EQUAL(buf_str(&t.heard),
		"EHLO mail.example\r\nMAIL FROM:<a@b.example> XFORWARDED=stranger;al@c.example\r\nRCPT TO:<x@d.example>\r\nDATA\r\n"
		"Delivered-To: al@c.example\r\nReceived: x\r\nSubject: y\r\n\r\n..text\r\n.\r\nQUIT\r\n");
	talk_free(&t);
}

static void what_the_sender_asked_for_goes_on(void)
{
	static const struct {
		const char *targets;
		uint64_t notify;
		const char *postern, *want;
	} t[] = {
		{ "x@d.example", SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_DELAY, "",
			"RCPT TO:<x@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@x\r\n" },
		{ "x@d.example", 0, "", "RCPT TO:<x@d.example> ORCPT=rfc822;o@x\r\n" },
		{ "x@d.example y@d.example", SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_DELAY, "",
			"RCPT TO:<y@d.example> NOTIFY=DELAY ORCPT" },
		{ "+ x@d.example", SPOOL_NOTIFY_SUCCESS, "", "NOTIFY=NEVER" },
		{ "x@d.example y", SPOOL_NOTIFY_NEVER, "", "NOTIFY=NEVER" },
		{ "x", 0, "ret=HDRS envid=a+20b requiretls=yes prio=-3", " REQUIRETLS RET=HDRS ENVID=a+20b MT-PRIORITY=-3\r\n" },
		{ "x", 0, "smtputf8=yes", " SMTPUTF8\r\n" }, { "x", 0, "by=1000000000 bymode=R", " BY=1;R\r\n" },
		{ "x", 0, "verp=+2B+3D", ";al@c.example\r\n" }, /* the sender has it already */
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct talk talk;
		talk_init(&talk, HELLO OK OK OK GO OK, t[i].targets);
		talk.order.notify = t[i].notify;
		snprintf(talk.order.orcpt, sizeof talk.order.orcpt, "rfc822;o@x");
		snprintf(talk.order.postern, sizeof talk.order.postern, "%s", t[i].postern);
		(void)talk_run(&talk);
		CU_ASSERT(sv_find(buf_sv(&talk.heard), sv_of(t[i].want)) >= 0);
		talk_free(&talk);
	}
}

static void a_binary_message_goes_as_it_is_behind_its_header(void)
{
	struct talk t;
	talk_init(&t, HELLO OK OK OK OK OK OK, "x@d.example");
	snprintf(t.order.postern, sizeof t.order.postern, "body=BINARYMIME");
	CU_ASSERT(talk_run(&t));
	CU_ASSERT(sv_find(buf_sv(&t.heard), SV(" BODY=BINARYMIME\r\n")) > 0);
	CU_ASSERT(sv_find(buf_sv(&t.heard), SV("BDAT 28\r\nDelivered-To: al@c.example\r\nBDAT 33\r\nReceived: x\r\nSubject: "
					       "y\r\n\r\n.text\nBDAT 0 LAST\r\n")) > 0);
	talk_free(&t);
}

void suite_local_submit(void)
{
	static const struct unit_case cases[] = {
		UNIT(what_smtpd_says_decides_what_becomes_of_the_message),
		UNIT(a_target_that_is_asked_for_later_keeps_all_from_being_sent),
		UNIT(the_message_begins_with_its_trace_and_ends_where_it_ended),
		UNIT(what_the_sender_asked_for_goes_on),
		UNIT(a_binary_message_goes_as_it_is_behind_its_header),
		UNIT_END,
	};
	unit_suite("local_submit", cases);
}
