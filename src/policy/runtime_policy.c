/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/runtime_policy.h"

#include "policy/digest_map.h"
#include "policy/runtime_policy_form.h"

#include <string.h>

G_DEFINE_QUARK(runtime - policy - error - quark, runtime_policy_error)

const RuntimePolicyRules runtime_policy_rules_upstream = {
    .dsse = {.accept_hex = true, .accept_any_type = true}};
const RuntimePolicyRules runtime_policy_rules_default = {
    .check_excludes = true,
    .accept_dm_policy = true,
    .keyring = {.drop_no_base64 = true, .keep_same_ids = true}};

struct RuntimePolicy {
    gatomicrefcount references;
    DigestMap *maps[RUNTIME_POLICY_MAPS];
    ExcludeList *excludes;
    char *excludes_error;
    bool has_excludes, has_keys; /* whether they can be used or not */
    GPtrArray *ignored_keyrings; /* of GBytes */
    ImaKeyring *verification_keys;
    char *dm_policy;
    char *checksum;
    uint16_t log_hash_alg;
    int generator;
};

static const char *const map_names[RUNTIME_POLICY_MAPS] = {
    [RUNTIME_POLICY_DIGESTS] = "digests",
    [RUNTIME_POLICY_KEYRINGS] = "keyrings",
    [RUNTIME_POLICY_IMA_BUF] = "ima-buf",
};

/* --- names with NUL -----------------------------------------------------------------------------
 */

/*
 * json-c ends a member's name at a NUL, so that the policy for one name would hold for a shorter
 * one. Where a text writes \u0000, a character that stands nowhere in it takes its place while
 * json-c has it; names are turned back afterwards.
 */
typedef struct {
    char *text;       /* with the stand-in; NULL when the text has no such escape */
    char stand_in[7]; /* the stand-in itself, UTF-8 */
} HiddenNuls;

/* The next \u0000 whose backslash is not itself escaped. */
static char *next_nul_escape(char *at, const char *start)
{
    while ((at = strstr(at, "\\u0000"))) {
        const char *first = at;
        while (first > start && first[-1] == '\\')
            first--;
        if ((at - first) % 2 == 0)
            return at;
        at++;
    }
    return NULL;
}

/* A noncharacter that the text holds neither as such nor as an escape; 0 when it holds them all. */
static gunichar unused_noncharacter(const char *text)
{
    for (gunichar c = 0xfdd0; c <= 0xfdef; c++) {
        char escape[8], utf8[7] = "";
        g_snprintf(escape, sizeof escape, "u%04x", c);
        g_unichar_to_utf8(c, utf8);
        if (!strcasestr(text, escape) && !strstr(text, utf8))
            return c;
    }
    return 0;
}

static bool hide_nuls(Bytes text, HiddenNuls *nuls, GError **error)
{
    *nuls = (HiddenNuls){0};
    if (text.size == 0 || !memmem(text.data, text.size, "\\u0000", 6))
        return true;
    g_autofree char *copy = g_strndup((const char *)text.data, text.size);
    gunichar c = unused_noncharacter(copy);
    if (c == 0) {
        g_set_error_literal(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_SYNTAX,
                            "holds \\u0000 and every noncharacter that could stand for it");
        return false;
    }
    for (char *at = copy; (at = next_nul_escape(at, copy)); at += 6) {
        char digits[5];
        g_snprintf(digits, sizeof digits, "%04x", c);
        memcpy(at + 2, digits, 4);
    }
    g_unichar_to_utf8(c, nuls->stand_in);
    nuls->text = g_steal_pointer(&copy);
    return true;
}

/* The name as it was meant; newly allocated. */
static GBytes *true_name(const HiddenNuls *nuls, const char *name, size_t size)
{
    if (!nuls->text)
        return g_bytes_new(name, size);
    GByteArray *result = g_byte_array_new();
    for (const char *at = name; at < name + size;) {
        bool nul = g_str_has_prefix(at, nuls->stand_in);
        append_u8(result, nul ? 0 : (uint8_t)*at);
        at += nul ? strlen(nuls->stand_in) : 1;
    }
    return g_byte_array_free_to_bytes(result);
}

static GBytes *true_text(const HiddenNuls *nuls, Json *text)
{
    return true_name(nuls, json_object_get_string(text), (size_t)json_object_get_string_len(text));
}

/* --- compiling ----------------------------------------------------------------------------------
 */

/* Digits that make no whole bytes can be no digest of a file. */
static void add_digest(DigestMapBuilder *builder, Json *value)
{
    Bytes digits = runtime_policy_digest_digits(value);
    uint8_t digest[TPM_MAX_DIGEST];
    /* With a newline the text is none that a digest's digits equal. */
    if (digits.size % 2 != 0 || digits.size != (size_t)json_object_get_string_len(value))
        return;
    for (size_t i = 0; i < digits.size / 2; i++)
        digest[i] = (uint8_t)(g_ascii_xdigit_value((char)digits.data[2 * i]) << 4 |
                              g_ascii_xdigit_value((char)digits.data[2 * i + 1]));
    digest_map_builder_digest(builder, bytes_of(digest, digits.size / 2));
}

