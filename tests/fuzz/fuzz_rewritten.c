/* A sender that was rewritten leads back to itself, and what strangers make up leads nowhere. */
#include "mail/srs.h"
#include "mail/verp.h"

#define NOW 1795464636u
#define OURS "our.example"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_address(const struct maddr *a)
{
	char text[MADDR_TEXT_MAX + 1];
	struct maddr b;
	BUG_IF(!maddr_parse(sv_of(maddr_text(a, text)), MADDR_UTF8_OK, &b, NULL) || !maddr_same(a, &b));
}

static void check_there_and_back(const struct srs_keys *k, const struct maddr *a)
{
	struct maddr away, back, other;
	if (!srs_forward(k, a, OURS, NOW, &away))
		return;
	check_address(&away);
	BUG_IF(!srs_is(&away) || strcmp(away.domain, OURS) != 0);
	BUG_IF(srs_reverse(k, &away, NOW, &back) != SRS_OK);
	check_address(&back);
	BUG_IF(!srs_is(a) && (!sv_eq(maddr_local(a), maddr_local(&back)) || !maddr_same(a, &back)));
	BUG_IF(srs_is(a) && !srs_is(&back));
	other = away;
	other.local[other.local_len - 1] ^= 1;
	BUG_IF(srs_reverse(k, &other, NOW, &back) == SRS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct srs_keys k = { .n = 1, .key = { { 0x0123456789abcdef, 0xfedcba9876543210 } } };
	struct maddr a, ret;
	struct sv in = { (const char *)p, n };
	if (!maddr_parse(in, MADDR_UTF8_OK, &a, NULL))
		return 0;
	BUG_IF(srs_reverse(&k, &a, NOW, &ret) == SRS_OK); /* made up without the key */
	BUG_IF(srs_is(&a) == (srs_reverse(&k, &a, NOW, &ret) == SRS_NONE));
	check_there_and_back(&k, &a);
	if (verp_sender(&a, &a, VERP_DELIMITERS, &ret))
		check_address(&ret);
	return 0;
}
