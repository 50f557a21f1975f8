/* vec - growable array with a hard limit on its number of elements.
 *
 * struct vec v = VEC_INIT(struct rcpt, 1000);   struct rcpt *r = vec_push(&v);   VEC_AT(&v, struct rcpt, 0) */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/defs.h"

struct vec {
	void *data;
	size_t len, cap, max, elem;
};

/* clang-format off */
#define VEC_INIT(type, limit) { .elem = sizeof(type), .max = (limit) }
/* clang-format on */
#define VEC_AT(v, type, i) (&((type *)(v)->data)[i])
void *vec_push(struct vec *v);               /* a zeroed new last element, or NULL at the limit; earlier pointers die */
void *vec_at(const struct vec *v, size_t i); /* BUG when out of range */
void vec_pop(struct vec *v);
void vec_remove(struct vec *v, size_t i); /* keeps the order */
void vec_swap_remove(struct vec *v, size_t i);
void vec_reset(struct vec *v);
void vec_free(struct vec *v);

#endif
