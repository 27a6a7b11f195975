/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/policies/policy_store.h"

typedef struct {
    PolicyKind kind;
    const char *name;
    const PolicyRecord *posted;
    PolicyResult result;
    PolicyRecord *record;
    GPtrArray *texts;
} Operation;

static bool create_work(Connection *connection, gpointer data, GError **error)
{
    Operation *operation = data;
    bool done = false;
    if (!policy_record_insert(connection, operation->posted, &done, error))
        return false;
    operation->result = done ? POLICY_DONE : POLICY_EXISTS;
    return true;
}

bool policy_store_create(Database *database, const PolicyRecord *record, PolicyResult *result,
                         GError **error)
{
    Operation operation = {.posted = record};
    bool done = database_write(database, create_work, &operation, error);
    *result = operation.result;
    return done;
}

static bool replace_work(Connection *connection, gpointer data, GError **error)
{
    Operation *operation = data;
    bool done = false;
    if (!policy_record_replace(connection, operation->posted, &done, error))
        return false;
    operation->result = done ? POLICY_DONE : POLICY_NOT_FOUND;
    return true;
}

bool policy_store_replace(Database *database, const PolicyRecord *record, PolicyResult *result,
                          GError **error)
{
    Operation operation = {.posted = record};
    bool done = database_write(database, replace_work, &operation, error);
    *result = operation.result;
    return done;
}

static bool delete_work(Connection *connection, gpointer data, GError **error)
{
    Operation *operation = data;
    g_clear_pointer(&operation->texts, g_ptr_array_unref);
    g_autoptr(PolicyRecord) present = NULL;
    if (!policy_record_lock(connection, operation->kind, operation->name, &present, error))
        return false;
    operation->result = POLICY_NOT_FOUND;
    if (!present)
        return true;
    if (!policy_record_users(connection, operation->kind, operation->name, NULL,
                             POLICY_USERS_SHOWN + 1, &operation->texts, error))
        return false;
    operation->result = operation->texts->len > 0 ? POLICY_IN_USE : POLICY_DONE;
    return operation->result == POLICY_IN_USE ||
           policy_record_delete(connection, operation->kind, operation->name, error);
}

static char *users_text(const GPtrArray *ids)
{
    GString *text = g_string_new(ids->len == 1 ? "agent " : "agents ");
    for (guint i = 0; i < MIN(ids->len, POLICY_USERS_SHOWN); i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
                               (const char *)g_ptr_array_index(ids, i));
    if (ids->len > POLICY_USERS_SHOWN)
        g_string_append(text, " and others");
    return g_string_free(text, FALSE);
}

bool policy_store_delete(Database *database, PolicyKind kind, const char *name,
                         PolicyResult *result, char **users, GError **error)
{
    Operation operation = {.kind = kind, .name = name};
    bool done = database_write(database, delete_work, &operation, error);
    *result = operation.result;
    *users = done && operation.result == POLICY_IN_USE ? users_text(operation.texts) : NULL;
    g_clear_pointer(&operation.texts, g_ptr_array_unref);
    return done;
}

static bool read_work(Connection *connection, gpointer data, GError **error)
{
    Operation *operation = data;
    g_clear_pointer(&operation->record, policy_record_free);
    return policy_record_load(connection, operation->kind, operation->name, &operation->record,
                              error);
}

bool policy_store_read(Database *database, PolicyKind kind, const char *name, PolicyRecord **record,
                       GError **error)
{
    Operation operation = {.kind = kind, .name = name};
    bool done = database_read(database, read_work, &operation, error);
    *record = operation.record;
    return done;
}

static bool names_work(Connection *connection, gpointer data, GError **error)
{
    Operation *operation = data;
    g_clear_pointer(&operation->texts, g_ptr_array_unref);
    return policy_record_names(connection, operation->kind, &operation->texts, error);
}

bool policy_store_names(Database *database, PolicyKind kind, GPtrArray **names, GError **error)
{
    Operation operation = {.kind = kind};
    bool done = database_read(database, names_work, &operation, error);
    *names = operation.texts;
    return done;
}
