/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime policy: what IMA may find on a machine (ima §7). Compiled once from its text, then
 * immutable and shared by all agents that it holds for, between threads.
 *
 * Digests lie as bytes in one block per map, found by hashing the name; a match allocates nothing.
 */
#pragma once

#include "policy/dsse.h"
#include "policy/exclude_list.h"
#include "policy/ima_keyring.h"
#include "tpm/algorithm.h"

#define RUNTIME_POLICY_ERROR (runtime_policy_error_quark())
typedef enum {
    RUNTIME_POLICY_ERROR_SYNTAX,   /* no JSON object, or an envelope whose payload cannot be read */
    RUNTIME_POLICY_ERROR_FORM,     /* a member; the message begins with its path: "release: ..." */
    RUNTIME_POLICY_ERROR_EXCLUDES, /* a pattern; the message begins with "excludes[2]: " */
} RuntimePolicyError;
GQuark runtime_policy_error_quark(void);

typedef struct {
    bool check_excludes; /* refuse what D45 refuses; otherwise unusable patterns exclude nothing */
    bool accept_dm_policy; /* ima.dm_policy may be an object (decision D49) */
    ImaKeyringRules keyring;
    DsseRules dsse;
    size_t max_values; /* of JSON, for texts of strangers; 0: no limit */
} RuntimePolicyRules;

extern const RuntimePolicyRules runtime_policy_rules_upstream;
extern const RuntimePolicyRules runtime_policy_rules_default;

/* Longest text. */
#define RUNTIME_POLICY_MAX_SIZE (512 * 1024 * 1024)

typedef struct RuntimePolicy RuntimePolicy;

/* `text` is a policy, or a DSSE envelope, which is unwrapped without a look at its signatures. */
RuntimePolicy *runtime_policy_parse(Bytes text, const RuntimePolicyRules *rules, GError **error);
/* The outermost object of such a text, where no name with a NUL passes for a shorter one: what is
 * compiled. Whether the text is signed is to be asked of this one only. */
Json *runtime_policy_outer(Bytes text, GError **error);
/* As runtime_policy_outer(), for a text whose members are to be read: refused where a text of it
 * holds a NUL, at which json-c would end a name. */
Json *runtime_policy_readable(Bytes text, GError **error);
RuntimePolicy *runtime_policy_ref(const RuntimePolicy *policy);
void runtime_policy_unref(RuntimePolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RuntimePolicy, runtime_policy_unref)

typedef enum {
    RUNTIME_POLICY_DIGESTS,  /* path of a file */
    RUNTIME_POLICY_KEYRINGS, /* name of a keyring */
    RUNTIME_POLICY_IMA_BUF,  /* name of another buffer */
} RuntimePolicyMap;
#define RUNTIME_POLICY_MAPS 3

typedef enum {
    RUNTIME_POLICY_NO_SUCH_NAME,
    RUNTIME_POLICY_OTHER_DIGEST,
    RUNTIME_POLICY_MATCH,
} RuntimePolicyMatch;

/* Names are compared byte by byte, digests by length and bytes; the algorithm plays no part
 * (ima §5.2). */
RuntimePolicyMatch runtime_policy_match(const RuntimePolicy *policy, RuntimePolicyMap map,
                                        Bytes name, Bytes digest);
/* Hints, in this order, that a path is asked for soon (policy/digest_map.h): memory is slower than
 * hashing, and can be waited for while something is hashed. */
void runtime_policy_prefetch_slot(const RuntimePolicy *policy, Bytes path);
void runtime_policy_prefetch_record(const RuntimePolicy *policy, Bytes path);
/* Number of names of a map. */
size_t runtime_policy_size(const RuntimePolicy *policy, RuntimePolicyMap map);
/* At most `most` of the digests of a name, as hex texts; NULL-terminated, newly allocated
 * (g_strfreev); empty when there is no such name. What a failure shows as expected. */
char **runtime_policy_expected(const RuntimePolicy *policy, RuntimePolicyMap map, Bytes name,
                               size_t most);

/* Is this name excluded? `scratch` belongs to the caller's thread (policy/exclude_list.h). */
bool runtime_policy_is_excluded(const RuntimePolicy *policy, ExcludeScratch *scratch, Bytes name);
/* Why all patterns are out of use, which only the upstream rules let happen; NULL if they are not.
 */
const char *runtime_policy_excludes_error(const RuntimePolicy *policy);

/* Is this keyring, or "*", in ima.ignored_keyrings? */
bool runtime_policy_ignores_keyring(const RuntimePolicy *policy, Bytes name);
/* TPM_ALG of the log's template hashes: SHA-1, 256, 384 or 512. */
uint16_t runtime_policy_log_hash_alg(const RuntimePolicy *policy);
/* The keys of `verification-keys`; NULL when there are none. Borrowed. */
const ImaKeyring *runtime_policy_verification_keys(const RuntimePolicy *policy);
/* JSON text of the object ima.dm_policy; NULL when it is null. Borrowed. */
const char *runtime_policy_dm_policy(const RuntimePolicy *policy);
/* meta.generator, 0 to 3. */
int runtime_policy_generator(const RuntimePolicy *policy);
/* Should the IMA log be asked for (decision D50)? Any content, or a generator above 1. */
bool runtime_policy_wants_ima(const RuntimePolicy *policy);
/* SHA-256 of the text that was parsed, lower-case hex. Borrowed. */
const char *runtime_policy_checksum(const RuntimePolicy *policy);
/* Bytes of memory that the policy takes, near enough for a cache's account. */
size_t runtime_policy_memory(const RuntimePolicy *policy);
