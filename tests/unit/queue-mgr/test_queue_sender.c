/* With which sender a message goes to each recipient. */
#include "queue-mgr/sender.h"

#include "unit/queue-mgr/bench.h"
#include "unit/unit.h"

#define ID "0123456000g00001"

static struct msg *msg_of(const struct spool_sample *s)
{
	struct buf f = BUF_INIT(0);
	struct spool_id id = sample_id(ID);
	struct err e;
	spool_sample_make(s, &f, NULL);
	struct msg *m = msg_read(memfd_of(buf_sv(&f)), &id, UINT32_MAX, &e);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	buf_free(&f);
	return m;
}

static void only_what_is_sent_on_for_others_is_rewritten(void)
{
	static const struct {
		const char *sender, *rcpt, *orig;
		uint8_t cls;
		const char *postern, *want; /* "SRS": rewritten; NULL: as it is */
	} t[] = {
		{ "w@other.example", "x@there.example", "away@example.org", CLASS_REMOTE, "", "SRS" },
		{ "w@other.example", "x@there.example", "away@MAIL.example", CLASS_REMOTE, "", "SRS" },
		{ "w@other.example", "x@there.example", NULL, CLASS_REMOTE, "", NULL },              /* relayed */
		{ "w@other.example", "x@there.example", "y@third.example", CLASS_REMOTE, "", NULL }, /* not ours */
		{ "w@other.example", "al@example.org", "away@example.org", CLASS_LOCAL, "", NULL },  /* stays here */
		{ "w@example.org", "x@there.example", "away@example.org", CLASS_REMOTE, "", NULL },  /* our own mail */
		{ "w@xn--bcher-kva.example", "x@there.example", "away@example.org", CLASS_REMOTE, "", NULL },
		{ "", "x@there.example", "away@example.org", CLASS_REMOTE, "", NULL },
		{ "w@example.org", "x@there.example", NULL, CLASS_REMOTE, "verp=+2B+3D", "w+x=there.example@example.org" },
		{ "w@example.org", "x@there.example", "away@example.org", CLASS_REMOTE, "verp=-+3D",
			"w-away=example.org@example.org" },
		{ "w@other.example", "x@there.example", "away@example.org", CLASS_REMOTE, "verp=+2B+3D", "SRS" },
		{ "w@example.org", "al@example.org", NULL, CLASS_LOCAL, "verp=+2B+3D", "w+al=example.org@example.org" },
	};
	struct bench b;
	struct err e;
	const char *domains[] = { "example.org", "bücher.example" };
	bench_init(&b);
	b.cfg.global.hostname = "mail.example";
	b.cfg.global.srs_domain = "example.org";
	b.cfg.global.domains = (struct cfg_list){ .item = domains, .n = 2 };
	b.q.srs = (struct srs_keys){ .n = 1 };
	sender_free(&b.q);
	CU_ASSERT_TRUE_FATAL(sender_init(&b.q, &e));
	for (size_t i = 0; i < COUNT(t); i++) {
		const struct spool_sample s = { .id = ID,
			.sender = t[i].sender,
			.rcpts = { t[i].rcpt, t[i].cls == CLASS_LOCAL ? "z@example.org" : NULL },
			.orig = t[i].orig,
			.cls = t[i].cls,
			.postern = t[i].postern };
		struct msg *m = msg_of(&s);
		char got[ADDRESS_MAX + 1];
		sender_of(&b.q, &m->rcpt[0], got);
		const char *want = t[i].want != NULL ? t[i].want : t[i].sender;
		bool srs = strncmp(got, "SRS0=", 5) == 0 && strstr(got, "=other.example=w") != NULL;
		CU_ASSERT(strcmp(want, "SRS") == 0 ? srs : strcmp(want, got) == 0);
		msg_free(m);
	}
	sender_free(&b.q);
	bench_free(&b);
}

void suite_queue_sender(void)
{
	static const struct unit_case cases[] = { UNIT(only_what_is_sent_on_for_others_is_rewritten), UNIT_END };
	unit_suite("queue_sender", cases);
}
