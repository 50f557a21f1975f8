#include "config/cfg.h"

#include "unit/unit.h"

#define FAULTS_MAX 50
#define BASE "hostname = mx.example.org\n" /* so that no warning depends on the host */

struct parsed {
	struct cfg *c;
	struct vec faults;
};

static struct parsed parse(const char *text)
{
	struct parsed p = { .faults = VEC_INIT(struct cfg_fault, FAULTS_MAX) };
	p.c = cfg_parse(sv_of(text), &p.faults);
	CU_ASSERT_PTR_NOT_NULL_FATAL(p.c);
	return p;
}

static void done(struct parsed *p)
{
	cfg_free(p->c);
	vec_free(&p->faults);
}

static bool has_fault(const struct parsed *p, unsigned line, bool warning, const char *text)
{
	for (size_t i = 0; i < p->faults.len; i++) {
		const struct cfg_fault *f = VEC_AT(&p->faults, struct cfg_fault, i);
		if (f->line == line && f->warning == warning && strstr(f->text, text))
			return true;
	}
	return false;
}

static void every_kind_of_value_is_read(void)
{
	struct parsed p = parse("hostname = mx.example.org # the name\r\n"
				"domains = Example.ORG,b.example\n"
				"   # a comment within a list\n"
				"\tc.example\n"
				"trusted_networks = 192.0.2.0/24 ::1\n"
				"message_max_size = 10M\n"
				"command_timeout=90\n"
				"soft_bounce = YES\n"
				"log_format = json\n"
				"spam_mark_score = -0.25\n"
				"banner = no#comment  two blanks\n"
				"virtual_base =\n"
				"[listener smtp]\n"
				"address = *:25, [::1]:2525\n"
				"[domain Example.org]\n"
				"users = virtual\n"
				"catch_all = al@example.org\n");
	const struct cfg *c = p.c;
	CU_ASSERT_EQUAL(p.faults.len, 0);
	CU_ASSERT_STRING_EQUAL(c->global.hostname, "mx.example.org");
	CU_ASSERT_EQUAL_FATAL(c->global.domains.n, 3);
	CU_ASSERT_STRING_EQUAL(c->global.domains.item[0], "example.org");
	CU_ASSERT_STRING_EQUAL(c->global.domains.item[2], "c.example");
	CU_ASSERT_EQUAL(c->global.trusted_networks.n, 2);
	CU_ASSERT_EQUAL(c->global.message_max_size, 10u << 20);
	CU_ASSERT_EQUAL(c->smtpd.command_timeout, 90);
	CU_ASSERT_TRUE(c->global.soft_bounce);
	CU_ASSERT_EQUAL(c->log.log_format, CFG_LOG_JSON);
	CU_ASSERT_EQUAL(c->spam.spam_mark_score, -25);
	CU_ASSERT_STRING_EQUAL(c->smtpd.banner, "no#comment  two blanks");
	CU_ASSERT_EQUAL_FATAL(c->listeners.len, 1);
	CU_ASSERT_EQUAL(VEC_AT(&c->listeners, struct cfg_listener, 0)->address.n, 2);
	CU_ASSERT_EQUAL(VEC_AT(&c->listeners, struct cfg_listener, 0)->line, 13);
	const struct cfg_domain *d = cfg_domain(c, SV("EXAMPLE.org"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL(d->users, CFG_USERS_VIRTUAL);
	CU_ASSERT_PTR_NULL(cfg_domain(c, SV("other.example")));
	done(&p);
}

static void faults_name_line_value_and_what_would_be_right(void)
{
	static const struct {
		const char *text;
		unsigned line;
		bool warning;
		const char *want;
	} t[] = {
		{ "\nmesage_max_size = 1M\n", 3, false, "did you mean message_max_size?" },
		{ "xyzzy = 1\n", 2, false, "`postern config` lists all" },
		{ "just words\n", 2, false, "neither `name = value` nor a [section]" },
		{ "= 5\n", 2, false, "neither" },
		{ "hostname = b.example\n", 2, false, "hostname is already set in line 1" },
		{ "retry_min = 5x\n", 2, false, "retry_min = 5x: is not a time" },
		{ "min_uid = -1\n", 2, false, "is not a number" },
		{ "min_uid = 99999999999\n", 2, false, "must be from 1 to 4294967294" },
		{ "message_max_size = 3G\n", 2, false, "must be from 1K to 2G" },
		{ "soft_bounce = maybe\n", 2, false, "must be yes or no" },
		{ "spam_action = kill\n", 2, false, "must be off, mark or reject" },
		{ "spam_mark_score = 1.234\n", 2, false, "is not a score" },
		{ "spam_mark_score = 1001\n", 2, false, "must be from -1000 to 1000" },
		{ "queue_directory = queue\n", 2, false, "is not an absolute path" },
		{ "queue_directory =\n", 2, false, "is empty" },
		{ "aliases = /etc/aliases\n", 2, false, "write type:name" },
		{ "banner = a\x01z\n", 2, false, "control character (byte 0x01)" },
		{ "banner = a\xffz\n", 2, false, "not valid UTF-8" },
		{ "recipient_delimiter = ab\n", 2, false, "longer than 1" },
		{ "recipient_delimiter = a\n", 2, false, "must be one character" },
		{ "trusted_networks = 10.0.0.0/8, 0.0.0.0/0\n", 2, false, "open relay" },
		{ "trusted_networks = ::/0\n", 2, false, "open relay" },
		{ "trusted_networks = 64.0.0.0/2\n", 2, false, "large part of the Internet" },
		{ "domains = ok.example, -bad.example\n", 2, false, "-bad.example is not a domain" },
		{ "maildir = ../x\n", 2, false, "must be relative to the home" },
		{ "log_file = x.log\n", 2, false, "absolute path, syslog or stderr" },
		{ "virtual_mailboxes = text:/x\n", 2, false, "needs virtual_base" },
		{ "retry_max = 1m\n", 2, false, "retry_min = 5m is above retry_max = 1m" },
		{ "smtpd_workers_max = 1\n", 2, false, "smtpd_workers_min = 2 is above smtpd_workers_max = 1" },
		{ "spam_mark_score = 20\n", 2, false, "spam_mark_score = 20 is above spam_reject_score = 15" },
		{ "delay_warning = 6d\n", 2, true, "is above queue_lifetime" },
		{ " banner = x\n", 2, false, "remove the blank" },
		{ "banner = x\n  soft_bounce = yes\n", 3, false, "remove the blank" },
		{ "[listener smtp]\n  address = *:25\n", 3, false, "remove the blank" },
		{ "address = *:25\n", 2, false, "put it below [listener NAME]" },
		{ "[listener smtp]\naddress = *:25\nbanner = x\n", 4, false, "put it before the first section" },
		{ "[listener smtp]\nadress = *:25\n", 3, false, "did you mean address?" },
		{ "[listener smtp]\n", 2, false, "has no address" },
		{ "[listener smtp]\naddress = *\n", 3, false, "is not an address and port" },
		{ "[listener smtp]\naddress = 127.0.0.1:0\n", 3, false, "is not an address and port" },
		{ "[listener a]\naddress = *:25\n[listener b]\naddress = *:25\n", 4, false, "also in [listener a], line 2" },
		{ "[listener]\n", 2, false, "needs a name" },
		{ "[lisener smtp]\n", 2, false, "there is no section [lisener]" },
		{ "[listener smtp\n", 2, false, "is not a section" },
		{ "[\n", 2, false, "is not a section" },
		{ "[relay a]\n[relay A]\n", 3, false, "[relay a] is already in line 2" },
		{ "[relay a]\n", 2, false, "has no domains" },
		{ "[relay a]\ndomains = mx.example.org\n", 3, false, "also in the list of local domains" },
		{ "[relay a]\ndomains = x.example\n[relay b]\ndomains = x.example\n", 5, false, "already in [relay a], line 2" },
		{ "[relay a]\ndomains = *\nsenders = y, z\n[relay b]\ndomains = *\nsenders = Z, w\n", 6, false,
			"already in [relay a], line 2, for Z" },
		{ "[relay a]\ndomains = *\naccept_from = anyone\n", 4, false, "open relay" },
		{ "[relay a]\ndomains = x.example\nsenders = y\naccept_from = anyone\n", 5, false,
			"not in a section with senders" },
		{ "[relay a]\ndomains = *\nhost = h.example\nuser = x\n", 5, false, "needs relay_password_file" },
		{ "relay_password_file = /p\n[relay a]\ndomains = *\nuser = x\n", 5, false, "needs host" },
		{ "relay_password_file = /p\n[relay a]\ndomains = *\nhost = h.example\nuser = x\npassword_to_unverified = yes\n", 6,
			true, "without tls = verify" },
		{ "tls_certificates = mx.pem\n", 2, false, "must begin with the absolute path" },
		{ "tls_certificates = /a.pem, /b.pem:b.key\n", 2, false, "behind the colon stands the absolute path" },
		{ "tls_certificates = /a.pem:\n", 2, false, "behind the colon" },
		{ "tls_level = old\n", 2, false, "must be intermediate or modern" },
		{ "tls_client_ca_file = /ca.pem\n", 2, true, "no effect without tls_client_certificates = ask" },
		{ "[listener a]\naddress = *:465\nprotocol = submissions\ntls = off\n", 2, false, "remove tls = off" },
		{ "[domain other.example]\n", 2, true, "has no effect" },
		{ "[domain mx.example.org]\ncatch_all = a b\n", 3, false, "is not one address" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf text = BUF_INIT(1000);
		buf_puts(&text, BASE);
		buf_puts(&text, t[i].text);
		struct parsed p = parse(buf_str(&text));
		if (!has_fault(&p, t[i].line, t[i].warning, t[i].want))
			CU_FAIL(t[i].want);
		CU_ASSERT_EQUAL(cfg_errors(&p.faults) == 0, t[i].warning);
		done(&p);
		buf_free(&text);
	}
}

static void a_domain_may_have_routes_for_different_senders(void)
{
	struct parsed p = parse(BASE "[listener l]\naddress = *:25\n[relay a]\ndomains = x.example, *\n"
				     "[relay b]\ndomains = x.example, *\nsenders = y\n[relay c]\ndomains = *\nsenders = z, x@y\n");
	CU_ASSERT_EQUAL(p.faults.len, 0);
	done(&p);
}

static void a_faulty_value_leaves_the_default(void)
{
	struct parsed p = parse("message_max_size = huge\n");
	CU_ASSERT_EQUAL(p.c->global.message_max_size, 50u << 20);
	done(&p);
}

static void all_faults_are_reported_in_the_order_of_lines(void)
{
	struct parsed p = parse(BASE "retry_max = 1m\nbad\nsoft_bounce = 2\n");
	unsigned before = 0;
	CU_ASSERT_EQUAL(cfg_errors(&p.faults), 3);
	for (size_t i = 0; i < p.faults.len; i++) {
		const struct cfg_fault *f = VEC_AT(&p.faults, struct cfg_fault, i);
		CU_ASSERT_TRUE(f->line >= before);
		before = f->line;
	}
	done(&p);
}

static void computed_defaults_are_filled_in(void)
{
	struct parsed p = parse("");
	CU_ASSERT_NOT_EQUAL(p.c->global.hostname[0], '\0');
	CU_ASSERT_NOT_EQUAL(p.c->global.origin[0], '\0');
	CU_ASSERT_TRUE(p.c->global.domains.n >= 1);
	CU_ASSERT_FALSE(cfg_was_set(p.c, "hostname", NULL));
	CU_ASSERT_EQUAL(cfg_errors(&p.faults), 0);
	CU_ASSERT_TRUE(has_fault(&p, 0, true, "no [listener NAME] section"));
	CU_ASSERT_EQUAL(p.c->unprivileged, geteuid() != 0);
	CU_ASSERT_EQUAL(p.c->resolve.system_users, geteuid() == 0);
	done(&p);
}

static void certificates_are_listed_with_their_keys(void)
{
	static const struct {
		const char *text;
		size_t n;                /* certificates */
		const char *chain, *key; /* of the last */
		bool own;
	} t[] = {
		{ "state_directory = /s\n", 1, "/s/tls-self-signed.pem", "", true },
		{ "tls_certificates = /a.pem\n", 1, "/a.pem", "", false },
		{ "tls_certificates = /a.pem, /b.crt:/b.key\n", 2, "/b.crt", "/b.key", false },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct vec faults = VEC_INIT(struct cfg_fault, 10);
		struct cfg *c = cfg_parse(sv_of(t[i].text), &faults);
		struct cfg_cert cert, last = { .own = false };
		size_t n = 0;
		CU_ASSERT_PTR_NOT_NULL_FATAL(c);
		for (; cfg_cert(c, n, &cert); n++)
			last = cert;
		CU_ASSERT_EQUAL(n, t[i].n);
		CU_ASSERT_STRING_EQUAL(last.chain, t[i].chain);
		CU_ASSERT_STRING_EQUAL(last.key, t[i].key);
		CU_ASSERT_EQUAL(last.own, t[i].own);
		cfg_free(c);
		vec_free(&faults);
	}
}

static void values_are_found_by_name(void)
{
	struct parsed p = parse(BASE "[listener smtp]\naddress = *:25\n[domain mx.example.org]\nusers = system\n");
	static const struct {
		const char *name, *want;
	} t[] = {
		{ "message_max_size", "50M" },
		{ "hostname", "mx.example.org" },
		{ "listener.smtp.address", "*:25" },
		{ "domain.mx.example.org.users", "system" },
		{ "nothing", NULL },
		{ "listener.x.address", NULL },
		{ "listener.smtp", NULL },
		{ "listener.smtp.users", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(100);
		CU_ASSERT_EQUAL(cfg_value_text(p.c, t[i].name, &out), t[i].want != NULL);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want ? t[i].want : "");
		buf_free(&out);
	}
	unsigned line = 0;
	CU_ASSERT_TRUE(cfg_was_set(p.c, "listener.smtp.address", &line));
	CU_ASSERT_EQUAL(line, 3);
	done(&p);
}

static void the_nearest_name_is_near(void)
{
	static const struct {
		const char *name, *section, *want;
	} t[] = {
		{ "hostnme", NULL, "hostname" },
		{ "Hostname", NULL, "hostname" },
		{ "queue_dir", NULL, NULL },
		{ "trusted_network", NULL, "trusted_networks" },
		{ "adress", "listener", "address" },
		{ "hostname", "listener", NULL },
		{ "zzz", NULL, NULL },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		const char *got = cfg_nearest(t[i].name, t[i].section);
		if (t[i].want)
			CU_ASSERT_TRUE(got && strcmp(got, t[i].want) == 0)
		else
			CU_ASSERT_PTR_NULL(got);
	}
}

void suite_cfg_parse(void)
{
	static const struct unit_case cases[] = {
		UNIT(every_kind_of_value_is_read),
		UNIT(faults_name_line_value_and_what_would_be_right),
		UNIT(a_domain_may_have_routes_for_different_senders),
		UNIT(a_faulty_value_leaves_the_default),
		UNIT(all_faults_are_reported_in_the_order_of_lines),
		UNIT(computed_defaults_are_filled_in),
		UNIT(certificates_are_listed_with_their_keys),
		UNIT(values_are_found_by_name),
		UNIT(the_nearest_name_is_near),
		UNIT_END,
	};
	unit_suite("cfg_parse", cases);
}
