/* From bytes to words: transfer encodings, character sets, encoded words, HTML, tokens. */
#include "unit/unit.h"

#include "spamcheck/decode.h"
#include "spamcheck/html.h"
#include "spamcheck/tokens.h"

static void text_is_decoded_to_utf8(void)
{
	static const struct {
		const char *body, *encoding, *charset, *want;
		enum decode_result result;
	} t[] = {
		{ "plain", "", "", "plain", DECODE_OK },
		{ "caf=E9", "quoted-printable", "iso-8859-1", "caf\xc3\xa9", DECODE_OK },
		{ "caf=C3=A9=\n!", "Quoted-Printable", "UTF-8", "caf\xc3\xa9!", DECODE_OK },
		{ "aGVsbG8=", "base64", "us-ascii", "hello", DECODE_OK },
		{ "aGV\nsb**G8=", "BASE64", "", "hello", DECODE_OK },
		{ "\xc4\xe3\xba\xc3", "8bit", "GB2312", "\xe4\xbd\xa0\xe5\xa5\xbd", DECODE_OK },
		{ "\x80", "8bit", "cp1252", "\xe2\x82\xac", DECODE_OK },
		{ "caf\xe9", "8bit", "x-nothing", "caf\xe9", DECODE_UNKNOWN_CHARSET },
		{ "caf\xe9", "8bit", "../../etc/x", "caf\xe9", DECODE_UNKNOWN_CHARSET },
		{ "caf\xe9", "8bit", "utf-16//IGNORE", "caf\xe9", DECODE_UNKNOWN_CHARSET },
		{ "abc", "x-zip", "", "abc", DECODE_UNKNOWN_ENCODING },
		{ "a\xff\xff\x62", "8bit", "euc-jp", "a??b", DECODE_OK },
		{ "begin 644 x\n%:&5L;&\\ \n`\nend\n", "x-uuencode", "", "hello", DECODE_OK },
		{ "", "base64", "iso-8859-1", "", DECODE_OK },
	};
	struct decoder *d = decoder_new();
	for (size_t i = 0; i < COUNT(t); i++) {
		struct sv got;
		decoder_begin(d);
		CU_ASSERT_EQUAL(decode_text(d, sv_of(t[i].body), sv_of(t[i].encoding), sv_of(t[i].charset), &got), t[i].result);
		CU_ASSERT_TRUE(sv_eqs(got, t[i].want));
		if (!sv_eqs(got, t[i].want))
			printf("decode case %zu: %.*s\n", i, (int)got.n, got.p);
	}
	decoder_free(d);
}

static void what_one_message_decodes_to_is_bounded(void)
{
	struct decoder *d = decoder_new();
	struct buf b = BUF_INIT(900000);
	size_t total = 0;
	buf_fill(&b, '\xe9', 900000);
	for (int i = 0; i < 5; i++) {
		struct sv got;
		CU_ASSERT_EQUAL(decode_text(d, buf_sv(&b), SV("8bit"), SV("iso-8859-1"), &got), DECODE_OK);
		total += got.n;
	}
	CU_ASSERT_EQUAL(total, DECODE_MESSAGE_MAX);
	buf_free(&b);
	decoder_free(d);
}

static void encoded_words_are_decoded(void)
{
	static const struct {
		const char *value, *want;
	} t[] = {
		{ "plain", "plain" },
		{ "=?utf-8?B?aGVsbG8=?=", "hello" },
		{ "=?iso-8859-1?q?caf=E9_au_lait?= today", "caf\xc3\xa9 au lait today" },
		{ "=?utf-8?q?a?=\n =?utf-8?q?b?=", "ab" },
		{ "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b" },
		{ "=?utf-8*en?q?a?=", "a" },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=" },
		{ "=?utf-8?q?a", "=?utf-8?q?a" },
		{ "=?=?=?=", "=?=?=?=" },
		{ "a=?", "a=?" },
	};
	struct decoder *d = decoder_new();
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(1000);
		decode_words(d, sv_of(t[i].value), &out);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
		buf_free(&out);
	}
	decoder_free(d);
}

