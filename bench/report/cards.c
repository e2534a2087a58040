/* A card for each layer of a device. */
#include "report.h"

size_t report_count_rows(const report_row *rows, size_t count, report_shows *shows)
{
    size_t shown = 0;
    for (size_t i = 0; i < count; i++)
        shown += shows(&rows[i]);
    return shown;
}

void report_write_cards(report_page *p, const report_view *view, const report_series *series, report_shows *shows,
                        report_card *card)
{
    report_put(p, "<div class=cards>\n");
    for (size_t i = 0; i < series->row_count; i = report_layer_end(series, i)) {
        const size_t count = report_layer_end(series, i) - i;
        const size_t shown = report_count_rows(&series->rows[i], count, shows);
        if (shown > 0)
            card(p, view, &series->rows[i], count, shown);
    }
    report_put(p, "</div>\n");
}
