/* What is the same in every report: style, legend, script. Nothing is fetched from anywhere: the page forbids it to
 * itself. */
#include "report_internal.h"

const float report_gap_limits[REPORT_GAP_STEPS - 1] = {0.01f, 0.02f, 0.05f, 0.1f, 0.2f, 0.5f, 1, 2};

/* Near a boundary: bright; far from it: dark, and more of the picture shows. */
static const char *const gap_colours[REPORT_GAP_STEPS] = {"#fff7b2", "#ffe04d", "#ffb52e", "#ff842b", "#ee5540",
                                                          "#c43b68", "#843c8e", "#4a4096", "#2a3970"};
static const double gap_strengths[REPORT_GAP_STEPS] = {1, 1, 1, 1, 1, 0.95, 0.9, 0.8, 0.7};
static const char *const extra_colours[REPORT_EXTRA_STEPS] = {"#2f8f83", "#46c08f", "#a4dc5f", "#f7f48b"};

/* Ten hues that differ for most eyes, then lighter, then darker; the numbers in the cells tell them apart in any
 * case. */
static const uint8_t expert_hues[10][3] = {{62, 126, 224}, {240, 141, 28}, {38, 160, 98},   {218, 56, 78},
                                           {138, 92, 214}, {22, 176, 190}, {229, 112, 184}, {196, 160, 0},
                                           {140, 92, 62},  {126, 184, 24}};

static const char style[] =
    ":root{color-scheme:light dark;--o:.72;--page:#f4f4f1;--card:#fff;--ink:#1d1f24;--dim:#62666f;--line:#deded9;"
    "--bar:#3e7ee0;--bad:#b3261e;--unsure:#8a5300}\n"
    "@media(prefers-color-scheme:dark){\n"
    ":root{--page:#131519;--card:#1c1f25;--ink:#e7e7e4;--dim:#9a9fa9;--line:#343840;--bar:#5b93ea;"
    "--bad:#ff8a80;--unsure:#ffbe5c}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:1240px;padding:20px;display:flex;flex-direction:column;gap:16px;\n"
    "background:var(--page);color:var(--ink);font:15px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1,h2,h3,p,ol,figure{margin:0;padding:0}h1{font-size:24px}h2{font-size:18px}h3{font-size:15px;display:inline;"
    "margin-right:10px}\n"
    "h3+p{display:inline}.d,.l,small,figcaption,output,.key{color:var(--dim);font-size:13px}.w{color:var(--bad)}"
    ".u{color:var(--unsure)}\n"
    "h1{order:-4}#partial{order:-3}.top{order:-2}.key{order:-1}\n"
    "article,.top,.key,.t{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px}\n"
    "article{display:grid;grid-template-columns:310px minmax(0,1fr);gap:4px 28px;align-items:start;\n"
    "content-visibility:auto;contain-intrinsic-size:auto 620px}\n"
    "article>h2,article>p{grid-column:1/-1}article>p{margin-bottom:8px}\n"
    ".a{display:grid;gap:12px}.seen{display:grid;grid-template-columns:1fr 1fr;gap:12px;align-items:start}\n"
    ".seen figure{max-width:none}.seen svg,.seen img{display:block;border-radius:6px}"
    ".seen img{width:100%;height:auto}.r{display:grid;gap:22px}\n"
    "ol{list-style:none}ol b{font-weight:400}ol li:first-child,ol li:first-child b{font-weight:600}\n"
    "ol li{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:0 8px;margin-bottom:7px;font-size:14px;"
    "font-variant-numeric:tabular-nums}\n"
    "ol i{grid-column:1/-1;height:5px;min-width:1px;border-radius:2px;background:var(--bar)}\n"
    "svg{display:block;width:100%}.k{image-rendering:pixelated}.p{filter:grayscale(1)}.v{opacity:var(--o)}\n"
    ".maps{display:flex;flex-wrap:wrap;gap:14px;margin:10px 0 8px}.maps .m{border-radius:4px}figure{flex:1 1 "
    "170px;max-width:250px}\n"
    "figcaption{margin-top:5px;line-height:1.35}.s{margin-top:5px;overflow:visible;max-width:230px}\n"
    "path{shape-rendering:crispEdges}.h rect,.cursor{width:1px;height:1px}.h{fill:transparent}\n"
    ".cursor{fill:none;stroke:#fff;stroke-width:.14;pointer-events:none;filter:drop-shadow(0 0 .1px #000)}\n"
    "circle{fill:none;stroke:#fff;stroke-width:.12}\n"
    ".n text{font:600 .56px system-ui,sans-serif;text-anchor:middle;dominant-baseline:central;\n"
    "fill:#fff;stroke:#0009;stroke-width:.1;paint-order:stroke}\n"
    "#gaps text,#extras text{font:5.2px system-ui,sans-serif;text-anchor:middle;fill:currentColor}\n"
    ".l{line-height:1.9}.l span{white-space:nowrap;margin-left:8px}\n"
    ".l i{font-style:normal;color:#fff;text-shadow:0 0 2px #000,0 0 1px #000;border-radius:3px;padding:1px 6px}\n"
    "output{display:none}.js output{display:block;min-height:1.5em}\n"
    ".js output:empty:before{content:'Point at a patch, or tap it, to read its numbers.'}\n"
    ".key ul{margin:6px 0 0;padding-left:18px}\n"
    ".slider{display:flex;gap:8px;align-items:center;margin-top:8px}.slider input{flex:0 1 200px;min-width:0}\n"
    ".t{overflow-x:auto}table{margin:8px 0;border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-"
    "nums}\n"
    "th,td{text-align:right;padding:3px 14px 3px 0;white-space:nowrap}"
    "th{color:var(--dim);font-weight:400;border-bottom:1px solid var(--line)}\n"
    "nav{display:grid;grid-template-columns:repeat(auto-fill,minmax(170px,1fr));gap:8px;margin-top:14px}\n"
    "nav "
    "a{display:flex;gap:9px;align-items:center;color:inherit;text-decoration:none;font-size:14px;border-radius:6px;"
    "padding:4px}\n"
    "nav a:hover{background:var(--page)}nav svg{width:44px;flex:none;border-radius:4px}nav span{min-width:0}\n"
    "nav small{display:block;line-height:1.25}\n";

