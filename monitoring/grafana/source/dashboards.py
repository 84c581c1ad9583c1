"""What the dashboards show. Read it beside docs/metrics.md; grafana.py knows Grafana's JSON.

Every panel answers the question that its description asks or implies. A ratio has both sides aggregated
alike and no value, rather than 0 or NaN, where nothing happened.
"""
from grafana import (bars, dashboard, graph, heatmap, mean, number_variable, percentiles, query, row, stat, states,
                     table)

# Probes, scrapes and operators' looks are not traffic.
TRAFFIC = '<service>, route!~"/|/health|/v2/health/.*|/metrics|/v1/(config|batching|selftest).*"'
# The availability objective: 99.9 % of the requests are answered, other than with 5xx.
ERROR_BUDGET = 0.001

ERROR_RATIO = (f'(sum (rate(http_requests_total{{{TRAFFIC}, code=~"5.."}}[<rate>])) or vector(0))'
               f' / (sum (rate(http_requests_total{{{TRAFFIC}}}[<rate>])) > 0)')
MEMORY_SHARE = ("max (max by (instance) (process_resident_memory_bytes{<service>})"
                " / max by (instance) (cgroup_memory_limit_bytes{<service>}))")
QUEUE_SHARE = ("max (sum by (model) (batcher_queue_size{<queue>})"
               " / sum by (model) (batcher_queue_capacity{<queue>}))")
WORKER_SHARE = ("sum (rate(compute_worker_busy_seconds_total{<service>}[<rate>]))"
                " / sum (compute_worker_threads{<service>})")
CONNECTION_SHARE = ("max (max by (instance) (compute_active_connections{<service>})"
                    " / max by (instance) (http_connections_limit{<service>}))")

GOOD_BELOW = lambda warn, bad: [("green", None), ("orange", warn), ("red", bad)]  # noqa: E731
GOOD_ABOVE = lambda warn, good: [("red", None), ("orange", warn), ("green", good)]  # noqa: E731
NEUTRAL = [("blue", None)]


def where_the_time_goes(width=8):
    return graph(
        "Where the Time Goes",
        "Mean time of an answered request, by stage: reading its JSON, waiting for a batch, the batch, handing back and "
        "writing. Queue grows: more load than workers, or linger. Compute grows: larger batches, or a slower machine. "
        "The sum is the mean time in the server.",
        "s", [query("sum by (stage) (rate(compute_request_stage_seconds_sum{<queue>}[<rate>]))"
                    " / (sum by (stage) (rate(compute_request_stage_seconds_count{<queue>}[<rate>])) > 0)", "{{stage}}")],
        width=width, stack=True)


OVERVIEW = dashboard("jitney-overview", "Overview", "Is it up, fast and right, and how much room is left?", [
    stat("Ready Instances", "Instances that answer scrapes and say that they are ready for requests.", "short",
         [query("count (service_ready{<service>} == 1) or vector(0)", "")], thresholds=[("red", None), ("green", 1)]),
    stat("Request Rate", "Requests answered per second, without probes and scrapes.", "reqps",
         [query(f"sum (rate(http_requests_total{{{TRAFFIC}}}[<rate>]))", "")], thresholds=NEUTRAL,
         link="jitney-batcher"),
    stat("Error Ratio", "Share of the requests answered 5xx. Above 5 % for five minutes an alert fires.", "percentunit",
         [query(ERROR_RATIO, "")], thresholds=GOOD_BELOW(0.01, 0.05), no_value="no traffic", link="jitney-quality"),
    stat("p95 Latency", "95 of 100 requests spend less time than this in the server.", "s",
         percentiles("http_request_duration_seconds", TRAFFIC)[1:2], thresholds=GOOD_BELOW(0.2, 0.5),
         no_value="no traffic"),
    stat("Mean Batch", "Requests that share a batch. 1: nothing waits for company; it grows under load by itself.",
         "short", [query(mean("batcher_batch_size", "<queue>"), "")], thresholds=NEUTRAL, decimals=1,
         no_value="no traffic", link="jitney-batcher"),
    stat("Fullest Queue", "How full the fullest queue is. At 100 % requests are refused with 503.", "percentunit",
         [query(QUEUE_SHARE, "")], thresholds=GOOD_BELOW(0.5, 0.9), link="jitney-batcher"),
    stat("Memory", "Resident memory of the fullest instance, as a share of what its cgroup or machine has.", "percentunit",
         [query(MEMORY_SHARE, "")], thresholds=GOOD_BELOW(0.8, 0.9), link="jitney-resources"),
    stat("Firing Alerts", "Alerts that fire now, without the watchdog.", "short",
         [query('count (ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)', "")],
         thresholds=[("green", None), ("red", 1)], link="jitney-alerts"),

    row("Traffic"),
    graph("Requests by Status", "All requests by the class of their status; probes and scrapes are left out.", "reqps",
          [query(f'sum by (class) (label_replace(rate(http_requests_total{{{TRAFFIC}}}[<rate>]),'
                 ' "class", "${1}xx", "code", "(.)..") )', "{{class}}")], stack=True),
    graph("Requests by Model", "Requests that left each queue, whatever their end. An indicator is a queue too.",
          "reqps", [query("sum by (model) (rate(batcher_requests_total{<queue>}[<rate>]))", "{{model}}")], stack=True),
    graph("Errors by Status", "Requests that were not answered as asked. 4xx is the client's, 503 is load or drain, "
          "504 a deadline, 500 ours.", "reqps",
          [query(f'sum by (code) (rate(http_requests_total{{{TRAFFIC}, code=~"[45].."}}[<rate>])) > 0', "{{code}}")],
          stack=True, no_value="none"),

    row("How long it takes"),
    graph("Latency", "Time in the server over all routes, on a logarithmic scale.", "s",
          percentiles("http_request_duration_seconds", TRAFFIC), log=True),
    heatmap("Latency Distribution", "How many requests took how long: shows the modes that percentiles hide.", "s",
            "http_request_duration_seconds", TRAFFIC),
    where_the_time_goes(),

    row("Room that is left"),
    graph("Saturation", "How full what can be full is: the fullest queue, the workers, the connections and the memory. "
          "Whichever is highest is the next limit.", "percentunit",
          [query(QUEUE_SHARE, "queue full"), query(WORKER_SHARE, "workers busy"),
           query(CONNECTION_SHARE, "connections used"), query(MEMORY_SHARE, "memory used")],
          width=12, high=1),
    table("Routes", "Each route over the time shown: rate, share of 5xx, 95th percentile.", [
        (query("sum by (route) (rate(http_requests_total{<service>}[$__range]))", "req/s"), "reqps"),
        (query('sum by (route) (rate(http_requests_total{<service>, code=~"5.."}[$__range]))'
               " / (sum by (route) (rate(http_requests_total{<service>}[$__range])) > 0)", "errors"), "percentunit"),
        (query("histogram_quantile(0.95, sum by (le, route)"
               " (rate(http_request_duration_seconds_bucket{<service>}[$__range])))", "p95"), "s"),
    ]),
])


