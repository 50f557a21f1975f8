/* The list of parameters as postern.conf(5) has it, in mdoc. */
#include "postern_config.h"

/* A sentence begins a new input line, as mdoc wants it; no line may begin with a control character. */
static void put_text(const char *s)
{
	bool start = true;
	for (; *s; s++) {
		if (start && (*s == '.' || *s == '\''))
			printf("\\&");
		start = false;
		if (*s == '\\') {
			printf("\\e");
		} else if (*s == ' ' && s[-1] == '.' && s[1] >= 'A' && s[1] <= 'Z') {
			putchar('\n');
			start = true;
		} else if (*s == '\n') {
			printf("\n.br\n");
			start = true;
		} else {
			putchar(*s);
		}
	}
	putchar('\n');
}

static void put_param(const struct cfg_param *p)
{
	struct buf what = BUF_INIT(400);
	config_describe(p, &what);
	printf(".It Ic %s\n", p->name);
	put_text(p->help);
	printf(".br\n");
	if (!p->def)
		printf("(%s)\n", buf_str(&what));
	else if (p->def[0] == '\0')
		printf("(%s; default: empty)\n", buf_str(&what));
	else
		printf("(%s; default:\n.Ql %s )\n", buf_str(&what), p->def);
	buf_free(&what);
}

static void put_group(const struct cfg_group *g)
{
	static const struct {
		const char *owner, *title;
	} titles[] = { { "global", "All daemons" }, { "master", "Starting and stopping" }, { "log", "The log" },
		{ "smtpd", "SMTP server" }, { "resolve", "Recipients" }, { "queue", "The queue" }, { "local", "Local delivery" },
		{ "bounce", "Delivery reports" }, { "spam", "Content check" } };
	const char *title = g->owner;
	for (size_t i = 0; i < COUNT(titles); i++)
		if (strcmp(titles[i].owner, g->owner) == 0)
			title = titles[i].title;
	if (g->section)
		printf(".Ss Section [%s NAME]\n", g->owner);
	else
		printf(".Ss %s\n", title);
	printf(".Bl -tag -width Ds\n");
	for (const struct cfg_param *p = g->params; p->name; p++)
		put_param(p);
	printf(".El\n");
}

void config_print_man(void)
{
	for (const struct cfg_group *g = cfg_groups; g->owner; g++)
		put_group(g);
}