static DigestMap *compile_map(Json *map, const HiddenNuls *nuls)
{
    g_autoptr(DigestMapBuilder) builder = digest_map_builder_new();
    json_object_object_foreach (map, name, digests) {
        g_autoptr(GBytes) key = true_name(nuls, name, strlen(name));
        digest_map_builder_name(builder, bytes_of_gbytes(key));
        for (size_t i = 0; i < json_object_array_length(digests); i++)
            add_digest(builder, json_object_array_get_idx(digests, i));
    }
    return digest_map_build(builder);
}

static GPtrArray *texts_of(Json *array, const HiddenNuls *nuls)
{
    GPtrArray *texts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (size_t i = 0; i < json_object_array_length(array); i++)
        g_ptr_array_add(texts, true_text(nuls, json_object_array_get_idx(array, i)));
    return texts;
}

static bool compile_excludes(RuntimePolicy *policy, Json *array, const HiddenNuls *nuls,
                             const RuntimePolicyRules *rules, GError **error)
{
    g_autoptr(GPtrArray) texts = texts_of(array, nuls);
    g_autofree Bytes *patterns = g_new(Bytes, texts->len);
    for (guint i = 0; i < texts->len; i++)
        patterns[i] = bytes_of_gbytes(g_ptr_array_index(texts, i));
    g_autoptr(GError) reason = NULL;
    size_t index = texts->len;
    policy->has_excludes = texts->len > 0;
    policy->excludes = rules->check_excludes
                           ? exclude_list_compile(patterns, texts->len, &index, &reason)
                           : exclude_list_compile_joined(patterns, texts->len, &reason);
    if (policy->excludes)
        return true;
    if (!rules->check_excludes) {
        policy->excludes_error = g_strdup(reason->message);
        return true;
    }
    g_autofree char *element = index < texts->len ? g_strdup_printf("[%zu]", index) : g_strdup("");
    g_set_error(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_EXCLUDES, "excludes%s: %s",
                element, reason->message);
    return false;
}

static void compile_ima(RuntimePolicy *policy, Json *ima, const HiddenNuls *nuls)
{
    policy->log_hash_alg = tpm_hash_from_name(json_member_text(ima, "log_hash_alg"));
    policy->ignored_keyrings = texts_of(json_member(ima, "ignored_keyrings"), nuls);
    Json *dm = json_member(ima, "dm_policy");
    policy->dm_policy = dm ? json_to_text(dm) : NULL;
}

static bool compile(RuntimePolicy *policy, Json *object, const HiddenNuls *nuls,
                    const RuntimePolicyRules *rules, GError **error)
{
    if (!runtime_policy_check_form(object, rules, error) ||
        !compile_excludes(policy, json_member(object, "excludes"), nuls, rules, error))
        return false;
    for (int i = 0; i < RUNTIME_POLICY_MAPS; i++)
        policy->maps[i] = compile_map(json_member(object, map_names[i]), nuls);
    compile_ima(policy, json_member(object, "ima"), nuls);
    policy->generator =
        (int)json_object_get_int64(json_member(json_member(object, "meta"), "generator"));
    /* What cannot be loaded is dropped, as upstream does: the digests then decide (ima §7.3). */
    const char *keys = json_member_text(object, "verification-keys");
    policy->has_keys = keys && *keys;
    policy->verification_keys = ima_keyring_parse(bytes_of_text(keys), &rules->keyring, NULL);
    return true;
}

/* The object of a text, in which NULs are hidden. */
static Json *parse_object(Bytes text, size_t max_values, HiddenNuls *nuls, GError **error)
{
    if (!hide_nuls(text, nuls, error))
        return NULL;
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) object = json_parse_bounded(nuls->text ? bytes_of(nuls->text, text.size) : text,
                                                max_values > 0 ? max_values : G_MAXSIZE, &reason);
    if (object && json_object_is_type(object, json_type_object))
        return g_steal_pointer(&object);
    g_set_error(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_SYNTAX, "%s",
                reason ? reason->message : "not a JSON object");
    g_clear_pointer(&nuls->text, g_free);
    return NULL;
}

Json *runtime_policy_outer(Bytes text, GError **error)
{
    HiddenNuls nuls;
    Json *object = parse_object(text, 0, &nuls, error);
    g_free(nuls.text);
    return object;
}

Json *runtime_policy_readable(Bytes text, GError **error)
{
    g_autoptr(Json) whole = runtime_policy_outer(text, error);
    g_autoptr(Json) object = whole ? json_parse(text, error) : NULL;
    if (!object || json_object_equal(whole, object))
        return g_steal_pointer(&object);
    g_set_error_literal(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_SYNTAX,
                        "holds a NUL (\\u0000), which no file's name has");
    return NULL;
}

static bool compile_text(RuntimePolicy *policy, Bytes text, const RuntimePolicyRules *rules,
                         bool may_be_envelope, GError **error)
{
    HiddenNuls nuls;
    g_autoptr(Json) object = parse_object(text, rules->max_values, &nuls, error);
    if (!object)
        return false;
    g_autofree char *hidden = nuls.text; /* compile() looks whether it is there */
    if (!may_be_envelope || !dsse_is_envelope(object))
        return compile(policy, object, &nuls, rules, error);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GBytes) payload = dsse_payload(object, &rules->dsse, &reason);
    if (payload)
        return compile_text(policy, bytes_of_gbytes(payload), rules, false, error);
    g_set_error_literal(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_SYNTAX, reason->message);
    return false;
}

