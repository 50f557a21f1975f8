/* html - the text that a reader of an HTML part would see, and the addresses behind its links. No HTML parser: a scanner that
 * is linear in its input and never fails. */
#ifndef SPAMCHECK_HTML_H
#define SPAMCHECK_HTML_H

#include "base/buf.h"

/* Appends to out: text with its entities decoded, and each link's URL between blanks. Comments, scripts and styles are left out;
 * tags that do not break a line vanish, so that "V<b></b>IAGRA" is one word. */
void html_text(struct sv html, struct buf *out);

#endif
