/* What master hands to every daemon: the configuration printed into a sealed memfd. */
#include "base/fd.h"
#include "base/num.h"
#include "config/raw.h"

#define HEAD "# generation "
#define HEAD_UNPRIVILEGED " unprivileged "
#define SNAPSHOT_MAX (4 * CFG_FILE_MAX) /* defaults are spelt out */
#define FAULTS_MAX 20

int cfg_snapshot(const struct cfg *c, struct err *e)
{
	struct buf out = BUF_INIT(SNAPSHOT_MAX);
	buf_putf(&out, HEAD "%llu" HEAD_UNPRIVILEGED "%s\n", (unsigned long long)c->generation, c->unprivileged ? "yes" : "no");
	cfg_print(c, CFG_PRINT_ALL, &out);
	int fd = -1;
	if (!buf_ok(&out))
		err_set(e, ERR_LIMIT, "the configuration is larger than %d bytes when printed", SNAPSHOT_MAX);
	else if ((fd = fd_memfd("postern.conf", e)) >= 0 && (!fd_write_all(fd, out.data, out.len, e) || !fd_seal(fd, e)))
		fd_close(&fd);
	buf_free(&out);
	return fd;
}

static bool parse_head(struct sv *text, uint64_t *ret_generation, bool *ret_unprivileged)
{
	struct sv line;
	if (!sv_cut(text, '\n', &line) || !sv_starts(line, SV(HEAD)))
		return false;
	line = sv_skip(line, sizeof HEAD - 1);
	ptrdiff_t at = sv_find(line, SV(HEAD_UNPRIVILEGED));
	if (at < 0 || !num_u64(sv_sub(line, 0, (size_t)at), 0, UINT64_MAX, ret_generation))
		return false;
	struct sv answer = sv_skip(line, (size_t)at + sizeof HEAD_UNPRIVILEGED - 1);
	*ret_unprivileged = sv_eqs(answer, "yes");
	return sv_eqs(answer, "yes") || sv_eqs(answer, "no");
}

/* No computed defaults and no checks: master did both, and every value is in the text. */
static struct cfg *from_text(struct sv text, struct err *e)
{
	struct vec faults = VEC_INIT(struct cfg_fault, FAULTS_MAX);
	uint64_t generation;
	bool unprivileged;
	struct cfg *c = NULL;
	if (!parse_head(&text, &generation, &unprivileged)) {
		err_set(e, ERR_PERM, "configuration snapshot: its first line is not master's");
		return NULL;
	}
	c = cfg_parse_values(text, &faults);
	if (cfg_errors(&faults) > 0) {
		const struct cfg_fault *f = vec_at(&faults, 0);
		err_set(e, ERR_PERM, "configuration snapshot, line %u: %s", f->line + 1, f->text);
		cfg_free(c);
		c = NULL;
	}
	vec_free(&faults);
	if (c) {
		c->generation = generation;
		c->unprivileged = unprivileged;
	}
	return c;
}

struct cfg *cfg_from_snapshot(int fd, struct err *e)
{
	struct buf text = BUF_INIT(SNAPSHOT_MAX);
	struct cfg *c = NULL;
	if (fd_read_file(fd, &text, e))
		c = from_text(buf_sv(&text), e);
	buf_free(&text);
	return c;
}
