/* unit - what a unit test file needs: CUnit's assertions and a way to register its suite.
 *
 * tests/unit/<folder>/test_<module>.c exports one `void suite_<module>(void);`, which the build finds by the file's name:
 *
 *   void suite_buf(void)
 *   {
 *           static const struct unit_case cases[] = { UNIT(an_append_past_the_limit_changes_nothing), UNIT_END };
 *           unit_suite("buf", cases);
 *   } */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include "base/defs.h"

#include <CUnit/CUnit.h>

struct unit_case {
	const char *claim;
	void (*fn)(void);
};

/* clang-format off */
#define UNIT(fn) { #fn, fn }
#define UNIT_END { NULL, NULL }
/* clang-format on */
void unit_suite(const char *name, const struct unit_case *cases);

#define SUITE(module) void suite_##module(void);
#include "suites.inc"
#undef SUITE

#endif
