/* TLS between a conn and its socket. OpenSSL reads and writes by the conn's former conn_io, so it never sees the descriptor, never
 * waits, and raises no SIGPIPE. */
#include "tls/own.h"
#include "base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdarg.h>

struct stream {
	struct conn *conn;
	SSL *ssl;
	const struct conn_io *under;
	void *under_ctx;
	int sys;     /* errno of the last failed move below */
	bool eof;    /* below */
	bool broken; /* after a fatal error nothing may be said, not even close_notify */
};

bool tls_fail(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	char what[200];
	va_list ap;
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return reason ? err_set(e, kind, "%s: %s", what, reason) : err_set(e, kind, "%s", what);
}

/* --- OpenSSL's side ---------------------------------------------------------------------------------------------------------- */

static int moved(BIO *bio, struct stream *t, ssize_t n, int retry)
{
	BIO_clear_retry_flags(bio);
	if (n >= 0) {
		t->eof = n == 0;
		return (int)n;
	}
	t->sys = errno;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
	return -1;
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct stream *t = BIO_get_data(bio);
	/* A peer can send records without end of which we never hear (KeyUpdate): OpenSSL would not come back from a read. */
	if (t->conn->deadline_ms && clock_mono_ms() >= t->conn->deadline_ms) {
		errno = ETIMEDOUT;
		return moved(bio, t, -1, 0);
	}
	return moved(bio, t, t->under->read(t->under_ctx, p, (size_t)n), BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct stream *t = BIO_get_data(bio);
	return moved(bio, t, t->under->write(t->under_ctx, p, (size_t)n), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct stream *t = BIO_get_data(bio);
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_EOF ? t->eof : cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(struct err *e)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "conn");
	if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) && BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	tls_fail(e, ERR_PERM, "set up TLS");
	return NULL;
}

/* --- the conn's side --------------------------------------------------------------------------------------------------------- */

/* What the failed call waits for; 0: nothing, it has failed. */
static short waits_for(const struct stream *t, int rc)
{
	int why = SSL_get_error(t->ssl, rc);
	return why == SSL_ERROR_WANT_READ ? POLLIN : why == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static ssize_t not_moved(struct stream *t, int rc)
{
	t->conn->want = waits_for(t, rc);
	if (t->conn->want) {
		errno = EAGAIN;
		return -1;
	}
	if (SSL_get_error(t->ssl, rc) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = SSL_get_error(t->ssl, rc) == SSL_ERROR_SYSCALL && t->sys ? t->sys : EPROTO;
	t->broken = true;
	return -1;
}

static ssize_t stream_read(void *ctx, void *p, size_t n)
{
	struct stream *t = ctx;
	size_t got = 0;
	ERR_clear_error();
	int rc = SSL_read_ex(t->ssl, p, n, &got);
	return rc == 1 ? (ssize_t)got : not_moved(t, rc);
}

static ssize_t stream_write(void *ctx, const void *p, size_t n)
{
	struct stream *t = ctx;
	size_t done = 0;
	if (t->broken) {
		errno = EPIPE;
		return -1;
	}
	ERR_clear_error();
	int rc = SSL_write_ex(t->ssl, p, n, &done);
	return rc == 1 ? (ssize_t)done : not_moved(t, rc);
}

static const struct conn_io stream_io = { stream_read, stream_write };

/* --- handshake --------------------------------------------------------------------------------------------------------------- */

static bool lost(const struct stream *t, int rc, struct err *e)
{
	if (SSL_get_error(t->ssl, rc) == SSL_ERROR_SSL && !t->eof)
		return tls_fail(e, ERR_PEER, "TLS handshake");
	ERR_clear_error();
	if (t->sys && !t->eof) {
		errno = t->sys;
		return err_sys(e, ERR_PEER, "TLS handshake");
	}
	return err_set(e, ERR_PEER, "TLS handshake: the peer closed the connection");
}

/* The deadline is for the whole: a peer that sends a byte now and then does not move it. */
static bool shake_hands(struct stream *t, uint64_t end, struct err *e)
{
	for (;;) {
		t->sys = 0;
		ERR_clear_error();
		int rc = SSL_do_handshake(t->ssl);
		if (rc == 1)
			return true;
		short events = waits_for(t, rc);
		if (!events)
			return lost(t, rc, e);
		if (clock_mono_ms() >= end) {
			errno = ETIMEDOUT;
			return err_sys(e, ERR_TEMP, "TLS handshake");
		}
		if (!conn_wait(t->conn, events, end, e))
			return false;
	}
}

/* RFC 9266. The context is left out, as other mail software does; TLS 1.3 makes no difference between none and an empty one. */
static void export_binding(SSL *ssl, struct tls_binding *ret)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	ret->len = SSL_export_keying_material(ssl, ret->data, 32, label, sizeof label - 1, NULL, 0, 0) == 1 ? 32 : 0;
}

/* The first Finished message of the handshake: the client's, or the server's when it is resumed. Nobody renegotiates here. */
static void unique_binding(SSL *ssl, struct tls_binding *ret)
{
	bool ours = SSL_is_server(ssl) == SSL_session_reused(ssl);
	size_t n =
		ours ? SSL_get_finished(ssl, ret->data, sizeof ret->data) : SSL_get_peer_finished(ssl, ret->data, sizeof ret->data);
	ret->len = n <= sizeof ret->data ? n : 0;
}

/* The certificate's hash, by the function of its signature, or SHA-256 for one that is too weak. */
static void end_point_binding(SSL *ssl, struct tls_binding *ret)
{
	const X509 *own = SSL_is_server(ssl) && !SSL_session_reused(ssl) ? SSL_get_certificate(ssl) : NULL;
	int digest = NID_undef;
	unsigned n = 0;
	if (!own || X509_get_signature_info((X509 *)(uintptr_t)own, &digest, NULL, NULL, NULL) != 1 || digest == NID_undef)
		return; /* Ed25519 has no such function, and RFC 5929 no answer */
	const EVP_MD *md = EVP_get_digestbynid(digest == NID_md5 || digest == NID_sha1 ? NID_sha256 : digest);
	if (md && X509_digest(own, md, ret->data, &n) == 1)
		ret->len = n;
}

static void take_bindings(SSL *ssl, struct tls_facts *ret)
{
	bool modern = SSL_version(ssl) >= TLS1_3_VERSION;
	if (modern || SSL_get_extms_support(ssl) == 1)
		export_binding(ssl, &ret->exporter);
	if (!modern && SSL_get_extms_support(ssl) == 1)
		unique_binding(ssl, &ret->unique);
	end_point_binding(ssl, &ret->end_point);
}

static void take_facts(SSL *ssl, struct tls_facts *ret)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	X509 *peer = SSL_get0_peer_certificate(ssl);
	*ret = (struct tls_facts){ .resumed = SSL_session_reused(ssl) == 1 };
	snprintf(ret->version, sizeof ret->version, "%s", SSL_get_version(ssl));
	snprintf(ret->cipher, sizeof ret->cipher, "%s", SSL_get_cipher_name(ssl));
	if (!sv_copy(sv_of(sni), ret->sni, sizeof ret->sni) || sv_has_ctl(sv_of(ret->sni)))
		ret->sni[0] = '\0'; /* no host name is so */
	if (peer)
		tls_fingerprint(peer, ret->peer);
	take_bindings(ssl, ret);
}

