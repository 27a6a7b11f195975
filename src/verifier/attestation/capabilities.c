/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/capabilities.h"

#include <string.h>

#define EVIDENCE_POINTER "/data/attributes/evidence_supported"

static void clear_quote(gpointer data)
{
    OfferedQuote *quote = data;
    for (unsigned i = 0; i < quote->key_count; i++)
        g_bytes_unref(quote->key[i].public);
    g_free(quote);
}

void capabilities_free(Capabilities *capabilities)
{
    if (!capabilities)
        return;
    g_ptr_array_unref(capabilities->quotes);
    g_ptr_array_unref(capabilities->uefi_logs);
    g_ptr_array_unref(capabilities->ima_logs);
    field_keep_free(capabilities->keep);
    g_free(capabilities);
}

/* --- certification keys -------------------------------------------------------------------- */

/* Schemes that we know belong to one family of keys each; others are nobody's business here. */
static bool scheme_contradicts(const char *scheme, const char *algorithm)
{
    static const char *const rsa[] = {"rsassa", "rsapss", NULL};
    static const char *const ecc[] = {"ecdsa", "ecdaa", "ecschnorr", NULL};
    if (g_strv_contains(rsa, scheme))
        return g_ascii_strcasecmp(algorithm, "rsa") != 0;
    return g_strv_contains(ecc, scheme) && g_ascii_strncasecmp(algorithm, "ec", 2) != 0;
}

static void check_key_schemes(const FieldReader *reader, const OfferedKey *key)
{
    for (const char **scheme = key->schemes; key->algorithm && scheme && *scheme; scheme++) {
        if (scheme_contradicts(*scheme, key->algorithm)) {
            field_wrong(reader, "allowable_signature_schemes",
                        "must not contain schemes incompatible with key_algorithm ('%s')",
                        key->algorithm);
            return;
        }
    }
}

static void read_key_class(const FieldReader *reader, OfferedKey *key)
{
    const char *class = field_text(reader, "key_class");
    if (!class)
        field_wrong(reader, "key_class", "is required");
    else if (g_ascii_strcasecmp(class, "symmetric") == 0)
        key->symmetric = true;
    else if (g_ascii_strcasecmp(class, "asymmetric") != 0)
        field_wrong(reader, "key_class", "is not a permitted value");
}

static void read_key(const FieldReader *reader, OfferedKey *key)
{
    read_key_class(reader, key);
    key->algorithm = field_text(reader, "key_algorithm");
    if (!key->algorithm && !key->symmetric)
        field_wrong(reader, "key_algorithm", "is required when key_class is 'asymmetric'");
    if (!json_member(reader->object, "key_size"))
        field_wrong(reader, "key_size", "is required");
    else
        field_int(reader, "key_size", &key->size);
    key->server_identifier = field_text(reader, "server_identifier");
    key->local_identifier = field_text(reader, "local_identifier");
    guint errors = reader->errors->len;
    key->public = field_binary(reader, "public", CAPABILITIES_MAX_PUBLIC);
    if (!key->symmetric && !key->server_identifier && !key->local_identifier && !key->public &&
        reader->errors->len == errors)
        field_wrong(reader, "public",
                    "is required when neither 'server_identifier' nor "
                    "'local_identifier' is given");
    key->schemes = field_words(reader, "allowable_signature_schemes");
    key->hashes = field_words(reader, "allowable_hash_algorithms");
    check_key_schemes(reader, key);
}

static void read_keys(const FieldReader *reader, OfferedQuote *quote)
{
    guint errors = reader->errors->len;
    Json *list = field_list(reader, "certification_keys", CAPABILITIES_MAX_KEYS);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count == 0 && reader->errors->len == errors)
        field_wrong(reader, "certification_keys", "is required");
    for (size_t i = 0; i < count; i++) {
        Json *object = json_object_array_get_idx(list, i);
        g_autofree char *pointer = field_pointer(reader, "certification_keys", (int)i);
        FieldReader item = {object, pointer, reader->errors, reader->keep};
        if (!json_object_is_type(object, json_type_object))
            field_wrong(&item, NULL, "must be an object");
        else
            read_key(&item, &quote->key[quote->key_count++]);
    }
}

/* --- PCR banks ----------------------------------------------------------------------------- */

