/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A boot for tests: a list of events that tell of a machine with Secure Boot, shim, grub and Linux,
 * and the reference state that it fits. A test changes one of them and looks for the one failure.
 */
#pragma once

#include "evidence/pcr_check.h"

#define GLOBAL_HEX "61dfe48bca93d211aa0d00e098032b8c"
#define SECURITY_HEX "cbb219d73a3d9645a3bcdad00e67656f"
#define SHIM_HEX "50ab5d6046e00043abb63dd810dd8b23"
#define X509_HEX "a159c0a5e494a74a87b5ab155c2bf072"
#define SHA256_HEX "2616c4c14c509240aca941f936934328"

typedef struct {
    char *label;
    uint32_t pcr, type;
    GByteArray *data;
    GBytes *measured; /* NULL: the data */
} StoryEvent;

/* GPtrArray of StoryEvent, in the order of the log. */
typedef GPtrArray Story;

/* Labels: "version", "blob", "separator 0" to "separator 7", "SecureBoot", "PK", "KEK", "db",
 * "dbx", "boot order", "calling", "shim", "grub", "kernel", "gpt", "exit", "authority db",
 * "SbatLevel", "grub command", "command line", "grub.cfg", "vmlinuz", "initrd", "MokList",
 * "MokListX", "MokListTrusted". */
Story *story_new(void);

StoryEvent *story_find(Story *story, const char *label);
void story_drop(Story *story, const char *label);
/* Replaces what the event says; what was measured stays what it was only when `forged`. */
void story_say(Story *story, const char *label, Bytes data, bool forged);
/* Replaces what was measured, for events whose data do not matter. */
void story_measure(Story *story, const char *label, const char *measured);
/* An event after the one with the label "after", or at the beginning (NULL). */
void story_insert(Story *story, const char *after, uint32_t pcr, uint32_t type, Bytes data);
/* The same with a variable. */
void story_insert_variable(Story *story, const char *after, uint32_t type, const char *guid_hex,
                           const char *name, Bytes data);
/* The content of the variable "label" becomes these bytes. */
void story_set_variable(Story *story, const char *label, const char *guid_hex, Bytes data);

/* An EFI_SIGNATURE_LIST with one key for each text; 16 zero bytes own each. */
GByteArray *story_keys(const char *type_hex, const char *const *texts);

/* The log's bytes, and the reference state as JSON. */
GByteArray *story_log(const Story *story);
Json *story_reference(void);
/* "0x..." of the SHA-256 digest of a text. */
char *story_digest(const char *text);

/* Runs the whole PCR check over the story: the quote has what the log gives. */
typedef struct {
    BootRules rules;
    BootProfile profile;
    uint16_t bank; /* 0: SHA-256 */
    uint32_t pcrs; /* measured_boot_pcrs */
} StoryCheck;
Verdict *story_check(const Story *story, Json *reference, const StoryCheck *check);
