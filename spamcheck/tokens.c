#include "tokens.h"

#include "base/hmap.h"

#include <string.h>

#define WORD_MIN 3
#define WORD_MAX 16  /* longer ones are rarely words: only that there was one is remembered */
#define TOKEN_MAX 96 /* with its prefix; longer ones are cut */

void tokens_reset(struct tokens *t)
{
	if (t->n > 0)
		memset(t->slot, 0, sizeof(t->slot));
	t->n = 0;
}

/* FNV's upper bits depend little on the last bytes of short words: mixed once more (the finalizer of MurmurHash3). */
static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

static void add_hash(struct tokens *t, uint64_t h)
{
	if (t->n == TOKENS_MAX)
		return;
	if (h == 0)
		h = 1;
	size_t i = h % TOKENS_SLOTS;
	while (t->slot[i] != 0) {
		if (t->slot[i] == h)
			return;
		i = (i + 1) % TOKENS_SLOTS;
	}
	t->slot[i] = h;
	t->token[t->n++] = h;
}

static uint64_t hash_word(const char *prefix, struct sv word)
{
	char text[TOKEN_MAX];
	size_t n = strnlen(prefix, TOKEN_MAX / 2);
	memcpy(text, prefix, n);
	for (size_t i = 0; i < word.n && n < sizeof(text); i++)
		text[n++] = ascii_lower(word.p[i]);
	return mix(hash_bytes((struct sv){ text, n }));
}

void tokens_add(struct tokens *t, const char *prefix, struct sv word) { add_hash(t, hash_word(prefix, word)); }

static bool word_byte(char c)
{
	return ascii_alnum(c) || (unsigned char)c >= 0x80 || c == '$' || c == '!' || c == '\'' || c == '-' || c == '_';
}

static struct sv trim_marks(struct sv w)
{
	while (w.n > 0 && (w.p[0] == '-' || w.p[0] == '\'' || w.p[0] == '_'))
		w = sv_skip(w, 1);
	while (w.n > 0 && (w.p[w.n - 1] == '-' || w.p[w.n - 1] == '\'' || w.p[w.n - 1] == '_'))
		w.n--;
	return w;
}

/* Scripts without blanks between words: neighbouring characters in pairs. */
static void add_pairs(struct tokens *t, const char *prefix, struct sv w)
{
	size_t first = 0, second = 0;
	for (size_t i = 1; i <= w.n; i++) {
		if (i < w.n && ((unsigned char)w.p[i] & 0xc0) == 0x80)
			continue; /* within a UTF-8 sequence */
		if (second > first)
			tokens_add(t, prefix, sv_sub(w, first, i - first));
		first = second;
		second = i;
	}
}

/* *before: the word before it, 0 for none. Short words count in pairs alone. */
static void add_word(struct tokens *t, const char *prefix, struct sv word, uint64_t *before)
{
	struct sv w = trim_marks(word);
	uint64_t h = hash_word(prefix, w);
	if (*before != 0)
		add_hash(t, mix(*before * 3 + h)); /* in this order */
	*before = h;
	if (w.n >= WORD_MIN && w.n <= WORD_MAX) {
		add_hash(t, h);
	} else if (w.n > WORD_MAX && !sv_is_ascii(w)) {
		add_pairs(t, prefix, w);
	} else if (w.n > WORD_MAX) {
		char text[2] = { w.p[0], (char)('a' + MIN(w.n / 8, 25u)) };
		tokens_add(t, "long:", (struct sv){ text, sizeof(text) });
	}
}

/* rest begins after "//": the host, and the domain it is in (two labels: a list of public suffixes gains little here). */
static void add_host(struct tokens *t, struct sv rest)
{
	size_t n = 0;
	while (n < rest.n && (ascii_alnum(rest.p[n]) || rest.p[n] == '.' || rest.p[n] == '-' || (unsigned char)rest.p[n] >= 0x80))
		n++;
	struct sv host = sv_sub(rest, 0, n);
	if (host.n == 0)
		return;
	tokens_add(t, "host:", host);
	ptrdiff_t dot = sv_rchr(host, '.');
	if (dot > 0)
		dot = sv_rchr(sv_sub(host, 0, (size_t)dot), '.');
	if (dot >= 0)
		tokens_add(t, "host:", sv_skip(host, (size_t)dot + 1));
}

void tokens_add_text(struct tokens *t, const char *prefix, struct sv text)
{
	size_t at = 0;
	uint64_t before = 0;
	while (at < text.n && t->n < TOKENS_MAX) {
		size_t end = at;
		while (end < text.n && word_byte(text.p[end]))
			end++;
		if (end == at) {
			at++;
			continue;
		}
		add_word(t, prefix, sv_sub(text, at, end - at), &before);
		at = end;
		if (sv_starts(sv_skip(text, at), SV("://")))
			add_host(t, sv_skip(text, at + 3));
	}
}
