#include "remote-delivery/order.h"
#include "remote-delivery/peer.h"

#include "unit/unit.h"

/* RFC 3463 2 */
static void the_class_of_a_code_is_that_of_the_outcome(void)
{
	static const struct {
		enum deliver_status status;
		const char *dsn, *want;
	} t[] = {
		{ DELIVERED, "2.1.5", "2.1.5" },
		{ DELIVERED, "", "2.0.0" },
		{ DELIVERED, "5.0.0", "2.0.0" },
		{ FAILED, "5.1.1", "5.1.1" },
		{ FAILED, "4.1.1", "5.0.0" },
		{ FAILED, "", "5.0.0" },
		{ DEFERRED, "4.2.2", "4.2.2" },
		{ DEFERRED, "5.2.2", "4.0.0" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct item it = { .settled = false };
		item_settle(&it, t[i].status, t[i].dsn, "host", "text");
		CU_ASSERT(it.settled && it.res.status == t[i].status);
		CU_ASSERT_STRING_EQUAL(it.res.dsn, t[i].want);
	}
}

static void a_hosts_words_stay_one_line_of_text(void)
{
	struct item it = { .settled = false };
	item_settle(&it, FAILED, "5.1.1", "h\nx", "a\r\nb\x1b[31m\xff");
	CU_ASSERT_FALSE(sv_has_ctl(sv_of(it.res.text)));
	CU_ASSERT_FALSE(sv_has_ctl(sv_of(it.res.where)));
	CU_ASSERT_TRUE(sv_is_utf8(sv_of(it.res.text)));
}

static void what_is_settled_stays_so(void)
{
	struct item items[2] = { { .settled = false }, { .settled = false } };
	struct order o = { .item = items, .n = 2 };
	struct err e;
	item_settle(&items[0], DELIVERED, "", "", "");
	CU_ASSERT_TRUE(order_open(&o));
	err_dsn(&e, ERR_PEER, "", "gone");
	order_settle(&o, &e, "4.4.2", "host", true);
	CU_ASSERT_FALSE(order_open(&o));
	CU_ASSERT(items[0].res.status == DELIVERED && items[1].res.status == DEFERRED);
	CU_ASSERT_STRING_EQUAL(items[1].res.dsn, "4.4.2");
	CU_ASSERT(items[1].res.host == 1 && items[0].res.host == 0);
}

static void orders_that_do_not_fit_together_are_settled_at_once(void)
{
	static const struct {
		struct deliver_req req;
		bool good;
	} t[] = {
		{ { .id = "0123456789abcdefg", .rcpt = "a@b.example", .size = 1 }, false },
		{ { .id = "../etc", .rcpt = "a@b.example", .size = 1 }, false },
		{ { .id = "1lg9vbpm5jrlqk5k", .rcpt = "a@b.example", .offset = 2, .size = 1 }, false },
		{ { .id = "1lg9vbpm5jrlqk5k", .rcpt = "a b", .size = 1 }, false },
		{ { .id = "1lg9vbpm5jrlqk5k", .rcpt = "a@b.example", .orcpt = "x\ny", .size = 1 }, false },
		{ { .id = "1lg9vbpm5jrlqk5k", .rcpt = "a@b.example", .size = 1 }, true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct item it = { .req = t[i].req };
		CU_ASSERT_EQUAL(item_check(&it), t[i].good);
		CU_ASSERT_EQUAL(it.settled, !t[i].good);
		CU_ASSERT(t[i].good || it.res.status == DEFERRED);
	}
}

static void capabilities_are_read_and_unknown_ones_ignored(void)
{
	static const struct {
		const char *lines;
		unsigned set;
		uint64_t size;
		const char *auth;
	} t[] = {
		{ "mx.example SIZE 5\n", 0, 0, "" }, /* the greeting */
		{ "mx\nPIPELINING\nsize 1000\n8bitmime\nXUNKNOWN a b\n", CAP_PIPELINING | CAP_SIZE | CAP_8BITMIME, 1000, "" },
		{ "mx\nSIZE\nSTARTTLS\n", CAP_SIZE | CAP_STARTTLS, 0, "" },
		{ "mx\nSIZE x\n", CAP_SIZE, 0, "" },
		{ "mx\nSIZE 99999999999999999999999999\n", CAP_SIZE, 0, "" },
		{ "mx\nAUTH PLAIN LOGIN\n", CAP_AUTH, 0, "PLAIN LOGIN" },
		{ "mx\nAUTH=PLAIN\n", CAP_AUTH, 0, "" },
		{ "mx\nPIPELININGS\n\n  \nDSN\nREQUIRETLS\nSMTPUTF8\nCHUNKING\nBINARYMIME\n",
			CAP_DSN | CAP_REQUIRETLS | CAP_SMTPUTF8 | CAP_CHUNKING | CAP_BINARYMIME, 0, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct caps c;
		caps_parse(sv_of(t[i].lines), &c);
		CU_ASSERT_EQUAL(c.set, t[i].set);
		CU_ASSERT_EQUAL(c.size_max, t[i].size);
		CU_ASSERT_STRING_EQUAL(c.auth, t[i].auth);
	}
}

void suite_remote_order(void)
{
	static const struct unit_case cases[] = { UNIT(the_class_of_a_code_is_that_of_the_outcome),
		UNIT(a_hosts_words_stay_one_line_of_text), UNIT(what_is_settled_stays_so),
		UNIT(orders_that_do_not_fit_together_are_settled_at_once), UNIT(capabilities_are_read_and_unknown_ones_ignored),
		UNIT_END };
	unit_suite("remote_order", cases);
}
