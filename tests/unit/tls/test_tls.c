/* A server in a child process, a client here: real handshakes over a socket pair. */
#include "unit/unit.h"
#include "unit/spool/spool_file.h"
#include "unit/tls/pki.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/fd.h"
#include "net/sock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define HANDSHAKE_MS 5000

struct world {
	struct temp_dir dir;
	struct pki ca, a, a_rsa, b, wild; /* the CA's: a.example twice, b.example, *.wild.example */
	struct tls_cert *certs[4];
	struct tls_server *server;
	struct tls_client *client; /* trusts the CA */
};

static struct tls_server *new_server(struct world *w, enum tls_level level, const char *context)
{
	struct tls_server_options o = {
		.certs = w->certs, .n_certs = COUNT(w->certs), .level = level, .client_ca_file = "", .ticket_context = context
	};
	struct err e = { 0 };
	struct tls_server *s = tls_server_new(&o, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static void setup(struct world *w)
{
	struct err e = { 0 };
	temp_dir_make(&w->dir);
	const char *dir = w->dir.path;
	w->ca = pki_make(dir, &(struct pki_wish){ .name = "ca", .dns = "", .ca = true });
	w->a = pki_make(dir, &(struct pki_wish){ .name = "a", .dns = "a.example", .issuer = &w->ca });
	w->a_rsa = pki_make(dir, &(struct pki_wish){ .name = "a-rsa", .dns = "a.example", .rsa = true, .issuer = &w->ca });
	w->b = pki_make(dir, &(struct pki_wish){ .name = "b", .dns = "b.example", .issuer = &w->ca });
	w->wild = pki_make(dir, &(struct pki_wish){ .name = "wild", .dns = "*.wild.example", .issuer = &w->ca });
	w->certs[0] = pki_load(&w->a);
	w->certs[1] = pki_load(&w->b);
	w->certs[2] = pki_load(&w->a_rsa);
	w->certs[3] = pki_load(&w->wild);
	w->server = new_server(w, TLS_INTERMEDIATE, "smtp");
	w->client = tls_client_new(w->ca.path, TLS_INTERMEDIATE, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->client);
}

static void teardown(struct world *w)
{
	tls_client_free(w->client);
	tls_server_free(w->server);
	for (size_t i = 0; i < COUNT(w->certs); i++)
		tls_cert_free(w->certs[i]);
	pki_free(&w->ca);
	pki_free(&w->a);
	pki_free(&w->a_rsa);
	pki_free(&w->b);
	pki_free(&w->wild);
	temp_dir_remove(&w->dir);
}

struct meeting { /* what each side has learnt */
	struct tls_facts client, server;
	bool client_ok, server_ok;
	struct err client_err, server_err;
};

/* Serves one connection: says what it knows down the pipe, then echoes what it reads until the end. */
static void serve(struct tls_server *s, int fd, int pipe_fd) NORETURN;
static void serve(struct tls_server *s, int fd, int pipe_fd)
{
	struct conn c;
	struct err e = { 0 };
	struct meeting m = { .server_ok = false };
	conn_init(&c, fd, -1);
	c.idle_ms = HANDSHAKE_MS;
	m.server_ok = tls_accept(s, &c, clock_mono_ms() + HANDSHAKE_MS, &m.server, &m.server_err);
	if (!fd_write_all(pipe_fd, &m, sizeof m, NULL))
		_exit(1);
	while (m.server_ok && conn_fill(&c, &e)) {
		if (!conn_put(&c, c.in, &e) || !conn_flush(&c, &e))
			break;
		conn_take(&c, c.in.n);
	}
	tls_end(&c);
	conn_close(&c);
	_exit(0);
}

struct link {
	struct conn conn;
	pid_t child;
	int pipe;
};

static void link_up(struct link *l, struct tls_server *s)
{
	int fds[2], p[2];
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_STREAM, fds, NULL) && pipe(p) == 0);
	fflush(stdout);
	l->child = fork();
	if (l->child == 0) {
		close(fds[0]);
		close(p[0]);
		serve(s, fds[1], p[1]);
	}
	close(fds[1]);
	close(p[1]);
	l->pipe = p[0];
	conn_init(&l->conn, fds[0], -1);
	l->conn.idle_ms = HANDSHAKE_MS;
}

