/* Runs a fuzz target without libFuzzer: each file of a corpus as it is, then seeded mutations of it. The first input that ends
 * the process is in the file named by --save (default: fuzz-crash in the current directory is not written unless asked for). */
#include "base/defs.h"

#include <dirent.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { INPUT_MAX = 1 << 20 };
struct run {
	unsigned long rounds;
	const char *save;
	uint64_t seed;
};

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static size_t mutate(uint8_t *p, size_t n, uint64_t *seed)
{
	static const uint8_t tasty[] = { 0, '\n', '\r', '"', '<', '>', '@', ':', '.', ' ', 0x7f, 0x80, 0xff, '(', '\\', '%' };
	for (uint64_t k = 1 + next_random(seed) % 4; k > 0; k--) {
		size_t at = n ? next_random(seed) % n : 0;
		switch (next_random(seed) % 5) {
		case 0:
			if (n)
				p[at] ^= (uint8_t)(1u << next_random(seed) % 8);
			break;
		case 1:
			if (n)
				p[at] = tasty[next_random(seed) % sizeof(tasty)];
			break;
		case 2:
			n = at;
			break;
		case 3:
			if (n && n + 1 < INPUT_MAX) {
				memmove(p + at + 1, p + at, n - at);
				p[at] = tasty[next_random(seed) % sizeof(tasty)];
				n++;
			}
			break;
		default:
			if (n - at > 1 && n + (n - at) < INPUT_MAX) {
				memmove(p + n, p + at, n - at);
				n += n - at;
			}
		}
	}
	return n;
}

static void one(const struct run *r, const uint8_t *p, size_t n)
{
	if (r->save) {
		FILE *f = fopen(r->save, "wb");
		if (f) {
			fwrite(p, 1, n, f);
			fclose(f);
		}
	}
	/* An exact heap copy, so that a sanitizer sees a read past the end. */
	uint8_t *copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static bool file(struct run *r, const char *dir, const char *name)
{
	static uint8_t base[INPUT_MAX], work[INPUT_MAX];
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	size_t n = fread(base, 1, sizeof(base), f);
	fclose(f);
	one(r, base, n);
	for (unsigned long k = 0; k < r->rounds; k++) {
		memcpy(work, base, n);
		one(r, work, mutate(work, n, &r->seed));
	}
	return true;
}

int main(int argc, char **argv)
{
	struct run r = { .seed = 0x9e3779b97f4a7c15 };
	const char *corpus = NULL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
			r.rounds = strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--save") == 0 && i + 1 < argc)
			r.save = argv[++i];
		else
			corpus = argv[i];
	}
	DIR *d = corpus ? opendir(corpus) : NULL;
	if (!d) {
		fprintf(stderr, "usage: %s [--rounds N] [--save FILE] CORPUS-DIRECTORY\n", argv[0]);
		return 64;
	}
	unsigned long files = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		files += e->d_name[0] != '.' && file(&r, corpus, e->d_name);
	closedir(d);
	printf("%lu files, %lu mutations each\n", files, r.rounds);
	return files ? 0 : 1;
}
