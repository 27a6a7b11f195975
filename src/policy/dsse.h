/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSSE envelopes around runtime policies (ima §12, decision D46): ECDSA with SHA-256 on any curve
 * over the pre-authentication encoding of type and payload.
 */
#pragma once

#include "base/json.h"

#include <openssl/evp.h>

#define DSSE_ERROR (dsse_error_quark())
typedef enum {
    DSSE_ERROR_FORM,      /* a member is missing, of another type, or no base64 */
    DSSE_ERROR_KEY,       /* not an EC key */
    DSSE_ERROR_SIGNATURE, /* no signature of the envelope is by this key */
    DSSE_ERROR_SIGNING,
} DsseError;
GQuark dsse_error_quark(void);

#define DSSE_POLICY_TYPE "application/vnd.keylime+json"

typedef struct {
    bool accept_hex;      /* payload and signature may be hexadecimal, which is tried first */
    bool accept_any_type; /* the payload's type is signed but may be any */
} DsseRules;
extern const DsseRules dsse_rules_upstream; /* both true */
extern const DsseRules dsse_rules_default;  /* both false */

/* Is this object an envelope? One with a payload that Python takes for true. */
bool dsse_is_envelope(Json *object);
/* The payload's bytes, whatever else the envelope holds. New reference. */
GBytes *dsse_payload(Json *envelope, const DsseRules *rules, GError **error);

/*
 * Succeeds when at least one of the envelope's signatures over its type and payload is by `key`. A
 * missing member, also one without which nothing could be verified, is DSSE_ERROR_FORM. Key ids
 * play no part.
 */
bool dsse_verify(Json *envelope, EVP_PKEY *key, const DsseRules *rules, GError **error);

/* The signed bytes; new reference. */
GBytes *dsse_signed_bytes(const char *payload_type, Bytes payload);
/* Envelope text with one signature; newly allocated. `key` is a private EC key. */
char *dsse_sign(const char *payload_type, Bytes payload, EVP_PKEY *key, const char *key_id,
                GError **error);
/* SHA-256 of the PEM public key's text, lower-case hex, newly allocated: the key id of upstream's
 * ECDSA backend (ima §12.3). NULL for a key that cannot be written. */
char *dsse_key_id(EVP_PKEY *key);
