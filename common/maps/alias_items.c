/* The right-hand side of an alias: items between commas, each possibly within quotes. */
#include "maps/map.h"

/* Cuts up to the first comma outside quotes. false: a quote is not closed. */
static bool cut_item(struct sv *rest, struct sv *ret_item)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < rest->n; i++) {
		char c = rest->p[i];
		if (c == '\\' && i + 1 < rest->n)
			i++; /* within quotes a pair; outside "\user" */
		else if (c == '"')
			quoted = !quoted;
		else if (c == ',' && !quoted)
			break;
	}
	*ret_item = sv_trim(sv_sub(*rest, 0, i));
	*rest = sv_skip(*rest, i + 1);
	return !quoted;
}

/* `"|cmd \"x\""` as one quoted string: its content. false: it is something else. */
static bool unquote(struct sv item, struct buf *out)
{
	if (item.n < 2 || item.p[0] != '"')
		return false;
	for (size_t i = 1; i < item.n; i++) {
		if (item.p[i] == '"')
			return i + 1 == item.n;
		if (item.p[i] == '\\' && i + 2 < item.n)
			i++;
		buf_putc(out, item.p[i]);
	}
	return false;
}

static enum alias_kind kind_of(struct sv item)
{
	if (sv_starts(item, SV("|")))
		return ALIAS_COMMAND;
	if (sv_istarts(item, SV(":include:")))
		return ALIAS_INCLUDE;
	return sv_starts(item, SV("/")) ? ALIAS_FILE : ALIAS_ADDRESS;
}

/* `Al Bo <al@example.org>` */
static struct sv without_name(struct sv item)
{
	ptrdiff_t open = sv_rchr(item, '<');

	if (open < 0 || !sv_ends(item, SV(">")))
		return item;
	return sv_trim(sv_sub(item, (size_t)open + 1, item.n - (size_t)open - 2));
}

static bool report(struct sv item, struct buf *scratch, bool (*on)(enum alias_kind, struct sv, void *), void *arg)
{
	buf_reset(scratch);
	if (unquote(item, scratch) && kind_of(buf_sv(scratch)) != ALIAS_ADDRESS)
		return on(kind_of(buf_sv(scratch)), buf_sv(scratch), arg);
	if (kind_of(item) != ALIAS_ADDRESS)
		return on(kind_of(item), item, arg);
	return on(ALIAS_ADDRESS, without_name(item), arg); /* its quotes, if any, are those of a local part */
}

bool map_alias_items(struct sv value, bool (*on)(enum alias_kind kind, struct sv item, void *arg), void *arg, struct err *e)
{
	struct buf scratch = BUF_INIT(MAP_VALUE_MAX);
	struct sv item;
	size_t n = 0;
	bool ok = true, more = true;

	while (ok && more && value.n) {
		ok = cut_item(&value, &item) || err_set(e, ERR_PERM, "a quote is not closed");
		if (!ok || item.n == 0)
			continue;
		n++;
		more = report(item, &scratch, on, arg);
	}
	buf_free(&scratch);
	return ok && (n > 0 || err_set(e, ERR_PERM, "it has no target"));
}