static void link_down(struct link *l, struct meeting *m)
{
	struct meeting theirs;
	int status = -1;
	tls_end(&l->conn);
	conn_close(&l->conn);
	CU_ASSERT_EQUAL(read(l->pipe, &theirs, sizeof theirs), (ssize_t)sizeof theirs);
	CU_ASSERT_EQUAL(waitpid(l->child, &status, 0), l->child);
	CU_ASSERT_EQUAL(status, 0);
	close(l->pipe);
	m->server = theirs.server;
	m->server_ok = theirs.server_ok;
	m->server_err = theirs.server_err;
}

static void echo(struct conn *c, const char *text)
{
	struct sv line = SV("");
	struct err e = { 0 };
	CU_ASSERT_TRUE_FATAL(conn_put(c, sv_of(text), &e) && conn_flush(c, &e));
	CU_ASSERT_TRUE_FATAL(conn_line(c, 100, &line, &e));
	CU_ASSERT_TRUE(sv_eqs(line, text));
	conn_take(c, line.n);
}

static struct meeting meet(struct tls_client *t, struct tls_server *s, const struct tls_connect_options *o)
{
	struct link l;
	struct meeting m = { .client_ok = false };
	link_up(&l, s);
	m.client_ok = tls_connect(t, &l.conn, o, clock_mono_ms() + HANDSHAKE_MS, &m.client, &m.client_err);
	if (m.client_ok)
		echo(&l.conn, "EHLO you\r\n");
	link_down(&l, &m);
	return m;
}

