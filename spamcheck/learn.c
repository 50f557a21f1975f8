#include "learn.h"

#include "digest.h"
#include "input.h"

#define LOCK_WAIT_MS 10000u

void learn_init(struct learn *l, int dirfd, const char *path, struct scan *scan)
{
	*l = (struct learn){ .dirfd = dirfd, .path = path, .scan = scan };
	buf_init(&l->bytes, SCAN_MAX);
}

void learn_end(struct learn *l)
{
	bayes_db_end(l->db);
	l->db = NULL;
	buf_free(&l->bytes);
}

static bool begin(struct learn *l, struct err *e)
{
	if (!l->db)
		l->db = bayes_db_begin(l->dirfd, l->path, LOCK_WAIT_MS, e);
	return l->db != NULL;
}

/* mbox readers leave the "From " line on now and then: it is no header field. */
static struct sv without_from_line(struct sv msg)
{
	ptrdiff_t end = sv_starts(msg, SV("From ")) ? sv_chr(msg, '\n') : -1;
	return sv_skip(msg, (size_t)(end + 1));
}

bool learn_message(struct learn *l, const struct spam_learn *m, struct err *e)
{
	struct headers h;
	struct findings ignored = { 0 };
	struct bayes_digest digest;
	bool changed;
	if (!begin(l, e) || !input_read(m->file, m->offset, m->size, SCAN_MAX, &l->bytes, e))
		return false;
	struct scan_in in = { .msg = without_from_line(buf_sv(&l->bytes)), .truncated = m->size > SCAN_MAX };
	l->scan->want_tokens = true;
	scan_message(l->scan, &in);
	headers_read(in.msg, false, &h, &ignored);
	digest_message(in.msg, &h, &digest);
	enum bayes_class to = m->forget ? BAYES_UNKNOWN : m->spam ? BAYES_SPAM : BAYES_HAM;
	if (!bayes_db_set(l->db, &digest, &l->scan->tokens, to, &changed, e))
		return false;
	l->learnt += changed;
	l->skipped += !changed;
	return true;
}

bool learn_commit(struct learn *l, struct err *e) { return begin(l, e) && bayes_db_commit(l->db, e); }

void learn_answer(const struct learn *l, const struct err *failed, struct spam_learnt *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ok = !failed;
	ret->learnt = l->learnt;
	ret->skipped = l->skipped;
	if (l->db)
		bayes_db_totals(l->db, &ret->total_spam, &ret->total_ham);
	if (failed)
		snprintf(ret->text, sizeof(ret->text), "%s", failed->text);
}
