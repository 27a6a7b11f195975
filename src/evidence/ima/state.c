/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/state.h"

#include "base/encoding.h"

#include <string.h>

G_DEFINE_QUARK(ima - state - error - quark, ima_state_error)

/* Of the stored form. */
enum { STATE_VERSION = 1 };

ImaState *ima_state_new(void)
{
    ImaState *state = g_new0(ImaState, 1);
    state->learned = ima_keyrings_new();
    state->device_mapper = device_mapper_new();
    return state;
}

ImaState *ima_state_copy(const ImaState *state)
{
    ImaState *copy = g_memdup2(state, sizeof *state);
    copy->learned = ima_keyrings_copy(state->learned);
    copy->device_mapper = device_mapper_copy(state->device_mapper);
    return copy;
}

void ima_state_free(ImaState *state)
{
    if (!state)
        return;
    ima_keyrings_free(state->learned);
    device_mapper_free(state->device_mapper);
    g_free(state);
}

static Json *progress_to_json(const ImaState *state)
{
    if (!state->has_progress)
        return NULL;
    Json *pair = json_object_new_array_ext(2);
    json_object_array_add(pair, json_object_new_int64((gint64)state->certified));
    json_object_array_add(pair, json_object_new_int64((gint64)state->received));
    return pair;
}

Json *ima_state_to_json(const ImaState *state)
{
    Json *object = json_object_new_object();
    json_add_int(object, "version", STATE_VERSION);
    json_add_int(object, "entries", (gint64)state->entries);
    if (state->bank != 0) {
        g_autofree char *pcr = hex_encode(bytes_of(state->pcr, tpm_hash_size(state->bank)));
        json_add_text(object, "bank", tpm_algorithm_name(state->bank));
        json_add_text(object, "pcr10", pcr);
    }
    json_add(object, "progress", progress_to_json(state));
    json_add(object, "keyrings", ima_keyrings_to_json(state->learned));
    json_add(object, "device_mapper", device_mapper_to_json(state->device_mapper));
    return object;
}

static bool refuse(GError **error, const char *member)
{
    g_set_error(error, IMA_STATE_ERROR, IMA_STATE_ERROR_FORM, "stored IMA state: %s: not usable",
                member);
    return false;
}

static bool read_number(Json *value, guint64 *out)
{
    if (!value || !json_object_is_type(value, json_type_int))
        return false;
    gint64 number = json_object_get_int64(value);
    *out = (guint64)number;
    return number >= 0 && number < G_MAXINT64;
}

static bool read_pcr(Json *object, ImaState *state, GError **error)
{
    const char *bank = json_member_text(object, "bank");
    const char *pcr = json_member_text(object, "pcr10");
    if (!bank && !pcr)
        return state->entries == 0 || refuse(error, "bank");
    state->bank = tpm_hash_from_name(bank);
    if (tpm_hash_size(state->bank) == 0)
        return refuse(error, "bank");
    if (!pcr || strlen(pcr) != 2 * tpm_hash_size(state->bank) ||
        !hex_decode_to(bytes_of_text(pcr), state->pcr))
        return refuse(error, "pcr10");
    return true;
}

static bool read_progress(Json *object, ImaState *state, GError **error)
{
    Json *pair = json_member(object, "progress");
    state->has_progress = pair != NULL;
    if (!pair)
        return true;
    if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2 ||
        !read_number(json_object_array_get_idx(pair, 0), &state->certified) ||
        !read_number(json_object_array_get_idx(pair, 1), &state->received))
        return refuse(error, "progress");
    return true;
}

static bool read_learned(Json *object, ImaState *state, GError **error)
{
    Json *keyrings = json_member(object, "keyrings");
    Json *devices = json_member(object, "device_mapper");
    if (!keyrings || !devices)
        return refuse(error, keyrings ? "device_mapper" : "keyrings");
    ImaKeyrings *learned = ima_keyrings_from_json(keyrings, error);
    if (!learned)
        return false;
    ima_keyrings_free(state->learned);
    state->learned = learned;
    DeviceMapper *device_mapper = device_mapper_from_json(devices, error);
    if (!device_mapper)
        return false;
    device_mapper_free(state->device_mapper);
    state->device_mapper = device_mapper;
    return true;
}

ImaState *ima_state_from_json(Json *object, GError **error)
{
    g_autoptr(ImaState) state = ima_state_new();
    gint64 version;
    if (!json_member_int(object, "version", false, &version) || version != STATE_VERSION) {
        refuse(error, "version");
        return NULL;
    }
    if (!read_number(json_member(object, "entries"), &state->entries)) {
        refuse(error, "entries");
        return NULL;
    }
    if (!read_pcr(object, state, error) || !read_progress(object, state, error) ||
        !read_learned(object, state, error))
        return NULL;
    return g_steal_pointer(&state);
}

char *ima_state_to_text(const ImaState *state)
{
    g_autoptr(Json) object = ima_state_to_json(state);
    return json_to_text(object);
}

ImaState *ima_state_from_text(Bytes text, GError **error)
{
    g_autoptr(Json) object = json_parse(text, error);
    return object ? ima_state_from_json(object, error) : NULL;
}