BATCHER = dashboard("jitney-batcher", "Dynamic batcher", "What the batcher does, why, and at what cost.", [
    graph("Request Rate", "Requests that left the batcher, by how they ended. Each counts once.", "reqps",
          [query("sum by (status) (rate(batcher_requests_total{<queue>}[<rate>]))", "{{status}}")], stack=True),
    graph("Error Rate", "Share of each queue's requests that failed, were late or were refused. A client that goes away "
          "is neither good nor bad.", "percentunit",
          [query('sum by (model) (rate(batcher_requests_total{<queue>, status!~"success|cancelled"}[<rate>]))'
                 ' / (sum by (model) (rate(batcher_requests_total{<queue>, status!="cancelled"}[<rate>])) > 0)',
                 "{{model}}")], thresholds=GOOD_BELOW(0.01, 0.05)),
    graph("Request Latency", "From the batcher taking a request until its result is delivered.", "s",
          percentiles("batcher_request_latency_seconds", "<queue>"), log=True),
    graph("Average Batch Size", "Requests that share a batch, on average. It grows with load by itself: batches form "
          "while all workers are busy.", "short",
          [query(mean("batcher_batch_size", "<queue>", "model"), "{{model}}")]),
    graph("Queue Size", "Requests that wait for a batch. A sawtooth is batches leaving; a line that only rises is "
          "overload.", "short", [query("sum by (model) (batcher_queue_size{<queue>})", "{{model}}")]),
    graph("Inflight Batches", "Batches being computed, and how many may be.", "short",
          [query("sum by (model) (batcher_inflight_batches{<queue>})", "{{model}}"),
           query("max (batcher_inflight_batches_limit{<queue>})", "limit")]),
    graph("Batch Wait Time", "How long requests wait until their batch leaves, and the linger that is chosen now.", "s",
          [*percentiles("batcher_batch_wait_time_seconds", "<queue>"),
           query("max (batcher_max_wait_seconds{<queue>}) > 0", "linger limit")], log=True),
    graph("Inference Time", "How long one batch takes to compute.", "s",
          percentiles("batcher_inference_time_seconds", "<queue>"), log=True),
    heatmap("Batch Size Distribution", "Batches per second of each size. A bright line at the maximum: throughput bounds. "
            "All at 1: there is nothing to batch.", "short", "batcher_batch_size", "<queue>", cell="ops"),

    row("Why batches are what they are"),
    graph("Why Batches Close", "size: full. idle: a worker was free. timeout: the linger ended. deadline: a request could "
          "wait no longer. drain: shutting down. Mostly size means that larger batches may help; mostly timeout, that the "
          "linger costs latency and gains little.", "ops",
          [query("sum by (reason) (rate(batcher_flushes_total{<queue>}[<rate>]))", "{{reason}}")], width=6, stack=True),
    graph("Where Batches Run", "loop: on the thread that read the requests, because it was over sooner than handed over. "
          "worker: everything else. A queue whose batches change places is about as long as the bound.", "ops",
          [query("sum by (place) (rate(batcher_batches_total{<queue>}[<rate>]))", "{{place}}")], width=6, stack=True),
    where_the_time_goes(width=6),
    graph("Batch Fill", "Rows of a batch as a share of what it may hold now (the chosen rows).", "percentunit",
          [query('sum by (model) (rate(batcher_rows_total{<queue>, kind="real"}[<rate>]))'
                 " / (sum by (model) (rate(batcher_batches_total{<queue>}[<rate>])) > 0)"
                 " / max by (model) (batcher_chosen_batch_rows{<queue>})", "{{model}}")], width=6, high=1),

    row("Cost model: what a batch is expected to take"),
    graph("Predicted and Actual Batch Time", "The mean batch, as expected when it was sealed (dashed) and as it was. Apart: "
          "the machine has become slower or busier than the model has learnt.", "s",
          [query(mean("batcher_inference_time_seconds", "<queue>", "model"), "{{model}} actual"),
           query(mean("batcher_predicted_time_seconds", "<queue>", "model"), "{{model}} predicted")], width=8),
    graph("Prediction Error", "Usual error of a prediction, as a share of the time; only of models that are sure, which "
          "admission relies on.", "percentunit",
          [query("max by (model) (batcher_cost_error_ratio{<queue>}) and on (model)"
                 " (min by (model) (batcher_cost_is_sure{<queue>}) == 1)", "{{model}}")],
          no_value="no model is sure yet"),
    graph("Asked For", "Rows that come in per second (of an indicator: values), as the batcher sees them.", "rps",
          [query("sum by (model) (batcher_arrivals_per_second{<queue>})", "{{model}}")]),
    table("What the Batcher Goes By", "The cost model and the choices that follow from it, as they are now. fixed and unit "
          "are what a batch takes at least and what each row (of an indicator: each value) adds; drained is what "
          "Retry-After is made from.", [
              (query("min by (model) (batcher_cost_is_sure{<queue>})", "sure"), "bool_yes_no"),
              (query("max by (model) (batcher_cost_fixed_seconds{<queue>})", "fixed"), "s"),
              (query("max by (model) (batcher_cost_unit_seconds{<queue>})", "unit"), "s"),
              (query("max by (model) (batcher_cost_error_ratio{<queue>})", "error"), "percentunit"),
              (query("sum by (model) (batcher_drained_per_second{<queue>})", "drained"), "reqps"),
              (query("max by (model) (batcher_max_batch_size{<queue>})", "max rows"), "short"),
              (query("min by (model) (batcher_chosen_batch_rows{<queue>})", "chosen rows"), "short"),
              (query("max by (model) (batcher_max_wait_seconds{<queue>})", "linger"), "s"),
              (query("min by (model) (batcher_target_p99_seconds{<queue>} > 0)", "target p99"), "s"),
          ], width=24, height=7),

    row("Choices against the latency target"),
    graph("Chosen Batch Rows", "Rows that a batch may have now; below the configured maximum (dashed) when the latency "
          "target allows no more.", "short",
          [query("min by (model) (batcher_chosen_batch_rows{<queue>})", "{{model}}"),
           query("max (batcher_max_batch_size{<queue>})", "configured")], steps=True),
    graph("Chosen Linger", "How long a batch waits for company, now.", "s",
          [query("max by (model) (batcher_max_wait_seconds{<queue>})", "{{model}}")], steps=True),
    graph("p99 Against Target", "99th percentile of each queue, and the targets of those that have one (dashed).", "s",
          [query("histogram_quantile(0.99, sum by (le, model)"
                 " (rate(batcher_request_latency_seconds_bucket{<queue>}[<rate>])))", "{{model}}"),
           query("max by (model) (batcher_target_p99_seconds{<queue>}) > 0", "{{model}} target")], log=True),

    row("Classes and tenants"),
    graph("Requests by Class", "Answered requests by X-Priority, stacked.", "reqps",
          [query('sum by (class) (rate(batcher_class_requests_total{<service>, status="success"}[<rate>]))',
                 "{{class}}")], width=6, stack=True),
    graph("Wait by Class", "95th percentile of the wait. Batch work may wait longer; interactive should not notice it.",
          "s", [query("histogram_quantile(0.95, sum by (le, class)"
                      " (rate(batcher_class_wait_time_seconds_bucket{<service>}[<rate>])))", "{{class}}")], width=6),
    graph("Tenants' Shares", "Each tenant's share of the answered requests. When the queue is busy it follows the weights.",
          "reqps", [query('sum by (tenant) (rate(batcher_tenant_requests_total{<service>, status="success"}[<rate>]))',
                          "{{tenant}}")], width=6, share=True),
    graph("Wait by Tenant", "Mean wait of each tenant's requests.", "s",
          [query(mean("batcher_tenant_wait_time_seconds", "<service>", "tenant"), "{{tenant}}")], width=6),

    row("Refused and late"),
    graph("Rejections by Reason", "Requests refused at the door. queue_full: overload. tenant_full: one tenant's own. "
          "deadline_unmeetable and latency_target: refused early rather than late.", "reqps",
          [query("sum by (reason) (rate(batcher_rejections_total{<queue>}[<rate>])) > 0", "{{reason}}")],
          width=6, stack=True, no_value="none"),
    graph("Rejections by Model", "Requests refused at the door, by the queue they wanted.", "reqps",
          [query("sum by (model) (rate(batcher_rejections_total{<queue>}[<rate>])) > 0", "{{model}}")],
          width=6, stack=True, no_value="none"),
    graph("Deadline Misses", "Requests that were too late, by where it was noticed: waiting, in the batch, or on the way "
          "back. queue costs nothing; the others are work for nobody.", "reqps",
          [query("sum by (stage) (rate(batcher_deadline_misses_total{<queue>}[<rate>]))", "{{stage}}")], width=6,
          stack=True),
    graph("Oldest Waiting", "Age of the oldest request in each queue. It should stay below the linger plus a batch; one "
          "that rises steadily is a stall.", "s",
          [query("max by (model) (batcher_queue_oldest_age_seconds{<queue>})", "{{model}}")], width=6),
])


