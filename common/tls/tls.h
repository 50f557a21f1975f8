/* tls - TLS under a conn (net/conn.h), server and client side, by OpenSSL 3. The only user of OpenSSL's SSL part.
 *
 * Contexts are made by a leader before it drops its rights (keys are root's) and shared by its workers after fork. All waits are
 * the conn's own deadlines. Sources: RFC 8446, 5246, 3207, 8314, 7672 (DANE), 6125/9525 (names), 5929 and 9266 (channel binding).
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/sv.h"
#include "base/vec.h"
#include "net/conn.h"

struct tls_cert;   /* a certificate with its chain and key */
struct tls_server; /* certificates, tickets, rules of one listener */
struct tls_client; /* what remote-delivery needs for all its connections */

enum tls_level { TLS_INTERMEDIATE, TLS_MODERN }; /* Mozilla's: TLS 1.2 and 1.3, or 1.3 alone */

/* --- certificates (cert.c) --------------------------------------------------------------------------------------------------- */
/* A PEM file with a chain, the server's own certificate first, and its key in `key_path` ("" the same file). */
struct tls_pair {
	const char *chain_path, *key_path;
};
struct tls_cert_facts {
	char name[256];                /* its first DNS name; "" none */
	char key[16];                  /* "EC", "RSA", "ED25519" */
	char sha256[65];               /* fingerprint, lower hex */
	int64_t not_before, not_after; /* Unix time */
	bool self_signed;
};
/* ERR_PERM: text names the file and what is wrong: no such file, no certificate in it, a key that others can read, that has a
 * password or that belongs to another certificate. One that has expired is loaded: the facts tell. NULL on failure. */
struct tls_cert *tls_cert_load(const struct tls_pair *pair, struct err *e);
void tls_cert_free(struct tls_cert *c);
const struct tls_cert_facts *tls_cert_facts(const struct tls_cert *c);
bool tls_cert_names(const struct tls_cert *c, const char *host); /* by its DNS names, wildcards included (RFC 9525) */
/* Makes a certificate of ten years for `host` with its key, both in the file `path`, which only its owner can read. */
bool tls_cert_make(const char *path, const char *host, struct err *e) MUST_CHECK;

/* --- server (server.c) ------------------------------------------------------------------------------------------------------- */
struct tls_server_options {
	/* Not owned, must outlive the server. Each is served to clients that name one of its DNS names; all others get the
	 * first, with those that share its name: an ECDSA and an RSA certificate for one name stand side by side. */
	struct tls_cert *const *certs;
	size_t n_certs;
	enum tls_level level;
	bool ask_client;            /* a client certificate is asked for, never demanded */
	const char *client_ca_file; /* "" none: fingerprints only */
	const char *ticket_context; /* a ticket of another listener is not resumed: the section's name. TLS 1.3 alone has tickets */
};
struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *e); /* NULL on failure */
void tls_server_free(struct tls_server *s);

/* Channel binding: what only the two ends of this channel know. */
struct tls_binding {
	unsigned char data[64];
	size_t len; /* 0: there is none */
};

/* What a finished handshake says. */
struct tls_facts {
	char version[16], cipher[64]; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
	char sni[256];                /* server: what the client asked for; "" nothing */
	char peer[65];                /* SHA-256 of the peer's certificate, lower hex; "" none */
	bool peer_verified;           /* server: the chain leads to client_ca_file. client: as tls_verify asked */
	bool resumed;                 /* with a ticket */
	struct tls_binding exporter;  /* RFC 9266; none with TLS 1.2 without the extended master secret (4.2) */
	struct tls_binding unique;    /* RFC 5929 3: TLS 1.2 alone, and as above */
	struct tls_binding end_point; /* RFC 5929 4, the server's side; none when resumed: no certificate was sent */
	enum tls_fault {
		TLS_FAULT_NONE,
		TLS_FAULT_NAME,      /* another host's certificate */
		TLS_FAULT_EXPIRED,   /* or not valid yet */
		TLS_FAULT_UNTRUSTED, /* no known CA, or no certificate at all */
		TLS_FAULT_TLSA,      /* not what the TLSA records say, or none can be used */
	} fault;                     /* client: why the peer was not verified */
	char why[200];               /* the same in words; "" */
};

/* Shakes hands on a connected conn whose input buffer is empty, within deadline_ms (monotonic; 0: the conn's own idle_ms for the
 * whole). On success conn_* calls are encrypted from here on; after a failure the conn is good for conn_close() alone. ERR_PEER
 * with OpenSSL's reason; ERR_TEMP with ETIMEDOUT or, woken, EINTR. */
bool tls_accept(struct tls_server *s, struct conn *c, uint64_t deadline_ms, struct tls_facts *ret, struct err *e) MUST_CHECK;

/* --- client (client.c) ------------------------------------------------------------------------------------------------------- */
enum tls_verify {
	TLS_VERIFY_NONE, /* opportunistic: peer_verified stays false */
	TLS_VERIFY_NAME, /* WebPKI: chain to the CAs, one of `names` */
	TLS_VERIFY_DANE, /* RFC 7672: one of `tlsa`; `names` for usage 2 */
};
struct tls_tlsa {
	uint8_t usage, selector, matching;
	const unsigned char *data;
	size_t len;
};
struct tls_connect_options {
	enum tls_verify verify;
	const char *sni;          /* also what DANE calls the base domain */
	const char *const *names; /* NULL-terminated; any of these. NULL: the sni alone */
	const struct tls_tlsa *tlsa;
	size_t n_tlsa;
};
struct tls_client *tls_client_new(const char *ca_file, enum tls_level least, struct err *e); /* ca_file "": the system's */
void tls_client_free(struct tls_client *t);
/* The handshake goes on although the peer is not verified: ret->peer_verified and ret->why say so, the caller judges. */
bool tls_connect(struct tls_client *t, struct conn *c, const struct tls_connect_options *o, uint64_t deadline_ms,
	struct tls_facts *ret, struct err *e) MUST_CHECK;
/* RFC 7672 3.1.3: usages 2 and 3 with what we know. When no record of a name is usable, TLS is demanded but not verified (2.2). */
bool tls_tlsa_usable(const struct tls_tlsa *t);

/* --- both -------------------------------------------------------------------------------------------------------------------- */
/* close_notify, and the conn is plain again: behind conn_flush(), before conn_close(). Harmless without TLS. */
void tls_end(struct conn *c);

#endif
