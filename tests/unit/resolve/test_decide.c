#include "unit/unit.h"
#include "decide.h"

#define MAIN_CONF                                                                                                                  \
	"hostname = mail.example\norigin = example.org\ndomains = example.org, virtual.example, system.example, bücher.example\n" \
	"virtual_base = /srv/mail\nmin_uid = 1000\nalias_expansion_max = 100\n"                                                    \
	"[domain virtual.example]\nusers = virtual\ncatch_all = cat@virtual.example\n"                                             \
	"[domain system.example]\nusers = system\ncatch_all = nobody-there\n"                                                      \
	"[relay inner]\ndomains = inner.example\nhost = 192.0.2.1:2525\naccept_from = anyone\n"                                    \
	"[relay routed]\ndomains = routed.example\nhost = 192.0.2.2:25\n"                                                          \
	"[relay some]\ndomains = some.example, routed.example, inner.example\nsenders = al@example.org\nhost = 192.0.2.3:25\n"

#define ALIASES                                                                                                                  \
	"root=al; both=al, bea; dup=al, AL, \"al\"@example.org, both; loop1=loop2; loop2=loop1; ring1=ring2, al; ring2=ring1, "  \
	"bea;"                                                                                                                   \
	"self=self, bea; al.alias=al; bea+x=al; al@system.example=bea; pipe=\"|/bin/cat\"; file=/var/mail/x; list=:include:/x;"  \
	"mixed=al, pipe; halfdead=al, nosuch; dead=nosuch; away=x@inner.example, y@other.example; final=\\both; back=\\al;"      \
	"open=\"al; junk=al, not an address; info@virtual.example=cleo@virtual.example; deep=mixed, both, \\root; eve=eve+box, " \
	"bea;"                                                                                                                   \
	"qualified=al@system.example; utf=jürgen@bücher.example; down=x; uncle=x@example.org"

struct world {
	struct cfg *cfg;
	struct rules *rules;
	struct map *aliases, *mailboxes;
	struct lookups l;
	bool table_down, users_down;
	unsigned pending; /* so many look-ups of users are pending first */
};

static enum map_result get_alias(void *arg, struct sv key, struct buf *ret, struct err *e)
{
	struct world *w = arg;

	if (w->table_down || sv_eqs(key, "down")) {
		err_dsn(e, ERR_TEMP, "4.3.0", "table is away");
		return MAP_FAILED;
	}
	return map_get(w->aliases, key, 1, ret, e);
}

static enum map_result get_mailbox(void *arg, struct sv key, struct buf *ret, struct err *e)
{
	struct world *w = arg;

	return map_get(w->mailboxes, key, 1, ret, e);
}

static enum user_result get_user(void *arg, const char *name, struct user *ret, struct err *e)
{
	static const struct user users[] = {
		{ 1000, 100, "al", "/home/al", "100 27" },
		{ 1001, 100, "bea", "/home/bea", "100" },
		{ 1002, 100, "eve", "/home/eve", "100" },
		{ 1003, 100, "self", "/home/self", "100" },
		{ 1004, 100, "homeless", "nowhere", "100" },
		{ 1005, 100, "jean-luc", "/home/jl", "100" },
		{ 2, 2, "bin", "/bin", "2" },
		{ 0, 0, "root", "/root", "0" },
		{ 65534, 65534, "nobody", "/nonexistent", "65534" },
	};
	struct world *w = arg;

	if (w->users_down) {
		err_dsn(e, ERR_TEMP, "4.3.0", "name service is away");
		return USER_FAILED;
	}
	if (w->pending) {
		w->pending--;
		return USER_PENDING;
	}
	for (size_t i = 0; i < COUNT(users); i++) {
		if (strcmp(users[i].name, name) == 0) {
			*ret = users[i];
			return USER_FOUND;
		}
	}
	return USER_NONE;
}

