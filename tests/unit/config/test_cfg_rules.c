#include "config/cfg.h"
#include "unit/unit.h"

#define HEAD "hostname = mx.here.example\n[listener smtp]\naddress = *:25\n"
#define HEAD_LINES 3

static struct cfg *parse(const char *rules, struct vec *faults)
{
	struct buf text = BUF_INIT(1 << 20);
	*faults = (struct vec)VEC_INIT(struct cfg_fault, 100);
	buf_putf(&text, HEAD "%s", rules);
	struct cfg *c = cfg_parse(buf_sv(&text), faults);
	buf_free(&text);
	return c;
}

static void a_faulty_rule_is_named_with_its_line(void)
{
	static const struct {
		const char *text, *want;
		unsigned line; /* within the rules */
	} t[] = {
		{ "[rule a]\nclient = 10.0.0.1\n", "[rule a] has no action", 1 },
		{ "[rule a]\naction = rejct\n", "there is no action rejct: did you mean reject?", 2 },
		{ "[rule a]\naction = explode\n", "must be accept, relay, reject, tempfail, hold, redirect or tag", 2 },
		{ "[rule a]\nclent = 10.0.0.1\naction = hold\n", "did you mean client?", 2 },
		{ "[rule a]\nclient = 10.0.0.1/8\naction = hold\n", "did you mean 10.0.0.0/8?", 2 },
		{ "[rule a]\nclient = host.example\naction = hold\n", "not an IP network", 2 },
		{ "[rule a]\nclient = 10.0.0.1, !\naction = hold\n", "a ! alone", 2 },
		{ "[rule a]\nclient = 10.0.0.1, cidr:/x\naction = hold\n", "a table stands alone", 2 },
		{ "[rule a]\nclient = cidr:/x, 10.0.0.1\naction = hold\n", "stands alone", 2 },
		{ "[rule a]\nclient = cidr:x\naction = hold\n", "absolute path", 2 },
		{ "[rule a]\nclient = cidr:\naction = hold\n", "is not a table", 2 },
		{ "[rule a]\nsender = a b@\naction = hold\nrecipient = @\n", "write user@example.org", 4 },
		{ "[rule a]\nsender = -x.example\naction = hold\n", "write user@example.org", 2 },
		{ "[rule a]\nhelo = [300.1.1.1]\naction = hold\n", "write a host name", 2 },
		{ "[rule a]\ntls = maybe\naction = hold\n", "write yes, no, verified or fingerprint", 2 },
		{ "[rule a]\ntls = fingerprint:abc\naction = hold\n", "64 hexadecimal digits", 2 },
		{ "[rule a]\nlistener = smpt\naction = hold\n", "there is no [listener smpt]: did you mean smtp?", 2 },
		{ "[rule a]\nlistener = text:/x\naction = hold\n", "not a table", 2 },
		{ "[rule a]\naction = reject 450 no\n", "the code must be from 550 to 559", 2 },
		{ "[rule a]\naction = tempfail 550 no\n", "the code must be from 450 to 459", 2 },
		{ "[rule a]\naction = reject 550 4.1.1 no\n", "must begin with 5.", 2 },
		{ "[rule a]\naction = reject n\xc3\xb6\n", "printable ASCII", 2 },
		{ "[rule a]\naction = accept now\n", "accept takes nothing more", 2 },
		{ "[rule a]\nrecipient = x@\naction = redirect\n", "redirect needs one address", 3 },
		{ "[rule a]\nrecipient = x@\naction = redirect a@b.example, c@d.example\n", "redirect needs one address", 3 },
		{ "[rule a]\naction = tag Subject: x\n", "no header that a rule may add", 2 },
		{ "[rule a]\naction = tag content-type: x\n", "no header that a rule may add", 2 },
		{ "[rule a]\naction = tag X Y: x\n", "no header that a rule may add", 2 },
		{ "[rule a]\naction = tag X-Y:\n", "no value", 2 },
		{ "[rule a]\naction = tag two words\n", "tag needs a name", 2 },
		{ "[rule a]\naction = hold\n[rule a]\naction = hold\n", "[rule a] is already in line", 3 },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct vec faults;
		struct cfg *c = parse(t[i].text, &faults);
		const struct cfg_fault *f = NULL;
		for (size_t k = 0; k < faults.len && !f; k++)
			if (!VEC_AT(&faults, struct cfg_fault, k)->warning)
				f = VEC_AT(&faults, struct cfg_fault, k);
		CU_ASSERT_PTR_NOT_NULL(f);
		if (f) {
			CU_ASSERT_PTR_NOT_NULL(strstr(f->text, t[i].want));
			CU_ASSERT_EQUAL(f->line, HEAD_LINES + t[i].line);
		}
		if (!f || !strstr(f->text, t[i].want) || f->line != HEAD_LINES + t[i].line)
			fprintf(stderr, "%sline %u: %s\n", t[i].text, f ? f->line : 0, f ? f->text : "no fault");
		cfg_free(c);
		vec_free(&faults);
	}
}

