/* date - RFC 5322 3.3 dates, and RFC 3339 ones. The zone is the system's, found once per call from the time given. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "base/sv.h"

#define DATE_TEXT_MAX 40
const char *date_text(uint64_t unix_secs, char dst[DATE_TEXT_MAX]); /* "Mon, 23 Nov 2026 20:10:36 +0000" */
const char *date_iso(uint64_t unix_ms, char dst[DATE_TEXT_MAX]);    /* "2026-11-23T20:10:36.123Z" */
bool date_iso_parse(struct sv text, uint64_t *ret_secs) MUST_CHECK; /* RFC 3339 5.6: 2026-11-23T20:10:36Z or +01:00 */
bool date_parse(struct sv text, uint64_t *ret_secs) MUST_CHECK;     /* obsolete forms too */

#endif