def kernel_rate(family, unit, title, description):
    """Per second in the kernel rather than per second of the clock: what the machine reaches, whatever the load."""
    return graph(title, description, unit, [
        query(f"sum by (indicator) (rate({family}{{<service>}}[<rate>]))"
              " / (sum by (indicator) (rate(compute_indicator_time_seconds_sum{<service>}[<rate>])) > 0)",
              "{{indicator}}")])


PERFORMANCE = dashboard("jitney-performance", "Compute performance", "How fast the kernels are, and whether they stay so.", [
    stat("Build", "Version, commit, compiler, instruction set and BLAS of what runs.", "none",
         [query("max by (version, commit, compiler, simd_isa, blas) (compute_info{<service>})",
                "{{version}}  ·  {{commit}}  ·  {{compiler}}  ·  {{simd_isa}}  ·  {{blas}}")],
         width=24, height=3, text="name", spark=False, thresholds=NEUTRAL),
    bars("Speed-up", "How many times faster the chosen kernels are than their plain twins in C, and than Python loops where "
         "--python-baseline is given; measured by the self-test at start. POST /v1/selftest measures again.", "suffix:x",
         [query('min by (indicator) (compute_indicator_speedup{<service>, baseline="scalar"} > 0)', "{{indicator}}"),
          query('min by (indicator) (compute_indicator_speedup{<service>, baseline="python"} > 0)',
                "{{indicator}} over Python")],
         width=12, thresholds=GOOD_ABOVE(1, 2), decimals=1, no_value="not measured"),
    graph("Speed-up Against Reference", "1: as recorded when the kernels were last changed. Below 0.6 an alert fires; a "
          "machine that was busy during the self-test is one reason.", "percentunit",
          [query('min by (indicator) (compute_indicator_speedup{<service>, baseline="scalar"})'
                 ' / min by (indicator) (compute_indicator_speedup_reference{<service>, baseline="scalar"} > 0)',
                 "{{indicator}}")], width=12, thresholds=GOOD_ABOVE(0.6, 0.8), no_value="no reference for this machine"),

    row("While a kernel runs"),
    kernel_rate("compute_kernel_flops_total", "flops", "Arithmetic Rate",
                "Floating point operations per second of kernel time: what the kernels reach, whatever the load. Small "
                "batches reach less."),
    kernel_rate("compute_kernel_bytes_total", "Bps", "Memory Rate",
                "Bytes read and written per second of kernel time. Near the memory's bandwidth, more arithmetic would "
                "cost nothing."),
    graph("Time per Data Point", "Kernel time for each price or each output of a layer.", "s",
          [query("sum by (indicator) (rate(compute_indicator_time_seconds_sum{<service>}[<rate>]))"
                 " / (sum by (indicator) (rate(compute_indicator_data_points_sum{<service>}[<rate>])) > 0)",
                 "{{indicator}}")]),

    row("In service"),
    graph("Kernel Time", "95th percentile of one kernel call, on a logarithmic scale.", "s",
          [query("histogram_quantile(0.95, sum by (le, indicator)"
                 " (rate(compute_indicator_time_seconds_bucket{<service>}[<rate>])))", "{{indicator}}")], log=True),
    heatmap("Kernel Time Distribution", "Calls per second by how long they took, all kernels.", "s",
            "compute_indicator_time_seconds", "<service>", cell="ops"),
    graph("Kernels' Share of the CPU", "Kernel time as a share of the CPU time used. The rest is HTTP, JSON and the "
          "batcher.", "percentunit",
          [query("sum by (indicator) (rate(compute_indicator_time_seconds_sum{<service>}[<rate>]))"
                 " / on () group_left () (sum (rate(process_cpu_seconds_total{<service>}[<rate>])) > 0)",
                 "{{indicator}}")], stack=True),
    graph("Requests by Action", "Computations asked for, by what they compute.", "reqps",
          [query("sum by (action) (rate(compute_requests_total{<service>}[<rate>]))", "{{action}}")], stack=True),
    graph("Request Duration", "95th percentile of the whole request, by action.", "s",
          [query("histogram_quantile(0.95, sum by (le, action)"
                 " (rate(compute_request_duration_seconds_bucket{<service>}[<rate>])))", "{{action}}")], log=True),
    graph("Instruction Sets", "Kernel calls by the instructions they use. scalar on a machine with AVX is worth a look.",
          "ops", [query("sum by (isa) (rate(compute_kernel_dispatch_total{<service>}[<rate>])) > 0", "{{isa}}")],
          stack=True, no_value="no traffic"),

    row("In CI: the last `script/bench report`"),
    stat("Score", "Geometric mean of baseline / current over all benchmarks: 1 is as recorded, more is faster.", "none",
         [query("max (test_performance_score)", "score")], width=4, height=8, thresholds=GOOD_ABOVE(0.9, 0.97),
         no_value="not reported"),
    bars("Benchmarks", "Time of each benchmark against what was recorded for this kind of machine: 1 is as recorded, "
         "less is faster.", "none",
         [query("max by (benchmark) (ci_benchmark_seconds) / max by (benchmark) (ci_benchmark_baseline_seconds)", "{{benchmark}}")], width=20,
         thresholds=GOOD_BELOW(1.05, 1.1), no_value="not reported"),
])


