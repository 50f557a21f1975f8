/* text - small forms for people: dates, ages, and foreign text that a terminal may show. */
#ifndef TEXT_H
#define TEXT_H

#include "base/defs.h"

#define TEXT_DATE_MAX 32
#define TEXT_LINE_MAX 1200
const char *text_date(uint64_t unix_secs, char dst[TEXT_DATE_MAX]); /* "2026-11-23 20:10", the reader's zone; "-" for 0 */
/* A copy without control bytes and broken UTF-8: nothing in it can command a terminal. Cut at TEXT_LINE_MAX. Returns dst. */
const char *text_clean(const char *s, char dst[TEXT_LINE_MAX]);
size_t text_width(const char *s); /* in characters, not bytes */

#endif