static bool same_binding(const struct tls_binding *a, const struct tls_binding *b)
{
	return a->len > 0 && a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void hex_is(const struct tls_binding *b, const char *want)
{
	struct buf hex = BUF_INIT(2 * sizeof b->data);
	hex_put(&hex, (struct sv){ (const char *)b->data, b->len });
	CU_ASSERT_STRING_EQUAL(buf_str(&hex), want);
	buf_free(&hex);
}

/* --- claims ------------------------------------------------------------------------------------------------------------------ */

static void both_sides_learn_the_same(void)
{
	struct world w;
	setup(&w);
	struct meeting m = meet(w.client, w.server, &(struct tls_connect_options){ .verify = TLS_VERIFY_NAME, .sni = "a.example" });
	CU_ASSERT_TRUE(m.client_ok && m.server_ok);
	CU_ASSERT_STRING_EQUAL(m.client.version, "TLSv1.3");
	CU_ASSERT_STRING_EQUAL(m.client.cipher, m.server.cipher);
	CU_ASSERT_STRING_EQUAL(m.server.sni, "a.example");
	CU_ASSERT_TRUE(same_binding(&m.client.exporter, &m.server.exporter));
	CU_ASSERT_EQUAL(m.server.unique.len, 0);
	hex_is(&m.server.end_point, tls_cert_facts(w.certs[0])->sha256); /* signed with SHA-256, as ours are */
	CU_ASSERT_STRING_EQUAL(m.client.peer, tls_cert_facts(w.certs[0])->sha256);
	CU_ASSERT_STRING_EQUAL(m.server.peer, "");
	CU_ASSERT_TRUE(m.client.peer_verified);
	CU_ASSERT_STRING_EQUAL(m.client.why, "");
	teardown(&w);
}

static void the_client_gets_the_certificate_of_the_name_it_asks_for(void)
{
	struct world w;
	setup(&w);
	const struct {
		const char *sni;
		size_t want;
	} t[] = { { "a.example", 0 }, { "b.example", 1 }, { "B.EXAMPLE", 1 }, { "x.wild.example", 3 }, { "x.y.wild.example", 0 },
		{ "unknown.example", 0 }, { "", 0 } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct meeting m = meet(w.client, w.server, &(struct tls_connect_options){ .sni = t[i].sni });
		CU_ASSERT_TRUE(m.client_ok);
		CU_ASSERT_STRING_EQUAL(m.client.peer, tls_cert_facts(w.certs[t[i].want])->sha256);
	}
	teardown(&w);
}

static void a_name_is_checked_as_it_was_asked(void)
{
	struct world w;
	setup(&w);
	static const char *const none[] = { NULL }, *const other[] = { "b.example", NULL },
				 *const two[] = { "x.example", "a.example", NULL };
	const struct {
		enum tls_verify verify;
		const char *sni, *const *names;
		bool want;
	} t[] = {
		{ TLS_VERIFY_NAME, "a.example", NULL, true },
		{ TLS_VERIFY_NAME, "a.example", two, true },
		{ TLS_VERIFY_NAME, "a.example", other, false },
		{ TLS_VERIFY_NAME, "unknown.example", NULL, false },
		{ TLS_VERIFY_NAME, "y.wild.example", NULL, true },
		{ TLS_VERIFY_NONE, "a.example", NULL, false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct tls_connect_options o = { .verify = t[i].verify, .sni = t[i].sni, .names = t[i].names };
		struct meeting m = meet(w.client, w.server, &o);
		CU_ASSERT_TRUE(m.client_ok);
		CU_ASSERT_EQUAL(m.client.peer_verified, t[i].want);
		CU_ASSERT_EQUAL(*m.client.why == '\0', t[i].want || t[i].verify == TLS_VERIFY_NONE);
	}
	struct meeting m = meet(
		w.client, w.server, &(struct tls_connect_options){ .verify = TLS_VERIFY_NAME, .sni = "a.example", .names = none });
	CU_ASSERT_FALSE(m.client_ok); /* no name to compare with is a mistake of the caller's, not a match */
	teardown(&w);
}

static void a_chain_that_leads_nowhere_is_not_verified(void)
{
	struct world w;
	struct err e = { 0 };
	setup(&w);
	struct pki other = pki_make(w.dir.path, &(struct pki_wish){ .name = "other", .dns = "", .ca = true });
	struct tls_client *stranger = tls_client_new(other.path, TLS_INTERMEDIATE, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(stranger);
	struct meeting m = meet(stranger, w.server, &(struct tls_connect_options){ .verify = TLS_VERIFY_NAME, .sni = "a.example" });
	CU_ASSERT_TRUE(m.client_ok);
	CU_ASSERT_FALSE(m.client.peer_verified);
	CU_ASSERT_PTR_NOT_NULL(strstr(m.client.why, "self-signed") ? m.client.why : strstr(m.client.why, "issuer"));
	tls_client_free(stranger);
	pki_free(&other);
	teardown(&w);
}

static void dane_believes_what_matches_and_nothing_else(void)
{
	struct world w;
	unsigned char leaf_key[32], leaf[32], ca[32], ca_key[32], wrong[32] = { 1 };
	static const char *const other_name[] = { NULL };
	setup(&w);
	pki_tlsa(&w.a, 1, leaf_key);
	pki_tlsa(&w.a, 0, leaf);
	pki_tlsa(&w.ca, 0, ca);
	pki_tlsa(&w.ca, 1, ca_key);
	const struct {
		const char *sni;
		struct tls_tlsa tlsa[2];
		size_t n;
		bool want;
		const char *why;
	} t[] = {
		{ "a.example", { { 3, 1, 1, leaf_key, 32 } }, 1, true, "" },
		{ "a.example", { { 3, 0, 1, leaf, 32 } }, 1, true, "" },
		{ "any.example", { { 3, 1, 1, leaf_key, 32 } }, 1, true, "" }, /* RFC 7672 3.1.1: no names for usage 3 */
		{ "a.example", { { 3, 1, 1, wrong, 32 } }, 1, false, "No matching DANE TLSA" },
		{ "a.example", { { 3, 1, 1, wrong, 32 }, { 3, 1, 1, leaf_key, 32 } }, 2, true, "" },
		{ "a.example", { { 2, 0, 1, ca, 32 } }, 1, true, "" },
		{ "a.example", { { 2, 1, 1, ca_key, 32 } }, 1, true, "" },
		{ "any.example", { { 2, 1, 1, ca_key, 32 } }, 1, false, "hostname mismatch" },
		{ "a.example", { { 2, 1, 1, wrong, 32 } }, 1, false, "" },
		{ "a.example", { { 1, 1, 1, leaf_key, 32 } }, 1, false, "no TLSA record is usable" }, /* 3.1.3 */
		{ "a.example", { { 3, 1, 1, leaf_key, 31 } }, 1, false, "no TLSA record is usable" },
		{ "a.example", { { 3, 1, 9, leaf_key, 32 } }, 1, false, "no TLSA record is usable" },
		{ "a.example", { { 3, 1, 1, leaf_key, 32 } }, 0, false, "no TLSA record is usable" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct tls_connect_options o = {
			.verify = TLS_VERIFY_DANE, .sni = t[i].sni, .names = other_name, .tlsa = t[i].tlsa, .n_tlsa = t[i].n
		};
		struct meeting m = meet(w.client, w.server, &o);
		CU_ASSERT_TRUE(m.client_ok);
		CU_ASSERT_EQUAL(m.client.peer_verified, t[i].want);
		CU_ASSERT_EQUAL(*m.client.why == '\0', t[i].want);
		CU_ASSERT_PTR_NOT_NULL(strcasestr(m.client.why, t[i].why));
	}
	teardown(&w);
}

static void a_modern_server_speaks_tls_1_3_alone(void)
{
	struct world w;
	struct link l;
	struct meeting m;
	setup(&w);
	struct tls_server *modern = new_server(&w, TLS_MODERN, "smtp");
	static const struct {
		bool modern;
		int max;
		bool want;
	} t[] = { { true, TLS1_2_VERSION, false }, { true, TLS1_3_VERSION, true }, { false, TLS1_2_VERSION, true },
		{ false, TLS1_1_VERSION, false } };
	for (size_t i = 0; i < COUNT(t); i++) {
		link_up(&l, t[i].modern ? modern : w.server);
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_min_proto_version(ctx, 0);
		SSL_CTX_set_max_proto_version(ctx, t[i].max);
		SSL_CTX_set_security_level(ctx, 0);
		SSL *ssl = SSL_new(ctx);
		CU_ASSERT_TRUE(fd_nonblock(l.conn.fd, false, NULL));
		SSL_set_fd(ssl, l.conn.fd);
		CU_ASSERT_EQUAL(SSL_connect(ssl) == 1, t[i].want);
		ERR_clear_error();
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		link_down(&l, &m);
		CU_ASSERT_EQUAL(m.server_ok, t[i].want);
		CU_ASSERT_EQUAL(m.server_err.kind, t[i].want ? ERR_NONE : ERR_PEER);
	}
	tls_server_free(modern);
	teardown(&w);
}

/* A client that keeps its ticket, by OpenSSL itself: ours does not resume. */
static bool resumes(struct tls_server *first, struct tls_server *second, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_SESSION *kept = NULL;
	bool reused = false;
	struct meeting m;
	SSL_CTX_set_max_proto_version(ctx, version);
	for (int i = 0; i < 2; i++) {
		struct link l;
		char back[10];
		link_up(&l, i ? second : first);
		CU_ASSERT_TRUE(fd_nonblock(l.conn.fd, false, NULL));
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, l.conn.fd);
		SSL_set_tlsext_host_name(ssl, "a.example");
		if (kept)
			SSL_set_session(ssl, kept);
		CU_ASSERT_EQUAL(SSL_connect(ssl), 1);
		CU_ASSERT_EQUAL(SSL_write(ssl, "NOOP\r\n", 6), 6);
		CU_ASSERT_EQUAL(SSL_read(ssl, back, sizeof back), 6); /* TLS 1.3 brings its tickets before this */
		if (!kept)
			kept = SSL_get1_session(ssl);
		reused = SSL_session_reused(ssl);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		link_down(&l, &m);
		CU_ASSERT_EQUAL(m.server.resumed, reused);
	}
	SSL_SESSION_free(kept);
	SSL_CTX_free(ctx);
	return reused;
}

static void a_ticket_is_good_on_its_own_listener_only(void)
{
	struct world w;
	setup(&w);
	struct tls_server *other = new_server(&w, TLS_INTERMEDIATE, "submissions");
	CU_ASSERT_TRUE(resumes(w.server, w.server, TLS1_3_VERSION));
	CU_ASSERT_FALSE(resumes(w.server, other, TLS1_3_VERSION));
	CU_ASSERT_FALSE(resumes(w.server, w.server, TLS1_2_VERSION)); /* for want of a ticket */
	tls_server_free(other);
	teardown(&w);
}

static void rsa_and_ecdsa_stand_side_by_side(void)
{
	struct world w;
	struct meeting m;
	setup(&w);
	static const char *const ciphers[] = { "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384" };
	for (size_t i = 0; i < COUNT(ciphers); i++) {
		struct link l;
		char peer[65];
		link_up(&l, w.server);
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
		SSL_CTX_set_cipher_list(ctx, ciphers[i]);
		SSL *ssl = SSL_new(ctx);
		CU_ASSERT_TRUE(fd_nonblock(l.conn.fd, false, NULL));
		SSL_set_fd(ssl, l.conn.fd);
		CU_ASSERT_EQUAL(SSL_connect(ssl), 1);
		unsigned char md[32];
		CU_ASSERT_TRUE(X509_digest(SSL_get0_peer_certificate(ssl), EVP_sha256(), md, NULL));
		for (unsigned k = 0; k < 32; k++)
			snprintf(peer + 2 * k, 3, "%02x", md[k]);
		CU_ASSERT_STRING_EQUAL(peer, tls_cert_facts(w.certs[i ? 0 : 2])->sha256);
		SSL_shutdown(ssl);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		link_down(&l, &m);
		CU_ASSERT_TRUE(m.server_ok);
		CU_ASSERT_STRING_EQUAL(m.server.cipher, ciphers[i]);
	}
	teardown(&w);
}

static void a_peer_that_talks_no_tls_is_an_error_with_a_reason(void)
{
	struct world w;
	struct link l;
	struct meeting m = { .client_ok = false };
	setup(&w);
	link_up(&l, w.server);
	CU_ASSERT_TRUE(fd_write_all(l.conn.fd, "EHLO plain\r\n", 12, NULL));
	link_down(&l, &m);
	CU_ASSERT_FALSE(m.server_ok);
	CU_ASSERT_EQUAL(m.server_err.kind, ERR_PEER);
	CU_ASSERT_PTR_NOT_NULL(strstr(m.server_err.text, "TLS handshake: "));
	link_up(&l, w.server);
	link_down(&l, &m); /* hangs up at once */
	CU_ASSERT_FALSE(m.server_ok);
	CU_ASSERT_PTR_NOT_NULL(strstr(m.server_err.text, "closed the connection"));
	teardown(&w);
}

static void a_handshake_byte_by_byte_has_a_deadline(void)
{
	struct world w;
	struct conn c;
	struct tls_facts facts;
	struct err e = { 0 };
	int fds[2];
	setup(&w);
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_STREAM, fds, NULL));
	pid_t child = fork();
	if (child == 0) { /* the beginning of a long ClientHello */
		static const unsigned char hello[200] = { 22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3 };
		close(fds[0]);
		for (size_t i = 0; i < sizeof hello && write(fds[1], hello + i, 1) == 1; i++)
			usleep(20000);
		_exit(0);
	}
	close(fds[1]);
	conn_init(&c, fds[0], -1);
	uint64_t start = clock_mono_ms();
	CU_ASSERT_FALSE(tls_accept(w.server, &c, start + 300, &facts, &e));
	CU_ASSERT_EQUAL(e.sys, ETIMEDOUT);
	CU_ASSERT_EQUAL(e.kind, ERR_TEMP);
	CU_ASSERT_TRUE(clock_mono_ms() - start < 1500);
	tls_end(&c);
	conn_close(&c);
	CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
	teardown(&w);
}

/* KeyUpdate says nothing to us, and OpenSSL reads on behind it. Made beforehand, so that they come faster than they are read. */
static void flood_and_exit(int fd) NORETURN;
static void flood_and_exit(int fd)
{
	enum { UPDATES = 60000 };
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	BIO *flood = BIO_new(BIO_s_mem());
	char *bytes;
	signal(SIGPIPE, SIG_IGN);
	bool ok = SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1;
	SSL_set0_wbio(ssl, flood);
	for (int i = 0; ok && i < UPDATES; i++)
		ok = SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1;
	long n = BIO_get_mem_data(flood, &bytes);
	_exit(ok && fd_write_all(fd, bytes, (size_t)n, NULL) ? 0 : 1);
}

static void records_without_end_have_a_deadline(void)
{
	struct world w;
	struct conn c;
	struct tls_facts facts;
	struct err e = { 0 };
	int fds[2];
	setup(&w);
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_STREAM, fds, NULL));
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close(fds[0]);
		flood_and_exit(fds[1]);
	}
	close(fds[1]);
	conn_init(&c, fds[0], -1);
	CU_ASSERT_TRUE_FATAL(tls_accept(w.server, &c, clock_mono_ms() + HANDSHAKE_MS, &facts, &e));
	CU_ASSERT_TRUE(sock_wait(fds[0], POLLIN, 20000, &e));
	uint64_t start = clock_mono_ms();
	c.deadline_ms = start + 100;
	CU_ASSERT_FALSE(conn_fill(&c, &e));
	CU_ASSERT_TRUE(clock_mono_ms() - start < 300);
	tls_end(&c);
	conn_close(&c);
	CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
	teardown(&w);
}

