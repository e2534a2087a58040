/* How it was measured: of each document the run, the system, its devices, and their peaks. */
#include "report.h"

#include <math.h>
#include <string.h>

static void put_item(report_page *p, const char *name, const char *text)
{
    if (!text[0])
        return;
    report_put(p, "<dt>%s<dd><bdi>", name);
    report_text(p, text);
    report_put(p, "</bdi>\n");
}

static void put_texts(report_page *p, const char *name, const results_texts *texts, const char *none)
{
    report_put(p, "<dt>%s<dd>%s", name, texts->count ? "" : none);
    for (size_t i = 0; i < texts->count; i++) {
        report_put(p, "%s<bdi>", i ? ", " : "");
        report_text(p, texts->texts[i]);
        report_put(p, "</bdi>");
    }
    report_put(p, "\n");
}

static void put_command_line(report_page *p, const results_document *document)
{
    report_put(p, "<dt>command line<dd><code>");
    report_text(p, document->program.name);
    for (size_t i = 0; i < document->session.command_line.count; i++) {
        report_put(p, " ");
        report_text(p, document->session.command_line.texts[i]);
    }
    report_put(p, "</code>\n");
}

static void count_work(report_page *p, const results_document *document)
{
    double forwards = 0;
    size_t unsupported = 0;
    for (size_t i = 0; i < document->row_count; i++) {
        unsupported += document->rows[i].unsupported[0] != '\0';
        for (int routing = 0; routing < RESULTS_ROUTING_COUNT; routing++)
            forwards += document->rows[i].runs[routing].forwards > 0 ? document->rows[i].runs[routing].forwards : 0;
    }
    report_put(p, "<dt>counts<dd>%zu rows, %zu of them unsupported; %.0f forwards timed%s\n", document->row_count,
               unsupported, forwards,
               document->session.finished ? "" : "; the run ended before all its rows were measured");
}

static void write_document(report_page *p, const results_document *document)
{
    const results_program *program = &document->program;
    const results_system *system = &document->system;
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<dl>");
    report_put(p, "<dt>program<dd>");
    report_text(p, program->name);
    report_put(p, " ");
    report_text(p, program->version);
    report_put(p, "\n");
    put_item(p, "commit", program->commit);
    put_item(p, "compiler", program->compiler);
    put_item(p, "mode", program->mode);
    put_item(p, "shader tools", program->shader_tools);
    put_item(p, "date", document->session.date);
    put_command_line(p, document);
    count_work(p, document);
    put_item(p, "system", system->os);
    put_item(p, "processor", system->cpu);
    if (system->cpu_count)
        report_put(p, "<dt>processors<dd>%u\n", system->cpu_count);
    if (report_known(system->memory_bytes))
        report_put(p, "<dt>memory<dd>%s\n", report_amount(text, system->memory_bytes, "B"));
    report_put(p, "</dl>\n");
}

static const char *type_text(uint32_t type)
{
    static const char *const types[] = {"other", "integrated GPU", "discrete GPU", "virtual GPU",
                                        "software on the processor"};
    return types[type < sizeof types / sizeof *types ? type : 0];
}

static void write_facts(report_page *p, const results_device *device)
{
    char text[REPORT_TEXT_SIZE];
    report_put(p, "<dl>");
    put_item(p, "driver", device->driver);
    put_item(p, "driver's own words", device->driver_info);
    report_put(p, "<dt>kind<dd>%s\n", type_text(device->type));
    report_put(p, "<dt>vendor, device<dd>0x%04x, 0x%04x\n", device->vendor_id, device->device_id);
    report_put(p, "<dt>Vulkan<dd>%u.%u.%u\n", device->api_version >> 22 & 0x7f, device->api_version >> 12 & 0x3ff,
               device->api_version & 0xfff);
    if (device->subgroup_size)
        report_put(p, "<dt>subgroup<dd>%u\n", device->subgroup_size);
    if (report_known(device->memory_size))
        report_put(p, "<dt>memory<dd>%s\n", report_amount(text, device->memory_size, "B"));
    report_put(p, "<dt>times<dd>%s\n",
               device->timestamps ? "the device’s own" : "the host’s: the device has no timestamps");
    put_texts(p, "capabilities", &device->capabilities, "none");
    put_texts(p, "masked", &device->masked, "none");
    put_texts(p, "quirks", &device->quirks, "none");
    report_put(p, "</dl>\n");
}

