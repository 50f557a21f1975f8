#include "retry.h"

#define JITTER_PARTS 8 /* 1/8: 12% */

uint32_t retry_pause(const struct cfg_queue *cfg, uint32_t n, uint64_t random)
{
	uint64_t pause = cfg->retry_min;
	for (uint32_t i = 1; i < n && pause < cfg->retry_max; i++)
		pause *= 2;
	pause = MIN(pause, MAX(cfg->retry_max, cfg->retry_min));
	uint64_t spread = pause / JITTER_PARTS;
	pause = pause - spread + random % (2 * spread + 1);
	return (uint32_t)MAX(pause, 1u);
}

uint32_t retry_due(const struct cfg_queue *cfg, uint32_t due, uint32_t now)
{
	uint64_t longest = MAX(cfg->retry_max, cfg->retry_min);
	return (uint32_t)MIN((uint64_t)due, now + longest + longest / JITTER_PARTS);
}

uint64_t retry_expires(const struct cfg_queue *cfg, uint64_t arrived, bool bounce)
{
	return arrived + (bounce ? cfg->bounce_lifetime : cfg->queue_lifetime);
}

bool retry_warn(const struct cfg_queue *cfg, uint64_t arrived, uint64_t now)
{
	return cfg->delay_warning > 0 && now >= arrived + cfg->delay_warning;
}
