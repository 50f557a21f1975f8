/* web - TXT records and HTTPS, for a process that has no rights but these: the helpers of tls-policy. One question, then it ends.
 */
#ifndef TLS_POLICY_WEB_H
#define TLS_POLICY_WEB_H

#include "base/buf.h"
#include "config/cfg.h"

#define WEB_TIMEOUT_MS 60000 /* of a whole question (RFC 8461 3.3: a minute) */

struct web_setup;
/* Reads the certificates of CAs. user: whose rights the helper is to have; NULL: it stays who it is. ERR_PERM. */
struct web_setup *web_setup_new(const struct cfg *cfg, const char *user, struct err *e);
void web_setup_free(struct web_setup *s); /* NULL is fine */
const struct cfg *web_cfg(const struct web_setup *s);
bool web_confine(const void *setup, struct err *e); /* for struct keeper_options */

enum web_found { WEB_OK, WEB_ABSENT, WEB_FAILED };
struct web {
	const struct web_setup *setup;
	struct dns *dns;
	uint64_t deadline_ms;
	char why[300]; /* after WEB_FAILED */
};
bool web_open(struct web *w, const struct web_setup *setup);
/* The one TXT record of `prefix`.`domain` that is_it() takes, which fills *ret. More than one counts as none. */
enum web_found web_record(
	struct web *w, const char *prefix, const char *domain, bool (*is_it)(struct sv txt, void *ret), void *ret);
enum web_found web_get(struct web *w, const char *host, const char *path, struct buf *body); /* text/plain, 200 */
enum web_found web_post(struct web *w, const char *url, const char *type, struct sv body);   /* any 2xx */
enum web_found web_fail(struct web *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
