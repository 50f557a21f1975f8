#include "mail/srs.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/secret.h"

#include <fcntl.h>

#define DAY 86400u
#define DAYS_CYCLE 1024u /* two digits */
#define MAC_LEN 8
#define KEY_DIGITS 32
#define KEYS_FILE_MAX 4096

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

/* --- keys ------------------------------------------------------------------------------------------------------------------ */

bool srs_keys_parse(struct sv text, struct srs_keys *ret)
{
	struct srs_keys k = { .n = 0 };
	struct sv line;
	while (text.n > 0 && sv_cut(&text, '\n', &line)) {
		struct siphash_key *key = &k.key[k.n];
		line = sv_trim(line);
		if (line.n == 0)
			continue;
		if (k.n == SRS_KEYS_MAX || line.n < KEY_DIGITS || !num_hex(sv_sub(line, 0, 16), UINT64_MAX, &key->k0) ||
			!num_hex(sv_sub(line, 16, 16), UINT64_MAX, &key->k1))
			return false;
		struct sv rest = sv_skip(line, KEY_DIGITS);
		if (rest.n > 0 && (rest.p[0] != ' ' || !num_u64(sv_trim(rest), 1, UINT32_MAX, &k.until[k.n])))
			return false;
		k.n++;
	}
	if (k.n == 0)
		return false;
	*ret = k;
	return true;
}

bool srs_keys_rotate(struct srs_keys *k, uint64_t unix_secs)
{
	struct srs_keys next = { .n = 1 };
	rnd_bytes(&next.key[0], sizeof(next.key[0]));
	for (size_t i = 0; i < k->n; i++) {
		if (k->until[i] != 0 && k->until[i] < unix_secs)
			continue;
		if (next.n == SRS_KEYS_MAX)
			return false;
		next.key[next.n] = k->key[i];
		next.until[next.n++] = k->until[i] != 0 ? k->until[i] : unix_secs + (SRS_DAYS + 1) * DAY;
	}
	*k = next;
	return true;
}

void srs_keys_print(const struct srs_keys *k, struct buf *out)
{
	for (size_t i = 0; i < k->n; i++) {
		buf_putf(out, "%016llx%016llx", (unsigned long long)k->key[i].k0, (unsigned long long)k->key[i].k1);
		if (k->until[i] != 0)
			buf_putf(out, " %llu", (unsigned long long)k->until[i]);
		buf_puts(out, "\n");
	}
}

/* The only file that mail/ opens: two daemons need the same key. */
bool srs_keys_load(const char *state_directory, struct srs_keys *ret, struct err *e)
{
	struct buf path = BUF_INIT(4096), text = BUF_INIT(KEYS_FILE_MAX);
	buf_putf(&path, "%s/" SRS_KEY_FILE, state_directory);
	bool ok = (buf_ok(&path) || err_set(e, ERR_PERM, "state_directory is too long")) &&
		  fd_read_path(AT_FDCWD, buf_str(&path), &text, e) &&
		  (srs_keys_parse(buf_sv(&text), ret) ||
			  err_set(e, ERR_PERM, "%s: not lines of 32 hexadecimal digits, and a time if it ends", buf_str(&path)));
	if (text.data != NULL)
		secret_wipe(text.data, text.cap);
	buf_free(&text);
	buf_free(&path);
	return ok;
}

/* --- the code -------------------------------------------------------------------------------------------------------------- */

static void mac_of(const struct siphash_key *key, struct sv s, char dst[MAC_LEN + 1])
{
	char folded[MADDR_LOCAL_MAX + MADDR_DOMAIN_MAX + 1];
	size_t n = MIN(s.n, sizeof(folded));
	for (size_t i = 0; i < n; i++)
		folded[i] = ascii_lower(s.p[i]);
	uint64_t h = siphash(key, (struct sv){ folded, n });
	for (size_t i = 0; i < MAC_LEN; i++, h >>= 5)
		dst[i] = digits[h & 31];
	dst[MAC_LEN] = '\0';
}

static bool mac_good(const struct srs_keys *k, uint64_t unix_secs, struct sv mac, struct sv s)
{
	char got[MAC_LEN + 1], want[MAC_LEN + 1];
	bool good = false;
	if (mac.n != MAC_LEN)
		return false;
	for (size_t i = 0; i < MAC_LEN; i++)
		got[i] = ascii_lower(mac.p[i]);
	for (size_t i = 0; i < k->n; i++) {
		if (k->until[i] != 0 && k->until[i] < unix_secs)
			continue;
		mac_of(&k->key[i], s, want);
		good |= secret_eq((struct sv){ got, MAC_LEN }, (struct sv){ want, MAC_LEN });
	}
	return good;
}

static bool day_good(struct sv day, uint64_t unix_secs)
{
	unsigned n = 0;
	if (day.n != 2)
		return false;
	for (size_t i = 0; i < 2; i++) {
		const char *d = strchr(digits, ascii_lower(day.p[i]));
		if (d == NULL || day.p[i] == '\0')
			return false;
		n = n * 32 + (unsigned)(d - digits);
	}
	unsigned age = ((unsigned)(unix_secs / DAY % DAYS_CYCLE) + DAYS_CYCLE - n) % DAYS_CYCLE;
	return age <= SRS_DAYS || age == DAYS_CYCLE - 1; /* made by a host whose clock is ahead */
}

