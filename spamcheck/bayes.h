/* bayes - the classifier's arithmetic: Robinson's f(w), combined with Fisher's method over the strongest tokens. Pure.
 *
 * G. Robinson, "A Statistical Approach to the Spam Problem", 2003. A token's probability is kept in 16 bits, which is finer than
 * any count behind it. */
#ifndef SPAMCHECK_BAYES_H
#define SPAMCHECK_BAYES_H

#include "base/defs.h"
#include "rules.h"

#define BAYES_TRAINED_MIN 50 /* messages of each class before the classifier speaks: with fewer, chance words decide */
#define BAYES_STRONGEST 150  /* tokens that are combined */
#define BAYES_NEUTRAL 32768u /* 0.5 in sixteen bits */
#define BAYES_WEAK 3277u     /* tokens nearer to 0.5 than 0.05 say nothing and are not kept */

/* spam of all_spam messages have the token, ham of all_ham. Result in 1..65535. */
uint16_t bayes_token(uint64_t spam, uint64_t ham, uint64_t all_spam, uint64_t all_ham);
/* Probability of spam, 0..1, of n tokens' values. Reorders them. 0.5 for none. */
double bayes_combine(uint16_t *q, size_t n);
enum rule_id bayes_rule(double probability);

#endif