static bool get_base_owner(void *arg, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	(void)arg, (void)e;
	*ret_uid = 5000;
	*ret_gid = 5001;
	return true;
}

static void world_make(struct world *w, const char *conf, const char *aliases)
{
	struct vec faults = VEC_INIT(struct cfg_fault, 10);
	struct buf spec = BUF_INIT(10000);
	struct err e;

	*w = (struct world){ .cfg = cfg_parse(sv_of(conf), &faults) };
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->cfg);
	CU_ASSERT_EQUAL(cfg_errors(&faults), 0);
	w->cfg->unprivileged = false;
	w->cfg->resolve.system_users = true;
	w->rules = rules_new(w->cfg, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w->rules);
	buf_putf(&spec, "inline:{%s}", aliases);
	w->aliases = map_open(buf_str(&spec), MAP_ALIASES, NULL);
	w->mailboxes =
		map_open("inline:{cleo@virtual.example=virtual.example/cleo/ 2000:2001; cat@virtual.example=cat; "
			 "info@example.org=info 2000:2001; up@virtual.example=../etc; abs@virtual.example=/etc; "
			 "mid@virtual.example=a/../b; dot@virtual.example=a/./b; half@virtual.example=a 2000; "
			 "junk@virtual.example=a 2000:2001 x; low@virtual.example=low 10:2000; group@virtual.example=g 2000:0; "
			 "big@virtual.example=b 99999999999:1; cleo+whole@virtual.example=whole 2000:2001}",
			MAP_PLAIN, NULL);
	CU_ASSERT_TRUE_FATAL(w->aliases && w->mailboxes);
	w->l = (struct lookups){ get_alias, get_mailbox, get_user, get_base_owner, w };
	vec_free(&faults);
	buf_free(&spec);
}

static void world_free(struct world *w)
{
	map_close(w->aliases);
	map_close(w->mailboxes);
	rules_free(w->rules);
	cfg_free(w->cfg);
}

/* "L:al@x A:..." -- L local, R remote, r relayed, a aliased, and the route; or "status dsn". Static: one at a time. */
static const char *rcpt(struct world *w, const char *address, bool local_client)
{
	static char out[4000];
	struct decision d;
	struct buf b = BUF_INIT(sizeof(out) - 1);
	char text[MADDR_TEXT_MAX + 1];

	decision_init(&d, w->rules);
	if (!decide_rcpt(w->rules, &w->l, sv_of(address), local_client, &d))
		buf_puts(&b, "pending");
	else if (d.status != RESOLVE_OK)
		buf_putf(&b, "%d %s", (int)d.status, d.why.dsn);
	else
		for (size_t i = 0; i < d.finals.len; i++) {
			const struct final *f = VEC_AT(&d.finals, struct final, i);
			buf_putf(&b, "%s%s%s%s:%s%s%s", i ? " " : "", f->class == CLASS_LOCAL ? "L" : "R", f->relayed ? "r" : "",
				f->aliased ? "a" : "", maddr_text(&f->addr, text), f->route[0] ? ">" : "", f->route);
		}
	CU_ASSERT_TRUE(d.status == RESOLVE_OK || d.why.text[0]);
	snprintf(out, sizeof(out), "%s", buf_str(&b));
	buf_free(&b);
	decision_free(&d);
	return out;
}

struct rcpt_case {
	const char *address, *want;
};

static void expect(struct world *w, const struct rcpt_case *t, size_t n, bool local_client)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = rcpt(w, t[i].address, local_client);
		if (strcmp(got, t[i].want) != 0)
			printf("\n  %s: got %s, not %s\n", t[i].address, got, t[i].want);
		CU_ASSERT_STRING_EQUAL(got, t[i].want);
	}
}

