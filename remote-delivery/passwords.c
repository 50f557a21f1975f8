#include "passwords.h"

#include "base/fd.h"
#include "base/hmap.h"
#include "base/secret.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FILE_MAX (1024 * 1024)
#define SECTIONS_MAX 100000

struct passwords {
	struct buf text; /* the file */
	struct hmap *by_section;
};
struct password {
	struct sv text;
};

static bool read_file(const char *path, struct buf *text, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool ok = fd >= 0 && fstat(fd, &st) == 0;
	if (!ok)
		err_sys(e, ERR_PERM, "relay_password_file = %s", path);
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || (st.st_uid != 0 && st.st_uid != geteuid()))
		ok = err_set(e, ERR_PERM, "relay_password_file = %s: must be root's alone (chown root, chmod 600)", path);
	else
		ok = fd_read_file(fd, text, e);
	fd_close(&fd);
	return ok;
}

static bool take_line(struct passwords *p, const char *path, unsigned number, struct sv line, struct err *e)
{
	struct sv name;
	line = sv_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return true;
	if (!sv_word(&line, &name) || sv_trim(line).n == 0 || sv_trim(line).n > PASSWORD_MAX || sv_chr(line, '\0') >= 0)
		return err_set(e, ERR_PERM, "%s:%u: not a section's name and a password", path, number);
	struct password *w = mem_new(sizeof *w);
	w->text = sv_trim(line);
	void *old = hmap_get(p->by_section, name);
	if (old || !hmap_put(p->by_section, name, w)) {
		free(w);
		return err_set(e, ERR_PERM, "%s:%u: a second line for [relay %.60s]", path, number, old ? "of that name" : "?");
	}
	return true;
}

static bool read_lines(struct passwords *p, const char *path, struct err *e)
{
	struct sv rest = buf_sv(&p->text), line;
	unsigned number = 0;
	while (sv_cut(&rest, '\n', &line))
		if (!take_line(p, path, ++number, line, e))
			return false;
	return true;
}

static bool all_there(const struct passwords *p, const struct cfg *cfg, struct err *e)
{
	for (size_t i = 0; i < cfg->relays.len; i++) {
		const struct cfg_relay *r = VEC_AT(&cfg->relays, struct cfg_relay, i);
		if (r->user[0] != '\0' && !hmap_get(p->by_section, sv_of(r->name)))
			return err_set(e, ERR_PERM,
				"[relay %.60s] has user = %.60s, but relay_password_file has no line with its password", r->name,
				r->user);
	}
	return true;
}

struct passwords *passwords_load(const struct cfg *cfg, struct err *e)
{
	struct passwords *p = mem_new(sizeof *p);
	const char *path = cfg->remote.relay_password_file;
	buf_init(&p->text, FILE_MAX);
	p->by_section = hmap_new(SECTIONS_MAX);
	if ((path[0] == '\0' || (read_file(path, &p->text, e) && read_lines(p, path, e))) && all_there(p, cfg, e))
		return p;
	passwords_free(p);
	return NULL;
}

void passwords_free(struct passwords *p)
{
	if (!p)
		return;
	hmap_free(p->by_section, free);
	if (p->text.data)
		secret_wipe(p->text.data, p->text.len);
	buf_free(&p->text);
	free(p);
}

struct sv password_of(const struct passwords *p, const char *section)
{
	const struct password *w = p ? hmap_get(p->by_section, sv_of(section)) : NULL;
	return w ? w->text : SV("");
}
