#include "decode.h"

#include "mail/hdr.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>

#define CHARSET_NAME_MAX 40
#define KEEP_MAX (128 * 1024) /* memory kept from one message to the next */

/* Character sets met in mail, with the other names they go by. A name that the list lacks is a finding, no more. */
static const char *const charsets[] = { "iso-8859-1", "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-6",
	"iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15", "iso-8859-16",
	"windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256",
	"windows-1257", "windows-1258", "koi8-r", "koi8-u", "cp437", "cp850", "cp866", "tis-620", "gb2312", "gbk", "gb18030",
	"big5", "iso-2022-jp", "shift_jis", "euc-jp", "euc-kr", "iso-2022-kr", "utf-7", "utf-16", "utf-16le", "utf-16be",
	"macintosh" };
static const struct {
	const char *alias, *name;
} aliases[] = {
	{ "latin1", "iso-8859-1" },
	{ "iso8859-1", "iso-8859-1" },
	{ "iso_8859-1", "iso-8859-1" },
	{ "iso-8859-8-i", "iso-8859-8" },
	{ "latin2", "iso-8859-2" },
	{ "cp1250", "windows-1250" },
	{ "cp1251", "windows-1251" },
	{ "cp1252", "windows-1252" },
	{ "ks_c_5601-1987", "euc-kr" },
	{ "cp949", "euc-kr" },
	{ "x-sjis", "shift_jis" },
	{ "shift-jis", "shift_jis" },
	{ "cp932", "shift_jis" },
	{ "x-gbk", "gbk" },
	{ "cp936", "gbk" },
	{ "gb_2312-80", "gb2312" },
	{ "windows-874", "tis-620" },
	{ "iso-8859-11", "tis-620" },
};
static const char *const utf8_names[] = { "", "utf-8", "utf8", "us-ascii", "ascii", "unicode-1-1-utf-8", "unknown-8bit" };

struct decoder {
	iconv_t to_utf8[COUNT(charsets)];
	struct buf bytes, text; /* after the transfer encoding; after the character set */
	size_t left;            /* of DECODE_MESSAGE_MAX */
};

struct decoder *decoder_new(void)
{
	struct decoder *d = mem_new(sizeof(*d));
	g_mime_init();
	for (size_t i = 0; i < COUNT(charsets); i++)
		d->to_utf8[i] = iconv_open("utf-8", charsets[i]);
	buf_init(&d->bytes, DECODE_MESSAGE_MAX + 1024);
	buf_init(&d->text, DECODE_MESSAGE_MAX);
	decoder_begin(d);
	return d;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < COUNT(charsets); i++)
		if (d->to_utf8[i] != (iconv_t)-1)
			iconv_close(d->to_utf8[i]);
	buf_free(&d->bytes);
	buf_free(&d->text);
	free(d);
}

void decoder_begin(struct decoder *d)
{
	d->left = DECODE_MESSAGE_MAX;
	if (d->bytes.cap > KEEP_MAX)
		buf_free(&d->bytes);
	if (d->text.cap > KEEP_MAX)
		buf_free(&d->text);
}

static bool is_utf8_name(struct sv name)
{
	for (size_t i = 0; i < COUNT(utf8_names); i++)
		if (sv_ieqs(name, utf8_names[i]))
			return true;
	return false;
}

static iconv_t find_charset(const struct decoder *d, struct sv name)
{
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (sv_ieqs(name, aliases[i].alias))
			name = sv_of(aliases[i].name);
	for (size_t i = 0; i < COUNT(charsets); i++)
		if (sv_ieqs(name, charsets[i]))
			return d->to_utf8[i];
	return (iconv_t)-1;
}

/* Bytes that the character set does not have become '?'. */
static void convert(iconv_t cd, struct sv in, struct buf *out)
{
	char *src = (char *)(uintptr_t)in.p; /* iconv's prototype is older than const */
	size_t left = in.n;
	iconv(cd, NULL, NULL, NULL, NULL);
	while (left > 0) {
		char piece[4096], *dst = piece;
		size_t room = sizeof(piece);
		size_t before = left;
		size_t rc = iconv(cd, &src, &left, &dst, &room);
		buf_put(out, piece, sizeof(piece) - room);
		if (!buf_ok(out))
			return;
		if (rc == (size_t)-1 && errno != E2BIG && left > 0) {
			src++;
			left--;
			buf_putc(out, '?');
		} else if (left == before) {
			return; /* no progress and no error: not ours to wait for */
		}
	}
}

static struct sv take(struct decoder *d, struct sv s)
{
	s.n = MIN(s.n, d->left);
	d->left -= s.n;
	return s;
}

/* What precedes "begin MODE NAME" is no data; GMime wants to be told that the line was seen. */
static struct sv after_begin(struct sv in, GMimeEncoding *state)
{
	struct sv rest = in, line;
	while (sv_cut(&rest, '\n', &line))
		if (sv_starts(line, SV("begin "))) {
			state->state |= GMIME_UUDECODE_STATE_BEGIN;
			return rest;
		}
	return in;
}

