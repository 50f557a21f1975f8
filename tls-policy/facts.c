#include "facts.h"

#include "base/fd.h"
#include "base/hmap.h"
#include "base/log.h"
#include "base/num.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX ((size_t)FACTS_ROWS_MAX * 1024)
#define NAME_SIZE 32

struct facts {
	int dir;
	uint64_t day;
	struct hmap *rows;    /* a row's text without its count: struct count */
	struct hmap *domains; /* struct count of rows */
	bool changed, full;
};
struct count {
	uint64_t n;
};

static const char *file_name(uint64_t day, char dst[NAME_SIZE])
{
	time_t t = (time_t)day;
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(dst, NAME_SIZE, "facts-%Y%m%d", &tm);
	return dst;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

bool fact_row_parse(struct sv line, struct fact_row *ret)
{
	struct sv *part[] = { &ret->domain, &ret->type, &ret->policy, &ret->result, &ret->from, &ret->mx, &ret->hello, &ret->to,
		&ret->reason };
	struct sv count;
	if (!sv_cut(&line, '\t', &count) || !num_u64(count, 1, UINT64_MAX, &ret->count))
		return false;
	for (size_t i = 0; i < COUNT(part); i++)
		if (!sv_cut(&line, '\t', part[i]))
			return false;
	return !line.p && ret->domain.n > 0 && ret->domain.n <= FACTS_DOMAIN_MAX && ret->type.n > 0;
}

/* What a peer said must not break a line. */
static void put_part(struct buf *key, const char *text, bool last)
{
	for (const char *p = text; *p; p++)
		buf_putc(key, (unsigned char)*p < ' ' && *p != '\x1f' ? ' ' : *p);
	if (!last)
		buf_putc(key, '\t');
}

static void put_key(const struct fact *f, struct buf *key)
{
	const char *part[] = { f->domain, f->type, f->policy, f->result, f->from, f->mx, f->hello, f->to, f->reason };
	for (size_t i = 0; i < COUNT(part); i++)
		put_part(key, part[i], i + 1 == COUNT(part));
}

static struct count *count_of(struct hmap *m, struct sv key)
{
	struct count *c = hmap_get(m, key);
	if (c)
		return c;
	c = mem_new(sizeof *c);
	if (hmap_put(m, key, c))
		return c;
	free(c);
	return NULL;
}

static void too_many(struct facts *f, struct sv domain)
{
	if (!f->full)
		LOG_WARN("facts-full", KV_SV("domain", domain));
	f->full = true;
}

static void count_row(struct facts *f, struct sv key, struct sv domain, uint64_t n)
{
	struct count *row = hmap_get(f->rows, key);
	if (!row) {
		struct count *rows = count_of(f->domains, domain);
		row = rows && rows->n < FACTS_DOMAIN_ROWS_MAX ? count_of(f->rows, key) : NULL;
		if (!row) {
			too_many(f, domain);
			return;
		}
		rows->n++;
	}
	row->n += n;
	f->changed = true;
}

void facts_add(struct facts *f, const struct fact *fact)
{
	struct buf key = BUF_INIT(FACTS_ROW_MAX);
	put_key(fact, &key);
	if (buf_ok(&key) && fact->domain[0] && strlen(fact->domain) <= FACTS_DOMAIN_MAX)
		count_row(f, buf_sv(&key), sv_of(fact->domain), 1);
	buf_free(&key);
}

/* --- the file -------------------------------------------------------------------------------------------------------------- */

static void read_rows(struct facts *f, struct sv text)
{
	struct sv line;
	while (sv_cut(&text, '\n', &line)) {
		struct fact_row row;
		ptrdiff_t tab = sv_chr(line, '\t');
		if (line.n <= FACTS_ROW_MAX && tab > 0 && fact_row_parse(line, &row))
			count_row(f, sv_skip(line, (size_t)tab + 1), row.domain, row.count);
	}
}

struct facts *facts_open(int dirfd, uint64_t day, struct err *e)
{
	struct facts *f = mem_new(sizeof *f);
	struct buf text = BUF_INIT(FILE_MAX);
	char name[NAME_SIZE];
	struct err why = { 0 };
	*f = (struct facts){ .dir = dirfd, .day = day, .rows = hmap_new(FACTS_ROWS_MAX), .domains = hmap_new(FACTS_ROWS_MAX) };
	bool ok = fd_read_path(dirfd, file_name(day, name), &text, &why) || why.sys == ENOENT;
	if (ok)
		read_rows(f, buf_sv(&text));
	buf_free(&text);
	f->changed = false;
	if (ok)
		return f;
	facts_free(f);
	if (e)
		*e = why;
	return NULL;
}

void facts_free(struct facts *f)
{
	if (!f)
		return;
	hmap_free(f->rows, free);
	hmap_free(f->domains, free);
	free(f);
}

uint64_t facts_day(const struct facts *f) { return f->day; }

static void put_row(struct buf *out, struct sv key, const struct count *c)
{
	buf_putf(out, "%llu\t", (unsigned long long)c->n);
	buf_putsv(out, key);
	buf_putc(out, '\n');
}

static bool write_file(struct facts *f, const char *name, struct err *e)
{
	struct buf out = BUF_INIT(FILE_MAX);
	size_t cursor = 0;
	struct sv key;
	void *count;
	int fd = openat(f->dir, "facts.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, ERR_TEMP, "create facts.new");
	while (hmap_next(f->rows, &cursor, &key, &count))
		put_row(&out, key, count);
	bool ok = (buf_ok(&out) || err_set(e, ERR_LIMIT, "%s would be too large", name)) &&
		  fd_write_all(fd, out.data, out.len, e) && fd_sync(fd, e);
	fd_close(&fd);
	buf_free(&out);
	if (ok && renameat(f->dir, "facts.new", f->dir, name) < 0)
		ok = err_sys(e, ERR_TEMP, "rename facts.new to %s", name);
	return ok;
}

bool facts_save(struct facts *f, struct err *e)
{
	char name[NAME_SIZE];
	bool ok = true;
	file_name(f->day, name);
	if (!f->changed)
		return true;
	if (hmap_len(f->rows) > 0)
		ok = write_file(f, name, e);
	else if (unlinkat(f->dir, name, 0) < 0 && errno != ENOENT)
		ok = err_sys(e, ERR_TEMP, "remove %s", name);
	f->changed = !ok;
	return ok;
}

/* --- domains --------------------------------------------------------------------------------------------------------------- */

bool facts_next_domain(const struct facts *f, char ret[FACTS_DOMAIN_MAX + 1])
{
	size_t cursor = 0;
	struct sv key;
	void *count;
	return hmap_next(f->domains, &cursor, &key, &count) && sv_copy(key, ret, FACTS_DOMAIN_MAX + 1);
}

static bool is_of(struct sv key, const char *domain)
{
	struct sv part;
	return sv_cut(&key, '\t', &part) && sv_eqs(part, domain);
}

void facts_text(const struct facts *f, const char *domain, struct buf *out)
{
	size_t cursor = 0;
	struct sv key;
	void *count;
	while (hmap_next(f->rows, &cursor, &key, &count))
		if (is_of(key, domain) && out->len + key.n + NUM_TEXT_MAX < out->max)
			put_row(out, key, count);
}

void facts_drop(struct facts *f, const char *domain)
{
	size_t cursor = 0;
	struct sv key;
	void *count;
	while (hmap_next(f->rows, &cursor, &key, &count))
		if (is_of(key, domain)) {
			hmap_del(f->rows, key);
			free(count);
		}
	free(hmap_del(f->domains, sv_of(domain)));
	f->changed = true;
}

/* "facts-20261123" to its first second. */
static bool day_of(const char *name, uint64_t *ret)
{
	uint64_t n;
	struct sv s = sv_of(name);
	if (!sv_starts(s, SV("facts-")) || s.n != 14 || !num_u64(sv_skip(s, 6), 19700101, 99991231, &n))
		return false;
	struct tm tm = { .tm_year = (int)(n / 10000) - 1900, .tm_mon = (int)(n / 100 % 100) - 1, .tm_mday = (int)(n % 100) };
	time_t t = timegm(&tm);
	*ret = (uint64_t)t;
	return t >= 0;
}

bool facts_oldest(int dirfd, uint64_t before, uint64_t *ret_day)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t day, oldest = before;
	if (!d)
		fd_close(&fd);
	for (struct dirent *entry; d && (entry = readdir(d)) != NULL;)
		if (day_of(entry->d_name, &day))
			oldest = MIN(oldest, day);
	if (d)
		closedir(d);
	if (oldest < before)
		*ret_day = oldest;
	return oldest < before;
}
