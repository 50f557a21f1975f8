/* An answer's packet, RFC 1035 4.1. CNAMEs are followed through the answer section in whatever order it has. */
#include "dns/dns.h"

#define HEADER_LEN 12
#define POINTERS_MAX 64 /* in one name: each leads backwards, but a long name may have many */
#define CHAIN_MAX 12    /* CNAMEs of one answer */
#define MEM_MAX (256 * 1024)

struct reader {
	struct sv packet;
	size_t at;
};

static bool get_u8(struct reader *r, unsigned *ret)
{
	if (r->at >= r->packet.n)
		return false;
	*ret = (uint8_t)r->packet.p[r->at++];
	return true;
}

static bool get_u16(struct reader *r, unsigned *ret)
{
	unsigned hi, lo;
	if (!get_u8(r, &hi) || !get_u8(r, &lo))
		return false;
	*ret = hi << 8 | lo;
	return true;
}

static bool get_u32(struct reader *r, uint32_t *ret)
{
	unsigned hi, lo;
	if (!get_u16(r, &hi) || !get_u16(r, &lo))
		return false;
	*ret = (uint32_t)hi << 16 | lo;
	return true;
}

/* A label as text: bytes that are no part of a host name become `?`, so that no name can be mistaken for another. */
static bool put_label(const struct reader *r, size_t at, size_t len, char dst[DNS_NAME_MAX], size_t *used)
{
	if (at + len > r->packet.n || *used + len + 2 > DNS_NAME_MAX)
		return false;
	if (*used > 0)
		dst[(*used)++] = '.';
	for (size_t i = 0; i < len; i++) {
		char c = ascii_lower(r->packet.p[at + i]);
		dst[(*used)++] = ascii_alnum(c) || c == '-' || c == '_' || c == '/' || c == '*' ? c : '?';
	}
	return true;
}

/* RFC 1035 4.1.4. Pointers must lead backwards, so that they end. */
static bool get_name(struct reader *r, char dst[DNS_NAME_MAX])
{
	struct reader in = *r;
	size_t used = 0, limit = r->at;
	bool jumped = false;
	for (unsigned steps = 0; steps < DNS_NAME_MAX + POINTERS_MAX; steps++) {
		unsigned len, low;
		if (!get_u8(&in, &len))
			return false;
		if (len >= 0xc0) {
			if (!get_u8(&in, &low))
				return false;
			if (!jumped)
				r->at = in.at;
			jumped = true;
			in.at = (len & 0x3f) << 8 | low;
			if (in.at >= limit)
				return false;
			limit = in.at;
		} else if (len == 0) {
			if (!jumped)
				r->at = in.at;
			dst[used] = '\0';
			return true;
		} else if (len > 63 || !put_label(&in, in.at, len, dst, &used))
			return false;
		else
			in.at += len;
	}
	return false;
}

struct rr {
	char name[DNS_NAME_MAX];
	unsigned type, cls;
	uint32_t ttl;
	size_t at, len; /* of its data */
};

static bool get_rr(struct reader *r, struct rr *ret)
{
	unsigned len;
	if (!get_name(r, ret->name) || !get_u16(r, &ret->type) || !get_u16(r, &ret->cls) || !get_u32(r, &ret->ttl) ||
		!get_u16(r, &len) || len > r->packet.n - r->at)
		return false;
	ret->at = r->at;
	ret->len = len;
	r->at += len;
	return true;
}

/* The strings of a TXT record are one text: RFC 7208 3.3, 6376 3.6.2.2. */
static bool join_strings(struct sv data, struct arena *mem, struct sv *ret)
{
	char *text = arena_alloc(mem, data.n + 1);
	size_t used = 0;
	if (!text)
		return false;
	while (data.n > 0) {
		size_t len = (uint8_t)data.p[0];
		if (len > data.n - 1)
			return false;
		memcpy(text + used, data.p + 1, len);
		used += len;
		data = sv_skip(data, len + 1);
	}
	*ret = (struct sv){ text, used };
	return true;
}

static bool name_data(struct reader *r, size_t end, struct arena *mem, struct sv *ret)
{
	char name[DNS_NAME_MAX];
	if (!get_name(r, name) || r->at != end)
		return false;
	const char *kept = arena_dup(mem, sv_of(name));
	*ret = sv_of(kept);
	return kept != NULL;
}

