#include "capability_fields.h"
#include "capability_file.h"

bool capability_text_clean(char *text)
{
    bool clean = true;
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        const bool second = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F in UTF-8 */
        if (!second && *c >= 0x20 && *c != 0x7f)
            continue;
        clean = false;
        *c = ' ';
        if (second)
            *++c = ' ';
    }
    return clean;
}

void capability_clean(smoe_device_info *info)
{
    for (size_t i = 0; i < CAPABILITY_FIELD_COUNT; i++)
        if (capability_fields[i].kind == KIND_TEXT)
            capability_text_clean((char *)info + capability_fields[i].offset);
}
