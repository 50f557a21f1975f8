#include "unit/unit.h"
#include "base/clock.h"
#include "base/fd.h"
#include "tls-policy/facts.h"
#include "tls-policy/report.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DAY 1795392000u /* 2026-11-23 */

static int new_dir(char path[64])
{
	snprintf(path, 64, "/tmp/postern-facts-XXXXXX");
	return mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void remove_dir(int dir, const char *path)
{
	unlinkat(dir, "facts-20261123", 0);
	close(dir);
	rmdir(path);
}

static const struct fact good = { "a.example", "sts", "version: STSv1\x1fmode: enforce\x1fmx: *.a.example", "", "", "", "", "",
	"" };
static const struct fact bad = { "a.example", "sts", "version: STSv1\x1fmode: enforce\x1fmx: *.a.example", "certificate-expired",
	"192.0.2.1", "mx.a.example", "mx", "192.0.2.2", "it\tsays\nx" };
static const struct fact other = { "b.example", "no-policy-found", "", "", "", "", "", "", "" };

static void what_is_counted_is_there_after_a_restart(void)
{
	char path[64];
	int dir = new_dir(path);
	struct err e = { 0 };
	struct facts *f = facts_open(dir, DAY, &e);
	struct buf text = BUF_INIT(10000), again = BUF_INIT(10000);
	for (int i = 0; i < 3; i++)
		facts_add(f, &good);
	facts_add(f, &bad);
	facts_add(f, &other);
	CU_ASSERT_TRUE(facts_save(f, &e));
	facts_text(f, "a.example", &text);
	facts_free(f);
	f = facts_open(dir, DAY, &e);
	facts_text(f, "a.example", &again);
	CU_ASSERT_EQUAL(text.len, again.len);
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&again), "3\ta.example\tsts\t"));
	CU_ASSERT_PTR_NOT_NULL(strstr(buf_str(&again), "\tit says x\n"));
	CU_ASSERT_PTR_NULL(strstr(buf_str(&again), "b.example"));
	uint64_t day;
	CU_ASSERT_TRUE(facts_oldest(dir, DAY + 1, &day) && day == DAY);
	CU_ASSERT_FALSE(facts_oldest(dir, DAY, &day));
	char domain[FACTS_DOMAIN_MAX + 1];
	while (facts_next_domain(f, domain))
		facts_drop(f, domain);
	CU_ASSERT_TRUE(facts_save(f, &e));
	CU_ASSERT_FALSE(facts_oldest(dir, DAY + 1, &day)); /* an empty day has no file */
	facts_free(f);
	buf_free(&text);
	buf_free(&again);
	remove_dir(dir, path);
}

static void a_damaged_line_is_left_out(void)
{
	static const char lines[] = "x\n1\ta.example\n0\ta.example\tsts\t\t\t\t\t\t\t\n2\ta.example\tsts\t\t\t\t\t\t\t\n"
				    "3\t\tsts\t\t\t\t\t\t\t\n4\ta.example\tsts\t\t\t\t\t\t\t\tmore\n";
	char path[64], domain[FACTS_DOMAIN_MAX + 1];
	int dir = new_dir(path), fd = openat(dir, "facts-20261123", O_WRONLY | O_CREAT, 0600);
	struct err e = { 0 };
	struct buf text = BUF_INIT(10000);
	CU_ASSERT_TRUE(fd_write_all(fd, lines, sizeof lines - 1, &e));
	close(fd);
	struct facts *f = facts_open(dir, DAY, &e);
	CU_ASSERT_TRUE(facts_next_domain(f, domain));
	facts_text(f, "a.example", &text);
	CU_ASSERT_STRING_EQUAL(buf_str(&text), "2\ta.example\tsts\t\t\t\t\t\t\t\n");
	facts_free(f);
	buf_free(&text);
	remove_dir(dir, path);
}

static void one_domain_cannot_fill_the_memory(void)
{
	char path[64], host[40];
	int dir = new_dir(path);
	struct err e = { 0 };
	struct facts *f = facts_open(dir, DAY, &e);
	struct buf text = BUF_INIT(1u << 20);
	size_t lines = 0;
	for (int i = 0; i < FACTS_DOMAIN_ROWS_MAX * 2; i++) {
		struct fact x = bad;
		snprintf(host, sizeof host, "mx%d.a.example", i);
		x.mx = host;
		facts_add(f, &x);
	}
	facts_add(f, &other); /* others are still counted */
	facts_text(f, "a.example", &text);
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	CU_ASSERT_EQUAL(lines, FACTS_DOMAIN_ROWS_MAX);
	buf_reset(&text);
	facts_text(f, "b.example", &text);
	CU_ASSERT_TRUE(text.len > 0);
	facts_free(f);
	buf_free(&text);
	remove_dir(dir, path);
}

