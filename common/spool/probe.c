/* What the file system below the queue promises (DESIGN D5). statfs alone tells neither of ext4's traps, hence the two probes. */
#include "spool/spool.h"

#include "base/fd.h"
#include "base/num.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif

/* A file that was created (named) first and then fsynced survives with its name: measured with crash images. */
static bool name_first(long type)
{
	static const long known[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, (long)F2FS_SUPER_MAGIC };
	for (size_t i = 0; i < COUNT(known); i++)
		if (type == known[i])
			return true;
	return false;
}

/* The kernel's name of the block device, "sda1": the last part of /sys/dev/block/8:1. */
static bool device_name(int root, char *ret, size_t size)
{
	struct stat st;
	char path[64], target[512];
	if (fstat(root, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	ssize_t n = readlink(path, target, sizeof(target));
	if (n <= 0)
		return false;
	struct sv text = { target, (size_t)n };
	return sv_copy(sv_skip(text, (size_t)(sv_rchr(text, '/') + 1)), ret, size);
}

static bool read_proc(const char *format_dir, const char *dev, const char *file, struct buf *out)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s/%s", format_dir, dev, file);
	return fd_read_path(AT_FDCWD, path, out, NULL);
}

static bool has_journal(const char *dev)
{
	struct buf text = BUF_INIT(1000);
	bool none = read_proc("/sys/fs/ext4", dev, "journal_task", &text) && sv_starts(buf_sv(&text), SV("<none>"));
	buf_free(&text);
	return !none;
}

/* "fc stats:\n12 commits\n..." */
static bool fast_commits(const char *dev, uint64_t *ret)
{
	struct buf text = BUF_INIT(4096);
	struct sv rest, line;
	bool found = false;
	if (read_proc("/proc/fs/ext4", dev, "fc_info", &text)) {
		rest = buf_sv(&text);
		while (!found && sv_cut(&rest, '\n', &line)) {
			struct sv number;
			found = sv_ends(line, SV(" commits")) && sv_word(&line, &number) && num_u64(number, 0, UINT64_MAX, ret);
		}
	}
	buf_free(&text);
	return found;
}

static void sync_probe_file(int root, int n)
{
	char name[32];
	snprintf(name, sizeof(name), "probe.%d.%d", (int)getpid(), n);
	int fd = openat(root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (fd_write_all(fd, name, sizeof(name), NULL) && fd_sync(fd, NULL))
		(void)!fsync(fd);
	close(fd);
	unlinkat(root, name, 0);
}

bool spool_dir_probe(struct spool_dir *d, char *ret_note, size_t note_size, struct err *e)
{
	struct statfs fs;
	char dev[128];
	uint64_t before, after;
	ret_note[0] = '\0';
	if (fstatfs(d->root, &fs) < 0)
		return err_sys(e, ERR_TEMP, "look at the queue's file system");
	d->strict = !name_first(fs.f_type);
	if (fs.f_type != EXT4_SUPER_MAGIC || !device_name(d->root, dev, sizeof(dev)))
		return true;
	if (!has_journal(dev)) {
		d->strict = d->no_journal = true;
		snprintf(ret_note, note_size,
			"ext4 on %s has no journal: no promise about accepted mail holds after a power failure", dev);
		return true;
	}
	if (!fast_commits(dev, &before))
		return true;
	for (int i = 0; i < 2; i++)
		sync_probe_file(d->root, i);
	if (fast_commits(dev, &after) && after > before)
		return err_set(e, ERR_PERM,
			"ext4 on %s uses fast_commit, which loses names: tune2fs -O ^fast_commit, or another file system", dev);
	return true;
}
