/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/policies/policy_choice.h"

G_DEFINE_QUARK(policy - choice - error - quark, policy_choice_error)

static void choice_clear(PolicyChoice *choice)
{
    g_clear_pointer(&choice->name, g_free);
    g_clear_pointer(&choice->posted, policy_record_free);
}

void policy_choices_clear(PolicyChoices *choices)
{
    choice_clear(&choices->runtime);
    choice_clear(&choices->boot);
}

/* --- refusals --------------------------------------------------------------------------------- */

static const char *noun_of(PolicyKind kind)
{
    return kind == POLICY_RUNTIME ? "IMA policy" : "mb_policy";
}

static void refuse_unknown(PolicyKind kind, const char *name, GError **refused)
{
    g_set_error(refused, POLICY_CHOICE_ERROR, POLICY_CHOICE_UNKNOWN,
                "Could not find %s with name %s!", noun_of(kind), name);
}

static void refuse_taken(PolicyKind kind, const char *name, GError **refused)
{
    g_set_error(refused, POLICY_CHOICE_ERROR, POLICY_CHOICE_TAKEN,
                "%s with name %s already exists. Please use a different name or delete the %s from"
                " the verifier.",
                noun_of(kind), name, kind == POLICY_RUNTIME ? "allowlist" : "mb_policy");
}

/* --- the four cases --------------------------------------------------------------------------- */

static void use_set(PolicyUse *use, const PolicyRecord *policy)
{
    g_free(use->name);
    g_free(use->checksum);
    *use = (PolicyUse){0};
    if (!policy)
        return;
    use->name = g_strdup(policy->name);
    use->checksum = g_strdup(policy->checksum);
    use->wants_log = policy->wants_log;
}

static bool use_named(Connection *connection, PolicyKind kind, const char *name, PolicyUse *use,
                      GError **refused, GError **error)
{
    g_autoptr(PolicyRecord) present = NULL;
    if (!policy_record_lock(connection, kind, name, &present, error))
        return false;
    if (present)
        use_set(use, present);
    else
        refuse_unknown(kind, name, refused);
    return true;
}

static bool store_new(Connection *connection, const PolicyRecord *posted, PolicyUse *use,
                      GError **refused, GError **error)
{
    bool done = false;
    if (!policy_record_insert(connection, posted, &done, error))
        return false;
    if (done)
        use_set(use, posted);
    else
        refuse_taken(posted->kind, posted->name, refused);
    return true;
}

static bool store_own(Connection *connection, const PolicyRecord *posted, const char *agent_id,
                      PolicyUse *use, GError **refused, GError **error)
{
    g_autoptr(PolicyRecord) present = NULL;
    g_autoptr(GPtrArray) users = NULL;
    if (!policy_record_lock(connection, posted->kind, agent_id, &present, error))
        return false;
    if (!present)
        return store_new(connection, posted, use, refused, error);
    if (!policy_record_users(connection, posted->kind, agent_id, agent_id, 1, &users, error))
        return false;
    if (users->len > 0) {
        refuse_taken(posted->kind, agent_id, refused);
        return true;
    }
    bool done = false;
    use_set(use, posted);
    return policy_record_replace(connection, posted, &done, error);
}

static bool apply(Connection *connection, PolicyKind kind, const PolicyChoice *choice,
                  const char *agent_id, PolicyUse *use, GError **refused, GError **error)
{
    if (!choice->given)
        return true;
    if (choice->posted)
        return choice->name ? store_new(connection, choice->posted, use, refused, error)
                            : store_own(connection, choice->posted, agent_id, use, refused, error);
    if (choice->name)
        return use_named(connection, kind, choice->name, use, refused, error);
    use_set(use, NULL);
    return true;
}

bool policy_choices_apply(Connection *connection, const PolicyChoices *choices, AgentRecord *record,
                          GError **refused, GError **error)
{
    if (!apply(connection, POLICY_RUNTIME, &choices->runtime, record->agent_id, &record->runtime,
               refused, error))
        return false;
    return *refused || apply(connection, POLICY_MEASURED_BOOT, &choices->boot, record->agent_id,
                             &record->boot, refused, error);
}

/* --- what is left over ------------------------------------------------------------------------ */

static bool drop_own(Connection *connection, PolicyKind kind, const char *agent_id, GError **error)
{
    g_autoptr(PolicyRecord) present = NULL;
    g_autoptr(GPtrArray) users = NULL;
    if (!policy_record_lock(connection, kind, agent_id, &present, error))
        return false;
    if (!present)
        return true;
    return policy_record_users(connection, kind, agent_id, NULL, 1, &users, error) &&
           (users->len > 0 || policy_record_delete(connection, kind, agent_id, error));
}

bool policy_choices_drop_own(Connection *connection, const char *agent_id, GError **error)
{
    return drop_own(connection, POLICY_RUNTIME, agent_id, error) &&
           drop_own(connection, POLICY_MEASURED_BOOT, agent_id, error);
}