RESOURCES = dashboard("jitney-resources", "Resources", "What is used, and of how much.", [
    graph("CPU", "Cores used by each instance, and what its cgroup may use (dashed).", "short",
          [query("sum by (instance) (rate(process_cpu_seconds_total{<service>}[<rate>]))", "{{instance}}"),
           query("max by (instance) (cgroup_cpu_limit_cores{<service>})", "{{instance}} limit")]),
    graph("CPU Throttling", "Seconds per second that the cgroup was held back: a hidden cause of a bad p99.",
          "percentunit", [query("sum by (instance) (rate(cgroup_cpu_throttled_seconds_total{<service>}[<rate>]))",
                                "{{instance}}")], thresholds=GOOD_BELOW(0.05, 0.25)),
    graph("CPU per Request", "CPU time for each answered request: what an optimisation should lower.", "s",
          [query("sum (rate(process_cpu_seconds_total{<service>}[<rate>]))"
                 f" / (sum (rate(http_requests_total{{{TRAFFIC}}}[<rate>])) > 0)", "CPU per request")]),
    graph("Memory", "Resident memory, the cgroup's, and its limit (dashed), on a logarithmic scale.", "bytes",
          [query("sum by (instance) (process_resident_memory_bytes{<service>})", "{{instance}} resident"),
           query("sum by (instance) (cgroup_memory_usage_bytes{<service>}) > 0", "{{instance}} cgroup"),
           query("sum by (instance) (cgroup_memory_limit_bytes{<service>})", "{{instance}} limit")], log=True),
    graph("Worker Utilisation", "Busy time of the workers as a share of their time. Small batches run on the event loop and "
          "are not in it.", "percentunit",
          [query("sum by (instance) (rate(compute_worker_busy_seconds_total{<service>}[<rate>]))"
                 " / sum by (instance) (compute_worker_threads{<service>})", "{{instance}}")],
          thresholds=GOOD_BELOW(0.8, 0.95), high=1),
    graph("Task Wait", "How long the oldest request of a batch waited for a worker, linger included.", "s",
          percentiles("compute_task_wait_seconds", "<service>"), log=True),
    graph("Connections", "Open connections and their limit (dashed); beyond it clients get 503.", "short",
          [query("sum by (instance) (compute_active_connections{<service>})", "{{instance}}"),
           query("max by (instance) (http_connections_limit{<service>})", "{{instance}} limit")], width=6),
    graph("Requests in Flight", "Requests being worked on. By Little's law: rate times mean latency.", "short",
          [query("sum by (instance) (http_requests_in_flight{<service>})", "{{instance}}")], width=6),
    graph("File Descriptors", "Open descriptors and how many may be (dashed).", "short",
          [query("sum by (instance) (process_open_fds{<service>})", "{{instance}}"),
           query("max by (instance) (process_max_fds{<service>})", "{{instance}} limit")], width=6),
    graph("Network", "Bytes in and out of the network namespace: of the container, or of the machine.", "Bps",
          [query("sum (rate(process_network_receive_bytes_total{<service>}[<rate>]))", "received"),
           query("sum (rate(process_network_transmit_bytes_total{<service>}[<rate>]))", "sent")], width=6),
])


