/* Whatever is in a queue file: it is refused, or what was read of it is in order, and reading less of it never gives another
 * answer. */
#include "spool/spool.h"

#include "base/fd.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_address(const struct maddr *a)
{
	char text[MADDR_TEXT_MAX + 1];
	struct maddr again;
	maddr_text(a, text);
	BUG_IF(sv_has_ctl(sv_of(text)));
	BUG_IF(!a->null && (!maddr_parse(sv_of(text), MADDR_NO_DOMAIN_OK | MADDR_UTF8_OK, &again, NULL) || !maddr_same(a, &again)));
}

/* What is read of the options is written so that it reads the same. */
static void check_options(const struct spool_envelope *env)
{
	struct spool_options o, again;
	struct buf text = BUF_INIT(SPOOL_OPTIONS_MAX + 1000);
	if (spool_options_parse(sv_of(env->postern), &o, NULL)) {
		spool_options_put(&o, &text);
		BUG_IF(!buf_ok(&text) || !spool_options_parse(buf_sv(&text), &again, NULL));
		BUG_IF(o.body != again.body || o.ret != again.ret || strcmp(o.envid, again.envid) != 0);
		BUG_IF(strcmp(o.auth, again.auth) != 0 || o.hold_until != again.hold_until || o.priority != again.priority);
		BUG_IF(o.deliver_by != again.deliver_by || o.by_trace != again.by_trace || o.smtputf8 != again.smtputf8);
	}
	buf_free(&text);
}

static void check(const struct spool_envelope *env, struct sv file)
{
	BUG_IF(env->n_rcpt == 0 || env->received_at >= file.n || env->crc_at + 8 > file.n || env->crc_at < env->received_at);
	BUG_IF(env->size < env->crc_at || memchr("laps", env->trust, 4) == NULL);
	BUG_IF(env->plain && (env->n_rcpt != 1 || env->rcpt[0].status_at != 0));
	check_address(&env->sender);
	for (size_t i = 0; i < env->n_rcpt; i++) {
		const struct spool_rcpt *r = &env->rcpt[i];
		BUG_IF(r->number != i || r->addr.null || r->status_at >= env->received_at);
		BUG_IF(r->status_at != 0 && file.p[r->status_at] != r->status);
		check_address(&r->addr);
		check_address(&r->orig);
		BUG_IF(r->notify > 15 || (r->orcpt != NULL && (strlen(r->orcpt) > SPOOL_ORCPT_MAX || sv_has_ctl(sv_of(r->orcpt)))));
	}
	check_options(env);
}

static bool parses(struct sv head, enum err_kind *ret_kind)
{
	struct spool_envelope env;
	struct err e = { .kind = ERR_NONE };
	if (spool_envelope_parse(head, &env, &e)) {
		check(&env, head);
		spool_envelope_free(&env);
	}
	*ret_kind = e.kind;
	return e.kind == ERR_NONE;
}

static void check_prefixes(struct sv file, enum err_kind whole)
{
	enum err_kind kind;
	for (size_t n = 0; n < file.n; n += 1 + n / 16)
		BUG_IF(!parses((struct sv){ file.p, n }, &kind) && kind != ERR_LIMIT && kind != whole);
}

/* The same by descriptor; and the checksum: of a fuzzed file only that it can be taken. */
static void check_file(struct sv file, enum err_kind whole)
{
	struct spool_envelope env;
	struct err e;
	int fd = fd_memfd("queue file", &e);
	BUG_IF(fd < 0 || !fd_write_all(fd, file.p, file.n, &e));
	if (spool_envelope_read(fd, &env, &e)) {
		check(&env, file);
		BUG_IF(env.size > file.n && spool_verify(fd, &env, &e));
		bool ok = spool_verify(fd, &env, &e);
		(void)ok;
		spool_envelope_free(&env);
	} else
		BUG_IF(e.kind != (whole == ERR_LIMIT ? ERR_LIMIT : ERR_PERM));
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv file = { (const char *)p, n };
	enum err_kind whole;
	parses(file, &whole);
	check_prefixes(file, whole);
	check_file(file, whole);
	return 0;
}
