#include "fetch.h"

#include "base/clock.h"
#include "base/fd.h"
#include "dns/dns.h"
#include "mail/sts.h"
#include "net/addr.h"
#include "service/priv.h"
#include "service/sandbox.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define DNS_MS 20000
#define CONNECT_MS 20000L
#define CA_FILE_MAX (4u << 20)
#define NAME_MAX_ (TLS_DOMAIN_MAX + 16) /* with a label of ours in front */
#define ADDRS_TEXT_MAX 700
#define HTTPS_PORT 443

struct fetch_setup {
	const struct cfg *cfg;
	const char *user; /* whose rights it has; NULL: stays who it is */
	struct buf ca;    /* PEM */
	int resolv_dir;   /* where resolv.conf lies */
};

struct asking {
	const struct fetch_setup *setup;
	const struct fetch_ask *q;
	struct fetch_answer *a;
	struct dns *dns;
	uint64_t deadline_ms;
};

/* --- set-up ------------------------------------------------------------------------------------------------------------------ */

static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };

static bool read_cas(struct fetch_setup *s, struct err *e)
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

struct fetch_setup *fetch_setup_new(const struct cfg *cfg, const char *user, struct err *e)
{
	struct fetch_setup *s = mem_new(sizeof *s);
	*s = (struct fetch_setup){ .cfg = cfg, .user = user, .ca = BUF_INIT(CA_FILE_MAX), .resolv_dir = -1 };
	if (read_cas(s, e))
		return s;
	fetch_setup_free(s);
	return NULL;
}

void fetch_setup_free(struct fetch_setup *s)
{
	if (!s)
		return;
	buf_free(&s->ca);
	fd_close(&s->resolv_dir);
	free(s);
}

/* What remains: DNS, HTTPS, and reading the directory of resolv.conf, which may change. */
bool fetch_confine(const void *arg, struct err *e)
{
	const struct fetch_setup *s = arg;
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

static bool open_dns(struct asking *k)
{
	const struct cfg_remote *r = &k->setup->cfg->remote;
	const struct dns_options o = { .servers = r->dns_servers.item, .n_servers = r->dns_servers.n, .anchor_file = "" };
	struct err e = { 0 };
	struct ev_loop *loop = ev_new(&e);
	k->dns = loop ? dns_new(&o, loop, &e) : NULL;
	if (!k->dns)
		snprintf(k->a->text, sizeof k->a->text, "%s", e.text);
	return k->dns != NULL;
}

static enum fetch_status failed(struct asking *k, const char *why)
{
	snprintf(k->a->text, sizeof k->a->text, "%s", why);
	return FETCH_FAILED;
}

/* The one TXT record of `prefix` and the domain that `is_it` takes. More than one counts as none (RFC 8461 3.1, RFC 8460 3). */
static enum fetch_status find_record(struct asking *k, const char *prefix, bool (*is_it)(struct sv txt, char *ret), char *ret)
{
	char name[NAME_MAX_];
	size_t found = 0;
	snprintf(name, sizeof name, "%s.%s", prefix, k->q->name);
	if (strlen(name) >= DNS_NAME_MAX)
		return FETCH_ABSENT;
	struct dns_query query = { .name = name, .type = DNS_TXT };
	dns_ask_all(k->dns, &query, 1, MIN(k->deadline_ms, clock_mono_ms() + DNS_MS));
	struct dns_answer *a = &query.answer;
	if (a->status == DNS_NXDOMAIN || a->status == DNS_NODATA)
		return FETCH_ABSENT;
	if (a->status != DNS_OK)
		return failed(k, a->why);
	for (size_t i = 0; i < a->n; i++)
		found += is_it(a->rec[i].data, ret);
	dns_answer_free(a);
	return found == 1 ? FETCH_OK : FETCH_ABSENT;
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
static bool find_addresses(struct asking *k, const char *host, char *dst, size_t size)
{
	struct dns_query query[2] = { { .name = host, .type = DNS_AAAA }, { .name = host, .type = DNS_A } };
	dns_ask_all(k->dns, query, 2, MIN(k->deadline_ms, clock_mono_ms() + DNS_MS));
	dst[0] = '\0';
	put_addresses(&query[0].answer, AF_INET6, dst, size);
	put_addresses(&query[1].answer, AF_INET, dst, size);
	if (dst[0] == '\0')
		failed(k, query[1].answer.status != DNS_OK ? query[1].answer.why : query[0].answer.why);
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
static CURLcode set_options(CURL *c, struct asking *k, const char *url, struct curl_slist *resolve, struct buf *body)
{
	struct curl_blob ca = { .data = k->setup->ca.data, .len = k->setup->ca.len, .flags = CURL_BLOB_NOCOPY };
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
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)STS_POLICY_MAX);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(k->deadline_ms > now ? k->deadline_ms - now : 1));
	rc = rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	return rc ? rc : curl_easy_setopt(c, CURLOPT_WRITEDATA, body);
}

