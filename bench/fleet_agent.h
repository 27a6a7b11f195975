/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One simulated agent: the requests of the push protocol, composed as the reference shows them
 * (push-agent §19), with a software TPM behind them. Speaks to any server of the protocol.
 */
#pragma once

#include "floor.h"
#include "http/client.h"

typedef struct {
    const char *verifier_url, *registrar_url;
    const char *ca_file;
    unsigned timeout_ms;
} FleetServers;

typedef struct {
    char *id;
    SoftwareTpm *tpm;     /* shared by the agents of a thread; borrowed */
    HttpClient *verifier; /* kept alive, or NULL when each cycle makes its own */
    char *token;
    char *capabilities; /* body of the attestation request, made once */
} FleetAgent;

FleetAgent *fleet_agent_new(const char *id, SoftwareTpm *tpm, GError **error);
void fleet_agent_free(FleetAgent *agent);

HttpClient *fleet_connect(const FleetServers *servers, bool tls, GError **error);

#define FLEET_ERROR (fleet_error_quark())
GQuark fleet_error_quark(void);

/* Each is one or two requests; false with an error that names the status and body on any surprise.
 */
bool fleet_register(FleetAgent *agent, HttpClient *registrar, const char *url, GError **error);
bool fleet_anonymous_session(FleetAgent *agent, HttpClient *client, const char *url,
                             GError **error);
bool fleet_authenticate(FleetAgent *agent, HttpClient *client, const char *url, GError **error);

typedef struct {
    gint64 challenge_us, evidence_us; /* latencies of POST and PATCH */
    bool busy;                        /* 503 or 429: nothing was attested */
    Traffic challenge, evidence;      /* bodies of POST and PATCH, heads not counted */
} FleetCycle;
bool fleet_attest(FleetAgent *agent, HttpClient *client, const char *url, FleetCycle *cycle,
                  GError **error);
/* Body of the enrolment by an administrator (v2). Newly allocated. */
char *fleet_enrolment(const FleetAgent *agent);