/* "SRS0" or "SRS1" and one of the three separators that are in use. */
static char form_of(const struct maddr *a)
{
	struct sv local = maddr_local(a);
	if (local.n < 6 || !sv_ieqs(sv_sub(local, 0, 3), "srs") || (local.p[3] != '0' && local.p[3] != '1'))
		return '\0';
	return memchr("=+-", local.p[4], 3) != NULL ? local.p[3] : '\0';
}

bool srs_is(const struct maddr *a) { return form_of(a) != '\0'; }

/* `form`MAC=`rest`@ours */
static bool sign(const struct srs_keys *k, const char *form, const struct buf *rest, const char *ours, struct maddr *ret)
{
	struct buf local = BUF_INIT(MADDR_LOCAL_MAX);
	char mac[MAC_LEN + 1];
	mac_of(&k->key[0], buf_sv(rest), mac);
	buf_putf(&local, "%s%s=", form, mac);
	buf_putsv(&local, buf_sv(rest));
	bool ok = buf_ok(rest) && buf_ok(&local) && maddr_join(buf_sv(&local), sv_of(ours), ret);
	buf_free(&local);
	return ok;
}

static bool forward_first(
	const struct srs_keys *k, const struct maddr *sender, const char *ours, uint64_t unix_secs, struct maddr *ret)
{
	struct buf rest = BUF_INIT(MADDR_LOCAL_MAX);
	unsigned day = (unsigned)(unix_secs / DAY % DAYS_CYCLE);
	buf_putf(&rest, "%c%c=%s=", digits[day / 32], digits[day % 32], sender->domain);
	buf_putsv(&rest, maddr_local(sender));
	bool ok = sign(k, "SRS0=", &rest, ours, ret);
	buf_free(&rest);
	return ok;
}

static enum srs_result reverse_again(struct sv rest, struct maddr *ret)
{
	struct buf local = BUF_INIT(MADDR_LOCAL_MAX);
	struct sv domain;
	bool ok = sv_cut(&rest, '=', &domain) && rest.n > 1;
	buf_puts(&local, "SRS0");
	buf_putsv(&local, rest);
	ok = ok && buf_ok(&local) && maddr_join(buf_sv(&local), domain, ret) && form_of(ret) == '0';
	buf_free(&local);
	return ok ? SRS_OK : SRS_FORGED;
}

/* Another host rewrote it: reports go through us to the first that did. Of SRS0 its separator stays; of SRS1 all but its MAC. */
static bool forward_again(const struct srs_keys *k, const struct maddr *sender, const char *ours, struct maddr *ret)
{
	struct buf rest = BUF_INIT(MADDR_LOCAL_MAX);
	struct sv tail = sv_skip(maddr_local(sender), 4), mac;
	struct maddr back; /* *ret may be *sender */
	bool ok = true;
	if (form_of(sender) == '0')
		buf_putf(&rest, "%s=", sender->domain);
	else {
		tail = sv_skip(tail, 1);
		ok = sv_cut(&tail, '=', &mac) &&
		     reverse_again(tail, &back) == SRS_OK; /* else nobody's: it would have no way back */
	}
	buf_putsv(&rest, tail);
	ok = ok && sign(k, "SRS1=", &rest, ours, ret);
	buf_free(&rest);
	return ok;
}

bool srs_forward(const struct srs_keys *k, const struct maddr *sender, const char *ours, uint64_t unix_secs, struct maddr *ret)
{
	if (k->n == 0 || sender->null || sender->domain[0] == '\0')
		return false;
	if (srs_is(sender) && forward_again(k, sender, ours, ret))
		return true;
	return forward_first(k, sender, ours, unix_secs, ret);
}

static enum srs_result reverse_first(struct sv rest, uint64_t unix_secs, struct maddr *ret)
{
	struct sv day, domain;
	if (!sv_cut(&rest, '=', &day) || !sv_cut(&rest, '=', &domain) || rest.n == 0)
		return SRS_FORGED;
	if (!day_good(day, unix_secs))
		return SRS_EXPIRED;
	return maddr_join(rest, domain, ret) ? SRS_OK : SRS_FORGED;
}

enum srs_result srs_reverse(const struct srs_keys *k, const struct maddr *a, uint64_t unix_secs, struct maddr *ret)
{
	char form = form_of(a);
	struct sv rest = sv_skip(maddr_local(a), 5), mac;
	if (form == '\0')
		return SRS_NONE;
	if (maddr_local(a).p[4] != '=' || !sv_cut(&rest, '=', &mac) || !mac_good(k, unix_secs, mac, rest))
		return SRS_FORGED;
	return form == '0' ? reverse_first(rest, unix_secs, ret) : reverse_again(rest, ret);
}
