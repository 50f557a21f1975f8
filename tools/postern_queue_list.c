/* postern queue list and show. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "postern.h"
#include "postern_queue.h"
#include "grid.h"
#include "text.h"

#include <jansson.h>
#include <sysexits.h>

#define HEADER_SHOWN (256 * 1024)
#define CHUNK (64 * 1024)

struct listing {
	struct grid grid;
	bool json;
	uint64_t now, messages, bytes;
};

static enum grid_style status_style(const char *status)
{
	static const struct {
		const char *word;
		enum grid_style style;
	} styles[] = { { "active", GRID_GOOD }, { "new", GRID_GOOD }, { "deferred", GRID_WARN }, { "hold", GRID_WARN },
		{ "corrupt", GRID_BAD } };
	for (size_t i = 0; i < COUNT(styles); i++)
		if (strcmp(status, styles[i].word) == 0)
			return styles[i].style;
	return GRID_PLAIN;
}

/* Times of a listing are relative: what matters is how long ago and how long yet. */
static const char *age(uint64_t now, uint64_t at, char dst[NUM_TEXT_MAX]) { return num_human_secs(now > at ? now - at : 0, dst); }

static void put_due(struct grid *t, const struct queue_entry *q, uint64_t now)
{
	char text[NUM_TEXT_MAX];
	if (q->due == 0)
		grid_cell(t, GRID_DIM, "-");
	else if (q->due <= now)
		grid_cell(t, GRID_PLAIN, "now");
	else
		grid_cell(t, GRID_PLAIN, "in %s", num_human_secs(q->due - now, text));
}

static void put_row(struct listing *l, const struct queue_item *item)
{
	const struct queue_entry *q = item->entry;
	char text[NUM_TEXT_MAX];
	struct grid *t = &l->grid;
	grid_cell(t, GRID_BOLD, "%s", q->id);
	grid_cell(t, status_style(q->status), "%s%s%s", q->status, q->pending[0] != '\0' ? ", to " : "", q->pending);
	grid_cell(t, GRID_PLAIN, "%s", num_human_size(q->size, text));
	grid_cell(t, GRID_PLAIN, "%s", age(l->now, q->arrived, text));
	put_due(t, q, l->now);
	grid_cell(t, GRID_PLAIN, "%llu", (unsigned long long)q->tries);
	grid_cell(t, GRID_PLAIN, "%s", q->sender[0] != '\0' ? q->sender : "<>");
	if (q->recipients > 1)
		grid_cell(t, GRID_PLAIN, "%s (+%llu)", item->n_rcpts > 0 ? item->rcpts[0].rcpt : "?",
			(unsigned long long)q->recipients - 1);
	else
		grid_cell(t, GRID_PLAIN, "%s", item->n_rcpts > 0 ? item->rcpts[0].rcpt : "-");
	grid_cell(t, GRID_DIM, "%s", q->reason);
}

/* Text as a peer gave it may not be UTF-8: JSON must be. */
static json_t *json_text(const char *s)
{
	char clean[TEXT_LINE_MAX];
	return json_string(text_clean(s, clean));
}

static json_t *item_json(const struct queue_item *item)
{
	const struct queue_entry *q = item->entry;
	json_t *rcpts = json_array();
	for (size_t i = 0; i < item->n_rcpts; i++) {
		json_t *r = json_pack("{s:o, s:s}", "address", json_text(item->rcpts[i].rcpt), "class",
			item->rcpts[i].class == CLASS_REMOTE ? "remote" : "local");
		if (item->rcpts[i].orig[0] != '\0')
			json_object_set_new(r, "original", json_text(item->rcpts[i].orig));
		json_array_append_new(rcpts, r);
	}
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:s, s:o}", "id", q->id, "status", q->status, "size",
		(json_int_t)q->size, "arrived", (json_int_t)q->arrived, "due", (json_int_t)q->due, "tries", (json_int_t)q->tries,
		"sender", json_text(q->sender), "recipient_count", (json_int_t)q->recipients, "recipients", rcpts, "pending",
		q->pending, "reason", json_text(q->reason));
}

static void list_item(const struct queue_item *item, void *arg)
{
	struct listing *l = arg;
	l->messages++;
	l->bytes += item->entry->size;
	if (l->json)
		print_json(item_json(item));
	else
		put_row(l, item);
}

int queue_list(struct tool *t, const struct queue_filter *f, bool json)
{
	static const struct grid_col cols[] = { { "ID", false }, { "STATUS", false }, { "SIZE", true }, { "AGE", true },
		{ "NEXT", true }, { "TRIES", true }, { "SENDER", false }, { "RECIPIENT", false }, { "REASON", false } };
	struct listing l = { .json = json, .now = clock_real_secs() };
	struct queue_visit v = { .item = list_item, .arg = &l };
	struct queue_done d = { 0 };
	char size[NUM_TEXT_MAX];
	grid_init(&l.grid, cols, COUNT(cols));
	int code = queue_ask(t, f, &v, &d);
	grid_end(&l.grid);
	if (code == 0 && l.messages == 0 && f->id[0] != '\0')
		return tool_fail(t, 1, "there is no message %s", f->id);
	if (code == 0 && l.grid.terminal && !json)
		printf(l.messages > 0 ? "%llu message%s, %s\n" : "the queue is empty\n", (unsigned long long)l.messages,
			l.messages == 1 ? "" : "s", num_human_size(l.bytes, size));
	return code;
}

