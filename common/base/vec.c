#include "base/vec.h"
#include "base/buf.h"

static char *place(const struct vec *v, size_t i) { return (char *)v->data + i * v->elem; }

void *vec_push(struct vec *v)
{
	BUG_IF(v->elem == 0);
	if (v->len >= v->max)
		return NULL;
	if (v->len == v->cap) {
		size_t cap = MIN(v->max, v->cap ? v->cap * 2 : 8), bytes;
		BUG_IF(__builtin_mul_overflow(cap, v->elem, &bytes));
		v->data = mem_grow(v->data, bytes);
		v->cap = cap;
	}
	return memset(place(v, v->len++), 0, v->elem);
}

void *vec_at(const struct vec *v, size_t i)
{
	BUG_IF(i >= v->len);
	return place(v, i);
}

void vec_pop(struct vec *v)
{
	BUG_IF(v->len == 0);
	v->len--;
}

void vec_remove(struct vec *v, size_t i)
{
	BUG_IF(i >= v->len);
	v->len--;
	memmove(place(v, i), place(v, i + 1), (v->len - i) * v->elem);
}

void vec_swap_remove(struct vec *v, size_t i)
{
	BUG_IF(i >= v->len);
	v->len--;
	if (i != v->len)
		memcpy(place(v, i), place(v, v->len), v->elem);
}

void vec_reset(struct vec *v) { v->len = 0; }

void vec_free(struct vec *v)
{
	free(v->data);
	v->data = NULL;
	v->len = v->cap = 0;
}
