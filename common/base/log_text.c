/* The record of one event: made as a packet by the daemons, read again by logd, which trusts no daemon. */
#include "base/log.h"
#include "base/log_text.h"

#include <endian.h>
#include <inttypes.h>

#define VERSION 1
#define HEAD 10 /* version, level, time */

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* Bytes of the escaped form at the start of s: what may stand there as it is, or 0. */
static size_t clean_len(struct sv s) { return s.n && (s.p[0] == '\\' || s.p[0] == '"') ? 0 : sv_print_len(s); }

static void put_escaped(struct buf *out, struct sv s)
{
	size_t end = out->len + LOG_VALUE_MAX - 3; /* room for the mark of a cut */

	while (s.n) {
		size_t run = 0, len;
		while ((len = clean_len(sv_skip(s, run))) && out->len + run + len <= end)
			run += len;
		buf_put(out, s.p, run);
		s = sv_skip(s, run);
		if (s.n && out->len + (len ? len : 4) > end) {
			buf_puts(out, "...");
			return;
		}
		if (s.n)
			buf_putf(out, "\\x%02x", (unsigned char)s.p[0]);
		s = sv_skip(s, 1);
	}
}

/* Identifiers of ours: what could break the columns becomes '?'. */
static void put_name(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_putc(out, *s > ' ' && *s < 0x7f && !strchr("\"\\=/", *s) ? *s : '?');
	buf_putc(out, '\0');
}

static struct sv find_id(const struct log_kv *kv, enum log_kind kind)
{
	for (; kv->kind != LOG_KV_END; kv++)
		if (kv->kind == kind)
			return kv->str;
	return SV("");
}

static void put_id(struct buf *out, struct sv id)
{
	char text[LOG_ID_SIZE] = "?";

	if (!sv_copy(id, text, sizeof(text)))
		text[0] = '?'; /* sv_copy() leaves it alone when it fails */
	put_name(out, text);
}

static void put_kv(struct buf *out, const struct log_kv *kv)
{
	size_t before = out->len;

	buf_putf(out, "%s%s", kv->kind == LOG_KV_U64 ? "#" : "", kv->key);
	buf_putc(out, '\0');
	if (kv->kind == LOG_KV_U64)
		buf_putf(out, "%" PRIu64, kv->num);
	else
		put_escaped(out, kv->str);
	buf_putc(out, '\0');
	if (out->over || out->len > LOG_PACKET_MAX) {
		out->over = false;
		buf_cut(out, before);
	}
}

void log_packet_as(struct buf *out, const struct log_who *who, enum log_level level, uint64_t real_ms, const char *event,
	const struct log_kv *kv)
{
	struct sv sid = find_id(kv, LOG_KV_SID);
	uint64_t time = htobe64(real_ms);

	buf_reset(out);
	buf_putc(out, VERSION);
	buf_putc(out, (char)level);
	buf_put(out, &time, sizeof(time));
	put_name(out, who->daemon);
	buf_putf(out, "%u", who->pid);
	buf_putc(out, '\0');
	put_id(out, sid.n ? sid : sv_of(who->sid));
	put_id(out, find_id(kv, LOG_KV_QID));
	put_name(out, event);
	for (; kv->kind != LOG_KV_END; kv++)
		if (kv->kind == LOG_KV_STR || kv->kind == LOG_KV_U64)
			put_kv(out, kv);
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

struct record {
	unsigned level;
	uint64_t real_ms;
	struct sv daemon, pid, sid, qid, event;
	struct sv pairs; /* key NUL value NUL ... */
};

static bool next_field(struct sv *rest, struct sv *ret)
{
	ptrdiff_t end = sv_chr(*rest, '\0');

	if (end < 0)
		return false;
	*ret = sv_sub(*rest, 0, (size_t)end);
	*rest = sv_skip(*rest, (size_t)end + 1);
	return true;
}

static bool is_name(struct sv s, bool may_be_empty)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"\\=/", s.p[i]))
			return false;
	return s.n ? s.n < 64 : may_be_empty;
}

static bool is_number(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_digit(s.p[i]))
			return false;
	return s.n > 0 && s.n <= 20 && (s.n == 1 || s.p[0] != '0');
}

static bool is_hex(char c) { return ascii_digit(c) || (c >= 'a' && c <= 'f'); }

/* Exactly what put_escaped() can have written. */
static bool is_escaped(struct sv s)
{
	if (s.n > LOG_VALUE_MAX)
		return false;
	while (s.n) {
		size_t len = clean_len(s);
		if (len == 0) {
			if (s.n < 4 || s.p[0] != '\\' || s.p[1] != 'x' || !is_hex(s.p[2]) || !is_hex(s.p[3]))
				return false;
			len = 4;
		}
		s = sv_skip(s, len);
	}
	return true;
}

static bool next_pair(struct sv *pairs, struct sv *ret_key, struct sv *ret_value, bool *ret_number)
{
	if (!next_field(pairs, ret_key) || !next_field(pairs, ret_value))
		return false;
	*ret_number = sv_starts(*ret_key, SV("#"));
	if (*ret_number)
		*ret_key = sv_skip(*ret_key, 1);
	return is_name(*ret_key, false) && (*ret_number ? is_number(*ret_value) : is_escaped(*ret_value));
}

/* Year 9999 at most: the time column has a fixed width. */
#define REAL_MS_MAX 253402300799999u

