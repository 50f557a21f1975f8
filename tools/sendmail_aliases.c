/* newaliases: compiles the alias table where it is compiled at all. */
#include "maps/map.h"
#include "sendmail_submit.h"

#include <sysexits.h>

int rebuild_aliases(const struct tool *t)
{
	const char *spec = t->cfg->resolve.aliases;
	struct sv source = sv_of(spec);
	struct buf source_path = BUF_INIT(4096), db_path = BUF_INIT(4096);
	struct err e = { 0 };
	uint64_t n = 0;
	int code = 0;
	if (!sv_starts(source, SV("bdb:"))) {
		printf("%s: nothing to do, `aliases = %s` is read as it is when it changes\n", t->name, spec);
		return 0;
	}
	source = sv_skip(source, 4);
	if (sv_ends(source, SV(".db")))
		source.n -= 3;
	buf_putsv(&source_path, source);
	buf_putf(&db_path, "%s.db", buf_str(&source_path));
	if (map_compile_bdb(buf_str(&source_path), MAP_ALIASES, buf_str(&db_path), &n, &e))
		printf("%s: %llu aliases\n", buf_str(&db_path), (unsigned long long)n);
	else
		code = tool_fail(t, e.kind == ERR_TEMP ? EX_CANTCREAT : EX_DATAERR, "%s", e.text);
	buf_free(&source_path);
	buf_free(&db_path);
	return code;
}
