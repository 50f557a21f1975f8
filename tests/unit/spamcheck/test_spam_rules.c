/* The table of rules and the verdict made from findings. */
#include "unit/unit.h"

#include "base/fd.h"
#include "spamcheck/rules.h"
#include "spamcheck/verdict.h"

#include <fcntl.h>

static const struct cfg_spam defaults = {
	.spam_action = CFG_SPAM_REJECT,
	.spam_mark_score = 500,
	.spam_reject_score = 1500,
};

static struct findings all_of_form(void)
{
	struct findings f = { 0 };
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (spam_rules[i].kind != RULE_KIND_CONTENT)
			findings_add(&f, i);
	return f;
}

static void every_rule_has_a_name_of_its_own_and_a_help(void)
{
	for (unsigned i = 0; i < RULE_COUNT; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(spam_rules[i].name);
		CU_ASSERT_TRUE(spam_rules[i].help && strlen(spam_rules[i].help) > 10);
		for (unsigned j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(spam_rules[i].name, spam_rules[j].name);
	}
}

static void the_manual_lists_every_rule_as_it_is(void)
{
	struct err e;
	struct buf page = BUF_INIT(1 << 20);
	CU_ASSERT_TRUE_FATAL(fd_read_path(AT_FDCWD, "spamcheck/postern-spamcheck.8", &page, &e));
	for (unsigned i = 0; i < RULE_COUNT; i++) {
		char points[SCORE_TEXT_MAX], row[300];
		const char *text = score_text(spam_rules[i].points, points);
		snprintf(row, sizeof(row), ".It %s Ta %s%s Ta \\&%s\n", spam_rules[i].name, text[0] == '-' ? "\\" : "", text,
			spam_rules[i].help);
		if (sv_find(buf_sv(&page), sv_of(row)) < 0)
			printf("the manual lacks %s", row);
		CU_ASSERT_TRUE(sv_find(buf_sv(&page), sv_of(row)) > 0);
	}
	buf_free(&page);
}

static void scores_are_written_short_and_exact(void)
{
	static const struct {
		int score;
		const char *want;
	} t[] = { { 0, "0" }, { 50, "0.5" }, { 25, "0.25" }, { 5, "0.05" }, { 100, "1" }, { -150, "-1.5" }, { -5, "-0.05" },
		{ 100000, "1000" }, { 1234, "12.34" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		char text[SCORE_TEXT_MAX];
		CU_ASSERT_STRING_EQUAL(score_text(t[i].score, text), t[i].want);
	}
}

static void all_findings_of_form_together_do_not_refuse_a_message(void)
{
	struct spam_res res;
	struct findings f = all_of_form();
	CU_ASSERT_EQUAL(findings_score(&f), FORM_POINTS_MAX);
	verdict_make(&defaults, &f, &res);
	CU_ASSERT_EQUAL(res.verdict, SPAM_MARK);
	CU_ASSERT_PTR_NOT_NULL(strstr(res.headers, "FORM_LIMIT=-"));
}

static void all_findings_together_fit_the_answer(void)
{
	struct spam_res res;
	struct findings f = { .hit = ((uint64_t)1 << RULE_COUNT) - 1 };
	verdict_make(&defaults, &f, &res);
	CU_ASSERT_PTR_NOT_NULL(strstr(res.headers, "SCAN_LIMIT=0"));
	CU_ASSERT_EQUAL(res.headers[strlen(res.headers) - 1], '\n');
	size_t n = strlen(res.reasons);
	CU_ASSERT_TRUE(n > 300 && n < sizeof(res.reasons));
	CU_ASSERT_TRUE(res.reasons[n - 1] >= '0' && res.reasons[n - 1] <= '9'); /* cut between findings */
}

static void header_lines_are_folded_below_78_columns(void)
{
	struct spam_res res;
	struct findings f = all_of_form();
	verdict_make(&defaults, &f, &res);
	struct sv rest = sv_of(res.headers), line;
	unsigned lines = 0;
	while (sv_cut(&rest, '\n', &line)) {
		CU_ASSERT_TRUE(line.n + 7 <= 78);
		CU_ASSERT_TRUE(rest.n == 0 || lines < 2 || line.p[0] == '\t');
		lines++;
	}
	CU_ASSERT_TRUE(lines > 10);
}

static void the_header_names_findings_in_one_field(void)
{
	struct spam_res res;
	struct findings f = { 0 };
	verdict_make(&defaults, &f, &res);
	CU_ASSERT_STRING_EQUAL(res.headers, "X-Spam-Status: No, score=0 required=5\n\ttests=none\n");
	CU_ASSERT_EQUAL(res.verdict, SPAM_ACCEPT);
	CU_ASSERT_EQUAL(res.score, SPAM_SCORE_ZERO);
	CU_ASSERT_STRING_EQUAL(res.reasons, "");
	findings_add(&f, RULE_MISSING_DATE);
	findings_add(&f, RULE_BAYES_99);
	verdict_make(&defaults, &f, &res);
	CU_ASSERT_STRING_EQUAL(
		res.headers, "X-Spam-Flag: YES\nX-Spam-Status: Yes, score=6.5 required=5\n\ttests=BAYES_99=6,MISSING_DATE=0.5\n");
	CU_ASSERT_STRING_EQUAL(res.reasons, "BAYES_99=6 MISSING_DATE=0.5");
	CU_ASSERT_EQUAL(res.score, SPAM_SCORE_ZERO + 650);
}

static void the_verdict_follows_action_and_scores(void)
{
	static const struct {
		int action;
		int64_t mark, reject;
		enum rule_id found;
		enum spam_verdict want;
	} t[] = {
		{ CFG_SPAM_REJECT, 500, 1500, RULE_SCAN_LIMIT, SPAM_ACCEPT },
		{ CFG_SPAM_REJECT, 500, 1500, RULE_BAYES_99, SPAM_MARK },
		{ CFG_SPAM_REJECT, 500, 1500, RULE_GTUBE, SPAM_REJECT },
		{ CFG_SPAM_REJECT, 500, 600, RULE_BAYES_99, SPAM_REJECT },
		{ CFG_SPAM_REJECT, 500, 601, RULE_BAYES_99, SPAM_MARK },
		{ CFG_SPAM_REJECT, 600, 1500, RULE_BAYES_99, SPAM_MARK },
		{ CFG_SPAM_REJECT, 601, 1500, RULE_BAYES_99, SPAM_ACCEPT },
		{ CFG_SPAM_MARK, 500, 1500, RULE_GTUBE, SPAM_MARK },
		{ CFG_SPAM_OFF, 500, 1500, RULE_GTUBE, SPAM_ACCEPT },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct cfg_spam cfg = {
			.spam_action = t[i].action, .spam_mark_score = t[i].mark, .spam_reject_score = t[i].reject
		};
		struct findings f = { 0 };
		struct spam_res res;
		findings_add(&f, t[i].found);
		verdict_make(&cfg, &f, &res);
		CU_ASSERT_EQUAL(res.verdict, t[i].want);
		CU_ASSERT_EQUAL(res.text[0] != '\0', t[i].want == SPAM_REJECT);
		CU_ASSERT_EQUAL(res.headers[0] == '\0', t[i].action == CFG_SPAM_OFF);
	}
}

static void a_failed_check_follows_spam_failure(void)
{
	struct spam_res res;
	struct cfg_spam cfg = { .spam_failure = CFG_SPAMFAIL_TEMPFAIL };
	verdict_failed(&cfg, &res);
	CU_ASSERT_EQUAL(res.verdict, SPAM_TEMPFAIL);
	cfg.spam_failure = CFG_SPAMFAIL_ACCEPT;
	verdict_failed(&cfg, &res);
	CU_ASSERT_EQUAL(res.verdict, SPAM_ACCEPT);
	CU_ASSERT_EQUAL(res.score, SPAM_SCORE_ZERO);
}

static void submitted_mail_may_lack_what_submission_adds(void)
{
	struct findings f = { 0 };
	findings_add(&f, RULE_MISSING_DATE);
	findings_add(&f, RULE_MISSING_MESSAGE_ID);
	findings_add(&f, RULE_MULTIPLE_FROM);
	findings_forgive_submitted(&f);
	CU_ASSERT_FALSE(findings_has(&f, RULE_MISSING_DATE));
	CU_ASSERT_FALSE(findings_has(&f, RULE_MISSING_MESSAGE_ID));
	CU_ASSERT_TRUE(findings_has(&f, RULE_MULTIPLE_FROM));
}

void suite_spam_rules(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_rule_has_a_name_of_its_own_and_a_help),
		UNIT(the_manual_lists_every_rule_as_it_is),
		UNIT(scores_are_written_short_and_exact),
		UNIT(all_findings_of_form_together_do_not_refuse_a_message),
		UNIT(all_findings_together_fit_the_answer),
		UNIT(header_lines_are_folded_below_78_columns),
		UNIT(the_header_names_findings_in_one_field),
		UNIT(the_verdict_follows_action_and_scores),
		UNIT(a_failed_check_follows_spam_failure),
		UNIT(submitted_mail_may_lack_what_submission_adds),
		UNIT_END,
	};
	unit_suite("spam_rules", cases);
}
