/* The classifier: arithmetic, the table that workers read, the database of counts, training sessions. */
#include "unit/unit.h"

#include "base/fd.h"
#include "spamcheck/bayes.h"
#include "spamcheck/bayes_tab.h"
#include "spamcheck/learn.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define COPIES (BAYES_TRAINED_MIN + 10)

#ifdef POSTERN_ASAN
/* Berkeley DB loses a few hundred bytes when it finds a bad page. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libdb-5.3\n"; }
#endif

struct fixture {
	char path[64];
	int dir;
	struct decoder *decoder;
	struct scan scan;
	struct bayes_tab tab;
};

static struct fixture *begin(void)
{
	struct fixture *x = mem_new(sizeof(*x));
	snprintf(x->path, sizeof(x->path), "/tmp/postern-bayes.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(x->path));
	x->dir = open(x->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x->decoder = decoder_new();
	scan_init(&x->scan, x->decoder);
	x->scan.want_tokens = true;
	return x;
}

static void end(struct fixture *x)
{
	static const char *const files[] = { "bayes.db", "bayes.tab", "lock" };
	for (size_t i = 0; i < COUNT(files); i++)
		unlinkat(x->dir, files[i], 0);
	CU_ASSERT_EQUAL(rmdir(x->path), 0); /* nothing else was left there */
	fd_close(&x->dir);
	bayes_tab_close(&x->tab);
	scan_free(&x->scan);
	decoder_free(x->decoder);
	free(x);
}

static bool teach(struct learn *l, struct sv msg, bool spam, bool forget, struct err *e)
{
	struct spam_learn m = { .spam = spam, .forget = forget, .offset = 3, .size = msg.n };
	m.file = fd_memfd("message", e);
	bool ok = m.file >= 0 && fd_pwrite_all(m.file, msg.p, msg.n, 3, e) && learn_message(l, &m, e);
	fd_close(&m.file);
	return ok;
}

static struct sv number_message(struct buf *b, const char *words, int n)
{
	buf_reset(b);
	buf_putf(b, "From: a@example.org\nMessage-ID: <%d@example.org>\nSubject: %s\n\n%s %d\n", n, words, words, n);
	return buf_sv(b);
}

static void teach_many(struct fixture *x, const char *words, bool spam, int from, int n, uint64_t want_learnt)
{
	struct err e;
	struct learn l;
	struct buf b = BUF_INIT(4096);
	learn_init(&l, x->dir, x->path, &x->scan);
	for (int i = from; i < from + n; i++)
		CU_ASSERT_TRUE(teach(&l, number_message(&b, words, i), spam, false, &e));
	CU_ASSERT_EQUAL(l.learnt, want_learnt);
	CU_ASSERT_EQUAL(l.skipped, (uint64_t)n - want_learnt);
	CU_ASSERT_TRUE(learn_commit(&l, &e));
	learn_end(&l);
	buf_free(&b);
}

/* -1: the classifier has nothing to say. */
static double judge(struct fixture *x, struct sv msg)
{
	struct err e;
	double p;
	struct scan_in in = { .msg = msg };
	scan_message(&x->scan, &in);
	CU_ASSERT_TRUE(bayes_tab_refresh(&x->tab, x->dir, BAYES_TAB_FILE, &e));
	return bayes_tab_judge(&x->tab, &x->scan.tokens, &p) ? p : -1;
}

static double judge_words(struct fixture *x, const char *words)
{
	struct buf b = BUF_INIT(4096);
	double p = judge(x, number_message(&b, words, 1000000));
	buf_free(&b);
	return p;
}

