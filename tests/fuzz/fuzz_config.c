/* A configuration without errors, printed, is one without errors that prints the same. */
#include "config/cfg.h"

#define FAULTS_MAX 100
#define PRINTED_MAX (4 * CFG_FILE_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_faults(const struct vec *faults)
{
	unsigned before = 0;
	for (size_t i = 0; i < faults->len; i++) {
		const struct cfg_fault *f = VEC_AT(faults, struct cfg_fault, i);
		BUG_IF(f->line < before || f->text[0] == '\0' || sv_has_ctl(sv_of(f->text)));
		before = f->line;
	}
}

static void parse_again(const struct cfg *first)
{
	struct buf a = BUF_INIT(PRINTED_MAX), b = BUF_INIT(PRINTED_MAX);
	struct vec faults = VEC_INIT(struct cfg_fault, FAULTS_MAX);
	cfg_print(first, CFG_PRINT_ALL, &a);
	struct cfg *second = cfg_parse(buf_sv(&a), &faults);
	BUG_IF(!second || cfg_errors(&faults) > 0);
	cfg_print(second, CFG_PRINT_ALL, &b);
	BUG_IF(!buf_ok(&a) || !buf_ok(&b) || !sv_eq(buf_sv(&a), buf_sv(&b)));
	cfg_free(second);
	vec_free(&faults);
	buf_free(&a);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct vec faults = VEC_INIT(struct cfg_fault, FAULTS_MAX);
	struct cfg *c = cfg_parse((struct sv){ (const char *)p, n }, &faults);
	check_faults(&faults);
	if (c && cfg_errors(&faults) == 0 && n < CFG_FILE_MAX / 4)
		parse_again(c);
	cfg_free(c);
	vec_free(&faults);
	return 0;
}
