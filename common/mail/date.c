#include "mail/date.h"
#include "base/num.h"

#define SECS_MAX 253402128000 /* 9999-12-31: the last year of four digits, whatever the zone */

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* Names are ours and the rest are numbers: the locale has no say. */
const char *date_text(uint64_t unix_secs, char dst[DATE_TEXT_MAX])
{
	time_t t = (time_t)MIN(unix_secs, (uint64_t)SECS_MAX);
	struct tm tm = { .tm_mday = 1 };
	char rest[24];

	localtime_r(&t, &tm);
	strftime(rest, sizeof(rest), "%Y %H:%M:%S %z", &tm);
	snprintf(dst, DATE_TEXT_MAX, "%s, %u %s %s", days[tm.tm_wday], (unsigned)tm.tm_mday % 32, months[tm.tm_mon], rest);
	return dst;
}

const char *date_iso(uint64_t unix_ms, char dst[DATE_TEXT_MAX])
{
	time_t t = (time_t)MIN(unix_ms / 1000, (uint64_t)SECS_MAX);
	struct tm tm = { .tm_mday = 1 };
	char secs[24];

	gmtime_r(&t, &tm);
	strftime(secs, sizeof(secs), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst, DATE_TEXT_MAX, "%s.%03uZ", secs, (unsigned)(unix_ms % 1000));
	return dst;
}

/* --- parsing: RFC 5322 3.3, and 4.3 for the obsolete forms -------------------------------------------------------------- */

/* Blanks, folds and nested comments. false: a comment is not closed. */
static bool skip_cfws(struct sv *in)
{
	size_t depth = 0;

	while (in->n) {
		char c = in->p[0];
		if (depth && c == '\\' && in->n > 1)
			*in = sv_skip(*in, 1);
		else if (c == '(')
			depth++;
		else if (depth && c == ')')
			depth--;
		else if (!depth && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
		*in = sv_skip(*in, 1);
	}
	return depth == 0;
}

static struct sv take_while(struct sv *in, bool (*ok)(char))
{
	struct sv s = *in;
	size_t n = 0;

	while (n < s.n && ok(s.p[n]))
		n++;
	*in = sv_skip(s, n);
	return sv_sub(s, 0, n);
}

static bool take_char(struct sv *in, char c)
{
	if (!skip_cfws(in) || in->n == 0 || in->p[0] != c)
		return false;
	*in = sv_skip(*in, 1);
	return true;
}

static bool take_num(struct sv *in, uint64_t min, uint64_t max, size_t *ret_digits, uint64_t *ret)
{
	if (!skip_cfws(in))
		return false;
	struct sv digits = take_while(in, ascii_digit);
	if (ret_digits)
		*ret_digits = digits.n;
	return num_u64(digits, min, max, ret);
}

static bool take_month(struct sv *in, uint64_t *ret)
{
	if (!skip_cfws(in))
		return false;
	struct sv name = take_while(in, ascii_alpha);
	for (size_t i = 0; i < COUNT(months); i++) {
		if (sv_ieqs(name, months[i])) {
			*ret = i + 1;
			return true;
		}
	}
	return false;
}

static bool take_year(struct sv *in, uint64_t *ret)
{
	size_t digits;
	uint64_t y;

	if (!take_num(in, 0, 9999, &digits, &y) || digits < 2)
		return false;
	if (digits == 2)
		y += y < 50 ? 2000 : 1900;
	else if (digits == 3)
		y += 1900;
	*ret = y;
	return y >= 1900;
}

/* Seconds east of Greenwich. Military letters were used with both signs, unknown names say nothing: 0 (RFC 5322 4.3). */
static bool take_zone(struct sv *in, int64_t *ret)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
		{ "EDT", -4 },
		{ "EST", -5 },
		{ "CDT", -5 },
		{ "CST", -6 },
		{ "MDT", -6 },
		{ "MST", -7 },
		{ "PDT", -7 },
		{ "PST", -8 },
	};
	uint64_t hhmm;
	size_t digits;

	if (!skip_cfws(in) || in->n == 0)
		return false;
	char sign = in->p[0];
	if (sign == '+' || sign == '-') {
		*in = sv_skip(*in, 1);
		if (!take_num(in, 0, 9959, &digits, &hhmm) || digits != 4 || hhmm % 100 > 59)
			return false;
		int64_t secs = (int64_t)(hhmm / 100 * 3600 + hhmm % 100 * 60);
		*ret = sign == '-' ? -secs : secs;
		return true;
	}
	struct sv name = take_while(in, ascii_alpha);
	*ret = 0;
	for (size_t i = 0; i < COUNT(zones); i++)
		if (sv_ieqs(name, zones[i].name))
			*ret = zones[i].hours * 3600;
	return name.n > 0;
}