static void totals(struct fixture *x, uint64_t *ret_spam, uint64_t *ret_ham)
{
	struct err e;
	struct bayes_db *db = bayes_db_begin(x->dir, x->path, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	bayes_db_totals(db, ret_spam, ret_ham);
	bayes_db_end(db);
}

static void a_token_weighs_by_how_often_it_was_seen_where(void)
{
	CU_ASSERT_EQUAL(bayes_token(0, 0, 100, 100), BAYES_NEUTRAL);
	CU_ASSERT_EQUAL(bayes_token(7, 7, 100, 100), BAYES_NEUTRAL);
	CU_ASSERT_EQUAL(bayes_token(10, 1, 1000, 100), BAYES_NEUTRAL); /* relative to what was trained */
	CU_ASSERT_TRUE(bayes_token(1, 0, 100, 100) > BAYES_NEUTRAL);
	CU_ASSERT_TRUE(bayes_token(50, 0, 100, 100) > bayes_token(1, 0, 100, 100));
	CU_ASSERT_TRUE(bayes_token(0, 50, 100, 100) < bayes_token(0, 1, 100, 100));
	CU_ASSERT_TRUE(bayes_token(1u << 30, 0, 1u << 30, 100) <= 65535);
	CU_ASSERT_TRUE(bayes_token(0, 1u << 30, 100, 1u << 30) >= 1);
	CU_ASSERT_TRUE(bayes_token(5, 5, 0, 0) == BAYES_NEUTRAL);
}

static void evidence_is_combined(void)
{
	uint16_t spam[400], ham[400], mixed[400];
	for (int i = 0; i < 400; i++) {
		spam[i] = 60000;
		ham[i] = 5000;
		mixed[i] = i % 2 ? 60000 : 5536;
	}
	CU_ASSERT_TRUE(bayes_combine(spam, 400) > 0.9999);
	CU_ASSERT_TRUE(bayes_combine(ham, 400) < 0.0001);
	double half = bayes_combine(mixed, 400);
	CU_ASSERT_TRUE(half > 0.4 && half < 0.6);
	CU_ASSERT_EQUAL(bayes_combine(spam, 0), 0.5);
	CU_ASSERT_TRUE(bayes_combine(spam, 1) < bayes_combine(spam, 3));
	uint16_t extreme[2] = { 1, 65535 };
	double p = bayes_combine(extreme, 2);
	CU_ASSERT_TRUE(p >= 0 && p <= 1);
}

static void probabilities_become_rules(void)
{
	static const struct {
		double p;
		enum rule_id want;
	} t[] = { { 0, RULE_BAYES_00 }, { 0.01, RULE_BAYES_05 }, { 0.5, RULE_BAYES_50 }, { 0.6, RULE_BAYES_60 },
		{ 0.985, RULE_BAYES_95 }, { 0.99, RULE_BAYES_99 }, { 1, RULE_BAYES_99 } };
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_EQUAL(bayes_rule(t[i].p), t[i].want);
}

static void it_is_silent_until_enough_was_trained(void)
{
	struct fixture *x = begin();
	CU_ASSERT_EQUAL(judge_words(x, "casino winner"), -1);
	teach_many(x, "casino winner lottery", true, 0, COPIES, COPIES);
	CU_ASSERT_EQUAL(judge_words(x, "casino winner"), -1);
	teach_many(x, "meeting schedule review", false, 1000, BAYES_TRAINED_MIN - 1, BAYES_TRAINED_MIN - 1);
	CU_ASSERT_EQUAL(judge_words(x, "casino winner"), -1);
	teach_many(x, "meeting schedule review", false, 2000, 1, 1);
	CU_ASSERT_TRUE(judge_words(x, "casino winner") > 0.9);
	CU_ASSERT_TRUE(judge_words(x, "meeting schedule") < 0.1);
	double unknown = judge_words(x, "zebra giraffe");
	CU_ASSERT_TRUE(unknown > 0.3 && unknown < 0.7);
	end(x);
}

static void a_message_counts_once_and_can_change_sides(void)
{
	uint64_t spam, ham;
	struct fixture *x = begin();
	teach_many(x, "casino winner", true, 0, COPIES, COPIES);
	teach_many(x, "casino winner", true, 0, COPIES, 0);
	teach_many(x, "meeting review", false, 1000, COPIES, COPIES);
	totals(x, &spam, &ham);
	CU_ASSERT_TRUE(spam == COPIES && ham == COPIES);
	CU_ASSERT_TRUE(judge_words(x, "casino winner") > 0.9);
	teach_many(x, "casino winner", false, 0, COPIES, COPIES);
	teach_many(x, "meeting review", true, 1000, COPIES, COPIES);
	totals(x, &spam, &ham);
	CU_ASSERT_TRUE(spam == COPIES && ham == COPIES);
	CU_ASSERT_TRUE(judge_words(x, "casino winner") < 0.1);
	CU_ASSERT_TRUE(judge_words(x, "meeting review") > 0.9);
	end(x);
}

static void what_is_forgotten_leaves_no_trace(void)
{
	struct err e;
	uint64_t spam, ham;
	struct fixture *x = begin();
	struct learn l;
	struct buf b = BUF_INIT(4096);
	teach_many(x, "casino", true, 0, 3, 3);
	learn_init(&l, x->dir, x->path, &x->scan);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(teach(&l, number_message(&b, "casino", i), false, true, &e));
	CU_ASSERT_TRUE(teach(&l, number_message(&b, "never seen", 9), false, true, &e));
	CU_ASSERT_EQUAL(l.learnt, 3);
	CU_ASSERT_EQUAL(l.skipped, 1);
	CU_ASSERT_TRUE(learn_commit(&l, &e));
	learn_end(&l);
	totals(x, &spam, &ham);
	CU_ASSERT_TRUE(spam == 0 && ham == 0);
	teach_many(x, "casino", false, 0, 3, 3);
	buf_free(&b);
	end(x);
}

static void a_copy_with_other_trace_fields_is_the_same_message(void)
{
	struct err e;
	struct fixture *x = begin();
	struct learn l;
	learn_init(&l, x->dir, x->path, &x->scan);
	CU_ASSERT_TRUE(teach(&l, SV("From: a@b\nMessage-ID: <1@x>\n\nhi\n"), true, false, &e));
	CU_ASSERT_TRUE(teach(&l, SV("Return-Path: <z@z>\nX-Spam-Flag: YES\nFrom: a@b\nStatus: RO\nMessage-ID: <1@x>\n\nhi\n\n"),
		true, false, &e));
	CU_ASSERT_TRUE(teach(&l, SV("From z@z Mon Nov 23 20:10:36 2026\nFrom: a@b\nMessage-ID: <1@x>\n\nhi\n"), true, false, &e));
	CU_ASSERT_TRUE(l.learnt == 1 && l.skipped == 2);
	CU_ASSERT_TRUE(teach(&l, SV("From: a@b\nMessage-ID: <1@x>\n\nho\n"), true, false, &e));
	CU_ASSERT_EQUAL(l.learnt, 2);
	learn_end(&l);
	end(x);
}

static void a_session_without_commit_changes_nothing(void)
{
	struct err e;
	uint64_t spam, ham;
	struct fixture *x = begin();
	struct learn l;
	struct buf b = BUF_INIT(4096);
	teach_many(x, "casino", true, 0, 3, 3);
	learn_init(&l, x->dir, x->path, &x->scan);
	CU_ASSERT_TRUE(teach(&l, number_message(&b, "casino", 77), true, false, &e));
	learn_end(&l);
	totals(x, &spam, &ham);
	CU_ASSERT_EQUAL(spam, 3);
	buf_free(&b);
	end(x);
}

static void a_second_session_waits_and_then_says_so(void)
{
	struct err e;
	struct fixture *x = begin();
	struct bayes_db *first = bayes_db_begin(x->dir, x->path, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_PTR_NULL(bayes_db_begin(x->dir, x->path, 100, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "another training"));
	CU_ASSERT_EQUAL(faccessat(x->dir, "bayes.db.new", F_OK, 0), 0); /* the first one's file is still there */
	bayes_db_end(first);
	end(x);
}

static void leftovers_of_a_killed_session_are_overwritten(void)
{
	struct fixture *x = begin();
	int fd = openat(x->dir, "bayes.db.new", O_WRONLY | O_CREAT, 0600);
	CU_ASSERT_EQUAL(write(fd, "junk", 4), 4);
	fd_close(&fd);
	fd = openat(x->dir, "bayes.tab.new", O_WRONLY | O_CREAT, 0600);
	fd_close(&fd);
	teach_many(x, "casino", true, 0, 3, 3);
	end(x);
}

static void damage(struct fixture *x, const char *file, off_t at, const char *junk)
{
	int fd = openat(x->dir, file, O_WRONLY);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(pwrite(fd, junk, strlen(junk), at), (ssize_t)strlen(junk));
	fd_close(&fd);
}

static void a_damaged_database_is_reported_and_left_alone(void)
{
	static const off_t places[] = { 0, 12, 100, 4096 + 30, 8192 + 500 };
	for (size_t i = 0; i < COUNT(places); i++) {
		struct err e = { 0 };
		struct learn l;
		struct fixture *x = begin();
		struct buf b = BUF_INIT(4096);
		teach_many(x, "casino winner lottery", true, 0, COPIES, COPIES);
		teach_many(x, "meeting schedule", false, 1000, COPIES, COPIES);
		damage(x, "bayes.db", places[i], "this is not the database that was");
		learn_init(&l, x->dir, x->path, &x->scan);
		bool ok = true;
		for (int k = 0; ok && k < COPIES; k++)
			ok = teach(&l, number_message(&b, "casino winner lottery", 5000 + k), true, false, &e);
		ok = ok && learn_commit(&l, &e);
		CU_ASSERT_FALSE(ok);
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "train anew"));
		learn_end(&l);
		CU_ASSERT_TRUE(judge_words(x, "casino winner") > 0.9); /* the table still serves */
		buf_free(&b);
		end(x);
	}
}

