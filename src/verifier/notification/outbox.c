/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/notification/outbox.h"

#include "base/secret.h"
#include "http/client.h"
#include "verifier/settings.h"

/* --- writing down ---------------------------------------------------------------------------- */

typedef struct {
    char *tpm_policy, *meta_data, *signing_key;
} AgentFacts;

static void agent_facts_clear(AgentFacts *facts)
{
    g_free(facts->tpm_policy);
    g_free(facts->meta_data);
    secret_free_text(facts->signing_key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentFacts, agent_facts_clear)

static bool read_facts(Connection *connection, const char *agent_id, AgentFacts *out,
                       GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "SELECT tpm_policy, meta_data, revocation_key FROM enrolments WHERE agent_id = $1", "t",
        agent_id);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (rows_next(rows, &failure)) {
        out->tpm_policy = g_strdup(rows_text(rows, 0));
        out->meta_data = g_strdup(rows_text(rows, 1));
        out->signing_key = g_strdup(rows_text(rows, 2));
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* Updating the one row is a lock as well: numbers are given in the order of the commits. */
static bool take_numbers(Connection *connection, guint count, gint64 *last, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "INSERT INTO outbox_state (name, last_sequence, dropped) VALUES ('outbox', $1, 0)"
                  " ON CONFLICT (name) DO UPDATE"
                  " SET last_sequence = outbox_state.last_sequence + excluded.last_sequence"
                  " RETURNING last_sequence",
                  "i", (gint64)count);
    if (!rows || !rows_next(rows, error))
        return false;
    *last = rows_int(rows, 0);
    return true;
}

static bool add_delivery(Connection *connection, gint64 sequence, const char *destination,
                         GError **error)
{
    return sql_run(connection, error,
                   "INSERT INTO deliveries (sequence, destination, refusals) VALUES ($1, $2, 0)",
                   "it", sequence, destination);
}

static bool add_one(Connection *connection, const NotificationSettings *settings,
                    const OutboxEvent *event, gint64 sequence, Timestamp now, GError **error)
{
    g_auto(AgentFacts) facts = {0};
    if (!read_facts(connection, event->agent_id, &facts, error))
        return false;
    const Notification notification = {
        .type = event->type,
        .sequence = sequence,
        .time = now,
        .agent_id = event->agent_id,
        .tpm_policy = facts.tpm_policy ? facts.tpm_policy : "{}",
        .meta_data = facts.meta_data ? facts.meta_data : "{}",
        .event_id = event->event_id,
        .severity_label = event->severity_label,
        .context = event->context,
    };
    g_autofree char *message = notification_message(&notification);
    if (!sql_run(connection, error,
                 "INSERT INTO notifications (sequence, type, agent_id, created_at, message,"
                 " signing_key) VALUES ($1, $2, $3, $4, $5, $6)",
                 "ittitt", sequence, notification_type_text(event->type), event->agent_id, now,
                 message, facts.signing_key))
        return false;
    for (const char *const *url = settings->webhooks; url && *url; url++)
        if (!add_delivery(connection, sequence, *url, error))
            return false;
    return !settings->zeromq || add_delivery(connection, sequence, NOTIFICATION_ZEROMQ, error);
}

/* By the numbers, not by counting rows: what is delivered already may cost the oldest their place
 * a little early, and a long outbox costs no more than a short one. */
static bool drop_oldest(Connection *connection, gint64 last_dropped, gint64 unwritten,
                        GError **error)
{
    guint64 dropped = 0;
    if (!sql_change(connection, &dropped, error, "DELETE FROM notifications WHERE sequence <= $1",
                    "i", last_dropped))
        return false;
    return dropped + (guint64)unwritten == 0 ||
           sql_run(connection, error,
                   "UPDATE outbox_state SET dropped = dropped + $1 WHERE name = 'outbox'", "i",
                   (gint64)dropped + unwritten);
}

static bool is_told(const NotificationSettings *settings, const OutboxEvent *event)
{
    return (settings->events & 1u << event->type) != 0;
}

bool outbox_add(Connection *connection, const NotificationSettings *settings,
                const OutboxEvent *events, guint count, Timestamp now, GError **error)
{
    guint told = 0;
    for (guint i = 0; i < count; i++)
        told += is_told(settings, &events[i]) ? 1 : 0;
    if (told == 0 || notification_settings_are_off(settings))
        return true;
    gint64 last = 0;
    if (!take_numbers(connection, told, &last, error))
        return false;
    gint64 sequence = last - told;
    gint64 last_dropped = last - settings->outbox_max;
    gint64 unwritten = MAX(last_dropped - sequence, 0);
    for (guint i = 0; i < count; i++) {
        if (is_told(settings, &events[i]) && ++sequence > last_dropped &&
            !add_one(connection, settings, &events[i], sequence, now, error))
            return false;
    }
    return drop_oldest(connection, last_dropped, unwritten, error);
}

/* --- delivering ------------------------------------------------------------------------------ */

void outbox_item_free(OutboxItem *item)
{
    if (!item)
        return;
    g_free(item->type);
    g_free(item->agent_id);
    g_free(item->message);
    secret_free_text(item->signing_key);
    g_free(item);
}

typedef struct {
    const OutboxDestination *destination;
    Timestamp now;
    bool waiting; /* there is something to deliver, and it is due */
    OutboxItem *item;
} Take;

/* $1 destination, $2 now, $3 holder, $4 the latest that a wait or lease of ours could end: what is
 * later was written before the clock was set back. */
#define DUE                                                                                        \
    "(due_at <= $2 OR due_at > $4) AND (lease_until <= $2 OR lease_until > $4 OR holder = $3)"

static Timestamp latest_end(const Take *take)
{
    return take->now + MAX(take->destination->lease, NOTIFICATION_WAIT_MAX) + CLOCK_SET_BACK;
}

static bool look(Connection *connection, gpointer data, GError **error)
{
    Take *take = data;
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM deliveries WHERE destination = $1)"
        " AND NOT EXISTS (SELECT 1 FROM destinations WHERE destination = $1"
        " AND NOT (" DUE "))",
        "titi", take->destination->name, take->now, take->destination->holder, latest_end(take));
    GError *failure = NULL;
    take->waiting = rows && rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool next_item(Connection *connection, Take *take, gint64 failures, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT notifications.sequence, type, agent_id, message, signing_key, created_at"
                  " FROM deliveries JOIN notifications"
                  " ON notifications.sequence = deliveries.sequence WHERE destination = $1"
                  " ORDER BY refusals, deliveries.sequence LIMIT 1",
                  "t", take->destination->name);
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        take->item = g_new0(OutboxItem, 1);
        take->item->sequence = rows_int(rows, 0);
        take->item->type = g_strdup(rows_text(rows, 1));
        take->item->agent_id = g_strdup(rows_text(rows, 2));
        take->item->message = g_strdup(rows_text(rows, 3));
        take->item->signing_key = g_strdup(rows_text(rows, 4));
        take->item->created_at = rows_int(rows, 5);
        take->item->failures = failures;
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool claim(Connection *connection, gpointer data, GError **error)
{
    Take *take = data;
    const OutboxDestination *destination = take->destination;
    g_clear_pointer(&take->item, outbox_item_free);
    if (!sql_run(connection, error,
                 "INSERT INTO destinations (destination, failures, due_at, holder, lease_until)"
                 " VALUES ($1, 0, 0, '', 0) ON CONFLICT (destination) DO NOTHING",
                 "t", destination->name))
        return false;
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "UPDATE destinations SET holder = $3, lease_until = $2 + $5"
                                     " WHERE destination = $1 AND " DUE " RETURNING failures",
                                     "titii", destination->name, take->now, destination->holder,
                                     latest_end(take), destination->lease);
    GError *failure = NULL;
    if (!rows)
        return false;
    if (rows_next(rows, &failure))
        return next_item(connection, take, rows_int(rows, 0), error);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