static bool parse(struct sv packet, struct record *ret)
{
	struct record r;
	struct sv rest = sv_skip(packet, HEAD), key, value;
	bool number;
	uint64_t time;

	if (packet.n < HEAD || packet.n > LOG_PACKET_MAX || packet.p[0] != VERSION ||
		(unsigned char)packet.p[1] >= COUNT(level_names))
		return false;
	r.level = (unsigned char)packet.p[1];
	memcpy(&time, packet.p + 2, sizeof(time));
	r.real_ms = be64toh(time);
	if (!next_field(&rest, &r.daemon) || !next_field(&rest, &r.pid) || !next_field(&rest, &r.sid) ||
		!next_field(&rest, &r.qid) || !next_field(&rest, &r.event))
		return false;
	if (r.real_ms > REAL_MS_MAX || !is_name(r.daemon, false) || !is_number(r.pid) || !is_name(r.sid, true) ||
		!is_name(r.qid, true) || !is_name(r.event, false))
		return false;
	r.pairs = rest;
	while (rest.n)
		if (!next_pair(&rest, &key, &value, &number))
			return false;
	*ret = r;
	return true;
}

static void put_time(struct buf *out, uint64_t real_ms)
{
	time_t secs = (time_t)(real_ms / 1000);
	struct tm tm;

	gmtime_r(&secs, &tm);
	buf_putf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		tm.tm_sec, (unsigned)(real_ms % 1000));
}

static void put_ids(struct buf *out, const struct record *r)
{
	if (r->sid.n == 0 && r->qid.n == 0) {
		buf_putc(out, '-');
		return;
	}
	buf_putsv(out, r->sid.n ? r->sid : SV("-"));
	buf_putc(out, '/');
	buf_putsv(out, r->qid.n ? r->qid : SV("-"));
}

/* All or nothing: what does not fit is taken back. */
static bool finish(struct buf *out, size_t before)
{
	if (buf_ok(out))
		return true;
	out->over = false;
	buf_cut(out, before);
	return false;
}

bool log_packet_text(struct sv packet, struct buf *out)
{
	struct record r;
	struct sv key, value;
	size_t before = out->len;
	bool number;

	if (!buf_ok(out) || !parse(packet, &r))
		return false;
	put_time(out, r.real_ms);
	buf_putc(out, ' ');
	buf_putsv(out, r.daemon);
	buf_putc(out, '[');
	buf_putsv(out, r.pid);
	buf_puts(out, "] ");
	put_ids(out, &r);
	buf_putc(out, ' ');
	buf_putsv(out, r.event);
	if (r.level <= LOG_LEVEL_WARN)
		buf_putf(out, " level=%s", level_names[r.level]);
	while (next_pair(&r.pairs, &key, &value, &number)) {
		bool quote = sv_chr(value, ' ') >= 0 || sv_chr(value, '=') >= 0;
		buf_putc(out, ' ');
		buf_putsv(out, key);
		buf_puts(out, quote ? "=\"" : "=");
		buf_putsv(out, value);
		buf_puts(out, quote ? "\"" : "");
	}
	buf_putc(out, '\n');
	return finish(out, before);
}

static void put_json(struct buf *out, const char *key, struct sv value, bool bare)
{
	buf_putf(out, "%s\"%s\":%s", out->len && out->data[out->len - 1] == '{' ? "" : ",", key, bare ? "" : "\"");
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\')
			buf_putc(out, '\\'); /* the only byte of an escaped value that JSON needs escaped, RFC 8259 section 7 */
		buf_putc(out, value.p[i]);
	}
	buf_puts(out, bare ? "" : "\"");
}

bool log_packet_json(struct sv packet, struct buf *out)
{
	struct record r;
	struct sv key, value;
	size_t before = out->len;
	bool number;

	if (!buf_ok(out) || !parse(packet, &r))
		return false;
	buf_puts(out, "{\"time\":\"");
	put_time(out, r.real_ms);
	buf_putc(out, '"');
	put_json(out, "level", sv_of(level_names[r.level]), false);
	put_json(out, "daemon", r.daemon, false);
	put_json(out, "pid", r.pid, true);
	if (r.sid.n)
		put_json(out, "sid", r.sid, false);
	if (r.qid.n)
		put_json(out, "qid", r.qid, false);
	put_json(out, "event", r.event, false);
	while (next_pair(&r.pairs, &key, &value, &number)) {
		char name[64];
		if (sv_copy(key, name, sizeof(name)))
			put_json(out, name, value, number);
	}
	buf_puts(out, "}\n");
	return finish(out, before);
}

/* syslog adds time and name itself where it wants them. */
bool log_packet_syslog(struct sv packet, struct buf *out)
{
	static const int severity[] = { 3, 4, 6, 7 }, facility_mail = 2; /* RFC 5424 6.2.1 */
	struct buf text = BUF_INIT(2 * LOG_PACKET_MAX);
	size_t before = out->len;
	bool ok = buf_ok(out) && log_packet_text(packet, &text);

	if (ok) {
		struct sv line = sv_trim(buf_sv(&text)), who;
		sv_word(&line, &who); /* the time */
		sv_word(&line, &who);
		buf_putf(out, "<%d>%.*s: ", facility_mail * 8 + severity[(unsigned char)packet.p[1]], (int)who.n, who.p);
		buf_putsv(out, sv_trim(line));
		ok = finish(out, before);
	}
	buf_free(&text);
	return ok;
}
