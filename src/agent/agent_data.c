/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/agent_data.h"

#include "agent/state_file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_QUARK(keylime - agent - data - error, agent_data_error)

/* The largest TPM structure that is kept: an RSA-4096 private part with its wrapping. */
#define BYTES_MAX 4096

static const struct {
    uint16_t id;
    const char *name;
} hash_names[] = {{TPM_ALG_SHA1, "Sha1"},
                  {TPM_ALG_SHA256, "Sha256"},
                  {TPM_ALG_SHA384, "Sha384"},
                  {TPM_ALG_SHA512, "Sha512"},
                  {TPM_ALG_SM3_256, "Sm3_256"}},
  scheme_names[] = {{TPM_ALG_RSASSA, "RsaSsa"},
                    {TPM_ALG_RSAPSS, "RsaPss"},
                    {TPM_ALG_ECDSA, "EcDsa"},
                    {0x001C, "EcSchnorr"}};

void agent_data_clear(AgentData *data)
{
    g_clear_pointer(&data->ak_public, g_bytes_unref);
    g_clear_pointer(&data->ak_private, g_bytes_unref);
    g_clear_pointer(&data->ek_hash, g_free);
}

/* --- the file's form
 * -------------------------------------------------------------------------------- */

static uint16_t hash_of_name(const char *name)
{
    for (guint i = 0; name && i < G_N_ELEMENTS(hash_names); i++) {
        if (strcmp(name, hash_names[i].name) == 0)
            return hash_names[i].id;
    }
    return 0;
}

static uint16_t scheme_of_name(const char *name)
{
    for (guint i = 0; name && i < G_N_ELEMENTS(scheme_names); i++) {
        if (strcmp(name, scheme_names[i].name) == 0)
            return scheme_names[i].id;
    }
    return 0;
}

static const char *name_of_hash(uint16_t id)
{
    for (guint i = 0; i < G_N_ELEMENTS(hash_names); i++) {
        if (id == hash_names[i].id)
            return hash_names[i].name;
    }
    g_assert_not_reached();
}

static const char *name_of_scheme(uint16_t id)
{
    for (guint i = 0; i < G_N_ELEMENTS(scheme_names); i++) {
        if (id == scheme_names[i].id)
            return scheme_names[i].name;
    }
    g_assert_not_reached();
}

/* An array of numbers 0…255; NULL for anything else. */
static GBytes *read_numbers(Json *object, const char *name)
{
    Json *array = json_member_of_type(object, name, json_type_array);
    size_t count = array ? json_object_array_length(array) : 0;
    if (count == 0 || count > BYTES_MAX)
        return NULL;
    g_autoptr(GByteArray) out = g_byte_array_sized_new((guint)count);
    for (size_t i = 0; i < count; i++) {
        Json *number = json_object_array_get_idx(array, i);
        gint64 value =
            json_object_is_type(number, json_type_int) ? json_object_get_int64(number) : -1;
        if (value < 0 || value > 255)
            return NULL;
        append_u8(out, (uint8_t)value);
    }
    return secret_bytes_take(g_byte_array_free_to_bytes(g_steal_pointer(&out)));
}

static bool lacks(GError **error, const char *member)
{
    g_set_error(error, AGENT_DATA_ERROR, AGENT_DATA_ERROR_UNUSABLE, "it has no usable %s", member);
    return false;
}

bool agent_data_parse(Bytes content, AgentData *out, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) root = json_parse(content, &reason);
    if (!root) {
        g_set_error_literal(error, AGENT_DATA_ERROR, AGENT_DATA_ERROR_UNUSABLE, reason->message);
        return false;
    }
    g_auto(AgentData) data = {0};
    data.hash = hash_of_name(json_member_text(root, "ak_hash_alg"));
    data.scheme = scheme_of_name(json_member_text(root, "ak_sign_alg"));
    data.ak_public = read_numbers(root, "ak_public");
    data.ak_private = read_numbers(root, "ak_private");
    g_autoptr(GBytes) ek_hash = read_numbers(root, "ek_hash");
    if (!data.hash)
        return lacks(error, "ak_hash_alg");
    if (!data.scheme)
        return lacks(error, "ak_sign_alg");
    if (!data.ak_public)
        return lacks(error, "ak_public");
    if (!data.ak_private)
        return lacks(error, "ak_private");
    if (!ek_hash)
        return lacks(error, "ek_hash");
    Bytes text = bytes_of_gbytes(ek_hash);
    data.ek_hash = g_strndup((const char *)text.data, text.size);
    *out = data;
    data = (AgentData){0};
    return true;
}

static void append_numbers(GString *out, const char *name, Bytes bytes, const char *end)
{
    g_string_append_printf(out, "  \"%s\": [\n", name);
    for (size_t i = 0; i < bytes.size; i++)
        g_string_append_printf(out, "    %u%s\n", bytes.data[i], i + 1 < bytes.size ? "," : "");
    g_string_append_printf(out, "  ]%s\n", end);
}

