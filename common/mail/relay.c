#include "mail/relay.h"

static bool has_text(const struct cfg_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (sv_ieqs(sv_of(text), list->item[i]))
			return true;
	return false;
}

/* Either may be in its internationalised form (RFC 5890 2.3.2.4). */
static bool has_domain(const struct cfg_list *list, const char *domain)
{
	char name[MADDR_DOMAIN_MAX + 1], listed[MADDR_DOMAIN_MAX + 1];
	if (has_text(list, domain))
		return true;
	if (!maddr_domain_ascii(sv_of(domain), name, NULL))
		return false;
	for (size_t i = 0; i < list->n; i++) {
		struct sv item = sv_of(list->item[i]);
		bool same = sv_is_ascii(item) ? sv_ieqs(item, name)
					      : maddr_domain_ascii(item, listed, NULL) && strcmp(listed, name) == 0;
		if (same)
			return true;
	}
	return false;
}

/* A list of addresses and domains; empty: everybody. */
static bool takes_sender(const struct cfg_relay *relay, const struct maddr *sender)
{
	char text[MADDR_TEXT_MAX + 1];
	if (relay->senders.n == 0)
		return true;
	return sender && !sender->null &&
	       (has_domain(&relay->senders, sender->domain) || has_text(&relay->senders, maddr_text(sender, text)));
}

/* The recipient's domain goes before `*`, a section for this sender before one for all. */
static unsigned rank(const struct cfg_relay *relay, const struct maddr *sender, const char *domain)
{
	bool named = has_domain(&relay->domains, domain), others = has_text(&relay->domains, "*");
	if ((!named && !others) || !takes_sender(relay, sender))
		return 0;
	return 1 + (named ? 2u : 0u) + (relay->senders.n > 0 ? 1u : 0u);
}

const struct cfg_relay *relay_find(const struct cfg *cfg, const struct maddr *sender, const char *domain)
{
	const struct cfg_relay *best = NULL;
	unsigned best_rank = 0;
	for (size_t i = 0; i < cfg->relays.len; i++) {
		const struct cfg_relay *relay = VEC_AT(&cfg->relays, struct cfg_relay, i);
		unsigned n = rank(relay, sender, domain);
		if (n > best_rank) {
			best = relay;
			best_rank = n;
		}
	}
	return best;
}
