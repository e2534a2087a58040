/* smoe-bench report: results documents as one page that needs no other. */
#include "report.h"

static const char head[] = "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport "
                           "content=\"width=device-width,initial-scale=1\">\n"
                           "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';style-src "
                           "'unsafe-inline'\">\n<title>smoe-bench: report</title>\n";

static void write_device(report_page *p, const report_view *view, const report_series *series)
{
    report_put(p, "<section id=device-%s><h2><b class=\"tag c%d\">%s</b> <bdi>", series->letter, series->colour,
               series->letter);
    report_text(p, series->device->name);
    report_put(p, "</bdi></h2>\n");
    report_write_key(p, view, series);
    report_put(p, "<div class=\"cards big\">\n");
    report_write_roofline(p, series);
    report_write_smooth(p, series);
    report_put(p, "</div>\n");
    report_write_limits(p, view, series);
    report_write_stages(p, view, series);
    report_put(p, "</section>\n");
}

void report_write_page(report_page *p, const report_view *view)
{
    report_put(p, "%s", head);
    report_write_style(p);
    report_put(p,
               "</head><body><header><h1>Mixture-of-experts layers on Vulkan devices</h1><p>What smoe-bench measured, "
               "%zu row%s on %zu device%s.</p>\n<nav aria-label=Parts>"
               "<a href=#times>Times</a> ",
               view->row_count, view->row_count == 1 ? "" : "s", view->series_count,
               view->series_count == 1 ? "" : "s");
    for (size_t i = 0; i < view->series_count; i++)
        if (report_any_ran(view->series[i].rows, view->series[i].row_count))
            report_put(p, "<a href=#device-%s>%s</a> ", view->series[i].letter, view->series[i].letter);
    report_put(p, "<a href=#table>Every row</a> <a href=#measured>How it was measured</a></nav></header><main>\n");
    report_write_overview(p, view);
    report_write_times(p, view);
    for (size_t i = 0; i < view->series_count; i++)
        if (report_any_ran(view->series[i].rows,
                           view->series[i].row_count)) /* one that only routed has no part of its own */
            write_device(p, view, &view->series[i]);
    report_write_types(p, view);
    report_write_routing(p, view);
    report_write_table(p, view);
    report_write_measured(p, view);
    report_put(p, "</main></body></html>\n");
}