static uint64_t handshake_end(const struct conn *c, uint64_t deadline_ms)
{
	uint64_t end = deadline_ms ? deadline_ms : clock_mono_ms() + c->idle_ms;
	return c->deadline_ms ? MIN(end, c->deadline_ms) : end;
}

static void stream_free(struct stream *t)
{
	SSL_free(t->ssl);
	free(t);
}

bool tls_stream_open(struct conn *c, SSL *ssl, const BIO_METHOD *method, uint64_t deadline_ms, struct tls_facts *ret, struct err *e)
{
	struct stream *t = mem_new(sizeof *t);
	BIO *bio = BIO_new(method);
	*t = (struct stream){ .conn = c, .ssl = ssl, .under = c->io, .under_ctx = c->io_ctx };
	bool ok = bio != NULL || tls_fail(e, ERR_TEMP, "TLS");
	if (ok) {
		BIO_set_data(bio, t);
		BIO_set_init(bio, 1);
		SSL_set_bio(ssl, bio, bio);
	}
	if (ok && c->in.n > 0) /* RFC 3207 6: what was sent in the clear must not pass for what is said under TLS */
		ok = err_set(e, ERR_PEER, "the peer sent something between its request for TLS and the handshake");
	if (!ok || !conn_flush(c, e) || !shake_hands(t, handshake_end(c, deadline_ms), e)) {
		stream_free(t);
		return false;
	}
	take_facts(ssl, ret);
	c->io = &stream_io;
	c->drained = false;
	c->io_ctx = t;
	return true;
}

void tls_end(struct conn *c)
{
	if (c->io != &stream_io)
		return;
	struct stream *t = c->io_ctx;
	ERR_clear_error();
	if (!t->broken && SSL_shutdown(t->ssl) < 0)
		ERR_clear_error(); /* the peer takes nothing more: it will see the end of the connection */
	c->io = t->under;
	c->io_ctx = t->under_ctx;
	c->want = 0;
	stream_free(t);
}