/* 3.2: the media type is text/plain, or it may be a web site that answers everything. */
static enum fetch_status judge_response(struct asking *k, CURL *c)
{
	long code = 0;
	const char *type = NULL;
	char why[200];
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	if (code != 200)
		snprintf(why, sizeof why, "the web server answered %ld", code);
	else if (!type || !sv_istarts(sv_of(type), SV("text/plain")))
		snprintf(why, sizeof why, "its media type is %.60s, not text/plain", type ? type : "missing");
	else
		return FETCH_OK;
	return failed(k, why);
}

static enum fetch_status get(struct asking *k, const char *host, const char *path, struct buf *body)
{
	char url[NAME_MAX_ + 100], addresses[ADDRS_TEXT_MAX], entry[sizeof addresses + NAME_MAX_ + 20], why[CURL_ERROR_SIZE] = "";
	if (!find_addresses(k, host, addresses, sizeof addresses))
		return FETCH_FAILED;
	if (k->setup->ca.len == 0)
		return failed(k, "there are no certificates of CAs on this system (tls_ca_file)");
	snprintf(url, sizeof url, "https://%s%s", host, path);
	snprintf(entry, sizeof entry, "%s:%d:%s", host, HTTPS_PORT, addresses);
	CURL *c = curl_easy_init();
	struct curl_slist *resolve = curl_slist_append(NULL, entry);
	if (!c || !resolve)
		return failed(k, "out of memory");
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	CURLcode rc = set_options(c, k, url, resolve, body);
	rc = rc ? rc : curl_easy_perform(c);
	if (rc != CURLE_OK)
		return failed(k, why[0] ? why : curl_easy_strerror(rc));
	return judge_response(k, c); /* memory goes with the process */
}

/* --- questions --------------------------------------------------------------------------------------------------------------- */

static enum fetch_status fetch_sts(struct asking *k)
{
	struct buf body = BUF_INIT(STS_POLICY_MAX);
	struct sts_policy policy;
	struct err e;
	char host[NAME_MAX_];
	enum fetch_status status = find_record(k, "_mta-sts", sts_is_record, k->a->policy_id);
	if (status != FETCH_OK)
		return status;
	if (k->a->policy_id[0] == '\0')
		return failed(k, "its TXT record has no id");
	if (strcmp(k->a->policy_id, k->q->known) == 0)
		return FETCH_SAME;
	snprintf(host, sizeof host, "mta-sts.%s", k->q->name);
	status = get(k, host, "/.well-known/mta-sts.txt", &body);
	if (status != FETCH_OK)
		return status;
	if (!sts_policy_parse(buf_sv(&body), &policy, &e))
		return failed(k, e.text);
	k->a->mode = policy.mode;
	k->a->max_age = policy.max_age;
	snprintf(k->a->mx, sizeof k->a->mx, "%s", policy.mx);
	return FETCH_OK;
}

void fetch_judge(const void *question, const void *arg, void *ret)
{
	struct asking k = {
		.setup = arg,
		.q = question,
		.a = ret,
		.deadline_ms = clock_mono_ms() + FETCH_TIMEOUT_MS - 2000 /* before the keeper's */
	};
	k.a->status = open_dns(&k) ? fetch_sts(&k) : FETCH_FAILED;
}

void fetch_broken(void *ret, const char *why)
{
	struct fetch_answer *a = ret;
	a->status = FETCH_FAILED;
	snprintf(a->text, sizeof a->text, "%s", why);
}
