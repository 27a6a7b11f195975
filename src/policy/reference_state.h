/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference state: what a machine is expected to boot, as `keylime-policy create measured-boot`
 * writes it and the policies `example` and `hardware` read it (measured-boot §12.1). Immutable once
 * parsed.
 */
#pragma once

#include "base/json.h"
#include "policy/text_pattern.h"
#include "tpm/algorithm.h"

/* A digest that some event may have. */
typedef struct {
    uint16_t algorithm;
    uint8_t size;
    uint8_t value[TPM_MAX_DIGEST];
} ReferenceDigest;

/* Keys by owner and data (reference_key()); the value is the key's position + 1. */
typedef GHashTable ReferenceKeys;

/* One firmware that may have started the machine. */
typedef struct {
    GArray *scrtm;    /* of ReferenceDigest, any of them; NULL (`hardware` only): no such event */
    GPtrArray *blobs; /* of GArray of ReferenceDigest: one for each event, in their order */
} ReferenceFirmware;

/* A digest of a kernel object; `given` is false for a member that is not there. */
typedef struct {
    bool given;
    ReferenceDigest digest;
} ReferenceFile;

/* One kernel that may run, and what loads it. The last three may be absent for `hardware`: such an
 * event is then not expected. */
typedef struct {
    ReferenceFile shim, grub;
    ReferenceFile kernel;  /* Authenticode digest; with Secure Boot only */
    ReferenceFile vmlinuz; /* of the plain file; without Secure Boot only */
    ReferenceFile initrd;
    TextPattern *cmdline; /* of "kernel_cmdline: " and the member, without a group around it */
} ReferenceKernel;

typedef struct {
    bool secure_boot;
    GPtrArray *kernels;  /* of ReferenceKernel, alternatives; NULL (`hardware` only): not judged */
    GPtrArray *firmware; /* of ReferenceFirmware, alternatives */
    ReferenceKeys *pk, *kek, *db, *dbx, *vendor_db;
    GArray *mok, *mokx;             /* of ReferenceDigest, any of them */
    bool expects_mok, expects_mokx; /* the list is not empty, whether or not a digest fits */
    GPtrArray *notes;               /* of char*: what is allowed, but can hardly be meant */
} ReferenceState;

/*
 * The reference state of a JSON value. With `real_hardware` the members that a log of a real
 * machine may not give (kernels, scrtm, initrd_plain_sha256) may be absent. Error (POLICY_ERROR)
 * names the member's path.
 */
ReferenceState *reference_state_parse(Json *value, bool real_hardware, GError **error);
void reference_state_free(ReferenceState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ReferenceState, reference_state_free)

/* The text under which a key is found in ReferenceKeys: owner as lower-case GUID text, data in
 * hexadecimal. Replaces the content of `text`. */
void reference_key(GString *text, const char *owner, const char *data);
/* One of the digests is this one. An empty `digest` equals none. */
bool reference_digest_equals(const ReferenceDigest *expected, uint16_t algorithm, Bytes digest);
bool reference_digests_hold(const GArray *digests, uint16_t algorithm, Bytes digest);