/* --- show --- */
struct showing {
	struct tool *t;
	enum show_part part;
	bool found, terminal;
	int code;
};

static void print_field(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void print_field(const char *name, const char *fmt, ...)
{
	char raw[TEXT_LINE_MAX], clean[TEXT_LINE_MAX];
	bool colour = grid_colour();
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	printf("%s%-10s%s %s\n", grid_paint(GRID_BOLD, colour), name, grid_unpaint(colour), text_clean(raw, clean));
}

static void print_envelope(const struct queue_item *item)
{
	const struct queue_entry *q = item->entry;
	char date[TEXT_DATE_MAX], size[NUM_TEXT_MAX];
	print_field("Id", "%s", q->id);
	print_field("Status", "%s%s%s", q->status, q->pending[0] != '\0' ? ", to " : "", q->pending);
	print_field("Size", "%s (%llu bytes)", num_human_size(q->size, size), (unsigned long long)q->size);
	print_field("Arrived", "%s", text_date(q->arrived, date));
	print_field(
		"Attempts", "%llu, next %s", (unsigned long long)q->tries, q->due > 0 ? text_date(q->due, date) : "not planned");
	print_field("Sender", "%s", q->sender[0] != '\0' ? q->sender : "<>");
	for (size_t i = 0; i < item->n_rcpts; i++) {
		const struct queue_entry_rcpt *r = &item->rcpts[i];
		print_field("Recipient", "%s%s%s%s", r->rcpt, r->orig[0] != '\0' ? " (was " : "", r->orig,
			r->orig[0] != '\0' ? ")" : "");
	}
	if (item->n_rcpts < q->recipients)
		print_field("", "and %llu more", (unsigned long long)(q->recipients - item->n_rcpts));
	if (q->reason[0] != '\0')
		print_field("Reason", "%s", q->reason);
}

static void show_item(const struct queue_item *item, void *arg)
{
	struct showing *s = arg;
	s->found = true;
	if (s->part == SHOW_JSON)
		print_json(item_json(item));
	else if (s->part == SHOW_SUMMARY || s->part == SHOW_BODY)
		print_envelope(item);
}

/* On a terminal nothing of a message may command it. */
static void print_text(const struct showing *s, char *p, size_t n)
{
	for (size_t i = 0; s->terminal && i < n; i++)
		if (((unsigned char)p[i] < ' ' && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f)
			p[i] = '?';
	fwrite(p, 1, n, stdout);
}

/* Where the header ends: past the empty line, or the end of what was read. */
static size_t header_length(struct sv text)
{
	if (sv_starts(text, SV("\n")))
		return 1;
	ptrdiff_t at = sv_find(text, SV("\n\n"));
	return at < 0 ? text.n : (size_t)at + 2;
}

static bool copy_range(const struct showing *s, int file, uint64_t from, uint64_t to, struct err *e)
{
	char *chunk = mem_new(CHUNK);
	bool ok = true;
	while (ok && from < to) {
		size_t n = 0;
		ok = fd_pread(file, chunk, (size_t)MIN(CHUNK, to - from), (off_t)from, &n, e);
		if (n == 0)
			break;
		print_text(s, chunk, n);
		from += n;
	}
	free(chunk);
	return ok;
}

static void show_content(const struct queue_content *c, void *arg)
{
	struct showing *s = arg;
	struct err e = { 0 };
	char *head = mem_new(HEADER_SHOWN);
	size_t n = 0;
	uint64_t end = c->offset + c->size, from = c->offset, body;
	bool ok = s->part == SHOW_JSON || fd_pread(c->file, head, HEADER_SHOWN, (off_t)c->offset, &n, &e);
	body = c->offset + header_length((struct sv){ head, (size_t)MIN(n, c->size) });
	free(head);
	if (s->part == SHOW_SUMMARY || s->part == SHOW_BODY)
		putchar('\n');
	if (s->part == SHOW_SUMMARY || s->part == SHOW_HEADERS)
		end = body;
	if (ok && s->part != SHOW_JSON)
		ok = copy_range(s, c->file, from, end, &e);
	if (!ok)
		s->code = tool_fail(s->t, EX_IOERR, "%s", e.text);
}

int queue_show(struct tool *t, const struct queue_filter *f, enum show_part part)
{
	struct showing s = { .t = t, .part = part, .terminal = isatty(STDOUT_FILENO) };
	struct queue_visit v = { .item = show_item, .content = show_content, .arg = &s };
	struct queue_done d = { 0 };
	int code = queue_ask(t, f, &v, &d);
	if (code == 0 && !s.found)
		return tool_fail(t, 1, "there is no message %s", f->id);
	return code != 0 ? code : s.code;
}
