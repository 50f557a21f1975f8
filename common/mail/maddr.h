/* maddr - a checked mail address. What opens, routes or writes takes only this, never raw text.
 *
 * Holds no control bytes, no NUL, CR or LF by construction. Sources: RFC 5321 4.1.2 and 4.5.3.1, RFC 6531 (UTF-8), RFC 5891. */
#ifndef MAIL_MADDR_H
#define MAIL_MADDR_H

#include "base/sv.h"
#include "base/err.h"

#define MADDR_LOCAL_MAX \
	128 /* as text, quotes included. RFC 5321 4.5.3.1.1: at least 64; rewritten senders (VERP, SRS) are longer */
#define MADDR_DOMAIN_MAX 255
#define MADDR_TEXT_MAX 320

struct maddr {
	char local[MADDR_LOCAL_MAX + 1]; /* unquoted content; may hold blanks and quotes */
	char domain[MADDR_DOMAIN_MAX +
		    1]; /* lower case (ASCII), no final dot; "" when there is none; "[192.0.2.1]" for a literal */
	size_t local_len;
	bool utf8;    /* holds non-ASCII: needs SMTPUTF8 */
	bool literal; /* the domain is an address literal */
	bool null;    /* "<>": local and domain empty */
};

enum {
	MADDR_NULL_OK = 1,      /* <> allowed (MAIL FROM) */
	MADDR_NO_DOMAIN_OK = 2, /* "user" and <postmaster> allowed */
	MADDR_UTF8_OK = 4,      /* SMTPUTF8 was announced */
};

/* A path of MAIL or RCPT, "<...>", with an optional source route, which is dropped (RFC 5321 C). Consumes it from *in and leaves
 * what follows (parameters). Errors: kind ERR_PERM, dsn 5.1.3 / 5.1.7 / 5.6.7 ..., a text that says what is wrong where. */
bool maddr_parse_path(struct sv *in, unsigned flags, struct maddr *ret, struct err *e) MUST_CHECK;
/* The address alone, without angle brackets: configuration, aliases, headers, queue files. The whole of `in`. */
bool maddr_parse(struct sv in, unsigned flags, struct maddr *ret, struct err *e) MUST_CHECK;
/* An address of its unquoted local part and its domain. false: they make none. */
bool maddr_join(struct sv local, struct sv domain, struct maddr *ret) MUST_CHECK;
/* Reads one address (quote-aware) off *in up to a blank or the end, after leading blanks: Postern-To lines. The null sender
 * is "<>" there, or nothing at all at the end. */
bool maddr_scan(struct sv *in, unsigned flags, struct maddr *ret, struct err *e) MUST_CHECK;
/* Its text without brackets, the local part quoted where it must be; "" for null. Re-parses to the same. Returns dst. */
const char *maddr_text(const struct maddr *a, char dst[MADDR_TEXT_MAX + 1]);
struct sv maddr_local(const struct maddr *a);
bool maddr_same(const struct maddr *a, const struct maddr *b); /* domain folded; local part folded too (this system's rule) */
/* Splits user+detail at the first delimiter that is not the first byte; false: there is none. */
bool maddr_split_detail(struct sv local, const char *delimiter, struct sv *ret_user, struct sv *ret_detail);
bool maddr_domain_ok(struct sv domain,
	bool utf8_ok); /* syntax of a host name: labels of 1-63, LDH or U-labels (checked by libidn2 when non-ASCII) */
/* The A-label form (xn--) of a domain through libidn2, lower case; ASCII domains are just folded. */
bool maddr_domain_ascii(struct sv domain, char dst[MADDR_DOMAIN_MAX + 1], struct err *e) MUST_CHECK;
bool maddr_literal_ok(struct sv literal); /* "[192.0.2.1]", "[IPv6:2001:db8::1]" */

#endif
