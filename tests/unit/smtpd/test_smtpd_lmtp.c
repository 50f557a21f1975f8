#include "world.h"

#include "unit/unit.h"

#define HELLO "LHLO c.example\r\n"
#define MAIL "MAIL FROM:<a@c.example>\r\n"
#define TWO "RCPT TO:<user@here.example>\r\nRCPT TO:<nosuch@here.example>\r\nRCPT TO:<other@here.example>\r\n"
#define TWO_ANSWERS "250 250/2.1.0 250/2.1.5 550/5.1.1 250/2.1.5 "

static const struct dialog {
	const char *in, *want;
	unsigned commits;
} dialogs[] = {
	{ "EHLO c.example\r\nHELO c.example\r\nMAIL FROM:<>\r\nlhlo c.example\r\n", "500/5.5.2 500/5.5.2 503/5.5.1 250", 0 },
	{ HELLO MAIL TWO "DATA\r\nx\r\n.\r\nNOOP\r\n", TWO_ANSWERS "354 250/2.0.0 250/2.0.0 250/2.0.0", 1 },
	{ HELLO MAIL TWO "DATA\r\nx\ny\r\n.\r\nNOOP\r\n", TWO_ANSWERS "354 550/5.6.11 550/5.6.11 250/2.0.0", 0 },
	/* one mailbox, named twice, is two recipients here and gets one copy */
	{ HELLO MAIL "RCPT TO:<user@here.example>\r\nRCPT TO:<User@here.example>\r\nDATA\r\n.\r\n",
		"250 250/2.1.0 250/2.1.5 250/2.1.5 354 250/2.0.0 250/2.0.0", 1 },
	{ HELLO MAIL TWO "BDAT 1\r\nxBDAT 1 LAST\r\nyNOOP\r\n", TWO_ANSWERS "250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0", 1 },
	{ HELLO MAIL TWO "BDAT 1 LAST\r\n\nNOOP\r\n", TWO_ANSWERS "550/5.6.11 550/5.6.11 250/2.0.0", 0 },
	{ HELLO MAIL TWO "BDAT 1\r\n\nBDAT 1 LAST\r\nxNOOP\r\n", TWO_ANSWERS "550/5.6.11 503/5.5.1 250/2.0.0", 0 },
	{ HELLO MAIL "RCPT TO:<nosuch@here.example>\r\nDATA\r\n", "250 250/2.1.0 550/5.1.1 554/5.5.1", 0 },
	/* no relaying, whoever it is */
	{ HELLO MAIL "RCPT TO:<far@there.example>\r\nRCPT TO:<far@relay.example>\r\nRCPT TO:<forward@here.example>\r\n",
		"250 250/2.1.0 550/5.7.1 550/5.7.1 250/2.1.5", 0 },
};

static void run_all(enum client_kind kind, const struct cfg_listener *listener, bool trusted)
{
	for (size_t i = 0; i < COUNT(dialogs); i++) {
		struct world w;
		struct buf codes = BUF_INIT(4000);
		world_open(&w, kind);
		w.s.client.listener = listener;
		w.s.client.trusted = trusted;
		world_say(&w, sv_of(dialogs[i].in), 9);
		if (strcmp(world_codes(&w, &codes), dialogs[i].want) != 0)
			fprintf(stderr, "\n%s\n  gave %s\n  not  %s\n", dialogs[i].in, buf_str(&codes), dialogs[i].want);
		CU_ASSERT_STRING_EQUAL(buf_str(&codes), dialogs[i].want);
		CU_ASSERT_EQUAL(w.commits, dialogs[i].commits);
		buf_free(&codes);
		world_close(&w);
	}
}

static void each_recipient_has_its_reply_and_nobody_relays(void)
{
	static const struct cfg_listener listener = { .name = "lmtp", .protocol = CFG_PROTO_LMTP };
	run_all(CLIENT_LMTP, NULL, false);
	run_all(CLIENT_NET, &listener, false);
	run_all(CLIENT_NET, &listener, true);
}

static void received_says_lmtp(void)
{
	struct world w;
	world_open(&w, CLIENT_LMTP);
	session_greet(&w.s, &w.replies);
	CU_ASSERT(sv_starts(buf_sv(&w.replies), SV("220 mx.here.example LMTP ")));
	world_say(&w, SV(HELLO MAIL "RCPT TO:<user>\r\nDATA\r\nx: y\r\n.\r\n"), 100);
	CU_ASSERT(sv_find(buf_sv(&w.file),
			  SV("Received: from c.example (local)\n\tby mx.here.example (Postern) with LMTP\n\tid ")) > 0);
	CU_ASSERT(sv_find(buf_sv(&w.file), SV(" t=s)")) > 0);
	world_close(&w);
}

void suite_smtpd_lmtp(void)
{
	static const struct unit_case cases[] = {
		UNIT(each_recipient_has_its_reply_and_nobody_relays),
		UNIT(received_says_lmtp),
		UNIT_END,
	};
	unit_suite("smtpd_lmtp", cases);
}
