/* What the sender asked for: the X-Postern line, and NOTIFY and ORCPT of each recipient (RFC 3461). */
#include "spool/spool.h"

#include "unit/spool/spool_file.h"
#include "unit/unit.h"

static bool same(const struct spool_options *a, const struct spool_options *b)
{
	return a->body == b->body && a->smtputf8 == b->smtputf8 && a->requiretls == b->requiretls && a->ret == b->ret &&
	       strcmp(a->envid, b->envid) == 0 && strcmp(a->auth, b->auth) == 0 && a->hold_until == b->hold_until &&
	       a->priority == b->priority && a->deliver_by == b->deliver_by && a->by_mode == b->by_mode &&
	       a->by_trace == b->by_trace && a->held == b->held;
}

static void options_are_read_as_written(void)
{
	static const struct {
		struct spool_options o;
		const char *text;
	} t[] = {
		{ { 0 }, "" },
		{ { .body = SPOOL_BODY_8BITMIME }, "body=8BITMIME" },
		{ { .body = SPOOL_BODY_BINARYMIME, .smtputf8 = true, .requiretls = true },
			"body=BINARYMIME smtputf8=yes requiretls=yes" },
		{ { .ret = SPOOL_RET_FULL, .envid = "a b+c=d" }, "ret=FULL envid=a+20b+2Bc+3Dd" },
		{ { .ret = SPOOL_RET_HDRS, .auth = "al ice" }, "ret=HDRS auth=al+20ice" },
		{ { .hold_until = 1795464636, .priority = -9 }, "hold=1795464636 prio=-9" },
		{ { .priority = 9 }, "prio=9" },
		{ { .deliver_by = 1795464636, .by_mode = 'R' }, "by=1795464636 bymode=R" },
		{ { .held = true }, "held=yes" },
		{ { .deliver_by = 1, .by_mode = 'N', .by_trace = true }, "by=1 bymode=N byt=yes" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf text = BUF_INIT(SPOOL_OPTIONS_MAX);
		struct spool_options o;
		spool_options_put(&t[i].o, &text);
		CU_ASSERT_STRING_EQUAL(buf_str(&text), t[i].text);
		CU_ASSERT_TRUE_FATAL(spool_options_parse(buf_sv(&text), &o, NULL));
		CU_ASSERT_TRUE(same(&o, &t[i].o));
		buf_free(&text);
	}
}

static void options_of_a_later_version_are_passed_over_and_wrong_ones_are_not(void)
{
	static const struct {
		const char *text;
		bool ok;
	} t[] = {
		{ "later=x body=8BITMIME", true },
		{ "body=9BITMIME", false },
		{ "body", false },
		{ "ret=SOME", false },
		{ "prio=10", false },
		{ "prio=--1", false },
		{ "hold=-1", false },
		{ "hold=99999999999999999999", false },
		{ "by=1 bymode=X", false },
		{ "envid=+0A", false },
		{ "smtputf8=no", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct spool_options o;
		CU_ASSERT_EQUAL(spool_options_parse(sv_of(t[i].text), &o, NULL), t[i].ok);
	}
}

static void what_a_sender_asked_of_each_recipient_is_read_as_written(void)
{
	static const struct spool_sample s = { .sender = "al@x.example",
		.rcpts = { "b@y.example", "c@y.example", "d@y.example", "e@y.example" },
		.orig = "team@y.example",
		.notify = { SPOOL_NOTIFY_SUCCESS | SPOOL_NOTIFY_FAILURE | SPOOL_NOTIFY_DELAY, SPOOL_NOTIFY_NEVER, 0, 0 },
		.orcpt = { "rfc822;team+2Bx@y.example", NULL, "rfc822;D@y.example" } };
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	spool_sample_make(&s, &b, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	CU_ASSERT_EQUAL_FATAL(env.n_rcpt, 4);
	for (size_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(env.rcpt[i].notify, s.notify[i]);
		CU_ASSERT_EQUAL(env.rcpt[i].orcpt != NULL, s.orcpt[i] != NULL);
		if (s.orcpt[i] != NULL && env.rcpt[i].orcpt != NULL)
			CU_ASSERT_STRING_EQUAL(env.rcpt[i].orcpt, s.orcpt[i]);
		CU_ASSERT_EQUAL(env.rcpt[i].orig.null, i > 0);
	}
	spool_envelope_free(&env);
	buf_free(&b);
}

static void what_a_sender_asked_of_the_only_recipient_ends_the_plain_form(void)
{
	static const struct spool_sample t[] = {
		{ .sender = "al@x.example", .rcpts = { "b@y.example" }, .notify = { SPOOL_NOTIFY_NEVER } },
		{ .sender = "al@x.example", .rcpts = { "b@y.example" }, .orcpt = { "rfc822;b@y.example" } },
		{ .sender = "al@x.example", .rcpts = { "b@y.example" }, .postern = "ret=HDRS" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf b = BUF_INIT(0);
		struct spool_envelope env;
		spool_sample_make(&t[i], &b, NULL);
		CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
		CU_ASSERT_FALSE(env.plain);
		spool_envelope_free(&env);
		buf_free(&b);
	}
}

static void an_expanded_address_has_a_line_that_nothing_is_delivered_to(void)
{
	static const struct spool_sample s = { .sender = "al@x.example",
		.rcpts = { "team@y.example", "b@y.example" },
		.notify = { SPOOL_NOTIFY_SUCCESS, SPOOL_NOTIFY_NEVER },
		.status = { SPOOL_OWED_EXPANDED } };
	struct buf b = BUF_INIT(0);
	struct spool_envelope env;
	spool_sample_make(&s, &b, NULL);
	CU_ASSERT_TRUE_FATAL(spool_envelope_parse(buf_sv(&b), &env, NULL));
	CU_ASSERT(env.rcpt[0].status == SPOOL_OWED_EXPANDED && env.rcpt[1].status == SPOOL_TODO);
	spool_envelope_free(&env);
	buf_free(&b);
}

void suite_spool_options(void)
{
	static const struct unit_case cases[] = { UNIT(options_are_read_as_written),
		UNIT(options_of_a_later_version_are_passed_over_and_wrong_ones_are_not),
		UNIT(what_a_sender_asked_of_each_recipient_is_read_as_written),
		UNIT(what_a_sender_asked_of_the_only_recipient_ends_the_plain_form),
		UNIT(an_expanded_address_has_a_line_that_nothing_is_delivered_to), UNIT_END };
	unit_suite("spool_options", cases);
}
