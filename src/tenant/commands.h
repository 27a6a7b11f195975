/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tenant's commands as one table, and what they share.
 */
#pragma once

#include "config/config.h"
#include "tenant/arguments.h"
#include "tenant/server.h"

typedef struct {
    const Config *config;
    const Arguments *arguments;
    const char *agent_id;
    Server *verifier, *registrar;
} Tenant;

#define TENANT_ERROR (tenant_error_quark())
GQuark tenant_error_quark(void);
/* Sets a TENANT_ERROR; always false, so that `return tenant_fail(...)` reads well. */
bool tenant_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

typedef bool (*TenantCommandRun)(Tenant *tenant, GError **error);

typedef struct {
    const char *name;
    TenantCommandRun run;
    bool about_one_agent; /* uses -u */
    const char *help;     /* NULL: an old name of another command */
} TenantCommand;

extern const TenantCommand tenant_commands[]; /* ends with name == NULL */

/* verifier_commands.c */
bool tenant_cvstatus(Tenant *tenant, GError **error);
bool tenant_cvlist(Tenant *tenant, GError **error);
bool tenant_bulkinfo(Tenant *tenant, GError **error);
bool tenant_reactivate(Tenant *tenant, GError **error);
bool tenant_delete(Tenant *tenant, GError **error);
/* registrar_commands.c */
bool tenant_regstatus(Tenant *tenant, GError **error);
bool tenant_reglist(Tenant *tenant, GError **error);
bool tenant_regdelete(Tenant *tenant, GError **error);
/* diagnosis.c */
bool tenant_diagnose(Tenant *tenant, GError **error);
/* enrolment.c */
bool tenant_add(Tenant *tenant, GError **error);
bool tenant_update(Tenant *tenant, GError **error);

/* policy_commands.c */
bool tenant_add_runtime_policy(Tenant *tenant, GError **error);
bool tenant_update_runtime_policy(Tenant *tenant, GError **error);
bool tenant_show_runtime_policy(Tenant *tenant, GError **error);
bool tenant_list_runtime_policy(Tenant *tenant, GError **error);
bool tenant_delete_runtime_policy(Tenant *tenant, GError **error);
bool tenant_add_mb_policy(Tenant *tenant, GError **error);
bool tenant_update_mb_policy(Tenant *tenant, GError **error);
bool tenant_show_mb_policy(Tenant *tenant, GError **error);
bool tenant_list_mb_policy(Tenant *tenant, GError **error);
bool tenant_delete_mb_policy(Tenant *tenant, GError **error);

/* The registrar's record of the agent (`results`); NULL and *absent_status set (the answer's status
 * text, newly allocated) when it has none; NULL with an error otherwise. */
Json *registrar_record(Tenant *tenant, char **absent_status, GError **error);

/* With --json print `value` on stdout, else log `heading` and the value as upstream does
 * ("heading\n{...}"). */
void tenant_print(const Tenant *tenant, const char *heading, Json *value);

/* "Agent ID (ip:port)", "Agent ID"; newly allocated. */
char *agent_words(const Tenant *tenant, Json *registrar_record_or_null);
