/* Options as a table. */
#include "opt.h"

#include "base/num.h"

#include <inttypes.h>

static bool set(const struct opt *o, const char *value, struct err *e)
{
	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)o->to = true;
		return !value || err_set(e, ERR_PERM, "--%s takes no value", o->name);
	case OPT_TEXT:
		*(const char **)o->to = value;
		return true;
	case OPT_SECS:
		return num_secs(sv_of(value), 0, UINT32_MAX, o->to) ||
		       err_set(e, ERR_PERM, "--%s %s: write 90s, 5m, 2h or 5d", o->name, value);
	case OPT_UINT:
		return num_u64(sv_of(value), 0, UINT32_MAX, o->to) ||
		       err_set(e, ERR_PERM, "--%s %s: is not a number", o->name, value);
	}
	return false;
}

static const struct opt *find_long(const struct opt *opts, struct sv name)
{
	for (; opts->name; opts++)
		if (sv_eqs(name, opts->name))
			return opts;
	return NULL;
}

static const struct opt *find_letter(const struct opt *opts, char letter)
{
	for (; opts->name; opts++)
		if (opts->letter == letter)
			return opts;
	return NULL;
}

/* --name, --name value, --name=value. */
static bool take_long(const struct opt *opts, const char *arg, const char *next, bool *ret_used_next, struct err *e)
{
	struct sv name, rest = sv_of(arg + 2);
	const char *equals = strchr(arg, '=');
	if (!sv_cut(&rest, '=', &name))
		return false;
	const struct opt *o = find_long(opts, name);
	if (!o)
		return err_set(e, ERR_PERM, "there is no option --%.*s", (int)name.n, name.p);
	if (o->kind == OPT_FLAG || equals)
		return set(o, equals ? equals + 1 : NULL, e);
	*ret_used_next = true;
	return next ? set(o, next, e) : err_set(e, ERR_PERM, "--%s needs a value", o->name);
}

/* -f, -n value, -nvalue; flags may be joined. */
static bool take_short(const struct opt *opts, const char *arg, const char *next, bool *ret_used_next, struct err *e)
{
	for (const char *p = arg + 1; *p; p++) {
		const struct opt *o = find_letter(opts, *p);
		if (!o)
			return err_set(e, ERR_PERM, "there is no option -%c", *p);
		if (o->kind == OPT_FLAG) {
			*(bool *)o->to = true;
			continue;
		}
		if (p[1] != '\0')
			return set(o, p + 1, e);
		*ret_used_next = true;
		return next ? set(o, next, e) : err_set(e, ERR_PERM, "-%c needs a value", *p);
	}
	return true;
}

bool opt_parse(const struct opt *opts, int *argc, char **argv, struct err *e)
{
	int kept = 0;
	for (int i = 0; i < *argc; i++) {
		bool used_next = false, is_long = strncmp(argv[i], "--", 2) == 0;
		if (argv[i][0] != '-' || argv[i][1] == '\0') {
			argv[kept++] = argv[i];
			continue;
		}
		if (is_long && argv[i][2] == '\0') {
			while (++i < *argc)
				argv[kept++] = argv[i];
			break;
		}
		const char *next = i + 1 < *argc ? argv[i + 1] : NULL;
		if (!(is_long ? take_long : take_short)(opts, argv[i], next, &used_next, e))
			return false;
		i += used_next;
	}
	argv[kept] = NULL;
	*argc = kept;
	return true;
}

void opt_print_help(const struct opt *opts)
{
	for (; opts->name; opts++) {
		char left[64];
		snprintf(left, sizeof left, "%s%c%s--%s%s%s", opts->letter ? "-" : " ", opts->letter ? opts->letter : ' ',
			opts->letter ? ", " : "  ", opts->name, opts->arg ? " " : "", opts->arg ? opts->arg : "");
		printf("  %-24s %s\n", left, opts->help);
	}
}
