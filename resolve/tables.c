#include "tables.h"
#include "base/log.h"

#include <errno.h>

#define RETRY_MS 1000
#define ALIASES_DEFAULT "text:/etc/aliases"

/* A changed fault is news, the same one is not. `serving`: old content still answers. */
static void tell(struct table *t, const struct err *fault, bool serving)
{
	if (fault->kind == t->fault.kind && strcmp(fault->text, t->fault.text) == 0)
		return;
	t->fault = *fault;
	if (fault->kind == ERR_NONE)
		LOG_INFO("table-good", KV_STR("table", t->what));
	else if (serving)
		LOG_WARN("table-fault", KV_STR("table", t->what), KV_ERR(fault), KV_STR("serving", "old content"));
	else
		LOG_ERROR("table-fault", KV_STR("table", t->what), KV_ERR(fault),
			KV_STR("serving", "nothing: mail is refused for now"));
}

static void try_open(struct table *t, uint64_t now_ms)
{
	struct err e = { .kind = ERR_NONE };

	t->tried_ms = now_ms;
	t->map = map_open(t->spec, t->form, &e);
	if (t->map)
		err_clear(&e);
	if (t->may_be_missing && e.sys == ENOENT) {
		if (t->fault.sys != ENOENT)
			LOG_WARN("no-aliases", KV_ERR(&e));
		t->fault = e;
	} else {
		tell(t, &e, false);
	}
}

void table_init(struct table *t, const char *what, const char *spec, enum map_form form, uint64_t now_ms)
{
	*t = (struct table){ .what = what, .spec = spec, .form = form, .may_be_missing = strcmp(spec, ALIASES_DEFAULT) == 0 };
	if (spec[0])
		try_open(t, now_ms);
}

void table_close(struct table *t)
{
	map_close(t->map);
	t->map = NULL;
}

static enum map_result failed(const struct err *why, struct err *e)
{
	if (e != why)
		*e = *why;
	e->kind = ERR_TEMP;
	snprintf(e->dsn, sizeof(e->dsn), "4.3.0");
	return MAP_FAILED;
}

enum map_result table_get(struct table *t, struct sv key, uint64_t now_ms, struct buf *ret_value, struct err *e)
{
	struct err fault = { .kind = ERR_NONE };

	if (!t->spec[0])
		return MAP_NONE;
	if (!t->map && now_ms - t->tried_ms >= RETRY_MS)
		try_open(t, now_ms);
	if (!t->map)
		return t->may_be_missing && t->fault.sys == ENOENT ? MAP_NONE : failed(&t->fault, e);
	enum map_result r = map_get(t->map, key, now_ms, ret_value, e);
	if (r == MAP_FAILED) {
		tell(t, e, false);
		return failed(e, e);
	}
	map_fault(t->map, &fault);
	tell(t, &fault, true);
	return r;
}
