/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/agent_id.h"

#include "agent/options.h"
#include "agent/state_file.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"

#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define GENERATED_NAME "agent_id" /* the id that `generate` made */
#define LAST_NAME "agent_id.last" /* the id of the last start */
#define MACHINE_UUID_PATH "/sys/class/dmi/id/product_uuid"

static char *fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static char *fail(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_REFUSED, "[agent] uuid: %s", text);
    return NULL;
}

/* First line of a small file; NULL without error when there is none. */
static char *read_line(const char *path, GError **error)
{
    g_autoptr(GBytes) content = state_file_read(path, error);
    if (!content)
        return NULL;
    Bytes bytes = bytes_of_gbytes(content);
    char *line = g_strndup((const char *)bytes.data, bytes.size);
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static bool write_line(const char *path, const char *text, GError **error)
{
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    return state_file_write(path, bytes_of_text(line), error);
}

static char *generated_id(const AgentSettings *settings, GError **error)
{
    g_autofree char *path = g_build_filename(settings->keylime_dir, GENERATED_NAME, NULL);
    g_autoptr(GError) reason = NULL;
    g_autofree char *kept = read_line(path, &reason);
    if (reason)
        return fail(error, "generate: %s", reason->message);
    if (kept) {
        char *uuid = uuid_normalise(kept);
        return uuid ? uuid
                    : fail(error, "generate: %s holds no UUID; remove it to get a new id", path);
    }
    g_autofree char *uuid = uuid_generate();
    if (!write_line(path, uuid, &reason))
        return fail(error, "generate: %s", reason->message);
    log_info("Generated a new UUID: %s", uuid);
    return g_steal_pointer(&uuid);
}

static char *environment_id(GError **error)
{
    const char *text = g_getenv("KEYLIME_AGENT_UUID");
    if (!text || strcmp(text, "environment") == 0)
        return fail(error, "environment: the variable KEYLIME_AGENT_UUID holds no UUID");
    char *uuid = uuid_normalise(text);
    return uuid ? uuid : fail(error, "environment: KEYLIME_AGENT_UUID = '%s' is no UUID", text);
}

static bool wants_machine_uuid(const AgentSettings *settings)
{
    return !settings->identifier && strcmp(settings->uuid, "dmidecode") == 0;
}

char *agent_id_machine_uuid(const AgentSettings *settings)
{
    return wants_machine_uuid(settings) ? read_line(MACHINE_UUID_PATH, NULL) : NULL;
}

static char *dmi_id(const char *machine_uuid, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autofree char *text =
        machine_uuid ? g_strdup(machine_uuid) : read_line(MACHINE_UUID_PATH, &reason);
    if (!text)
        return fail(error, "dmidecode: %s",
                    reason ? reason->message : "this machine has no DMI table");
    char *uuid = uuid_normalise(g_strstrip(text));
    return uuid ? uuid : fail(error, "dmidecode: %s holds no UUID", MACHINE_UUID_PATH);
}

static char *host_id(GError **error)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1) != 0)
        return fail(error, "hostname: this machine has no host name");
    struct addrinfo hints = {.ai_flags = AI_CANONNAME}, *found = NULL;
    bool known = getaddrinfo(name, NULL, &hints, &found) == 0;
    char *id = g_strdup(known && found->ai_canonname ? found->ai_canonname : name);
    if (known)
        freeaddrinfo(found);
    if (agent_id_is_valid(id))
        return id;
    g_free(id);
    return fail(error, "hostname: '%s' cannot be an agent id", name);
}

static char *configured_id(const AgentSettings *settings, const char *machine_uuid,
                           const TpmPublic *ek, GError **error)
{
    const char *uuid = settings->uuid;
    if (strcmp(uuid, "generate") == 0 || *uuid == '\0')
        return generated_id(settings, error);
    if (strcmp(uuid, "hash_ek") == 0) {
        char *id = tpm_public_hash_ek(ek);
        log_info("Using hashed EK as UUID");
        log_info("Using hashed EK as agent identifier: %s", id);
        return id;
    }
    if (strcmp(uuid, "environment") == 0)
        return environment_id(error);
    if (strcmp(uuid, "dmidecode") == 0)
        return dmi_id(machine_uuid, error);
    if (strcmp(uuid, "hostname") == 0)
        return host_id(error);
    char *id = uuid_normalise(uuid);
    return id ? id : fail(error, "'%s' is no UUID", uuid);
}

/* The record of the former id stays at registrar and verifier: the operator must know (C44d). */
static void note_change(const AgentSettings *settings, const char *id)
{
    g_autofree char *path = g_build_filename(settings->keylime_dir, LAST_NAME, NULL);
    g_autofree char *last = read_line(path, NULL);
    if (g_strcmp0(last, id) == 0)
        return;
    if (last)
        log_warning(
            "The agent id changed from %s to %s: the new one must be enrolled (keylime_tenant -c "
            "add --push-model -u %s); the old records stay until they are deleted",
            last, id, id);
    g_autoptr(GError) error = NULL;
    if (!write_line(path, id, &error))
        log_warning("%s", error->message);
}

char *agent_id_determine(const AgentSettings *settings, const char *machine_uuid,
                         const TpmPublic *ek, GError **error)
{
    char *id = settings->identifier ? g_strdup(settings->identifier)
                                    : configured_id(settings, machine_uuid, ek, error);
    if (!id)
        return NULL;
    if (strcmp(id, SHARED_DEFAULT_UUID) == 0)
        log_warning(
            "The agent id %s is the one that every default installation of upstream shares: give "
            "this machine its own with option uuid",
            id);
    note_change(settings, id);
    log_info("Agent id: %s", id);
    return id;
}