RuntimePolicy *runtime_policy_parse(Bytes text, const RuntimePolicyRules *rules, GError **error)
{
    if (text.size > RUNTIME_POLICY_MAX_SIZE) {
        g_set_error(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_SYNTAX,
                    "longer than %d bytes", RUNTIME_POLICY_MAX_SIZE);
        return NULL;
    }
    g_autoptr(RuntimePolicy) policy = g_new0(RuntimePolicy, 1);
    g_atomic_ref_count_init(&policy->references);
    policy->checksum = g_compute_checksum_for_data(
        G_CHECKSUM_SHA256, text.size > 0 ? text.data : (const uint8_t *)"", text.size);
    return compile_text(policy, text, rules, true, error) ? g_steal_pointer(&policy) : NULL;
}

RuntimePolicy *runtime_policy_ref(const RuntimePolicy *policy)
{
    RuntimePolicy *shared = (RuntimePolicy *)policy;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void runtime_policy_unref(RuntimePolicy *policy)
{
    if (!policy || !g_atomic_ref_count_dec(&policy->references))
        return;
    for (int i = 0; i < RUNTIME_POLICY_MAPS; i++)
        digest_map_free(policy->maps[i]);
    exclude_list_unref(policy->excludes);
    g_clear_pointer(&policy->ignored_keyrings, g_ptr_array_unref);
    ima_keyring_free(policy->verification_keys);
    g_free(policy->excludes_error);
    g_free(policy->dm_policy);
    g_free(policy->checksum);
    g_free(policy);
}

/* --- asking -------------------------------------------------------------------------------------
 */

RuntimePolicyMatch runtime_policy_match(const RuntimePolicy *policy, RuntimePolicyMap map,
                                        Bytes name, Bytes digest)
{
    switch (digest_map_find(policy->maps[map], name, digest)) {
    case DIGEST_MAP_FOUND:
        return RUNTIME_POLICY_MATCH;
    case DIGEST_MAP_OTHER_DIGEST:
        return RUNTIME_POLICY_OTHER_DIGEST;
    default:
        return RUNTIME_POLICY_NO_SUCH_NAME;
    }
}

void runtime_policy_prefetch_slot(const RuntimePolicy *policy, Bytes path)
{
    digest_map_prefetch_slot(policy->maps[RUNTIME_POLICY_DIGESTS], path);
}

void runtime_policy_prefetch_record(const RuntimePolicy *policy, Bytes path)
{
    digest_map_prefetch_record(policy->maps[RUNTIME_POLICY_DIGESTS], path);
}

size_t runtime_policy_size(const RuntimePolicy *policy, RuntimePolicyMap map)
{
    return digest_map_size(policy->maps[map]);
}

char **runtime_policy_expected(const RuntimePolicy *policy, RuntimePolicyMap map, Bytes name,
                               size_t most)
{
    return digest_map_digests(policy->maps[map], name, most);
}

bool runtime_policy_is_excluded(const RuntimePolicy *policy, ExcludeScratch *scratch, Bytes name)
{
    return exclude_list_matches(policy->excludes, scratch, name);
}

const char *runtime_policy_excludes_error(const RuntimePolicy *policy)
{
    return policy->excludes_error;
}

bool runtime_policy_ignores_keyring(const RuntimePolicy *policy, Bytes name)
{
    for (guint i = 0; i < policy->ignored_keyrings->len; i++) {
        Bytes ignored = bytes_of_gbytes(g_ptr_array_index(policy->ignored_keyrings, i));
        if (bytes_equal(ignored, name) || bytes_equal(ignored, bytes_of_text("*")))
            return true;
    }
    return false;
}

uint16_t runtime_policy_log_hash_alg(const RuntimePolicy *policy)
{
    return policy->log_hash_alg;
}

const ImaKeyring *runtime_policy_verification_keys(const RuntimePolicy *policy)
{
    return policy->verification_keys;
}

const char *runtime_policy_dm_policy(const RuntimePolicy *policy)
{
    return policy->dm_policy;
}

int runtime_policy_generator(const RuntimePolicy *policy)
{
    return policy->generator;
}

bool runtime_policy_wants_ima(const RuntimePolicy *policy)
{
    bool content = policy->has_excludes || policy->has_keys;
    for (int i = 0; i < RUNTIME_POLICY_MAPS; i++)
        content = content || digest_map_size(policy->maps[i]) > 0;
    return content || policy->generator > 1;
}

const char *runtime_policy_checksum(const RuntimePolicy *policy)
{
    return policy->checksum;
}

size_t runtime_policy_memory(const RuntimePolicy *policy)
{
    size_t memory = sizeof *policy;
    for (int i = 0; i < RUNTIME_POLICY_MAPS; i++)
        memory += digest_map_memory(policy->maps[i]);
    return memory;
}
