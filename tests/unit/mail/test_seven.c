#include "mail/seven.h"

#include "unit/unit.h"

/* In pieces of `step` bytes. NULL: it cannot be done. */
static char *convert(const char *in, size_t step)
{
	struct seven *s = seven_new();
	struct buf out = BUF_INIT(1 << 20);
	struct sv text = sv_of(in);
	struct err e = { .text = "" };
	char *ret = NULL;
	for (size_t i = 0; i < text.n; i += step)
		seven_scan(s, sv_sub(text, i, step));
	if (seven_scanned(s, &e)) {
		for (size_t i = 0; i < text.n; i += step)
			seven_write(s, sv_sub(text, i, step), &out);
		seven_written(s, &out);
		size_t once = out.len;
		for (size_t i = 0; i < text.n; i += step)
			seven_write(s, sv_sub(text, i, step), &out);
		seven_written(s, &out);
		CU_ASSERT(out.len == 2 * once && memcmp(out.data, out.data + once, once) == 0); /* the same once more */
		buf_cut(&out, once);
		ret = mem_dup(buf_sv(&out));
	} else
		CU_ASSERT(e.kind == ERR_PERM && strcmp(e.dsn, "5.6.3") == 0);
	buf_free(&out);
	seven_free(s);
	return ret;
}

#define MIXED "Content-Type: multipart/mixed; boundary=\"b\"\n"
#define QP "Content-Transfer-Encoding: quoted-printable\n"

static void parts_with_8_bits_become_quoted_printable(void)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{ "Subject: x\n\nplain\n", "Subject: x\n\nplain\n" },
		{ "Subject: x\n\nh\xc3\xa4\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n" QP "\nh=C3=A4\n" },
		{ "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX: y\n\n\xc3\xa4=1 "
		  "\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nX: y\n" QP "\n=C3=A4=3D1=20\n" },
		{ "MIME-Version: 1.0\r\n\r\n\xff\r\nno end", "MIME-Version: 1.0\n" QP "\n=FF\nno end\n" },
		/* only the part that needs it */
		{ "MIME-Version: 1.0\nContent-Transfer-Encoding: 8bit\n" MIXED
		  "\npre\xff\n--b\n\na=b\n--b\nContent-Transfer-Encoding: 8bit\n\n\xe4=\n"
		  "--b--\nafter\n",
			"MIME-Version: 1.0\n" MIXED "Content-Transfer-Encoding: 7bit\n\npre?\n--b\n\na=b\n--b\n" QP
			"\n=E4=3D\n--b--\nafter\n" },
		/* a message within: its own container, header and part */
		{ MIXED "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: in\n\n\xe4\n--b--\n",
			MIXED
			"\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: in\nMIME-Version: 1.0\n"
			"Content-Type: text/plain; charset=unknown-8bit\n" QP "\n=E4\n--b--\n" },
		/* one that is encoded, though none may be, stays as it is */
		{ MIXED "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: "
			"base64\n\nU3ViamVjdDogeAo=\n--b\n\n\xe4\n--b--\n",
			MIXED "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAo=\n--b\n" QP
			      "\n=E4\n--b--\n" },
		/* a signature over what is of 7 bits stays whole beside a part that changes */
		{ MIXED "\n--b\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: "
			"8bit\n\nx\n--s--\n--b\n\n\xe4\n--b--\n",
			MIXED "\n--b\nContent-Type: multipart/signed; boundary=s\n\n--s\nContent-Transfer-Encoding: "
			      "8bit\n\nx\n--s--\n--b\n" QP "\n=E4\n--b--\n" },
		/* a boundary that begins like another; a part without a body */
		{ "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; "
		  "boundary=bb\n\n--bb\n\n\xe4\n--bb--\n--b\nX: y\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n" QP
			"\n=E4\n--bb--\n--b\nX: y\n--b--\n" },
	};
	for (size_t i = 0; i < COUNT(t); i++)
		for (size_t step = 1; step < 200; step += 37) {
			char *out = convert(t[i].in, step);
			CU_ASSERT_PTR_NOT_NULL_FATAL(out);
			CU_ASSERT_STRING_EQUAL(out, t[i].out);
			free(out);
		}
}

static void what_cannot_be_converted_is_not(void)
{
	static const char *const t[] = {
		"Content-Type: multipart/signed; boundary=s\n\n--s\n\n\xe4\n--s--\n",
		"Content-Type: multipart/encrypted; boundary=s\n\n--s\n\n\xe4\n--s--\n",
		"Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: multipart/mixed; "
		"boundary=m\n\n--m\n\n\xe4\n--m--\n--s--\n",
		"Content-Transfer-Encoding: base64\n\nAA\xe4\n",
		"Content-Transfer-Encoding: quoted-printable\n\nAA\xe4\n",
		MIXED "\n--b\nContent-Description: \xe4\n\nx\n--b--\n",
		"Subject: x\nno field\n\n\xe4\n",
	};
	for (size_t i = 0; i < COUNT(t); i++)
		CU_ASSERT_PTR_NULL(convert(t[i], 1000));
}

static void lines_stay_within_76_and_none_looks_like_a_boundary(void)
{
	char in[700] = "\n";
	for (size_t i = 1; i < sizeof in - 1; i++)
		in[i] = i % 11 == 0 ? '\xe4' : '-';
	char *out = convert(in, 64);
	struct sv rest = sv_of(out), line;
	bool soft = false;
	CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(out, "\n\n"));
	rest = sv_of(strstr(out, "\n\n") + 2);
	while (sv_cut(&rest, '\n', &line)) {
		CU_ASSERT(line.n <= 76 && !(soft && sv_starts(line, SV("-"))));
		soft = sv_ends(line, SV("="));
	}
	free(out);
}

void suite_seven(void)
{
	static const struct unit_case cases[] = { UNIT(parts_with_8_bits_become_quoted_printable),
		UNIT(what_cannot_be_converted_is_not), UNIT(lines_stay_within_76_and_none_looks_like_a_boundary), UNIT_END };
	unit_suite("seven", cases);
}
