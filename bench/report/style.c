/* How the page looks: on light and dark, on a phone and on paper. */
#include "report.h"

/* Colours of devices and layers: eight that most colour-blind people tell apart, beside letters or marks that all do;
 * then those of the stages, of which text lies on some, and of the limits. */
static const char light[] =
    "color-scheme:light;--page:#f4f5f7;--card:#fff;--ink:#17191c;--dim:#555b64;--line:#d9dce1;--bad:#b3261e;"
    "--c0:#0067a5;--c1:#c24a00;--c2:#00785a;--c3:#a03a86;--c4:#8a6200;--c5:#4b4f56;--c6:#2f86c1;--c7:#7a4b2a;";
static const char dark[] =
    "color-scheme:dark;--page:#131518;--card:#1d2024;--ink:#eceef1;--dim:#a8afb9;--line:#383d44;--bad:#ff9c8f;"
    "--c0:#5cb8f2;--c1:#ff9257;--c2:#3fd0a3;--c3:#f092cf;--c4:#e8bd4a;--c5:#c4c9d0;--c6:#9cc4ff;--c7:#d3a27a;";

static const char text_rules[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:20px;max-width:1500px;background:var(--page);color:var(--ink);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}\n"
    "h1{font-size:28px;line-height:1.2;margin:0 0 4px}h2{font-size:22px;line-height:1.25;margin:40px 0 8px}"
    "h3{font-size:17px;margin:26px 0 6px}p{max-width:75ch;margin:6px 0 10px}\n"
    "nav{margin:8px 0 16px}nav a{margin-right:14px}a{color:var(--c0)}\n"
    ".tag{display:inline-block;min-width:1.6em;padding:0 .35em;text-align:center;border:2px solid currentColor;"
    "border-radius:5px;line-height:1.35}\n"
    "ul.key{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:6px 0 10px;padding:0;font-size:14px}"
    ".key li{display:flex;align-items:center;gap:6px}.key .i{width:16px;flex:none}"
    ".key b{display:inline-block;min-width:20px;height:20px;line-height:20px;text-align:center;border-radius:3px;"
    "font-size:13px}\n"
    ".doubts{border-left:4px solid var(--bad);padding:4px 0 4px 26px;margin:8px 0}"
    ".note{margin:4px 0 0;font-size:13px;line-height:1.35;color:var(--dim)}\n"
    "details{margin:10px 0}summary{cursor:pointer;font-weight:600;padding:6px 0}code{font-size:13px}\n"
    "dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:2px 14px;margin:0 0 8px;font-size:14px}"
    "dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}\n"
    ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:6px 24px;"
    "align-items:start}\n";

static const char table_rules[] =
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;margin:8px 0 14px;"
    "max-width:100%}\n"
    "table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums;min-width:100%}"
    "caption{text-align:left;padding:8px 10px 2px;color:var(--dim)}\n"
    "th,td{padding:4px 10px;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "tbody tr:last-child>*{border-bottom:0}thead th{color:var(--dim);font-weight:600}tbody th{font-weight:600}"
    "th.e,td.e{text-align:right}td[colspan]{white-space:normal;min-width:22em}"
    ".bad{color:var(--bad);font-weight:600}.name{white-space:normal;min-width:10em}.tight th,.tight td{padding:4px "
    "8px}\n";

