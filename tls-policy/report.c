#include "report.h"

#include "base/base64.h"
#include "base/clock.h"
#include "facts.h"
#include "mail/date.h"

#include <jansson.h>
#include <string.h>
#include <zlib.h>

#define GZIP_BITS (15 + 16) /* zlib: a gzip header */
#define GZIP_MEM 8
#define LINE_BYTES 57 /* 76 characters of base64 */
#define BOUNDARY_BYTES 12

/* --- who wants it ------------------------------------------------------------------------------------------------------------ */

bool report_is_record(struct sv txt, char ret_rua[REPORT_RUA_MAX + 1])
{
	struct sv field, rest = txt;
	ret_rua[0] = '\0';
	if (!sv_cut(&rest, ';', &field) || !rest.p || !sv_eqs(sv_trim(field), "v=TLSRPTv1"))
		return false;
	while (sv_cut(&rest, ';', &field)) {
		field = sv_trim(field);
		if (sv_starts(field, SV("rua=")) && !sv_copy(sv_trim(sv_skip(field, 4)), ret_rua, REPORT_RUA_MAX + 1))
			ret_rua[0] = '\0';
	}
	return ret_rua[0] != '\0';
}

/* --- JSON -------------------------------------------------------------------------------------------------------------------- */

/* Peers' bytes that are no UTF-8 are left out. */
static json_t *text(struct sv s) { return json_stringn(sv_is_utf8(s) ? s.p : "", sv_is_utf8(s) ? s.n : 0); }

static void add_text(json_t *o, const char *key, struct sv s)
{
	if (s.n > 0)
		json_object_set_new(o, key, text(s));
}

static json_t *policy_object(const struct fact_row *row)
{
	json_t *p = json_object(), *strings = json_array(), *hosts = json_array();
	struct sv line, rest = row->policy;
	add_text(p, "policy-type", row->type);
	while (sv_cut(&rest, '\x1f', &line)) {
		if (line.n > 0)
			json_array_append_new(strings, text(line));
		if (sv_eqs(row->type, "sts") && sv_starts(line, SV("mx: ")))
			json_array_append_new(hosts, text(sv_skip(line, 4)));
	}
	if (json_array_size(strings) > 0)
		json_object_set(p, "policy-string", strings);
	add_text(p, "policy-domain", row->domain);
	if (json_array_size(hosts) > 0)
		json_object_set(p, "mx-host", hosts);
	json_decref(strings);
	json_decref(hosts);
	return p;
}

/* The entry of `policies` for the row's policy; made when it is the first. */
static json_t *entry_for(json_t *policies, const struct fact_row *row)
{
	json_t *policy = policy_object(row), *entry;
	size_t i;
	json_array_foreach(policies, i, entry)
	{
		if (json_equal(json_object_get(entry, "policy"), policy)) {
			json_decref(policy);
			return entry;
		}
	}
	entry = json_pack("{s:o, s:{s:i, s:i}, s:[]}", "policy", policy, "summary", "total-successful-session-count", 0,
		"total-failure-session-count", 0, "failure-details");
	json_array_append_new(policies, entry);
	return entry;
}

static void add_to(json_t *object, const char *key, uint64_t n)
{
	json_t *old = json_object_get(object, key);
	json_object_set_new(object, key, json_integer(json_integer_value(old) + (json_int_t)n));
}

static void add_row(json_t *policies, const struct fact_row *row)
{
	json_t *entry = entry_for(policies, row), *summary = json_object_get(entry, "summary");
	if (row->result.n == 0) {
		add_to(summary, "total-successful-session-count", row->count);
		return;
	}
	add_to(summary, "total-failure-session-count", row->count);
	json_t *d = json_object();
	add_text(d, "result-type", row->result);
	add_text(d, "sending-mta-ip", row->from);
	add_text(d, "receiving-mx-hostname", row->mx);
	add_text(d, "receiving-mx-helo", row->hello);
	add_text(d, "receiving-ip", row->to);
	json_object_set_new(d, "failed-session-count", json_integer((json_int_t)row->count));
	add_text(d, "additional-information", row->reason);
	json_array_append_new(json_object_get(entry, "failure-details"), d);
}

static const char *instant(uint64_t secs, char dst[DATE_TEXT_MAX])
{
	date_iso(secs * 1000, dst);
	size_t n = strlen(dst);
	if (n > 5 && dst[n - 5] == '.') /* "...:36.000Z" */
		memcpy(dst + n - 5, "Z", 2);
	return dst;
}