static bool record_of(struct sv packet, const struct rr *rr, struct arena *mem, struct dns_record *ret)
{
	struct reader r = { packet, rr->at };
	unsigned preference = 0;
	switch (rr->type) {
	case DNS_MX:
		if (!get_u16(&r, &preference))
			return false;
		ret->preference = (uint16_t)preference;
		return name_data(&r, rr->at + rr->len, mem, &ret->data);
	case DNS_PTR:
		return name_data(&r, rr->at + rr->len, mem, &ret->data);
	case DNS_TXT:
		return join_strings(sv_sub(packet, rr->at, rr->len), mem, &ret->data);
	case DNS_A:
	case DNS_AAAA:
		if (rr->len != (rr->type == DNS_A ? 4u : 16u))
			return false;
		break;
	default:
		break;
	}
	const char *kept = arena_dup(mem, sv_sub(packet, rr->at, rr->len));
	*ret = (struct dns_record){ .data = { kept, rr->len } };
	return kept != NULL;
}

/* One pass over the answer section; each() may end it. */
static bool walk(struct sv packet, bool (*each)(const struct rr *, void *), void *arg)
{
	struct reader r = { packet, 4 };
	unsigned questions, answers, rest;
	char name[DNS_NAME_MAX];
	struct rr rr;
	if (packet.n < HEADER_LEN || !get_u16(&r, &questions) || !get_u16(&r, &answers) || questions > 1)
		return false;
	r.at = HEADER_LEN;
	if (questions == 1 && (!get_name(&r, name) || !get_u16(&r, &rest) || !get_u16(&r, &rest)))
		return false;
	while (answers-- > 0) {
		if (!get_rr(&r, &rr))
			return false;
		if (rr.cls == 1 && !each(&rr, arg))
			return false;
	}
	return true;
}

struct collect {
	struct sv packet;
	struct dns_answer *a;
	unsigned type;
	char next[DNS_NAME_MAX]; /* where a CNAME leads */
	bool found;
};

static bool follow(const struct rr *rr, void *arg)
{
	struct collect *c = arg;
	struct reader r = { c->packet, rr->at };
	if (c->found || rr->type != DNS_CNAME || c->type == DNS_CNAME || strcmp(rr->name, c->a->name) != 0)
		return true;
	c->found = true;
	c->a->ttl = MIN(c->a->ttl, rr->ttl);
	return get_name(&r, c->next);
}

static bool collect(const struct rr *rr, void *arg)
{
	struct collect *c = arg;
	struct dns_answer *a = c->a;
	struct dns_record rec = { 0 };
	if (rr->type != c->type || strcmp(rr->name, a->name) != 0 || a->n == DNS_RECORDS_MAX)
		return true;
	if (!record_of(c->packet, rr, a->mem, &rec))
		return false;
	a->rec[a->n++] = rec;
	a->ttl = MIN(a->ttl, rr->ttl);
	return true;
}

static bool read_answer(struct sv packet, const char *name, enum dns_type type, struct dns_answer *a)
{
	struct collect c = { .packet = packet, .a = a, .type = type };
	struct sv asked = sv_of(name);
	if (sv_ends(asked, SV(".")))
		asked.n--;
	if (!sv_copy(asked, a->name, sizeof a->name))
		return false;
	for (char *p = a->name; *p; p++)
		*p = ascii_lower(*p);
	a->rec = arena_alloc(a->mem, DNS_RECORDS_MAX * sizeof *a->rec);
	if (!a->rec)
		return false;
	for (unsigned i = 0; i < CHAIN_MAX; i++) {
		c.found = false;
		if (!walk(packet, follow, &c))
			return false;
		if (!c.found)
			return walk(packet, collect, &c);
		a->alias = true;
		memcpy(a->name, c.next, sizeof a->name);
	}
	return false; /* a chain without an end */
}

bool dns_packet_parse(struct sv packet, const char *name, enum dns_type type, struct dns_answer *ret)
{
	struct dns_answer a = { .ttl = UINT32_MAX, .mem = arena_new(MEM_MAX) };
	unsigned rcode = packet.n >= HEADER_LEN ? packet.p[3] & 0x0f : 2;
	if ((rcode != 0 && rcode != 3) || !read_answer(packet, name, type, &a)) {
		arena_free(a.mem);
		return false;
	}
	a.status = rcode == 3 ? DNS_NXDOMAIN : a.n > 0 ? DNS_OK : DNS_NODATA;
	*ret = a;
	return true;
}

void dns_answer_free(struct dns_answer *a)
{
	arena_free(a->mem);
	*a = (struct dns_answer){ 0 };
}