static void local_and_other_domains_are_told_apart(void)
{
	static const struct rcpt_case t[] = {
		{ "al@example.org", "L:al@example.org" },
		{ "AL@Example.Org", "L:AL@example.org" },
		{ "al@mail.example", "L:al@mail.example" },
		{ "al@localhost", "L:al@localhost" },
		{ "al@bücher.example", "L:al@xn--bcher-kva.example" },
		{ "al@xn--bcher-kva.example", "L:al@xn--bcher-kva.example" },
		{ "al@sub.example.org", "R:al@sub.example.org" },
		{ "al@[192.0.2.1]", "R:al@[192.0.2.1]" },
		{ "x@inner.example", "Rr:x@inner.example>192.0.2.1:2525" },
		/* a route opens its domain to nobody */
		{ "x@routed.example", "R:x@routed.example>192.0.2.2:25" },
		{ "x@some.example", "R:x@some.example" },
		{ "x@other.example", "R:x@other.example" },
		{ "nosuch@example.org", "1 5.1.1" },
		{ "cleo@virtual.example", "L:cleo@virtual.example" },
		{ "al@virtual.example", "La:cat@virtual.example" }, /* no system users there; catch_all */
		{ "info@system.example", "1 5.1.1" },               /* no virtual ones here; and its catch_all is unknown */
		{ "info@example.org", "L:info@example.org" },
		{ "a b@example.org", "3 5.1.3" },
		{ "", "3 5.1.3" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	expect(&w, t, COUNT(t), false);
	world_free(&w);
}

static void a_missing_domain_is_origin_for_local_programs_only(void)
{
	static const struct rcpt_case net[] = { { "al", "1 5.1.3" }, { "postmaster", "La:al@example.org" },
		{ "PostMaster", "La:al@example.org" } };
	static const struct rcpt_case local[] = { { "al", "L:al@example.org" }, { "root", "La:al@example.org" } };
	static const struct rcpt_case remote_origin[] = { { "al", "R:al@elsewhere.example" } };
	struct world w;

	world_make(&w, MAIN_CONF, "postmaster=root; root=al");
	expect(&w, net, COUNT(net), false);
	expect(&w, local, COUNT(local), true);
	world_free(&w);
	world_make(&w, "hostname = mail.example\norigin = elsewhere.example\ndomains = example.org\n", "postmaster=al");
	expect(&w, remote_origin, COUNT(remote_origin), true);
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "postmaster", false), "La:al@example.org"); /* stays with us */
	world_free(&w);
}

