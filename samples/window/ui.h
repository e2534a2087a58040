/* The interface: Nuklear's widgets, laid out by hand in its own units (pixels at a scale of 1). Every frame it is built
 * anew from the state, and what the user did changes the state. */
#ifndef WINDOW_UI_H
#define WINDOW_UI_H

#include "draw.h"
#include "nk.h"
#include "numbers.h"
#include "state.h"

enum { UI_MAX_AREAS = 64, UI_NAME_SIZE = 24 };

typedef enum ui_font { UI_SMALL, UI_NORMAL, UI_LARGE, UI_FONTS } ui_font;

/* Where something is, for scripts, which name what they click. */
typedef struct ui_area {
    char name[UI_NAME_SIZE];
    struct nk_rect rect;
} ui_area;

/* What the interface shows and does not change. */
typedef struct ui_facts {
    const window_numbers *numbers; /* version 0: nothing yet */
    const smoe_plan_desc *plan;
    const window_model *model;
    const char *device;  /* its name, and where it computes */
    const char *loading; /* what is being done before there are results; NULL: nothing */
    double frame_milliseconds;
} ui_facts;

typedef struct window_ui {
    struct nk_context nk;
    struct nk_font_atlas atlas;
    struct nk_font *fonts[UI_FONTS];
    struct nk_draw_null_texture white;
    bool begun; /* nk and atlas are there */
    draw_list list;
    ui_area areas[UI_MAX_AREAS];
    uint32_t area_count;
    double pointed; /* the place on the path that the pointer is at; the state has it from the next frame on */
    int selects;    /* the side whose curves a rectangle is drawn on, -1 none */
    struct nk_vec2 selected_from;
} window_ui;

bool ui_create(window_ui *ui);
void ui_destroy(window_ui *ui);

/* Bakes the font for a scale, into `draw`. No frame may be on its way. */
bool ui_set_scale(window_ui *ui, window_draw *draw, float scale);

/* One frame's widgets over width x height units. Changes the state by what the input said. */
void ui_build(window_ui *ui, window_state *state, const ui_facts *facts, float width, float height);

/* The area of a name in the last frame, NULL if it had none. */
const ui_area *ui_find_area(const window_ui *ui, const char *name);

#endif
