/* srs - sender rewriting for mail that we forward, so that forwarding does not break SPF, and back. Pure, but for srs_keys_load().
 *
 *   SRS0=MAC=DAY=example.org=alice@ours            for alice@example.org
 *   SRS1=MAC=first.example==MAC=DAY=org=al@ours    for SRS0=MAC=DAY=org=al@first.example: an address does not grow at each hop
 *
 * Reports to such an address come back to us and are sent on; each of our hosts that has the same key can do that. MAC is
 * SipHash-2-4 under a secret key, 40 bits in base 32, of all that follows: nobody can make us send mail to an address of his
 * choice. It holds for SRS_DAYS and is compared without case, as local parts lose theirs on the way. */
#ifndef MAIL_SRS_H
#define MAIL_SRS_H

#include "base/buf.h"
#include "base/siphash.h"
#include "mail/maddr.h"

#define SRS_DAYS 21
#define SRS_KEYS_MAX 8
#define SRS_KEY_FILE "srs-key" /* in state_directory */

struct srs_keys {
	struct siphash_key key[SRS_KEYS_MAX]; /* the first signs, all are believed */
	uint64_t until[SRS_KEYS_MAX];         /* Unix time; 0: for ever */
	size_t n;                             /* 0: there are none; nothing is rewritten */
};

/* A file of keys: one a line, 32 hexadecimal digits; after a space until when it is believed, Unix time. */
bool srs_keys_parse(struct sv text, struct srs_keys *ret) MUST_CHECK;
bool srs_keys_load(const char *state_directory, struct srs_keys *ret, struct err *e) MUST_CHECK;
/* A new key signs. The others are believed until what they signed has expired; those that are past it go. False: too many are not.
 */
bool srs_keys_rotate(struct srs_keys *k, uint64_t unix_secs) MUST_CHECK;
void srs_keys_print(const struct srs_keys *k, struct buf *out); /* as the file has it */

/* The sender to use when a message of `sender` is forwarded; `ours` is a domain whose mail comes to us. False: as it is (the null
 * sender, one without a domain, one that would become too long). *ret may be *sender. */
bool srs_forward(
	const struct srs_keys *k, const struct maddr *sender, const char *ours, uint64_t unix_secs, struct maddr *ret) MUST_CHECK;

enum srs_result {
	SRS_NONE,   /* no such address */
	SRS_OK,     /* *ret is where it leads */
	SRS_FORGED, /* not made with one of our keys, or damaged */
	SRS_EXPIRED,
};
bool srs_is(const struct maddr *a); /* looks like one */
enum srs_result srs_reverse(const struct srs_keys *k, const struct maddr *a, uint64_t unix_secs, struct maddr *ret);

#endif
