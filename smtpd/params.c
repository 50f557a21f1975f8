#include "params.h"

#include "extensions.h"

static void put_names(const struct session *s, const struct param *table, size_t n, struct buf *out)
{
	size_t start = out->len;
	for (size_t i = 0; i < n; i++)
		if (extension_works(s, (enum extension)table[i].extension))
			buf_putf(out, "%s%s", out->len > start ? ", " : "", table[i].keyword);
}

/* RFC 5321 4.1.1.11: 555 for what was not offered. */
static bool unknown(struct session *s, const char *verb, const struct param *table, size_t n, struct buf *reply)
{
	struct buf names = BUF_INIT(300);
	put_names(s, table, n, &names);
	session_complain(s, reply, 555, "5.5.4", "The parameters of %s are here: %s", verb, buf_str(&names));
	buf_free(&names);
	return false;
}

static size_t find(const struct session *s, const struct param *table, size_t n, struct sv keyword)
{
	size_t i = 0;
	while (i < n && !sv_ieqs(keyword, table[i].keyword))
		i++;
	return i < n && extension_works(s, (enum extension)table[i].extension) ? i : n;
}

bool params_take(
	struct session *s, const char *verb, const struct param *table, size_t n, struct sv rest, void *into, struct buf *reply)
{
	struct sv key, value;
	bool bad;
	unsigned given = 0;
	while (smtp_param(&rest, &key, &value, &bad)) {
		if (bad) {
			session_complain(s, reply, 501, "5.5.4", "Parameters are written KEYWORD or KEYWORD=value");
			return false;
		}
		size_t i = find(s, table, n, key);
		if (i == n)
			return unknown(s, verb, table, n, reply);
		const char *wrong = given & (1u << i) ? "was given twice" : table[i].take(s, value, into);
		if (wrong) {
			session_complain(s, reply, 501, "5.5.4", "%s %s", table[i].keyword, wrong);
			return false;
		}
		given |= 1u << i;
	}
	return true;
}

void params_help(const struct session *s, const struct param *table, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		if (extension_works(s, (enum extension)table[i].extension))
			buf_putf(out, " [%s%s]", table[i].keyword, table[i].help);
}
