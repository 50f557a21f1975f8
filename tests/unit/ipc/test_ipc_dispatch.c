#include "ipc/ipc.h"

#include "unit/unit.h"

#define ASK(F, T) F(T, U64, n, 100)
#define TELL(F, T) F(T, STR, text, 20)
#define OTHER(F, T) F(T, U64, n, 100)
IPC_DECLARE(ask, ASK);
IPC_DEFINE(ask, 0x711, 1, ASK);
IPC_DECLARE(tell, TELL);
IPC_DEFINE(tell, 0x712, 1, TELL);
IPC_DECLARE(other, OTHER);
IPC_DEFINE(other, 0x713, 1, OTHER);

enum { PEER_A = 1, PEER_B = 2 };
enum { PHASE_START = 1, PHASE_OPEN = 2 };

static bool on_ask(void *chan, void *msg, struct err *e UNUSED)
{
	*(uint64_t *)chan = ((struct ask *)msg)->n;
	return true;
}

static bool on_tell(void *chan UNUSED, void *msg UNUSED, struct err *e) { return err_set(e, ERR_TEMP, "the handler says no"); }

static const struct ipc_rule rules[] = {
	{ &ask_desc, PEER_A | PEER_B, PHASE_START, 2, on_ask },
	{ &tell_desc, PEER_B, PHASE_START | PHASE_OPEN, 0, on_tell },
	{ NULL },
};

static bool send_ask(struct ipc_seen *seen, unsigned peer, unsigned phase, uint64_t *ret_n, struct err *e)
{
	struct ipc_packet p = IPC_PACKET_INIT;
	struct ask a = { .n = 42 };
	ipc_encode(&ask_desc, &a, &p.bytes);
	bool ok = ipc_dispatch(rules, seen, peer, phase, &p, ret_n, e);
	ipc_packet_free(&p);
	return ok;
}

static void an_allowed_message_reaches_its_handler(void)
{
	struct ipc_seen seen = { 0 };
	uint64_t got = 0;
	struct err e = { 0 };
	CU_ASSERT_TRUE(send_ask(&seen, PEER_A, PHASE_START, &got, &e));
	CU_ASSERT_EQUAL(got, 42);
}

static void the_wrong_peer_and_the_wrong_phase_are_refused(void)
{
	struct ipc_seen seen = { 0 };
	uint64_t got = 0;
	struct err e = { 0 };
	CU_ASSERT_FALSE(send_ask(&seen, 4, PHASE_START, &got, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_FALSE(send_ask(&seen, PEER_A, PHASE_OPEN, &got, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	CU_ASSERT_EQUAL(got, 0);
}

static void one_more_than_the_rule_allows_is_refused(void)
{
	struct ipc_seen seen = { 0 };
	uint64_t got = 0;
	struct err e = { 0 };
	CU_ASSERT_TRUE(send_ask(&seen, PEER_A, PHASE_START, &got, &e));
	CU_ASSERT_TRUE(send_ask(&seen, PEER_A, PHASE_START, &got, &e));
	CU_ASSERT_FALSE(send_ask(&seen, PEER_A, PHASE_START, &got, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
}

static void an_unknown_type_is_refused(void)
{
	struct ipc_seen seen = { 0 };
	struct ipc_packet p = IPC_PACKET_INIT;
	struct other o = { .n = 1 };
	struct err e = { 0 };
	ipc_encode(&other_desc, &o, &p.bytes);
	CU_ASSERT_FALSE(ipc_dispatch(rules, &seen, PEER_A, PHASE_START, &p, NULL, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	buf_reset(&p.bytes);
	CU_ASSERT_FALSE(ipc_dispatch(rules, &seen, PEER_A, PHASE_START, &p, NULL, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	ipc_packet_free(&p);
}

static void a_handler_can_drop_the_channel(void)
{
	struct ipc_seen seen = { 0 };
	struct ipc_packet p = IPC_PACKET_INIT;
	struct tell t = { .text = "hello" };
	struct err e = { 0 };
	ipc_encode(&tell_desc, &t, &p.bytes);
	CU_ASSERT_FALSE(ipc_dispatch(rules, &seen, PEER_B, PHASE_OPEN, &p, NULL, &e));
	CU_ASSERT_STRING_EQUAL(e.text, "the handler says no");
	ipc_packet_free(&p);
}

void suite_ipc_dispatch(void)
{
	static const struct unit_case cases[] = {
		UNIT(an_allowed_message_reaches_its_handler),
		UNIT(the_wrong_peer_and_the_wrong_phase_are_refused),
		UNIT(one_more_than_the_rule_allows_is_refused),
		UNIT(an_unknown_type_is_refused),
		UNIT(a_handler_can_drop_the_channel),
		UNIT_END,
	};
	unit_suite("ipc_dispatch", cases);
}