static const char *peak_text(char text[REPORT_TEXT_SIZE], const results_peak *peak)
{
    if (strcmp(peak->unit, "ns") == 0)
        return report_time(text, peak->value);
    return report_amount(text, peak->value,
                         strcmp(peak->unit, "flop/s") == 0   ? "op/s"
                         : strcmp(peak->unit, "byte/s") == 0 ? "B/s"
                                                             : peak->unit);
}

static void write_peaks(report_page *p, const report_series *series)
{
    const results_device *device = series->device;
    char text[REPORT_TEXT_SIZE];
    if (device->peak_count == 0)
        return;
    report_put(p,
               "<div class=scroll tabindex=0 role=region aria-label=\"Peaks of %s\"><table><caption>Peaks of %s, "
               "measured in the same run"
               "</caption><thead><tr><th scope=col>peak<th scope=col class=e>best<th scope=col "
               "class=e>of</tr></thead><tbody>\n",
               series->letter, series->letter);
    for (size_t i = 0; i < device->peak_count; i++) {
        const results_peak *peak = &device->peaks[i];
        report_put(p, "<tr><th scope=row>");
        report_text(p, peak->name);
        if (report_known(peak->value)) {
            report_put(p, "<td class=e>");
            report_text(p, peak_text(text, peak));
            report_put(p, "<td class=e>%s", report_number(text, peak->best_of, 6));
        } else {
            report_put(p, "<td colspan=2>not measured: ");
            report_text(p, peak->not_measured);
        }
        report_put(p, "</tr>\n");
    }
    report_put(p, "</tbody></table></div>\n");
}

static void write_device(report_page *p, const report_series *series)
{
    report_put(p, "<h3><b class=\"tag c%d\">%s</b> <bdi>", series->colour, series->letter);
    report_text(p, series->device->name);
    report_put(p, "</bdi></h3>\n<div class=two><div>");
    write_document(p, series->document);
    write_facts(p, series->device);
    report_put(p, "</div>");
    write_peaks(p, series);
    report_put(p, "</div>\n");
}

static const char meaning[] =
    "<h3>What the numbers mean</h3><ul>\n"
    "<li>A time is the median of the forwards of a row: the device’s own time where it has timestamps, else the "
    "host’s, which contains "
    "recording, submission and wait.</li>\n"
    "<li>Operations are those of the matrix multiplications that the layer asks for, of the experts that ran; a "
    "multiplication and an "
    "addition count one each. Bytes are those that must move at the least: the weights of the experts that ran, once, "
    "the router’s, the "
    "inputs and the outputs.</li>\n"
    "<li>The share of the bytes is the time that they would take at the fastest of the three transfers within the "
    "device, over the time of "
    "the forward. The share of the operations is the same for the peaks of their kernels’ kinds. The share of the "
    "dispatches is that of as "
    "many empty dispatches as the row has stages, and of the barriers between them.</li>\n"
    "<li>A row is bound by the largest of the three shares where that is half of its time or more.</li>\n"
    "<li>Smooth over hard is the median of the ratios of forwards that alternate; so are a layer with totals over "
    "one without, and mixed precision over float32.</li>\n"
    "<li>Plan is the time of creating the layer’s plan, which compiles the kernels; plan again that of one whose "
    "kernels are there. Run is the number of experts that any token went to. The clock is the device’s behind the "
    "row, where the system tells it.</li>\n"
    "<li>The error is the standard error of the median over the median. The check is the largest difference of the "
    "row’s outputs from those "
    "of a reference, on some of its tokens.</li></ul>\n";

void report_write_measured(report_page *p, const report_view *view)
{
    report_put(p, "<section id=measured><h2>How it was measured</h2>\n");
    for (size_t i = 0; i < view->series_count; i++)
        write_device(p, &view->series[i]);
    report_put(p, "%s</section>\n", meaning);
}