static json_int_t number(json_t *o, const char *a, const char *b)
{
	return json_integer_value(json_object_get(json_object_get(o, a), b));
}

static void a_report_says_what_rfc_8460_wants(void)
{
	const struct report r = { "mail.example", "postmaster@example", "a.example", DAY, DAY + FACTS_DAY - 1, DAY + FACTS_DAY };
	static const char rows[] = "3\ta.example\tsts\tversion: STSv1\x1fmode: enforce\x1fmx: *.a.example\t\t\t\t\t\t\n"
				   "1\ta.example\tsts\tversion: STSv1\x1fmode: enforce\x1fmx: "
				   "*.a.example\tcertificate-expired\t192.0.2.1\tmx.a.example\t"
				   "h\t192.0.2.2\tno \xff\n"
				   "7\ta.example\tno-policy-found\t\t\t\t\t\t\t\n";
	struct buf json = BUF_INIT(REPORT_JSON_MAX);
	report_json(&r, sv_of(rows), &json);
	json_t *o = json_loadb(json.data, json.len, 0, NULL), *p = json_object_get(o, "policies");
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(o, "date-range"), "start-datetime")), "2026-11-23T00:00:00Z");
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_object_get(json_object_get(o, "date-range"), "end-datetime")), "2026-11-23T23:59:59Z");
	CU_ASSERT_EQUAL(json_array_size(p), 2);
	json_t *sts = json_array_get(p, 0), *detail = json_array_get(json_object_get(sts, "failure-details"), 0);
	CU_ASSERT_EQUAL(number(sts, "summary", "total-successful-session-count"), 3);
	CU_ASSERT_EQUAL(number(sts, "summary", "total-failure-session-count"), 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(json_object_get(sts, "policy"), "policy-string")), 3);
	CU_ASSERT_STRING_EQUAL(
		json_string_value(json_array_get(json_object_get(json_object_get(sts, "policy"), "mx-host"), 0)), "*.a.example");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(detail, "result-type")), "certificate-expired");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(detail, "failed-session-count")), 1);
	CU_ASSERT_EQUAL(number(json_array_get(p, 1), "summary", "total-successful-session-count"), 7);
	json_decref(o);
	buf_free(&json);
}

static void its_record_is_read(void)
{
	static const struct {
		const char *txt;
		bool is;
		const char *rua;
	} t[] = {
		{ "v=TLSRPTv1; rua=mailto:reports@example.com", true, "mailto:reports@example.com" },
		{ "v=TLSRPTv1;rua=mailto:a@b.c,https://d.e/f;", true, "mailto:a@b.c,https://d.e/f" },
		{ "v=TLSRPTv1; x=y", false, "" },
		{ "v=TLSRPTv2; rua=mailto:a@b.c", false, "" },
		{ "rua=mailto:a@b.c; v=TLSRPTv1;", false, "" },
		{ "", false, "" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		char rua[REPORT_RUA_MAX + 1];
		CU_ASSERT_EQUAL(report_is_record(sv_of(t[i].txt), rua), t[i].is);
		CU_ASSERT_STRING_EQUAL(rua, t[i].rua);
	}
}

static void what_is_compressed_can_be_read_by_gzip(void)
{
	struct buf in = BUF_INIT(100000), out = BUF_INIT(100000);
	char back[100000];
	z_stream z = { 0 };
	while (in.len < 50000)
		buf_puts(&in, "{\"a\":\"some text\"}");
	CU_ASSERT_TRUE(report_gzip(buf_sv(&in), &out));
	CU_ASSERT_TRUE(out.len < in.len / 10);
	CU_ASSERT_EQUAL(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)out.data;
	z.avail_in = (uInt)out.len;
	z.next_out = (Bytef *)back;
	z.avail_out = sizeof back;
	CU_ASSERT_EQUAL(inflate(&z, Z_FINISH), Z_STREAM_END);
	CU_ASSERT_TRUE(z.total_out == in.len && memcmp(back, in.data, in.len) == 0);
	inflateEnd(&z);
	buf_free(&in);
	buf_free(&out);
}

void suite_tlsrpt(void)
{
	static const struct unit_case cases[] = { UNIT(what_is_counted_is_there_after_a_restart), UNIT(a_damaged_line_is_left_out),
		UNIT(one_domain_cannot_fill_the_memory), UNIT(a_report_says_what_rfc_8460_wants), UNIT(its_record_is_read),
		UNIT(what_is_compressed_can_be_read_by_gzip), UNIT_END };
	unit_suite("tlsrpt", cases);
}
