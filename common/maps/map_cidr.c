/* cidr: a file of networks with a value each. The network with the longest prefix that holds the address counts, wherever it
 * stands: a file that is in order for systems where the first match counts has the same meaning here. */
#include "maps/driver.h"
#include "net/addr.h"

#define BITS_MAX 128

struct cidr {
	struct map_table nets;             /* by their text in its one canonical form */
	bool has4[33], has6[BITS_MAX + 1]; /* prefix lengths that there are: the only ones that a look-up tries */
};

static void free_content(void *content)
{
	struct cidr *c = content;

	map_table_free(&c->nets);
	free(c);
}

/* `network [value]` */
static bool take_line(struct cidr *c, struct sv line, unsigned number, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	struct addr_net net;
	struct sv word;

	line = sv_trim(line);
	if (sv_chr(line, '\0') >= 0)
		return err_set(e, ERR_PERM, "a NUL byte");
	if (!sv_word(&line, &word) || word.p[0] == '#')
		return true;
	if (!addr_net_parse(word, &net, e))
		return false;
	(net.family == AF_INET ? c->has4 : c->has6)[net.bits] = true;
	return map_table_add(&c->nets, sv_of(addr_net_text(&net, text)), sv_trim(line), number, e);
}

static void *parse(struct sv text, enum map_form form UNUSED, const char *path, struct err *e)
{
	struct cidr *c = mem_new(sizeof(*c));
	struct sv line;

	map_table_init(&c->nets);
	for (unsigned number = 1; text.n && sv_cut(&text, '\n', &line); number++) {
		if (take_line(c, line, number, e))
			continue;
		err_add(e, "%s:%u", path, number);
		free_content(c);
		return NULL;
	}
	map_table_sort(&c->nets);
	return c;
}

static const struct map_file_kind kind = { parse, free_content };

static bool open_cidr(struct map *m, const char *name, struct err *e) { return map_file_open(m, &kind, name, e); }

/* The key is an address; one in brackets, as SMTP writes it (RFC 5321 4.1.3), too. Anything else is in no network. */
static bool key_addr(struct sv key, struct addr *ret)
{
	if (sv_starts(key, SV("[")) && sv_ends(key, SV("]")))
		key = sv_sub(key, 1, key.n - 2);
	if (sv_istarts(key, SV("ipv6:")))
		key = sv_skip(key, 5);
	return addr_parse_ip(key, ret);
}

static enum map_result get_cidr(struct map *m, struct sv key, struct buf *ret_value, struct err *e)
{
	const struct cidr *c = map_file_content(m);
	char text[ADDR_TEXT_MAX];
	struct addr a;

	if (!key_addr(key, &a))
		return MAP_NONE;
	bool v4 = a.family == AF_INET;
	for (int bits = v4 ? 32 : BITS_MAX; bits >= 0; bits--) {
		if (!(v4 ? c->has4 : c->has6)[bits])
			continue;
		struct addr_net net = addr_net_of(&a, (unsigned)bits);
		enum map_result r = map_table_found(&c->nets, sv_of(addr_net_text(&net, text)), ret_value, e);
		if (r != MAP_NONE)
			return r;
	}
	return MAP_NONE;
}

static bool each_cidr(struct map *m, map_visit *on, void *arg, struct err *e UNUSED)
{
	const struct cidr *c = map_file_content(m);

	map_table_each(&c->nets, on, arg);
	return true;
}

const struct map_driver map_driver_cidr = { "cidr", open_cidr, map_file_close, map_file_refresh, get_cidr, each_cidr };