static void html_gives_what_a_reader_sees(void)
{
	static const struct {
		const char *html, *want;
	} t[] = {
		{ "a<b>b</b>c", "abc" },
		{ "V<!-- x -->I<font size=1>A", "VIA" },
		{ "a<p>b<br/>c", "a b c" },
		{ "a &amp; b&nbsp;c &#65;&#x42; &bogus; &", "a & b c AB &bogus; &" },
		{ "a < b <3", "a < b <3" },
		{ "<script>var x = '<p>';</script>b", "  b" },
		{ "<STYLE>p { }</style >b", "  b" },
		{ "<a href=\"http://h.example/x\">go</a>", " http://h.example/x go" },
		{ "<a class=x href=http://h.example>go", " http://h.example go" },
		{ "<img src='cid:1'>x", " x" },
		{ "<!-- open", "" },
		{ "<a href=\"http://h", " http://h " },
		{ "x<", "x<" },
		{ "&#233;", "\xc3\xa9" },
		{ "&#x4f60;&#128512;", "\xe4\xbd\xa0\xf0\x9f\x98\x80" },
		{ "&#99999999;", "&#99999999;" },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct buf out = BUF_INIT(1000);
		html_text(sv_of(t[i].html), &out);
		CU_ASSERT_STRING_EQUAL(buf_str(&out), t[i].want);
		if (strcmp(buf_str(&out), t[i].want) != 0)
			printf("html case %zu: [%s]\n", i, buf_str(&out));
		buf_free(&out);
	}
}

static bool has_token(const struct tokens *t, const char *prefix, const char *word)
{
	struct tokens *one = mem_new(sizeof(*one));
	bool found = false;
	tokens_add(one, prefix, sv_of(word));
	for (size_t i = 0; i < t->n; i++)
		found |= t->token[i] == one->token[0];
	free(one);
	return found;
}

static void text_becomes_a_set_of_words(void)
{
	static const struct {
		const char *text, *prefix, *word;
		bool there;
	} t[] = {
		{ "Hello, World!", "", "hello", true },
		{ "Hello, World!", "", "world!", true },
		{ "it is a b", "", "it", false },
		{ "a b", "", "a b", false },
		{ "'don't' --x--", "", "don't", true },
		{ "win $1000 now", "", "$1000", true },
		{ "see http://www.shop.example/buy?x", "host:", "www.shop.example", true },
		{ "see http://www.shop.example/buy?x", "host:", "shop.example", true },
		{ "see http://www.shop.example/buy?x", "", "buy", true },
		{ "abcdefghijklmnopqrstuvwxyz", "", "abcdefghijklmnop", false },
		{ "abcdefghijklmnopqrstuvwxyz", "long:", "ad", true },
		{ "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xe4\xbd\xa0\xe5\xa5\xbd", "", "\xe5\xa5\xbd\xe4\xb8\x96",
			true },
		{ "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xe4\xbd\xa0\xe5\xa5\xbd", "", "\xe4\xbd\xa0\xe5\xa5\xbd",
			true },
	};
	for (size_t i = 0; i < COUNT(t); i++) {
		struct tokens *set = mem_new(sizeof(*set));
		tokens_add_text(set, "", sv_of(t[i].text));
		CU_ASSERT_EQUAL(has_token(set, t[i].prefix, t[i].word), t[i].there);
		if (has_token(set, t[i].prefix, t[i].word) != t[i].there)
			printf("token case %zu\n", i);
		free(set);
	}
}

static void the_set_of_tokens_is_bounded_and_has_no_doubles(void)
{
	struct tokens *t = mem_new(sizeof(*t));
	tokens_add_text(t, "", SV("one two ONE two three"));
	CU_ASSERT_EQUAL(t->n, 6); /* and "one two", "two one", "two three" */
	tokens_reset(t);
	CU_ASSERT_EQUAL(t->n, 0);
	tokens_add_text(t, "", SV("one"));
	CU_ASSERT_EQUAL(t->n, 1);
	for (int i = 0; i < 3 * TOKENS_MAX; i++) {
		char word[20];
		snprintf(word, sizeof(word), "word%d", i);
		tokens_add(t, "", sv_of(word));
	}
	CU_ASSERT_EQUAL(t->n, TOKENS_MAX);
	free(t);
}

/* The database on disk holds them: a change of these values is a change of its format. */
static void tokens_are_the_same_for_ever(void)
{
	struct tokens *t = mem_new(sizeof(*t));
	tokens_add(t, "subject:", SV("Hello"));
	tokens_add(t, "", SV("caf\xc3\xa9"));
	CU_ASSERT_EQUAL(t->token[0], UINT64_C(0xac261bd714f796df));
	CU_ASSERT_EQUAL(t->token[1], UINT64_C(0xf50b1f8e2c0682e6));
	free(t);
}

void suite_spam_text(void)
{
	static const struct unit_case cases[] = {
		UNIT(text_is_decoded_to_utf8),
		UNIT(what_one_message_decodes_to_is_bounded),
		UNIT(encoded_words_are_decoded),
		UNIT(html_gives_what_a_reader_sees),
		UNIT(text_becomes_a_set_of_words),
		UNIT(the_set_of_tokens_is_bounded_and_has_no_doubles),
		UNIT(tokens_are_the_same_for_ever),
		UNIT_END,
	};
	unit_suite("spam_text", cases);
}
