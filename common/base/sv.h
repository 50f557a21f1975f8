/* sv - a view of bytes with a length. What comes from a peer is handled as this, never as a C string.
 *
 * A view owns nothing and may hold NUL bytes. `p` may be NULL when `n` is 0. */
#ifndef BASE_SV_H
#define BASE_SV_H

#include "base/defs.h"

struct sv {
	const char *p;
	size_t n;
};

#define SV(literal) ((struct sv){ "" literal, sizeof(literal) - 1 })
struct sv sv_of(const char *s); /* NULL gives the empty view */

bool sv_eq(struct sv a, struct sv b);
bool sv_ieq(struct sv a, struct sv b); /* ASCII case folded */
bool sv_eqs(struct sv a, const char *s);
bool sv_ieqs(struct sv a, const char *s);
int sv_cmp(struct sv a, struct sv b);
bool sv_starts(struct sv s, struct sv prefix);
bool sv_istarts(struct sv s, struct sv prefix);
bool sv_ends(struct sv s, struct sv suffix);
bool sv_iends(struct sv s, struct sv suffix);
struct sv sv_sub(struct sv s, size_t from, size_t len); /* clipped to s */
struct sv sv_skip(struct sv s, size_t n);               /* without its first n bytes; clipped */
struct sv sv_trim(struct sv s);                         /* without SP TAB CR LF at both ends */
ptrdiff_t sv_chr(struct sv s, char c);                  /* first place of c, or -1 */
ptrdiff_t sv_rchr(struct sv s, char c);
ptrdiff_t sv_find(struct sv s, struct sv what);

/* Cuts up to the first `sep` off *rest and returns it; false when *rest is used up (p == NULL).
 * "a,,b" gives "a", "", "b"; "" gives one "". */
bool sv_cut(struct sv *rest, char sep, struct sv *ret_part);
/* The next run of bytes without SP and TAB; false when none is left. */
bool sv_word(struct sv *rest, struct sv *ret_word);
bool sv_copy(struct sv s, char *dst, size_t dst_size) MUST_CHECK; /* NUL-terminated; false: does not fit or holds NUL */
bool sv_is_ascii(struct sv s);
bool sv_is_utf8(struct sv s);     /* well-formed, RFC 3629 */
bool sv_has_ctl(struct sv s);     /* any byte < 0x20 or 0x7f */
size_t sv_utf8_len(struct sv s);  /* bytes of the character that s begins with; 0: empty or malformed */
size_t sv_print_len(struct sv s); /* the same, but 0 for a control character (C0, DEL, C1) as well: must be escaped to be shown */

static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline bool ascii_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static inline bool ascii_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_alnum(char c) { return ascii_alpha(c) || ascii_digit(c); }

#endif
