/* Domains of addresses: host names, internationalised names, address literals. */
#include "mail/maddr.h"
#include "net/addr.h"

#include <idn2.h>

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */

static bool ascii_label_ok(struct sv label)
{
	if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

/* RFC 1123 2.1, RFC 5321 4.1.2: labels of letters, digits and inner hyphens. */
static bool ascii_domain_ok(struct sv domain)
{
	struct sv rest = domain, label;

	if (domain.n == 0 || domain.n > MADDR_DOMAIN_MAX)
		return false;
	while (sv_cut(&rest, '.', &label))
		if (!ascii_label_ok(label))
			return false;
	return true;
}

static size_t dots(struct sv s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '.';
	return n;
}

static bool ascii_of_utf8(struct sv domain, char dst[MADDR_DOMAIN_MAX + 1])
{
	char in[MADDR_DOMAIN_MAX + 1], *out = NULL;
	bool ok;

	if (!sv_copy(domain, in, sizeof(in)) || !sv_is_utf8(domain))
		return false;
	if (idn2_to_ascii_8z(in, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	struct sv name = sv_of(out);
	/* Mapping must not make new dots (U+3002 and others are ones to it): what looks like one label stays one. */
	ok = ascii_domain_ok(name) && dots(name) == dots(domain) && sv_copy(name, dst, MADDR_DOMAIN_MAX + 1);
	idn2_free(out);
	return ok;
}

bool maddr_domain_ok(struct sv domain, bool utf8_ok)
{
	char ascii[MADDR_DOMAIN_MAX + 1];

	if (sv_is_ascii(domain))
		return ascii_domain_ok(domain);
	return utf8_ok && ascii_of_utf8(domain, ascii); /* RFC 6531 3.3: U-labels of RFC 5890 */
}

bool maddr_domain_ascii(struct sv domain, char dst[MADDR_DOMAIN_MAX + 1], struct err *e)
{
	char ascii[MADDR_DOMAIN_MAX + 1];

	if (sv_is_ascii(domain)) {
		if (!sv_copy(domain, ascii, sizeof(ascii)))
			return err_dsn(e, ERR_PERM, "5.1.2", "domain too long");
	} else if (!ascii_of_utf8(domain, ascii)) {
		return err_dsn(
			e, ERR_PERM, "5.1.2", "domain %.*s is no internationalised name", (int)MIN(domain.n, 100u), domain.p);
	}
	for (size_t i = 0;; i++) {
		dst[i] = ascii_lower(ascii[i]);
		if (!ascii[i])
			return true;
	}
}

/* RFC 5321 4.1.3. General-address-literals (other tags) are not understood: no such tag was ever registered. */
bool maddr_literal_ok(struct sv literal)
{
	struct addr a;
	struct sv inner = sv_sub(literal, 1, literal.n - 2);

	if (literal.n < 3 || literal.p[0] != '[' || literal.p[literal.n - 1] != ']')
		return false;
	if (!sv_istarts(inner, SV("IPv6:")))
		return addr_parse_ip(inner, &a) && sv_chr(inner, ':') < 0;
	inner = sv_skip(inner, sizeof("IPv6:") - 1);
	return addr_parse_ip(inner, &a) && sv_chr(inner, ':') >= 0;
}
