/* Replies: no text can break one that we write; what a server sends is read or refused; DATA survives both ways. */
#include "smtp/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void written(struct sv in)
{
	struct buf out = BUF_INIT(1 << 20);
	char *text = mem_dup(in);
	smtp_reply(&out, 550, "5.7.1", text);
	struct sv rest = buf_sv(&out), line, said;
	int code;
	bool more = true;
	while (sv_cut(&rest, '\n', &line) && rest.p) {
		BUG_IF(!more || !sv_ends(line, SV("\r")) || line.n >= 512);
		BUG_IF(!smtp_reply_line(line, &code, &more, &said) || code != 550 || sv_has_ctl(said) || !sv_is_utf8(said));
	}
	BUG_IF(more);
	free(text);
	buf_free(&out);
}

static void read_back(struct sv in)
{
	struct sv text = SV("");
	char dsn[12] = "";
	int code = 0;
	bool more;
	if (!smtp_reply_line(in, &code, &more, &text))
		return;
	BUG_IF(code < 200 || code > 599 || text.n > in.n);
	BUG_IF(smtp_dsn(text, dsn) && (strlen(dsn) < 5 || !sv_starts(text, sv_of(dsn))));
}

static void there_and_back(struct sv in)
{
	struct smtp_stuff s = { 0 };
	struct smtp_dot d;
	struct buf wire = BUF_INIT(1 << 22);
	size_t made, used;
	bool lone = sv_chr(in, '\r') >= 0; /* only LF line ends come back as they were */
	smtp_stuff(&s, in, &wire);
	smtp_stuff_end(&s, &wire);
	char *back = mem_new(wire.len);
	smtp_dot_init(&d, SMTP_DATA);
	used = smtp_dot_read(&d, buf_sv(&wire), back, wire.len, &made);
	BUG_IF(!d.done || used != wire.len || d.bare_lf != 0);
	if (!lone) {
		BUG_IF(d.bare_cr != 0 || made < in.n || made > in.n + 1 || (in.n && memcmp(back, in.p, in.n) != 0));
	}
	free(back);
	buf_free(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv in = { (const char *)p, n };
	if (n > 100000)
		return 0;
	written(in);
	read_back(in);
	there_and_back(in);
	return 0;
}
