#include "smtp/saslprep.h"

#include "base/secret.h"

#include <stringprep.h>

static bool refuse(struct err *e, const char *why) { return err_set(e, ERR_PERM, "%s", why); }

bool saslprep(struct sv text, char *dst, size_t size, struct err *e)
{
	char *out = NULL;
	if (text.n == 0)
		return refuse(e, "it is empty");
	if (!sv_is_utf8(text) || sv_has_ctl(text))
		return refuse(e, "it is not UTF-8, or holds control characters");
	if (!sv_copy(text, dst, size))
		return refuse(e, "it is too long");
	if (sv_is_ascii(text))
		return true;
	/* The flag for stored strings, which refuses what was unassigned in Unicode 3.2, is not set: people type emoji. */
	int rc = stringprep_profile(dst, &out, "SASLprep", 0);
	bool fits = rc == STRINGPREP_OK && sv_copy(sv_of(out), dst, size);
	bool empty = rc == STRINGPREP_OK && !*out;
	if (out)
		secret_wipe(out, strlen(out));
	free(out);
	if (rc != STRINGPREP_OK)
		return refuse(
			e, "it holds characters that names and passwords may not have, or mixes right-to-left text with other");
	if (empty)
		return refuse(e, "all its characters are invisible");
	return fits || refuse(e, "it is too long");
}