static bool read_pcr_numbers(Json *list, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        Json *value = json_object_array_get_idx(list, i);
        const char *text = json_text(value);
        gint64 number = -1;
        if (text && !g_ascii_string_to_signed(text, 10, 0, PCR_COUNT - 1, &number, NULL))
            return false;
        if (!text && !json_object_is_type(value, json_type_int))
            return false;
        if (!text)
            number = json_object_get_int64(value);
        if (number < 0 || number >= PCR_COUNT)
            return false;
        *out |= UINT32_C(1) << number;
    }
    return true;
}

static void read_bank(const FieldReader *banks, const char *name, Json *list, OfferedQuote *quote)
{
    uint32_t pcrs = 0;
    if (!list)
        return; /* null: the bank is not there */
    if (quote->bank_count == PCR_MAX_BANKS || strlen(name) > FIELD_MAX_TEXT) {
        field_wrong(banks, NULL, "may contain at most %d banks", PCR_MAX_BANKS);
    } else if (!json_object_is_type(list, json_type_array) ||
               json_object_array_length(list) > 2 * PCR_COUNT || !read_pcr_numbers(list, &pcrs)) {
        field_wrong(banks, name, "must be a list of PCR numbers from 0 to %d", PCR_COUNT - 1);
    } else {
        quote->bank[quote->bank_count++] = (OfferedBank){name, tpm_hash_from_name(name), pcrs};
    }
}

static void read_banks(const FieldReader *reader, OfferedQuote *quote)
{
    Json *value = json_member(reader->object, "available_subjects");
    /* A list is a permitted value of the message; that a quote needs banks is negotiation's rule.
     */
    quote->banks_as_list = value && json_object_is_type(value, json_type_array);
    if (quote->banks_as_list)
        return;
    Json *banks = field_object(reader, "available_subjects");
    if (!banks)
        return;
    quote->has_banks = true;
    g_autofree char *pointer = field_pointer(reader, "available_subjects", -1);
    FieldReader item = {banks, pointer, reader->errors, reader->keep};
    json_object_object_foreach (banks, name, list) {
        read_bank(&item, name, list, quote);
    }
}

/* --- items: one function for each kind of evidence ----------------------------------------- */

static void read_quote(const FieldReader *reader, unsigned position, Capabilities *capabilities)
{
    OfferedQuote *quote = g_new0(OfferedQuote, 1);
    g_ptr_array_add(capabilities->quotes, quote);
    quote->position = position;
    quote->component_version = field_text(reader, "component_version");
    quote->evidence_version = field_text(reader, "evidence_version");
    guint errors = reader->errors->len;
    quote->schemes = field_words(reader, "signature_schemes");
    if ((!quote->schemes || !*quote->schemes) && reader->errors->len == errors)
        field_wrong(reader, "signature_schemes", "is required");
    quote->hashes = field_words(reader, "hash_algorithms");
    read_banks(reader, quote);
    read_keys(reader, quote);
}

static void read_log(const FieldReader *reader, unsigned position, GPtrArray *logs)
{
    OfferedLog *log = g_new0(OfferedLog, 1);
    g_ptr_array_add(logs, log);
    log->position = position;
    log->component_version = field_text(reader, "component_version");
    log->evidence_version = field_text(reader, "evidence_version");
    guint errors = reader->errors->len;
    bool counted = field_int(reader, "entry_count", &log->entry_count);
    if (!counted)
        log->entry_count = -1;
    else if (log->entry_count < 0)
        field_wrong(reader, "entry_count", "must be greater than or equal to 0");
    log->partial = field_bool(reader, "supports_partial_access", false);
    if (log->partial && !counted && reader->errors->len == errors)
        field_wrong(reader, "entry_count", "is required when 'supports_partial_access' is true");
    log->appendable = field_bool(reader, "appendable", false);
    log->formats = field_words(reader, "formats");
}

static void read_uefi_log(const FieldReader *reader, unsigned position, Capabilities *capabilities)
{
    read_log(reader, position, capabilities->uefi_logs);
}

static void read_ima_log(const FieldReader *reader, unsigned position, Capabilities *capabilities)
{
    read_log(reader, position, capabilities->ima_logs);
}