void report_json(const struct report *r, struct sv rows, struct buf *out)
{
	char begin[DATE_TEXT_MAX], end[DATE_TEXT_MAX], id[DATE_TEXT_MAX + 300];
	json_t *policies = json_array();
	struct sv line;
	while (sv_cut(&rows, '\n', &line)) {
		struct fact_row row;
		if (fact_row_parse(line, &row))
			add_row(policies, &row);
	}
	snprintf(id, sizeof id, "%s_%s", instant(r->from, begin), r->domain);
	json_t *all = json_pack("{s:s, s:{s:s, s:s}, s:s, s:s, s:o}", "organization-name", r->organization, "date-range",
		"start-datetime", begin, "end-datetime", instant(r->to, end), "contact-info", r->contact, "report-id", id,
		"policies", policies);
	char *dump = json_dumps(all, JSON_COMPACT);
	buf_puts(out, dump ? dump : "");
	free(dump);
	json_decref(all);
}

bool report_gzip(struct sv in, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };
	bool ok = false;
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_BITS, GZIP_MEM, Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	size_t bound = deflateBound(&z, (uLong)in.n);
	char *room = buf_room(out, bound);
	if (room) {
		z.next_out = (Bytef *)room;
		z.avail_out = (uInt)bound;
		ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
		buf_grew(out, ok ? bound - z.avail_out : 0);
	}
	deflateEnd(&z);
	return ok;
}

/* --- the message ------------------------------------------------------------------------------------------------------------- */

void report_file_name(const struct report *r, struct buf *out)
{
	buf_putf(
		out, "%s!%s!%llu!%llu.json.gz", r->organization, r->domain, (unsigned long long)r->from, (unsigned long long)r->to);
}

static void put_base64_lines(struct buf *out, struct sv bytes)
{
	for (size_t at = 0; at < bytes.n; at += LINE_BYTES) {
		base64_put(out, sv_sub(bytes, at, LINE_BYTES));
		buf_putc(out, '\n');
	}
}

static void put_head(const struct report *r, const char *to, const char *boundary, struct buf *out)
{
	char date[DATE_TEXT_MAX], day[DATE_TEXT_MAX];
	buf_putf(out, "From: <%s>\nTo: <%s>\nDate: %s\n", r->contact, to, date_text(r->now, date));
	buf_putf(out, "Subject: Report Domain: %s Submitter: %s Report-ID: <%s_%s>\n", r->domain, r->organization,
		instant(r->from, day), r->domain);
	buf_putf(out, "Message-ID: <%s.tlsrpt@%s>\n", boundary, r->organization);
	buf_putf(out, "TLS-Report-Domain: %s\nTLS-Report-Submitter: %s\n", r->domain, r->organization);
	buf_puts(out, "TLS-Required: No\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"); /* RFC 8689 5; RFC 3834 */
	buf_putf(out, "Content-Type: multipart/report; report-type=\"tlsrpt\";\n\tboundary=\"%s\"\n\n", boundary);
}

void report_message(const struct report *r, const char *to, struct sv gzip, struct buf *out)
{
	unsigned char random[BOUNDARY_BYTES];
	struct buf boundary = BUF_INIT(2 * BOUNDARY_BYTES + 1);
	char day[DATE_TEXT_MAX];
	rnd_bytes(random, sizeof random);
	hex_put(&boundary, (struct sv){ (const char *)random, sizeof random });
	put_head(r, to, buf_str(&boundary), out);
	buf_putf(out, "--%s\nContent-Type: text/plain; charset=us-ascii\n\n", buf_str(&boundary));
	buf_putf(out,
		"This is an aggregate report about TLS (RFC 8460): how connections of %s\nto the mail servers of %s went in the "
		"day from %s on.\n"
		"It is meant for programs; the attachment is JSON.\n\n",
		r->organization, r->domain, instant(r->from, day));
	buf_putf(out, "--%s\nContent-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n", buf_str(&boundary));
	buf_puts(out, "Content-Disposition: attachment;\n\tfilename=\"");
	report_file_name(r, out);
	buf_puts(out, "\"\n\n");
	put_base64_lines(out, gzip);
	buf_putf(out, "\n--%s--\n", buf_str(&boundary));
	buf_free(&boundary);
}