/* On a phone, and on paper. */
static const char style_elsewhere[] =
    "@media(max-width:700px){body{padding:10px}article{grid-template-columns:minmax(0,1fr)}\n"
    ".t tr:first-child{display:none}.t td{display:flex;justify-content:space-between;padding:1px 0}\n"
    "table,tbody{display:block}.t tr{display:block;padding:6px 0;border-bottom:1px solid var(--line)}\n"
    ".t td:before{content:attr(data-n);color:var(--dim)}\n"
    "figure{flex-basis:130px;max-width:calc(50% - "
    "7px)}nav{grid-template-columns:repeat(auto-fill,minmax(140px,1fr))}}\n"
    "@media print{article{content-visibility:visible;break-inside:avoid}}\n";

/* The patch under the pointer is marked in every map of its picture, and its numbers appear below: titles cannot be
 * seen by touch. */
static const char script[] =
    "(() => {\n"
      "const d = document, label = d.createElement('label'), slider = d.createElement('input');\n"
      "d.documentElement.className = 'js';\n"
      "label.className = 'slider';\n"
      "Object.assign(slider, {type: 'range', min: 0, max: 1, step: 0.02, value: 0.72});\n"
      "slider.oninput = () => d.documentElement.style.setProperty('--o', slider.value);\n"
      "label.append('Colour strength', slider);\n"
      "d.querySelector('.top p').after(label);\n"
      "let last;\n"
      "const show = event => {\n"
        "const map = event.target.closest && event.target.closest('svg.m');\n"
        "if (!map) return;\n"
        "const article = map.closest('article'), grid = map.viewBox.baseVal.width, box = map.getBoundingClientRect();\n"
        "const cell = (at, size) => Math.min(grid - 1, Math.max(0, Math.floor(at / size * grid)));\n"
        "const x = cell(event.clientX - box.left, box.width), y = cell(event.clientY - box.top, box.height);\n"
        "if (last && last !== article) {\n"
          "last.querySelectorAll('.cursor').forEach(mark => mark.remove());\n"
          "last.querySelectorAll('output').forEach(output => { output.textContent = ''; });\n"
        "}\n"
        "last = article;\n"
        "article.querySelectorAll('svg.m').forEach(svg => {\n"
          "let mark = svg.querySelector('.cursor');\n"
          "if (!mark) {\n"
            "mark = d.createElementNS(svg.namespaceURI, 'rect');\n"
            "mark.setAttribute('class', 'cursor');\n"
            "svg.append(mark);\n"
          "}\n"
          "mark.setAttribute('x', x);\n"
          "mark.setAttribute('y', y);\n"
        "});\n"
        "article.querySelectorAll('.b').forEach(block => {\n"
          "const title = block.querySelectorAll('.h title')[y * grid + x];\n"
          "block.querySelector('output').textContent = title.textContent.replace(/\\n/g, '; ');\n"
        "});\n"
      "};\n"
      "addEventListener('pointermove', show);\n"
      "addEventListener('pointerdown', show);\n"
    "})();\n";
