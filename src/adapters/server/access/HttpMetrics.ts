/** What a server's guard counts. */
import { Metric } from "effect"

/** Requests that were answered, tagged with `code`, the answer's status. */
export const requests = Metric.counter("skein_http_requests", {
  description: "Requests answered",
  incremental: true
})

/** Requests of known tokens that are not yet fully answered: event streams, for as long as somebody listens. */
export const open = Metric.gauge("skein_http_open_requests", {
  description: "Requests being answered, streams among them"
})
