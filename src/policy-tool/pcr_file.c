/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/pcr_file.h"

#include "base/encoding.h"
#include "base/json.h"

#include <string.h>

G_DEFINE_QUARK(pcr - file - error - quark, pcr_file_error)

typedef struct {
    PcrValues *values;
    GError **error;
} Reading;

static bool invalid(Reading *reading, const char *where, const char *reason)
{
    g_set_error(reading->error, PCR_FILE_ERROR, PCR_FILE_ERROR_FORM, "%s: %s", where, reason);
    return false;
}

static int bank_index(const PcrSelection *selection, uint16_t hash)
{
    for (size_t i = 0; i < selection->count; i++)
        if (selection->bank[i].hash == hash)
            return (int)i;
    return -1;
}

/* One value; the bank is added by its first. */
static bool add_value(Reading *reading, const char *where, uint16_t hash, const char *number,
                      const char *text)
{
    char *end;
    guint64 pcr = g_ascii_strtoull(number, &end, 10);
    if (!g_ascii_isdigit(*number) || *end != '\0' || pcr >= PCR_COUNT)
        return invalid(reading, where, "the number of a PCR is from 0 to 23");
    if (g_ascii_strncasecmp(text, "0x", 2) == 0)
        text += 2;
    g_autoptr(GBytes) value = hex_decode(text);
    if (!value || g_bytes_get_size(value) != tpm_hash_size(hash))
        return invalid(reading, where, "the value is no digest of this bank in hexadecimal");
    PcrSelection *selection = &reading->values->selection;
    int bank = bank_index(selection, hash);
    if (bank < 0)
        pcr_selection_add(selection, hash, UINT32_C(1) << pcr);
    else
        selection->bank[bank].pcrs |= UINT32_C(1) << pcr;
    return pcr_values_set(reading->values, hash, (unsigned)pcr, bytes_of_gbytes(value))
               ? true
               : invalid(reading, where, "too many banks");
}

/* --- JSON ---------------------------------------------------------------------------------- */

static bool read_bank(Reading *reading, const char *name, Json *pcrs)
{
    uint16_t hash = tpm_hash_from_name(name);
    if (!json_object_is_type(pcrs, json_type_object))
        return invalid(reading, name, "a bank is an object of PCR numbers and values");
    json_object_object_foreach (pcrs, number, value) {
        g_autofree char *where = g_strdup_printf("%s.%s", name, number);
        if (hash == 0)
            continue;
        if (!json_text(value))
            return invalid(reading, where, "the value is no text");
        if (!add_value(reading, where, hash, number, json_text(value)))
            return false;
    }
    return true;
}

static bool read_json(Reading *reading, Bytes content)
{
    g_autoptr(Json) document = json_parse(content, reading->error);
    if (!document)
        return false;
    json_object_object_foreach (document, name, pcrs)
        if (!read_bank(reading, name, pcrs))
            return false;
    return true;
}

/* --- tpm2_pcrread -------------------------------------------------------------------------- */

/* "  sha256:" begins a bank, "    0 : 0x..." is a value of it. */
static bool read_line(Reading *reading, const char *where, char *line, uint16_t *hash,
                      bool *in_bank)
{
    if (*g_strstrip(line) == '\0')
        return true;
    char *colon = strchr(line, ':');
    if (!colon)
        return invalid(reading, where, "neither \"BANK:\" nor \"PCR: VALUE\"");
    *colon = '\0';
    char *value = g_strstrip(colon + 1);
    if (*value == '\0') {
        *hash = tpm_hash_from_name(g_strstrip(line));
        *in_bank = true;
        return true;
    }
    if (!*in_bank)
        return invalid(reading, where, "a value before the name of its bank");
    return *hash == 0 || add_value(reading, where, *hash, g_strstrip(line), value);
}

static bool read_text(Reading *reading, Bytes content)
{
    g_autofree char *text =
        content.size > 0 ? g_strndup((const char *)content.data, content.size) : g_strdup("");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    uint16_t hash = 0;
    bool in_bank = false;
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *where = g_strdup_printf("line %u", i + 1);
        if (!read_line(reading, where, lines[i], &hash, &in_bank))
            return false;
    }
    return true;
}

PcrValues *pcr_file_parse(Bytes content, GError **error)
{
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    Reading reading = {values, error};
    size_t blanks = 0;
    while (blanks < content.size && g_ascii_isspace((char)content.data[blanks]))
        blanks++;
    bool json = blanks < content.size && content.data[blanks] == '{';
    if (!(json ? read_json(&reading, content) : read_text(&reading, content)))
        return NULL;
    if (values->selection.count == 0) {
        invalid(&reading, "PCRs", "there is no value in the file");
        return NULL;
    }
    return g_steal_pointer(&values);
}
