#include "json_add.h"

cJSON *json_add(json *j, cJSON *to, const char *name, cJSON *value)
{
    if (!to || !value || !(name ? cJSON_AddItemToObject(to, name, value) : cJSON_AddItemToArray(to, value))) {
        cJSON_Delete(value);
        j->failed = true;
        return NULL;
    }
    return value;
}

void json_add_number(json *j, cJSON *to, const char *name, double value)
{
    json_add(j, to, name, cJSON_CreateNumber(value));
}

void json_add_measured(json *j, cJSON *to, const char *name, double value)
{
    json_add(j, to, name, value > 0 ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void json_add_text(json *j, cJSON *to, const char *name, const char *text)
{
    json_add(j, to, name, cJSON_CreateString(text));
}

void json_add_bool(json *j, cJSON *to, const char *name, bool value)
{
    json_add(j, to, name, cJSON_CreateBool(value));
}

void json_add_known(json *j, cJSON *to, const char *name, const char *text)
{
    json_add(j, to, name, text[0] ? cJSON_CreateString(text) : cJSON_CreateNull());
}
