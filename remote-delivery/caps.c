/* What an EHLO reply says (RFC 5321 4.1.1.1). */
#include "peer.h"

#include "base/num.h"

static const struct {
	const char *word;
	unsigned cap;
} words[] = {
	{ "PIPELINING", CAP_PIPELINING },
	{ "8BITMIME", CAP_8BITMIME },
	{ "SIZE", CAP_SIZE },
	{ "SMTPUTF8", CAP_SMTPUTF8 },
	{ "CHUNKING", CAP_CHUNKING },
	{ "BINARYMIME", CAP_BINARYMIME },
	{ "DSN", CAP_DSN },
	{ "STARTTLS", CAP_STARTTLS },
	{ "REQUIRETLS", CAP_REQUIRETLS },
	{ "AUTH", CAP_AUTH },
};

static void take_line(struct sv line, struct caps *c)
{
	struct sv word, arg;
	unsigned cap = 0;
	if (!sv_word(&line, &word))
		return;
	/* "AUTH=PLAIN LOGIN": an old form that some servers still send. */
	if (sv_istarts(word, SV("AUTH=")))
		word.n = 4;
	for (size_t i = 0; i < COUNT(words); i++)
		if (sv_ieqs(word, words[i].word))
			cap = words[i].cap;
	c->set |= cap;
	arg = sv_trim(line);
	if (cap == CAP_SIZE && !num_u64(arg, 0, UINT64_MAX, &c->size_max))
		c->size_max = 0;
	if (cap == CAP_AUTH && !sv_copy(arg, c->auth, sizeof c->auth))
		c->auth[0] = '\0';
}

void caps_parse(struct sv lines, struct caps *ret)
{
	struct caps c = { 0 };
	struct sv line;
	bool first = true;
	while (sv_cut(&lines, '\n', &line)) {
		if (!first)
			take_line(line, &c);
		first = false;
	}
	*ret = c;
}