def verification(catalogue):
    """Results that are computed again by the plain twins, once the service exports it."""
    if "verification_checks_total" not in catalogue:
        return []
    panels = [
        row("Verification: results computed again by the plain twins"),
        graph("Checks", "Sampled batches computed again, by result.", "cps",
              [query("sum by (result) (rate(verification_checks_total{<service>}[<rate>]))", "{{result}}")], stack=True),
        heatmap("Relative Error", "How far results are from the plain twins', relative to them.", "sci",
                "verification_relative_error", "<service>", cell="cps"),
    ]
    if "compute_rollbacks_total" in catalogue:
        panels.append(graph("Rollbacks", "Kernels that were taken out of service after a failed check.", "short",
                            [query("sum by (reason) (increase(compute_rollbacks_total{<service>}[<rate>]))",
                                   "{{reason}}")], bars=True))
    return panels


def quality(catalogue):
    return dashboard("jitney-quality", "Quality", "Are requests answered, in time, and with numbers?", [
        stat("Availability", "Share of the requests answered other than with 5xx, over the time shown. The objective is "
             "99.9 %.", "percentunit",
             [query(f'1 - (sum (increase(http_requests_total{{{TRAFFIC}, code=~"5.."}}[$__range])) or vector(0))'
                    f" / (sum (increase(http_requests_total{{{TRAFFIC}}}[$__range])) > 0)", "")],
             width=6, thresholds=GOOD_ABOVE(0.99, 0.999), decimals=3, spark=False, no_value="no traffic"),
        stat("In Time", "Share of the admitted requests that met their deadline, over the time shown.", "percentunit",
             [query('1 - sum (increase(batcher_requests_total{<queue>, status="timeout"}[$__range]))'
                    ' / (sum (increase(batcher_requests_total{<queue>, status!="rejected"}[$__range])) > 0)', "")],
             width=6, thresholds=GOOD_ABOVE(0.99, 0.999), decimals=3, spark=False, no_value="no traffic"),
        stat("Failed Batches", "Batches whose computation failed, over the time shown. One fails all its requests.",
             "short", [query('sum (increase(batcher_batches_total{<queue>, status="error"}[$__range]))', "")],
             width=6, thresholds=[("green", None), ("red", 1)], decimals=0, spark=False),
        stat("Results That Are No Numbers", "Results with NaN or infinity beyond the warm-up, over the time shown; the "
             "answer says null there.", "short",
             [query("sum (increase(compute_nonfinite_results_total{<service>}[$__range]))", "")],
             width=6, thresholds=[("green", None), ("orange", 1)], decimals=0, spark=False),

        graph("Errors by Code", "Errors by the code in the answer's body; docs/api.md says what each means.", "cps",
              [query("sum by (error_type) (rate(compute_errors_total{<service>}[<rate>])) > 0", "{{error_type}}")],
              width=12, stack=True, no_value="none"),
        table("Most Frequent Errors", "Errors over the time shown.", [
            (query("topk(10, sum by (error_type) (increase(compute_errors_total{<service>}[$__range])) > 0)", "errors"),
             "short")], width=12, no_value="none"),
        graph("Not Answered, by Model", "Requests of each queue that failed, were late, refused or abandoned.", "reqps",
              [query('sum by (model, status) (rate(batcher_requests_total{<queue>, status!="success"}[<rate>])) > 0',
                     "{{model}} {{status}}")], stack=True, no_value="none"),
        graph("Deadline Misses, by Model", "Share of each queue's admitted requests that missed their deadline.",
              "percentunit",
              [query('sum by (model) (rate(batcher_requests_total{<queue>, status="timeout"}[<rate>]))'
                     ' / (sum by (model) (rate(batcher_requests_total{<queue>, status!="rejected"}[<rate>])) > 0)',
                     "{{model}}")], thresholds=GOOD_BELOW(0.001, 0.01)),
        graph("Protocol Errors", "What never became a request: malformed, oversized, smuggled, too slow, reset.", "cps",
              [query("sum by (reason) (rate(http_protocol_errors_total{<service>}[<rate>])) > 0", "{{reason}}")],
              stack=True, no_value="none"),
        *verification(catalogue),
    ])


