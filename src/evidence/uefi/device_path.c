/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/device_path.h"

#include "evidence/uefi/guid.h"
#include "evidence/uefi/text.h"

#define HEX32 "0x%" G_GINT32_MODIFIER "x"
#define HEX64 "0x%" G_GINT64_MODIFIER "x"

enum {
    TYPE_HARDWARE = 1,
    TYPE_ACPI = 2,
    TYPE_MESSAGE = 3,
    TYPE_MEDIA = 4,
    TYPE_BIOS_BOOT = 5,
    TYPE_END = 0x7F,
    SUBTYPE_END_INSTANCE = 1,
    SUBTYPE_FIRMWARE_FILE = 6,
    SUBTYPE_FIRMWARE_VOLUME = 7,
};

typedef struct {
    uint8_t type, subtype;
    Bytes payload;
} Node;

static bool take_node(Reader *reader, Node *node)
{
    Reader ahead = *reader;
    uint16_t size;
    if (!reader_u8(&ahead, &node->type) || !reader_u8(&ahead, &node->subtype) ||
        !reader_u16_le(&ahead, &size) || size < 4 ||
        !reader_take(&ahead, size - 4u, &node->payload))
        return false;
    *reader = ahead;
    return true;
}

static void append_hex(GString *out, Bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        g_string_append_printf(out, "%02x", bytes.data[i]);
}

static void append_guid(GString *out, Bytes guid)
{
    char text[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(guid, text);
    g_string_append(out, text);
}

/* Name(GUID), whatever follows the GUID. */
static bool append_guid_node(GString *out, const char *name, Reader reader)
{
    Bytes guid;
    if (!reader_take(&reader, UEFI_GUID_SIZE, &guid))
        return false;
    g_string_append_printf(out, "%s(", name);
    append_guid(out, guid);
    g_string_append_c(out, ')');
    return true;
}

/* Name(GUID) or Name(GUID,data). */
static bool append_vendor_node(GString *out, const char *name, Reader reader)
{
    Bytes guid;
    if (!reader_take(&reader, UEFI_GUID_SIZE, &guid))
        return false;
    g_string_append_printf(out, "%s(", name);
    append_guid(out, guid);
    if (!reader_at_end(&reader))
        g_string_append_c(out, ',');
    append_hex(out, reader.rest);
    g_string_append_c(out, ')');
    return true;
}

/* Text up to its first NUL, made well-formed: it comes from the machine. */
static void append_text(GString *out, Bytes bytes)
{
    Bytes text = uefi_text_before_nul(bytes);
    g_autofree char *valid = g_utf8_make_valid((const char *)text.data, (gssize)text.size);
    g_string_append(out, valid);
}

/* --- hardware, ACPI ----------------------------------------------------------------------------*/

static bool append_pci(GString *out, Reader reader)
{
    uint8_t function, device;
    if (!reader_u8(&reader, &function) || !reader_u8(&reader, &device))
        return false;
    g_string_append_printf(out, "Pci(0x%x,0x%x)", device, function);
    return true;
}

static bool append_memory(GString *out, Reader reader)
{
    uint32_t type;
    uint64_t start, end;
    if (!reader_u32_le(&reader, &type) || !reader_u64_le(&reader, &start) ||
        !reader_u64_le(&reader, &end))
        return false;
    g_string_append_printf(out, "MemoryMapped(" HEX32 "," HEX64 "," HEX64 ")", type, start, end);
    return true;
}

static bool append_hardware_vendor(GString *out, Reader reader)
{
    return append_vendor_node(out, "VenHw", reader);
}

static bool append_controller(GString *out, Reader reader)
{
    uint32_t number;
    if (!reader_u32_le(&reader, &number))
        return false;
    g_string_append_printf(out, "Ctrl(" HEX32 ")", number);
    return true;
}

static bool append_acpi(GString *out, Reader reader)
{
    static const struct {
        uint32_t hid;
        const char *name;
    } known[] = {
        {0x0a0341d0, "PciRoot"},  {0x0a0841d0, "PcieRoot"}, {0x060441d0, "Floppy"},
        {0x030141d0, "Keyboard"}, {0x050141d0, "Serial"},
    };
    uint32_t hid, uid;
    if (!reader_u32_le(&reader, &hid) || !reader_u32_le(&reader, &uid))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].hid == hid) {
            g_string_append_printf(out, "%s(" HEX32 ")", known[i].name, uid);
            return true;
        }
    g_string_append_printf(out, "Acpi(0x%08" G_GINT32_MODIFIER "x," HEX32 ")", hid, uid);
    return true;
}

