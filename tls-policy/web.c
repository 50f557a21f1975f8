#include "web.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "dns/dns.h"
#include "service/priv.h"
#include "service/sandbox.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define DNS_MS 20000
#define CONNECT_MS 20000L
#define CA_FILE_MAX (4u << 20)
#define HOST_MAX 300 /* a domain with labels of ours in front */
#define ADDRS_TEXT_MAX 700
#define HTTPS_PORT 443
#define ANSWER_MAX 65536 /* of a web server to a POST; nobody reads it */

struct web_setup {
	const struct cfg *cfg;
	const char *user;
	struct buf ca; /* PEM */
};

const struct cfg *web_cfg(const struct web_setup *s) { return s->cfg; }

/* --- set-up ------------------------------------------------------------------------------------------------------------------ */

static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };

static bool read_cas(struct web_setup *s, struct err *e)
{
	const char *file = s->cfg->tls.tls_ca_file;
	if (*file)
		return fd_read_path(AT_FDCWD, file, &s->ca, e);
	for (size_t i = 0; i < COUNT(bundles); i++)
		if (fd_read_path(AT_FDCWD, bundles[i], &s->ca, NULL) && s->ca.len > 0)
			return true;
	return true; /* none: no policy can be fetched, and each attempt says so */
}

/* It may be a symbolic link to elsewhere. */
static int open_resolv_dir(void)
{
	char path[PATH_MAX], *slash;
	if (!realpath("/etc/resolv.conf", path) || !(slash = strrchr(path, '/')))
		return -1;
	*slash = '\0';
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

struct web_setup *web_setup_new(const struct cfg *cfg, const char *user, struct err *e)
{
	struct web_setup *s = mem_new(sizeof *s);
	*s = (struct web_setup){ .cfg = cfg, .user = user, .ca = BUF_INIT(CA_FILE_MAX) };
	if (read_cas(s, e))
		return s;
	web_setup_free(s);
	return NULL;
}

void web_setup_free(struct web_setup *s)
{
	if (!s)
		return;
	buf_free(&s->ca);
	free(s);
}

/* What remains: DNS, HTTPS, and reading the directory of resolv.conf, which may change. */
bool web_confine(const void *setup, struct err *e)
{
	const struct web_setup *s = setup;
	int dir = open_resolv_dir();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return err_set(e, ERR_PERM, "libcurl cannot start");
	struct sandbox *box = sandbox_new(SB_STDIO | SB_SOCKETS | SB_INET | SB_FILES | SB_FORK, e);
	if (box && dir >= 0)
		sandbox_allow_dir(box, dir, SB_DIR_READ);
	bool ok = box && (!s->user || priv_become(s->user, e)) && priv_no_new_privs(e) && sandbox_prepare(box, e) &&
		  sandbox_enter(box, e);
	sandbox_free(box);
	fd_close(&dir);
	return ok;
}

/* --- DNS --------------------------------------------------------------------------------------------------------------------- */

enum web_found web_fail(struct web *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof w->why, fmt, ap);
	va_end(ap);
	return WEB_FAILED;
}

bool web_open(struct web *w, const struct web_setup *setup)
{
	const struct cfg_remote *r = &setup->cfg->remote;
	const struct dns_options o = { .servers = r->dns_servers.item, .n_servers = r->dns_servers.n, .anchor_file = "" };
	struct err e = { 0 };
	*w = (struct web){ .setup = setup, .deadline_ms = clock_mono_ms() + WEB_TIMEOUT_MS - 2000 /* before the keeper's */ };
	struct ev_loop *loop = ev_new(&e);
	w->dns = loop ? dns_new(&o, loop, &e) : NULL;
	if (!w->dns)
		web_fail(w, "%s", e.text);
	return w->dns != NULL;
}

enum web_found web_record(struct web *w, const char *prefix, const char *domain, bool (*is_it)(struct sv txt, void *ret), void *ret)
{
	char name[HOST_MAX];
	size_t found = 0;
	if (snprintf(name, sizeof name, "%s.%s", prefix, domain) >= DNS_NAME_MAX)
		return WEB_ABSENT;
	struct dns_query query = { .name = name, .type = DNS_TXT };
	dns_ask_all(w->dns, &query, 1, MIN(w->deadline_ms, clock_mono_ms() + DNS_MS));
	struct dns_answer *a = &query.answer;
	if (a->status == DNS_NXDOMAIN || a->status == DNS_NODATA)
		return WEB_ABSENT;
	if (a->status != DNS_OK)
		return web_fail(w, "%s", a->why);
	for (size_t i = 0; i < a->n; i++)
		found += is_it(a->rec[i].data, ret);
	dns_answer_free(a);
	return found == 1 ? WEB_OK : WEB_ABSENT;
}

static void put_addresses(const struct dns_answer *a, int family, char *dst, size_t size)
{
	size_t len = family == AF_INET ? 4 : 16, used = strlen(dst);
	for (size_t i = 0; a->status == DNS_OK && i < a->n; i++) {
		char text[INET6_ADDRSTRLEN];
		if (a->rec[i].data.n != len || !inet_ntop(family, a->rec[i].data.p, text, sizeof text) ||
			used + strlen(text) + 4 > size)
			continue;
		used += (size_t)snprintf(dst + used, size - used, family == AF_INET ? "%s%s" : "%s[%s]", used ? "," : "", text);
	}
}