static bool is_leap(uint64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

static uint64_t month_days(uint64_t y, uint64_t m)
{
	static const unsigned char n[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return n[m - 1] + (m == 2 && is_leap(y) ? 1u : 0u);
}

static int64_t days_since_1970(uint64_t y, uint64_t m, uint64_t d)
{
	int64_t before = (int64_t)(y - 1), n;

	n = before * 365 + before / 4 - before / 100 + before / 400 - 719162; /* the last: days before 1970 by that rule */
	for (uint64_t i = 1; i < m; i++)
		n += (int64_t)month_days(y, i);
	return n + (int64_t)d - 1;
}

static bool take_time(struct sv *in, int64_t *ret_secs)
{
	uint64_t h, m, s = 0;

	if (!take_num(in, 0, 23, NULL, &h) || !take_char(in, ':') || !take_num(in, 0, 59, NULL, &m))
		return false;
	if (take_char(in, ':') && !take_num(in, 0, 60, NULL, &s)) /* 60: a leap second */
		return false;
	*ret_secs = (int64_t)(h * 3600 + m * 60 + s);
	return true;
}

bool date_parse(struct sv text, uint64_t *ret_secs)
{
	uint64_t d, m, y;
	int64_t secs, zone;

	if (!skip_cfws(&text))
		return false;
	if (take_while(&text, ascii_alpha).n && !take_char(&text, ',')) /* the name of the day is not checked: it may be wrong */
		return false;
	if (!take_num(&text, 1, 31, NULL, &d) || !take_month(&text, &m) || !take_year(&text, &y) || d > month_days(y, m))
		return false;
	if (!take_time(&text, &secs) || !take_zone(&text, &zone) || !skip_cfws(&text) || text.n)
		return false;
	secs += days_since_1970(y, m, d) * 86400 - zone;
	if (secs < 0)
		return false;
	*ret_secs = (uint64_t)secs;
	return true;
}

/* --- RFC 3339 5.6 ------------------------------------------------------------------------------------------------------------ */
static bool fixed_num(struct sv *in, size_t digits, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct sv part = sv_sub(*in, 0, digits);
	*in = sv_skip(*in, digits);
	return part.n == digits && num_u64(part, min, max, ret);
}

static bool fixed_char(struct sv *in, char c)
{
	bool ok = in->n > 0 && ascii_lower(in->p[0]) == c;
	*in = sv_skip(*in, 1);
	return ok;
}

static bool iso_zone(struct sv *in, int64_t *ret_secs)
{
	uint64_t h, m;
	bool east = sv_starts(*in, SV("+"));
	*ret_secs = 0;
	if (in->n == 1)
		return fixed_char(in, 'z');
	if (!fixed_char(in, east ? '+' : '-') || !fixed_num(in, 2, 0, 23, &h) || !fixed_char(in, ':') ||
		!fixed_num(in, 2, 0, 59, &m))
		return false;
	*ret_secs = (int64_t)(h * 3600 + m * 60) * (east ? 1 : -1);
	return true;
}

bool date_iso_parse(struct sv text, uint64_t *ret_secs)
{
	uint64_t y, mon, d, h, min, s;
	int64_t zone;
	if (!fixed_num(&text, 4, 1970, 9999, &y) || !fixed_char(&text, '-') || !fixed_num(&text, 2, 1, 12, &mon) ||
		!fixed_char(&text, '-') || !fixed_num(&text, 2, 1, 31, &d) || d > month_days(y, mon) || !fixed_char(&text, 't') ||
		!fixed_num(&text, 2, 0, 23, &h) || !fixed_char(&text, ':') || !fixed_num(&text, 2, 0, 59, &min) ||
		!fixed_char(&text, ':') || !fixed_num(&text, 2, 0, 60, &s)) /* 60: a leap second */
		return false;
	if (sv_starts(text, SV("."))) {
		text = sv_skip(text, 1);
		if (take_while(&text, ascii_digit).n == 0)
			return false;
	}
	if (!iso_zone(&text, &zone) || text.n > 0)
		return false;
	int64_t secs = days_since_1970(y, mon, d) * 86400 + (int64_t)(h * 3600 + min * 60 + s) - zone;
	if (secs < 0)
		return false;
	*ret_secs = (uint64_t)secs;
	return true;
}
