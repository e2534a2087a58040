/* What the parts of the interface share. */
#ifndef WINDOW_UI_INTERNAL_H
#define WINDOW_UI_INTERNAL_H

#include "ui.h"

/* A frame being built. Rectangles are in units of the window's content, which scrolls where the window is small. */
typedef struct ui_frame {
    window_ui *ui;
    struct nk_context *nk;
    window_state *state;
    const ui_facts *facts;
} ui_frame;

struct nk_color ui_colour(uint32_t rgb);

/* The next widget's place; gives where that is in the window. */
struct nk_rect ui_place(const ui_frame *frame, struct nk_rect rect);

/* Remembers where something is. */
void ui_name(const ui_frame *frame, const char *name, struct nk_rect where);

#if defined(__GNUC__)
__attribute__((format(printf, 6, 7)))
#endif
void ui_text(const ui_frame *frame, struct nk_rect rect, ui_font font, nk_flags align, uint32_t rgb, const char *format,
             ...);

bool ui_button(const ui_frame *frame, struct nk_rect rect, const char *name, const char *label);

/* A plot of the results, or of a picture; the rectangle is filled in. Gives where it is in the window. */
struct nk_rect ui_plot(const ui_frame *frame, struct nk_rect rect, const char *name, const plot *shown);

#define UI_TEXT 0x2b2f36u
#define UI_FAINT 0x6b7280u
#define UI_LINE 0xd8dce2u
#define UI_ACCENT 0x1f5fa8u

/* A picture in a square of the list. */
void ui_picture(const ui_frame *frame, float x, float y, float side, const char *name, const float *shown);

/* The parts. */
void ui_build_digit(const ui_frame *frame, struct nk_rect rect);
void ui_build_pictures(const ui_frame *frame, struct nk_rect rect);
void ui_build_controls(const ui_frame *frame, struct nk_rect rect);
void ui_build_path(const ui_frame *frame, struct nk_rect rect);
void ui_build_curves(const ui_frame *frame, struct nk_rect rect, model_side side);
void ui_build_status(const ui_frame *frame, struct nk_rect rect);

#endif