/* As CURLOPT_RESOLVE has them, so that libcurl asks nobody. */
static bool find_addresses(struct web *w, const char *host, char *dst, size_t size)
{
	struct dns_query query[2] = { { .name = host, .type = DNS_AAAA }, { .name = host, .type = DNS_A } };
	dns_ask_all(w->dns, query, 2, MIN(w->deadline_ms, clock_mono_ms() + DNS_MS));
	dst[0] = '\0';
	put_addresses(&query[0].answer, AF_INET6, dst, size);
	put_addresses(&query[1].answer, AF_INET, dst, size);
	if (dst[0] == '\0')
		web_fail(w, "%s", query[1].answer.status != DNS_OK ? query[1].answer.why : query[0].answer.why);
	dns_answer_free(&query[0].answer);
	dns_answer_free(&query[1].answer);
	return dst[0] != '\0';
}

/* --- HTTPS ------------------------------------------------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct buf *body = arg;
	buf_put(body, data, size * n);
	return buf_ok(body) ? size * n : 0; /* 0: libcurl gives up */
}

/* RFC 8461 3.3: HTTPS with a certificate that is good for the name, no redirects, no proxy, a bounded body in a bounded time. */
static CURLcode set_options(CURL *c, struct web *w, const char *url, struct curl_slist *resolve, struct buf *body)
{
	struct curl_blob ca = { .data = w->setup->ca.data, .len = w->setup->ca.len, .flags = CURL_BLOB_NOCOPY };
	uint64_t now = clock_mono_ms();
	CURLcode rc = curl_easy_setopt(c, CURLOPT_URL, url);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_RESOLVE, resolve);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_PROXY, "");
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_USERAGENT, "Postern");
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)body->max);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(w->deadline_ms > now ? w->deadline_ms - now : 1));
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	return rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
}

static CURLcode set_post(CURL *c, const char *type, struct sv body)
{
	char header[200];
	snprintf(header, sizeof header, "Content-Type: %s", type);
	struct curl_slist *headers = curl_slist_append(NULL, header);
	CURLcode rc = headers ? curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) : CURLE_OUT_OF_MEMORY;
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n);
	return rc ? rc : curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
}

struct request {
	const char *url, *host;
	int port;
	const char *post_type; /* NULL: GET */
	struct sv post;
};

/* Memory goes with the process. */
static enum web_found perform(struct web *w, const struct request *r, struct buf *body, CURL **ret)
{
	char addresses[ADDRS_TEXT_MAX], entry[sizeof addresses + HOST_MAX + 20], why[CURL_ERROR_SIZE] = "";
	if (!find_addresses(w, r->host, addresses, sizeof addresses))
		return WEB_FAILED;
	if (w->setup->ca.len == 0)
		return web_fail(w, "there are no certificates of CAs on this system (tls_ca_file)");
	snprintf(entry, sizeof entry, "%s:%d:%s", r->host, r->port, addresses);
	CURL *c = curl_easy_init();
	struct curl_slist *resolve = curl_slist_append(NULL, entry);
	if (!c || !resolve)
		return web_fail(w, "out of memory");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	CURLcode rc = set_options(c, w, r->url, resolve, body);
	if (rc == CURLE_OK && r->post_type)
		rc = set_post(c, r->post_type, r->post);
	rc = rc ? rc : curl_easy_perform(c);
	if (rc != CURLE_OK)
		return web_fail(w, "%s", why[0] ? why : curl_easy_strerror(rc));
	*ret = c;
	return WEB_OK;
}

/* 3.2: the media type is text/plain, or it may be a web site that answers everything. Parameters may follow (RFC 9110 8.3.1). */
static bool is_plain(const char *type)
{
	struct sv rest = sv_of(type), wanted = SV("text/plain");
	if (!sv_istarts(rest, wanted))
		return false;
	rest = sv_trim(sv_skip(rest, wanted.n));
	return rest.n == 0 || rest.p[0] == ';';
}

enum web_found web_get(struct web *w, const char *host, const char *path, struct buf *body)
{
	char url[HOST_MAX + 100];
	const struct request r = { .url = url, .host = host, .port = HTTPS_PORT };
	const char *type = NULL;
	long code = 0;
	CURL *c;
	snprintf(url, sizeof url, "https://%s%s", host, path);
	if (perform(w, &r, body, &c) != WEB_OK)
		return WEB_FAILED;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	if (code != 200)
		return web_fail(w, "the web server answered %ld", code);
	if (!type || !is_plain(type))
		return web_fail(w, "its media type is %.60s, not text/plain", type ? type : "missing");
	return WEB_OK;
}

enum web_found web_post(struct web *w, const char *url, const char *type, struct sv body)
{
	struct buf answer = BUF_INIT(ANSWER_MAX);
	struct request r = { .url = url, .post_type = type, .post = body };
	char *host = NULL, *port = NULL;
	uint64_t number = HTTPS_PORT;
	long code = 0;
	CURLU *parts = curl_url();
	CURL *c;
	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
		!num_u64(sv_of(port), 1, 65535, &number))
		return web_fail(w, "%.100s is no address of a web server", url);
	r.host = host;
	r.port = (int)number;
	if (perform(w, &r, &answer, &c) != WEB_OK)
		return WEB_FAILED;
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	return code / 100 == 2 ? WEB_OK : web_fail(w, "the web server answered %ld", code);
}
