/* tls - TLS under a conn (net/conn.h), server and client side, by OpenSSL 3. The only user of OpenSSL's SSL part.
 *
 * Contexts are made by a leader before it drops its rights (keys are root's) and shared by its workers after fork. All waits are
 * the conn's own deadlines. Sources: RFC 8446, 5246, 3207, 8314, 7672 (DANE), 6125/9525 (names), 9266 (tls-exporter). */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/sv.h"
#include "base/vec.h"
#include "net/conn.h"

struct tls_server; /* certificates, tickets, rules of one listener */
struct tls_client; /* what remote-delivery needs for all its connections */

enum tls_level { TLS_INTERMEDIATE, TLS_MODERN }; /* Mozilla's: TLS 1.2 and 1.3, or 1.3 alone */

/* --- certificates: a file with a chain, and its key in `key_path` ("" the same file) ----------------------------------------- */
struct tls_pair {
	const char *chain_path, *key_path;
};

struct tls_server_options {
	const struct tls_pair *pairs; /* each is served to clients that name one of its DNS names; the first to all others. ECDSA
					 and RSA for one name stand side by side */
	size_t n_pairs;
	enum tls_level level;
	bool ask_client;            /* a client certificate is asked for, never demanded */
	const char *client_ca_file; /* "" none: fingerprints only */
	const char *ticket_context; /* a ticket of another listener is not resumed: the section's name */
};
/* ERR_PERM: text names the file and what is wrong (no such file, readable by others, key does not match, expired). */
struct tls_server *tls_server_new(const struct tls_server_options *o, struct err *e);
void tls_server_free(struct tls_server *s);

/* What a finished handshake says. */
struct tls_facts {
	char version[16], cipher[64]; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
	char sni[256];                /* server: what the client asked for; "" nothing */
	char peer[65];                /* SHA-256 of the peer's certificate, lower hex; "" none */
	bool peer_verified;           /* server: the chain leads to client_ca_file. client: as tls_verify asked */
	unsigned char exporter[32];
	char why[200]; /* client: why the peer was not verified; "" */
};

/* Shakes hands on a connected conn whose input buffer is empty, within deadline_ms (monotonic; 0: the conn's own idle_ms per
 * wait). On success conn_* calls are encrypted from here on. ERR_PEER with OpenSSL's reason; ERR_TEMP with ETIMEDOUT. */
bool tls_accept(struct tls_server *s, struct conn *c, uint64_t deadline_ms, struct tls_facts *ret, struct err *e) MUST_CHECK;

enum tls_verify {
	TLS_VERIFY_NONE, /* opportunistic */
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
	const char *const *names; /* NULL-terminated; any of these */
	const struct tls_tlsa *tlsa;
	size_t n_tlsa;
};
struct tls_client *tls_client_new(const char *ca_file, enum tls_level least, struct err *e); /* ca_file "": the system's */
void tls_client_free(struct tls_client *t);
/* The handshake goes on although the peer is not verified: ret->peer_verified and ret->why say so, the caller judges. */
bool tls_connect(struct tls_client *t, struct conn *c, const struct tls_connect_options *o, uint64_t deadline_ms,
	struct tls_facts *ret, struct err *e) MUST_CHECK;

/* close_notify, and the conn is plain again: before conn_close(). Harmless without TLS. */
void tls_end(struct conn *c);

#endif