static void what_came_before_the_handshake_refuses_it(void)
{
	struct world w;
	struct conn c;
	struct tls_facts facts;
	struct err e = { 0 };
	int fds[2];
	setup(&w);
	CU_ASSERT_TRUE_FATAL(sock_pair(SOCK_STREAM, fds, NULL));
	conn_init(&c, fds[0], -1);
	CU_ASSERT_TRUE(fd_write_all(fds[1], "RSET\r\n", 6, NULL));
	CU_ASSERT_TRUE(conn_fill(&c, &e));
	CU_ASSERT_FALSE(tls_accept(w.server, &c, 0, &facts, &e));
	CU_ASSERT_EQUAL(e.kind, ERR_PEER);
	conn_close(&c);
	close(fds[1]);
	teardown(&w);
}

static void large_transfers_go_through_whole(void)
{
	struct world w;
	struct link l;
	struct meeting m = { .client_ok = false };
	struct err e = { 0 };
	enum { SIZE = 40000, ROUNDS = 20 };
	char *text = mem_new(SIZE);
	setup(&w);
	link_up(&l, w.server);
	CU_ASSERT_TRUE_FATAL(tls_connect(w.client, &l.conn, &(struct tls_connect_options){ .sni = "a.example" }, 0, &m.client, &e));
	for (int i = 0; i < ROUNDS; i++) {
		memset(text, 'a' + i, SIZE - 1);
		text[SIZE - 1] = '\n';
		struct sv line = SV("");
		CU_ASSERT_TRUE_FATAL(conn_put(&l.conn, (struct sv){ text, SIZE }, &e) && conn_flush(&l.conn, &e));
		CU_ASSERT_TRUE_FATAL(conn_line(&l.conn, SIZE, &line, &e));
		CU_ASSERT_TRUE(line.n == SIZE && memcmp(line.p, text, SIZE) == 0);
		conn_take(&l.conn, line.n);
	}
	link_down(&l, &m);
	CU_ASSERT_TRUE(m.server_ok);
	free(text);
	teardown(&w);
}

