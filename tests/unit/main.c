/* Runs the unit tests: all suites, or those named as arguments. -v: names each test as it begins. */
#include "unit/unit.h"

#include <CUnit/TestRun.h>
#include <signal.h>

#define TEST_MAX_SECS 60 /* a test that takes longer hangs */

static struct {
	char **only;
	bool verbose;
	char now[200]; /* the running test, for the signal handler */
} run;

static bool wanted(const char *suite)
{
	for (char **p = run.only; *p; p++)
		if (strcmp(*p, suite) == 0)
			return true;
	return !run.only[0];
}

void unit_suite(const char *name, const struct unit_case *cases)
{
	CU_pSuite suite = wanted(name) ? CU_add_suite(name, NULL, NULL) : NULL;

	if (wanted(name) && !suite) {
		fprintf(stderr, "suite %s: %s\n", name, CU_get_error_msg());
		exit(2);
	}
	for (; suite && cases->fn; cases++)
		if (!CU_add_test(suite, cases->claim, cases->fn)) {
			fprintf(stderr, "test %s/%s: %s\n", name, cases->claim, CU_get_error_msg());
			exit(2);
		}
}

static void begins(const CU_pTest test, const CU_pSuite suite)
{
	snprintf(run.now, sizeof(run.now), "%s: %s\n", suite->pName, test->pName);
	if (run.verbose)
		fputs(run.now, stdout);
	fflush(stdout);
	alarm(TEST_MAX_SECS);
}

static void ends(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord first)
{
	alarm(0);
	for (CU_pFailureRecord f = first; f; f = f->pNext)
		printf("FAIL %s: %s\n     %s:%u: %s\n", suite->pName, test->pName, f->strFileName ? f->strFileName : "?",
			f->uiLineNumber, f->strCondition ? f->strCondition : "?");
}

static void dies(int signo)
{
	static const char text[] = "DIED or hangs in ";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 || write(STDERR_FILENO, run.now, strlen(run.now)) < 0)
		_exit(3);
	signal(signo, SIG_DFL);
	raise(signo);
}

int main(int argc, char **argv)
{
	unsigned ran, failed;

	run.verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
	run.only = argv + 1 + run.verbose;
	signal(SIGPIPE, SIG_DFL); /* the tests claim that none is raised */
	signal(SIGALRM, dies);
	signal(SIGABRT, dies);
#ifndef POSTERN_ASAN
	signal(SIGSEGV, dies);
#endif
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
#define SUITE(module) suite_##module();
#include "suites.inc"
#undef SUITE
	CU_set_test_start_handler(begins);
	CU_set_test_complete_handler(ends);
	CU_run_all_tests();
	ran = CU_get_number_of_tests_run();
	failed = CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	printf("%u passed, %u failed\n", ran - failed, failed);
	return failed || ran == 0;
}
