/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.revocation_notifier"
#include "verifier/notification/delivery.h"

#include "base/log.h"
#include "base/secret.h"
#include "verifier/notification/channel.h"
#include "verifier/notification/notification_key.h"
#include "verifier/notification/outbox.h"

/* How often a destination is looked at: the time that a notification waits at most when all is
 * well. */
#define LOOK_SPAN G_TIME_SPAN_SECOND
/* What a delivery may take beside the request itself before another process takes it up. */
#define LEASE_MARGIN (15 * TIMESTAMP_SECOND)

/* At the end, a receiver that is about to answer may: it would be told twice otherwise. */
#define STOP_SPAN (2 * G_TIME_SPAN_SECOND)
#define STOP_STEP 5000

typedef struct {
    Verifier *verifier;
    EVP_PKEY *key; /* notification_signing_key, borrowed; or NULL */
    Channel *channel;
    OutboxDestination destination;
    Ticker *ticker;
    gint stopping, busy;
} Courier;

struct Delivery {
    EVP_PKEY *key;
    char *holder;
    GPtrArray *couriers;
};

/* --- one notification ------------------------------------------------------------------------ */

/* The agent's own key, as upstream has it, else the verifier's; "" without either. */
static char *signature_of(const Courier *courier, const OutboxItem *item, GError **error)
{
    if (item->signing_key && *item->signing_key) {
        g_autoptr(EVP_PKEY) key = notification_key_parse(item->signing_key, error);
        return key ? notification_sign(key, item->message, error) : NULL;
    }
    return courier->key ? notification_sign(courier->key, item->message, error) : g_strdup("");
}

static ChannelResult send_item(const Courier *courier, const OutboxItem *item, GError **error)
{
    g_autofree char *signature = signature_of(courier, item, error);
    if (!signature)
        return CHANNEL_REFUSED;
    g_autofree char *body = notification_body(item->message, signature);
    return courier->channel->send(courier->channel, bytes_of_text(body), error);
}

static void report_success(const Courier *courier, const OutboxItem *item)
{
    log_info("Notification %" G_GINT64_FORMAT " (%s, agent '%s') delivered to %s", item->sequence,
             item->type, item->agent_id, courier->channel->label);
    if (item->failures > 0)
        log_info("%s takes notifications again, after %" G_GINT64_FORMAT " failed tries",
                 courier->channel->label, item->failures);
}

/* Of many tries in a row the first, second, fourth, ... are told. */
static void report_failure(const Courier *courier, const OutboxItem *item,
                           const OutboxFailure *failure, Timestamp now, const char *reason)
{
    gint64 tries = item->failures + 1;
    if (failure->given_up)
        log_error("Notification %" G_GINT64_FORMAT " (%s, agent '%s') to %s is given up after"
                  " notification_max_attempts: %s",
                  item->sequence, item->type, item->agent_id, courier->channel->label, reason);
    else
        log_write(LOG_NAME, (tries & (tries - 1)) == 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
                  "Notification %" G_GINT64_FORMAT " (%s, agent '%s') is not delivered to %s: %s;"
                  " failed try %" G_GINT64_FORMAT ", the next in %.1f s",
                  item->sequence, item->type, item->agent_id, courier->channel->label, reason,
                  tries, (double)(failure->due - now) / TIMESTAMP_SECOND);
}

static void settle_failure(const Courier *courier, const OutboxItem *item, ChannelResult result,
                           const char *reason, GError **error)
{
    const NotificationSettings *settings = &courier->verifier->settings.notifications;
    Timestamp now = timestamp_now();
    OutboxFailure failure = {
        .answered = result == CHANNEL_REFUSED,
        .max_attempts = settings->max_attempts,
        .due = now + notification_wait(settings, item->failures + 1),
    };
    if (outbox_failed(courier->verifier->database, &courier->destination, item, &failure, error))
        report_failure(courier, item, &failure, now, reason);
}

/* True when the next one may follow at once. */
static bool deliver(const Courier *courier, const OutboxItem *item, GError **error)
{
    Database *database = courier->verifier->database;
    g_autoptr(GError) reason = NULL;
    ChannelResult result = send_item(courier, item, &reason);
    if (result == CHANNEL_DELIVERED) {
        if (!outbox_delivered(database, &courier->destination, item, error))
            return false;
        report_success(courier, item);
        return true;
    }
    if (result == CHANNEL_INTERRUPTED) {
        outbox_release(database, &courier->destination, error);
        return false;
    }
    g_assert(reason); /* who does not deliver says why */
    settle_failure(courier, item, result, reason->message, error);
    return false;
}

