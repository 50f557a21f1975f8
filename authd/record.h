/* record - what is known of one user, and its text in the data base: `name value` lines, unknown names are kept out of the way. */
#ifndef AUTHD_RECORD_H
#define AUTHD_RECORD_H

#include "base/vec.h"
#include "ipc/msg_auth.h"
#include "smtp/scram.h"

#define RECORD_HASH_MAX 300
#define RECORD_APPS_MAX 64
#define RECORD_CERTS_MAX 16
#define RECORD_TEXT_MAX (64 * 1024)

struct record_app { /* an app password: made by us from many random bits, so a plain SHA-256 of it is enough */
	char label[USER_LABEL_MAX + 1];
	char hash[65]; /* lower hex */
	uint64_t created, used;
};
struct record_cert {
	char fingerprint[65];
};

struct record {
	char name[AUTH_ACCOUNT_MAX + 1]; /* lower case */
	char hash[RECORD_HASH_MAX + 1];  /* crypt(5); "": a system user's, whose password PAM knows */
	bool has_scram, disabled;
	struct scram_verifier scram;
	uint64_t created, used; /* Unix time; used 0: never */
	uint64_t frozen;        /* since when; 0: not */
	struct vec apps;        /* of struct record_app */
	struct vec certs;       /* of struct record_cert */
};

void record_init(struct record *r);
void record_free(struct record *r);
void record_put(const struct record *r, struct buf *out);                        /* all but the name */
bool record_parse(struct sv text, struct record *ret, struct err *e) MUST_CHECK; /* ERR_PERM: damaged. `ret` is initialised */
struct record_app *record_app(const struct record *r, const char *label);        /* NULL: none */
struct record_cert *record_cert(const struct record *r, const char *fingerprint);
/* The app password that this is, or NULL; the time does not depend on which. */
struct record_app *record_app_matching(const struct record *r, struct sv password);

bool record_name_ok(struct sv name); /* for new users: no blanks, no control characters, nothing that headers would need quoted */
bool record_label_ok(struct sv label);
bool record_fingerprint_ok(struct sv hex);

#endif