CPU_DOLLARS = "sum (rate(process_cpu_seconds_total{<service>}[<rate>])) * $core_price"
MEMORY_DOLLARS = "sum (process_resident_memory_bytes{<service>}) / 2^30 * $memory_price"
REQUESTS_PER_HOUR = f"3600 * sum (rate(http_requests_total{{{TRAFFIC}}}[<rate>]))"
# A kernel that is n times as fast as its plain twin saves n - 1 times the time it takes.
SAVED_BY_SIMD = ("sum (sum by (indicator) (rate(compute_indicator_time_seconds_sum{<service>}[<rate>]))"
                 ' * (min by (indicator) (compute_indicator_speedup{<service>, baseline="scalar"} > 0) - 1))')
# Each request that shares a batch saves what a batch takes at least.
SAVED_BY_BATCHING = ("sum ((sum by (model) (rate(batcher_batch_size_sum{<queue>}[<rate>]))"
                     " - sum by (model) (rate(batcher_batch_size_count{<queue>}[<rate>])))"
                     " * min by (model) (batcher_cost_fixed_seconds{<queue>}))")

COST = dashboard("jitney-cost", "Cost", "What it costs at your prices (above), and what the design saves.", [
    stat("Cost per Hour", "CPU time and memory that are used, at the prices above. Idle machines are not in it.",
         "currencyUSD", [query(f"{CPU_DOLLARS} + {MEMORY_DOLLARS}", "")], width=6, thresholds=NEUTRAL, decimals=4),
    stat("Cost per Million Requests", "The same for each million requests at the present rate.", "currencyUSD",
         [query(f"1000000 * ({CPU_DOLLARS} + {MEMORY_DOLLARS}) / ({REQUESTS_PER_HOUR} > 0)", "")],
         width=6, thresholds=NEUTRAL, decimals=4, no_value="no traffic"),
    stat("Requests per CPU Second", "Requests for each second of CPU time.", "short",
         [query(f"sum (rate(http_requests_total{{{TRAFFIC}}}[<rate>]))"
                " / (sum (rate(process_cpu_seconds_total{<service>}[<rate>])) > 0)", "")],
         width=6, thresholds=NEUTRAL, decimals=0, no_value="no traffic"),
    stat("Saved per Hour", "An estimate: CPU time that SIMD and batching spare, at the price above.", "currencyUSD",
         [query(f"({SAVED_BY_SIMD} + {SAVED_BY_BATCHING}) * $core_price", "")], width=6,
         thresholds=[("green", None)], decimals=4),
    graph("Cost by Resource", "Dollars per hour at the prices above.", "currencyUSD",
          [query(CPU_DOLLARS, "CPU"), query(MEMORY_DOLLARS, "memory")], width=12, stack=True),
    graph("Cores Saved", "An estimate of CPU seconds spared per second. SIMD: kernel time times the measured speed-up less "
          "one. Batching: the fixed cost of every batch that sharing spared.", "short",
          [query(SAVED_BY_SIMD, "SIMD"), query(SAVED_BY_BATCHING, "batching")], width=12, stack=True),
    graph("Cost per Million Requests over Time", "Falls when load grows: batches and the fixed part are shared.",
          "currencyUSD",
          [query(f"1000000 * ({CPU_DOLLARS} + {MEMORY_DOLLARS}) / ({REQUESTS_PER_HOUR} > 0)", "per million")]),
    graph("Right Size: CPU", "CPU used as a share of the limit. Always low: a smaller limit would do.", "percentunit",
          [query("sum by (instance) (rate(process_cpu_seconds_total{<service>}[<rate>]))"
                 " / max by (instance) (cgroup_cpu_limit_cores{<service>})", "{{instance}}")], high=1),
    graph("Right Size: Memory", "Resident memory as a share of the limit.", "percentunit",
          [query("max by (instance) (process_resident_memory_bytes{<service>})"
                 " / max by (instance) (cgroup_memory_limit_bytes{<service>})", "{{instance}}")], high=1),
], variables=[number_variable("core_price", "Core-hour ($)", "0.04"),
              number_variable("memory_price", "GiB-hour ($)", "0.005")])


