/* rule - a [rule NAME] section as it is judged: conditions of words or one table, and an action. Parsed and checked with the
 * configuration; smtpd evaluates it (smtpd/rules.c). Meaning for admins: postern.conf(5), RULES. */
#ifndef CONFIG_RULE_H
#define CONFIG_RULE_H

#include "net/addr.h"

/* What a condition is about: chooses the words that it may hold. */
enum cfg_subject {
	CFG_ON_CLIENT,   /* networks, `local` */
	CFG_ON_PTR,      /* host names, `unknown` */
	CFG_ON_HELO,     /* host names, address literals */
	CFG_ON_ADDRESS,  /* sender and recipient */
	CFG_ON_ACCOUNT,  /* names, `any`, `none` */
	CFG_ON_TLS,      /* `yes`, `no`, `verified`, fingerprint:HEX */
	CFG_ON_LISTENER, /* names of sections */
};

enum cfg_word_kind {
	CFG_WORD_NET,      /* net */
	CFG_WORD_LOCAL,    /* a program of this machine */
	CFG_WORD_EXACT,    /* text: a host name, an account, a listener */
	CFG_WORD_BELOW,    /* .example.org: text with its dot; what ends so */
	CFG_WORD_ADDRESS,  /* user@example.org; also of user+detail@ */
	CFG_WORD_USER,     /* user@: in any domain */
	CFG_WORD_DOMAIN,   /* example.org, @example.org: text without @ */
	CFG_WORD_NULL,     /* <>: bounces */
	CFG_WORD_ANY,      /* account: whoever has authenticated */
	CFG_WORD_NONE,     /* account: nobody has; ptr: there is no name */
	CFG_WORD_TEMPFAIL, /* ptr: DNS does not tell now */
	CFG_WORD_YES,      /* tls */
	CFG_WORD_NO,
	CFG_WORD_VERIFIED,    /* tls: a client certificate that our CA has signed */
	CFG_WORD_FINGERPRINT, /* text: SHA-256 of a client certificate, lower hex */
};

struct cfg_word {
	enum cfg_word_kind kind;
	bool not ;
	const char *text; /* in lower case */
	struct addr_net net;
};

/* A list of words holds when one without `!` fits, or there is none, and no word with `!` fits. A table holds when it has the key;
 * with `!` when it has not. */
struct cfg_match {
	const char *text;  /* as written; "" when the rule has no such condition */
	const char *table; /* its specification, or NULL */
	bool not_in_table;
	struct cfg_word *word;
	size_t n;
};

enum cfg_act {
	CFG_ACT_NONE,
	CFG_ACT_ACCEPT,
	CFG_ACT_RELAY,
	CFG_ACT_REJECT,
	CFG_ACT_TEMPFAIL,
	CFG_ACT_HOLD,
	CFG_ACT_REDIRECT,
	CFG_ACT_TAG
};
struct cfg_action {
	const char *written;
	enum cfg_act act;
	int code;           /* REJECT, TEMPFAIL */
	char dsn[12];       /* the same */
	const char *text;   /* REJECT, TEMPFAIL: for the client; HOLD: why; REDIRECT: the address; TAG: the value */
	const char *header; /* TAG: its name */
};

struct cfg_rule {
	const char *name;
	unsigned line;
	struct cfg_match client, ptr, helo, sender, recipient, account, tls, listener;
	struct cfg_action action;
};

/* The conditions, to walk over. */
#define CFG_CONDITIONS 8
const struct cfg_match *cfg_rule_condition(const struct cfg_rule *r, size_t i);
const char *cfg_act_name(enum cfg_act act);
/* Ends the rules for a recipient: what stands behind is not looked at. */
bool cfg_act_ends(enum cfg_act act);

#endif
