/* SHA-256 is GLib's, which GMime brings along; libcrypto would be loaded for this alone. */
#include "digest.h"

#include <glib.h>

#define SHA256_LEN 32

static const enum header_id named[] = { HEADER_MESSAGE_ID, HEADER_DATE, HEADER_FROM, HEADER_TO, HEADER_SUBJECT };

static void feed(GChecksum *sum, struct sv s)
{
	uint64_t n = s.n; /* the length first: "ab" "c" is not "a" "bc" */
	g_checksum_update(sum, (const guchar *)&n, sizeof(n));
	if (s.n > 0)
		g_checksum_update(sum, (const guchar *)s.p, (gssize)s.n);
}

void digest_message(struct sv msg, const struct headers *h, struct bayes_digest *ret)
{
	unsigned char full[SHA256_LEN];
	gsize len = sizeof(full);
	GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
	for (size_t i = 0; i < COUNT(named); i++)
		feed(sum, sv_trim(h->value[named[i]]));
	feed(sum, sv_trim(sv_skip(msg, h->body))); /* mailboxes add and take blank lines at the end */
	g_checksum_get_digest(sum, full, &len);
	memcpy(ret->byte, full, sizeof(ret->byte));
	g_checksum_free(sum);
}
