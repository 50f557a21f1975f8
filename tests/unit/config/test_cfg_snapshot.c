#include "config/cfg.h"

#include "base/fd.h"
#include "unit/unit.h"

static const char text[] = "hostname = mx.example.org\n"
			   "trusted_networks = 192.0.2.0/24, 2001:db8::/32\n"
			   "recipient_delimiter =#\n"
			   "banner = a#b \xc3\xa9\n"
			   "spam_mark_score = -4.05\n"
			   "[listener smtp]\naddress = *:25\n"
			   "[relay out]\ndomains = *\nhost = relay.example:587\n";

static struct cfg *parsed(void)
{
	struct vec faults = VEC_INIT(struct cfg_fault, 10);
	struct cfg *c = cfg_parse(sv_of(text), &faults);
	CU_ASSERT_EQUAL(faults.len, 0);
	vec_free(&faults);
	return c;
}

static void what_is_printed_parses_to_the_same(void)
{
	struct cfg *a = parsed(), *b;
	struct buf first = BUF_INIT(CFG_FILE_MAX), second = BUF_INIT(CFG_FILE_MAX);
	cfg_print(a, CFG_PRINT_ALL, &first);
	b = cfg_parse(buf_sv(&first), NULL);
	cfg_print(b, CFG_PRINT_ALL, &second);
	CU_ASSERT_STRING_EQUAL(buf_str(&first), buf_str(&second));
	CU_ASSERT_STRING_EQUAL(b->global.recipient_delimiter, "#");
	buf_free(&first);
	buf_free(&second);
	cfg_free(a);
	cfg_free(b);
}

static void changed_prints_only_what_differs(void)
{
	struct cfg *c = parsed();
	struct buf out = BUF_INIT(CFG_FILE_MAX);
	cfg_print(c, CFG_PRINT_CHANGED, &out);
	CU_ASSERT_STRING_EQUAL(buf_str(&out), "hostname = mx.example.org\n"
					      "recipient_delimiter =#\n"
					      "trusted_networks = 192.0.2.0/24, 2001:db8::/32\n"
					      "banner = a#b \xc3\xa9\n"
					      "spam_mark_score = -4.05\n"
					      "\n[listener smtp]\naddress = *:25\n"
					      "\n[relay out]\ndomains = *\nhost = relay.example:587\n");
	buf_free(&out);
	cfg_free(c);
}

static void a_snapshot_is_sealed_and_gives_the_same_configuration(void)
{
	struct cfg *a = parsed(), *b;
	struct buf first = BUF_INIT(CFG_FILE_MAX), second = BUF_INIT(CFG_FILE_MAX);
	struct err e = { 0 };
	a->generation = 7;
	a->unprivileged = true;
	int fd = cfg_snapshot(a, &e);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_TRUE(fd_is_sealed(fd));
	b = cfg_from_snapshot(fd, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	CU_ASSERT_EQUAL(b->generation, 7);
	CU_ASSERT_TRUE(b->unprivileged);
	cfg_print(a, CFG_PRINT_ALL, &first);
	cfg_print(b, CFG_PRINT_ALL, &second);
	CU_ASSERT_STRING_EQUAL(buf_str(&first), buf_str(&second));
	buf_free(&first);
	buf_free(&second);
	cfg_free(a);
	cfg_free(b);
	close(fd);
}

static void a_snapshot_that_master_did_not_write_is_refused(void)
{
	static const char *const t[] = {
		"",
		"hostname = a.example\n",
		"# generation x unprivileged no\n",
		"# generation 1\n",
		"# generation 1 unprivileged perhaps\n",
		"# generation 1 unprivileged no\nnonsense\n",
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct err e = { 0 };
		int fd = fd_memfd("test", &e);
		CU_ASSERT_TRUE(fd_write_all(fd, t[i], strlen(t[i]), &e));
		CU_ASSERT_PTR_NULL(cfg_from_snapshot(fd, &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		close(fd);
	}
}

void suite_cfg_snapshot(void)
{
	static const struct unit_case cases[] = {
		UNIT(what_is_printed_parses_to_the_same),
		UNIT(changed_prints_only_what_differs),
		UNIT(a_snapshot_is_sealed_and_gives_the_same_configuration),
		UNIT(a_snapshot_that_master_did_not_write_is_refused),
		UNIT_END,
	};
	unit_suite("cfg_snapshot", cases);
}