/* --- one destination ------------------------------------------------------------------------- */

static bool deliver_next(Courier *courier, GError **error)
{
    g_autoptr(OutboxItem) item = NULL;
    return outbox_take(courier->verifier->database, &courier->destination, timestamp_now(), &item,
                       error) &&
           item && deliver(courier, item, error);
}

static void deliver_all(gpointer context)
{
    Courier *courier = context;
    g_autoptr(GError) error = NULL;
    g_atomic_int_set(&courier->busy, 1);
    while (!g_atomic_int_get(&courier->stopping) && deliver_next(courier, &error))
        continue;
    g_atomic_int_set(&courier->busy, 0);
    if (error)
        log_error("Cannot deliver notifications to %s: %s", courier->channel->label,
                  error->message);
}

static void courier_free(gpointer data)
{
    Courier *courier = data;
    courier->channel->interrupt(courier->channel);
    ticker_stop(courier->ticker);
    channel_free(courier->channel);
    g_free(courier);
}

/* Takes `channel`, which may be NULL. */
static bool add_courier(Delivery *delivery, Verifier *verifier, Channel *channel, GError **error)
{
    if (!channel)
        return false;
    Courier *courier = g_new0(Courier, 1);
    g_ptr_array_add(delivery->couriers, courier);
    courier->verifier = verifier;
    courier->key = delivery->key;
    courier->channel = channel;
    courier->destination = (OutboxDestination){
        .name = channel->name,
        .holder = delivery->holder,
        .lease = verifier->settings.notifications.request_timeout + LEASE_MARGIN,
    };
    courier->ticker = ticker_start("delivery", LOOK_SPAN, deliver_all, courier, error);
    if (courier->ticker)
        log_info("Notifications leave to %s", channel->label);
    return courier->ticker != NULL;
}

static bool read_key(Delivery *delivery, const Config *config, GError **error)
{
    const char *path = config_text(config, "revocations", "notification_signing_key");
    if (*path == '\0')
        return true;
    delivery->key = pem_file_private_key(path, NULL, error);
    if (delivery->key && notification_key_check(delivery->key, error))
        return true;
    g_prefix_error(error, "notification_signing_key = %s: ", path);
    return false;
}

static bool start(Delivery *delivery, Verifier *verifier, GError **error)
{
    const NotificationSettings *settings = &verifier->settings.notifications;
    const Config *config = verifier->config;
    if (notification_settings_are_off(settings))
        return true;
    if (!read_key(delivery, config, error))
        return false;
    for (const char *const *url = settings->webhooks; url && *url; url++)
        if (!add_courier(delivery, verifier, channel_webhook_new(config, settings, *url, error),
                         error))
            return false;
#ifdef HAVE_ZEROMQ
    return !settings->zeromq ||
           add_courier(delivery, verifier, channel_zeromq_new(config, error), error);
#else
    return true; /* the options cannot ask for more */
#endif
}

Delivery *delivery_start(Verifier *verifier, GError **error)
{
    Delivery *delivery = g_new0(Delivery, 1);
    delivery->holder = uuid_generate();
    delivery->couriers = g_ptr_array_new_with_free_func(courier_free);
    if (start(delivery, verifier, error))
        return delivery;
    delivery_stop(delivery);
    return NULL;
}

static bool is_busy(const Delivery *delivery)
{
    for (guint i = 0; i < delivery->couriers->len; i++) {
        Courier *courier = g_ptr_array_index(delivery->couriers, i);
        if (g_atomic_int_get(&courier->busy))
            return true;
    }
    return false;
}

void delivery_stop(Delivery *delivery)
{
    if (!delivery)
        return;
    for (guint i = 0; i < delivery->couriers->len; i++) {
        Courier *courier = g_ptr_array_index(delivery->couriers, i);
        g_atomic_int_set(&courier->stopping, 1);
    }
    gint64 end = g_get_monotonic_time() + STOP_SPAN;
    while (is_busy(delivery) && g_get_monotonic_time() < end)
        g_usleep(STOP_STEP);
    g_ptr_array_unref(delivery->couriers);
    EVP_PKEY_free(delivery->key);
    g_free(delivery->holder);
    g_free(delivery);
}
