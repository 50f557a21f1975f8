#include "unit/unit.h"
#include "base/clock.h"
#include "users.h"

#include <dirent.h>
#include <signal.h>

struct world {
	struct ev_loop *loop;
	struct users *users;
	struct cfg_resolve cfg;
	unsigned done;
};

static void on_done(void *arg, uint64_t asker_id)
{
	struct world *w = arg;

	CU_ASSERT_EQUAL(asker_id, 7);
	w->done++;
}

static void world_make(struct world *w, uint64_t cache_secs, uint64_t timeout_secs, uint64_t helpers)
{
	struct err e;

	*w = (struct world){ .loop = ev_new(&e) };
	w->cfg = (struct cfg_resolve){ .resolve_cache = cache_secs, .nss_timeout = timeout_secs, .nss_helpers = helpers };
	const struct users_limits limits = { w->cfg.resolve_cache * 1000, w->cfg.nss_timeout * 1000, w->cfg.nss_helpers };
	w->users = users_new(w->loop, &limits, on_done, w);
	ev_turn(w->loop, 0);
}

static void world_free(struct world *w)
{
	users_free(w->users);
	ev_free(w->loop);
}

static void turn_until(struct world *w, unsigned done)
{
	uint64_t end = clock_mono_ms() + 10000;

	while (w->done < done && clock_mono_ms() < end)
		ev_turn(w->loop, 100);
	CU_ASSERT_EQUAL(w->done, done);
}

/* Asks again and again, as a decision does, until there is an answer. */
static enum user_result look_up(struct world *w, const char *name, struct user *ret, struct err *e)
{
	struct asker asker = { .id = 7, .since_ms = ev_now_ms(w->loop) };
	enum user_result r;

	for (;;) {
		unsigned done = w->done;
		asker.waiting = 0;
		r = name ? users_by_name(w->users, name, &asker, ret, e) : users_by_uid(w->users, 0, &asker, ret, e);
		if (r != USER_PENDING)
			return r;
		CU_ASSERT_EQUAL(asker.waiting, 1);
		turn_until(w, done + 1);
	}
}

static void users_are_found_by_name_and_uid(void)
{
	struct world w;
	struct user u;
	struct err e = { .kind = ERR_NONE };

	world_make(&w, 0, 10, 2);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	CU_ASSERT_TRUE(u.uid == 0 && u.gid == 0 && u.home[0] == '/' && strcmp(u.name, "root") == 0 && u.groups[0] == '0');
	CU_ASSERT_EQUAL(look_up(&w, NULL, &u, &e), USER_FOUND);
	CU_ASSERT_STRING_EQUAL(u.name, "root");
	CU_ASSERT_EQUAL(look_up(&w, "no-such-user-here", &u, &e), USER_NONE);
	CU_ASSERT_EQUAL(look_up(&w, "a-name-of-more-than-64-bytes-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &u, &e), USER_NONE);
	world_free(&w);
}

static void answers_are_remembered_as_long_as_configured(void)
{
	struct world w;
	struct user u;
	struct err e;

	world_make(&w, 300, 10, 1);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	CU_ASSERT_EQUAL(w.done, 1);
	world_free(&w);
	world_make(&w, 0, 10, 1);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	usleep(2000); /* the clock counts milliseconds: the answer must be older than the next question */
	ev_turn(w.loop, 0);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	CU_ASSERT_EQUAL(w.done, 2);
	world_free(&w);
}

static void one_look_up_serves_all_who_ask(void)
{
	struct world w;
	struct user u;
	struct err e;
	struct asker asker = { .id = 7 };

	world_make(&w, 5, 10, 1);
	CU_ASSERT_EQUAL(users_by_name(w.users, "root", &asker, &u, &e), USER_PENDING);
	CU_ASSERT_EQUAL(users_by_name(w.users, "root", &asker, &u, &e), USER_PENDING);
	CU_ASSERT_EQUAL(users_by_name(w.users, "bin", &asker, &u, &e), USER_PENDING);
	CU_ASSERT_EQUAL(asker.waiting, 2);
	turn_until(&w, 2);
	world_free(&w);
}

/* Stops or kills the children of this process. */
static void signal_children(int signo)
{
	char path[64], text[20000] = "", *end; /* other suites may have left some */

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	FILE *f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	if (fgets(text, sizeof(text), f))
		for (long pid = strtol(text, &end, 10); pid > 0; pid = strtol(end, &end, 10))
			kill((pid_t)pid, signo);
	fclose(f);
	CU_ASSERT_TRUE(text[0] != '\0');
}

static void a_stuck_name_service_is_an_error_in_time_and_is_replaced(void)
{
	struct world w;
	struct user u;
	struct err e = { .kind = ERR_NONE };

	world_make(&w, 0, 1, 1);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND); /* there is a helper now */
	signal_children(SIGSTOP);
	uint64_t before = clock_mono_ms();
	CU_ASSERT_EQUAL(look_up(&w, "bin", &u, &e), USER_FAILED);
	CU_ASSERT_TRUE(e.kind == ERR_TEMP && strstr(e.text, "in time") && strcmp(e.dsn, "4.3.0") == 0);
	CU_ASSERT_TRUE(clock_mono_ms() - before < 5000);
	CU_ASSERT_EQUAL(look_up(&w, "daemon", &u, &e), USER_FOUND);
	world_free(&w);
}

static void a_helper_that_dies_is_replaced(void)
{
	struct world w;
	struct user u;
	struct err e = { .kind = ERR_NONE };
	struct asker asker = { .id = 7 };

	world_make(&w, 0, 10, 1);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	signal_children(SIGSTOP);
	CU_ASSERT_EQUAL(users_by_name(w.users, "bin", &asker, &u, &e), USER_PENDING);
	ev_turn(w.loop, 10);
	signal_children(SIGKILL);
	turn_until(&w, 2);
	CU_ASSERT_EQUAL(users_by_name(w.users, "bin", &asker, &u, &e), USER_FAILED);
	CU_ASSERT_EQUAL(look_up(&w, "root", &u, &e), USER_FOUND);
	world_free(&w);
}

void suite_users(void)
{
	static const struct unit_case cases[] = {
		UNIT(users_are_found_by_name_and_uid),
		UNIT(answers_are_remembered_as_long_as_configured),
		UNIT(one_look_up_serves_all_who_ask),
		UNIT(a_stuck_name_service_is_an_error_in_time_and_is_replaced),
		UNIT(a_helper_that_dies_is_replaced),
		UNIT_END,
	};
	unit_suite("users", cases);
}
