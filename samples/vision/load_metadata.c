#include "load.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program/text.h"

static const char *text_of(const load *l, const char *key)
{
    return smoe_layer_file_metadata(l->model->file, key);
}

/* A plain decimal number at the start of the text; strtod would also take "inf", "nan", blanks and
 * hexadecimals. */
static bool parse_number(const char *text, const char **end, double *out)
{
    const size_t size = strspn(text, "0123456789+-.eE");
    char copy[64], *stop;
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *out = strtod(copy, &stop);
    *end = text + size;
    return *stop == '\0' && isfinite(*out);
}

bool load_count(const load *l, const char *key, uint32_t otherwise, uint32_t most, uint32_t *out)
{
    const char *text = text_of(l, key), *end;
    double value = (double)otherwise;
    if (text && (!parse_number(text, &end, &value) || *end))
        return load_fail(l, "metadata %s is '%.40s', but must be a whole number", key, text);
    if (!(value >= 1 && value <= (double)most) || value != floor(value))
        return text ? load_fail(l, "metadata %s is '%.40s', but must be a whole number from 1 to %u", key, text, most)
                    : load_fail(l, "metadata %s is missing", key);
    *out = (uint32_t)value;
    return true;
}

bool load_agrees(const load *l, const char *key, uint32_t value)
{
    uint32_t said;
    if (!load_count(l, key, value, UINT32_MAX, &said))
        return false;
    return said == value || load_fail(l, "metadata %s is %u, but the tensors have %u", key, said, value);
}

bool load_numbers(const load *l, const char *key, uint32_t most, double *out, uint32_t *count)
{
    const char *text = text_of(l, key), *at = text;
    *count = 0;
    while (at) {
        if (*count == most || !parse_number(at, &at, &out[*count]) || (*at && *at != ','))
            return load_fail(l, "metadata %s is '%.80s', but must be at most %u numbers with commas between", key, text,
                             most);
        ++*count;
        at = *at ? at + 1 : NULL;
    }
    return true;
}

static bool load_three(const load *l, const char *key, bool positive, float *out)
{
    double values[3] = {0.5, 0.5, 0.5}; /* timm's for vision transformers trained from its own recipes */
    uint32_t count;
    if (!load_numbers(l, key, 3, values, &count))
        return false;
    for (int i = 0; i < 3; i++) {
        if ((count != 0 && count != 3) || (positive && !(values[i] > 0)))
            return load_fail(l, "metadata %s must be three numbers%s", key, positive ? " above 0" : "");
        out[i] = (float)values[i];
    }
    return true;
}

/* A question mark for every character that a terminal must not see. */
static void make_printable(char *text)
{
    char *out = text;
    while (*text) {
        int size = program_printable(text);
        const bool as_it_is = size > 0;
        for (size = as_it_is ? size : 1; !as_it_is && ((unsigned char)text[size] & 0xc0) == 0x80;)
            size++; /* all of it */
        memmove(out, as_it_is ? text : "?", as_it_is ? (size_t)size : 1);
        out += as_it_is ? size : 1;
        text += size;
    }
    *out = '\0';
}

static bool load_classes(load *l)
{
    vision_model *model = l->model;
    const char *text = text_of(l, "classes");
    uint32_t count = 1;
    if (!text)
        return true;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    if (count != model->class_count)
        return load_fail(l, "metadata classes has %u names, but the head has %u classes", count, model->class_count);
    model->class_text = malloc(strlen(text) + 1);
    model->classes = malloc(count * sizeof *model->classes);
    if (!model->class_text || !model->classes)
        return load_fail(l, "out of memory");
    strcpy(model->class_text, text);
    char *at = model->class_text;
    for (uint32_t i = 0; i < count; i++) {
        while (*at == ' ')
            at++;
        model->classes[i] = at;
        at += strcspn(at, ",");
        char *end = at;
        while (end > model->classes[i] && end[-1] == ' ')
            *--end = '\0';
        if (*model->classes[i] == '\0' || *model->classes[i] == ',')
            return load_fail(l, "metadata classes: name %u is empty", i);
        if (i + 1 < count)
            *at++ = '\0';
        make_printable(model->classes[i]);
    }
    return true;
}

/* A number above 0 and at most `most`; untouched where the key is absent. */
static bool load_positive(const load *l, const char *key, double most, bool *found, double *out)
{
    const char *text = text_of(l, key), *end;
    *found = text != NULL;
    if (!text || (parse_number(text, &end, out) && !*end && *out > 0 && *out <= most))
        return true;
    return most < INFINITY
               ? load_fail(l, "metadata %s is '%.40s', but must be a number above 0 and at most %g", key, text, most)
               : load_fail(l, "metadata %s is '%.40s', but must be a number above 0", key, text);
}

bool load_calibration(load *l)
{
    vision_model *model = l->model;
    bool bounded;
    model->temperature = 1;
    return load_positive(l, "temperature", INFINITY, &model->calibrated, &model->temperature) &&
           load_positive(l, "unsure_below", 1, &bounded, &model->unsure_below);
}

const char *vision_fit_name(int fit)
{
    static const char *const names[] = {"crop", "pad", "squash"};
    return fit >= 0 && fit < 3 ? names[fit] : NULL;
}

static bool load_fit(load *l)
{
    const char *text = text_of(l, "fit"), *name;
    for (int fit = VISION_CROP; text && (name = vision_fit_name(fit)) != NULL; fit++)
        if (strcmp(text, name) == 0) {
            l->model->fit = (vision_fit)fit;
            return true;
        }
    return !text || load_fail(l, "metadata fit is '%.40s', but must be crop, pad or squash", text);
}

bool load_preprocessing(load *l)
{
    vision_model *model = l->model;
    const char *interpolation = text_of(l, "interpolation");
    uint32_t count;

    model->crop_pct = 0.9;
    if (!load_numbers(l, "crop_pct", 1, &model->crop_pct, &count))
        return false;
    if (!(model->crop_pct >= 0.1 && model->crop_pct <= 1))
        return load_fail(l, "metadata crop_pct must be a number from 0.1 to 1");
    if (interpolation && strcmp(interpolation, "bilinear") != 0 && strcmp(interpolation, "bicubic") != 0)
        return load_fail(l, "metadata interpolation is '%.40s', but must be bilinear or bicubic", interpolation);
    model->interpolation = interpolation && strcmp(interpolation, "bilinear") == 0 ? VISION_BILINEAR : VISION_BICUBIC;
    return load_fit(l) && load_three(l, "mean", false, model->mean) && load_three(l, "std", true, model->std) &&
           load_classes(l);
}