static void aliases_become_their_targets(void)
{
	static const struct rcpt_case t[] = {
		{ "both@example.org", "La:al@example.org La:bea@example.org" },
		{ "BOTH@localhost", "La:al@example.org La:bea@example.org" },
		{ "both+x@example.org", "La:al@example.org La:bea@example.org" },
		{ "dup@example.org", "La:al@example.org La:bea@example.org" },
		{ "bea+x@example.org", "La:al@example.org" }, /* the whole name first */
		{ "bea+y@example.org", "L:bea+y@example.org" },
		{ "al@system.example", "La:bea@example.org" }, /* the full address first */
		{ "al+z@system.example", "La:bea@example.org" },
		{ "qualified@example.org", "La:bea@example.org" },
		{ "info@virtual.example", "La:cleo@virtual.example" },
		{ "both@virtual.example", "La:cat@virtual.example" }, /* bare names are for system users' domains */
		{ "\"both@example.org\"@localhost", "1 5.1.1" },
		{ "away@example.org", "Rra:x@inner.example>192.0.2.1:2525 Ra:y@other.example" },
		{ "final@example.org", "1 5.1.1" },
		{ "back@example.org", "La:al@example.org" },
		{ "self@example.org", "La:self@example.org La:bea@example.org" },
		{ "eve@example.org", "La:eve+box@example.org La:bea@example.org" },
		{ "utf@example.org", "1 5.1.1" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	expect(&w, t, COUNT(t), false);
	world_free(&w);
}

static void loops_end(void)
{
	static const struct rcpt_case t[] = {
		{ "loop1@example.org", "3 5.4.6" },
		{ "loop2@example.org", "3 5.4.6" },
		{ "ring1@example.org", "La:al@example.org La:bea@example.org" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	expect(&w, t, COUNT(t), false);
	world_free(&w);
}

static void what_cannot_be_followed_stays_one_recipient(void)
{
	static const struct rcpt_case t[] = {
		{ "pipe@example.org", "L:pipe@example.org" },
		{ "file@example.org", "L:file@example.org" },
		{ "list+x@example.org", "L:list+x@example.org" },
		{ "junk@example.org", "L:junk@example.org" },
		{ "open@example.org", "L:open@example.org" },
		{ "mixed@example.org", "La:al@example.org La:pipe@example.org" },
		{ "deep@example.org", "La:root@example.org La:al@example.org La:pipe@example.org La:bea@example.org" },
		{ "halfdead@example.org", "La:al@example.org La:nosuch@example.org" },
		{ "dead@example.org", "1 5.1.1" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	expect(&w, t, COUNT(t), false);
	world_free(&w);
}

static void a_big_alias_stays_one_recipient(void)
{
	struct buf aliases = BUF_INIT(20000);
	struct world w;

	buf_puts(&aliases, "big=u0@other.example");
	for (int i = 1; i < 150; i++)
		buf_putf(&aliases, ", u%d@other.example", i);
	buf_puts(&aliases, "; outer=al, big; most=u0@other.example");
	for (int i = 1; i < 100; i++)
		buf_putf(&aliases, ", u%d@other.example", i);
	world_make(&w, MAIN_CONF, buf_str(&aliases));
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "big@example.org", false), "L:big@example.org");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "outer@example.org", false), "L:outer@example.org");
	CU_ASSERT_TRUE(sv_starts(sv_of(rcpt(&w, "most@example.org", false)), SV("Ra:u0@other.example Ra:u1@other.example")));
	world_free(&w);
	buf_free(&aliases);
}

static void system_accounts_get_no_mail_but_postmaster_and_root_always(void)
{
	static const struct rcpt_case t[] = {
		{ "bin@example.org", "1 5.1.1" },
		{ "nobody@example.org", "1 5.1.1" },
		{ "homeless@example.org", "2 4.3.5" },
		{ "root@example.org", "L:root@example.org" },
		{ "root+x@example.org", "L:root+x@example.org" },
		{ "root@virtual.example", "La:cat@virtual.example" },
		{ "postmaster@example.org", "L:postmaster@example.org" },
		{ "postmaster@[192.0.2.1]", "L:postmaster@[192.0.2.1]" },
		{ "postmaster@[ipv6:2001:db8::1]", "L:postmaster@[ipv6:2001:db8::1]" },
		{ "postmaster@other.example", "R:postmaster@other.example" },
	};
	static const struct rcpt_case aliased[] = {
		{ "postmaster@virtual.example", "La:al@example.org" },
		{ "postmaster@system.example", "La:al@example.org" },
		{ "postmaster@[192.0.2.1]", "La:al@example.org" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, "x=y");
	expect(&w, t, COUNT(t), false);
	world_free(&w);
	world_make(&w, MAIN_CONF, "root=al");
	expect(&w, aliased, COUNT(aliased), false);
	world_free(&w);
	world_make(&w, MAIN_CONF, "postmaster=root; root=nosuch");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "postmaster@example.org", false), "L:postmaster@example.org");
	world_free(&w);
}

static void odd_names_never_reach_the_name_service(void)
{
	static const char *const t[] = { "\"../al\"@example.org", "\"al/../x\"@example.org", "\"|id\"@example.org",
		"\"-oX\"@example.org", "\"a;b`id`$(id)\"@example.org", "*@example.org", "al*@example.org", "\"al bea\"@example.org",
		"x%other.example@example.org", "other.example!x@example.org", "\"\"@example.org", "\"a:b\"@example.org",
		"jürgen@example.org", "\".\"@example.org" };
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	w.users_down = true;
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_STRING_EQUAL(rcpt(&w, t[i], false), "1 5.1.1");
	world_free(&w);
}

static void a_look_up_that_fails_is_temporary(void)
{
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	w.users_down = true;
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "al@example.org", false), "2 4.3.0");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "both@example.org", false), "2 4.3.0");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "x@other.example", false), "R:x@other.example");
	w.users_down = false;
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "down@example.org", false), "2 4.3.0");
	w.table_down = true;
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "al@example.org", false), "2 4.3.0");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "postmaster@example.org", false), "2 4.3.0");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "root@example.org", false), "2 4.3.0");
	world_free(&w);
}