static bool transfer_decode(GMimeContentEncoding encoding, struct sv in, struct buf *out)
{
	GMimeEncoding state;
	g_mime_encoding_init_decode(&state, encoding);
	if (encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		in = after_begin(in, &state);
	char *room = buf_room(out, g_mime_encoding_outlen(&state, in.n));
	if (!room)
		return false;
	buf_grew(out, g_mime_encoding_step(&state, in.p, in.n, room));
	return true;
}

static GMimeContentEncoding encoding_named(struct sv name, bool *ret_known)
{
	char text[CHARSET_NAME_MAX];
	*ret_known = true;
	if (name.n == 0)
		return GMIME_CONTENT_ENCODING_DEFAULT;
	GMimeContentEncoding e = GMIME_CONTENT_ENCODING_DEFAULT;
	if (sv_copy(name, text, sizeof(text)))
		e = g_mime_content_encoding_from_string(text);
	*ret_known = e != GMIME_CONTENT_ENCODING_DEFAULT;
	return e;
}

enum decode_result decode_text(struct decoder *d, struct sv body, struct sv encoding, struct sv charset, struct sv *ret_text)
{
	bool known;
	enum decode_result result = DECODE_OK;
	GMimeContentEncoding e = encoding_named(encoding, &known);
	*ret_text = body;
	if (!known)
		result = DECODE_UNKNOWN_ENCODING;
	if (e >= GMIME_CONTENT_ENCODING_BASE64) {
		buf_reset(&d->bytes);
		if (transfer_decode(e, body, &d->bytes))
			*ret_text = take(d, buf_sv(&d->bytes));
	}
	if (is_utf8_name(charset))
		return result;
	iconv_t cd = find_charset(d, charset);
	if (cd == (iconv_t)-1)
		return result == DECODE_OK ? DECODE_UNKNOWN_CHARSET : result;
	buf_reset(&d->text);
	convert(cd, *ret_text, &d->text);
	if (d->text.len > 0)
		*ret_text = take(d, buf_sv(&d->text));
	return result;
}

/* One encoded word, "=?charset?B or Q?text?=" (RFC 2047 2), cut off the front of *in; false: there is none. */
static bool cut_word(struct sv *in, struct sv *ret_charset, char *ret_encoding, struct sv *ret_text)
{
	struct sv rest = *in, charset, encoding, text;
	if (!sv_starts(rest, SV("=?")))
		return false;
	rest = sv_skip(rest, 2);
	if (!sv_cut(&rest, '?', &charset) || !sv_cut(&rest, '?', &encoding) || encoding.n != 1 || !sv_cut(&rest, '?', &text))
		return false;
	if (charset.n == 0 || charset.n > CHARSET_NAME_MAX || !sv_starts(rest, SV("=")))
		return false;
	ptrdiff_t star = sv_chr(charset, '*'); /* RFC 2231 5: a language may follow */
	*ret_charset = star >= 0 ? sv_sub(charset, 0, (size_t)star) : charset;
	*ret_encoding = ascii_lower(encoding.p[0]);
	*ret_text = text;
	*in = sv_skip(rest, 1);
	return *ret_encoding == 'b' || *ret_encoding == 'q';
}

static void put_word(struct decoder *d, struct sv charset, char encoding, struct sv text, struct buf *out)
{
	struct buf copy = BUF_INIT(text.n + 1);
	buf_putsv(&copy, text);
	for (size_t i = 0; encoding == 'q' && i < copy.len; i++)
		if (copy.data[i] == '_')
			copy.data[i] = ' '; /* RFC 2047 4.2 */
	struct sv decoded;
	(void)decode_text(d, buf_sv(&copy), encoding == 'b' ? SV("base64") : SV("quoted-printable"), charset, &decoded);
	buf_putsv(out, decoded);
	buf_free(&copy);
}

void decode_words(struct decoder *d, struct sv value, struct buf *out)
{
	struct buf plain = BUF_INIT(value.n + 1);
	struct sv charset, text;
	char encoding;
	hdr_unfold(value, &plain);
	struct sv rest = buf_sv(&plain);
	bool after_word = false;
	while (rest.n > 0) {
		ptrdiff_t at = sv_find(rest, SV("=?"));
		struct sv lead = at < 0 ? rest : sv_sub(rest, 0, (size_t)at);
		rest = sv_skip(rest, lead.n);
		struct sv word = rest;
		bool is_word = cut_word(&word, &charset, &encoding, &text);
		if (!(after_word && is_word && sv_trim(lead).n == 0)) /* RFC 2047 6.2: blanks between words are not shown */
			buf_putsv(out, lead);
		if (is_word) {
			put_word(d, charset, encoding, text, out);
			rest = word;
		} else {
			buf_putsv(out, sv_sub(rest, 0, 2));
			rest = sv_skip(rest, 2);
		}
		after_word = is_word;
	}
	buf_free(&plain);
}
