/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A way to one receiver of notifications. Each is used by one thread, but for interrupt().
 */
#pragma once

#include "base/bytes.h"
#include "config/config.h"
#include "verifier/notification/notification_settings.h"

typedef struct Channel Channel;

typedef enum {
    CHANNEL_DELIVERED,
    CHANNEL_REFUSED,     /* the receiver answered with an error */
    CHANNEL_UNREACHABLE, /* no answer, or nobody who listens */
    CHANNEL_INTERRUPTED,
} ChannelResult;

struct Channel {
    char *name;  /* key of the outbox: the URL, or NOTIFICATION_ZEROMQ */
    char *label; /* for the log: no path, which may hold a secret */
    /* Sends one body; fills *error unless it is delivered. */
    ChannelResult (*send)(Channel *channel, Bytes body, GError **error);
    /* From another thread: a send() that runs ends soon, and so do all further ones. */
    void (*interrupt)(Channel *channel);
    void (*free)(Channel *channel);
};

static inline void channel_free(Channel *channel)
{
    if (channel)
        channel->free(channel);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Channel, channel_free)

/* POST of the body to `url`. Any 2xx is delivered; redirects are not followed. */
Channel *channel_webhook_new(const Config *config, const NotificationSettings *settings,
                             const char *url, GError **error);
/* Publishes on tcp://zmq_ip:zmq_port; delivered when somebody subscribes. Where the program was
 * built without libzmq, the options do not let it come to this. */
Channel *channel_zeromq_new(const Config *config, GError **error);
