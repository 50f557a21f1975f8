/* Is a queue file complete? The only answer that decides (DESIGN D4). */
#include "spool/spool.h"
#include "spool/form.h"

#include "base/crc32c.h"
#include "base/fd.h"

#define CHUNK (256 * 1024)

/* Bytes of the file that change after it was sealed count as '0'. `at` is the file offset of p[0]. */
static void blank(char *p, size_t n, uint64_t at, uint64_t from, size_t len)
{
	for (uint64_t i = from; i < from + len; i++)
		if (i >= at && i - at < n)
			p[i - at] = '0';
}

static uint32_t chunk_crc(uint32_t crc, char *p, size_t n, uint64_t at, const struct spool_envelope *env, size_t *next_rcpt)
{
	blank(p, n, at, env->crc_at, FORM_C_DIGITS);
	for (; *next_rcpt < env->n_rcpt && env->rcpt[*next_rcpt].status_at < at + n; ++*next_rcpt)
		if (env->rcpt[*next_rcpt].status_at != 0)
			blank(p, n, at, env->rcpt[*next_rcpt].status_at, 1);
	return crc32c(crc, p, n);
}

bool spool_verify(int fd, const struct spool_envelope *env, struct err *e)
{
	char *p = mem_new(CHUNK);
	uint32_t crc = 0;
	uint64_t at = 0;
	size_t next_rcpt = 0;
	bool ok = true;
	while (ok && at < env->size) {
		size_t n, want = (size_t)MIN(env->size - at, (uint64_t)CHUNK);
		ok = fd_pread(fd, p, want, (off_t)at, &n, e);
		if (ok && n < want)
			ok = err_set(e, ERR_PERM, "torn: %llu of %llu bytes", (unsigned long long)(at + n),
				(unsigned long long)env->size);
		if (!ok)
			break;
		crc = chunk_crc(crc, p, n, at, env, &next_rcpt);
		at += n;
	}
	free(p);
	if (ok && crc != env->crc)
		return err_set(e, ERR_PERM, "torn: checksum %08x, not %08x", (unsigned)crc, (unsigned)env->crc);
	return ok;
}