static const char picture_rules[] =
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:14px;"
    "align-items:start}"
    ".big{grid-template-columns:repeat(auto-fit,minmax(min(360px,100%),1fr))}\n"
    ".big{max-width:1180px}.big .card{max-width:580px}\n"
    ".columns{columns:340px 3;column-gap:14px}.columns .card{break-inside:avoid;margin-bottom:14px}\n"
    ".card{margin:0;padding:10px 12px 8px;background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "min-width:0;max-width:720px}figcaption{font-weight:600;margin-bottom:4px;overflow-wrap:anywhere}\n"
    "svg{display:block;width:100%;height:auto;overflow:visible}"
    "svg text{font:12px system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif;fill:var(--ink);"
    "font-variant-numeric:tabular-nums}\n"
    "svg .t,svg .s{fill:var(--dim)}svg .m,svg .n{text-anchor:middle}svg .e{text-anchor:end}"
    "svg .b,svg .q{font-weight:600}svg .n,svg .s{font-size:11px;paint-order:stroke;stroke:var(--card);"
    "stroke-width:3px;stroke-linejoin:round}\n"
    ".g{stroke:var(--line);stroke-width:1}.a{fill:none;stroke:var(--dim);stroke-width:1}"
    ".r{fill:none;stroke:var(--ink);stroke-width:1.5}.d{stroke-dasharray:4 4;stroke-width:1}\n"
    ".w{fill:none;stroke:var(--ink);stroke-width:1.4}.wh{stroke:var(--card);stroke-width:4}"
    ".k{fill:none;stroke:currentColor;stroke-width:2;opacity:.55}"
    ".u{fill:none;stroke:currentColor;stroke-width:1.5}\n"
    ".f{fill:currentColor;stroke:var(--card);stroke-width:.8}.v{fill:currentColor;fill-opacity:.5;stroke:none}"
    ".h{fill:var(--card);fill-opacity:.6;stroke:currentColor;stroke-width:1.5}.z{stroke:var(--card);stroke-width:1}\n"
    ".l0{color:var(--c0)}.l1{color:var(--c1)}.l2{color:var(--c2)}\n";

/* The widest table lies on its side on paper. */
static const char window_rules[] =
    "@media(max-width:600px){body{padding:12px}h1{font-size:24px}h2{font-size:20px}.card{padding:8px 6px 6px}"
    "figcaption,.note{padding:0 4px}}\n"
    "@page wide{size:landscape}\n"
    "@media print{body{padding:0 2px;max-width:none;font-size:10pt;print-color-adjust:exact;"
    "-webkit-print-color-adjust:exact}nav{display:none}#table{page:wide}"
    ".cards{grid-template-columns:repeat(2,minmax(0,1fr))}.columns{columns:2}.card,tr{break-inside:avoid}h2,h3{break-"
    "after:avoid}"
    ".scroll{overflow:visible;border:0}table{font-size:6pt}th,td{padding:1px "
    "3px;white-space:normal}td.e{white-space:nowrap}"
    "td[colspan],.name{min-width:0}details::details-content{content-visibility:visible;display:block}}\n";

/* Stages: text lies on them, dark on light ones and light on dark ones, in both schemes. */
static const char *const stages[][2] = {{"#b9c4d0", "#000"}, {"#4f6d85", "#fff"}, {"#d9b3e0", "#000"},
                                        {"#8e4a9e", "#fff"}, {"#e7e2b0", "#000"}, {"#6a6a20", "#fff"},
                                        {"#2c7a4f", "#fff"}, {"#1f5fa8", "#fff"}, {"#f0a541", "#000"},
                                        {"#cfe0a0", "#000"}, {"#7355b0", "#fff"}, {"#6cc0a8", "#000"},
                                        {"#9aa0a8", "#000"}, {"#c96f6f", "#000"}};

void report_write_style(report_page *p)
{
    report_put(p, "<style>:root{%s}\n@media(prefers-color-scheme:dark){:root{%s}}\n@media print{:root{%s}}\n", light,
               dark, light);
    report_put(p, "%s%s%s%s", text_rules, table_rules, picture_rules, window_rules);
    for (int i = 0; i < REPORT_MARKS; i++)
        report_put(p, ".c%d{color:var(--c%d)}", i, i);
    for (int i = 0; i < (int)(sizeof stages / sizeof *stages); i++)
        report_put(p, ".z%d{fill:%s;background:%s}svg .x%d,.x%d{fill:%s;color:%s}", i, stages[i][0], stages[i][0], i, i,
                   stages[i][1], stages[i][1]);
    report_put(p, "</style>\n");
}
