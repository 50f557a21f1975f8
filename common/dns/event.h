/* event - our event loop, as libunbound wants to see one. Private to dns/. */
#ifndef DNS_EVENT_H
#define DNS_EVENT_H

#include "event/ev.h"

#include <unbound-event.h>

struct ub_event_base *dns_events_new(struct ev_loop *loop);
void dns_events_free(struct ub_event_base *base);

#endif