/* Kinds of evidence, in the order in which they are requested and come back (push-agent §20.2).
 * What is not in the table is left out in silence: newer agents may offer more. */
static const struct {
    const char *class, *type;
    void (*read)(const FieldReader *, unsigned, Capabilities *);
} kinds[] = {
    {"certification", "tpm_quote", read_quote},
    {"log", "uefi_log", read_uefi_log},
    {"log", "ima_log", read_ima_log},
};

static bool read_class(const FieldReader *reader, const char **out)
{
    guint errors = reader->errors->len;
    *out = field_text(reader, "evidence_class");
    if (!*out && reader->errors->len == errors)
        field_wrong(reader, "evidence_class", "is required");
    else if (*out && g_ascii_strcasecmp(*out, "certification") != 0 &&
             g_ascii_strcasecmp(*out, "log") != 0)
        field_wrong(reader, "evidence_class", "is not a permitted value");
    return reader->errors->len == errors;
}

static void read_item(const FieldReader *reader, unsigned position, Capabilities *result)
{
    const char *class;
    guint errors = reader->errors->len;
    bool has_class = read_class(reader, &class);
    const char *type = field_text(reader, "evidence_type");
    if (!type && reader->errors->len == errors)
        field_wrong(reader, "evidence_type", "is required");
    if (!type || !has_class)
        return;
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kinds[i].type, type) != 0 || g_ascii_strcasecmp(kinds[i].class, class) != 0)
            continue;
        Json *object = field_object(reader, "capabilities");
        if (!object) {
            if (reader->errors->len == errors)
                field_wrong(reader, "capabilities", "is required");
            return;
        }
        g_autofree char *pointer = field_pointer(reader, "capabilities", -1);
        FieldReader inner = {object, pointer, reader->errors, reader->keep};
        kinds[i].read(&inner, position, result);
    }
}

static void read_items(const FieldReader *reader, Capabilities *result)
{
    guint errors = reader->errors->len;
    Json *value = json_member(reader->object, "evidence_supported");
    if (value && !json_object_is_type(value, json_type_array) && !json_text(value)) {
        field_wrong(reader, "evidence_supported", "must be an array");
        return;
    }
    Json *list = field_list(reader, "evidence_supported", CAPABILITIES_MAX_ITEMS);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count == 0 && reader->errors->len == errors)
        field_wrong(reader, "evidence_supported", "is required");
    for (size_t i = 0; i < count; i++) {
        g_autofree char *pointer = field_pointer(reader, "evidence_supported", (int)i);
        Json *object = json_object_array_get_idx(list, i);
        FieldReader item = {object, pointer, reader->errors, reader->keep};
        if (!json_object_is_type(object, json_type_object))
            api_errors_add(reader->errors, 422, "invalid_resource_data", pointer,
                           "Attribute 'evidence_supported' may only contain objects with key-value"
                           " pairs.");
        else
            read_item(&item, (unsigned)i, result);
    }
}

static void read_system_info(const FieldReader *reader, Capabilities *result)
{
    Json *info = field_object(reader, "system_info");
    Json *value = info ? json_member(info, "boot_time") : NULL;
    if (!value || (json_text(value) && !*json_text(value)))
        return;
    g_autofree char *pointer = field_pointer(reader, "system_info", -1);
    FieldReader inner = {info, pointer, reader->errors, reader->keep};
    const char *text = json_text(value);
    bool number =
        json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double);
    if (!text && number)
        text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
    if (!text || !timestamp_parse(text, &result->boot_time))
        field_wrong(&inner, "boot_time", "must be a valid ISO8601 datetime or Unix timestamp");
}

Capabilities *capabilities_read(Json *attributes, ApiErrors *errors)
{
    Capabilities *result = g_new0(Capabilities, 1);
    result->quotes = g_ptr_array_new_with_free_func(clear_quote);
    result->uefi_logs = g_ptr_array_new_with_free_func(g_free);
    result->ima_logs = g_ptr_array_new_with_free_func(g_free);
    result->keep = field_keep_new();
    guint before = errors->len;
    FieldReader reader = {attributes, "/data/attributes", errors, result->keep};
    read_items(&reader, result);
    read_system_info(&reader, result);
    if (errors->len == before)
        return result;
    capabilities_free(result);
    return NULL;
}