bool outbox_take(Database *database, const OutboxDestination *destination, Timestamp now,
                 OutboxItem **out, GError **error)
{
    Take take = {.destination = destination, .now = now};
    *out = NULL;
    if (!database_read(database, look, &take, error))
        return false;
    if (!take.waiting)
        return true;
    bool done = database_write(database, claim, &take, error);
    *out = take.item;
    return done;
}

typedef struct {
    const OutboxDestination *destination;
    const OutboxItem *item; /* NULL: only the lease */
    OutboxFailure *failure; /* NULL: it was delivered */
} Settlement;

/* Two destinations that end at once may each see the other's row still: what they leave behind ends
 * with its age. */
static bool remove_delivery(Connection *connection, const Settlement *settlement, GError **error)
{
    gint64 sequence = settlement->item->sequence;
    return sql_run(connection, error,
                   "DELETE FROM deliveries WHERE destination = $1 AND sequence = $2", "ti",
                   settlement->destination->name, sequence) &&
           sql_run(connection, error,
                   "DELETE FROM notifications WHERE sequence = $1 AND NOT EXISTS"
                   " (SELECT 1 FROM deliveries WHERE deliveries.sequence = $1)",
                   "i", sequence);
}

static bool settle_delivered(Connection *connection, gpointer data, GError **error)
{
    const Settlement *settlement = data;
    return remove_delivery(connection, settlement, error) &&
           sql_run(connection, error,
                   "UPDATE destinations SET failures = 0, due_at = 0, lease_until = 0"
                   " WHERE destination = $1 AND holder = $2",
                   "tt", settlement->destination->name, settlement->destination->holder);
}

