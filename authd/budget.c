#include "budget.h"

#include "base/hmap.h"
#include "base/num.h"

#define ACCOUNTS_MAX 100000
#define HOUR 3600u
#define DAY 86400u

struct window {
	uint64_t since, messages, recipients;
};
struct entry {
	struct window hour, day;
	uint64_t refused; /* in the day */
};
struct budgets {
	const struct cfg_auth *cfg;
	struct hmap *entries;
	struct entry overflow;
};

struct budgets *budgets_new(const struct cfg_auth *cfg)
{
	struct budgets *b = mem_new(sizeof *b);
	*b = (struct budgets){ .cfg = cfg, .entries = hmap_new(ACCOUNTS_MAX) };
	return b;
}

void budgets_free(struct budgets *b)
{
	if (!b)
		return;
	hmap_free(b->entries, free);
	free(b);
}

static void sweep(struct budgets *b, uint64_t now)
{
	size_t cursor = 0;
	struct sv key;
	void *value;
	while (hmap_next(b->entries, &cursor, &key, &value)) {
		const struct entry *e = value;
		if (now < e->day.since + DAY)
			continue;
		hmap_del(b->entries, key);
		free(value);
	}
}

static struct entry *obtain(struct budgets *b, const char *account, uint64_t now)
{
	struct entry *e = hmap_get(b->entries, sv_of(account));
	if (e)
		return e;
	if (hmap_len(b->entries) >= ACCOUNTS_MAX)
		sweep(b, now);
	e = mem_new(sizeof *e);
	if (hmap_put(b->entries, sv_of(account), e))
		return e;
	free(e);
	return &b->overflow;
}

/* Also when the clock was set back. */
static bool over(const struct window *w, uint64_t now, uint64_t length) { return now >= w->since + length || now < w->since; }

static bool fits(uint64_t used, uint64_t more, uint64_t max) { return max == 0 || used + more <= max; }

static bool refuse(const struct window *w, uint64_t length, uint64_t now, const char *what, uint64_t max, char text[200])
{
	char left[NUM_TEXT_MAX];
	snprintf(text, 200, "The account's limit of %llu %s in %s is used up; it ends in %s", (unsigned long long)max, what,
		length == HOUR ? "an hour" : "a day", num_human_secs(w->since + length - now, left));
	return false;
}

static bool check(const struct window *w, uint64_t length, uint64_t now, uint64_t messages, uint64_t recipients,
	uint64_t messages_max, uint64_t recipients_max, char text[200])
{
	if (!fits(w->messages, messages, messages_max))
		return refuse(w, length, now, "messages", messages_max, text);
	if (!fits(w->recipients, recipients, recipients_max))
		return refuse(w, length, now, "recipients", recipients_max, text);
	return true;
}

static void add(struct window *w, uint64_t messages, uint64_t recipients)
{
	w->messages += messages;
	w->recipients += recipients;
}

enum auth_budget budget_spend(
	struct budgets *b, const char *account, uint64_t messages, uint64_t recipients, uint64_t now, char text[200])
{
	const struct cfg_auth *c = b->cfg;
	struct entry *e = obtain(b, account, now);
	if (over(&e->hour, now, HOUR))
		e->hour = (struct window){ .since = now };
	if (over(&e->day, now, DAY)) {
		e->day = (struct window){ .since = now };
		e->refused = 0;
	}
	if (check(&e->hour, HOUR, now, messages, recipients, c->account_messages_per_hour, c->account_recipients_per_hour, text) &&
		check(&e->day, DAY, now, messages, recipients, c->account_messages_per_day, c->account_recipients_per_day, text)) {
		add(&e->hour, messages, recipients);
		add(&e->day, messages, recipients);
		return AUTH_GRANTED;
	}
	e->refused++;
	return c->account_freeze_after > 0 && e->refused >= c->account_freeze_after ? AUTH_FROZEN : AUTH_LATER;
}

void budget_forget(struct budgets *b, const char *account) { free(hmap_del(b->entries, sv_of(account))); }

/* --- as lines ------------------------------------------------------------------------------------------------------------- */

bool budget_save_next(const struct budgets *b, size_t *cursor, uint64_t now, struct buf *out)
{
	struct sv account;
	void *value;
	const struct entry *e;
	do {
		if (!hmap_next(b->entries, cursor, &account, &value))
			return false;
		e = value;
	} while (over(&e->day, now, DAY));
	const uint64_t n[] = { e->hour.since, e->hour.messages, e->hour.recipients, e->day.since, e->day.messages,
		e->day.recipients, e->refused };
	buf_puts(out, "budget ");
	for (size_t i = 0; i < COUNT(n); i++)
		buf_putf(out, "%llu ", (unsigned long long)n[i]);
	buf_putsv(out, account);
	buf_putc(out, '\n');
	return true;
}

/* Who was counted already since the start has both counts: windows that began earlier win. */
static void join(struct window *w, const struct window *was)
{
	w->since = w->since ? MIN(w->since, was->since) : was->since;
	w->messages += was->messages;
	w->recipients += was->recipients;
}

bool budget_load(struct budgets *b, struct sv line, uint64_t now)
{
	struct window hour, day;
	uint64_t refused;
	uint64_t *const n[] = { &hour.since, &hour.messages, &hour.recipients, &day.since, &day.messages, &day.recipients,
		&refused };
	char account[AUTH_ACCOUNT_MAX + 1];
	struct sv word;
	for (size_t i = 0; i < COUNT(n); i++)
		if (!sv_cut(&line, ' ', &word) || !line.p || !num_u64(word, 0, INT64_MAX / 2, n[i]))
			return false;
	if (line.n == 0 || !sv_copy(line, account, sizeof account))
		return false;
	if (over(&day, now, DAY))
		return true;
	struct entry *e = obtain(b, account, now);
	if (!over(&hour, now, HOUR))
		join(&e->hour, &hour);
	join(&e->day, &day);
	e->refused += refused;
	return true;
}
