#include "bayes_tab.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/fd.h"
#include "bayes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC UINT64_C(0x5053544e42415931) /* read back in the other byte order it does not match */
#define SLOTS_MIN 64
#define SLOTS_MAX (BAYES_TAB_TOKENS_MAX * 2)
#define VALUE_BITS UINT64_C(0xffff)

struct header {
	uint64_t magic;
	uint64_t crc; /* CRC-32C of all that follows */
	uint64_t slots, spam, ham;
	uint64_t unused[3];
};
#define CRC_FROM offsetof(struct header, slots)
_Static_assert(sizeof(struct header) == 64, "slots stay aligned to cache lines");

static size_t first_slot(uint64_t token, size_t slots) { return (size_t)(token >> 20) & (slots - 1); }

void bayes_tab_close(struct bayes_tab *t)
{
	if (t->map)
		munmap(t->map, t->map_len);
	memset(t, 0, sizeof(*t));
}

static bool check(const struct header *h, size_t len, struct err *e)
{
	if (len < sizeof(*h) || h->magic != MAGIC)
		return err_set(e, ERR_PERM, "not a table of the classifier");
	bool power = h->slots >= SLOTS_MIN && h->slots <= SLOTS_MAX && (h->slots & (h->slots - 1)) == 0;
	if (!power || len != sizeof(*h) + h->slots * sizeof(uint64_t))
		return err_set(e, ERR_PERM, "the classifier's table has a wrong length");
	if (crc32c(0, &h->slots, len - CRC_FROM) != h->crc)
		return err_set(e, ERR_PERM, "the classifier's table is damaged (checksum)");
	return true;
}

static bool map_file(struct bayes_tab *t, int fd, const struct stat *st, struct err *e)
{
	size_t len = (size_t)st->st_size;
	if (len < sizeof(struct header) || len > sizeof(struct header) + SLOTS_MAX * sizeof(uint64_t))
		return err_set(e, ERR_PERM, "the classifier's table has a wrong length");
	void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, ERR_TEMP, "map the classifier's table");
	const struct header *h = map;
	if (!check(h, len, e)) {
		munmap(map, len);
		return false;
	}
	t->map = map;
	t->map_len = len;
	t->slot = (const uint64_t *)(h + 1);
	t->slots = h->slots;
	t->spam = h->spam;
	t->ham = h->ham;
	return true;
}

/* The time too: an inode number is used again when nobody holds the old file. */
static bool same_file(const struct bayes_tab *t, const struct stat *st)
{
	return st->st_dev == t->dev && st->st_ino == t->ino && st->st_ctim.tv_sec == t->changed.tv_sec &&
	       st->st_ctim.tv_nsec == t->changed.tv_nsec;
}

bool bayes_tab_refresh(struct bayes_tab *t, int dirfd, const char *name, struct err *e)
{
	struct stat st;
	bool ok = false;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		bayes_tab_close(t);
		return errno == ENOENT || err_sys(e, ERR_TEMP, "look at %s", name);
	}
	if (same_file(t, &st))
		return true;
	bayes_tab_close(t);
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		err_sys(e, ERR_TEMP, "open %s", name);
	else
		ok = map_file(t, fd, &st, e);
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	t->changed = st.st_ctim;
	fd_close(&fd);
	return ok;
}

static uint16_t look_up(const struct bayes_tab *t, uint64_t token)
{
	size_t i = first_slot(token, t->slots);
	for (size_t tries = 0; tries < t->slots && t->slot[i] != 0; tries++) { /* bounded even if the file has no free slot */
		if (((t->slot[i] ^ token) & ~VALUE_BITS) == 0)
			return (uint16_t)(t->slot[i] & VALUE_BITS);
		i = (i + 1) & (t->slots - 1);
	}
	return 0;
}

bool bayes_tab_judge(const struct bayes_tab *t, const struct tokens *tokens, double *ret)
{
	uint16_t q[TOKENS_MAX];
	size_t n = 0;
	if (!t->slot || t->spam < BAYES_TRAINED_MIN || t->ham < BAYES_TRAINED_MIN)
		return false;
	for (size_t i = 0; i < tokens->n; i++) {
		uint16_t v = look_up(t, tokens->token[i]);
		if (v != 0)
			q[n++] = v;
	}
	*ret = bayes_combine(q, n);
	return true;
}

static void put_entry(uint64_t *slot, size_t slots, const struct bayes_tab_entry *entry)
{
	size_t i = first_slot(entry->token, slots);
	while (slot[i] != 0)
		i = (i + 1) & (slots - 1);
	slot[i] = (entry->token & ~VALUE_BITS) | entry->q;
}

bool bayes_tab_write(int dirfd, const char *name, const struct vec *entries, uint64_t spam, uint64_t ham, struct err *e)
{
	struct header h = { .magic = MAGIC, .slots = SLOTS_MIN, .spam = spam, .ham = ham };
	BUG_IF(entries->len > BAYES_TAB_TOKENS_MAX);
	while (h.slots < 2 * entries->len)
		h.slots *= 2;
	size_t len = h.slots * sizeof(uint64_t);
	uint64_t *slot = mem_new(len);
	for (size_t i = 0; i < entries->len; i++)
		put_entry(slot, h.slots, VEC_AT(entries, struct bayes_tab_entry, i));
	h.crc = crc32c(crc32c(0, &h.slots, sizeof(h) - CRC_FROM), slot, len);
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 || err_sys(e, ERR_TEMP, "create %s", name);
	ok = ok && fd_write_all(fd, &h, sizeof(h), e) && fd_write_all(fd, slot, len, e) && fd_sync(fd, e);
	fd_close(&fd);
	free(slot);
	return ok;
}