#define SCRIPT_HASH                                                                                                    \
    "sha256-HBOXnzq2l6rOUuJF4CAiij58BSF4PXbVzVxFKH4jHjo=" /* of the script: the page lets no other run; the test says  \
                                                             it */

static void write_colours(page *p)
{
    for (uint32_t e = 0; e < REPORT_COLOURS; e++) {
        uint8_t colour[3];
        for (uint32_t c = 0; c < 3; c++) {
            const uint32_t hue = expert_hues[e % 10][c];
            colour[c] = (uint8_t)(e < 10 ? hue : e < 20 ? (hue + 255) / 2 : hue * 11 / 20);
        }
        const uint32_t rgb = (uint32_t)colour[0] << 16 | (uint32_t)colour[1] << 8 | colour[2];
        page_put(p, ".e%u{fill:#%06x;background:#%06x}", e, rgb, rgb);
    }
    for (uint32_t i = 0; i < REPORT_GAP_STEPS; i++)
        page_put(p, ".g%u{fill:%s;fill-opacity:%g}", i, gap_colours[i], gap_strengths[i]);
    for (uint32_t i = 0; i < REPORT_EXTRA_STEPS; i++)
        page_put(p, ".x%u{fill:%s}", i + 1, extra_colours[i]);
}

void report_write_head(page *p)
{
    page_put(
        p,
        "<html lang=en><meta charset=utf-8><title>smoe-classify: report</title>\n"
        "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';img-src data:;style-src 'unsafe-inline';"
        "script-src '%s'\">\n",
        SCRIPT_HASH);
    page_put(p, "<style>%s%s", style, style_elsewhere);
    write_colours(p);
    page_put(p, "</style>\n<body><h1>What the experts saw</h1>\n"
             "<p id=partial class=w>This report is not whole: the program ended before it was.</p>\n");
}

/* The scales below the maps; their swatches lie on grey, as the maps' colours lie on the picture. */
static void write_scales(page *p)
{
    page_put(p, "<svg width=0 height=0 style=\"position:absolute;left:0\"><defs>"
             "<g id=gaps><path fill=#808080 d=\"M0 0h90v7h-90z\"/><g class=v>");
    for (uint32_t i = 0; i < REPORT_GAP_STEPS; i++)
        page_put(p, "<path class=g%u d=\"M%u 0h10v7h-10z\"/>", i, 10 * i);
    page_put(p, "</g>");
    for (uint32_t i = 0; i + 1 < REPORT_GAP_STEPS; i++) {
        char limit[16];
        snprintf(limit, sizeof limit, "%g", (double)report_gap_limits[i]);
        /* .01: there is little room */
        page_put(p, "<text x=%u y=13>%s</text>", 10 * (i + 1), limit + (limit[0] == '0'));
    }
    page_put(p, "</g><g id=extras><path fill=#808080 d=\"M0 0h50v7h-50z\"/><g class=v>");
    for (uint32_t i = 1; i <= REPORT_EXTRA_STEPS; i++)
        page_put(p, "<path class=x%u d=\"M%u 0h10v7h-10z\"/>", i, 10 * i);
    page_put(p, "</g>");
    for (uint32_t i = 0; i <= REPORT_EXTRA_STEPS; i++)
        page_put(p, "<text x=%u y=13>%u%s</text>", 10 * i + 5, i, i == REPORT_EXTRA_STEPS ? "+" : "");
    page_put(p, "</g></defs></svg>\n");
}

void report_write_legend(page *p, bool smooth)
{
    write_scales(p);
    page_put(p,
             "<details class=key><summary>What the maps show</summary>Every block with experts has its maps, one "
             "square for each patch.<ul>"
             "<li>best, second, third expert: a colour and a number for each expert, by rank of its score.</li>"
             "<li>gap: the k-th score less the next. The smaller, the nearer to a boundary, where another expert takes "
             "over; "
             "a gap g is a factor of e<sup>g</sup> between two weights. Bright is near.</li>"
             "<li>order: how many experts more tie with the k-th; a ring with the number, in the map of the gap, where "
             "there are any.</li>");
    if (smooth)
        page_put(
            p, "<li>extra experts: those within eps below the k-th score, which run too, with a weight that grows from "
               "nothing.</li>");
    page_put(p, "</ul></details>\n");
}

void report_write_script(page *p)
{
    page_put(p, "<script>%s</script>\n", script);
}