DISKS = 'fstype!~"tmpfs|ramfs|overlay|squashfs"'

INFRASTRUCTURE = dashboard("jitney-infrastructure", "Infrastructure", "The process, its machine, and what watches them.", [
    states("Targets", "Whether each target answered its scrape.", [query("min by (job, instance) (up)", "{{job}} {{instance}}")],
           {0: ("down", "red"), 1: ("up", "green")}, width=12),
    graph("Scrape Time", "How long each scrape took.", "s",
          [query("max by (job) (scrape_duration_seconds)", "{{job}}")], width=6),
    graph("Samples per Scrape", "Series of each target; the scrape of the service fails above its sample_limit.", "short",
          [query("max by (job) (scrape_samples_post_metric_relabeling)", "{{job}}")], width=6),

    row("Process"),
    graph("Uptime", "Time since each instance started; a drop is a restart.", "s",
          [query("time() - max by (instance) (process_start_time_seconds{<service>})", "{{instance}}")], width=6),
    graph("Threads", "Threads of the process.", "short",
          [query("max by (instance) (process_threads{<service>})", "{{instance}}")], width=6),
    graph("Log Lines", "Lines written, by level. Errors deserve reading.", "cps",
          [query("sum by (level) (rate(log_messages_total{<service>}[<rate>]))", "{{level}}")], width=6, stack=True),
    graph("Exposition", "How long the service took to write its metrics.", "s",
          [query("max by (instance) (metrics_scrape_duration_seconds{<service>})", "{{instance}}")], width=6),

    row("Machine"),
    graph("Machine CPU", "Share of the machine's CPU that is busy.", "percentunit",
          [query('1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[<rate>]))', "{{instance}}")],
          width=6, high=1),
    graph("Machine Memory", "Share of the machine's memory that is not available.", "percentunit",
          [query("1 - min by (instance) (node_memory_MemAvailable_bytes)"
                 " / max by (instance) (node_memory_MemTotal_bytes)", "{{instance}}")], width=6, high=1),
    graph("Disk Used", "Share of each file system that is full.", "percentunit",
          [query(f"1 - min by (instance, mountpoint) (node_filesystem_avail_bytes{{{DISKS}}})"
                 f" / max by (instance, mountpoint) (node_filesystem_size_bytes{{{DISKS}}})", "{{instance}} {{mountpoint}}")],
          width=6, high=1),
    graph("Machine Network", "Bytes per second, without the loopback.", "Bps",
          [query('sum (rate(node_network_receive_bytes_total{device!~"lo|veth.*"}[<rate>]))', "received"),
           query('sum (rate(node_network_transmit_bytes_total{device!~"lo|veth.*"}[<rate>]))', "sent")], width=6),

    row("Prometheus and Alertmanager"),
    graph("Head Series", "Series that Prometheus holds in memory.", "short",
          [query("max by (instance) (prometheus_tsdb_head_series)", "{{instance}}")], width=6),
    graph("Storage", "Bytes of blocks on disk, against the retention limit (dashed). The last two hours are in the log.",
          "bytes", [query("max by (instance) (prometheus_tsdb_storage_blocks_bytes)", "{{instance}}"),
           query("max by (instance) (prometheus_tsdb_retention_limit_bytes) > 0", "{{instance}} limit")], width=6),
    graph("Rule Evaluation", "The slowest rule groups.", "s",
          [query('topk(5, max by (rules) (label_replace(prometheus_rule_group_last_duration_seconds,'
                 ' "rules", "$1", "rule_group", ".*;(.*)")))', "{{rules}}")], width=6),
    graph("Notifications", "Sent, and failed to send, by integration.", "cps",
          [query("sum by (integration) (rate(alertmanager_notifications_total[<rate>])) > 0", "{{integration}}"),
           query("sum by (integration) (rate(alertmanager_notifications_failed_total[<rate>])) > 0",
                 "{{integration}} failed")], width=6, no_value="none sent"),
])


