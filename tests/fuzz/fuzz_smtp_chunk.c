/* A message in whatever chunks: BDAT stores the same bytes as one chunk, and as DATA where that can carry them; nothing of it is
 * ever run as a command. */
#include "tests/unit/smtpd/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define BEGIN "EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<user@here.example>\r\n"
#define BEGIN_BINARY "EHLO c.example\r\nMAIL FROM:<a@c.example> BODY=BINARYMIME\r\nRCPT TO:<user@here.example>\r\n"

static void begin(struct world *w, struct sv hello)
{
	world_open(w, CLIENT_NET);
	w->cfg.global.message_max_size = 20000;
	world_say(w, hello, hello.n);
	buf_reset(&w->replies);
}

/* Sizes from `cuts`; the bytes arrive `step` at a time. */
static void send_chunks(struct world *w, struct sv message, struct sv cuts, size_t step)
{
	for (size_t i = 0;; i++) {
		char command[60];
		struct sv part = sv_sub(message, 0, i < cuts.n ? (unsigned char)cuts.p[i] : message.n);
		message = sv_skip(message, part.n);
		bool last = i >= cuts.n;
		snprintf(command, sizeof command, "BDAT %zu%s\r\n", part.n, last ? " LAST" : "");
		world_say(w, sv_of(command), step);
		world_say(w, part, step);
		if (last)
			break;
	}
	BUG_IF(w->s.phase != PH_HELLO || w->pending.len > 0 || w->s.commands < 3 || w->commits > 1);
	BUG_IF(w->commits != w->s.accepted);
}

/* false: DATA cannot carry it as it is. */
static bool send_data(struct world *w, struct sv message)
{
	struct buf wire = BUF_INIT(200000);
	struct sv line;
	if (!sv_ends(message, SV("\r\n")))
		return false;
	message.n -= 2;
	buf_puts(&wire, "DATA\r\n");
	for (struct sv rest = message; sv_cut(&rest, '\n', &line);) {
		if (rest.p && !sv_ends(line, SV("\r"))) {
			buf_free(&wire);
			return false;
		}
		buf_putf(&wire, "%s", sv_starts(line, SV(".")) ? "." : "");
		buf_putsv(&wire, line);
		buf_puts(&wire, rest.p ? "\n" : "\r\n");
	}
	buf_puts(&wire, ".\r\n");
	world_say(w, buf_sv(&wire), wire.len);
	buf_free(&wire);
	return true;
}

static void compare(const struct world *a, const struct world *b)
{
	BUG_IF(a->commits != b->commits);
	BUG_IF(!sv_eq(buf_sv(&a->checked), buf_sv(&b->checked)));
	BUG_IF(a->commits && !sv_eq(buf_sv(&a->file), buf_sv(&b->file)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world whole, bits, data;
	size_t n_cuts = n > 0 ? p[0] % 8 : 0;
	if (n < 2 + n_cuts || n > 30000)
		return 0;
	bool binary = p[0] & 8;
	struct sv hello = binary ? SV(BEGIN_BINARY) : SV(BEGIN);
	struct sv cuts = { (const char *)p + 1, n_cuts }, message = { (const char *)p + 1 + n_cuts, n - 1 - n_cuts };
	begin(&whole, hello);
	begin(&bits, hello);
	begin(&data, hello);
	send_chunks(&whole, message, SV(""), message.n + 100);
	send_chunks(&bits, message, cuts, 1 + p[0] / 16);
	compare(&whole, &bits);
	if (!binary && send_data(&data, message))
		compare(&whole, &data);
	world_close(&whole);
	world_close(&bits);
	world_close(&data);
	return 0;
}
