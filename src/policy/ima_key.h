/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys that verify IMA file signatures (ima §10.3). Immutable and shared between threads.
 */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

#define IMA_KEY_ERROR (ima_key_error_quark())
typedef enum {
    IMA_KEY_ERROR_NOT_A_KEY,   /* nothing in it can be read as a certificate or a key */
    IMA_KEY_ERROR_UNSUPPORTED, /* a key, but neither RSA nor EC */
} ImaKeyError;
GQuark ima_key_error_quark(void);

typedef enum { IMA_KEY_RSA, IMA_KEY_EC } ImaKeyKind;

/* Longest text or DER that is looked at; a certificate with a 16,384-bit key has about 5 KiB. */
#define IMA_KEY_MAX_SIZE 65536

typedef struct ImaKey ImaKey;

/*
 * Tried in this order: DER certificate, PEM certificate, DER public key, PEM public key, DER
 * private key, PEM private key (unencrypted; the public half is kept). Public keys as
 * SubjectPublicKeyInfo or PKCS#1. In PEM, text and blocks of other kinds before the block are
 * passed over and the first of its kind counts; DER must be consumed to its end. Never asks for a
 * password.
 */
ImaKey *ima_key_parse(Bytes data, GError **error);
/* Only a DER public key: an element of a keyring's text (ima §7.3). */
ImaKey *ima_key_parse_public(Bytes der, GError **error);
ImaKey *ima_key_ref(const ImaKey *key);
void ima_key_unref(ImaKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaKey, ima_key_unref)

ImaKeyKind ima_key_kind(const ImaKey *key);
/*
 * Key id: the last four bytes of a certificate's subject key identifier; without one of at least
 * four bytes, or when these are zero, and for bare keys, of SHA-1 over the PKCS#1 form (RSA) or the
 * uncompressed point (EC).
 */
uint32_t ima_key_id(const ImaKey *key);
/* Borrowed; only its public half exists. Safe to verify with from several threads at once. */
EVP_PKEY *ima_key_pkey(const ImaKey *key);
/* DER SubjectPublicKeyInfo, an EC point in the form in which it came. Borrowed. */
Bytes ima_key_spki(const ImaKey *key);
/* SHA-256 of the SubjectPublicKeyInfo, 32 bytes: the key's name in caches. */
Bytes ima_key_identity(const ImaKey *key);