/* --- messaging ---------------------------------------------------------------------------------*/

static bool append_ata(GString *out, Reader reader)
{
    uint8_t primary, slave;
    uint16_t lun;
    if (!reader_u8(&reader, &primary) || !reader_u8(&reader, &slave) ||
        !reader_u16_le(&reader, &lun))
        return false;
    g_string_append_printf(out, "Ata(%u,%u,%u)", primary, slave, lun);
    return true;
}

static bool append_scsi(GString *out, Reader reader)
{
    uint16_t target, lun;
    if (!reader_u16_le(&reader, &target) || !reader_u16_le(&reader, &lun))
        return false;
    g_string_append_printf(out, "SCSI(%u,%u)", target, lun);
    return true;
}

static bool append_usb(GString *out, Reader reader)
{
    uint8_t port, interface;
    if (!reader_u8(&reader, &port) || !reader_u8(&reader, &interface))
        return false;
    g_string_append_printf(out, "USB(%u,%u)", port, interface);
    return true;
}

static bool append_message_vendor(GString *out, Reader reader)
{
    return append_vendor_node(out, "VenMsg", reader);
}

static bool append_mac(GString *out, Reader reader)
{
    Bytes address;
    uint8_t type;
    if (!reader_take(&reader, 32, &address) || !reader_u8(&reader, &type))
        return false;
    if (type < 2) /* Ethernet */
        address.size = 6;
    g_string_append(out, "MAC(");
    append_hex(out, address);
    g_string_append_printf(out, ",%u)", type);
    return true;
}

static void append_ipv4_address(GString *out, Bytes address, uint16_t port)
{
    g_string_append_printf(out, "%u.%u.%u.%u", address.data[0], address.data[1], address.data[2],
                           address.data[3]);
    if (port > 0)
        g_string_append_printf(out, ":%u", port);
}

static bool append_ipv4(GString *out, Reader reader)
{
    Bytes local, remote;
    uint16_t local_port, remote_port, protocol;
    uint8_t is_static;
    if (!reader_take(&reader, 4, &local) || !reader_take(&reader, 4, &remote) ||
        !reader_u16_le(&reader, &local_port) || !reader_u16_le(&reader, &remote_port) ||
        !reader_u16_le(&reader, &protocol) || !reader_u8(&reader, &is_static))
        return false;
    /* No separator between the addresses: libefivar's form. */
    g_string_append(out, "IPv4(");
    append_ipv4_address(out, local, local_port);
    append_ipv4_address(out, remote, remote_port);
    g_string_append_printf(out, ",%x,%x)", protocol, is_static);
    return true;
}

static bool append_unit(GString *out, Reader reader)
{
    uint8_t lun;
    if (!reader_u8(&reader, &lun))
        return false;
    g_string_append_printf(out, "Unit(%u)", lun);
    return true;
}

static bool append_sata(GString *out, Reader reader)
{
    uint16_t port, multiplier, lun;
    if (!reader_u16_le(&reader, &port) || !reader_u16_le(&reader, &multiplier) ||
        !reader_u16_le(&reader, &lun))
        return false;
    g_string_append_printf(out, "Sata(%u,%u,%u)", port, multiplier, lun);
    return true;
}

