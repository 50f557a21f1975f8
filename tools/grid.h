/* grid - rows for people and for pipes: aligned and coloured on a terminal, tab-separated without a head elsewhere.
 *
 *   struct grid t;  grid_init(&t, cols, COUNT(cols));
 *   grid_cell(&t, GRID_PLAIN, "%s", id); ...  one call per column; the last ends the row
 *   grid_end(&t);
 *
 * The first rows are held back to find the widths; from then on rows are printed as they come, so that a million of them need no
 * memory. Cells hold foreign text: control bytes are replaced. */
#ifndef GRID_H
#define GRID_H

#include "base/buf.h"
#include "base/vec.h"

enum grid_style { GRID_PLAIN, GRID_GOOD, GRID_WARN, GRID_BAD, GRID_DIM, GRID_BOLD };

struct grid_col {
	const char *head;
	bool right; /* numbers */
};

#define GRID_COLS_MAX 12
struct grid {
	const struct grid_col *cols;
	size_t n_cols;
	size_t width[GRID_COLS_MAX];
	struct vec held; /* of struct grid_cell: rows before the widths are known */
	struct vec row;  /* the row being filled */
	bool terminal, colour, streaming;
};

void grid_init(struct grid *t, const struct grid_col *cols, size_t n_cols);
void grid_cell(struct grid *t, enum grid_style style, const char *fmt, ...) PRINTF_LIKE(3, 4);
void grid_end(struct grid *t); /* prints what is held, frees */

/* Is standard output a terminal that wants colours (NO_COLOR, TERM=dumb)? */
bool grid_colour(void);
const char *grid_paint(enum grid_style style, bool colour); /* the escape sequence, "" without colour */
const char *grid_unpaint(bool colour);

#endif
