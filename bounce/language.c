#include "language.h"

#include "config/cfg.h"

static const struct language *const languages[] = {
	[CFG_LANGUAGE_EN] = &language_en,
	[CFG_LANGUAGE_DE] = &language_de,
	[CFG_LANGUAGE_FR] = &language_fr,
};

const struct language *language_named(int language) { return languages[language]; }

/* "de-AT;q=0.8" is German. Weights are passed over: senders list what they prefer first. */
static const struct language *of_tag(struct sv tag)
{
	size_t n = 0;
	while (n < tag.n && tag.p[n] != '-' && tag.p[n] != ';')
		n++;
	for (size_t i = 0; i < COUNT(languages); i++)
		if (languages[i] && sv_ieqs(sv_trim(sv_sub(tag, 0, n)), languages[i]->tag))
			return languages[i];
	return NULL;
}

const struct language *language_of_field(struct sv value)
{
	const struct language *found = NULL;
	struct sv tag;
	while (!found && sv_cut(&value, ',', &tag))
		found = of_tag(sv_trim(tag));
	return found;
}

static const char *value_of(struct sv name, const struct language_fill *fill)
{
	for (; fill->name; fill++)
		if (sv_eqs(name, fill->name))
			return fill->value;
	return "";
}

void language_fill(const char *words, const struct language_fill *fill, struct buf *out)
{
	struct sv rest = sv_of(words), piece;
	while (rest.n > 0 && sv_cut(&rest, '{', &piece)) {
		buf_putsv(out, piece);
		if (rest.n > 0 && sv_cut(&rest, '}', &piece))
			buf_puts(out, value_of(piece, fill));
	}
}