static void pending_look_ups_are_asked_for_in_one_pass(void)
{
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	w.pending = 2;
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "both@example.org", false), "pending");
	CU_ASSERT_EQUAL(w.pending, 0);
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "both@example.org", false), "La:al@example.org La:bea@example.org");
	world_free(&w);
}

/* --- where it lives ------------------------------------------------------------------------------------------------------ */

static const char *box(struct world *w, const char *address)
{
	static char out[8000];
	struct resolve_box b;

	if (!decide_box(w->rules, &w->l, sv_of(address), &b))
		return "pending";
	if (b.status != RESOLVE_OK)
		snprintf(out, sizeof(out), "%d %s", (int)b.status, b.dsn);
	else if (b.kind == BOX_UNSUPPORTED || b.kind == BOX_REMOTE)
		snprintf(out, sizeof(out), "%s: %s", b.kind == BOX_REMOTE ? "remote" : "wait", b.text);
	else
		snprintf(out, sizeof(out), "%s %d:%d %s/%s %s (%s) [%s]", b.kind == BOX_VIRTUAL ? "virtual" : b.user, (int)b.uid,
			(int)b.gid, b.home, b.maildir, b.detail, b.groups, b.text);
	return out;
}

static void boxes_are_where_the_tables_say(void)
{
	static const struct rcpt_case t[] = {
		{ "al@example.org", "al 1000:100 /home/al/Maildir  (100 27) []" },
		{ "AL+Some.Detail@example.org", "al 1000:100 /home/al/Maildir Some.Detail (100 27) []" },
		{ "cleo@virtual.example", "virtual 2000:2001 /srv/mail/virtual.example/cleo  () []" },
		{ "cleo+d@virtual.example", "virtual 2000:2001 /srv/mail/virtual.example/cleo d () []" },
		{ "cleo+whole@virtual.example", "virtual 2000:2001 /srv/mail/whole  () []" },
		{ "cat@virtual.example", "virtual 5000:5001 /srv/mail/cat  () []" }, /* the owner of virtual_base */
		{ "info@example.org", "virtual 2000:2001 /srv/mail/info  () []" },
		{ "self@example.org", "self 1003:100 /home/self/Maildir  (100) []" }, /* its alias is not expanded again */
		{ "nosuch@example.org", "1 5.1.1" },
		{ "bin@example.org", "1 5.1.1" },
		{ "homeless@example.org", "2 4.3.5" },
		{ "x@other.example", "remote: other.example is not one of our domains (any more)" },
		{ "al", "3 5.1.3" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_STRING_EQUAL(box(&w, t[i].address), t[i].want);
	world_free(&w);
}

static void no_entry_leads_out_of_virtual_base_or_to_a_system_account(void)
{
	static const char *const t[] = { "up", "abs", "mid", "dot", "half", "junk", "low", "group", "big" };
	char address[100];
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(address, sizeof(address), "%s@virtual.example", t[i]);
		CU_ASSERT_STRING_EQUAL(box(&w, address), "2 4.3.5");
		CU_ASSERT_STRING_EQUAL(rcpt(&w, address, false), "2 4.3.5"); /* nor is mail for it taken */
	}
	world_free(&w);
}

static void what_is_not_supported_yet_waits_with_its_reason(void)
{
	static const struct rcpt_case t[] = {
		{ "pipe@example.org", "wait: alias pipe: target |/bin/cat: commands are not supported yet" },
		{ "file@example.org", "wait: alias file: target /var/mail/x: files are not supported yet" },
		{ "list+x@example.org", "wait: alias list: target :include:/x: included lists are not supported yet" },
		{ "junk@example.org", "wait: alias junk: target not an address is no address" },
		{ "open@example.org", "wait: alias open: a quote is not closed" },
		{ "both@example.org",
			"wait: the address is an alias with other or several targets: lists are not expanded at delivery yet" },
		{ "postmaster@example.org",
			"wait: postmaster has no mailbox, and no alias that leads to one: add `postmaster: user` to aliases" },
	};
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	for (size_t i = 0; i + 1 < COUNT(t); i++)
		CU_ASSERT_STRING_EQUAL(box(&w, t[i].address), t[i].want);
	world_free(&w);
	world_make(&w, MAIN_CONF, "x=y");
	CU_ASSERT_STRING_EQUAL(box(&w, "postmaster@example.org"), t[COUNT(t) - 1].want);
	world_free(&w);
}

static void an_alias_made_while_the_mail_waited_is_followed_to_one_mailbox(void)
{
	struct world w;

	world_make(&w, MAIN_CONF, "root=al; postmaster=root; pipe=bea; gone=x@other.example; lost=nosuch");
	CU_ASSERT_STRING_EQUAL(box(&w, "root@example.org"), "al 1000:100 /home/al/Maildir  (100 27) []");
	CU_ASSERT_STRING_EQUAL(box(&w, "postmaster@[192.0.2.1]"), "al 1000:100 /home/al/Maildir  (100 27) []");
	CU_ASSERT_STRING_EQUAL(box(&w, "pipe@example.org"), "bea 1001:100 /home/bea/Maildir  (100) []");
	CU_ASSERT_TRUE(sv_starts(sv_of(box(&w, "gone@example.org")), SV("wait: ")));
	CU_ASSERT_STRING_EQUAL(box(&w, "lost@example.org"), "1 5.1.1");
	w.pending = 1;
	CU_ASSERT_STRING_EQUAL(box(&w, "pipe@example.org"), "pending");
	w.users_down = true;
	CU_ASSERT_STRING_EQUAL(box(&w, "pipe@example.org"), "2 4.3.0");
	w.table_down = true;
	CU_ASSERT_STRING_EQUAL(box(&w, "al@example.org"), "2 4.3.0");
	world_free(&w);
}

static void without_root_there_are_virtual_mailboxes_of_our_own_uid_only(void)
{
	char want[200];
	struct world w;

	world_make(&w, MAIN_CONF, ALIASES);
	w.cfg->unprivileged = true;
	w.cfg->resolve.system_users = false;
	snprintf(want, sizeof(want), "virtual %d:%d /srv/mail/low  () []", (int)geteuid(), (int)getegid());
	CU_ASSERT_STRING_EQUAL(box(&w, "low@virtual.example"), want);
	CU_ASSERT_STRING_EQUAL(box(&w, "al@example.org"), "1 5.1.1");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "al@example.org", false), "1 5.1.1");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "info@example.org", false), "L:info@example.org");
	world_free(&w);
}