char *agent_data_write(const AgentData *data)
{
    gsize numbers = g_bytes_get_size(data->ak_public) + g_bytes_get_size(data->ak_private) +
                    strlen(data->ek_hash);
    /* Large enough from the start: a software TPM's private part is none that may be left behind.
     */
    GString *out = g_string_sized_new(256 + numbers * sizeof "    255,\n");
    g_string_append(out, "{\n");
    g_string_append_printf(out, "  \"ak_hash_alg\": \"%s\",\n", name_of_hash(data->hash));
    g_string_append_printf(out, "  \"ak_sign_alg\": \"%s\",\n", name_of_scheme(data->scheme));
    append_numbers(out, "ak_public", bytes_of_gbytes(data->ak_public), ",");
    append_numbers(out, "ak_private", bytes_of_gbytes(data->ak_private), ",");
    append_numbers(out, "ek_hash", bytes_of_text(data->ek_hash), "");
    g_string_append(out, "}\n");
    return g_string_free(out, FALSE);
}

/* --- the key
 * ---------------------------------------------------------------------------------------- */

/* Where the key is kept, and by whom. */
typedef struct {
    const char *path, *agent_id;
    TpmDevice *device;
} AkPlace;

static TpmPublic *fail(GError **error, const AkPlace *place, const char *reason)
{
    g_set_error(
        error, AGENT_DATA_ERROR, AGENT_DATA_ERROR_UNUSABLE,
        "%s: %s; restore it from a backup, or remove it to make a new attestation key (then: "
        "keylime_tenant -c regdelete -u %s, start the agent, keylime_tenant -c update "
        "--push-model -u %s)",
        place->path, reason, place->agent_id, place->agent_id);
    return NULL;
}

/* Why the stored key cannot be used on; NULL when it can. Key type and size are part of the EK's.
 */
static const char *difference(const AgentData *data, const KeyTemplate *keys, const char *ek_hash)
{
    if (data->hash != keys->hash)
        return "tpm_hash_alg was changed";
    if (data->scheme != keys->scheme)
        return "tpm_signing_alg was changed";
    if (strcmp(data->ek_hash, ek_hash) != 0)
        return "the TPM or its endorsement key is another one";
    return NULL;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* A second name for the file that is about to be replaced: `.bak`, or `.bak.1`, ... where earlier
 * changes have taken that. There is no moment without a stored key. */
static bool keep_aside(const AkPlace *place, const char *reason, GError **error)
{
    g_autofree char *backup = g_strconcat(place->path, ".bak", NULL);
    for (unsigned number = 1; link(place->path, backup) != 0; number++) {
        if (errno != EEXIST) {
            g_autofree char *text =
                g_strdup_printf("it cannot be kept as %s: %s", backup, g_strerror(errno));
            fail(error, place, text);
            return false;
        }
        if (is_same_file(place->path, backup))
            break; /* from a start that could not write the new one */
        g_free(backup);
        backup = g_strdup_printf("%s.bak.%u", place->path, number);
    }
    log_warning(
        "The stored attestation key is not used any more, because %s; it is kept as %s. The "
        "registrar will answer 403 to the new key until: keylime_tenant -c regdelete -u %s",
        reason, backup, place->agent_id);
    return true;
}

/* `reason`: why the stored one is replaced; NULL where there is none. */
static TpmPublic *make_ak(const AkPlace *place, const KeyTemplate *keys, const char *ek_hash,
                          const char *reason, GError **error)
{
    g_auto(AgentData)
        data = {.hash = keys->hash, .scheme = keys->scheme, .ek_hash = g_strdup(ek_hash)};
    if (!tpm_device_create_ak(place->device, &data.ak_public, &data.ak_private, error) ||
        (reason && !keep_aside(place, reason, error)))
        return NULL;
    char *text = agent_data_write(&data);
    bool written = state_file_write(place->path, bytes_of_text(text), error);
    secret_free_text(text);
    if (!written)
        return NULL;
    log_info("Made a new attestation key, kept in %s", place->path);
    return tpm_public_from_tpmt(bytes_of_gbytes(data.ak_public), error);
}

TpmPublic *agent_data_load_ak(const char *path, TpmDevice *device, const KeyTemplate *keys,
                              const TpmPublic *ek, const char *agent_id, GError **error)
{
    AkPlace place = {path, agent_id, device};
    g_autofree char *ek_hash = tpm_public_hash_ek(ek);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GBytes) content = state_file_read(path, &reason);
    if (reason)
        return fail(error, &place, reason->message);
    if (!content)
        return make_ak(&place, keys, ek_hash, NULL, error);
    g_auto(AgentData) data = {0};
    if (!agent_data_parse(bytes_of_gbytes(content), &data, &reason))
        return fail(error, &place, reason->message);
    const char *other = difference(&data, keys, ek_hash);
    if (other)
        return make_ak(&place, keys, ek_hash, other, error);
    if (!tpm_device_load_ak(device, bytes_of_gbytes(data.ak_public),
                            bytes_of_gbytes(data.ak_private), &reason)) {
        if (g_error_matches(reason, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY))
            return fail(error, &place, reason->message);
        g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    return tpm_public_from_tpmt(bytes_of_gbytes(data.ak_public), error);
}