static bool append_nvme(GString *out, Reader reader)
{
    uint32_t namespace;
    Bytes eui;
    if (!reader_u32_le(&reader, &namespace) || !reader_take(&reader, 8, &eui))
        return false;
    g_string_append_printf(out, "NVMe(" HEX32 ",", namespace);
    for (size_t i = 0; i < eui.size; i++)
        g_string_append_printf(out, "%s%02X", i > 0 ? "-" : "", eui.data[i]);
    g_string_append_c(out, ')');
    return true;
}

static bool append_uri(GString *out, Reader reader)
{
    g_string_append(out, "Uri(");
    append_text(out, reader.rest);
    g_string_append_c(out, ')');
    return true;
}

/* --- media -------------------------------------------------------------------------------------*/

static void append_disk_signature(GString *out, uint8_t type, Bytes signature)
{
    Reader reader = reader_of(signature);
    uint32_t serial;
    if (type == 2) {
        g_string_append(out, "GPT,");
        append_guid(out, signature);
    } else if (type == 1 && reader_u32_le(&reader, &serial)) {
        g_string_append_printf(out, "MBR," HEX32, serial);
    } else {
        g_string_append_printf(out, "%u,", type);
        append_hex(out, signature);
    }
}

static bool append_hard_drive(GString *out, Reader reader)
{
    uint32_t partition;
    uint64_t start, size;
    Bytes signature;
    uint8_t format, type;
    if (!reader_u32_le(&reader, &partition) || !reader_u64_le(&reader, &start) ||
        !reader_u64_le(&reader, &size) || !reader_take(&reader, UEFI_GUID_SIZE, &signature) ||
        !reader_u8(&reader, &format) || !reader_u8(&reader, &type))
        return false;
    g_string_append_printf(out, "HD(%" G_GUINT32_FORMAT ",", partition);
    append_disk_signature(out, type, signature);
    g_string_append_printf(out, "," HEX64 "," HEX64 ")", start, size);
    return true;
}

static bool append_cdrom(GString *out, Reader reader)
{
    uint32_t entry;
    uint64_t start, sectors;
    if (!reader_u32_le(&reader, &entry) || !reader_u64_le(&reader, &start) ||
        !reader_u64_le(&reader, &sectors))
        return false;
    g_string_append_printf(out, "CDROM(%" G_GUINT32_FORMAT "," HEX64 "," HEX64 ")", entry, start,
                           sectors);
    return true;
}

static bool append_media_vendor(GString *out, Reader reader)
{
    return append_vendor_node(out, "VenMedia", reader);
}

static bool append_file(GString *out, Reader reader)
{
    g_autofree char *name = uefi_text_from_utf16(reader.rest);
    g_string_append_printf(out, "File(%s)", name);
    return true;
}

static bool append_protocol(GString *out, Reader reader)
{
    return append_guid_node(out, "Media", reader);
}

static bool append_firmware_file(GString *out, Reader reader)
{
    return append_guid_node(out, "FvFile", reader);
}

static bool append_firmware_volume(GString *out, Reader reader)
{
    return append_guid_node(out, "FvVol", reader);
}

static bool append_offset(GString *out, Reader reader)
{
    uint32_t reserved;
    uint64_t first, last;
    if (!reader_u32_le(&reader, &reserved) || !reader_u64_le(&reader, &first) ||
        !reader_u64_le(&reader, &last))
        return false;
    g_string_append_printf(out, "Offset(" HEX64 "," HEX64 ")", first, last);
    return true;
}

static bool append_bios_boot(GString *out, Reader reader)
{
    static const char *const types[] = {NULL, "Floppy", "HD", "CDROM", "PCMCIA", "USB", "Network"};
    uint16_t type, status;
    if (!reader_u16_le(&reader, &type) || !reader_u16_le(&reader, &status))
        return false;
    if (type > 0 && type < G_N_ELEMENTS(types))
        g_string_append_printf(out, "BBS(%s,", types[type]);
    else
        g_string_append_printf(out, "BBS(%u,", type);
    append_text(out, reader.rest);
    g_string_append_printf(out, ",0x%x)", status);
    return true;
}