static void the_delimiter_may_be_another_or_off(void)
{
	struct world w;

	world_make(&w, "hostname = mail.example\ndomains = example.org\nrecipient_delimiter = -\n", "x=y");
	CU_ASSERT_STRING_EQUAL(box(&w, "jean-luc@example.org"), "jean-luc 1005:100 /home/jl/Maildir  (100) []");
	CU_ASSERT_STRING_EQUAL(box(&w, "al-x@example.org"), "al 1000:100 /home/al/Maildir x (100 27) []");
	world_free(&w);
	world_make(&w, "hostname = mail.example\ndomains = example.org\nrecipient_delimiter =\n", "x=y");
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "al+x@example.org", false), "1 5.1.1");
	world_free(&w);
}

static enum srs_result rewritten(void *arg, const struct maddr *a, struct maddr *ret)
{
	(void)arg;
	if (!srs_is(a))
		return SRS_NONE;
	if (strcmp(a->local, "SRS0=good") == 0 || strcmp(a->local, "SRS0=home") == 0 || strcmp(a->local, "SRS1=chain") == 0) {
		const char *to = a->local[3] == '1'                   ? "SRS0=good@example.org"
				 : strcmp(a->local, "SRS0=home") == 0 ? "both@example.org"
								      : "w@other.example";
		BUG_IF(!maddr_parse(sv_of(to), 0, ret, NULL));
		return SRS_OK;
	}
	return strcmp(a->local, "SRS0=old") == 0 ? SRS_EXPIRED : SRS_FORGED;
}

