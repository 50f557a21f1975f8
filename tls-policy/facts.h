/* facts - what happened on a day between us and each domain, counted: the matter of RFC 8460 reports. In memory, saved as a text
 * file `facts-YYYYMMDD` below state_directory/tls-policy; what a crash loses is a minute of statistics.
 *
 * A row is a policy and an outcome. As text it is a line: count, then TAB-separated domain, policy type, policy strings (each ended
 * by \x1f), result ("" success), sending address, host, its EHLO name, its address, reason. */
#ifndef TLS_POLICY_FACTS_H
#define TLS_POLICY_FACTS_H

#include "base/buf.h"
#include "base/err.h"

#define FACTS_ROWS_MAX 20000      /* of a day; more are not counted, and the log says so */
#define FACTS_DOMAIN_ROWS_MAX 100 /* of one domain: whoever has many addresses fills no memory with them */
#define FACTS_ROW_MAX 8192
#define FACTS_DOMAIN_MAX 255
#define FACTS_DAY 86400

struct fact {
	const char *domain, *type, *policy, *result, *from, *mx, *hello, *to, *reason; /* "" for what is not known */
};

struct facts;
/* The day that begins at `day` (Unix time); what is saved of it is read. A damaged line is left out. */
struct facts *facts_open(int dirfd, uint64_t day, struct err *e);
void facts_free(struct facts *f); /* does not save; NULL is fine */
uint64_t facts_day(const struct facts *f);
void facts_add(struct facts *f, const struct fact *fact);
bool facts_save(struct facts *f, struct err *e) MUST_CHECK; /* if something changed. Durable. No rows: the file is removed */
bool facts_next_domain(const struct facts *f, char ret[FACTS_DOMAIN_MAX + 1]) MUST_CHECK; /* any that has rows; false: none left */
void facts_text(const struct facts *f, const char *domain, struct buf *out);              /* its rows, as many as fit */
void facts_drop(struct facts *f, const char *domain);
/* The oldest day that is saved and before `before`; false: none. */
bool facts_oldest(int dirfd, uint64_t before, uint64_t *ret_day) MUST_CHECK;

/* A line of facts_text(); the views are into it. */
struct fact_row {
	uint64_t count;
	struct sv domain, type, policy, result, from, mx, hello, to, reason;
};
bool fact_row_parse(struct sv line, struct fact_row *ret) MUST_CHECK;

#endif
