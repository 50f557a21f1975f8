#include "tools/postern_log.h"

#include "unit/unit.h"

static const char line[] = "2026-11-23T21:35:49.441Z smtpd[32254] uqsuqpcd/1lg9cdl7 deferred level=warn from=a@b.example "
			   "reason=\"not a = directory\" size=169";

static void a_line_is_taken_apart(void)
{
	struct log_line l;
	CU_ASSERT_TRUE_FATAL(log_line_parse(sv_of(line), &l));
	CU_ASSERT_TRUE(sv_eqs(l.daemon, "smtpd") && sv_eqs(l.pid, "32254") && sv_eqs(l.sid, "uqsuqpcd"));
	CU_ASSERT_TRUE(sv_eqs(l.qid, "1lg9cdl7") && sv_eqs(l.event, "deferred") && sv_eqs(l.level, "warn"));
	CU_ASSERT_TRUE(log_line_parse(SV("2026-11-23T21:35:49.441Z master[1] - ready"), &l));
	CU_ASSERT_TRUE(sv_eqs(l.level, "info") && l.sid.n == 0 && l.qid.n == 0 && sv_eqs(l.event, "ready"));
	CU_ASSERT_TRUE(log_line_parse(SV("2026-11-23T21:35:49.441Z queue-mgr[1] -/id delivered"), &l));
	CU_ASSERT_TRUE(l.sid.n == 0 && sv_eqs(l.qid, "id"));
	CU_ASSERT_FALSE(log_line_parse(SV(""), &l));
	CU_ASSERT_FALSE(log_line_parse(SV("time daemon - event"), &l));
	CU_ASSERT_FALSE(log_line_parse(SV("time daemon[1] -"), &l));
}

static void a_line_becomes_json(void)
{
	struct log_line l;
	struct buf out = BUF_INIT(1000);
	CU_ASSERT_TRUE_FATAL(log_line_parse(sv_of(line), &l));
	log_line_json(&l, &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), "{\"time\":\"2026-11-23T21:35:49.441Z\",\"level\":\"warn\",\"daemon\":\"smtpd\","
					      "\"pid\":32254,\"sid\":\"uqsuqpcd\","
					      "\"qid\":\"1lg9cdl7\",\"event\":\"deferred\",\"from\":\"a@b.example\",\"reason\":"
					      "\"not a = directory\",\"size\":\"169\"}\n");
	buf_free(&out);
}

static void filters_choose_in_both_forms(void)
{
	static const char json[] =
		"{\"time\":\"t\",\"level\":\"warn\",\"daemon\":\"smtpd\",\"pid\":32254,\"sid\":\"uqsuqpcd\",\"qid\":\"1lg9cdl7\","
		"\"event\":\"deferred\",\"from\":\"a@b.example\"}";
	static const struct {
		struct log_filter f;
		bool want;
	} t[] = {
		{ { 0 }, true },
		{ { .id = "1lg9cdl7" }, true },
		{ { .id = "1lg9" }, false },
		{ { .session = "uqsuqpcd", .daemon = "smtpd", .event = "deferred" }, true },
		{ { .daemon = "resolve" }, false },
		{ { .event = "accepted" }, false },
		{ { .address = "A@B.example" }, true },
		{ { .address = "c@b.example" }, false },
		{ { .level = "warn" }, true },
		{ { .level = "info" }, true },
		{ { .level = "error" }, false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		CU_ASSERT_EQUAL(log_line_matches(sv_of(line), false, &t[i].f), t[i].want);
		CU_ASSERT_EQUAL(log_line_matches(sv_of(json), true, &t[i].f), t[i].want);
	}
}

void suite_postern_log_line(void)
{
	static const struct unit_case cases[] = { UNIT(a_line_is_taken_apart), UNIT(a_line_becomes_json),
		UNIT(filters_choose_in_both_forms), UNIT_END };
	unit_suite("postern_log_line", cases);
}
