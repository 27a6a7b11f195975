/* SPDX-License-Identifier: Apache-2.0 */
/* Device paths as text, and hostile ones. */
#include "evidence/uefi/device_path.h"

#include "base/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define END "7fff0400"
#define ROOT "02010c00d041030a00000000"
#define PCI "010106000002"
#define GUID_HEX "000102030405060708090a0b0c0d0e0f"
#define GUID_TEXT "03020100-0504-0706-0809-0a0b0c0d0e0f"

static void assert_path(const char *hex, const char *expected)
{
    g_autoptr(GBytes) path = hex_decode(hex);
    g_autofree char *text = uefi_device_path_text(bytes_of_gbytes(path));
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
}

static void test_nodes(void **state)
{
    static const struct {
        const char *hex, *text;
    } cases[] = {
        {ROOT PCI END, "PciRoot(0x0)/Pci(0x2,0x0)"},
        {"02010c00d041080a01000000" END, "PcieRoot(0x1)"},
        {"02010c00111111110a000000" END, "Acpi(0x11111111,0xa)"},
        {"03120a000200ffff0000" END, "Sata(2,65535,0)"},
        {"0302080001000200" END, "SCSI(1,2)"},
        {"0301080001000200" END, "Ata(1,0,2)"},
        {"030506000102" END, "USB(1,2)"},
        {"03171000010000005cd2e42681a1c97d" END, "NVMe(0x1,5C-D2-E4-26-81-A1-C9-7D)"},
        {"04041000610062005c0063000000"
         "6400" END,
         "File(ab\\c)"},
        {"04061400" GUID_HEX END, "FvFile(" GUID_TEXT ")"},
        {"01041600" GUID_HEX "abcd" END, "VenHw(" GUID_TEXT ",abcd)"},
        {"030a1400" GUID_HEX END, "VenMsg(" GUID_TEXT ")"},
        {"0408180000000000"
         "0100000000000000"
         "ff00000000000000" END,
         "Offset(0x1,0xff)"},
        {"04012a000100000000080000000000000000100000000000" GUID_HEX "0202" END,
         "HD(1,GPT," GUID_TEXT ",0x800,0x100000)"},
        {"04012a000100000000080000000000000000100000000000" GUID_HEX "0101" END,
         "HD(1,MBR,0x3020100,0x800,0x100000)"},
        {"030b25000cc47aff601c0000000000000000000000000000000000000000000000000000"
         "01" END,
         "MAC(0cc47aff601c,1)"},
        {"031807006162c3" END, "Uri(ab\xef\xbf\xbd)"},
        {"03630600abcd" END, "Msg(99,abcd)"},
        {"630106001234" END, "Path(99,1,1234)"},
        {ROOT "7f010400" ROOT END, "PciRoot(0x0),PciRoot(0x0)"},
        {END, ""},
        {"", ""},
        {ROOT, "PciRoot(0x0)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_path(cases[i].hex, cases[i].text);
}

static void test_hostile_nodes(void **state)
{
    assert_path("04040000", NULL);         /* length 0 */
    assert_path("04040300", NULL);         /* shorter than its own head */
    assert_path("04040400" END, "File()"); /* a head alone */
    assert_path("0318ffff61", NULL);       /* longer than what is there */
    assert_path(ROOT "0318ffff61", "PciRoot(0x0)");
    assert_path("010105001f" END, NULL); /* too short for its type */
    assert_path("03", NULL);
    g_autofree uint8_t *large = g_malloc0(UEFI_DEVICE_PATH_MAX_SIZE + 1);
    assert_null(uefi_device_path_text(bytes_of(large, UEFI_DEVICE_PATH_MAX_SIZE + 1)));
}

static void test_firmware_file(void **state)
{
    g_autoptr(GBytes) file = hex_decode("04071400" GUID_HEX "04061400" GUID_HEX END);
    g_autoptr(GBytes) swapped = hex_decode("04061400" GUID_HEX "04071400" GUID_HEX END);
    g_autoptr(GBytes) disk = hex_decode(ROOT PCI END);
    assert_true(uefi_device_path_is_firmware_file(bytes_of_gbytes(file)));
    assert_false(uefi_device_path_is_firmware_file(bytes_of_gbytes(swapped)));
    assert_false(uefi_device_path_is_firmware_file(bytes_of_gbytes(disk)));
    assert_false(uefi_device_path_is_firmware_file(BYTES_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_hostile_nodes),
        cmocka_unit_test(test_firmware_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
