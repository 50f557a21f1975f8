/* postern queue destinations. */
#include "base/clock.h"
#include "base/num.h"
#include "postern.h"
#include "postern_queue.h"
#include "grid.h"
#include "text.h"

#include <jansson.h>

struct listing {
	struct grid grid;
	bool json;
	uint64_t now, n;
};

static enum grid_style style_of(const char *state)
{
	return strcmp(state, "up") == 0 ? GRID_GOOD : strcmp(state, "down") == 0 ? GRID_BAD : GRID_WARN;
}

static void put_limit(struct grid *t, uint64_t n)
{
	if (n == 0)
		grid_cell(t, GRID_DIM, "-");
	else
		grid_cell(t, GRID_PLAIN, "%llu", (unsigned long long)n);
}

static void put_row(struct listing *l, const struct queue_dest *d)
{
	struct grid *t = &l->grid;
	char text[NUM_TEXT_MAX];
	grid_cell(t, GRID_BOLD, "%s", d->name);
	grid_cell(t, GRID_PLAIN, "%s", d->route[0] != '\0' ? d->route : "-");
	grid_cell(t, style_of(d->state), "%s", d->state);
	grid_cell(t, GRID_PLAIN, "%llu", (unsigned long long)d->waiting);
	grid_cell(t, GRID_PLAIN, "%llu/%llu", (unsigned long long)d->busy, (unsigned long long)d->connections);
	put_limit(t, d->per_minute);
	if (d->next > l->now)
		grid_cell(t, GRID_PLAIN, "in %s", num_human_secs(d->next - l->now, text));
	else
		grid_cell(t, GRID_DIM, "-");
	grid_cell(t, GRID_PLAIN, "%llu", (unsigned long long)d->delivered);
	grid_cell(t, GRID_PLAIN, "%llu", (unsigned long long)d->deferred);
	grid_cell(t, GRID_PLAIN, "%s", d->heard > 0 ? num_human_secs(l->now > d->heard ? l->now - d->heard : 0, text) : "-");
	grid_cell(t, GRID_DIM, "%s", d->reply);
}

static void print_dest(const struct queue_dest *d)
{
	char name[TEXT_LINE_MAX], reply[TEXT_LINE_MAX];
	print_json(json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "destination",
		text_clean(d->name, name), "route", d->route, "state", d->state, "waiting", (json_int_t)d->waiting, "active",
		(json_int_t)d->busy, "connections_max", (json_int_t)d->connections, "per_minute_max", (json_int_t)d->per_minute,
		"next", (json_int_t)d->next, "delivered", (json_int_t)d->delivered, "deferred", (json_int_t)d->deferred, "replied",
		(json_int_t)d->heard, "reply", text_clean(d->reply, reply)));
}

static void on_dest(const struct queue_dest *d, void *arg)
{
	struct listing *l = arg;
	l->n++;
	if (l->json)
		print_dest(d);
	else
		put_row(l, d);
}

int queue_dests(struct tool *t, const struct queue_filter *f, bool json)
{
	static const struct grid_col cols[] = { { "DESTINATION", false }, { "ROUTE", false }, { "STATE", false },
		{ "WAITING", true }, { "ACTIVE", true }, { "PER MIN", true }, { "NEXT", true }, { "DELIVERED", true },
		{ "DEFERRED", true }, { "SAID", true }, { "LAST REPLY", false } };
	struct listing l = { .json = json, .now = clock_real_secs() };
	struct queue_visit v = { .dest = on_dest, .arg = &l };
	struct queue_done d = { 0 };
	grid_init(&l.grid, cols, COUNT(cols));
	int code = queue_ask(t, f, &v, &d);
	grid_end(&l.grid);
	if (code == 0 && l.n == 0 && l.grid.terminal && !json)
		printf("nothing was sent to other hosts since queue-mgr was started\n");
	return code;
}
