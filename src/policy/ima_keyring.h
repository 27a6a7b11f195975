/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings of IMA verification keys: the text of a policy's `verification-keys` (ima §7.3), and the
 * named rings against which a list's signatures are checked and which learn from it (ima §9.6,
 * §10.4). Neither is locked: one thread owns a ring while it may change; an unchanging one may be
 * read by many.
 */
#pragma once

#include "base/json.h"
#include "policy/ima_key.h"

#define IMA_KEYRING_ERROR (ima_keyring_error_quark())
typedef enum {
    IMA_KEYRING_ERROR_NONE,    /* well-formed JSON, or no text, but no keyring */
    IMA_KEYRING_ERROR_INVALID, /* no JSON, or a key's text is no base64 */
    IMA_KEYRING_ERROR_KEY,     /* a key cannot be used, or its stated id is not its own */
} ImaKeyringError;
GQuark ima_keyring_error_quark(void);

/* The ring of the operator's own keys; stored forms leave it out. */
#define IMA_TENANT_KEYRING "tenant_keyring"

typedef struct {
    bool refuse_unusable_keys; /* otherwise such a key is dropped (decision D55) */
    bool drop_no_base64;       /* also a key whose text is no base64; otherwise that is an error */
    bool check_ids;            /* stated ids must be the computed ones (decision D55) */
    bool keep_same_ids; /* otherwise the later of two keys with one id stays (decision D44) */
} ImaKeyringRules;

extern const ImaKeyringRules ima_keyring_rules_upstream; /* all false */
/* For a policy's keys: what cannot be used is dropped, keys of one id are all kept. */
extern const ImaKeyringRules ima_keyring_rules_default;
/* For `ima_sign_verification_keys` at enrolment: strict (decision D55). */
extern const ImaKeyringRules ima_keyring_rules_enrolment;

typedef struct ImaKeyring ImaKeyring;

ImaKeyring *ima_keyring_new(void);
void ima_keyring_free(ImaKeyring *ring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaKeyring, ima_keyring_free)

/* `text` may itself be a JSON text that holds the JSON; of at most 40,000 values. Empty text:
 * IMA_KEYRING_ERROR_NONE. */
ImaKeyring *ima_keyring_parse(Bytes text, const ImaKeyringRules *rules, GError **error);
/*
 * Is this the directly conforming object that an upload needs (ima §7.2 step 8)? The keys
 * themselves are not looked at. The error names the member.
 */
bool ima_keyring_check_form(Bytes text, GError **error);
/* {"pubkeys": [...], "keyids": [...]} as upstream prints it; newly allocated. */
char *ima_keyring_to_text(const ImaKeyring *ring);

/* Adds a reference under the key's own id, unless the very key is there already; true if added. */
bool ima_keyring_add(ImaKeyring *ring, const ImaKey *key);
guint ima_keyring_size(const ImaKeyring *ring);
/* In insertion order; borrowed. `id` may be NULL. Ids that were stated may be any integer. */
const ImaKey *ima_keyring_at(const ImaKeyring *ring, guint index, gint64 *id);

typedef struct ImaKeyrings ImaKeyrings;

ImaKeyrings *ima_keyrings_new(void);
void ima_keyrings_free(ImaKeyrings *rings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaKeyrings, ima_keyrings_free)
/* Copies the lists of keys; the keys are shared. */
ImaKeyrings *ima_keyrings_copy(const ImaKeyrings *rings);

/* Puts a copy of a ring under a name, in place of one that is there. */
void ima_keyrings_set(ImaKeyrings *rings, Bytes name, const ImaKeyring *ring);
/* Adds to the ring of this name, which is appended when there is none yet; true if added. */
bool ima_keyrings_add(ImaKeyrings *rings, Bytes name, const ImaKey *key);
guint ima_keyrings_count(const ImaKeyrings *rings);
/* Ring in insertion order; `name` may be NULL. Borrowed. */
const ImaKeyring *ima_keyrings_at(const ImaKeyrings *rings, guint index, Bytes *name);

/* Where a search goes on; begins as {0}. */
typedef struct {
    guint ring, key;
} ImaKeyCursor;
/* The next key with this id, rings and keys in insertion order; NULL after the last (decision D44:
 * all of them are tried). */
const ImaKey *ima_keyrings_next(const ImaKeyrings *rings, uint32_t id, ImaKeyCursor *cursor);

/*
 * Stored form: an object of ring name -> keyring text, without the tenant's ring. A name that is
 * not UTF-8 has its foreign bytes written as \xHH. New references.
 */
Json *ima_keyrings_to_json(const ImaKeyrings *rings);
ImaKeyrings *ima_keyrings_from_json(Json *object, GError **error);
