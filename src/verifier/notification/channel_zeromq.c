/* SPDX-License-Identifier: Apache-2.0 */
/* One frame without a topic, as upstream's broker publishes it (configuration-and-operations
 * §14.3). The socket is an XPUB, which a subscriber cannot tell from a PUB, but which knows whether
 * anybody subscribes: what nobody would get stays in the outbox. */
#include "base/log.h"
#include "verifier/notification/channel.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

/* Milliseconds that messages on their way have at the end. */
#define LINGER_MS 500
/* A subscription is one byte and a prefix; more is no honest subscriber. */
#define MAX_SUBSCRIPTION 1024
/* How every body begins (notification_body()). */
static const char beginning[] = "{\"msg\": \"";
#define PREFIXES sizeof beginning

#define ZEROMQ_ERROR (g_quark_from_static_string("zeromq"))

typedef struct {
    Channel channel;
    void *context, *socket;
    bool subscribed[PREFIXES]; /* somebody asked for what begins with so many of these bytes */
} Publisher;

/* An XPUB tells of the first subscriber of a prefix (1) and of the end of the last one (0). With
 * any other first byte it is what somebody sent, who counts for nothing. */
static void note_subscription(Publisher *publisher, Bytes told)
{
    if (told.size == 0 || told.size > PREFIXES || told.data[0] > 1 ||
        memcmp(told.data + 1, beginning, told.size - 1) != 0)
        return;
    publisher->subscribed[told.size - 1] = told.data[0] == 1;
}

static bool has_subscribers(Publisher *publisher)
{
    uint8_t told[MAX_SUBSCRIPTION];
    int size;
    while ((size = zmq_recv(publisher->socket, told, sizeof told, ZMQ_DONTWAIT)) >= 0)
        note_subscription(publisher, bytes_of(told, MIN((size_t)size, sizeof told)));
    for (size_t i = 0; i < PREFIXES; i++) {
        if (publisher->subscribed[i])
            return true;
    }
    return false;
}

static ChannelResult publish(Channel *channel, Bytes body, GError **error)
{
    Publisher *publisher = (Publisher *)channel;
    if (!has_subscribers(publisher)) {
        g_set_error_literal(error, ZEROMQ_ERROR, 0, "nobody subscribes");
        return CHANNEL_UNREACHABLE;
    }
    if (zmq_send(publisher->socket, body.data, body.size, ZMQ_DONTWAIT) >= 0)
        return CHANNEL_DELIVERED;
    g_set_error(error, ZEROMQ_ERROR, 0, "cannot publish: %s", zmq_strerror(zmq_errno()));
    return CHANNEL_UNREACHABLE;
}

/* No call of it waits. */
static void interrupt(Channel *channel)
{
}

static void publisher_free(Channel *channel)
{
    Publisher *publisher = (Publisher *)channel;
    if (publisher->socket)
        zmq_close(publisher->socket);
    if (publisher->context)
        zmq_ctx_term(publisher->context);
    g_free(channel->name);
    g_free(channel->label);
    g_free(publisher);
}

static bool open_socket(Publisher *publisher, const char *endpoint)
{
    const int linger = LINGER_MS, ipv6 = 1;
    const int64_t largest = MAX_SUBSCRIPTION;
    publisher->context = zmq_ctx_new();
    publisher->socket = publisher->context ? zmq_socket(publisher->context, ZMQ_XPUB) : NULL;
    return publisher->socket &&
           zmq_setsockopt(publisher->socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
           zmq_setsockopt(publisher->socket, ZMQ_IPV6, &ipv6, sizeof ipv6) == 0 &&
           zmq_setsockopt(publisher->socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest) == 0 &&
           zmq_bind(publisher->socket, endpoint) == 0;
}

Channel *channel_zeromq_new(const Config *config, GError **error)
{
    const char *ip = config_text(config, "revocations", "zmq_ip");
    bool bracket = strchr(ip, ':') && ip[0] != '[';
    g_autofree char *endpoint =
        g_strdup_printf("tcp://%s%s%s:%" G_GINT64_FORMAT, bracket ? "[" : "", ip,
                        bracket ? "]" : "", config_int(config, "revocations", "zmq_port"));
    Publisher *publisher = g_new0(Publisher, 1);
    g_autoptr(Channel) channel = &publisher->channel;
    *channel = (Channel){
        .name = g_strdup(NOTIFICATION_ZEROMQ),
        .label = g_strdup_printf("ZeroMQ %s", endpoint),
        .send = publish,
        .interrupt = interrupt,
        .free = publisher_free,
    };
    if (open_socket(publisher, endpoint))
        return g_steal_pointer(&channel);
    g_set_error(error, ZEROMQ_ERROR, 0,
                "cannot publish notifications on %s: %s (options zmq_ip and zmq_port)", endpoint,
                zmq_strerror(zmq_errno()));
    return NULL;
}
