/* What C and the shaders of this folder must agree on. Included by both.
 *
 * Shaders that draw have two descriptor sets of storage buffers and one push block. One set changes from frame to frame
 * (WINDOW_SET_FRAME), the other with the results that are shown (WINDOW_SET_RESULTS). Whatever they draw, they read
 * from there. */
#ifndef WINDOW_INTERFACE_H
#define WINDOW_INTERFACE_H

#define WINDOW_SET_FRAME 0
#define WINDOW_BINDING_VERTICES 0 /* Nuklear's: WINDOW_VERTEX_WORDS each */
#define WINDOW_BINDING_INDICES 1
#define WINDOW_BINDING_GLYPHS 2   /* the font's picture: four bytes of coverage in a word */
#define WINDOW_BINDING_PICTURES 3 /* float32, 0 paper .. 1 ink; or red, green and blue, one plane behind the other */
#define WINDOW_FRAME_BINDINGS 4

#define WINDOW_SET_RESULTS 1
#define WINDOW_BINDING_ANSWERS 0 /* float32 [items,classes] of logits, then of probabilities */
#define WINDOW_BINDING_REPORT 1  /* smoe/report.h */
#define WINDOW_BINDING_PATCHES                                                                                         \
    2 /* smoe/report.h: of item 0, of each block that is shown; token 0 is the class token                             \
       */
#define WINDOW_RESULTS_BINDINGS 3

#define WINDOW_VERTEX_WORDS 5 /* position in pixels, place in the font's picture, colour as bytes R, G, B, A */

/* head: one invocation for each item. */
#define WINDOW_HEAD_WORKGROUP 64

/* What a plot shows, and where. The rectangle is in pixels. Items are rows of the results: item 0 is what is looked at,
 * those from 1 on are the path's. */
#define WINDOW_PLOT_FIELDS(UINT, FLOAT)                                                                                \
    FLOAT x;                                                                                                           \
    FLOAT y;                                                                                                           \
    FLOAT width;                                                                                                       \
    FLOAT height;                                                                                                      \
    FLOAT screen_width;                                                                                                \
    FLOAT screen_height;                                                                                               \
    FLOAT low; /* curves: the values at the lower and the upper edge */                                                \
    FLOAT high;                                                                                                        \
    FLOAT line;   /* curves: half the line's width in pixels; bars, map: the pixels between two rows */                \
    UINT values;  /* curves and bars: the word of `answers` where item 0 begins; patches: WINDOW_PATCHES_* */          \
    UINT first;   /* item */                                                                                           \
    UINT count;   /* items */                                                                                          \
    UINT classes; /* per item; pictures: planes */                                                                     \
    UINT experts;                                                                                                      \
    UINT max_active; /* the report's */                                                                                \
    UINT start;      /* pictures, patches: the word where it begins */                                                 \
    UINT columns;    /* pixels of a picture, patches; of the font's, for Nuklear's triangles */                        \
    UINT rows;

/* Colours, 0xRRGGBB. The classes have Tableau's ten, which people who confuse red and green tell apart by lightness. */
#define WINDOW_CLASS_COLOURS                                                                                           \
    0x4e79a7u, 0xf28e2bu, 0xe15759u, 0x56a3a6u, 0x59a14fu, 0xc9a227u, 0x9467a8u, 0xe377a2u, 0x8c6248u, 0x3f444bu
#define WINDOW_CLASS_COLOUR_COUNT 10
#define WINDOW_PAPER 0xffffffu
#define WINDOW_TRACK 0xeceef1u  /* of bars and maps, where nothing is */
#define WINDOW_EXPERT 0x1f5fa8u /* an expert of weight 1 */
#define WINDOW_NEAR 0xd9541eu   /* on a boundary */
#define WINDOW_INK 0x22262bu

/* What a map of patches shows: the best expert, by the classes' colours; how near a boundary; experts beyond the
 * `count` best. */
#define WINDOW_PATCHES_EXPERT 0
#define WINDOW_PATCHES_NEAR 1
#define WINDOW_PATCHES_EXTRA 2

#define WINDOW_NEAR_GAP 0.5 /* a gap from which on a token counts as far from a boundary */

#endif
