/* Fills a queue directory with deferred messages, as if they had come by SMTP and been tried: for tests of size. queue-mgr made the
 * directory and is not running.   fill-queue DIR name=value...
 *
 *   count=N      messages                                due=SECS     the first attempt, from now; may be negative
 *   rcpt=A       of all: a local recipient; without it   spread=SECS  the others follow, evenly spread over so long
 *   domains=N    one remote recipient each, of N hosts   senders=N    of so many senders
 *   tries=N      attempts so far                         size=N       of the text
 *
 * Nothing is synced. The files get the owner of the directory. */
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "base/num.h"
#include "queue-mgr/msg.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

struct fill {
	uint64_t count, due, spread, domains, senders, tries, size;
	bool due_past; /* due is so long ago */
	const char *rcpt;
	uint64_t now;
	struct stat owner;
	int cur[SPOOL_SHARDS];
	struct buf header, body;
};

static bool option(struct fill *f, char *word)
{
	const struct {
		const char *name;
		uint64_t *to;
	} numbers[] = { { "count", &f->count }, { "due", &f->due }, { "spread", &f->spread }, { "domains", &f->domains },
		{ "senders", &f->senders }, { "tries", &f->tries }, { "size", &f->size } };
	char *value = strchr(word, '=');
	if (value == NULL)
		return false;
	*value++ = '\0';
	if (strcmp(word, "rcpt") == 0) {
		f->rcpt = value;
		return true;
	}
	if (strcmp(word, "due") == 0 && value[0] == '-') {
		f->due_past = true;
		value++;
	}
	for (size_t i = 0; i < COUNT(numbers); i++)
		if (strcmp(word, numbers[i].name) == 0)
			return num_u64(sv_of(value), 0, UINT32_MAX, numbers[i].to);
	return false;
}

static bool open_shards(struct fill *f, const char *dir, struct err *e)
{
	char path[4200];
	for (unsigned i = 0; i < SPOOL_SHARDS; i++) {
		snprintf(path, sizeof(path), "%s/%x/cur", dir, i);
		f->cur[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (f->cur[i] < 0 || fstat(f->cur[i], &f->owner) < 0)
			return err_sys(e, ERR_PERM, "open %s", path);
	}
	return true;
}

static bool addresses(const struct fill *f, uint64_t n, struct maddr *sender, struct spool_rcpt *rcpt, struct err *e)
{
	char text[200];
	snprintf(text, sizeof(text), "sender%llu@client.example", (unsigned long long)(n % f->senders));
	if (!maddr_parse(sv_of(text), 0, sender, e))
		return false;
	snprintf(text, sizeof(text), "you@host%llu.elsewhere.example", (unsigned long long)(n % f->domains));
	*rcpt = (struct spool_rcpt){ .orig.null = true, .cls = f->rcpt != NULL ? CLASS_LOCAL : CLASS_REMOTE };
	return maddr_parse(sv_of(f->rcpt != NULL ? f->rcpt : text), 0, &rcpt->addr, e);
}

/* The name of its file, with the hashes that queue-mgr gives it. */
static void name_of(
	const struct fill *f, uint64_t n, const struct maddr *sender, const struct spool_rcpt *r, struct spool_name *ret)
{
	char text[MADDR_TEXT_MAX + 1];
	uint64_t due = (f->due_past ? f->now - f->due : f->now + f->due) + (f->count > 1 ? f->spread * n / (f->count - 1) : 0);
	struct spool_name name = { .due = due, .tries = (uint32_t)f->tries };
	spool_id_make(f->now, (uint32_t)n, (uint32_t)rnd_u64(), &name.id);
	name.sender = hash_key(sv_of(maddr_text(sender, text)));
	name.dest = r->cls == CLASS_REMOTE ? sched_dest(LANE_REMOTE, hash_key(sv_of(r->addr.domain)))
					   : sched_dest(LANE_LOCAL, hash_key(sv_of(maddr_text(&r->addr, text))));
	*ret = name;
}

static bool write_file(struct fill *f, const struct spool_name *name, struct err *e)
{
	char text[SPOOL_NAME_MAX];
	int fd = openat(
		f->cur[spool_id_shard(&name->id)], spool_name_text(name, text), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	bool ok = fd >= 0 && fd_write_all(fd, f->header.data, f->header.len, e) && fd_write_all(fd, f->body.data, f->body.len, e);
	if (ok && geteuid() == 0)
		ok = fchown(fd, f->owner.st_uid, f->owner.st_gid) == 0;
	if (fd >= 0)
		close(fd);
	return ok || err_sys(e, ERR_PERM, "write %s", text);
}

static bool fill_one(struct fill *f, uint64_t n, struct err *e)
{
	struct maddr sender;
	struct spool_rcpt rcpt;
	struct spool_name name;
	struct spool_marks marks;
	if (!addresses(f, n, &sender, &rcpt, e))
		return false;
	name_of(f, n, &sender, &rcpt, &name);
	struct spool_compose c = { .sender = &sender,
		.rcpt = &rcpt,
		.n_rcpt = 1,
		.id = name.id,
		.trust = SPOOL_AUTHENTICATED,
		.unix_secs = f->now,
		.received = SV("from client.example ([192.0.2.1])\n\tby mail.example (Postern) with ESMTPA") };
	if (!spool_compose(&c, SV(""), false, &f->header, &marks, e))
		return false;
	spool_seal(&f->header, &marks, crc32c(0, f->body.data, f->body.len), f->body.len);
	return write_file(f, &name, e);
}

static void make_body(struct fill *f)
{
	buf_puts(&f->body, "From: Sender <sender@client.example>\nTo: you@mail.example\nDate: Mon, 23 Nov 2026 12:00:00 +0000\n"
			   "Subject: one of many\n\n");
	while (f->body.len < f->size)
		buf_puts(&f->body, "A line of text as there are many in a message that is one of a million.\n");
}

int main(int argc, char **argv)
{
	struct fill f = { .count = 1,
		.domains = 1,
		.senders = 1,
		.tries = 1,
		.now = clock_real_secs(),
		.header = BUF_INIT(SPOOL_HEADER_MAX),
		.body = BUF_INIT(64u << 20) };
	struct err e = { 0 };
	bool ok = argc >= 2;
	for (int i = 2; ok && i < argc; i++)
		ok = option(&f, argv[i]);
	if (!ok || f.senders == 0 || f.domains == 0) {
		fprintf(stderr, "usage: fill-queue DIR [name=value]...\n");
		return 64;
	}
	make_body(&f);
	ok = open_shards(&f, argv[1], &e);
	for (uint64_t n = 0; ok && n < f.count; n++)
		ok = fill_one(&f, n, &e);
	if (!ok)
		fprintf(stderr, "fill-queue: %s\n", e.text);
	buf_free(&f.header);
	buf_free(&f.body);
	return !ok;
}