/* --- the table ---------------------------------------------------------------------------------*/

static const struct {
    uint8_t type, subtype;
    bool (*append)(GString *out, Reader payload);
} formats[] = {
    {TYPE_HARDWARE, 1, append_pci},
    {TYPE_HARDWARE, 3, append_memory},
    {TYPE_HARDWARE, 4, append_hardware_vendor},
    {TYPE_HARDWARE, 5, append_controller},
    {TYPE_ACPI, 1, append_acpi},
    {TYPE_MESSAGE, 1, append_ata},
    {TYPE_MESSAGE, 2, append_scsi},
    {TYPE_MESSAGE, 5, append_usb},
    {TYPE_MESSAGE, 10, append_message_vendor},
    {TYPE_MESSAGE, 11, append_mac},
    {TYPE_MESSAGE, 12, append_ipv4},
    {TYPE_MESSAGE, 17, append_unit},
    {TYPE_MESSAGE, 18, append_sata},
    {TYPE_MESSAGE, 23, append_nvme},
    {TYPE_MESSAGE, 24, append_uri},
    {TYPE_MEDIA, 1, append_hard_drive},
    {TYPE_MEDIA, 2, append_cdrom},
    {TYPE_MEDIA, 3, append_media_vendor},
    {TYPE_MEDIA, 4, append_file},
    {TYPE_MEDIA, 5, append_protocol},
    {TYPE_MEDIA, SUBTYPE_FIRMWARE_FILE, append_firmware_file},
    {TYPE_MEDIA, SUBTYPE_FIRMWARE_VOLUME, append_firmware_volume},
    {TYPE_MEDIA, 8, append_offset},
    {TYPE_BIOS_BOOT, 1, append_bios_boot},
};

/* A node of a kind that has no words of its own: its numbers and its bytes. */
static bool append_other(GString *out, const Node *node)
{
    static const char *const names[] = {NULL,  "HardwarePath", "AcpiPath",
                                        "Msg", "MediaPath",    "BbsPath"};
    if (node->type > 0 && node->type < G_N_ELEMENTS(names))
        g_string_append_printf(out, "%s(%u,", names[node->type], node->subtype);
    else
        g_string_append_printf(out, "Path(%u,%u,", node->type, node->subtype);
    append_hex(out, node->payload);
    g_string_append_c(out, ')');
    return true;
}

static bool append_node(GString *out, const Node *node)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].type == node->type && formats[i].subtype == node->subtype)
            return formats[i].append(out, reader_of(node->payload));
    return append_other(out, node);
}

char *uefi_device_path_text(Bytes path)
{
    g_autoptr(GString) out = g_string_new(NULL);
    Reader reader = reader_of(path);
    Node node;
    bool separate = false;
    if (path.size > UEFI_DEVICE_PATH_MAX_SIZE)
        return NULL;
    while (take_node(&reader, &node)) {
        if (node.type == TYPE_END && node.subtype != SUBTYPE_END_INSTANCE)
            return g_string_free(g_steal_pointer(&out), FALSE);
        if (separate && node.type != TYPE_END)
            g_string_append_c(out, '/');
        if (node.type == TYPE_END)
            g_string_append_c(out, ',');
        else if (!append_node(out, &node))
            return NULL;
        separate = node.type != TYPE_END;
    }
    if (out->len == 0 && path.size > 0)
        return NULL;
    return g_string_free(g_steal_pointer(&out), FALSE);
}

bool uefi_device_path_is_firmware_file(Bytes path)
{
    Reader reader = reader_of(path);
    Node volume, file;
    return take_node(&reader, &volume) && take_node(&reader, &file) && volume.type == TYPE_MEDIA &&
           volume.subtype == SUBTYPE_FIRMWARE_VOLUME && volume.payload.size >= UEFI_GUID_SIZE &&
           file.type == TYPE_MEDIA && file.subtype == SUBTYPE_FIRMWARE_FILE &&
           file.payload.size >= UEFI_GUID_SIZE;
}