bool outbox_delivered(Database *database, const OutboxDestination *destination,
                      const OutboxItem *item, GError **error)
{
    Settlement settlement = {.destination = destination, .item = item};
    return database_write(database, settle_delivered, &settlement, error);
}

static bool count_refusal(Connection *connection, const Settlement *settlement, GError **error)
{
    OutboxFailure *failure = settlement->failure;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "UPDATE deliveries SET refusals = refusals + 1 WHERE destination = $1"
                  " AND sequence = $2 RETURNING refusals",
                  "ti", settlement->destination->name, settlement->item->sequence);
    GError *trouble = NULL;
    if (rows && rows_next(rows, &trouble))
        failure->given_up = failure->max_attempts > 0 && rows_int(rows, 0) >= failure->max_attempts;
    if (trouble)
        g_propagate_error(error, trouble);
    if (!rows || trouble)
        return false;
    return !failure->given_up || remove_delivery(connection, settlement, error);
}

static bool settle_failed(Connection *connection, gpointer data, GError **error)
{
    const Settlement *settlement = data;
    settlement->failure->given_up = false;
    if (settlement->failure->answered && !count_refusal(connection, settlement, error))
        return false;
    return sql_run(connection, error,
                   "UPDATE destinations SET failures = failures + 1, due_at = $3, lease_until = 0"
                   " WHERE destination = $1 AND holder = $2",
                   "tti", settlement->destination->name, settlement->destination->holder,
                   settlement->failure->due);
}

bool outbox_failed(Database *database, const OutboxDestination *destination, const OutboxItem *item,
                   OutboxFailure *failure, GError **error)
{
    Settlement settlement = {.destination = destination, .item = item, .failure = failure};
    return database_write(database, settle_failed, &settlement, error);
}

static bool end_lease(Connection *connection, gpointer data, GError **error)
{
    const OutboxDestination *destination = data;
    return sql_run(connection, error,
                   "UPDATE destinations SET lease_until = 0 WHERE destination = $1 AND holder = $2",
                   "tt", destination->name, destination->holder);
}

bool outbox_release(Database *database, const OutboxDestination *destination, GError **error)
{
    return database_write(database, end_lease, (gpointer)destination, error);
}

/* --- housekeeping ---------------------------------------------------------------------------- */

typedef struct {
    Timestamp oldest;
    bool due;
    GPtrArray *lost;
} Expiry;

static bool look_for_old(Connection *connection, gpointer data, GError **error)
{
    Expiry *expiry = data;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT 1 WHERE EXISTS (SELECT 1 FROM notifications WHERE created_at < $1)"
                  " OR EXISTS (SELECT 1 FROM outbox_state WHERE dropped > 0)",
                  "i", expiry->oldest);
    GError *failure = NULL;
    expiry->due = rows && rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool report_undelivered(Connection *connection, const Expiry *expiry, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT notifications.sequence, type, agent_id, destination FROM notifications"
                  " JOIN deliveries ON deliveries.sequence = notifications.sequence"
                  " WHERE created_at < $1 ORDER BY notifications.sequence",
                  "i", expiry->oldest);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        g_autofree char *host = http_url_host(rows_text(rows, 3));
        g_ptr_array_add(expiry->lost,
                        g_strdup_printf("Notification %" G_GINT64_FORMAT " (%s, agent '%s') to %s"
                                        " is given up: it is older than notification_max_age",
                                        rows_int(rows, 0), rows_text(rows, 1), rows_text(rows, 2),
                                        host ? host : rows_text(rows, 3)));
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool report_dropped(Connection *connection, const Expiry *expiry, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error, "SELECT dropped FROM outbox_state WHERE dropped > 0", "");
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure))
        g_ptr_array_add(expiry->lost,
                        g_strdup_printf("%" G_GINT64_FORMAT " notifications are lost: more than"
                                        " notification_outbox_max waited for their receivers",
                                        rows_int(rows, 0)));
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool expire(Connection *connection, gpointer data, GError **error)
{
    const Expiry *expiry = data;
    g_ptr_array_set_size(expiry->lost, 0);
    return report_undelivered(connection, expiry, error) &&
           report_dropped(connection, expiry, error) &&
           sql_run(connection, error, "DELETE FROM notifications WHERE created_at < $1", "i",
                   expiry->oldest) &&
           sql_run(connection, error, "UPDATE outbox_state SET dropped = 0 WHERE dropped > 0", "");
}

bool outbox_expire(Database *database, const NotificationSettings *settings, Timestamp now,
                   GPtrArray **lost, GError **error)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    Expiry expiry = {.oldest = now - settings->max_age, .lost = lines};
    if (!database_read(database, look_for_old, &expiry, error) ||
        (expiry.due && !database_write(database, expire, &expiry, error)))
        return false;
    *lost = g_steal_pointer(&lines);
    return true;
}
