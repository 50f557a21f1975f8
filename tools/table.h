/* table - rows for people and for pipes: aligned and coloured on a terminal, tab-separated without a head elsewhere.
 *
 *   struct table t;  table_init(&t, cols, COUNT(cols));
 *   table_cell(&t, TABLE_PLAIN, "%s", id); ...  one call per column; the last ends the row
 *   table_end(&t);
 *
 * The first rows are held back to find the widths; from then on rows are printed as they come, so that a million of them need no
 * memory. Cells hold foreign text: control bytes are replaced. */
#ifndef TABLE_H
#define TABLE_H

#include "base/buf.h"
#include "base/vec.h"

enum table_style { TABLE_PLAIN, TABLE_GOOD, TABLE_WARN, TABLE_BAD, TABLE_DIM, TABLE_BOLD };

struct table_col {
	const char *head;
	bool right; /* numbers */
};

#define TABLE_COLS_MAX 12
struct table {
	const struct table_col *cols;
	size_t n_cols;
	size_t width[TABLE_COLS_MAX];
	struct vec held; /* of struct table_cell: rows before the widths are known */
	struct vec row;  /* the row being filled */
	bool terminal, colour, streaming;
};

void table_init(struct table *t, const struct table_col *cols, size_t n_cols);
void table_cell(struct table *t, enum table_style style, const char *fmt, ...) PRINTF_LIKE(3, 4);
void table_end(struct table *t); /* prints what is held, frees */

/* Is standard output a terminal that wants colours (NO_COLOR, TERM=dumb)? */
bool table_colour(void);
const char *table_paint(enum table_style style, bool colour); /* the escape sequence, "" without colour */
const char *table_unpaint(bool colour);

#endif
