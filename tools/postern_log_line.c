/* Lines of the mail log. */
#include "postern_log.h"

#include "base/num.h"

#include <jansson.h>

static const char *const levels[] = { "error", "warn", "info", "debug" };

/* --- text form: time daemon[pid] session/queue-id event key=value --- */
static bool split_who(struct sv who, struct log_line *ret)
{
	ptrdiff_t open = sv_chr(who, '[');
	if (open < 1 || !sv_ends(who, SV("]")))
		return false;
	ret->daemon = sv_sub(who, 0, (size_t)open);
	ret->pid = sv_sub(who, (size_t)open + 1, who.n - (size_t)open - 2);
	return true;
}

/* "-": none; "sid/qid", each of them possibly "-". */
static void split_ids(struct sv ids, struct log_line *ret)
{
	struct sv sid = ids, qid = ids;
	ret->sid = ret->qid = SV("");
	if (sv_eqs(ids, "-") || !sv_cut(&qid, '/', &sid))
		return;
	if (!sv_eqs(sid, "-"))
		ret->sid = sid;
	if (!sv_eqs(qid, "-"))
		ret->qid = qid;
}

bool log_line_pair(struct sv *pairs, struct sv *ret_key, struct sv *ret_value)
{
	struct sv rest = *pairs;
	while (sv_starts(rest, SV(" ")))
		rest = sv_skip(rest, 1);
	ptrdiff_t equals = sv_chr(rest, '=');
	if (equals < 1)
		return false;
	*ret_key = sv_sub(rest, 0, (size_t)equals);
	rest = sv_skip(rest, (size_t)equals + 1);
	bool quoted = sv_starts(rest, SV("\"")); /* no quote stands within: base/log escapes it */
	if (quoted)
		rest = sv_skip(rest, 1);
	ptrdiff_t end = sv_chr(rest, quoted ? '"' : ' ');
	*ret_value = end < 0 ? rest : sv_sub(rest, 0, (size_t)end);
	*pairs = end < 0 ? SV("") : sv_skip(rest, (size_t)end + 1);
	return true;
}

bool log_line_parse(struct sv line, struct log_line *ret)
{
	struct log_line l = { .whole = line, .level = SV("info") };
	struct sv rest = line, who, ids, key, value;
	if (!sv_word(&rest, &l.time) || !sv_word(&rest, &who) || !split_who(who, &l) || !sv_word(&rest, &ids) ||
		!sv_word(&rest, &l.event))
		return false;
	split_ids(ids, &l);
	l.pairs = rest;
	struct sv first = rest;
	if (log_line_pair(&first, &key, &value) && sv_eqs(key, "level"))
		l.level = value;
	*ret = l;
	return true;
}

static void set_text(json_t *o, const char *key, struct sv s) { json_object_set_new(o, key, json_stringn(s.p ? s.p : "", s.n)); }

void log_line_json(const struct log_line *l, struct buf *out)
{
	json_t *o = json_object();
	struct sv pairs = l->pairs, key, value;
	char name[64];
	uint64_t pid;
	set_text(o, "time", l->time);
	set_text(o, "level", l->level);
	set_text(o, "daemon", l->daemon);
	if (num_u64(l->pid, 0, INT32_MAX, &pid))
		json_object_set_new(o, "pid", json_integer((json_int_t)pid));
	if (l->sid.n > 0)
		set_text(o, "sid", l->sid);
	if (l->qid.n > 0)
		set_text(o, "qid", l->qid);
	set_text(o, "event", l->event);
	while (log_line_pair(&pairs, &key, &value))
		if (sv_copy(key, name, sizeof name) && strcmp(name, "level") != 0)
			set_text(o, name, value);
	char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (text) {
		buf_puts(out, text);
		buf_putc(out, '\n');
	}
	free(text);
	json_decref(o);
}

/* --- filters --- */
static bool is_at_least(struct sv level, const char *least)
{
	size_t have = 0, want = 0;
	while (have < COUNT(levels) && !sv_eqs(level, levels[have]))
		have++;
	while (want < COUNT(levels) && strcmp(levels[want], least) != 0)
		want++;
	return have <= want;
}

static bool holds(struct sv text, const char *what)
{
	size_t n = strlen(what);
	for (size_t i = 0; i + n <= text.n; i++)
		if (sv_ieq(sv_sub(text, i, n), (struct sv){ what, n }))
			return true;
	return false;
}

static bool is_like(const char *want, struct sv have) { return !want || sv_eqs(have, want); }

static bool matches(const struct log_line *l, const struct log_filter *f)
{
	return is_like(f->id, l->qid) && is_like(f->session, l->sid) && is_like(f->daemon, l->daemon) &&
	       is_like(f->event, l->event) && (!f->level || is_at_least(l->level, f->level)) &&
	       (!f->address || holds(l->pairs, f->address));
}

static struct sv member(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	return json_is_string(v) ? (struct sv){ json_string_value(v), json_string_length(v) } : SV("");
}

static bool json_matches(struct sv line, const struct log_filter *f)
{
	json_t *o = json_loadb(line.p, line.n, 0, NULL);
	if (!o)
		return false;
	struct log_line l = { .daemon = member(o, "daemon"),
		.sid = member(o, "sid"),
		.qid = member(o, "qid"),
		.event = member(o, "event"),
		.level = member(o, "level"),
		.pairs = line };
	bool ok = matches(&l, f);
	json_decref(o);
	return ok;
}

bool log_line_matches(struct sv line, bool json, const struct log_filter *f)
{
	struct log_line l;
	if (!f->id && !f->session && !f->daemon && !f->event && !f->address && !f->level)
		return true;
	if (json)
		return json_matches(line, f);
	return log_line_parse(line, &l) && matches(&l, f);
}
