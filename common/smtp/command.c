/* Command lines and their parameters. */
#include "smtp/smtp.h"

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

void smtp_split(struct sv line, struct sv *ret_verb, struct sv *ret_arg)
{
	size_t n = 0;
	while (n < line.n && !is_blank(line.p[n]))
		n++;
	*ret_verb = sv_sub(line, 0, n);
	*ret_arg = sv_trim(sv_skip(line, n));
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool is_keyword(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alnum(s.p[i]) && (s.p[i] != '-' || i == 0))
			return false;
	return s.n > 0;
}

/* esmtp-value = 1*(%d33-60 / %d62-126), and UTF-8 by RFC 6531 3.3. XVERP is no standard: its usual value is "+=". */
static bool is_value(struct sv s, bool equals_ok)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] == '=' && !equals_ok) || s.p[i] == 0x7f || (s.p[i] >= 0 && s.p[i] <= ' '))
			return false;
	return s.n > 0 && sv_is_utf8(s);
}

bool smtp_param(struct sv *rest, struct sv *ret_key, struct sv *ret_value, bool *ret_bad)
{
	struct sv word;
	if (!sv_word(rest, &word))
		return false;
	ptrdiff_t eq = sv_chr(word, '=');
	size_t key_len = eq < 0 ? word.n : (size_t)eq;
	*ret_key = sv_sub(word, 0, key_len);
	*ret_value = eq < 0 ? (struct sv){ NULL, 0 } : sv_skip(word, key_len + 1);
	*ret_bad = !is_keyword(*ret_key) || (eq >= 0 && !is_value(*ret_value, sv_ieqs(*ret_key, "XVERP")));
	return true;
}
