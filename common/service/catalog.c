/* The services and the sockets between them. Who you are is the socket you came in on (DESIGN section 4). */
#include "service/service.h"

#include <sys/socket.h>

const struct svc_entry svc_catalog[] = {
	{ "logd", "postern-logd", "postern-log" },
	{ "resolve", "postern-resolve", "postern-resolve" },
	{ "spamcheck", "postern-spamcheck", "postern-spam" },
	{ "queue-mgr", "postern-queue-mgr", "postern-queue" },
	{ "local-delivery", "postern-local-delivery", NULL },
	{ "remote-delivery", "postern-remote-delivery", "postern-remote" },
	{ "bounce", "postern-bounce", "postern-bounce" },
	{ "authd", "postern-authd", "postern-auth" },
	{ "tls-policy", "postern-tls-policy", "postern-tls" },
	{ "smtpd", "postern-smtpd", "postern-smtpd" },
	{ NULL },
};

const struct svc_endpoint svc_endpoints[] = {
	{ "logd.log", SOCK_SEQPACKET, 0660, "postern" },
	{ "resolve.smtpd", SOCK_SEQPACKET, 0660, "postern-smtpd" },
	{ "resolve.local-delivery", SOCK_SEQPACKET, 0600, NULL },
	{ "spamcheck.smtpd", SOCK_SEQPACKET, 0660, "postern-smtpd" },
	{ "spamcheck.learn", SOCK_SEQPACKET, 0660, "postern-adm" },
	{ "queue-mgr.smtpd", SOCK_SEQPACKET, 0660, "postern-smtpd" },
	{ "queue-mgr.local-delivery", SOCK_SEQPACKET, 0600, NULL },
	{ "queue-mgr.remote-delivery", SOCK_SEQPACKET, 0660, "postern-remote" },
	{ "queue-mgr.control", SOCK_SEQPACKET, 0666, NULL },
	{ "local-delivery.queue-mgr", SOCK_SEQPACKET, 0660, "postern-queue" },
	{ "remote-delivery.queue-mgr", SOCK_SEQPACKET, 0660, "postern-queue" },
	{ "bounce.queue-mgr", SOCK_SEQPACKET, 0660, "postern-queue" },
	{ "authd.smtpd", SOCK_SEQPACKET, 0660, "postern-smtpd" },
	{ "authd.control", SOCK_SEQPACKET, 0660, "postern-adm" },
	{ "tls-policy.remote-delivery", SOCK_SEQPACKET, 0660, "postern-remote" },
	{ "smtpd.submit", SOCK_STREAM, 0666, NULL },
	{ "smtpd.lmtp", SOCK_STREAM, 0660, "postern-adm" },
	{ "smtpd.bounce", SOCK_STREAM, 0660, "postern-bounce" },
	{ "smtpd.forward", SOCK_STREAM, 0600, NULL },
	{ "master.control", SOCK_SEQPACKET, 0660, "postern-adm" },
	{ NULL },
};
