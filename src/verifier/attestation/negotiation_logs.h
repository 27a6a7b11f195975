/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which logs an agent must send beside its quote, and from where on (ima §9.2, measured-boot §3.2;
 * decisions D39, D54, D71). Pure.
 */
#pragma once

#include "evidence/ima/push.h"
#include "verifier/attestation/capabilities.h"

#define UEFI_LOG_FORMAT "application/octet-stream"
#define IMA_LOG_FORMAT "text/plain"

/* The PCR that the list explains: it is quoted whenever the list is asked for. */
#define IMA_LOG_PCRS UINT32_C(0x0400)

/* The enrolment's side. */
typedef struct {
    bool wants_uefi, wants_ima;
    uint32_t uefi_pcrs;            /* that the event log explains */
    const ImaPushState *ima_state; /* from which the list goes on */
    const char *ima_reference;     /* what will judge the list */
    uint16_t bank;                 /* that will be quoted; 0 = not agreed on */
    ImaPushRules ima_rules;
} LogTerms;

/* The outcome; borrowed from the capabilities, NULL = not asked for. */
typedef struct {
    const OfferedLog *uefi, *ima;
    gint64 ima_offset;
} NegotiatedLogs;

/* The PCRs that must be quoted for the wanted logs. */
uint32_t log_terms_pcrs(const LogTerms *terms);

/* False when what is offered does not do: what is wrong was added to `errors` as 422. */
bool negotiate_logs(const Capabilities *capabilities, const LogTerms *terms, NegotiatedLogs *out,
                    ApiErrors *errors);
