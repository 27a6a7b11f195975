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
    Server *verifier, *registrar; /* NULL until tenant_connect() */
    TlsFiles *tls;                /* likewise */
    Json *result;                 /* what --json prints; NULL = nothing yet */
    Json *refusal;                /* of a failure: what a server answered; NULL = none did */
    char *advice;                 /* of a failure: what helps; NULL = the error says it */
} Tenant;
void tenant_clear(Tenant *tenant);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Tenant, tenant_clear)

#define TENANT_ERROR (tenant_error_quark())
GQuark tenant_error_quark(void);
/* Sets a TENANT_ERROR; always false, so that `return tenant_fail(...)` reads well. */
bool tenant_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same where a server's answer is why; --json shows it. */
bool tenant_refused(Tenant *tenant, const Server *server, const ServerAnswer *answer,
                    GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* What helps against the failure that is about to be told. */
void tenant_advise(Tenant *tenant, const char *format, ...) G_GNUC_PRINTF(2, 3);

typedef bool (*TenantCommandRun)(Tenant *tenant, GError **error);

typedef struct {
    ToolCommand tool;
    TenantCommandRun run;
    bool about_one_agent;    /* uses -u */
    bool connects_by_itself; /* or finds out why that is not possible */
} TenantCommand;

extern const Tool tenant_tool;
/* NULL: there is no such command. */
const TenantCommand *tenant_find_command(const char *name);

/* connect.c: the TLS files, and both servers, of which none is asked yet. */
bool tenant_connect(Tenant *tenant, GError **error);

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
/* doctor.c */
bool tenant_doctor(Tenant *tenant, GError **error);
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

/* The registrar's record of the agent (`results`); NULL and `*absent` set to the answer when it has
 * none; NULL with an error otherwise. */
Json *registrar_record(Tenant *tenant, ServerAnswer **absent, GError **error);

/* With --json `value` is the result, in place of an earlier one; else log `heading` and the value
 * as upstream does ("heading\n{...}"). */
void tenant_print(Tenant *tenant, const char *heading, Json *value);
/* Before the try after number `attempt` (from 0): options retry_interval, exponential_backoff. */
void tenant_wait_for_retry(const Tenant *tenant, gint64 attempt);
/* The result of --json, in place of an earlier one; NULL = none. Hands `value` over. */
void tenant_set_result(Tenant *tenant, Json *value);
/* The answer's body, or {} where it has none, as the result of --json. */
void tenant_set_answer(Tenant *tenant, const ServerAnswer *answer);

/* "Agent ID (ip:port)", "Agent ID"; newly allocated. */
char *agent_words(const Tenant *tenant, Json *registrar_record_or_null);
