#include "sink.h"
#include "base/fd.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BATCH 65536
#define OUT_MAX ((size_t)1 << 20)
#define FILE_FLAGS (O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* The directory may belong to the log's user: whoever took that user over could have put a link to somebody else's file here,
 * for root to open and give away at the next start. */
static bool is_ours(int fd, const char *name, uid_t uid, struct err *e)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return err_sys(e, ERR_TEMP, "look at %s", name);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_set(e, ERR_PERM, "log file %s is not a plain file with one name", name);
	if (uid != (uid_t)-1 && st.st_uid != uid && st.st_uid != 0)
		return err_set(
			e, ERR_PERM, "log file %s belongs to uid %u: give it to uid %u", name, (unsigned)st.st_uid, (unsigned)uid);
	return true;
}

static bool open_file(int dir, const char *name, uid_t uid, gid_t gid, int *ret_fd, struct err *e)
{
	int fd = openat(dir, name, FILE_FLAGS | O_CREAT, 0640);
	if (fd < 0)
		return err_sys(e, ERR_PERM, "open log file %s", name);
	if (!is_ours(fd, name, uid, e))
		goto fail;
	if (uid != (uid_t)-1 && fchown(fd, uid, gid) < 0) {
		err_sys(e, ERR_PERM, "give log file %s to uid %u", name, (unsigned)uid);
		goto fail;
	}
	*ret_fd = fd;
	return true;
fail:
	fd_close(&fd);
	return false;
}

static bool open_path(struct sink *s, const char *path, uid_t uid, gid_t gid, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	if (path[0] != '/' || !sv_copy(sv_of(slash + 1), s->name, sizeof(s->name)) || s->name[0] == '\0')
		return err_set(e, ERR_PERM, "log_file = %s: must be a path, \"syslog\" or \"stderr\"", path);
	if (!sv_copy((struct sv){ path, (size_t)(slash - path) + 1 }, dir, sizeof(dir)))
		return err_set(e, ERR_PERM, "log_file: the path is too long");
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return err_sys(e, ERR_PERM, "open log directory %s", dir);
	return open_file(s->dir, s->name, uid, gid, &s->fd, e);
}

bool sink_open(struct sink *s, const struct cfg_log *cfg, uid_t uid, gid_t gid, struct err *e)
{
	*s = (struct sink){ .kind = SINK_FILE, .json = cfg->log_format == CFG_LOG_JSON, .dir = -1, .fd = -1 };
	s->out.max = s->packets.max = OUT_MAX;
	if (strcmp(cfg->log_file, "syslog") == 0) {
		s->kind = SINK_SYSLOG;
	} else if (strcmp(cfg->log_file, "stderr") == 0) {
		s->kind = SINK_STDERR;
		s->fd = dup(STDERR_FILENO);
	} else if (!open_path(s, cfg->log_file, uid, gid, e)) {
		sink_close(s);
		return false;
	}
	return true;
}

static void send_syslog(struct sink *s, struct sv packet) { s->lost += !log_to_syslog(packet); }

bool sink_add(struct sink *s, struct sv packet)
{
	if (!(s->json ? log_packet_json(packet, &s->out) : log_packet_text(packet, &s->out)))
		return false;
	if (s->kind == SINK_SYSLOG) {
		send_syslog(s, packet);
		buf_reset(&s->out);
		return true;
	}
	uint32_t n = (uint32_t)packet.n;
	buf_put(&s->packets, &n, sizeof(n));
	buf_putsv(&s->packets, packet);
	return true;
}

bool sink_full(const struct sink *s) { return s->out.len >= BATCH; }
bool sink_empty(const struct sink *s) { return s->out.len == 0; }

static void spill(struct sink *s)
{
	struct sv rest = buf_sv(&s->packets);
	uint32_t n;
	while (rest.n >= sizeof(n)) {
		memcpy(&n, rest.p, sizeof(n));
		send_syslog(s, sv_sub(rest, sizeof(n), n));
		rest = sv_skip(rest, sizeof(n) + n);
	}
}

/* A part of a batch may be in the file when its rest does not fit: syslog then has some lines twice rather than not at all. */
void sink_flush(struct sink *s)
{
	struct err e;
	if (sink_empty(s))
		return;
	if (fd_write_all(s->fd, s->out.data, s->out.len, &e)) {
		if (s->failing)
			LOG_WARN("log-writable", KV_U64("lost", s->lost));
		s->failing = false;
		s->lost = 0;
	} else {
		spill(s);
		if (!s->failing)
			LOG_ERROR("log-unwritable", KV_STR("file", s->name), KV_ERR(&e)); /* comes back to us, and goes to syslog */
		s->failing = true;
	}
	buf_reset(&s->out);
	buf_reset(&s->packets);
}

bool sink_reopen(struct sink *s, struct err *e)
{
	int fd;
	if (s->kind != SINK_FILE)
		return true;
	sink_flush(s);
	if (!open_file(s->dir, s->name, (uid_t)-1, (gid_t)-1, &fd, e))
		return false;
	fd_close(&s->fd);
	s->fd = fd;
	return true;
}

void sink_close(struct sink *s)
{
	fd_close(&s->dir);
	fd_close(&s->fd);
	buf_free(&s->out);
	buf_free(&s->packets);
}
