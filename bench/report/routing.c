/* Routing alone: nanoseconds for each token. */
#include "report.h"

#include <math.h>

static void write_run(report_page *p, const results_row *data, int routing)
{
    const results_run *run = &data->runs[routing];
    char text[REPORT_TEXT_SIZE];
    if (!run->there || run->unsupported[0]) {
        report_put(p, "<td colspan=2>%s", run->there ? "unsupported: " : "");
        report_text(p, run->unsupported);
        return;
    }
    report_put(p, "<td class=e>%s", report_time(text, run->ns_per_token));
    report_put(p, "<td class=e>%s", report_share(text, run->share_of_bytes));
}

static void write_row(report_page *p, const report_row *row)
{
    const results_row *data = row->data;
    report_put(p, "<tr><th scope=row class=e>%u<td><b class=\"tag c%d\">%s</b><td>", row->number, row->series->colour,
               row->series->letter);
    report_text(p, data->layer);
    report_put(p, "<td class=e>%u<td class=e>%u<td class=e>%u<td class=e>%u<td class=e>%u", data->shape.d_model,
               data->shape.experts, data->shape.top_k, data->shape.max_active, data->tokens);
    if (data->unsupported[0]) {
        report_put(p, "<td colspan=4>unsupported: ");
        report_text(p, data->unsupported);
    } else {
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            write_run(p, data, routing);
    }
    report_put(p, "</tr>\n");
}

static bool has_routing(const report_view *view)
{
    bool any = false;
    for (size_t i = 0; i < view->row_count; i++)
        any = any || view->rows[i].layer < 0;
    return any;
}

void report_write_routing(report_page *p, const report_view *view)
{
    if (!has_routing(view))
        return;
    report_put(p, "<section id=routing><h2>Routing alone</h2><p>The choice of the experts without the experts "
                  "themselves, in time for each token, and the "
                  "share of the time that its bytes would take.</p><div class=cards>\n");
    report_write_routing_pictures(p, view);
    report_put(p,
               "</div><div class=scroll tabindex=0 role=region aria-label=\"Routing alone\"><table><caption>Routing "
               "alone</caption><thead><tr><th scope=col class=e>row"
               "<th scope=col>device<th scope=col>layer<th scope=col class=e>D<th scope=col class=e>experts"
               "<th scope=col class=e>k<th scope=col class=e>most<th scope=col class=e>tokens<th scope=col class=e>hard"
               "<th scope=col class=e>of bytes<th scope=col class=e>smooth<th scope=col class=e>of "
               "bytes</tr></thead><tbody>\n");
    for (size_t i = 0; i < view->row_count; i++)
        if (view->rows[i].layer < 0)
            write_row(p, &view->rows[i]);
    report_put(p, "</tbody></table></div></section>\n");
}
