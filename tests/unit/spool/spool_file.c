#include "unit/spool/spool_file.h"

#include "base/crc32c.h"
#include "base/fd.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#define FILE_MAX (1u << 20)

struct spool_id sample_id(const char *text)
{
	struct spool_id id;
	BUG_IF(!spool_id_parse(sv_of(text), &id));
	return id;
}

static struct maddr address(const char *text)
{
	struct maddr a = { .null = true };
	BUG_IF(text[0] != '\0' && !maddr_parse(sv_of(text), MADDR_UTF8_OK, &a, NULL));
	return a;
}

void spool_sample_make(const struct spool_sample *s, struct buf *out, struct spool_marks *ret_marks)
{
	struct spool_rcpt rcpt[COUNT(s->rcpts)] = { 0 };
	struct maddr sender = address(s->sender);
	struct spool_compose c = { .sender = &sender,
		.rcpt = rcpt,
		.received = SV("from c.example ([192.0.2.1])\n\tby mx.example (Postern) with ESMTP"),
		.id = sample_id(s->id != NULL ? s->id : "0123456000g00000"),
		.trust = s->trust != 0 ? (enum spool_trust)s->trust : SPOOL_STRANGER,
		.unix_secs = 1700000000,
		.postern = sv_of(s->postern) };
	struct sv body = sv_of(s->body != NULL ? s->body : "Subject: x\n\nhello\n");
	struct spool_marks marks;
	for (; c.n_rcpt < COUNT(s->rcpts) && s->rcpts[c.n_rcpt] != NULL; c.n_rcpt++) {
		rcpt[c.n_rcpt] =
			(struct spool_rcpt){ .addr = address(s->rcpts[c.n_rcpt]), .cls = s->cls != 0 ? s->cls : CLASS_LOCAL };
		rcpt[c.n_rcpt].orig.null = true;
		rcpt[c.n_rcpt].notify = s->notify[c.n_rcpt];
		rcpt[c.n_rcpt].orcpt = s->orcpt[c.n_rcpt] != NULL ? mem_dup(sv_of(s->orcpt[c.n_rcpt])) : NULL;
		rcpt[c.n_rcpt].status = s->status[c.n_rcpt];
	}
	if (s->orig != NULL)
		rcpt[0].orig = address(s->orig);
	out->max = FILE_MAX;
	BUG_IF(!spool_compose(&c, SV("X-Verdict: fine\n"), s->room, out, &marks, NULL));
	spool_seal(out, &marks, crc32c(0, body.p, body.n), body.n);
	buf_putsv(out, body);
	BUG_IF(!buf_ok(out));
	for (size_t i = 0; i < c.n_rcpt; i++)
		free(rcpt[i].orcpt);
	if (ret_marks != NULL)
		*ret_marks = marks;
}

void temp_dir_make(struct temp_dir *d)
{
	snprintf(d->path, sizeof(d->path), "/tmp/postern-unit-XXXXXX");
	BUG_IF(mkdtemp(d->path) == NULL);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

void temp_dir_remove(struct temp_dir *d) { nftw(d->path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

void put_file(int dir, const char *name, struct sv content)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	BUG_IF(fd < 0 || !fd_write_all(fd, content.p, content.n, NULL));
	close(fd);
}

bool has_file(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}
