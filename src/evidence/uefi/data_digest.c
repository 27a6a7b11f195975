/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/data_digest.h"

#include "evidence/uefi/bank.h"
#include "evidence/uefi/variable.h"
#include "tpm/openssl.h"

#include <string.h>

/* The digest that an event must explain, in one bank. */
typedef struct {
    const EVP_MD *md;
    Bytes digest;
} Target;

static bool covers_two(const Target *target, Bytes first, Bytes second)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    return EVP_DigestInit_ex2(context, target->md, NULL) == 1 &&
           EVP_DigestUpdate(context, first.data, first.size) == 1 &&
           EVP_DigestUpdate(context, second.data, second.size) == 1 &&
           EVP_DigestFinal_ex(context, digest, NULL) == 1 &&
           bytes_equal(target->digest, bytes_of(digest, (size_t)EVP_MD_get_size(target->md)));
}

static bool covers(const Target *target, Bytes data)
{
    return covers_two(target, data, BYTES_EMPTY);
}

static UefiDataBinding strictly(bool bound)
{
    return bound ? UEFI_DATA_BOUND : UEFI_DATA_FALSE;
}

static UefiDataBinding if_so(bool bound)
{
    return bound ? UEFI_DATA_BOUND : UEFI_DATA_UNBOUND;
}

static Bytes without_last_nul(Bytes text)
{
    if (text.size > 0 && text.data[text.size - 1] == 0)
        text.size--;
    return text;
}

/* What follows the first space: grub's prefix ("grub_cmd: ", "kernel_cmdline: ") is not measured.
 * Old grub measures the NUL at the end too. */
static bool covers_command(const Target *target, Bytes text)
{
    const uint8_t *space = text.size > 0 ? memchr(text.data, ' ', text.size) : NULL;
    if (!space)
        return false;
    size_t skip = (size_t)(space - text.data) + 1;
    Bytes command = bytes_of(text.data + skip, text.size - skip);
    return covers(target, without_last_nul(command)) || covers(target, command);
}

/* Old systemd-boot: UTF-16 in PCR 8, measured with one byte of its NUL more than is logged. Such a
 * text can never be taken for one of grub's. */
static bool is_utf16(Bytes text)
{
    return text.size >= 2 && text.data[0] != 0 && text.data[1] == 0;
}

static UefiDataBinding command_binding(const Target *target, Bytes text)
{
    static const uint8_t nul[1];
    if (is_utf16(text))
        return strictly(covers_two(target, text, BYTES_OF_ARRAY(nul)) || covers(target, text));
    return strictly(covers_command(target, text));
}

/* shim measures the one byte of the variable and logs its name. */
static UefiDataBinding mok_binding(const Target *target, Bytes text)
{
    static const uint8_t off[1] = {0}, on[1] = {1};
    if (!bytes_equal(without_last_nul(text), bytes_of_text("MokListTrusted")))
        return UEFI_DATA_UNBOUND;
    return strictly(covers(target, BYTES_OF_ARRAY(off)) || covers(target, BYTES_OF_ARRAY(on)));
}

static UefiDataBinding ipl_binding(const Target *target, const UefiEvent *event)
{
    switch (event->pcr) {
    case 8:
        return command_binding(target, event->data);
    case 12:
        return strictly(covers(target, event->data));
    case 14:
        return mok_binding(target, event->data);
    default:
        return UEFI_DATA_UNBOUND;
    }
}

/* Old firmware and shim measure something else for `db` and `Shim`. */
static UefiDataBinding authority_binding(const Target *target, Bytes data)
{
    static const char *const always[] = {"SbatLevel", "MokListTrusted", "vendor_db"};
    UefiVariable variable;
    bool bound = covers(target, data);
    for (size_t i = 0; uefi_variable_parse(data, &variable) && i < G_N_ELEMENTS(always); i++)
        if (uefi_variable_is_named(&variable, always[i]))
            return strictly(bound);
    return if_so(bound);
}

/* Firmware measures the whole structure or the value alone. */
static UefiDataBinding boot_binding(const Target *target, Bytes data)
{
    UefiVariable variable;
    return if_so(covers(target, data) ||
                 (uefi_variable_parse(data, &variable) && covers(target, variable.data)));
}

static UefiDataBinding binding(const Target *target, const UefiEvent *event)
{
    switch (event->type) {
    case EV_SEPARATOR:
    case EV_S_CRTM_VERSION:
    case EV_EFI_ACTION:
    case EV_EFI_GPT_EVENT:
    case EV_EFI_VARIABLE_DRIVER_CONFIG:
        return strictly(covers(target, event->data));
    case EV_COMPACT_HASH:
    case EV_EVENT_TAG:
        return if_so(covers(target, event->data));
    case EV_EFI_VARIABLE_BOOT:
    case EV_EFI_VARIABLE_BOOT2:
        return boot_binding(target, event->data);
    case EV_EFI_VARIABLE_AUTHORITY:
        return authority_binding(target, event->data);
    case EV_IPL:
        return ipl_binding(target, event);
    default:
        return UEFI_DATA_UNBOUND;
    }
}

UefiDataBinding uefi_data_binding(const UefiEvent *event, uint16_t algorithm)
{
    const Target target = {uefi_bank_md(algorithm), uefi_event_digest(event, algorithm)};
    if (event->type == EV_NO_ACTION)
        return UEFI_DATA_UNBOUND;
    if (!target.md || target.digest.size == 0)
        return UEFI_DATA_FALSE;
    return binding(&target, event);
}