/* --- the stored text and its views --------------------------------------------------------- */

Json *pcr_bits_to_json(uint32_t pcrs)
{
    Json *list = json_object_new_array_ext(PCR_COUNT);
    for (unsigned i = 0; i < PCR_COUNT; i++)
        if (pcrs & (UINT32_C(1) << i))
            json_object_array_add(list, json_object_new_int((int32_t)i));
    return list;
}

Json *offered_key_to_json(const OfferedKey *key)
{
    Json *object = json_object_new_object();
    json_add_text(object, "key_class", key->symmetric ? "symmetric" : "asymmetric");
    json_add_int(object, "key_size", key->size);
    if (key->algorithm)
        json_add_text(object, "key_algorithm", key->algorithm);
    if (key->server_identifier)
        json_add_text(object, "server_identifier", key->server_identifier);
    if (key->local_identifier)
        json_add_text(object, "local_identifier", key->local_identifier);
    if (key->schemes)
        json_add(object, "allowable_signature_schemes", json_new_texts(key->schemes));
    if (key->hashes)
        json_add(object, "allowable_hash_algorithms", json_new_texts(key->hashes));
    if (key->public)
        json_add_base64(object, "public", bytes_of_gbytes(key->public));
    return object;
}

char *offered_quote_store(const OfferedQuote *quote)
{
    g_autoptr(Json) object = json_object_new_object();
    if (quote->component_version) {
        json_add_text(object, "component_version", quote->component_version);
        json_add_text(object, "evidence_version", quote->evidence_version);
    }
    json_add(object, "signature_schemes", json_new_texts(quote->schemes));
    if (quote->hashes && *quote->hashes)
        json_add(object, "hash_algorithms", json_new_texts(quote->hashes));
    Json *banks = json_object_new_object();
    for (unsigned i = 0; i < quote->bank_count; i++)
        json_add_int(banks, quote->bank[i].name, quote->bank[i].pcrs);
    json_add(object, "available_subjects", banks);
    Json *keys = json_object_new_array_ext((int)quote->key_count);
    for (unsigned i = 0; i < quote->key_count; i++)
        json_object_array_add(keys, offered_key_to_json(&quote->key[i]));
    json_add(object, "certification_keys", keys);
    return json_to_text(object);
}

Json *offered_log_to_json(const OfferedLog *log)
{
    Json *object = json_object_new_object();
    if (log->component_version) {
        json_add_text(object, "component_version", log->component_version);
        json_add_text(object, "evidence_version", log->evidence_version);
    }
    if (log->entry_count >= 0)
        json_add_int(object, "entry_count", log->entry_count);
    json_add_bool(object, "supports_partial_access", log->partial);
    json_add_bool(object, "appendable", log->appendable);
    if (log->formats && *log->formats)
        json_add(object, "formats", json_new_texts(log->formats));
    return object;
}

Json *offered_quote_stored_capabilities(Json *stored)
{
    Json *object = json_object_new_object();
    if (!stored || !json_object_is_type(stored, json_type_object))
        return object;
    json_object_object_foreach (stored, name, value) {
        if (strcmp(name, "available_subjects") != 0) {
            json_add(object, name, json_object_get(value));
            continue;
        }
        Json *banks = json_object_new_object();
        json_object_object_foreach (value, bank, bits) {
            json_add(banks, bank, pcr_bits_to_json((uint32_t)json_object_get_int64(bits)));
        }
        json_add(object, name, banks);
    }
    return object;
}

const char **offered_quote_stored_banks(Json *stored)
{
    Json *banks = json_member_of_type(stored, "available_subjects", json_type_object);
    const char **names = g_new0(const char *, PCR_MAX_BANKS + 1);
    unsigned count = 0;
    if (!banks)
        return names;
    json_object_object_foreach (banks, name, bits) {
        (void)bits;
        if (count < PCR_MAX_BANKS)
            names[count++] = name;
    }
    return names;
}

Json *offered_quote_stored_key(Json *stored, unsigned number)
{
    Json *keys = json_member_of_type(stored, "certification_keys", json_type_array);
    Json *key = keys ? json_object_array_get_idx(keys, number) : NULL;
    return key ? json_object_get(key) : NULL;
}
