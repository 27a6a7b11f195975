/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent says that it can prove: the body of POST .../attestations (verifier-push-api §5.3).
 * Reading checks each field by itself; what fits the agent's enrolment is negotiation's matter.
 */
#pragma once

#include "base/timestamp.h"
#include "http/envelope.h"
#include "tpm/pcr.h"
#include "verifier/attestation/field.h"

/* Bounds of what is read; an honest agent is far below each. */
#define CAPABILITIES_MAX_ITEMS 16 /* elements of evidence_supported */
#define CAPABILITIES_MAX_KEYS 8   /* certification_keys of an item */
#define CAPABILITIES_MAX_PUBLIC 2048

typedef struct {
    const char *name;
    uint16_t hash; /* 0: none that we know */
    uint32_t pcrs; /* bit n = PCR n is allocated */
} OfferedBank;

typedef struct {
    bool symmetric;
    const char *algorithm; /* key_algorithm; NULL = not said */
    gint64 size;           /* bits */
    const char *server_identifier, *local_identifier;
    GBytes *public;       /* decoded; NULL = not said */
    const char **schemes; /* allowable_signature_schemes; NULL = any */
    const char **hashes;  /* allowable_hash_algorithms; NULL = any */
} OfferedKey;

/* One item of type tpm_quote. */
typedef struct {
    unsigned position; /* in evidence_supported */
    const char *component_version, *evidence_version;
    const char **schemes; /* signature_schemes */
    const char **hashes;  /* hash_algorithms; NULL = not said */
    bool has_banks;       /* available_subjects was said, and as an object */
    bool banks_as_list;   /* it was a list */
    unsigned bank_count;
    OfferedBank bank[PCR_MAX_BANKS];
    unsigned key_count;
    OfferedKey key[CAPABILITIES_MAX_KEYS];
} OfferedQuote;

/* One item of type uefi_log or ima_log. */
typedef struct {
    unsigned position; /* in evidence_supported */
    const char *component_version, *evidence_version;
    gint64 entry_count; /* -1 = not said */
    bool partial, appendable;
    const char **formats; /* NULL = not said */
} OfferedLog;

typedef struct {
    GPtrArray *quotes;               /* of OfferedQuote, in the order offered; other types */
    GPtrArray *uefi_logs, *ima_logs; /* of OfferedLog; than these are left out */
    Timestamp boot_time;             /* 0 = not said */
    FieldKeep *keep;                 /* what the texts above borrow from besides the request */
} Capabilities;

/*
 * Reads the attributes of the resource (NULL = none were sent). Texts borrow from `attributes`,
 * which must outlive the result. NULL when anything is wrong: every problem was added to `errors`
 * as 422 with its pointer (decision D71).
 */
Capabilities *capabilities_read(Json *attributes, ApiErrors *errors);
void capabilities_free(Capabilities *capabilities);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Capabilities, capabilities_free)

/* The text kept in the database: one quote item, the numbers of PCRs as bits. Newly allocated. */
char *offered_quote_store(const OfferedQuote *quote);

/* A log item's `capabilities` as §5.8 shows them; new reference. */
Json *offered_log_to_json(const OfferedLog *log);

/* From a stored text: the item's `capabilities` as §5.8 shows them; new reference. */
Json *offered_quote_stored_capabilities(Json *stored);
/* From a stored text: the names of the banks offered; borrowed texts, newly allocated array. */
const char **offered_quote_stored_banks(Json *stored);
/* From a stored text: the key of that number as it was offered; new reference, NULL if there is
 * none. */
Json *offered_quote_stored_key(Json *stored, unsigned number);
/* A key as §5.8 shows it; new reference. */
Json *offered_key_to_json(const OfferedKey *key);

/* Numbers of the PCRs in ascending order; new reference. */
Json *pcr_bits_to_json(uint32_t pcrs);
