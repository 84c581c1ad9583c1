// The load of `jitney-load run --rate`, for those who prefer k6 (https://k6.io):
//
//     k6 run -e MODEL=wide -e RATE=2000 -e SLO_MS=10 loadtest/k6/predict.js
//
// An open loop: requests are due at a steady rate, whatever the server does. k6 counts a
// latency from the send and not from when the request was due; what it could not send in time is
// `dropped_iterations`, which must be 0 for the percentiles to mean anything.
//
//   TARGET   http://127.0.0.1:8001
//   MODEL    digits
//   RATE     requests a second, 500
//   CLIENTS  that may be busy at the same time, 64
//   SECONDS  10
//   ROWS     of a request, 1
//   SLO_MS   fail when p99 is above it, 10
import http from "k6/http";
import { check, fail } from "k6";
import { Trend } from "k6/metrics";

const target = __ENV.TARGET || "http://127.0.0.1:8001";
const model = __ENV.MODEL || "digits";
const clients = Number(__ENV.CLIENTS || 64);
const rows = Number(__ENV.ROWS || 1);

export const options = {
  scenarios: {
    open: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE || 500),
      timeUnit: "1s",
      duration: `${__ENV.SECONDS || 10}s`,
      preAllocatedVUs: clients,
      maxVUs: clients,
    },
  },
  summaryTrendStats: ["min", "med", "p(90)", "p(99)", "p(99.9)", "max"],
  thresholds: {
    http_req_duration: [`p(99)<${__ENV.SLO_MS || 10}`],
    http_req_failed: ["rate<0.001"],
    dropped_iterations: ["count==0"],
  },
};

const parts = {};
for (const part of ["parse", "queue", "compute", "write"]) parts[part] = new Trend(`jitney_${part}`, true);
const batch = new Trend("jitney_batch_size");

// Some bodies of random numbers in the shape that the server tells.
export function setup() {
  const answer = http.get(`${target}/v1/models/${model}`);
  if (answer.status !== 200) fail(`${target} answers ${answer.status} about ${model}: ${answer.body}`);
  const numbers = answer.json("inputs.0.shape").reduce((product, n) => (n > 0 ? product * n : product), 1);
  const row = () => Array.from({ length: numbers }, () => Number(Math.random().toFixed(4)));
  return Array.from({ length: 16 }, () => JSON.stringify({ instances: Array.from({ length: rows }, row) }));
}

export default function (bodies) {
  const body = bodies[Math.floor(Math.random() * bodies.length)];
  const answer = http.post(`${target}/v1/models/${model}:predict`, body, {
    headers: { "Content-Type": "application/json" },
    tags: { name: model },
  });
  check(answer, { "answered 200": (a) => a.status === 200 });
  for (const [, part, ms] of (answer.headers["Server-Timing"] || "").matchAll(/(\w+);dur=([\d.]+)/g))
    if (parts[part]) parts[part].add(Number(ms));
  if (answer.headers["X-Batch-Size"]) batch.add(Number(answer.headers["X-Batch-Size"]));
}