static void rules_keep_their_order_and_survive_a_snapshot(void)
{
	static const char rules[] =
		"[rule z]\nclient = 192.0.2.0/24, !192.0.2.7 local\naction = reject 553 5.7.9 go away\n"
		"[rule a]\nsender = ! inline:{a b=c, d; e=f}\naction = tag X-Y: z w\n"
		"[rule m]\ntls = fingerprint:AB:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\naction = accept\n";
	struct vec faults;
	struct err e;
	struct cfg *c = parse(rules, &faults);
	CU_ASSERT_EQUAL_FATAL(cfg_errors(&faults), 0);
	int fd = cfg_snapshot(c, &e);
	struct cfg *d = cfg_from_snapshot(fd, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	CU_ASSERT_EQUAL_FATAL(d->rules.len, 3);
	const struct cfg_rule *z = VEC_AT(&d->rules, struct cfg_rule, 0), *a = VEC_AT(&d->rules, struct cfg_rule, 1),
			      *m = VEC_AT(&d->rules, struct cfg_rule, 2);
	CU_ASSERT_STRING_EQUAL(z->name, "z");
	CU_ASSERT_TRUE(z->client.n == 3 && z->client.word[1].not &&z->client.word[2].kind == CFG_WORD_LOCAL);
	CU_ASSERT_TRUE(z->action.act == CFG_ACT_REJECT && z->action.code == 553);
	CU_ASSERT_STRING_EQUAL(z->action.dsn, "5.7.9");
	CU_ASSERT_STRING_EQUAL(z->action.text, "go away");
	CU_ASSERT_STRING_EQUAL(a->sender.table, "inline:{a b=c, d; e=f}");
	CU_ASSERT_TRUE(a->sender.not_in_table);
	CU_ASSERT_STRING_EQUAL(a->action.header, "X-Y");
	CU_ASSERT_STRING_EQUAL(a->action.text, "z w");
	CU_ASSERT_STRING_EQUAL(m->tls.word[0].text, "ab0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd");
	cfg_free(c);
	cfg_free(d);
	close(fd);
	vec_free(&faults);
}

static void an_open_relay_is_an_error_that_names_the_rule(void)
{
	static const struct {
		const char *text;
		bool open;
	} t[] = {
		{ "[rule r]\naction = relay\n", true },
		{ "[rule r]\nsender = here.example\naction = relay\n", true },
		{ "[rule r]\nhelo = friend.example\naction = relay\n", true },
		{ "[rule r]\nsender = inline:{a=b}\naction = relay\n", true },
		{ "[rule r]\ntls = yes\naction = relay\n", true },
		{ "[rule r]\nlistener = smtp\naction = relay\n", true },
		{ "[rule r]\naccount = none\naction = relay\n", true },
		{ "[rule r]\naccount = !ann\naction = relay\n", true },
		{ "[rule r]\naccount = !inline:{a=b}\naction = relay\n", true },
		{ "[rule r]\naccount = any, none\naction = relay\n", true },
		{ "[rule r]\nclient = 0.0.0.0/1\naction = relay\n", true },
		{ "[rule r]\nclient = 10.0.0.0/8, 128.0.0.0/2\naction = relay\n", true },
		{ "[rule r]\nclient = !192.0.2.0/24\naction = relay\n", true },
		{ "[rule r]\nclient = ::/0\naction = relay\n", true },
		{ "[rule r]\nclient = regexp:/x\naction = relay\n", true },
		{ "[rule r]\nrecipient = .example\naction = relay\n", true },
		{ "[rule r]\nrecipient = !here.example\naction = relay\n", true },
		{ "[rule r]\naccount = any\naction = relay\n", false },
		{ "[rule r]\naccount = ann, bea\naction = relay\n", false },
		{ "[rule r]\naccount = any, !ann\naction = relay\n", false },
		{ "[rule r]\naccount = inline:{a=b}\naction = relay\n", false },
		{ "[rule r]\nclient = 192.0.2.0/24\naction = relay\n", false },
		{ "[rule r]\nclient = 2001:db8::/32\nsender = here.example\naction = relay\n", false },
		{ "[rule r]\nclient = cidr:/x\naction = relay\n", false },
		{ "[rule r]\ntls = verified\naction = relay\n", false },
		{ "[rule r]\nrecipient = partner.example\naction = relay\n", false },
		/* nobody strange comes so far */
		{ "[rule a]\naccount = none\naction = reject\n[rule r]\naction = relay\n", false },
		{ "[rule a]\nclient = !192.0.2.0/24\naction = reject\n[rule r]\naction = relay\n", false },
		{ "[rule a]\naccount = none\nsender = x.example\naction = reject\n[rule r]\naction = relay\n", true },
		{ "[rule a]\naccount = none\naction = hold\n[rule r]\naction = relay\n", true },
		{ "[rule a]\nclient = 192.0.2.0/24\naction = reject\n[rule r]\naction = relay\n", true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct vec faults;
		struct cfg *c = parse(t[i].text, &faults);
		bool open = false;
		for (size_t k = 0; k < faults.len; k++) {
			const struct cfg_fault *f = VEC_AT(&faults, struct cfg_fault, k);
			open |= !f->warning && strstr(f->text, "[rule r]: strangers may relay");
		}
		CU_ASSERT_EQUAL(open, t[i].open);
		CU_ASSERT_EQUAL(cfg_errors(&faults) > 0, t[i].open);
		if (open != t[i].open)
			fprintf(stderr, "%s", t[i].text);
		cfg_free(c);
		vec_free(&faults);
	}
}

static void what_is_never_reached_is_told(void)
{
	struct vec faults;
	struct cfg *c = parse("[rule a]\naction = accept\n[rule b]\naction = reject\n", &faults);
	bool told = false;
	for (size_t k = 0; k < faults.len; k++)
		told |= strstr(VEC_AT(&faults, struct cfg_fault, k)->text, "[rule b] is never reached") != NULL;
	CU_ASSERT_TRUE(told && cfg_errors(&faults) == 0);
	cfg_free(c);
	vec_free(&faults);
}

void suite_cfg_rules(void)
{
	static const struct unit_case cases[] = {
		UNIT(a_faulty_rule_is_named_with_its_line),
		UNIT(rules_keep_their_order_and_survive_a_snapshot),
		UNIT(an_open_relay_is_an_error_that_names_the_rule),
		UNIT(what_is_never_reached_is_told),
		UNIT_END,
	};
	unit_suite("cfg_rules", cases);
}
