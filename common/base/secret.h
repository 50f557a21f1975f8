/* secret - bytes that must not linger: wiped on release, compared in constant time. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/sv.h"

void secret_wipe(void *p, size_t n);
bool secret_eq(struct sv a, struct sv b); /* time depends on a.n only */

#endif
