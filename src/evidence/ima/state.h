/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a machine's measurement list after a list passed: how far it is certified, and
 * what was learned from it (ima §4.1, §9.4, §9.6; decisions D40, D44, D49). Owned by one appraisal
 * at a time; stored as text with the attestation.
 */
#pragma once

#include "evidence/ima/device_mapper.h"
#include "policy/ima_keyring.h"
#include "tpm/algorithm.h"

typedef struct {
    guint64 entries;             /* certified: where the next list begins */
    uint16_t bank;               /* of `pcr`; 0 before the first list */
    uint8_t pcr[TPM_MAX_DIGEST]; /* PCR 10 after that many entries */
    bool has_progress;           /* of the last round: */
    guint64 certified, received; /* entries up to the quote, entries in the list */
    ImaKeyrings *learned;        /* never NULL */
    DeviceMapper *device_mapper; /* never NULL */
} ImaState;

/* A machine of which nothing is known: its list begins at 0, PCR 10 with zeros. */
ImaState *ima_state_new(void);
ImaState *ima_state_copy(const ImaState *state);
void ima_state_free(ImaState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaState, ima_state_free)

#define IMA_STATE_ERROR (ima_state_error_quark())
typedef enum { IMA_STATE_ERROR_FORM } ImaStateError;
GQuark ima_state_error_quark(void);

/* The stored form; new references. Reading is strict: the text is ours. */
Json *ima_state_to_json(const ImaState *state);
ImaState *ima_state_from_json(Json *object, GError **error);
char *ima_state_to_text(const ImaState *state);
ImaState *ima_state_from_text(Bytes text, GError **error);