static void rewritten_senders_lead_back_and_forged_ones_nowhere(void)
{
	static const struct rcpt_case t[] = {
		{ "SRS0=good@example.org", "Ra:w@other.example" },
		{ "SRS0=home@example.org", "La:al@example.org La:bea@example.org" },
		{ "SRS1=chain@example.org", "Ra:w@other.example" }, /* the first host of the chain is ours, too */
		{ "SRS0=old@example.org", "1 5.1.1" },
		{ "SRS0=bad@example.org", "1 5.1.1" },
		{ "SRS0=bad@virtual.example", "1 5.1.1" },                  /* no catch_all */
		{ "SRS0=good@other.example", "R:SRS0=good@other.example" }, /* another's */
		{ "bounces@example.org", "La:al@example.org Ra:w@other.example" },
	};
	struct world w;
	struct decision d;
	world_make(&w, MAIN_CONF, ALIASES "; bounces=al, SRS0=good");
	w.l.rewritten = rewritten;
	expect(&w, t, COUNT(t), false);
	decision_init(&d, w.rules);
	CU_ASSERT(decide_rcpt(w.rules, &w.l, SV("SRS0=good@example.org"), false, &d) && d.reports);
	CU_ASSERT(decide_rcpt(w.rules, &w.l, SV("al@example.org"), false, &d) && !d.reports);
	decision_free(&d);
	w.l.rewritten = NULL; /* none were ever made: a name like any other */
	CU_ASSERT_STRING_EQUAL(rcpt(&w, "SRS0=bad@virtual.example", false), "La:cat@virtual.example");
	world_free(&w);
}

void suite_decide(void)
{
	static const struct unit_case cases[] = {
		UNIT(local_and_other_domains_are_told_apart),
		UNIT(a_missing_domain_is_origin_for_local_programs_only),
		UNIT(aliases_become_their_targets),
		UNIT(loops_end),
		UNIT(what_cannot_be_followed_stays_one_recipient),
		UNIT(a_big_alias_stays_one_recipient),
		UNIT(system_accounts_get_no_mail_but_postmaster_and_root_always),
		UNIT(odd_names_never_reach_the_name_service),
		UNIT(a_look_up_that_fails_is_temporary),
		UNIT(pending_look_ups_are_asked_for_in_one_pass),
		UNIT(boxes_are_where_the_tables_say),
		UNIT(no_entry_leads_out_of_virtual_base_or_to_a_system_account),
		UNIT(what_is_not_supported_yet_waits_with_its_reason),
		UNIT(an_alias_made_while_the_mail_waited_is_followed_to_one_mailbox),
		UNIT(without_root_there_are_virtual_mailboxes_of_our_own_uid_only),
		UNIT(the_delimiter_may_be_another_or_off),
		UNIT(rewritten_senders_lead_back_and_forged_ones_nowhere),
		UNIT_END,
	};
	unit_suite("decide", cases);
}
