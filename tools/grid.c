/* Rows for people and for pipes. */
#include "grid.h"

#include "text.h"

#include <stdarg.h>

#define HOLD_ROWS 500 /* enough to see the usual widths */
#define GAP "  "

struct grid_cell {
	char *text;
	enum grid_style style;
};

bool grid_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM"); /* https://no-color.org */
	return isatty(STDOUT_FILENO) && !(no && no[0] != '\0') && !(term && strcmp(term, "dumb") == 0);
}

const char *grid_paint(enum grid_style style, bool colour)
{
	static const char *const codes[] = { [GRID_PLAIN] = "",
		[GRID_GOOD] = "\033[32m",
		[GRID_WARN] = "\033[33m",
		[GRID_BAD] = "\033[31m",
		[GRID_DIM] = "\033[2m",
		[GRID_BOLD] = "\033[1m" };
	return colour ? codes[style] : "";
}

const char *grid_unpaint(bool colour) { return colour ? "\033[0m" : ""; }

void grid_init(struct grid *t, const struct grid_col *cols, size_t n_cols)
{
	BUG_IF(n_cols > GRID_COLS_MAX);
	*t = (struct grid){ .cols = cols,
		.n_cols = n_cols,
		.held = VEC_INIT(struct grid_cell, HOLD_ROWS * GRID_COLS_MAX),
		.row = VEC_INIT(struct grid_cell, GRID_COLS_MAX),
		.terminal = isatty(STDOUT_FILENO),
		.colour = grid_colour() };
	t->streaming = !t->terminal; /* tabs need no widths */
	for (size_t i = 0; i < n_cols; i++)
		t->width[i] = text_width(cols[i].head);
}

/* --- printing --- */
static void print_padded(const struct grid *t, size_t col, const char *text, enum grid_style style)
{
	size_t width = text_width(text), pad = t->width[col] > width ? t->width[col] - width : 0;
	bool last = col + 1 == t->n_cols;
	if (text[0] == '\0' && last) {
		putchar('\n');
		return;
	}
	printf("%*s%s%s%s%*s%s", t->cols[col].right ? (int)pad : 0, "", grid_paint(style, t->colour), text, grid_unpaint(t->colour),
		t->cols[col].right || last ? 0 : (int)pad, "", last ? "\n" : GAP);
}

static void print_row(const struct grid *t, const struct grid_cell *row)
{
	for (size_t i = 0; i < t->n_cols; i++) {
		if (t->terminal)
			print_padded(t, i, row[i].text, row[i].style);
		else
			printf("%s%s", row[i].text, i + 1 == t->n_cols ? "\n" : "\t");
		free(row[i].text);
	}
}

static void print_held(struct grid *t)
{
	for (size_t i = 0; t->terminal && t->held.len > 0 && i < t->n_cols; i++)
		print_padded(t, i, t->cols[i].head, GRID_BOLD);
	for (size_t i = 0; i < t->held.len; i += t->n_cols)
		print_row(t, VEC_AT(&t->held, struct grid_cell, i));
	vec_free(&t->held);
	t->streaming = true;
}

/* --- filling --- */
static void end_row(struct grid *t)
{
	if (t->streaming) {
		print_row(t, t->row.data);
		vec_reset(&t->row);
		return;
	}
	for (size_t i = 0; i < t->n_cols; i++) {
		struct grid_cell *held = vec_push(&t->held);
		BUG_IF(!held);
		*held = *VEC_AT(&t->row, struct grid_cell, i);
		t->width[i] = MAX(t->width[i], text_width(held->text));
	}
	vec_reset(&t->row);
	if (t->held.len / t->n_cols >= HOLD_ROWS)
		print_held(t);
}

void grid_cell(struct grid *t, enum grid_style style, const char *fmt, ...)
{
	char raw[TEXT_LINE_MAX], clean[TEXT_LINE_MAX];
	struct grid_cell *cell = vec_push(&t->row);
	va_list ap;
	BUG_IF(!cell);
	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	*cell = (struct grid_cell){ mem_dup(sv_of(text_clean(raw, clean))), style };
	if (t->row.len == t->n_cols)
		end_row(t);
}

void grid_end(struct grid *t)
{
	if (!t->streaming)
		print_held(t);
	vec_free(&t->held);
	vec_free(&t->row);
}