def burn_rate(window):
    return query(f'sum (rate(http_requests_total{{{TRAFFIC}, code=~"5.."}}[{window}]))'
                 f" / (sum (rate(http_requests_total{{{TRAFFIC}}}[{window}])) > 0) / {ERROR_BUDGET}", window)


ALERTS = dashboard("jitney-alerts", "Alerts", "What fires, what fired, and how fast the error budget goes.", [
    stat("Critical", "Alerts of severity critical that fire.", "short",
         [query('count (ALERTS{alertstate="firing", severity="critical"}) or vector(0)', "")], width=4,
         thresholds=[("green", None), ("red", 1)], spark=False),
    stat("Warning", "Alerts of severity warning that fire.", "short",
         [query('count (ALERTS{alertstate="firing", severity="warning"}) or vector(0)', "")], width=4,
         thresholds=[("green", None), ("orange", 1)], spark=False),
    stat("Pending", "Alerts whose condition holds, though not yet for long enough.", "short",
         [query('count (ALERTS{alertstate="pending"}) or vector(0)', "")], width=4,
         thresholds=[("green", None), ("yellow", 1)], spark=False),
    stat("Error Budget Left", "Of the 0.1 % of requests that may fail, over the time shown: how much is left. Below 0: "
         "more than that has failed.", "percentunit",
         [query(f'1 - (sum (increase(http_requests_total{{{TRAFFIC}, code=~"5.."}}[$__range])) or vector(0))'
                f" / (sum (increase(http_requests_total{{{TRAFFIC}}}[$__range])) > 0) / {ERROR_BUDGET}", "")],
         width=6, thresholds=GOOD_ABOVE(0, 0.5), spark=False, no_value="no traffic"),
    stat("Rule Failures", "Rule evaluations that failed in the time shown; alerts may be missing while they do.", "short",
         [query("sum (increase(prometheus_rule_evaluation_failures_total[$__range])) or vector(0)", "")], width=6,
         thresholds=[("green", None), ("red", 1)], decimals=0, spark=False),
    table("Active Alerts", "Pending and firing alerts; what to do is in monitoring/runbooks/.", [
        (query('max by (alertname, severity, alertstate, instance, model) (ALERTS{alertname!="Watchdog"})', "active"),
         "short")], width=24, height=7, no_value="none"),
    states("History", "One lane for each alert, while it fired.",
           [query('max by (alertname) (ALERTS{alertstate="firing", alertname!="Watchdog"})', "{{alertname}}")],
           {1: ("firing", "red")}, width=12, height=9, no_value="nothing fired"),
    graph("Burn Rate", "How fast the error budget goes: at 1 it lasts exactly its period. A page at 14.4 over an hour (2 % "
          "of a month's budget) and 6 over six hours are usual.", "short", [burn_rate("1h"), burn_rate("6h")],
          width=12, height=9, thresholds=GOOD_BELOW(6, 14.4)),
])


def all_dashboards(catalogue):
    """catalogue: the families that docs/metrics.md lists."""
    return [OVERVIEW, BATCHER, PERFORMANCE, RESOURCES, quality(catalogue), COST, INFRASTRUCTURE, ALERTS]