static void a_truncated_database_is_reported(void)
{
	struct err e = { 0 };
	struct fixture *x = begin();
	teach_many(x, "casino winner lottery", true, 0, COPIES, COPIES);
	int fd = openat(x->dir, "bayes.db", O_WRONLY);
	CU_ASSERT_EQUAL(ftruncate(fd, 5000), 0);
	fd_close(&fd);
	struct bayes_db *db = bayes_db_begin(x->dir, x->path, 0, &e);
	CU_ASSERT_TRUE(!db || !bayes_db_commit(db, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PERM);
	bayes_db_end(db);
	end(x);
}

static void a_damaged_table_turns_the_classifier_off_until_it_is_replaced(void)
{
	static const off_t places[] = { 0, 10, 20, 30, 64, 300 };
	for (size_t i = 0; i < COUNT(places); i++) {
		struct err e = { 0 };
		struct fixture *x = begin();
		teach_many(x, "casino winner lottery", true, 0, COPIES, COPIES);
		teach_many(x, "meeting schedule", false, 1000, COPIES, COPIES);
		damage(x, "bayes.tab", places[i], "junk");
		CU_ASSERT_FALSE(bayes_tab_refresh(&x->tab, x->dir, "bayes.tab", &e));
		CU_ASSERT_EQUAL(e.kind, ERR_PERM);
		CU_ASSERT_PTR_NULL(x->tab.slot);
		CU_ASSERT_TRUE(bayes_tab_refresh(&x->tab, x->dir, "bayes.tab", &e)); /* reported once */
		CU_ASSERT_EQUAL(judge_words(x, "casino winner"), -1);
		teach_many(x, "casino winner lottery", true, 5000, 1, 1);
		CU_ASSERT_TRUE(judge_words(x, "casino winner") > 0.9);
		end(x);
	}
}

static void a_table_with_every_slot_taken_is_searched_and_left(void)
{
	struct err e;
	struct fixture *x = begin();
	struct vec v = VEC_INIT(struct bayes_tab_entry, 64);
	for (uint64_t i = 0; i < 32; i++) {
		struct bayes_tab_entry *entry = vec_push(&v);
		*entry = (struct bayes_tab_entry){ .token = (i + 1) << 40, .q = 60000 };
	}
	CU_ASSERT_TRUE(bayes_tab_write(x->dir, "bayes.tab", &v, 100, 100, &e));
	CU_ASSERT_FALSE(bayes_tab_write(x->dir, "bayes.tab", &v, 100, 100, &e)); /* never over a file that is there */
	CU_ASSERT_TRUE(bayes_tab_refresh(&x->tab, x->dir, "bayes.tab", &e));
	struct tokens *t = mem_new(sizeof(*t));
	double p;
	t->n = 2;
	t->token[0] = (uint64_t)7 << 40 | 0x1234;
	t->token[1] = (uint64_t)999 << 40;
	CU_ASSERT_TRUE(bayes_tab_judge(&x->tab, t, &p));
	CU_ASSERT_TRUE(p > 0.5);
	t->token[0] = t->token[1];
	CU_ASSERT_TRUE(bayes_tab_judge(&x->tab, t, &p));
	CU_ASSERT_EQUAL(p, 0.5);
	free(t);
	vec_free(&v);
	end(x);
}

static void old_and_rare_tokens_go_when_there_are_too_many(void)
{
	struct err e;
	struct fixture *x = begin();
	struct tokens *t = mem_new(sizeof(*t));
	struct bayes_db *db = bayes_db_begin(x->dir, x->path, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	bayes_db_set_limits(db, 1000, 150);
	for (unsigned i = 0; i < 200; i++) { /* each with ten tokens of its own and ten that all have */
		bool changed;
		struct bayes_digest d = { .byte = { (unsigned char)i, 1 } };
		tokens_reset(t);
		for (unsigned k = 0; k < 20; k++) {
			char word[32];
			snprintf(word, sizeof(word), k < 10 ? "common%u" : "own%u.%u", k, i);
			tokens_add(t, "", sv_of(word));
		}
		CU_ASSERT_TRUE(bayes_db_set(db, &d, t, i % 2 ? BAYES_SPAM : BAYES_HAM, &changed, &e));
		CU_ASSERT_TRUE(changed);
	}
	CU_ASSERT_TRUE(bayes_db_commit(db, &e));
	bayes_db_end(db);
	db = bayes_db_begin(x->dir, x->path, 0, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(db);
	for (unsigned i = 0; i < 200; i += 199) { /* the first is forgotten, the last is known */
		bool changed;
		struct bayes_digest d = { .byte = { (unsigned char)i, 1 } };
		CU_ASSERT_TRUE(bayes_db_set(db, &d, t, i % 2 ? BAYES_SPAM : BAYES_HAM, &changed, &e));
		CU_ASSERT_EQUAL(changed, i == 0);
	}
	struct stat st;
	CU_ASSERT_TRUE(fstatat(x->dir, "bayes.tab", &st, 0) == 0 && st.st_size >= 64 + 750 * 2 * 8 && st.st_size <= 64 + 2048 * 8);
	bayes_db_end(db);
	free(t);
	end(x);
}

/* --- accuracy on real mail ---------------------------------------------------------------------------------------------------- */

static void each_message(const char *kind, unsigned remainder, void (*on)(struct sv msg, bool spam, void *arg), void *arg)
{
	const char *base = getenv("POSTERN_TESTDATA");
	char path[600];
	struct dirent **list = NULL;
	snprintf(path, sizeof(path), "%s/hamspam/%s", base ? base : "../shared/testdata", kind);
	int n = scandir(path, &list, NULL, alphasort);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < n; i++) {
		struct err e;
		struct buf b = BUF_INIT(8 << 20);
		if (list[i]->d_name[0] != '.' && (unsigned)i % 2 == remainder && fd_read_path(dir, list[i]->d_name, &b, &e))
			on(buf_sv(&b), strcmp(kind, "spam") == 0, arg);
		buf_free(&b);
		free(list[i]);
	}
	free(list);
	if (dir >= 0)
		close(dir);
}

static void train_one(struct sv msg, bool spam, void *arg)
{
	struct err e;
	CU_ASSERT_TRUE(teach(arg, msg, spam, false, &e));
}

struct tally {
	struct fixture *x;
	unsigned seen[2], right[2], wrong[2];
};

static void judge_one(struct sv msg, bool spam, void *arg)
{
	struct tally *t = arg;
	double p = judge(t->x, sv_skip(msg, (size_t)sv_chr(msg, '\n') + 1)); /* after mbox's From line */
	t->seen[spam]++;
	t->right[spam] += spam ? p >= 0.95 : p < 0.2;
	t->wrong[spam] += spam ? p < 0.4 : p >= 0.95;
}

static void half_of_a_real_corpus_teaches_to_tell_the_other_half(void)
{
	struct err e;
	struct learn l;
	struct fixture *x = begin();
	struct tally t = { .x = x };
	learn_init(&l, x->dir, x->path, &x->scan);
	each_message("ham", 0, train_one, &l);
	each_message("spam", 0, train_one, &l);
	if (l.learnt > 2 * BAYES_TRAINED_MIN) {
		CU_ASSERT_TRUE(learn_commit(&l, &e));
		each_message("ham", 1, judge_one, &t);
		each_message("spam", 1, judge_one, &t);
		printf("classifier: of %u spam %u marked, %u taken for ham; of %u ham %u clean, %u taken for spam\n", t.seen[1],
			t.right[1], t.wrong[1], t.seen[0], t.right[0], t.wrong[0]);
		CU_ASSERT_TRUE(t.right[1] * 100 >= t.seen[1] * 75);
		CU_ASSERT_TRUE(t.right[0] * 100 >= t.seen[0] * 90);
		CU_ASSERT_TRUE(t.wrong[0] * 100 <= t.seen[0]);
		CU_ASSERT_TRUE(t.wrong[1] * 100 <= t.seen[1] * 8);
	}
	learn_end(&l);
	end(x);
}

void suite_spam_bayes(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_token_weighs_by_how_often_it_was_seen_where),
		UNIT(evidence_is_combined),
		UNIT(probabilities_become_rules),
		UNIT(it_is_silent_until_enough_was_trained),
		UNIT(a_message_counts_once_and_can_change_sides),
		UNIT(what_is_forgotten_leaves_no_trace),
		UNIT(a_copy_with_other_trace_fields_is_the_same_message),
		UNIT(a_session_without_commit_changes_nothing),
		UNIT(a_second_session_waits_and_then_says_so),
		UNIT(leftovers_of_a_killed_session_are_overwritten),
		UNIT(a_damaged_database_is_reported_and_left_alone),
		UNIT(a_truncated_database_is_reported),
		UNIT(a_damaged_table_turns_the_classifier_off_until_it_is_replaced),
		UNIT(a_table_with_every_slot_taken_is_searched_and_left),
		UNIT(old_and_rare_tokens_go_when_there_are_too_many),
		UNIT(half_of_a_real_corpus_teaches_to_tell_the_other_half),
		UNIT_END,
	};
	unit_suite("spam_bayes", cases);
}
