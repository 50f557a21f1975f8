#include "bayes.h"

#include <math.h>
#include <stdlib.h>

/* How much an unseen token weighs against what was counted: Robinson's s, and his x of 0.5. */
#define PRIOR_STRENGTH 0.45
#define PRIOR_VALUE 0.5

static const struct {
	double below;
	enum rule_id rule;
} ranges[] = {
	{ 0.01, RULE_BAYES_00 },
	{ 0.05, RULE_BAYES_05 },
	{ 0.20, RULE_BAYES_20 },
	{ 0.40, RULE_BAYES_40 },
	{ 0.60, RULE_BAYES_50 },
	{ 0.80, RULE_BAYES_60 },
	{ 0.95, RULE_BAYES_80 },
	{ 0.99, RULE_BAYES_95 },
};

uint16_t bayes_token(uint64_t spam, uint64_t ham, uint64_t all_spam, uint64_t all_ham)
{
	double s = all_spam ? MIN((double)spam / (double)all_spam, 1.0) : 0;
	double h = all_ham ? MIN((double)ham / (double)all_ham, 1.0) : 0;
	double n = (double)(spam + ham);
	double p = s + h > 0 ? s / (s + h) : PRIOR_VALUE;
	double f = (PRIOR_STRENGTH * PRIOR_VALUE + n * p) / (PRIOR_STRENGTH + n);
	long q = lround(f * 65536.0);
	return (uint16_t)MAX(1, MIN(q, 65535));
}

static int strength(uint16_t q) { return abs((int)q - (int)BAYES_NEUTRAL); }

static int by_strength(const void *a, const void *b) { return strength(*(const uint16_t *)b) - strength(*(const uint16_t *)a); }

/* The chance that chi-square with 2n degrees of freedom is above 2m. */
static double chi_square_above(double m, size_t n)
{
	double term = exp(-m), sum = term;
	for (size_t i = 1; i < n; i++) {
		term *= m / (double)i;
		sum += term;
	}
	return MIN(sum, 1.0);
}

double bayes_combine(uint16_t *q, size_t n)
{
	double for_spam = 0, for_ham = 0;
	qsort(q, n, sizeof(*q), by_strength);
	n = MIN(n, (size_t)BAYES_STRONGEST);
	if (n == 0)
		return 0.5;
	for (size_t i = 0; i < n; i++) {
		double f = (double)q[i] / 65536.0;
		for_spam += log(1 - f);
		for_ham += log(f);
	}
	double spam = 1 - chi_square_above(-for_spam, n);
	double ham = 1 - chi_square_above(-for_ham, n);
	return (1 + spam - ham) / 2;
}

enum rule_id bayes_rule(double probability)
{
	for (size_t i = 0; i < COUNT(ranges); i++)
		if (probability < ranges[i].below)
			return ranges[i].rule;
	return RULE_BAYES_99;
}