static void a_client_certificate_is_named_and_judged(void)
{
	struct world w;
	struct err e = { 0 };
	setup(&w);
	struct pki other = pki_make(w.dir.path, &(struct pki_wish){ .name = "other", .dns = "", .ca = true });
	struct pki expired = pki_make(w.dir.path,
		&(struct pki_wish){ .name = "expired", .dns = "", .issuer = &w.ca, .from_secs = -7200, .to_secs = -3600 });
	const struct {
		const char *ca_file;
		const struct pki *own; /* the client's */
		bool want;
	} t[] = { { "", &w.b, false }, { w.ca.path, &w.b, true }, { other.path, &w.a, false }, { w.ca.path, NULL, false },
		{ w.ca.path, &expired, false } };
	for (size_t i = 0; i < COUNT(t); i++) {
		struct tls_server_options o = {
			.certs = w.certs, .n_certs = 1, .ask_client = true, .client_ca_file = t[i].ca_file, .ticket_context = "x"
		};
		struct tls_server *s = tls_server_new(&o, &e);
		struct link l;
		struct meeting m;
		char back[10];
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		link_up(&l, s);
		CU_ASSERT_TRUE(fd_nonblock(l.conn.fd, false, NULL));
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		if (t[i].own)
			CU_ASSERT_EQUAL(SSL_CTX_use_cert_and_key(ctx, t[i].own->cert, t[i].own->key, NULL, 1), 1);
		SSL *ssl = SSL_new(ctx);
		SSL_set_fd(ssl, l.conn.fd);
		CU_ASSERT_EQUAL(SSL_connect(ssl), 1);
		CU_ASSERT_EQUAL(SSL_write(ssl, "NOOP\r\n", 6), 6);
		CU_ASSERT_EQUAL(SSL_read(ssl, back, sizeof back), 6);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		link_down(&l, &m);
		CU_ASSERT_TRUE(m.server_ok);
		CU_ASSERT_EQUAL(strlen(m.server.peer), t[i].own ? 64 : 0);
		CU_ASSERT_EQUAL(m.server.peer_verified, t[i].want);
		tls_server_free(s);
	}
	pki_free(&other);
	pki_free(&expired);
	teardown(&w);
}

void suite_tls(void)
{
	static const struct unit_case cases[] = { UNIT(both_sides_learn_the_same),
		UNIT(the_client_gets_the_certificate_of_the_name_it_asks_for), UNIT(a_name_is_checked_as_it_was_asked),
		UNIT(a_chain_that_leads_nowhere_is_not_verified), UNIT(dane_believes_what_matches_and_nothing_else),
		UNIT(a_modern_server_speaks_tls_1_3_alone), UNIT(a_ticket_is_good_on_its_own_listener_only),
		UNIT(rsa_and_ecdsa_stand_side_by_side), UNIT(a_peer_that_talks_no_tls_is_an_error_with_a_reason),
		UNIT(a_handshake_byte_by_byte_has_a_deadline), UNIT(records_without_end_have_a_deadline),
		UNIT(what_came_before_the_handshake_refuses_it), UNIT(large_transfers_go_through_whole),
		UNIT(a_client_certificate_is_named_and_judged), UNIT_END };
	unit_suite("tls", cases);
}
